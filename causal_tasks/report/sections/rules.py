"""One rule: who it covers, what the treatment does to them, and how far that may be trusted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from causal_tasks.report import numbers
from causal_tasks.report.briefing import Briefing
from causal_tasks.report.sections.effects import ShownEffect, show_effect

STABLE, HARDLY_STABLE = 0.6, 0.4
"""Mean Jaccard index from which a rule reads as stable, and below which as unstable."""

WORTH_TELLING = 0.05
"""Jaccard index from which the overlap of two rules is told."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One rule and what it did on users who had no part in finding it.

    Texts are empty where an older version was silent.

    Attributes:
        identity: Of the rule within the run.
        who: The rule in words.
        treatment: Named where there are several.
        kind: ``positive`` or ``negative``.
        kind_word: The same in words.
        grade: ``confirmed``, ``promising`` or ``not_supported``.
        grade_word: The same in words.
        reasons: Why it is not confirmed.
        share: Of users.
        metric_share: Of the primary metric's total.
        unique: Share of users that no other shown rule covers.
        overlaps: Other shown rules with users in common.
        users: Checked, by arm.
        effect: Inside.
        fcr: Interval of the effect, adjusted for the choice among rules.
        fcr_bounds: The same as numbers.
        shrunken: The effect to expect when it is repeated.
        shrunken_value: The same as a number.
        rest: Effect on everyone else.
        contrast: Inside minus everyone else.
        q_value: Of the contrast.
        stability: Whether the search finds the rule again.
        cuts: Where bootstrap trees cut its features.
        guardrails: Name and effect of each guardrail metric inside.
        sample_ratio: The p-value of the arms' sizes inside.
        targeting: Whether the business can target by its features.
        in_sample: The effect on the users on whom the rule was found, which flatters it.
        sql: The rule as a predicate.
    """

    identity: str
    who: str
    treatment: str | None
    kind: str
    kind_word: str
    grade: str
    grade_word: str
    reasons: str
    share: str
    metric_share: str
    unique: str
    overlaps: tuple[str, ...]
    users: str
    effect: ShownEffect
    fcr: str
    fcr_bounds: tuple[float, float] | None
    shrunken: str
    shrunken_value: float | None
    rest: ShownEffect
    contrast: ShownEffect
    q_value: str
    stability: str
    cuts: tuple[str, ...]
    guardrails: tuple[tuple[str, ShownEffect], ...]
    sample_ratio: str
    targeting: str
    in_sample: ShownEffect | None
    sql: str


def by_treatment(segments: Sequence[Segment]) -> tuple[tuple[str | None, tuple[Segment, ...]], ...]:
    """Segments under the treatment that each speaks of; under None where there is only one treatment."""
    return tuple((treatment, tuple(group)) for treatment, group in groupby(segments, key=lambda s: s.treatment))


def tell_rule(briefing: Briefing, record: Mapping[str, Any], words: Mapping[str, str]) -> Segment:
    """One rule.

    Args:
        briefing: The result and its language.
        record: A subpopulation of the result.
        words: Every shown rule in words, by id.
    """
    text, metric = briefing.text, briefing.primary
    primary = briefing.experiment.primary.name
    effect = record["effect"]
    spread = numbers.half_width(effect["interval"])
    fcr, shrunken, unique = record.get("fcr_interval"), record.get("shrunken"), record.get("unique_share")
    in_sample, sample_ratio = record.get("in_sample"), record.get("sample_ratio_p")
    return Segment(
        identity=record["id"],
        who=record["words"][briefing.language],
        treatment=briefing.named(record["treatment"]),
        kind=record["kind"],
        kind_word=text(f"kind.{record['kind']}"),
        grade=record["grade"],
        grade_word=text(f"grade.{record['grade']}"),
        reasons=text("words.semicolon").join(text(f"reason.{code}") for code in record.get("reasons", ())),
        share=numbers.percent(record["share"]),
        metric_share=_share(record.get("metric_share")),
        unique=_share(unique),
        overlaps=_overlaps(briefing, record.get("overlap", {}), words),
        users=text(
            "segment.users_value",
            control=numbers.count(record["n_control"]),
            treatment=numbers.count(record["n_treatment"]),
        ),
        effect=show_effect(briefing, primary, {**effect, "relative": record["relative"]}),
        fcr=metric.interval(fcr) if fcr else "",
        fcr_bounds=(fcr[0], fcr[1]) if fcr and fcr[0] is not None else None,
        shrunken=metric.difference(shrunken, spread) if shrunken is not None else "",
        shrunken_value=shrunken,
        rest=show_effect(briefing, primary, record["rest"]),
        contrast=show_effect(briefing, primary, record["contrast"]),
        q_value=numbers.probability(record["q_value"]),
        stability=_stability(briefing, record.get("stability")),
        cuts=_cuts(briefing, record.get("stability")),
        guardrails=tuple(
            (briefing.metric_name(guardrail["metric"]), show_effect(briefing, guardrail["metric"], guardrail["effect"]))
            for guardrail in record.get("guardrails", ())
            if guardrail["effect"]
        ),
        sample_ratio="" if sample_ratio is None else numbers.probability(sample_ratio),
        targeting=""
        if "actionable" not in record
        else text(f"segment.{'actionable' if record['actionable'] else 'not_actionable'}"),
        in_sample=show_effect(briefing, primary, in_sample) if in_sample else None,
        sql=record["sql"],
    )


def _share(value: float | None) -> str:
    return "" if value is None else numbers.percent(value)


def _overlaps(briefing: Briefing, overlap: Mapping[str, float], words: Mapping[str, str]) -> tuple[str, ...]:
    """The shown rules that share a notable part of their users with this one."""
    return tuple(
        briefing.text("segment.overlap_with", who=words[other], share=numbers.percent(jaccard, 0))
        for other, jaccard in overlap.items()
        if other in words and jaccard >= WORTH_TELLING
    )


def _stability(briefing: Briefing, stability: Mapping[str, Any] | None) -> str:
    if not stability:
        return ""
    jaccard, seeds = stability["jaccard"], stability["seeds"]
    level = "stable" if jaccard >= STABLE else "unstable" if jaccard < HARDLY_STABLE else "shaky"
    return briefing.text(
        "segment.stability_value" if seeds is None else "segment.stability_value_with_seeds",
        level=briefing.text(f"segment.{level}"),
        jaccard=numbers.percent(jaccard, 0),
        frequency=numbers.percent(stability["frequency"], 0),
        seeds=numbers.percent(seeds, 0),
    )


def _cuts(briefing: Briefing, stability: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Feature, how many trees use it, and first decile, median and last decile of where they cut it."""
    if not stability:
        return ()
    told = []
    for feature, share in stability["features"].items():
        name, used = briefing.covariate_name(feature, None), numbers.percent(share, 0)
        cuts = stability["cuts"].get(feature)
        if cuts is None or None in cuts:
            told.append(briefing.text("segment.feature_used", feature=name, share=used))
            continue
        low, middle, high = (f"{cut:.4g}" for cut in cuts)
        told.append(briefing.text("segment.feature_cut", feature=name, share=used, low=low, middle=middle, high=high))
    return tuple(told)
