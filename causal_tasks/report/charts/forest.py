"""The forest plot: effects with intervals, one row for each group of users."""

from typing import Any

from causal_tasks.report.charts.canvas import Layout, chart_of
from causal_tasks.report.charts.rows import Placement, RowCanvas
from causal_tasks.report.palette import PALETTES
from causal_tasks.report.sections.forest import Forest, ForestRow


def forest_chart(forest: Forest, layout: Layout, theme: str) -> Any:
    """Effects with intervals, by treatment where there are several.

    A thin line is the interval adjusted for the choice among rules, a diamond the shrunken effect.

    Args:
        forest: At least one row.
        layout: Where things go.
        theme: Which colours mean better and worse.

    Returns:
        An Altair chart without title.
    """
    import altair as alt

    bounds = [bound for row in forest.rows for bound in _bounds(row)]
    placement = Placement.of(((row.treatment, row.label, True) for row in forest.rows), layout)
    canvas = RowCanvas(placement, (min(0.0, *bounds), max(0.0, *bounds)))
    rows = canvas.rows([_values(row, PALETTES[theme].of(row.tone)) for row in forest.rows])
    base = chart_of(rows).encode(color=alt.Color("colour:N", scale=None))
    scale, y = canvas.across, alt.Y("y:Q", scale=canvas.down, axis=None)
    references = [] if forest.reference is None else [canvas.vertical_line(forest.reference, (4, 3))]
    adjusted = chart_of([row for row in rows if row["thin_low"] is not None])
    shrunken = chart_of([row for row in rows if row["shrunken"] is not None])
    return alt.layer(
        *references,
        canvas.vertical_line(0.0),
        *(
            [
                adjusted.mark_rule(strokeWidth=1.2).encode(
                    x=alt.X("thin_low:Q", scale=scale), x2="thin_high:Q", y=y, color=alt.Color("colour:N", scale=None)
                )
            ]
            if adjusted.data.values
            else []
        ),
        base.mark_rule(strokeWidth=3, strokeCap="round").encode(
            x=alt.X("low:Q", scale=scale, axis=canvas.axis(), title=forest.axis), x2="high:Q", y=y
        ),
        base.mark_point(size=90, strokeWidth=2.5, opacity=1).encode(
            x=alt.X("estimate:Q", scale=scale), y=y, fill=alt.Fill("fill:N", scale=None)
        ),
        *(
            [
                shrunken.mark_point(shape="diamond", size=46, strokeWidth=1.2, fill="white", opacity=1).encode(
                    x=alt.X("shrunken:Q", scale=scale), y=y, stroke=alt.Stroke("colour:N", scale=None)
                )
            ]
            if shrunken.data.values
            else []
        ),
        *canvas.texts(rows, colour="colour"),
    ).properties(width=layout.width, height=placement.height)


def _bounds(row: ForestRow) -> tuple[float, ...]:
    return (row.low, row.high, *(row.adjusted or ()), *(() if row.shrunken is None else (row.shrunken,)))


def _values(row: ForestRow, colour: str) -> dict[str, Any]:
    thin_low, thin_high = row.adjusted or (None, None)
    return {
        "numbers": row.numbers,
        "low": row.low,
        "high": row.high,
        "thin_low": thin_low,
        "thin_high": thin_high,
        "estimate": row.estimate,
        "shrunken": row.shrunken,
        "colour": colour,
        "fill": colour if row.is_solid else "#ffffff",
    }
