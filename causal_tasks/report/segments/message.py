"""What the chat group gets to read of creative segments, within the limits of the group robot."""

from collections.abc import Mapping
from typing import Any

from causal_tasks.report.message import (
    MARKDOWN_BYTES,
    checks_line,
    first_line,
    fit_lines,
    neutral,
    payloads,
    tail_lines,
)
from causal_tasks.report.segments.content import SegmentsContent, tell_segments
from causal_tasks.report.segments.profiles import Profile
from causal_tasks.rule import Language

_SEGMENTS = 4
_SENTENCE_CHARACTERS = 400
_WHOM_CHARACTERS = 120


def segment_messages(
    result: Mapping[str, Any],
    language: Language,
    link: str | None,
    *,
    updated: bool = False,
    picture: bytes | None = None,
) -> list[dict[str, Any]]:
    """The messages that tell creative segments: one markdown_v2 message and, if there is a picture, one image.

    Args:
        result: The content of ``segments.json``.
        language: Of the group.
        link: To the report; None leaves it out.
        updated: Whether an earlier message told another result of the same run.
        picture: PNG.

    Raises:
        InputError: The link leaves no room for text, or the picture is larger than the robot takes.
    """
    content = tell_segments(result, language)
    tail = tail_lines(content.text, content.report_id, link)
    return payloads(fit_lines(_body(content, updated=updated), tail, MARKDOWN_BYTES), picture)


def _body(content: SegmentsContent, *, updated: bool) -> list[str]:
    text = content.text
    more = len(content.profiles) - _SEGMENTS
    lines = [
        first_line(text, f"**{content.badge}**", title=content.title, updated=updated),
        neutral(content.headline, _SENTENCE_CHARACTERS),
        *(_segment(content, profile) for profile in content.profiles[:_SEGMENTS]),
        text("creatives.message.more", more=more) if more > 0 else "",
        checks_line(text, content.checks),
        text("message.next", action=neutral(content.action, _SENTENCE_CHARACTERS)),
        text("message.no_picture") if text("notes.picture_left_out") in content.notes else "",
    ]
    return [line for line in lines if line]


def _segment(content: SegmentsContent, profile: Profile) -> str:
    line = content.text(
        "creatives.message.segment", segment=neutral(profile.segment), share=profile.share, word=profile.word
    )
    whom = neutral(profile.whom, _WHOM_CHARACTERS)
    return content.text("words.semicolon").join(filter(None, [line, whom]))
