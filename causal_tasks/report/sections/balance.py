"""Observational comparisons: whether matching made the arms comparable in what is known of their users."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from causal_tasks.report import numbers
from causal_tasks.report.briefing import Briefing
from causal_tasks.report.caveats import BALANCED
from causal_tasks.report.sections.effects import ShownEffect, in_words, show_effect
from causal_tasks.report.tone import tone_of

MOST_DRAWN = 20
"""Covariates in the picture; the table has all."""

_TOLD = frozenset({"unbalanced", "placebo_failed"})
"""Notes of a matching that title and placebo tell already."""


@dataclass(frozen=True, slots=True)
class CovariatePoint:
    """One covariate in the picture: absolute standardised differences before and after matching."""

    label: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class OverlapBin:
    """Users of both arms whose propensity lies between two edges, as shares of their arm."""

    low: float
    high: float
    treatment: float
    control: float
    is_trimmed: bool


@dataclass(frozen=True, slots=True)
class Balance:
    """How comparable the arms of one treatment are.

    Attributes:
        treatment: Named where there are several.
        title: Whether matching balanced the arms.
        is_balanced: The same as a flag.
        placebo_sentence: What matching makes of the pre-window, in which no effect can be; empty without one.
        placebo: The same as an effect.
        facts: Name and value of each count.
        points: Worst before first, at most ``MOST_DRAWN``.
        rows: Every covariate: name, difference before, difference after.
        overlap: Propensities of both arms.
        overlap_bounds: Propensities between which users are compared.
        x_title: Of the axis of differences.
        overlap_title: Of the overlap.
        overlap_x: Of its horizontal axis.
        notes: What else a reader must know of the matching.
        arms: Names of treatment and control in the overlap.
    """

    treatment: str | None
    title: str
    is_balanced: bool
    placebo_sentence: str
    placebo: ShownEffect | None
    facts: tuple[tuple[str, str], ...]
    points: tuple[CovariatePoint, ...]
    rows: tuple[tuple[str, str, str], ...]
    overlap: tuple[OverlapBin, ...]
    overlap_bounds: tuple[float, float]
    x_title: str
    overlap_title: str
    overlap_x: str
    notes: tuple[str, ...]
    arms: tuple[str, str]


def tell_balance(briefing: Briefing) -> tuple[Balance, ...]:
    """The balance of each treatment with control; empty in a randomised experiment."""
    found = briefing.result["balance"] or {}
    return tuple(_balance(briefing, treatment, record) for treatment, record in found.items())


def _balance(briefing: Briefing, treatment: str, record: Mapping[str, Any]) -> Balance:
    text, worst = briefing.text, record["worst_after"]
    apart = sum(abs(row["after"]) >= BALANCED for row in record["covariates"])
    placebo = record["placebo"]
    trimmed = record["trimmed"]
    least = briefing.experiment.thresholds.propensity
    bounds = (least, 1 - least)
    return Balance(
        treatment=briefing.named(treatment),
        title=text(
            "balance.unbalanced" if apart else "balance.balanced",
            apart=apart,
            covariates=len(record["covariates"]),
            worst=numbers.fixed(worst, 2),
        ),
        is_balanced=not apart,
        placebo_sentence=_placebo(briefing, placebo),
        placebo=show_effect(briefing, briefing.experiment.primary.name, placebo) if placebo else None,
        facts=_facts(briefing, record),
        points=tuple(
            CovariatePoint(briefing.covariate_name(row["feature"], row["level"]), abs(row["before"]), abs(row["after"]))
            for row in record["covariates"][:MOST_DRAWN]
        ),
        rows=tuple(
            (
                briefing.covariate_name(row["feature"], row["level"]),
                numbers.fixed(row["before"], 3, signed=True),
                numbers.fixed(row["after"], 3, signed=True),
            )
            for row in record["covariates"]
        ),
        overlap=_overlap(record["overlap"], bounds),
        overlap_bounds=bounds,
        x_title=text("balance.x"),
        overlap_title=text("balance.overlap", share=numbers.percent(trimmed["share"])),
        overlap_x=text("balance.overlap_x"),
        notes=in_words(briefing, (note for note in record.get("notes", ()) if note not in _TOLD)),
        arms=(treatment, briefing.experiment.control),
    )


def _placebo(briefing: Briefing, placebo: Mapping[str, Any] | None) -> str:
    """What the same matching finds in the pre-window."""
    if placebo is None:
        return ""
    primary = briefing.experiment.primary.name
    passed = tone_of(placebo["interval"], 1) == "unclear"
    return briefing.text(
        "balance.placebo_passed" if passed else "balance.placebo_failed", metric=briefing.metric_name(primary)
    )


def _facts(briefing: Briefing, record: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    trimmed, text = record["trimmed"], briefing.text
    values = {
        "treatment": text(
            "balance.of", part=numbers.count(record["matched_treatment"]), all=numbers.count(record["n_treatment"])
        ),
        "control": text(
            "balance.of", part=numbers.count(record["matched_control"]), all=numbers.count(record["n_control"])
        ),
        "effective": numbers.count(record["effective_control"]),
        "trimmed": text(
            "balance.trimmed_value",
            treatment=numbers.count(trimmed["treatment"]),
            control=numbers.count(trimmed["control"]),
            share=numbers.percent(trimmed["share"]),
        ),
        "buckets": numbers.count(record["buckets"]) if record.get("buckets") else None,
    }
    return tuple((text(f"balance.{name}"), value) for name, value in values.items() if value is not None)


def _overlap(record: Mapping[str, Any], bounds: tuple[float, float]) -> tuple[OverlapBin, ...]:
    edges, sides = record["edges"], (record["treatment"], record["control"])
    totals = [max(1, sum(counts)) for counts in sides]
    low, high = bounds
    return tuple(
        OverlapBin(
            low=left,
            high=right,
            treatment=sides[0][position] / totals[0],
            control=sides[1][position] / totals[1],
            is_trimmed=right <= low or left >= high,
        )
        for position, (left, right) in enumerate(pairwise(edges))
    )
