"""What the chat group gets: payloads of the WeCom group robot, built within its limits.

Names of users' own making are neutralised: in a chat they must neither mention people nor become links or markup.

Source: developer.work.weixin.qq.com, document 99110 (message types and their limits in bytes of UTF-8).
"""

import base64
import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from causal_tasks.errors import InputError
from causal_tasks.report.content import Content, tell
from causal_tasks.report.picture import MAX_BYTES as MAX_PICTURE_BYTES
from causal_tasks.report.sections.effects import MetricRow
from causal_tasks.report.sections.segments import Segment
from causal_tasks.report.text import catalog
from causal_tasks.rule import Language

MARKDOWN_BYTES = 4096
TEXT_BYTES = 2048
_SEGMENTS = 3
_NAME_CHARACTERS, _SENTENCE_CHARACTERS = 60, 220

_LOOKALIKES = str.maketrans(
    {
        "<": "＜",
        ">": "＞",
        "@": "＠",
        "[": "［",
        "]": "］",
        "`": "ˋ",
        "|": "｜",
        "*": "＊",
        "~": "～",
        "\\": "＼",
        "#": "＃",
    }
)
_LINK = re.compile(r"://|www\.", re.IGNORECASE)
_LONE_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")


def result_messages(
    result: Mapping[str, Any],
    language: Language,
    link: str | None,
    *,
    updated: bool = False,
    picture: bytes | None = None,
) -> list[dict[str, Any]]:
    """The messages that tell a result: one markdown_v2 message and, if there is a picture, one image.

    Args:
        result: The content of ``result.json``.
        language: Of the group.
        link: To the report; None leaves it out.
        updated: Whether an earlier message told another result of the same run.
        picture: PNG.

    Raises:
        InputError: The link leaves no room for text, or the picture is larger than the robot takes.
    """
    content = tell(result, language)
    body = [line for line in _body(content, updated=updated) if line]
    text = fit_lines(body, _tail(content, link), MARKDOWN_BYTES)
    messages: list[dict[str, Any]] = [{"msgtype": "markdown_v2", "markdown_v2": {"content": text}}]
    return messages if picture is None else [*messages, _image(picture)]


def failure_message(
    name: str, failures: Mapping[str, Any], language: Language, link: str | None = None
) -> dict[str, Any]:
    """The message that a run failed, as short text.

    Args:
        name: Of the experiment, or its id.
        failures: Records with ``message`` and ``remedy`` by ``stage[/item]``; None where a task left none.
        language: Of the group.
        link: To the run; None leaves it out.

    Raises:
        InputError: The link leaves no room for text.
    """
    text = catalog(language)
    body = [text("message.failure", name=neutral(name))]
    for stage, record in failures.items():
        said, remedy = ("failure_line", "") if record else ("failure_killed", text("message.failure_killed_remedy"))
        if record:
            remedy = record["remedy"]
        message = neutral(record["message"], _SENTENCE_CHARACTERS) if record else ""
        body.append(text(f"message.{said}", stage=neutral(stage), message=message))
        if remedy:
            body.append(text("message.failure_remedy", remedy=neutral(remedy, _SENTENCE_CHARACTERS)))
    tail = [text("message.failure_link", link=_address(link))] if link else []
    return {"msgtype": "text", "text": {"content": fit_lines(body, tail, TEXT_BYTES)}}


def neutral(text: str, longest: int = _NAME_CHARACTERS) -> str:
    """``text`` as one line without anything that a chat would interpret, shortened to ``longest`` characters."""
    plain = " ".join("".join(" " if c.isspace() else c for c in text if c.isspace() or _is_visible(c)).split())
    plain = _LONE_UNDERSCORE.sub("＿", plain.translate(_LOOKALIKES))
    plain = _LINK.sub(lambda match: match[0].replace(":", "：").replace(".", "．"), plain)
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"


