"""The report as Markdown: for notebooks, logs and pages that render it."""

from collections.abc import Mapping, Sequence
from typing import Any

from causal_tasks.report.content import Content, tell
from causal_tasks.report.markdown_appendix import appendix
from causal_tasks.report.markdown_writing import effect_text, escaped, fenced, heading, subheading, table
from causal_tasks.report.sections.rules import Segment
from causal_tasks.rule import Language

__all__ = ["escaped", "render_markdown"]


def render_markdown(result: Mapping[str, Any], language: Language) -> str:
    """The report on ``result`` in ``language``, without pictures.

    Args:
        result: The content of ``result.json``.
        language: Of the reader.
    """
    content = tell(result, language)
    text = content.text
    marks = [content.badge, *([text("badge.observational")] if content.is_observational else [])]
    blocks = [
        f"# {escaped(content.headline)}",
        f"{' · '.join(f'**{escaped(mark)}**' for mark in marks)} · {escaped(content.title)} · "
        f"{escaped(content.report_id)}",
        f"**{text('headings.todo')}** {escaped(content.action)}",
        *(f"> {escaped(note)}" for note in content.notes),
        *_confirmation(content),
        *_overall(content),
        *_balance(content),
        *_segments(content),
        *_policies(content),
        *_follow_up(content),
        *_checks(content),
        *_waterfall(content),
        *appendix(content),
        *_facts(content),
    ]
    return "\n\n".join(blocks) + "\n"


def _confirmation(content: Content) -> list[str]:
    text, section = content.text, content.confirmation
    if section is None:
        return []
    facts = {
        text("confirmation.predicted"): effect_text(section.predicted),
        text("confirmation.realised"): effect_text(section.realised),
    }
    return [
        f"## {text('confirmation.title')}",
        f"**{escaped(section.who)}**: {escaped(section.word)}",
        "\n".join(f"- {name}: {escaped(value)}" for name, value in facts.items()),
        f"{escaped(section.meaning)} {escaped(section.source)}",
    ]


def _overall(content: Content) -> list[str]:
    text, section = content.text, content.overall
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
        for row in section.rows
    ]
    shown = table([text(f"columns.{name}") for name in columns], rows)
    sentences = [escaped(sentence) for sentence in (section.method, section.sentence) if sentence]
    return [heading(content, "overall"), *sentences, shown, *map(escaped, (section.note, *section.remarks))]


def _balance(content: Content) -> list[str]:
    text = content.text
    blocks = [heading(content, "comparable")] if content.balance else []
    for section in content.balance:
        blocks += _arm(content, section.treatment)
        blocks.append(f"**{escaped(section.title)}**")
        if section.placebo:
            blocks.append(escaped(f"{section.placebo_sentence} {effect_text(section.placebo)}"))
        blocks += [
            "\n".join(f"- {name}: {escaped(value)}" for name, value in section.facts),
            table([text("columns.covariate"), text("columns.before"), text("columns.after")], section.rows),
            *map(escaped, section.notes),
            escaped(text("balance.caveat")),
        ]
    return blocks


def _segments(content: Content) -> list[str]:
    text, section = content.text, content.segments
    blocks = [heading(content, "segments")]
    if not section.mined:
        return [*blocks, text("segment.not_mined")]
    for found in content.heterogeneity:
        named = f"**{escaped(found.treatment)}** " if found.treatment else ""
        blocks.append(f"{named}{escaped(found.sentence)}")
    if section.nothing_title:
        arms = content.treatments if content.several_treatments else [text("segment.detectable_effect")]
        headings = [text("segment.detectable_share"), *(escaped(arm) for arm in arms)]
        blocks += [
            f"**{escaped(section.nothing_title)}**",
            escaped(section.nothing_text),
            table(headings, section.detectable),
        ]
    if content.chance:
        blocks.append(escaped(content.chance.sentence))
    shown = [_segment(content, segment) for segment in section.shown]
    return [*blocks, *shown, *map(escaped, section.repeats), escaped(section.honest)]


def _segment(content: Content, segment: Segment) -> str:
    text = content.text
    facts = {
        text("segment.effect_inside"): effect_text(segment.effect),
        text("segment.shrunken"): segment.shrunken,
        text("segment.fcr"): segment.fcr,
        text("segment.share"): segment.share,
        text("segment.metric_share", metric=content.overall.primary[0].metric): segment.metric_share,
        text("segment.users"): segment.users,
        text("segment.rest"): effect_text(segment.rest),
        text("segment.contrast"): effect_text(segment.contrast),
        text("segment.q"): segment.q_value,
        **{text("segment.guardrail", metric=name): effect_text(inside) for name, inside in segment.guardrails},
        text("segment.targeting"): segment.targeting,
        text("segment.sample_ratio"): segment.sample_ratio,
        text("segment.stability"): segment.stability,
        text("segment.unique"): segment.unique,
        text("segment.overlap"): text("words.semicolon").join(segment.overlaps),
        text("segment.arm"): segment.treatment or "",
    }
    lines = [f"- {escaped(name)}: {escaped(value)}" for name, value in facts.items() if value]
    if segment.reasons:
        lines.append(f"- {escaped(text('segment.why_not', reasons=segment.reasons))}")
    return "\n".join([f"### {escaped(segment.who)}", "", f"{segment.kind_word} · {segment.grade_word}", "", *lines])


def _policies(content: Content) -> list[str]:
    text = content.text
    columns = [text(f"policy.columns.{name}") for name in ("policy", "share", "vs_none", "vs_all", "vs_random")]
    blocks = [heading(content, "policy")] if content.policies else []
    for section in content.policies:
        blocks += _arm(content, section.treatment)
        blocks += [
            f"**{escaped(section.title)}**",
            escaped(section.axis),
            table(columns, section.rows),
            escaped(section.caption),
        ]
    return blocks


def _follow_up(content: Content) -> list[str]:
    text, plans = content.text, content.follow_up
    if not plans:
        return []
    columns = ("who", "treatment", "users", "days", "effect", "detectable", "refuted")
    shown = [name for name in columns if name != "treatment" or content.several_treatments]
    rows = [[getattr(plan, name) or text("words.dash") for name in shown] for plan in plans]
    blocks = [
        heading(content, "follow_up"),
        escaped(text("follow_up.intro")),
        table([text(f"follow_up.columns.{name}") for name in shown], rows),
        subheading(text("follow_up.statement")),
    ]
    return [*blocks, *(fenced(plan.statement, "json") for plan in plans)]


def _checks(content: Content) -> list[str]:
    lines = []
    for row in content.checks.rows:
        about = f" · {row.subject}" if row.subject else ""
        remedy = f" → {row.remedy}" if row.remedy else ""
        lines.append(f"- **{row.status_word}** {escaped(row.name + about)}: {escaped(row.sentence + remedy)}")
    return [heading(content, "checks"), "\n".join(lines)]


def _waterfall(content: Content) -> list[str]:
    headings = [content.text("columns.step"), *(escaped(arm) for arm in content.waterfall.arms), "Σ"]
    rows = [[row.step, *row.cells] for row in content.waterfall.rows]
    return [heading(content, "waterfall"), escaped(content.waterfall.title), table(headings, rows)]


def _arm(content: Content, treatment: str | None) -> Sequence[str]:
    return [content.text("curve.arm", arm=escaped(treatment))] if treatment else []


def _facts(content: Content) -> list[str]:
    return [
        heading(content, "facts"),
        "\n".join(f"- {name}: {escaped(value)}" for name, value in content.facts.rows),
    ]
