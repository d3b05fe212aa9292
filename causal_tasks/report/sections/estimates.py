"""How other estimators see the effect on the primary metric, and what each of them saves in users."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from causal_tasks.report import numbers
from causal_tasks.report.briefing import Briefing
from causal_tasks.report.sections.effects import ShownEffect, in_words, method_name, show_effect


@dataclass(frozen=True, slots=True)
class EstimateRow:
    """One estimator's view of one treatment.

    Attributes:
        treatment: Named where there are several.
        method: Name of the estimator.
        is_headline: Whether the report's effect is this one.
        effect: What it estimates.
        variance: Its variance against that of the difference in means on the same users.
        users: How many users a difference in means would need for the same precision.
        notes: What a reader must know of it.
    """

    treatment: str | None
    method: str
    is_headline: bool
    effect: ShownEffect
    variance: str
    users: str
    notes: tuple[str, ...]


def tell_estimates(briefing: Briefing) -> tuple[EstimateRow, ...]:
    """Every estimate of the primary metric's effect, by treatment; nothing where only one was made for each."""
    records = [record for record in briefing.result["effects"] if record["role"] == "primary"]
    rows = [_row(briefing, record, effect) for record in records for effect in record.get("estimates", ())]
    return tuple(rows) if len(rows) > len(records) else ()


def _row(briefing: Briefing, record: Mapping[str, Any], effect: Mapping[str, Any]) -> EstimateRow:
    is_headline = effect["method"] == record["effect"]["method"]
    ratio, users = effect.get("variance_ratio"), effect.get("equivalent_sample")
    return EstimateRow(
        treatment=briefing.named(record["treatment"]),
        method=method_name(briefing, effect["method"]),
        is_headline=is_headline,
        effect=show_effect(briefing, record["metric"], effect),
        variance=numbers.fixed(ratio, 2),
        users=_users(briefing, users, effect["n_control"] + effect["n_treatment"]),
        notes=in_words(briefing, (note for note in effect["notes"] if is_headline or note != "did_headline")),
    )


def _users(briefing: Briefing, equivalent: int | None, analysed: int) -> str:
    """How many users the precision is worth, and how many more than there are."""
    if equivalent is None or not analysed or equivalent == analysed:
        return numbers.count(equivalent)
    more = numbers.percent(equivalent / analysed - 1, 0, signed=True)
    return briefing.text("estimates.users", users=numbers.count(equivalent), more=more)
