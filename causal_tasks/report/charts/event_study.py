"""The event study: by how much the arms differ in each stretch of days before and after first exposure."""

from typing import Any

from causal_tasks.report.charts.canvas import Layout, chart_of, quiet_axis, small_title
from causal_tasks.report.palette import INK, MUTED, PALETTES
from causal_tasks.report.sections.event_study import EventStudy


def event_study_chart(study: EventStudy, layout: Layout, theme: str) -> Any:
    """Differences with intervals by day, grey before the start and coloured after it, the reference period hollow.

    Returns:
        An Altair chart; its title is the unit of the vertical axis.
    """
    import altair as alt

    colour = PALETTES[theme].good
    points: list[dict[str, Any]] = [
        {
            "day": (point.first_day + point.last_day) / 2,
            "first": point.first_day - 0.4,
            "last": point.last_day + 0.4,
            "estimate": point.estimate,
            "low": point.low,
            "high": point.high,
            "colour": colour if point.is_after else MUTED,
            "fill": "#ffffff" if point.is_reference else colour if point.is_after else MUTED,
        }
        for point in study.points
    ]
    bounds = [bound for point in points for bound in (point["low"], point["high"])]
    low, high = min(0.0, *bounds), max(0.0, *bounds)
    pad = 0.08 * (high - low) or 1.0
    first, last = min(point["first"] for point in points), max(point["last"] for point in points)
    across = alt.Scale(domain=[first - 0.6, last + 0.6], nice=False)
    down = alt.Scale(domain=[low - pad, high + 2.5 * pad], nice=False)
    x = alt.X(
        "day:Q", scale=across, axis=alt.Axis(tickMinStep=1, tickCount=10, format="d", grid=False, title=study.x_title)
    )
    y = alt.Y("estimate:Q", scale=down, axis=quiet_axis(title=None))
    base = chart_of(points).encode(color=alt.Color("colour:N", scale=None))
    start = chart_of([{"at": -0.5, "top": high + 2.1 * pad, "label": study.start_label}])
    return alt.layer(
        chart_of([{"y": 0.0}]).mark_rule(color=MUTED, strokeWidth=1.2).encode(y=alt.Y("y:Q", scale=down)),
        start.mark_rule(color=INK, strokeDash=[4, 3], strokeWidth=1.2).encode(x=alt.X("at:Q", scale=across)),
        start.mark_text(align="left", dx=6, baseline="middle", fontSize=layout.font_size - 1, color=INK).encode(
            x=alt.X("at:Q", scale=across), y=alt.Y("top:Q", scale=down), text="label:N"
        ),
        base.mark_rule(strokeWidth=2.2, strokeCap="round").encode(x=x, y=alt.Y("low:Q", scale=down), y2="high:Q"),
        base.mark_rule(strokeWidth=1).encode(x=alt.X("first:Q", scale=across), x2="last:Q", y=y),
        base.mark_point(size=60, strokeWidth=2, opacity=1).encode(x=x, y=y, fill=alt.Fill("fill:N", scale=None)),
    ).properties(width=layout.width - 62, height=240, title=small_title(study.y_title, layout))
