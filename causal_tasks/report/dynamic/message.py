"""What the chat group gets to read of a feed's day, within the limits of the group robot."""

from collections.abc import Mapping, Sequence
from typing import Any

from causal_tasks.report.dynamic.content import DayContent, tell_day
from causal_tasks.report.job_message import job_messages
from causal_tasks.report.message import neutral
from causal_tasks.rule import Language

_TREATMENTS = 4


def day_messages(
    result: Mapping[str, Any],
    language: Language,
    link: str | None,
    *,
    news: Sequence[str] = (),
    updated: bool = False,
    picture: bytes | None = None,
) -> list[dict[str, Any]]:
    """The messages that tell a feed's day: one markdown_v2 message and, if there is a picture, one image.

    Args:
        result: The content of the day's ``result.json``.
        language: Of the group.
        link: To the report; None leaves it out.
        news: Why the group is told: ``first``, ``verdict_changed``, ``alarm``, ``guard_broken``.
        updated: Whether an earlier message told another result of the same day.
        picture: PNG.

    Raises:
        InputError: The link leaves no room for text, or the picture is larger than the robot takes.
    """
    content = tell_day(result, language)
    return job_messages(content, _own_lines(content, news), link, updated=updated, picture=picture)


def _own_lines(content: DayContent, news: Sequence[str]) -> list[str]:
    text, rows = content.text, content.switching.rows if content.switching.in_use else ()
    why = text("words.semicolon").join(text(f"realtime.news.{code}") for code in news)
    return [
        text("realtime.message.news", why=why) if why else "",
        *(
            text(
                "realtime.message.treatment",
                arm=neutral(arm),
                bucket=neutral(bucket),
                threshold=neutral(threshold),
                share=share,
            )
            for arm, bucket, threshold, share in rows[:_TREATMENTS]
        ),
        text("realtime.message.more", more=len(rows) - _TREATMENTS) if len(rows) > _TREATMENTS else "",
    ]
