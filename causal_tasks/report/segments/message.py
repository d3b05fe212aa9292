"""What the chat group gets to read of creative segments, within the limits of the group robot."""

from collections.abc import Mapping
from typing import Any

from causal_tasks.report.job_message import job_messages
from causal_tasks.report.message import neutral
from causal_tasks.report.segments.content import SegmentsContent, tell_segments
from causal_tasks.report.segments.profiles import Profile
from causal_tasks.rule import Language

_SEGMENTS = 4
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
    return job_messages(content, _own_lines(content), link, updated=updated, picture=picture)


def _own_lines(content: SegmentsContent) -> list[str]:
    text, more = content.text, len(content.profiles) - _SEGMENTS
    return [
        *(_segment(content, profile) for profile in content.profiles[:_SEGMENTS]),
        text("creatives.message.more", more=more) if more > 0 else "",
    ]


def _segment(content: SegmentsContent, profile: Profile) -> str:
    line = content.text(
        "creatives.message.segment", segment=neutral(profile.segment), share=profile.share, word=profile.word
    )
    whom = neutral(profile.whom, _WHOM_CHARACTERS)
    return content.text("words.semicolon").join(filter(None, [line, whom]))
