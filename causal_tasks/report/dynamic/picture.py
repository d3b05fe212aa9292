"""The picture of a feed's day for the chat: what deciding brings, and what was looked at."""

from collections.abc import Mapping
from typing import Any

from causal_tasks.report.charts import strip_chart
from causal_tasks.report.charts.gains import gains_chart
from causal_tasks.report.dynamic.content import tell_day
from causal_tasks.report.line_breaking import broken
from causal_tasks.report.picture import Font, chat_layout, png_of, titled
from causal_tasks.rule import Language


def draw_day_picture(result: Mapping[str, Any], language: Language, font: Font) -> bytes:
    """The PNG, 1,200 pixels wide.

    Args:
        result: The content of the day's ``result.json``.
        language: Of the chat.
        font: With glyphs for it.
    """
    content, layout = tell_day(result, language), chat_layout(font)
    fits, gains = layout.characters(layout.width), content.value.gains
    wide = layout.fitting(bar.numbers for bar in gains.bars)
    blocks = [titled(gains_chart(gains, wide, content.theme), broken(gains.title, fits, lines=2))]
    blocks.append(titled(strip_chart(content.checks, layout), [content.text("realtime.headings.lights")]))
    return png_of(blocks, content.headline, f"{content.title} · {content.report_id}", (), font)
