"""The report as Markdown: for notebooks, logs and pages that render it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from causal_tasks.report.content import Content, tell
from causal_tasks.report.sections.effects import ShownEffect
from causal_tasks.report.sections.segments import Segment
from causal_tasks.rule import Language

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|~$])")


def render_markdown(result: Mapping[str, Any], language: Language) -> str:
    """The report on ``result`` in ``language``, without pictures.

    Args:
        result: The content of ``result.json``.
        language: Of the reader.
    """
    content = tell(result, language)
    blocks = [
        f"# {escaped(content.headline)}",
        f"{escaped(content.title)} · {escaped(content.report_id)}",
        f"**{content.text('headings.todo')}** {escaped(content.action)}",
        *(f"> {escaped(note)}" for note in content.notes),
        *_overall(content),
        *_segments(content),
        *_curves(content),
        *_checks(content),
        *_waterfall(content),
        *_models(content),
        *_candidates(content),
        *_sql(content),
        *_facts(content),
    ]
    return "\n\n".join(blocks) + "\n"


def escaped(text: str) -> str:
    """``text`` as one line in which Markdown and HTML mean nothing."""
    line = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", line).replace("://", ":&#47;&#47;").replace("@", "&#64;")


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings)]
    shown = [[escaped(cell) for cell in row] for row in rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [*lines, *shown])


def _effect(effect: ShownEffect) -> str:
    return f"{effect.arrow} {effect.estimate} {effect.interval}"


def _heading(content: Content, key: str) -> str:
    return f"## {content.text(f'headings.{key}')}"


def _overall(content: Content) -> list[str]:
    text = content.text
    columns = ["metric", "treatment", "effect", "interval", "relative", "conclusion", "control_mean", "n"]
    rows = [
        [
            f"{row.metric} ({row.role})",
            row.treatment,
            f"{row.effect.arrow} {row.effect.estimate}",
            row.effect.interval,
            row.effect.relative or text("words.dash"),
            row.effect.word,
            row.control_mean,
            row.n,
        ]
        for row in content.overall.rows
    ]
    table = _table([text(f"columns.{name}") for name in columns], rows)
    return [_heading(content, "overall"), escaped(content.overall.sentence), table]


def _segments(content: Content) -> list[str]:
    text, section = content.text, content.segments
    blocks = [_heading(content, "segments")]
    if not section.mined:
        return [*blocks, text("segment.not_mined")]
    if section.nothing_title:
        arms = content.treatments if len(content.treatments) > 1 else [text("segment.detectable_effect")]
        headings = [text("segment.detectable_share"), *(escaped(arm) for arm in arms)]
        blocks += [
            f"**{escaped(section.nothing_title)}**",
            escaped(section.nothing_text),
            _table(headings, section.detectable),
        ]
    return [*blocks, *(_segment(content, segment) for segment in section.shown), escaped(section.honest)]


def _segment(content: Content, segment: Segment) -> str:
    text = content.text
    facts = {
        "effect_inside": _effect(segment.effect),
        "share": segment.share,
        "users": segment.users,
        "rest": _effect(segment.rest),
        "contrast": _effect(segment.contrast),
        "q": segment.q_value,
    } | ({"arm": segment.treatment} if segment.treatment else {})
    lines = [f"- {text(f'segment.{name}')}: {escaped(value)}" for name, value in facts.items()]
    return "\n".join([f"### {escaped(segment.who)}", "", f"{segment.kind_word} · {segment.grade_word}", "", *lines])


def _curves(content: Content) -> list[str]:
    columns = ["bucket", "n_control", "n_treatment", "mean_control", "mean_treatment", "difference", "interval"]
    blocks = [_heading(content, "curve")] if content.curves else []
    for curve in content.curves:
        blocks += [content.text("curve.arm", arm=escaped(curve.treatment))] if curve.treatment else []
        blocks += [
            f"**{escaped(curve.title)}**",
            escaped(curve.caption),
            _table([content.text(f"columns.{name}") for name in columns], curve.buckets),
        ]
    if content.curves and content.several_treatments:
        blocks.append(escaped(content.text("curve.note")))
    return blocks


def _checks(content: Content) -> list[str]:
    lines = []
    for row in content.checks.rows:
        about = f" · {row.subject}" if row.subject else ""
        remedy = f" → {row.remedy}" if row.remedy else ""
        lines.append(f"- **{row.status_word}** {escaped(row.name + about)}: {escaped(row.sentence + remedy)}")
    return [_heading(content, "checks"), "\n".join(lines)]


def _waterfall(content: Content) -> list[str]:
    headings = [content.text("columns.step"), *(escaped(arm) for arm in content.waterfall.arms), "Σ"]
    rows = [[row.step, *row.cells] for row in content.waterfall.rows]
    return [_heading(content, "waterfall"), escaped(content.waterfall.title), _table(headings, rows)]


def _models(content: Content) -> list[str]:
    """Which entrant won, and what tuning gained."""
    text, section, tuning = content.text, content.models, content.tuning
    columns = ["candidate", "parameters", "auuc", "to_winner", "state"]
    rows = [[row.candidate, row.parameters, row.auuc, row.to_winner, row.state_word] for row in section.board]
    blocks = [_heading(content, "models"), f"**{escaped(section.title)}**", escaped(section.standing)]
    if rows:
        blocks += [_table([text(f"columns.{name}") for name in columns], rows), escaped(text("models.note"))]
    blocks += [escaped(section.failures)]
    if tuning:
        panels = [f"- {escaped(panel.candidate)}: {escaped(panel.title)}" for panel in tuning.panels]
        blocks += [f"### {escaped(tuning.title)}", "\n".join(panels), escaped(tuning.caveat)]
    return [block for block in blocks if block]


def _candidates(content: Content) -> list[str]:
    text, section = content.text, content.models
    columns = ["candidate", "state", "auuc", "spread", "seconds", "memory", "device", "remarks"]
    rows = [
        [
            row.candidate,
            row.state_word,
            " · ".join([row.auuc, *row.by_treatment]),
            " · ".join(row.spread),
            row.seconds,
            row.memory,
            row.device,
            "; ".join(row.remarks),
        ]
        for row in section.candidates
    ]
    failed = [[row.candidate, text("models.failed"), *[text("words.dash")] * 5, row.reason] for row in section.failed]
    blocks = []
    if rows or failed:
        blocks = [
            f"### {text('headings.candidates')}",
            escaped(text("models.discovery")),
            _table([text(f"columns.{name}") for name in columns], rows + failed),
        ]
    untuned = [text("models.tuning_failure", name=row.candidate, reason=row.reason) for row in section.tuning_failed]
    return [*blocks, *map(escaped, untuned), escaped(section.features)]


def _sql(content: Content) -> list[str]:
    if not content.segments.shown:
        return []
    blocks = [_heading(content, "sql")]
    for segment in content.segments.shown:
        blocks += [content.text("curve.arm", arm=escaped(segment.treatment))] if segment.treatment else []
        blocks.append(_fenced(segment.sql))
    return blocks


def _fenced(code: str) -> str:
    """A code block whose fence is longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall(r"`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}sql\n{code}\n{fence}"


def _facts(content: Content) -> list[str]:
    return [
        _heading(content, "facts"),
        "\n".join(f"- {name}: {escaped(value)}" for name, value in content.facts.rows),
    ]
