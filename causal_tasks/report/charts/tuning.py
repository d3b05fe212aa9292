"""The tuning history: one small panel for each finalist, all on one scale."""

from typing import Any

from causal_tasks.report.charts.canvas import Layout, chart_of, quiet_axis
from causal_tasks.report.line_breaking import broken
from causal_tasks.report.palette import INK, MUTED, PALETTES
from causal_tasks.report.sections.tuning import Tuning, TuningPanel

_COLUMNS = 3
_AXIS_WIDTH = 62


def tuning_chart(tuning: Tuning, layout: Layout, theme: str) -> Any:
    """Trial number against score: a diamond for the default, circles for complete trials, grey crosses for pruned ones.

    A step line shows the best score so far.

    Returns:
        An Altair chart without title.
    """
    import altair as alt

    columns = 1 if layout.is_stacked else min(_COLUMNS, len(tuning.panels))
    width = layout.width / columns - _AXIS_WIDTH
    scores = [point.score for panel in tuning.panels for point in panel.points]
    low, high = min(scores), max(scores)
    pad = 0.08 * (high - low) or 1.0
    last = max(point.number for panel in tuning.panels for point in panel.points)
    x = alt.X(
        "number:Q",
        scale=alt.Scale(domain=[-0.5, last + 0.5], nice=False),
        axis=alt.Axis(tickCount=min(last, 5), tickMinStep=1, format="d", grid=False, title=tuning.x_title),
    )
    y = alt.Y(
        "score:Q",
        scale=alt.Scale(domain=[low - pad, high + pad], zero=False, nice=False),
        axis=quiet_axis(title=None),
    )
    panels = [
        _panel(panel, x, y, PALETTES[theme].good).properties(
            width=width, height=170, title=_title(panel, tuning, layout, width + _AXIS_WIDTH / 2)
        )
        for panel in tuning.panels
    ]
    return alt.concat(*panels, columns=columns, spacing=18)


def _panel(panel: TuningPanel, x: Any, y: Any, colour: str) -> Any:
    import altair as alt

    best = [{"number": number, "score": score} for number, score in panel.best]

    marks = [
        chart_of([{"number": point.number, "score": point.score} for point in panel.points if point.kind == kind])
        .mark_point(opacity=1, **style)
        .encode(x=x, y=y)
        for kind, style in _styles(colour).items()
        if any(point.kind == kind for point in panel.points)
    ]
    line = chart_of(best).mark_line(interpolate="step-after", color=colour, strokeWidth=1.8)
    return alt.layer(line.encode(x=x, y=y), *marks)


def _styles(colour: str) -> dict[str, dict[str, Any]]:
    """How each kind of trial is drawn; kinds differ in shape, not in colour alone."""
    return {
        "pruned": {"shape": "cross", "size": 28, "filled": True, "color": "#a3abb5"},
        "complete": {"shape": "circle", "size": 48, "filled": False, "color": colour, "strokeWidth": 1.6},
        "default": {"shape": "diamond", "size": 110, "filled": True, "color": INK},
    }


def _title(panel: TuningPanel, tuning: Tuning, layout: Layout, width: float) -> Any:
    import altair as alt

    fits = layout.characters(width)
    return alt.TitleParams(
        broken(panel.candidate, fits, lines=1),
        subtitle=[*broken(panel.title, fits, lines=1), *broken(tuning.y_title, fits, lines=1)],
        anchor="start",
        fontSize=layout.font_size,
        subtitleFontSize=layout.font_size - 1,
        color=INK,
        subtitleColor=MUTED,
    )
