"""Bars from zero with intervals, one row for each label: rollouts by their value, features by their importance."""

from collections.abc import Sequence
from typing import Any

from causal_tasks.report.charts.canvas import Layout, chart_of
from causal_tasks.report.charts.rows import Placement, RowCanvas
from causal_tasks.report.palette import INK, PALETTES
from causal_tasks.report.sections.drivers import Drivers
from causal_tasks.report.sections.policy import Policies

_HALF_BAR = 7
"""Half the height of a bar, in pixels."""


def policy_chart(policies: Policies, layout: Layout, theme: str) -> Any:
    """What each rollout gains, with its interval.

    Returns:
        An Altair chart without title.
    """
    palette = PALETTES[theme]
    values = [
        {
            "value": bar.gain,
            "low": bar.low,
            "high": bar.high,
            "numbers": bar.numbers,
            "colour": palette.of(bar.tone),
        }
        for bar in policies.bars
    ]
    return _bars([bar.label for bar in policies.bars], values, layout, title=policies.axis)


def drivers_chart(drivers: Drivers, layout: Layout, theme: str) -> Any:
    """How far each feature drives the predicted effect, with its interval; at least one feature.

    Returns:
        An Altair chart without title.
    """
    values = [
        {
            "value": bar.importance,
            "low": bar.low,
            "high": bar.high,
            "numbers": bar.numbers,
            "colour": PALETTES[theme].good,
        }
        for bar in drivers.bars
    ]
    labels = [bar.label for bar in drivers.bars]
    return _bars(labels, values, layout, title=drivers.x_title, gap=6, axis={"format": ".0%"})


def _bars(
    labels: Sequence[str],
    values: Sequence[dict[str, Any]],
    layout: Layout,
    *,
    title: str,
    gap: int = 14,
    axis: dict[str, Any] | None = None,
) -> Any:
    import altair as alt

    ends = [end for value in values for end in (value["low"], value["high"], value["value"])]
    placement = Placement.of(((None, label, True) for label in labels), layout, gap=gap, half_mark=_HALF_BAR)
    canvas = RowCanvas(placement, (min(0.0, *ends), max(0.0, *ends)))
    rows = [
        row | {"zero": 0.0, "top": row["y"] - _HALF_BAR, "bottom": row["y"] + _HALF_BAR} for row in canvas.rows(values)
    ]
    scale, down = canvas.across, canvas.down
    base = chart_of(rows)
    return alt.layer(
        base.mark_rect(opacity=0.85).encode(
            x=alt.X("zero:Q", scale=scale, axis=canvas.axis(**(axis or {})), title=title),
            x2="value:Q",
            y=alt.Y("top:Q", scale=down, axis=None),
            y2="bottom:Q",
            color=alt.Color("colour:N", scale=None),
        ),
        base.mark_rule(strokeWidth=1.4, color=INK).encode(
            x=alt.X("low:Q", scale=scale), x2="high:Q", y=alt.Y("y:Q", scale=down, axis=None)
        ),
        canvas.vertical_line(0.0),
        *canvas.texts(rows),
    ).properties(width=layout.width, height=placement.height)
