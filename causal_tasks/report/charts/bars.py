"""Bars from zero, one row for each label: rollouts by their value, features by their importance, coefficients."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from causal_tasks.report.charts.canvas import Layout, chart_of
from causal_tasks.report.charts.rows import Placement, RowCanvas
from causal_tasks.report.palette import INK, PALETTES
from causal_tasks.report.sections.drivers import Drivers
from causal_tasks.report.sections.policy import Policies

_HALF_BAR = 7
"""Half the height of a bar, in pixels."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One row.

    Attributes:
        label: Beside or above the bar.
        value: Where it ends.
        numbers: The same as text.
        colour: Of the bar.
        interval: Drawn as a line over it; None where there is none.
        heading: That this row stands under; None: none.
    """

    label: str
    value: float
    numbers: str
    colour: str
    interval: tuple[float, float] | None = None
    heading: str | None = None

    @property
    def ends(self) -> tuple[float, ...]:
        """Everything that the axis must hold."""
        return (self.value, *(self.interval or ()))


def policy_chart(policies: Policies, layout: Layout, theme: str) -> Any:
    """What each rollout gains, with its interval.

    Returns:
        An Altair chart without title.
    """
    palette = PALETTES[theme]
    bars = [Bar(bar.label, bar.gain, bar.numbers, palette.of(bar.tone), (bar.low, bar.high)) for bar in policies.bars]
    return bars_chart(bars, layout, title=policies.axis)


def drivers_chart(drivers: Drivers, layout: Layout, theme: str) -> Any:
    """How far each feature drives the predicted effect, with its interval; at least one feature.

    Returns:
        An Altair chart without title.
    """
    colour = PALETTES[theme].good
    bars = [Bar(bar.label, bar.importance, bar.numbers, colour, (bar.low, bar.high)) for bar in drivers.bars]
    return bars_chart(bars, layout, title=drivers.x_title, gap=6, axis={"format": ".0%"})


def bars_chart(
    bars: Sequence[Bar], layout: Layout, *, title: str, gap: int = 14, axis: dict[str, Any] | None = None
) -> Any:
    """Bars from zero in their order, at least one.

    Args:
        bars: Rows with the same heading stand together.
        layout: Where things go.
        title: Of the axis.
        gap: Pixels between two rows.
        axis: Further options of the axis.

    Returns:
        An Altair chart without title.
    """
    import altair as alt

    ends = [end for bar in bars for end in bar.ends]
    placement = Placement.of(((bar.heading, bar.label, True) for bar in bars), layout, gap=gap, half_mark=_HALF_BAR)
    canvas = RowCanvas(placement, (min(0.0, *ends), max(0.0, *ends)))
    rows = [
        row | {"zero": 0.0, "top": row["y"] - _HALF_BAR, "bottom": row["y"] + _HALF_BAR}
        for row in canvas.rows([{"value": bar.value, "numbers": bar.numbers, "colour": bar.colour} for bar in bars])
    ]
    spans = [
        {"y": row["y"], "low": bar.interval[0], "high": bar.interval[1]}
        for row, bar in zip(rows, bars, strict=True)
        if bar.interval
    ]
    scale, down = canvas.across, canvas.down
    layers = [
        chart_of(rows)
        .mark_rect(opacity=0.85)
        .encode(
            x=alt.X("zero:Q", scale=scale, axis=canvas.axis(**(axis or {})), title=title),
            x2="value:Q",
            y=alt.Y("top:Q", scale=down, axis=None),
            y2="bottom:Q",
            color=alt.Color("colour:N", scale=None),
        ),
        canvas.vertical_line(0.0),
        *canvas.texts(rows),
    ]
    if spans:
        intervals = chart_of(spans).mark_rule(strokeWidth=1.4, color=INK)
        layers.insert(
            1,
            intervals.encode(x=alt.X("low:Q", scale=scale), x2="high:Q", y=alt.Y("y:Q", scale=down, axis=None)),
        )
    return alt.layer(*layers).properties(width=layout.width, height=placement.height)
