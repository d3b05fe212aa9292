"""How far a rule may be trusted, decided by machine and before anybody sees it."""

from dataclasses import dataclass
from typing import Literal

from causal_tasks.evaluation.estimate import Estimate
from causal_tasks.subpopulations.evidence import Evidence
from causal_tasks.subpopulations.multiplicity import FALSE_DISCOVERY_RATE

Grade = Literal["confirmed", "promising", "not_supported"]
Validity = Literal["valid", "warning", "invalid"]
Reason = Literal[
    "omnibus",
    "direction",
    "interval",
    "contrast",
    "fcr",
    "users",
    "coverage",
    "stability",
    "guardrail",
    "sample_ratio",
    "invalid",
    "observational",
]
"""Why a rule is not confirmed."""

COVERAGE = (0.03, 0.60)
USERS_PER_ARM = 1000
BINARY_USERS_PER_ARM = 300
BINARY_OUTCOMES_PER_ARM = 50
CLUSTERS_PER_ARM = 20
"""Clusters of an arm below which the errors of cluster sums come out too small."""

STABLE = 0.60
HARDLY_STABLE = 0.40
SAMPLE_RATIO = 0.001

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Case:
    """A rule's claim, with all that speaks for and against it.

    Attributes:
        claimed: +1 for an effect above zero, -1 for one below, in the outcome's own unit.
        evidence: On estimation users.
        q_value: Of the contrast, over all rules examined.
        fcr_interval: Of the effect, adjusted for selection; None where the contrast was not selected.
        effects_differ: Whether the omnibus test says that effects differ between users at all.
        stability: Mean Jaccard index of the rules that bootstrap trees find; None where it was not measured.
        harms: Whether acting on the rule makes a guardrail metric worse among its users.
        sample_ratio_p: Of the arms inside the rule; None where there is nothing to test.
        validity: Verdict on the experiment.
        observational: Whether nobody dealt the arms at random.
    """

    claimed: int
    evidence: Evidence
    q_value: float
    fcr_interval: Interval | None
    effects_differ: bool
    stability: float | None
    harms: bool
    sample_ratio_p: float | None
    validity: Validity
    observational: bool


def grade(case: Case) -> Grade:
    """The grade of a rule.

    ``confirmed`` has no reason against it. ``promising`` needs 95 % intervals of the effect and of the contrast in the
    claimed direction, without any adjustment, and bootstrap trees that find the rule more often than hardly: an effect
    that everybody has makes no group. Everything else is ``not_supported``.
    """
    if not reasons(case):
        return "confirmed"
    hardly_found = case.stability is not None and case.stability < HARDLY_STABLE
    estimates = (case.evidence.effect, case.evidence.contrast)
    leads = not hardly_found and all(_excludes_zero(estimate, case.claimed) for estimate in estimates)
    return "promising" if leads else "not_supported"


def reasons(case: Case) -> tuple[Reason, ...]:
    """Why the rule is not confirmed; empty where it is.

    ``direction`` says that the effect, or its contrast to the rest, goes the other way; ``interval`` that the interval
    of the effect touches zero, or that there is none.
    """
    objections: dict[Reason, bool] = {
        "omnibus": not case.effects_differ,
        "direction": _wrong_direction(case),
        "interval": _touches_zero(case.evidence),
        "contrast": case.evidence.contrast is None or case.q_value > FALSE_DISCOVERY_RATE,
        "fcr": case.fcr_interval is not None and case.fcr_interval[0] <= 0 <= case.fcr_interval[1],
        "users": not _enough_users(case.evidence),
        "coverage": not _covers_some_but_not_all(case.evidence),
        "stability": case.stability is not None and case.stability < STABLE,
        "guardrail": case.harms,
        "sample_ratio": case.sample_ratio_p is not None and case.sample_ratio_p < SAMPLE_RATIO,
        "invalid": case.validity == "invalid",
        "observational": case.observational,
    }
    return tuple(reason for reason, holds in objections.items() if holds)


def eligible(evidence: Evidence) -> bool:
    """Whether a rule covers neither too few nor too many users to be confirmed, whatever its effect."""
    return _enough_users(evidence) and _covers_some_but_not_all(evidence)


def _wrong_direction(case: Case) -> bool:
    estimates = (case.evidence.effect, case.evidence.contrast)
    return any(estimate is not None and case.claimed * estimate.estimate < 0 for estimate in estimates)


def _touches_zero(evidence: Evidence) -> bool:
    return evidence.effect is None or evidence.effect.interval[0] <= 0 <= evidence.effect.interval[1]


def _excludes_zero(estimate: Estimate | None, claimed: int) -> bool:
    """Whether the interval lies in the claimed direction."""
    return estimate is not None and min(claimed * bound for bound in estimate.interval) > 0


def _covers_some_but_not_all(evidence: Evidence) -> bool:
    return COVERAGE[0] <= evidence.share <= COVERAGE[1]


def _enough_users(evidence: Evidence) -> bool:
    if evidence.independent_per_arm < CLUSTERS_PER_ARM:
        return False
    smaller_arm = min(evidence.n_control, evidence.n_treatment)
    if evidence.rarer_outcomes is None:
        return smaller_arm >= USERS_PER_ARM
    return smaller_arm >= BINARY_USERS_PER_ARM and evidence.rarer_outcomes >= BINARY_OUTCOMES_PER_ARM