def fit_lines(body: Sequence[str], tail: Sequence[str], limit: int) -> str:
    """As many lines of ``body`` as fit before the whole of ``tail``, within ``limit`` bytes of UTF-8.

    A first line that is too long by itself is cut between characters.

    Raises:
        InputError: ``tail`` alone leaves no room.
    """
    ending = "".join(f"\n{line}" for line in tail)
    room = limit - len(ending.encode())
    if room < 200:
        raise InputError(
            f"the link takes {len(ending.encode())} of {limit} bytes", remedy="use a shorter address for the report"
        )
    kept = body[0] if len(body[0].encode()) <= room else _cut(body[0], room)
    for line in body[1:]:
        longer = f"{kept}\n{line}"
        if len(longer.encode()) > room:
            break
        kept = longer
    return kept + ending


def _body(content: Content, *, updated: bool) -> list[str]:
    text = content.text
    shown = content.segments.confirmed if content.code.startswith("found") else ()
    first = f"**{content.badge}**{text('message.updated') if updated else ''} · {neutral(content.title)}"
    segments = [f"- {_segment(content, segment)}" for segment in _told(shown)]
    more = len(shown) - len(segments)
    return [
        first,
        "" if segments else neutral(content.headline, _SENTENCE_CHARACTERS),
        *(_overall(content, row) for row in content.overall.primary),
        *segments,
        text("message.more", more=more) if more else "",
        _checks(content),
        text("message.next", action=neutral(content.action, 2 * _SENTENCE_CHARACTERS)),
        text("message.no_picture") if text("notes.picture_left_out") in content.notes else "",
    ]


def _told(segments: Sequence[Segment]) -> list[Segment]:
    """At most three, and of both kinds where there are both."""
    positive = [segment for segment in segments if segment.kind == "positive"]
    negative = [segment for segment in segments if segment.kind == "negative"]
    harmed = min(len(negative), max(1, _SEGMENTS - len(positive)))
    return [*positive[: _SEGMENTS - harmed], *negative[:harmed]]


def _overall(content: Content, row: MetricRow) -> str:
    return content.text(
        "message.overall_arm" if len(content.treatments) > 1 else "message.overall",
        arm=neutral(row.treatment),
        metric=neutral(row.metric),
        arrow=row.effect.arrow,
        estimate=neutral(row.effect.estimate),
        interval=row.effect.interval,
        word=row.effect.word,
    )


def _segment(content: Content, segment: Segment) -> str:
    who = f"{segment.treatment}: {segment.who}" if segment.treatment else segment.who
    return content.text(
        "message.segment",
        arrow=segment.effect.arrow,
        who=neutral(who, 2 * _NAME_CHARACTERS),
        share=segment.share,
        estimate=neutral(segment.effect.estimate),
        interval=segment.effect.interval,
        grade=segment.grade_word,
    )


def _checks(content: Content) -> str:
    checks, text = content.checks, content.text
    passed, warned, failed = (checks.count(status) for status in ("pass", "warn", "fail"))
    if not warned and not failed:
        return text("message.checks_pass", passed=passed)
    names = text("words.comma").join(checks.names("fail") or checks.names("warn"))
    return text("message.checks", passed=passed, warned=warned, failed=failed, names=text("message.names", names=names))


def _tail(content: Content, link: str | None) -> list[str]:
    report = content.text("message.report", id=content.report_id)
    if link is None:
        return [report]
    if link.startswith(("https://", "http://")):
        return [f"[{content.text('message.link')}]({_address(link)}) · {report}"]
    return [_address(link), report]


def _address(link: str) -> str:
    """The link with everything encoded that would end it early."""
    encoded = {" ": "%20", "(": "%28", ")": "%29", "<": "%3C", ">": "%3E", "\n": "", "\r": ""}
    return "".join(encoded.get(character, character) for character in link)


def _image(picture: bytes) -> dict[str, Any]:
    if len(picture) > MAX_PICTURE_BYTES:
        raise InputError(
            f"the picture has {len(picture)} bytes, the robot takes {MAX_PICTURE_BYTES}",
            remedy="send the message without it",
        )
    digest = hashlib.md5(picture, usedforsecurity=False).hexdigest()
    return {"msgtype": "image", "image": {"base64": base64.b64encode(picture).decode(), "md5": digest}}


def _is_visible(character: str) -> bool:
    """Whether a character shows by itself: no control, direction override, joiner or half of a pair."""
    return unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn"}


def _cut(line: str, room: int) -> str:
    return line.encode()[: room - len("…".encode())].decode(errors="ignore") + "…"
