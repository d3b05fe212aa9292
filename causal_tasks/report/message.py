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
from causal_tasks.report.headline import of_both_kinds
from causal_tasks.report.picture import MAX_BYTES as MAX_PICTURE_BYTES
from causal_tasks.report.sections.checks import Checks
from causal_tasks.report.sections.effects import MetricRow
from causal_tasks.report.sections.rules import Segment, by_treatment
from causal_tasks.report.text import Catalog, catalog
from causal_tasks.rule import Language

MARKDOWN_BYTES = 4096
TEXT_BYTES = 2048
READABLE_CHARACTERS = 1200
"""What a reader of a chat takes in; rules are left to the report where it would be more."""

_SEGMENTS, _SEGMENTS_PER_ARM = 3, 2
_NAME_CHARACTERS, _SENTENCE_CHARACTERS, _HEADLINE_CHARACTERS = 60, 220, 320

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
    text = fit_lines(*_lines(content, link, updated=updated), MARKDOWN_BYTES)
    return payloads(text, picture)


def payloads(text: str, picture: bytes | None) -> list[dict[str, Any]]:
    """A text as a markdown_v2 message and, if there is a picture, an image after it.

    Raises:
        InputError: The picture is larger than the robot takes.
    """
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


def _lines(content: Content, link: str | None, *, updated: bool) -> tuple[list[str], list[str]]:
    """Body and tail, with as many rules as leave room for what comes after them."""
    tail, body = tail_lines(content.text, content.report_id, link), []
    for most in range(_SEGMENTS_PER_ARM if content.several_treatments else _SEGMENTS, 0, -1):
        body = [line for line in _body(content, most, updated=updated) if line]
        is_short = sum(map(len, body)) <= READABLE_CHARACTERS
        if is_short and len("\n".join([*body, *tail]).encode()) <= MARKDOWN_BYTES:
            break
    return body, tail


def _body(content: Content, most: int, *, updated: bool) -> list[str]:
    """The message line by line, with at most so many rules (for each treatment, where there are several)."""
    text = content.text
    shown = content.segments.confirmed if content.code.startswith("found") else ()
    marks = [f"**{content.badge}**", *([text("badge.observational")] if content.is_observational else [])]
    says_who = bool(shown) and content.confirmation is None
    told = {arm: _of_both_kinds(segments, most) for arm, segments in by_treatment(shown)}
    more = len(shown) - sum(map(len, told.values()))
    failed = content.models.brief_failures
    return [
        first_line(text, *marks, title=content.title, updated=updated),
        "" if says_who else neutral(content.headline, _HEADLINE_CHARACTERS),
        *_effects(content, told),
        text("message.more", more=more) if more else "",
        text("message.chance", brief=content.chance.brief) if shown and content.chance else "",
        checks_line(content.text, content.checks),
        text("message.models", failed=failed) if failed else "",
        text("message.next", action=neutral(content.action, 2 * _SENTENCE_CHARACTERS)),
        _follow_up(content),
        text("message.no_picture") if text("notes.picture_left_out") in content.notes else "",
    ]


def _of_both_kinds(segments: Sequence[Segment], most: int) -> list[Segment]:
    positive, negative = (
        [segment for segment in segments if segment.kind == kind] for kind in ("positive", "negative")
    )
    return of_both_kinds(positive, negative, most)


def _effects(content: Content, told: Mapping[str | None, Sequence[Segment]]) -> list[str]:
    """The overall effect and the rules, by treatment where there are several."""
    rows, lines = content.overall.primary, []
    if content.several_treatments:
        lines.append(content.text("message.metric", metric=neutral(rows[0].metric)))
    for row in rows:
        lines.append(_overall(content, row))
        segments = told.get(row.treatment if content.several_treatments else None, ())
        lines += [f"- {_segment(content, segment)}" for segment in segments]
    return lines


def _overall(content: Content, row: MetricRow) -> str:
    """The effect on all users, with the estimator where it is not the usual one."""
    line = content.text(
        "message.overall_arm" if content.several_treatments else "message.overall",
        arm=neutral(row.treatment),
        metric=neutral(row.metric),
        arrow=row.effect.arrow,
        estimate=neutral(row.effect.estimate),
        interval=row.effect.interval,
        word=row.effect.word,
    )
    if not content.overall.method:
        return line
    return content.text("message.method", line=line, method=row.method)


def _segment(content: Content, segment: Segment) -> str:
    return content.text(
        "message.segment",
        arrow=segment.effect.arrow,
        who=neutral(segment.who, 2 * _NAME_CHARACTERS),
        share=segment.share,
        estimate=neutral(segment.effect.estimate),
        interval=segment.effect.interval,
        grade=segment.grade_word,
    )


def first_line(text: Catalog, *marks: str, title: str, updated: bool) -> str:
    """The line that a message begins with: marks of its kind in bold or plain, whether it is an update, its title."""
    return f"{' · '.join(marks)}{text('message.updated') if updated else ''} · {neutral(title)}"


def checks_line(text: Catalog, checks: Checks) -> str:
    """How many checks passed, and the names of those that matter most."""
    passed, warned, failed = (checks.count(status) for status in ("pass", "warn", "fail"))
    if not warned and not failed:
        return text("message.checks_pass", passed=passed)
    names = text("words.comma").join(checks.names("fail") or checks.names("warn"))
    return text("message.checks", passed=passed, warned=warned, failed=failed, names=text("message.names", names=names))


def _follow_up(content: Content) -> str:
    """Users and days of the first follow-up experiment, and how many more there are."""
    if not content.follow_up:
        return ""
    first, *others = content.follow_up
    brief = content.text(
        "follow_up.brief" if first.days else "follow_up.brief_without_days",
        who=neutral(first.who),
        users=first.users,
        days=first.days,
        detectable=neutral(first.detectable),
    )
    line = content.text("message.follow_up", brief=brief)
    return content.text("message.follow_up_more", line=line, more=len(others)) if others else line


def tail_lines(text: Catalog, report_id: str, link: str | None) -> list[str]:
    """The last lines of a message: the link to the report and its id."""
    report = text("message.report", id=report_id)
    if link is None:
        return [report]
    if link.startswith(("https://", "http://")):
        return [f"[{text('message.link')}]({_address(link)}) · {report}"]
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
