"""The gain curve: what treating the users ranked first gains."""

from typing import Any

from causal_tasks.report.charts.canvas import Layout, chart_of, quiet_axis, small_title
from causal_tasks.report.palette import MUTED, PALETTES
from causal_tasks.report.sections.curves import Curve


def curve_chart(curve: Curve, layout: Layout, theme: str) -> Any:
    """Gain per user over the share of users treated, with its band and the random line.

    Returns:
        An Altair chart; its title is the unit of the vertical axis.
    """
    import altair as alt

    colour = PALETTES[theme].good
    model = [dict(zip(("share", "gain", "low", "high"), point, strict=True)) for point in curve.points]
    random = [point | {"gain": point["share"] * model[-1]["gain"]} for point in model]
    share = alt.Axis(format=".0%", tickCount=5, grid=False, title=curve.x_title)
    x = alt.X("share:Q", scale=alt.Scale(domain=[0, 1], nice=False), axis=share)
    y = alt.Y("gain:Q", scale=alt.Scale(domain=list(curve.y_range), nice=True), axis=quiet_axis(title=None))
    peak = max((point for point in model if 0.2 <= point["share"] <= 0.8), key=lambda point: point["gain"])
    beneath = random[model.index(peak)]
    side = 1 if peak["gain"] < beneath["gain"] else -1

    def label(point: dict[str, float], text: str, colour: str, side: int) -> Any:
        mark = chart_of([point]).mark_text(dy=13 * side, fontSize=layout.font_size, fontWeight="bold", color=colour)
        return mark.encode(x=x, y=y, text=alt.value(text))

    return alt.layer(
        chart_of(model).mark_area(opacity=0.15, color=colour).encode(x=x, y="low:Q", y2="high:Q"),
        chart_of(random).mark_line(color=MUTED, strokeDash=[5, 4], strokeWidth=1.6).encode(x=x, y=y),
        chart_of(model).mark_line(color=colour, strokeWidth=2.6).encode(x=x, y=y),
        label(peak, curve.model_label, colour, side),
        label(beneath, curve.random_label, MUTED, -side),
    ).properties(width=layout.width - 62, height=260, title=small_title(curve.y_title, layout))
