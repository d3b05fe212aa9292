"""What all charts have in common: where things go, where rows come from, and the house style."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from causal_tasks.report.line_breaking import display_width
from causal_tasks.report.palette import INK, LINE, MUTED

PAGE_FONTS = (
    "system-ui, -apple-system, 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', 'WenQuanYi Zen Hei', sans-serif"
)
_HALF_WIDTH = 0.56
"""Width of a half-width character against the font size, with some room."""

_LEGEND_GAP = 30
"""Pixels between two columns of a legend."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a chart puts things, in pixels.

    Attributes:
        width: Of the whole chart.
        font_size: Of all text.
        label_width: Of a column of labels; 0 puts each label above its interval.
        numbers_width: Of a column of numbers; 0 puts them below the label.
        fonts: Font families, first choice first.
    """

    width: int
    font_size: int
    label_width: int = 0
    numbers_width: int = 0
    fonts: str = PAGE_FONTS

    @property
    def is_stacked(self) -> bool:
        """Whether labels and numbers stand above their intervals."""
        return self.label_width == 0

    def fitting(self, numbers: Iterable[str]) -> "Layout":
        """The same with a column of numbers as wide as the longest of them, at most two fifths of the chart."""
        longest = max(map(display_width, numbers), default=0)
        return replace(self, numbers_width=min(2 * self.width // 5, int(self.pixels(longest)) + 10))

    def pixels(self, characters: int) -> float:
        """How wide a text of so many half-width characters is."""
        return characters * self.font_size * _HALF_WIDTH

    def characters(self, pixels: float) -> int:
        """How many half-width characters fit into ``pixels``."""
        return int(pixels / (self.font_size * _HALF_WIDTH))


WIDE = Layout(width=800, font_size=13, label_width=280)
HALF = Layout(width=440, font_size=13)
TILE = Layout(width=380, font_size=13)
NARROW = Layout(width=330, font_size=13)


def chart_of(rows: Sequence[Mapping[str, Any]]) -> Any:
    """An Altair chart of ``rows``, still without marks."""
    import altair as alt

    return alt.Chart(alt.InlineData(values=[dict(row) for row in rows]))


def quiet_axis(**options: Any) -> Any:
    """An axis of few ticks with dotted grid lines."""
    import altair as alt

    return alt.Axis(tickCount=5, gridColor=LINE, gridDash=[1, 3], **options)


def small_title(text: str | list[str], layout: Layout) -> Any:
    """A title in small quiet letters, such as the unit of a vertical axis."""
    import altair as alt

    return alt.TitleParams(text, anchor="start", fontSize=layout.font_size - 1, fontWeight="normal", color=MUTED)


def top_legend(columns: int, layout: Layout, **symbols: Any) -> Any:
    """Above the chart, without a title."""
    import altair as alt

    return alt.Legend(
        title=None,
        orient="top",
        columns=columns,
        columnPadding=_LEGEND_GAP,
        labelFontSize=layout.font_size,
        labelColor=INK,
        labelLimit=layout.width - _LEGEND_GAP,
        **symbols,
    )


def legend_columns(labels: Sequence[str], layout: Layout) -> int:
    """How many columns of a legend the longest label allows; a reader's font may be wider than the renderer's."""
    room = layout.pixels(max(map(display_width, labels))) + 2 * _LEGEND_GAP
    return max(1, min(len(labels), int(layout.width / room)))


def to_svg(chart: Any, layout: Layout, *, padding: int = 4) -> str:
    """The chart as SVG text in the house style: no frame, quiet axes, one font.

    It is shown as an image, whose alternative text speaks for it: descriptions of single marks would only weigh.
    """
    import vl_convert

    small = layout.font_size - 1
    styled = (
        chart.configure(font=layout.fonts, background="white", padding=padding)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=MUTED,
            titleColor=MUTED,
            labelFontSize=small,
            titleFontSize=small,
            titleFontWeight="normal",
            tickColor=LINE,
            domainColor=LINE,
        )
    )
    drawing = styled.to_dict(validate=False)
    drawing["config"]["aria"] = False
    return str(vl_convert.vegalite_to_svg(drawing))
