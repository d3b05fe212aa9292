"""The forest plot: effects with intervals, one row for each group of users."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from causal_tasks.report.charts.canvas import Layout, chart_of
from causal_tasks.report.line_breaking import broken
from causal_tasks.report.palette import INK, LINE, MUTED, PALETTES, Palette
from causal_tasks.report.sections.forest import Forest, ForestRow

_GAP = 16
"""Pixels between two rows."""


def forest_chart(forest: Forest, layout: Layout, theme: str) -> Any:
    """Effects with intervals, by treatment where there are several.

    Args:
        forest: At least one row.
        layout: Where things go.
        theme: Which colours mean better and worse.

    Returns:
        An Altair chart without title.
    """
    import altair as alt

    placed = _Placed.of(forest.rows, layout, PALETTES[theme])
    low, high = min(0.0, *(row.low for row in forest.rows)), max(0.0, *(row.high for row in forest.rows))
    pad = 0.04 * (high - low)
    plot = [layout.label_width + 8, layout.width - layout.numbers_width - 8]
    scale = alt.Scale(domain=[low - pad, high + pad], range=plot, nice=False)
    axis = alt.Axis(tickCount=5, grid=not layout.is_stacked, gridColor=LINE, gridDash=[1, 3], domain=False, ticks=False)
    # Where texts stand above their intervals, vertical lines would run through them.
    spans = [(row["y"] - 9, row["y"] + 9) for row in placed.rows] if layout.is_stacked else [(0, placed.height)]
    pixels = alt.Scale(domain=[0, placed.height], range=[0, placed.height])
    base = chart_of(placed.rows).encode(color=alt.Color("colour:N", scale=None))
    y = alt.Y("y:Q", scale=pixels, axis=None)
    left = 0 if layout.is_stacked else layout.width - layout.numbers_width

    written = {"align": "left", "baseline": "middle", "fontSize": layout.font_size, "lineBreak": "\n"}
    text = base.mark_text(**written)
    heading = chart_of(placed.headings).mark_text(**written, fontWeight="bold", color=INK)
    headings = [heading.encode(x=alt.value(0), y=alt.Y("y:Q", scale=pixels), text="label:N")] if placed.headings else []
    return alt.layer(
        *(_vertical_line(at, scale, pixels, dash, spans) for at, dash in _references(forest)),
        base.mark_rule(strokeWidth=3, strokeCap="round").encode(
            x=alt.X("low:Q", scale=scale, axis=axis, title=forest.axis), x2="high:Q", y=y
        ),
        base.mark_point(size=90, strokeWidth=2.5, opacity=1).encode(
            x=alt.X("estimate:Q", scale=scale), y=y, fill=alt.Fill("fill:N", scale=None)
        ),
        text.encode(x=alt.value(0), y=alt.Y("label_y:Q", scale=pixels), text="label:N", color=alt.value(INK)),
        text.encode(x=alt.value(left), y=alt.Y("numbers_y:Q", scale=pixels), text="numbers:N"),
        *headings,
    ).properties(width=layout.width, height=placed.height)


@dataclass(slots=True)
class _Placed:
    """Rows and headings with the pixel positions of their middle lines, and the height of all of them."""

    layout: Layout
    palette: Palette
    rows: list[dict[str, Any]] = field(default_factory=list)
    headings: list[dict[str, Any]] = field(default_factory=list)
    top: float = 4.0

    @classmethod
    def of(cls, rows: Iterable[ForestRow], layout: Layout, palette: Palette) -> "_Placed":
        placed = cls(layout, palette)
        for treatment, group in groupby(rows, key=lambda row: row.treatment):
            if treatment:
                placed.add_heading(treatment)
            for row in group:
                placed.add_row(row)
        return placed

    @property
    def height(self) -> float:
        return self.top - _GAP + 8

    def add_heading(self, treatment: str) -> None:
        (line,) = broken(treatment, self.layout.characters(self.layout.width), lines=1)
        height = self.layout.font_size * 1.3
        self.top += _GAP / 2 if self.rows else 0
        self.headings.append({"label": line, "y": self.top + height / 2})
        self.top += height + _GAP / 2

    def add_row(self, row: ForestRow) -> None:
        layout, line = self.layout, self.layout.font_size * 1.3
        label = broken(row.label, layout.characters(layout.label_width or layout.width), lines=4)
        text_height = line * len(label)
        if layout.is_stacked:
            label_top, numbers_y = self.top, self.top + text_height + line / 2
            y = numbers_y + line
            bottom = y + 6
        else:
            bottom = self.top + max(text_height, 26)
            y = numbers_y = (self.top + bottom) / 2
            label_top = y - text_height / 2
        colour = self.palette.of(row.tone)
        self.rows.append(
            {
                "label": "\n".join(label),
                "label_y": label_top + line / 2,
                "numbers": row.numbers,
                "numbers_y": numbers_y,
                "y": y,
                "low": row.low,
                "high": row.high,
                "estimate": row.estimate,
                "colour": colour,
                "fill": colour if row.is_solid else "#ffffff",
            }
        )
        self.top = bottom + _GAP


def _references(forest: Forest) -> list[tuple[float, list[int]]]:
    lines = [(0.0, [1, 0])]
    return lines if forest.reference is None else [(forest.reference, [4, 3]), *lines]


def _vertical_line(at: float, scale: Any, pixels: Any, dash: list[int], spans: Sequence[tuple[float, float]]) -> Any:
    import altair as alt

    mark = chart_of([{"at": at, "top": top, "bottom": bottom} for top, bottom in spans]).mark_rule(
        color=MUTED, strokeWidth=1.3, strokeDash=dash
    )
    return mark.encode(x=alt.X("at:Q", scale=scale), y=alt.Y("top:Q", scale=pixels, axis=None), y2="bottom:Q")
