"""The picture for the chat: segments and validity in one PNG, drawn only where its glyphs exist."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from causal_tasks.report.charts import Layout, forest_chart, strip_chart, to_svg
from causal_tasks.report.content import Content
from causal_tasks.report.line_breaking import broken
from causal_tasks.report.palette import INK, MUTED

MAX_BYTES = 2 * 1024 * 1024
"""Largest picture that a WeCom group robot takes."""

_FONT_FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".local/share/fonts")
_SUBTITLE_CHARACTERS = 110
_FAMILIES = {
    "wqy-zenhei.ttc": "WenQuanYi Zen Hei",
    "wqy-microhei.ttc": "WenQuanYi Micro Hei",
    "NotoSansCJK-Regular.ttc": "Noto Sans CJK SC",
    "NotoSansCJKsc-Regular.otf": "Noto Sans CJK SC",
    "SourceHanSansSC-Regular.otf": "Source Han Sans SC",
}


@dataclass(frozen=True, slots=True)
class Font:
    """A font with Chinese glyphs.

    Attributes:
        family: Its name.
        folder: Where its file is.
    """

    family: str
    folder: Path


def find_font(folders: tuple[Path, ...] = _FONT_FOLDERS) -> Font | None:
    """The first known font with Chinese glyphs under ``folders``; None where there is none."""
    for name, family in _FAMILIES.items():
        for folder in folders:
            for path in sorted(folder.rglob(name)):
                return Font(family, path.parent)
    return None


def draw_picture(content: Content, font: Font) -> bytes:
    """The PNG, 1,200 pixels wide.

    Args:
        content: The report in the language of the chat.
        font: With glyphs for it.
    """
    layout = chat_layout(font)
    blocks = [titled(strip_chart(content.checks, layout), [content.text("picture.checks")])]
    forest = content.forest.brief()
    if forest.rows:
        chart = forest_chart(forest, layout.fitting(row.numbers for row in forest.rows), content.theme)
        blocks.insert(0, titled(chart, broken(forest.title, layout.characters(layout.width), lines=2)))
    origin = f"{content.title} · {content.report_id}"
    return png_of(blocks, content.headline, origin, broken(content.forest.legend, _SUBTITLE_CHARACTERS), font)


def chat_layout(font: Font) -> Layout:
    """Where things go in a picture for the chat, drawn at half of its 1,200 pixels."""
    return Layout(width=580, font_size=11, label_width=205, fonts=font.family)


def png_of(blocks: Sequence[Any], headline: str, origin: str, legend: Sequence[str], font: Font) -> bytes:
    """Charts one below the other as PNG, under a headline, what it is about, and the lines of a legend."""
    import altair as alt
    import vl_convert

    vl_convert.register_font_directory(str(font.folder))
    stacked = alt.vconcat(*blocks, spacing=20).resolve_scale(color="independent", strokeDash="independent")
    page = stacked.properties(
        title=alt.TitleParams(
            broken(headline, 70, lines=4),
            subtitle=[*broken(origin, _SUBTITLE_CHARACTERS, lines=1), *legend],
            anchor="start",
            fontSize=16,
            subtitleFontSize=10,
            color=INK,
            subtitleColor=MUTED,
            offset=14,
            subtitlePadding=6,
        )
    )
    svg = to_svg(page, chat_layout(font), padding=10)
    # Several Chinese fonts lack the minus sign and a stray italic one would stand in; all have the en dash.
    return bytes(vl_convert.svg_to_png(svg.replace("\N{MINUS SIGN}", "\N{EN DASH}"), scale=2))


def titled(chart: Any, lines: list[str]) -> Any:
    """A chart of such a picture under its title."""
    import altair as alt

    return chart.properties(title=alt.TitleParams(lines, anchor="start", fontSize=12, color=INK, offset=8))
