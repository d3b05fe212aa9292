"""The charts of an allocation: gain against spend, and the share of every arm by budget."""

from collections.abc import Mapping, Sequence
from typing import Any

from causal_tasks.report.allocation.budgets import Shares
from causal_tasks.report.allocation.spending import Spending, SpendingLine
from causal_tasks.report.charts.canvas import Layout, chart_of, legend_columns, quiet_axis, small_title, top_legend
from causal_tasks.report.charts.rows import Placement, RowCanvas
from causal_tasks.report.line_breaking import broken, display_width
from causal_tasks.report.palette import INK, MUTED, PALETTES

_AXIS_WIDTH = 62
_HALF_BAR = 11
"""Half the height of a bar, in pixels."""

_CONTROL_SHADE = "#d5dae1"
_PALEST, _DARKEST = (186, 200, 222), (38, 56, 92)
"""Of treatment arms in their order; none of the colours that mean better or worse."""

_FEW_POINTS = 15


def spending_chart(spending: Spending, layout: Layout, theme: str) -> Any:
    """Gain over control against spend per user, the chosen method with its band.

    Returns:
        An Altair chart; its title is the unit of the vertical axis.
    """
    import altair as alt

    styles = {"chosen": (PALETTES[theme].good, [1, 0]), "two_stage": (INK, [7, 3]), "constant": (MUTED, [2, 3])}
    chosen = spending.lines[0]
    ends = [bound for line in spending.lines for point in line.points for bound in point[1:]]
    most = max(point[0] for line in spending.lines for point in line.points)
    across = alt.Scale(domain=[0, most or 1.0], nice=False)
    x = alt.X("spend:Q", scale=across, axis=alt.Axis(tickCount=5, grid=False, title=spending.x_title))
    y = alt.Y(
        "gain:Q", scale=alt.Scale(domain=[min(0.0, *ends), max(0.0, *ends)], nice=True), axis=quiet_axis(title=None)
    )
    labels = [line.label for line in spending.lines]
    legend = top_legend(1, layout, symbolType="stroke", symbolStrokeWidth=2.4, symbolSize=420)
    colour = alt.Color(
        "label:N",
        scale=alt.Scale(domain=labels, range=[styles[line.policy][0] for line in spending.lines]),
        legend=legend,
    )
    dash = alt.StrokeDash(
        "label:N",
        scale=alt.Scale(domain=labels, range=[styles[line.policy][1] for line in spending.lines]),
        legend=legend,
    )
    own = chart_of(_points([chosen]))
    layers = [
        own.mark_area(opacity=0.15, color=styles["chosen"][0]).encode(x=x, y="low:Q", y2="high:Q"),
        chart_of([{"gain": 0.0}]).mark_rule(color=MUTED, strokeWidth=1).encode(y=y),
        chart_of(_points(spending.lines)).mark_line(strokeWidth=2.2).encode(x=x, y=y, color=colour, strokeDash=dash),
    ]
    if len(chosen.points) <= _FEW_POINTS:
        layers.append(own.mark_point(size=45, filled=True, opacity=1, color=styles["chosen"][0]).encode(x=x, y=y))
    title = small_title(broken(spending.y_title, layout.characters(layout.width), lines=2), layout)
    return alt.layer(*layers).properties(width=layout.width - _AXIS_WIDTH, height=270, title=title)


def shares_chart(shares: Shares, layout: Layout, theme: str) -> Any:  # noqa: ARG001 - no arm is better or worse
    """One bar for every budget, cut into the shares of its arms.

    Returns:
        An Altair chart without title.
    """
    import altair as alt

    labels = ((None, bar.budget, True) for bar in shares.bars)
    narrow = min(layout.label_width, int(layout.pixels(max(display_width(bar.budget) for bar in shares.bars))) + 12)
    layout = Layout(layout.width, layout.font_size, narrow, 0, layout.fonts)
    placement = Placement.of(labels, layout, gap=10, half_mark=_HALF_BAR)
    canvas = RowCanvas(placement, (0.0, 1.0))
    rows = canvas.rows([{"numbers": ""}] * len(shares.bars))
    shades = _shades(len(shares.arms))
    pieces = [
        piece
        for row, bar in zip(rows, shares.bars, strict=True)
        for piece in _pieces(row["y"], bar.shares, shares.arms, layout)
    ]
    colour = alt.Color(
        "arm:N",
        scale=alt.Scale(domain=list(shares.arms), range=shades),
        legend=top_legend(legend_columns(shares.arms, layout), layout, symbolType="square", symbolSize=140),
    )
    base = chart_of(pieces)
    x = alt.X("from:Q", scale=canvas.across, axis=canvas.axis(format=".0%"), title=shares.x_title)
    return alt.layer(
        base.mark_rect(stroke="white", strokeWidth=1).encode(
            x=x, x2="to:Q", y=alt.Y("top:Q", scale=canvas.down, axis=None), y2="bottom:Q", color=colour
        ),
        base.mark_text(baseline="middle", fontSize=layout.font_size - 1).encode(
            x=alt.X("middle:Q", scale=canvas.across),
            y=alt.Y("y:Q", scale=canvas.down, axis=None),
            text="share:N",
            color=alt.Color("ink:N", scale=None),
        ),
        *canvas.texts(rows),
    ).properties(width=layout.width, height=placement.height)


def _points(lines: Sequence[SpendingLine]) -> list[dict[str, Any]]:
    return [
        {"label": line.label, "spend": spend, "gain": gain, "low": low, "high": high}
        for line in lines
        for spend, gain, low, high in line.points
    ]


def _shades(arms: int) -> list[str]:
    """A shade for every arm, control first, the treatments from pale to dark."""
    steps = [index / max(1, arms - 2) if arms > 2 else 0.7 for index in range(arms - 1)]
    mixed = (
        [round(pale + step * (dark - pale)) for pale, dark in zip(_PALEST, _DARKEST, strict=True)] for step in steps
    )
    return [_CONTROL_SHADE, *(f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in mixed)]


def _pieces(y: float, shares: Sequence[float], arms: Sequence[str], layout: Layout) -> list[Mapping[str, Any]]:
    """The pieces of a bar, each with its share where that fits."""
    pieces: list[Mapping[str, Any]] = []
    start, plot = 0.0, layout.width - layout.label_width - 16
    last_pale = len(arms) // 2 if len(arms) > 2 else 0
    for index, (arm, share) in enumerate(zip(arms, shares, strict=True)):
        text = f"{share:.0%}"
        pieces.append(
            {
                "arm": arm,
                "from": start,
                "to": start + share,
                "middle": start + share / 2,
                "y": y,
                "top": y - _HALF_BAR,
                "bottom": y + _HALF_BAR,
                "share": text if layout.pixels(len(text) + 1) < share * plot else "",
                "ink": INK if index <= last_pale else "white",
            }
        )
        start += share
    return pieces
