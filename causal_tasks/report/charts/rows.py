"""Charts of one row for each label: where rows go, and the texts at their sides."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from causal_tasks.report.charts.canvas import Layout, chart_of
from causal_tasks.report.line_breaking import broken
from causal_tasks.report.palette import INK, LINE, MUTED


@dataclass(frozen=True, slots=True)
class Place:
    """Where one row goes: its label in lines, and the pixels of the middle lines of label, numbers and mark."""

    label: str
    label_y: float
    numbers_y: float
    y: float


@dataclass(slots=True)
class Placement:
    """Rows and headings from top to bottom.

    Attributes:
        layout: Where things go.
        gap: Pixels between two rows.
        half_mark: Half the height of a mark, in pixels.
        rows: In order.
        headings: Label and pixel of each heading's middle line.
        top: Where the next row would start.
    """

    layout: Layout
    gap: int = 16
    half_mark: float = 5.5
    rows: list[Place] = field(default_factory=list)
    headings: list[dict[str, Any]] = field(default_factory=list)
    top: float = 4.0

    @classmethod
    def of(
        cls,
        labels: Iterable[tuple[str | None, str, bool]],
        layout: Layout,
        *,
        gap: int = 16,
        half_mark: float = 5.5,
    ) -> "Placement":
        """The places of rows.

        Args:
            labels: Heading that a row stands under (None: none), its label, and whether numbers stand beside it.
            layout: Where things go.
            gap: Pixels between two rows.
            half_mark: Half the height of a mark, in pixels.
        """
        placed = cls(layout, gap, half_mark)
        for heading, group in groupby(labels, key=lambda label: label[0]):
            if heading:
                placed._add_heading(heading)
            for _, label, has_numbers in group:
                placed._add_row(label, has_numbers=has_numbers)
        return placed

    @property
    def height(self) -> float:
        """Of all rows, in pixels."""
        return self.top - self.gap + 8

    @property
    def spans(self) -> list[tuple[float, float]]:
        """Where vertical lines run: through everything, or only through marks where texts stand above them."""
        if not self.layout.is_stacked:
            return [(0, self.height)]
        half = self.half_mark + 3
        return [(row.y - half, row.y + half) for row in self.rows]

    def _add_heading(self, heading: str) -> None:
        (line,) = broken(heading, self.layout.characters(self.layout.width), lines=1)
        height = self.layout.font_size * 1.3
        self.top += self.gap / 2 if self.rows else 0
        self.headings.append({"label": line, "y": self.top + height / 2})
        self.top += height + self.gap / 2

    def _add_row(self, text: str, *, has_numbers: bool) -> None:
        layout, line = self.layout, self.layout.font_size * 1.3
        label = broken(text, layout.characters(layout.label_width or layout.width), lines=4)
        text_height = line * len(label)
        if layout.is_stacked:
            label_top, numbers_y = self.top, self.top + text_height + line / 2
            y = self.top + text_height + (line if has_numbers else 0) + 3 + self.half_mark
            bottom = y + self.half_mark
        else:
            bottom = self.top + max(text_height, 26 if self.gap > 8 else 20)
            y = numbers_y = (self.top + bottom) / 2
            label_top = y - text_height / 2
        self.rows.append(Place("\n".join(label), label_top + line / 2, numbers_y, y))
        self.top = bottom + self.gap


@dataclass(frozen=True, slots=True)
class RowCanvas:
    """The scales and texts that charts of rows share.

    Attributes:
        placement: Of the rows.
        domain: Lowest and highest value of the horizontal axis.
    """

    placement: Placement
    domain: tuple[float, float]

    @property
    def layout(self) -> Layout:
        """Where things go."""
        return self.placement.layout

    @property
    def across(self) -> Any:
        """The horizontal scale, between the columns of labels and numbers."""
        import altair as alt

        low, high = self.domain
        pad = 0.04 * (high - low) or 1.0
        plot = [self.layout.label_width + 8, self.layout.width - self.layout.numbers_width - 8]
        return alt.Scale(domain=[low - pad, high + pad], range=plot, nice=False)

    @property
    def down(self) -> Any:
        """The vertical scale, in pixels."""
        import altair as alt

        return alt.Scale(domain=[0, self.placement.height], range=[0, self.placement.height])

    def axis(self, **options: Any) -> Any:
        """The horizontal axis; no grid where it would run through labels."""
        import altair as alt

        return alt.Axis(
            tickCount=5,
            grid=not self.layout.is_stacked,
            gridColor=LINE,
            gridDash=[1, 3],
            domain=False,
            ticks=False,
            **options,
        )

    def rows(self, values: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Data rows with their places."""
        return [
            {"label": place.label, "label_y": place.label_y, "numbers_y": place.numbers_y, "y": place.y, **value}
            for place, value in zip(self.placement.rows, values, strict=True)
        ]

    def vertical_line(self, at: float, dash: Sequence[int] = (1, 0)) -> Any:
        """A line at one value, through every row."""
        import altair as alt

        spots = [{"at": at, "top": top, "bottom": bottom} for top, bottom in self.placement.spans]
        mark = chart_of(spots).mark_rule(color=MUTED, strokeWidth=1.3, strokeDash=list(dash))
        return mark.encode(
            x=alt.X("at:Q", scale=self.across), y=alt.Y("top:Q", scale=self.down, axis=None), y2="bottom:Q"
        )

    def texts(self, rows: Sequence[Mapping[str, Any]], *, colour: str | None = None) -> list[Any]:
        """Labels, the column ``numbers`` in the colour of the field ``colour`` if given, and headings."""
        import altair as alt

        layout = self.layout
        left = 0 if layout.is_stacked else layout.width - layout.numbers_width
        written: dict[str, Any] = {
            "align": "left",
            "baseline": "middle",
            "fontSize": layout.font_size,
            "lineBreak": "\n",
        }
        text = chart_of(rows).mark_text(**written)
        shade = alt.Color(f"{colour}:N", scale=None) if colour else alt.value(INK)
        layers = [
            text.encode(
                x=alt.value(0), y=alt.Y("label_y:Q", scale=self.down, axis=None), text="label:N", color=alt.value(INK)
            ),
            text.encode(
                x=alt.value(left), y=alt.Y("numbers_y:Q", scale=self.down, axis=None), text="numbers:N", color=shade
            ),
        ]
        if self.placement.headings:
            heading = chart_of(self.placement.headings).mark_text(**written, fontWeight="bold", color=INK)
            y = alt.Y("y:Q", scale=self.down, axis=None)
            layers.append(heading.encode(x=alt.value(0), y=y, text="label:N"))
        return layers
