"""Checks of who came into which arm, and who was dropped on the way to the analysis."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from causal_tasks.experiment import Experiment
from causal_tasks.validity.arms import Arms, goodness_of_fit, homogeneity, symmetry
from causal_tasks.validity.grading import Check, Thresholds, grade

Steps = Mapping[str, Mapping[str, Any]]


def assignment_checks(
    steps: Sequence[Mapping[str, Any]],
    transitions: Mapping[str, Mapping[str, int]],
    arms: Arms,
    experiment: Experiment,
    thresholds: Thresholds,
) -> list[Check]:
    """Sample ratio, contamination and maturity, the latter two where the data can tell: a dataset cannot.

    Whoever was not assigned at random is not held to expected shares. Units randomised in clusters are not independent,
    so that of the tests on counts of units only the sample ratio is made, on the clusters of analysed units.

    Args:
        steps: The waterfall.
        transitions: Units seen in two arms, by first and second arm.
        arms: Of the analysed units.
        experiment: Names arms and shares.
        thresholds: Bounds.
    """
    by_step = {step["step"]: step for step in steps}
    checks = []
    if experiment.randomized:
        counted = arms.independent_units if arms.clustered else by_step["first_exposure"]["units"]
        checks.append(_sample_ratio(counted, experiment, thresholds, clusters=arms.clustered))
    independent = experiment.randomized and not arms.clustered
    if independent:
        checks.append(_sample_ratio_analysed(by_step, experiment, thresholds))
    if "two_arms" in by_step:
        checks.append(_contamination(by_step, thresholds))
    if independent and "two_arms" in by_step:
        p_value = symmetry(transitions)
        details = {"transitions": transitions}
        checks.append(
            grade("contamination_symmetry", p_value, fail=thresholds.p_value, lower_is_worse=True, details=details)
        )
    if "immature" in by_step:
        checks.append(_maturity(by_step, thresholds))
    return checks


def _sample_ratio(
    counted: Mapping[str, int], experiment: Experiment, thresholds: Thresholds, *, clusters: bool
) -> Check:
    observed = {arm: counted.get(arm, 0) for arm in experiment.arms}
    total = sum(observed.values())
    shares = experiment.expected_shares
    deviation = max(abs(observed[arm] / total - shares[arm]) for arm in experiment.arms)
    return grade(
        "sample_ratio",
        goodness_of_fit(list(observed.values()), [shares[arm] for arm in experiment.arms]),
        warn=thresholds.sample_ratio_warn,
        fail=thresholds.p_value if deviation > thresholds.sample_ratio_deviation else None,
        lower_is_worse=True,
        details={
            "observed": observed,
            "expected": {arm: shares[arm] * total for arm in experiment.arms},
            "deviation": deviation,
            "counted": "clusters" if clusters else "units",
        },
    )


def _sample_ratio_analysed(by_step: Steps, experiment: Experiment, thresholds: Thresholds) -> Check:
    """Dropping that depends on the arm biases, whatever the sample ratio before."""
    p_values, shares = {}, {}
    for reason, (dropped, reached) in _later_drops(by_step):
        counts = [dropped.get(arm, 0) for arm in experiment.arms]
        totals = [reached.get(arm, 0) for arm in experiment.arms]
        p_values[reason] = homogeneity(counts, totals)
        shares[reason] = {
            arm: count / total for arm, count, total in zip(experiment.arms, counts, totals, strict=True) if total
        }
    return grade(
        "sample_ratio_analysed",
        min(p_values.values(), default=1.0),
        fail=thresholds.p_value,
        lower_is_worse=True,
        details={"p_values": p_values, "dropped_shares": shares},
    )


def _later_drops(by_step: Steps) -> Iterator[tuple[str, tuple[Mapping[str, int], Mapping[str, int]]]]:
    """Units dropped and units that might have been, by every reason but contamination, which has a test of its own."""
    for name, step in by_step.items():
        if name not in {"rows", "first_exposure", "two_arms", "analysed"}:
            yield name, (step["dropped"], _reached(step))


def _reached(step: Mapping[str, Any]) -> dict[str, int]:
    kept, dropped = step["units"], step["dropped"]
    return {arm: kept.get(arm, 0) + dropped.get(arm, 0) for arm in kept.keys() | dropped.keys()}


def _dropped_share(by_step: Steps, name: str) -> tuple[float, dict[str, Any]]:
    """The share that a step dropped of those who reached it, and the counts behind it."""
    step = by_step[name]
    dropped, reached = sum(step["dropped"].values()), sum(_reached(step).values())
    return (dropped / reached if reached else 0.0), {"dropped": dict(step["dropped"]), "reached": reached}


def _contamination(by_step: Steps, thresholds: Thresholds) -> Check:
    share, details = _dropped_share(by_step, "two_arms")
    return grade(
        "contamination",
        share,
        warn=thresholds.contamination_warn,
        fail=thresholds.contamination_fail,
        details=details,
    )


def _maturity(by_step: Steps, thresholds: Thresholds) -> Check:
    share, details = _dropped_share(by_step, "immature")
    return grade("maturity", share, warn=thresholds.immature_warn, fail=thresholds.immature_fail, details=details)
