"""The charts, as Altair builds them: fixed layout, direct labels, colour only for better and worse.

Texts are data of the charts, never markup: the renderer escapes them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from causal_tasks.report.content import Content
from causal_tasks.report.line_breaking import broken, display_width
from causal_tasks.report.palette import INK, LINE, MUTED, PALETTES, STATUS_COLOURS
from causal_tasks.report.sections.forest import Forest, ForestRow
from causal_tasks.report.sections.ranking import Curve

PAGE_FONTS = (
    "system-ui, -apple-system, 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', 'WenQuanYi Zen Hei', sans-serif"
)
STATUS_MARKS = {"pass": "✓", "warn": "!", "fail": "✕"}
_HALF_WIDTH = 0.56
"""Width of a half-width character against the font size, with some room."""


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
        """Whether labels stand above their intervals."""
        return self.label_width == 0

    def pixels(self, characters: int) -> float:
        """How wide a text of so many half-width characters is."""
        return characters * self.font_size * _HALF_WIDTH

    def characters(self, pixels: float) -> int:
        """How many half-width characters fit into ``pixels``."""
        return int(pixels / (self.font_size * _HALF_WIDTH))


WIDE = Layout(width=800, font_size=13, label_width=280, numbers_width=205)
NARROW = Layout(width=330, font_size=13)


def forest_chart(forest: Forest, layout: Layout, theme: str) -> Any:
    """Effects with intervals, one row for each group of users.

    Args:
        forest: At least one row.
        layout: Where things go.
        theme: Which colours mean better and worse.

    Returns:
        An Altair chart without title.
    """
    import altair as alt

    rows, height = _placed(forest.rows, layout, theme)
    low, high = min(0.0, *(row.low for row in forest.rows)), max(0.0, *(row.high for row in forest.rows))
    pad = 0.04 * (high - low)
    plot = [layout.label_width + 8, layout.width - layout.numbers_width - 8]
    scale = alt.Scale(domain=[low - pad, high + pad], range=plot, nice=False)
    axis = alt.Axis(tickCount=5, grid=not layout.is_stacked, gridColor=LINE, gridDash=[1, 3], domain=False, ticks=False)
    # Where texts stand above their intervals, vertical lines would run through them.
    spans = [(row["y"] - 9, row["y"] + 9) for row in rows] if layout.is_stacked else [(0, height)]
    pixels = alt.Scale(domain=[0, height], range=[0, height])
    base = _chart(rows).encode(color=alt.Color("colour:N", scale=None))
    y = alt.Y("y:Q", scale=pixels, axis=None)
    left = 0 if layout.is_stacked else layout.width - layout.numbers_width

    text = base.mark_text(align="left", baseline="middle", fontSize=layout.font_size, lineBreak="\n")
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
    ).properties(width=layout.width, height=height)


def curve_chart(curve: Curve, content: Content, layout: Layout) -> Any:
    """Gain per user over the share of users treated, with its band and the random line.

    Returns:
        An Altair chart; its title is the unit of the vertical axis.
    """
    import altair as alt

    colour = PALETTES[content.theme].good
    model = [dict(zip(("share", "gain", "low", "high"), point, strict=True)) for point in curve.points]
    random = [point | {"gain": point["share"] * model[-1]["gain"]} for point in model]
    share = alt.Axis(format=".0%", tickCount=5, grid=False, title=content.text("curve.x"))
    x = alt.X("share:Q", scale=alt.Scale(domain=[0, 1], nice=False), axis=share)
    y = alt.Y("gain:Q", axis=alt.Axis(tickCount=5, gridColor=LINE, gridDash=[1, 3], title=None))
    peak = max((point for point in model if 0.2 <= point["share"] <= 0.8), key=lambda point: point["gain"])
    beneath = random[model.index(peak)]
    side = 1 if peak["gain"] < beneath["gain"] else -1

    def label(point: dict[str, float], key: str, colour: str, side: int) -> Any:
        mark = _chart([point]).mark_text(dy=13 * side, fontSize=layout.font_size, fontWeight="bold", color=colour)
        return mark.encode(x=x, y=y, text=alt.value(content.text(key)))

    return alt.layer(
        _chart(model).mark_area(opacity=0.15, color=colour).encode(x=x, y="low:Q", y2="high:Q"),
        _chart(random).mark_line(color=MUTED, strokeDash=[5, 4], strokeWidth=1.6).encode(x=x, y=y),
        _chart(model).mark_line(color=colour, strokeWidth=2.6).encode(x=x, y=y),
        label(peak, "curve.model", colour, side),
        label(beneath, "curve.random", MUTED, -side),
    ).properties(
        width=layout.width - 62,
        height=260,
        title=alt.TitleParams(
            curve.y_title, anchor="start", fontSize=layout.font_size - 1, fontWeight="normal", color=MUTED
        ),
    )


def strip_chart(content: Content, layout: Layout) -> Any:
    """One light for each check, as many to a line as their names allow.

    Returns:
        An Altair chart without title.
    """
    import altair as alt

    names = [name for name, _ in content.checks.strip]
    columns = max(1, min(4, int(layout.width / (30 + layout.pixels(max(map(display_width, names)))))))
    line, step = 28, layout.width / columns
    spots = [
        {
            "x": 10 + step * (index % columns),
            "label_x": 25 + step * (index % columns),
            "y": 14 + line * (index // columns),
            "name": broken(name, layout.characters(step - 30), lines=1)[0],
            "mark": STATUS_MARKS[status],
            "colour": STATUS_COLOURS[status],
        }
        for index, (name, status) in enumerate(content.checks.strip)
    ]
    height = line * -(-len(spots) // columns)
    across = alt.Scale(domain=[0, layout.width], range=[0, layout.width])
    down = alt.Scale(domain=[0, height], range=[0, height])
    base = _chart(spots).encode(x=alt.X("x:Q", scale=across, axis=None), y=alt.Y("y:Q", scale=down, axis=None))
    size = layout.font_size
    return alt.layer(
        base.mark_circle(size=300, opacity=1).encode(color=alt.Color("colour:N", scale=None)),
        base.mark_text(color="white", fontSize=size, fontWeight="bold").encode(text="mark:N"),
        base.mark_text(align="left", fontSize=size, color=INK).encode(
            x=alt.X("label_x:Q", scale=across), text="name:N"
        ),
    ).properties(width=layout.width, height=height)


def to_svg(chart: Any, layout: Layout, *, padding: int = 4) -> str:
    """The chart as SVG text in the house style: no frame, quiet axes, one font."""
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
    return str(vl_convert.vegalite_to_svg(styled.to_dict(validate=False)))


def _chart(rows: Sequence[Mapping[str, Any]]) -> Any:
    import altair as alt

    return alt.Chart(alt.InlineData(values=[dict(row) for row in rows]))


def _placed(rows: Sequence[ForestRow], layout: Layout, theme: str) -> tuple[list[dict[str, Any]], float]:
    """Rows with pixel positions of their middle lines, and the height of all of them."""
    palette, line, gap = PALETTES[theme], layout.font_size * 1.3, 16
    placed, top = [], 4.0
    for row in rows:
        label = broken(row.label, layout.characters(layout.label_width or layout.width))
        text_height = line * len(label)
        if layout.is_stacked:
            label_top, numbers_y = top, top + text_height + line / 2
            y = numbers_y + line
            bottom = y + 6
        else:
            bottom = top + max(text_height, 26)
            y = numbers_y = (top + bottom) / 2
            label_top = y - text_height / 2
        colour = palette.of(row.tone)
        placed.append(
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
        top = bottom + gap
    return placed, top - gap + 8


def _references(forest: Forest) -> list[tuple[float, list[int]]]:
    lines = [(0.0, [1, 0])]
    return lines if forest.reference is None else [(forest.reference, [4, 3]), *lines]


def _vertical_line(at: float, scale: Any, pixels: Any, dash: list[int], spans: Sequence[tuple[float, float]]) -> Any:
    import altair as alt

    mark = _chart([{"at": at, "top": top, "bottom": bottom} for top, bottom in spans]).mark_rule(
        color=MUTED, strokeWidth=1.3, strokeDash=dash
    )
    return mark.encode(x=alt.X("at:Q", scale=scale), y=alt.Y("top:Q", scale=pixels, axis=None), y2="bottom:Q")
