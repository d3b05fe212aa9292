"""The balance proof of a matched comparison: the love plot, and how far the propensities of both arms overlap."""

from typing import Any

from causal_tasks.report.caveats import BALANCED
from causal_tasks.report.charts.canvas import Layout, chart_of, quiet_axis
from causal_tasks.report.charts.rows import Placement, RowCanvas
from causal_tasks.report.palette import INK, MUTED, PALETTES
from causal_tasks.report.sections.balance import Balance


def love_chart(balance: Balance, layout: Layout, theme: str) -> Any:
    """Absolute standardised differences before (hollow circles) and after matching (diamonds), the bound dashed.

    Returns:
        An Altair chart without title.
    """
    import altair as alt

    colour = PALETTES[theme].good
    highest = max(BALANCED, *(max(point.before, point.after) for point in balance.points))
    placement = Placement.of(((None, point.label, False) for point in balance.points), layout, gap=6)
    canvas = RowCanvas(placement, (0.0, highest))
    values = [{"numbers": "", "before": point.before, "after": point.after} for point in balance.points]
    rows = canvas.rows(values)
    base, scale = chart_of(rows), canvas.across
    y = alt.Y("y:Q", scale=canvas.down, axis=None)
    before = base.mark_point(shape="circle", size=60, color=MUTED, strokeWidth=1.8, fill="white", opacity=1)
    after = base.mark_point(shape="diamond", size=80, color=colour, filled=True, opacity=1)
    return alt.layer(
        canvas.vertical_line(BALANCED, (4, 3)),
        canvas.vertical_line(0.0),
        base.mark_rule(color=MUTED, opacity=0.35).encode(x=alt.X("after:Q", scale=scale), x2="before:Q", y=y),
        before.encode(x=alt.X("before:Q", scale=scale, axis=canvas.axis(), title=balance.x_title), y=y),
        after.encode(x=alt.X("after:Q", scale=scale), y=y),
        *canvas.texts(rows),
    ).properties(width=layout.width, height=placement.height)


def overlap_chart(balance: Balance, layout: Layout, theme: str) -> Any:
    """Propensities of the treated above the line and of control below it, as shares of each arm; trimmed ends shaded.

    Returns:
        An Altair chart without title.
    """
    import altair as alt

    colour = PALETTES[theme].good
    bars: list[dict[str, Any]] = [
        {"low": within.low, "high": within.high, "top": side * share, "zero": 0.0, "colour": shade}
        for within in balance.overlap
        for side, share, shade in ((1, within.treatment, colour), (-1, within.control, MUTED))
    ]
    most = max(abs(bar["top"]) for bar in bars) or 1.0
    x = alt.Scale(domain=[0, 1], nice=False)
    y = alt.Scale(domain=[-1.08 * most, 1.08 * most], nice=False)
    ends = [
        {"low": low, "high": high, "top": 1.08 * most, "zero": -1.08 * most}
        for low, high in ((0.0, balance.overlap_bounds[0]), (balance.overlap_bounds[1], 1.0))
    ]

    def drawn(rows: list[dict[str, Any]]) -> Any:
        return chart_of(rows).encode(
            x=alt.X("low:Q", scale=x, axis=alt.Axis(format=".1f", tickCount=6, grid=False, title=balance.overlap_x)),
            x2="high:Q",
            y=alt.Y("zero:Q", scale=y, axis=quiet_axis(title=None, labelExpr="format(abs(datum.value), '.0%')")),
            y2="top:Q",
        )

    labels = [
        {"x": 0.98, "y": side * 0.98 * most, "label": name, "colour": shade}
        for side, name, shade in ((1, balance.arms[0], colour), (-1, balance.arms[1], MUTED))
    ]
    return alt.layer(
        drawn(ends).mark_rect(color=MUTED, opacity=0.14),
        drawn(bars)
        .mark_rect(opacity=0.75, stroke="white", strokeWidth=0.5)
        .encode(color=alt.Color("colour:N", scale=None)),
        chart_of([{"y": 0.0}]).mark_rule(color=INK, strokeWidth=1).encode(y=alt.Y("y:Q", scale=y)),
        chart_of(labels)
        .mark_text(align="right", baseline="middle", fontSize=layout.font_size, fontWeight="bold")
        .encode(
            x=alt.X("x:Q", scale=x), y=alt.Y("y:Q", scale=y), text="label:N", color=alt.Color("colour:N", scale=None)
        ),
    ).properties(width=layout.width - 62, height=200)
