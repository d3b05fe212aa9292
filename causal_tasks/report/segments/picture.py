"""The picture of creative segments for the chat: what the assignment brings, and whom each segment speaks to."""

from collections.abc import Mapping
from typing import Any

from causal_tasks.report.charts import strip_chart
from causal_tasks.report.charts.gains import gains_chart
from causal_tasks.report.line_breaking import broken
from causal_tasks.report.picture import Font, chat_layout, png_of, titled
from causal_tasks.report.segments.charts import segments_chart
from causal_tasks.report.segments.content import tell_segments
from causal_tasks.rule import Language

_SEGMENTS, _TERMS = 4, 4


def draw_segments_picture(result: Mapping[str, Any], language: Language, font: Font) -> bytes:
    """The PNG, 1,200 pixels wide; where nothing was learned it shows the checks alone.

    Args:
        result: The content of ``segments.json``.
        language: Of the chat.
        font: With glyphs for it.
    """
    content, layout = tell_segments(result, language), chat_layout(font)
    fits, blocks = layout.characters(layout.width), []
    if content.value:
        gains = content.value.gains
        wide = layout.fitting(bar.numbers for bar in gains.bars)
        blocks.append(titled(gains_chart(gains, wide, content.theme), broken(gains.title, fits, lines=2)))
    known = [profile for profile in content.profiles if profile.coefficients][:_SEGMENTS]
    if known:
        chart = segments_chart(known, _TERMS, layout.fitting(["+0.00"]), content.theme)
        blocks.append(titled(chart, [content.text("creatives.headings.segments")]))
    blocks.append(titled(strip_chart(content.checks, layout), [content.text("picture.checks")]))
    return png_of(blocks, content.headline, f"{content.title} · {content.report_id}", (), font)
