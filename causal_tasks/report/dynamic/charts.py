"""The chart of a feed's day beside its gains: the value by threshold."""

from typing import Any

from causal_tasks.report.charts.canvas import Layout, chart_of, quiet_axis, small_title
from causal_tasks.report.dynamic.switching import ThresholdCurve
from causal_tasks.report.line_breaking import broken
from causal_tasks.report.palette import INK, MUTED, PALETTES

_AXIS_WIDTH = 62


def threshold_chart(curve: ThresholdCurve, layout: Layout, theme: str) -> Any:
    """Value by threshold with its band, the value of changing nothing, and the threshold that was chosen.

    Returns:
        An Altair chart; its title is the unit of the vertical axis.
    """
    import altair as alt

    colour = PALETTES[theme].good
    points = [
        {"threshold": point.threshold, "value": point.value, "low": point.low, "high": point.high}
        for point in curve.points
    ]
    ends = [curve.control, *(bound for point in curve.points for bound in (point.low, point.high))]
    across = alt.Scale(domain=[points[0]["threshold"], points[-1]["threshold"]], nice=False, clamp=True)
    x = alt.X("threshold:Q", scale=across, axis=alt.Axis(tickCount=5, grid=False, title=curve.x_title))
    heights = alt.Scale(domain=[min(ends), max(ends)], nice=True, zero=False)
    y = alt.Y("value:Q", scale=heights, axis=quiet_axis(title=None))
    control = chart_of([{"threshold": points[0]["threshold"], "value": curve.control}])
    layers = [
        chart_of(points)
        .mark_area(opacity=0.15, color=colour)
        .encode(x=x, y=alt.Y("low:Q", scale=heights), y2="high:Q"),
        control.mark_rule(color=MUTED, strokeDash=[5, 4], strokeWidth=1.6).encode(y=y),
        control.mark_text(
            align="left", dx=6, dy=-9, fontSize=layout.font_size - 1, fontWeight="bold", color=MUTED
        ).encode(x=x, y=y, text=alt.value(curve.control_label)),
        chart_of(points).mark_line(color=colour, strokeWidth=2.4).encode(x=x, y=y),
    ]
    if curve.chosen is not None:
        chosen = chart_of([{"threshold": curve.chosen}])
        layers.append(chosen.mark_rule(color=INK, strokeDash=[2, 3], strokeWidth=1.4).encode(x=x))
    title = small_title(broken(curve.y_title, layout.characters(layout.width), lines=2), layout)
    return alt.layer(*layers).properties(width=layout.width - _AXIS_WIDTH, height=200, title=title)
