"""The picture of an allocation for the chat: what money buys, and who gets what."""

from collections.abc import Mapping
from typing import Any

from causal_tasks.report.allocation.charts import shares_chart, spending_chart
from causal_tasks.report.allocation.content import tell_allocation
from causal_tasks.report.charts import strip_chart
from causal_tasks.report.line_breaking import broken
from causal_tasks.report.picture import Font, chat_layout, png_of, titled
from causal_tasks.rule import Language


def draw_allocation_picture(result: Mapping[str, Any], language: Language, font: Font) -> bytes:
    """The PNG, 1,200 pixels wide; where nothing was allocated it shows the checks alone.

    Args:
        result: The content of ``allocation.json``.
        language: Of the chat.
        font: With glyphs for it.
    """
    content, layout = tell_allocation(result, language), chat_layout(font)
    fits = layout.characters(layout.width)
    blocks = []
    if content.spending and content.shares:
        blocks = [
            titled(
                spending_chart(content.spending, layout, content.theme), broken(content.spending.title, fits, lines=2)
            ),
            titled(shares_chart(content.shares, layout, content.theme), broken(content.shares.title, fits, lines=2)),
        ]
    blocks.append(titled(strip_chart(content.checks, layout), [content.text("picture.checks")]))
    return png_of(blocks, content.headline, f"{content.title} · {content.report_id}", (), font)
