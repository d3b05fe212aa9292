"""Checks of who came into which arm, when and beside what else, and who was dropped on the way to the analysis."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from causal_tasks.experiment import Experiment
from causal_tasks.thresholds import Thresholds
from causal_tasks.validity.arms import Arms, homogeneity, symmetry
from causal_tasks.validity.grading import Check, grade
from causal_tasks.validity.sample_ratio import locate, sample_ratio

Steps = Mapping[str, Mapping[str, Any]]


def assignment_checks(
    steps: Sequence[Mapping[str, Any]],
    profile: Mapping[str, Any],
    users: pd.DataFrame,
    arms: Arms,
    experiment: Experiment,
) -> list[Check]:
    """Sample ratio, contamination, maturity, other experiments, the day of exposure: all that the data can tell.

    A dataset tells only the sample ratio. Whoever was not assigned at random is not held to expected shares. Units
    randomised in clusters are not independent, so that of the tests on counts of units only the sample ratio is made,
    on the clusters of analysed units.

    Args:
        steps: The waterfall.
        profile: What ``prepare`` saw.
        users: Analysed units, to find out where a sample ratio parts.
        arms: Of the same rows.
        experiment: Names arms, shares and bounds.
    """
    by_step, bounds = {step["step"]: step for step in steps}, experiment.thresholds
    checks = []
    if experiment.randomized:
        counted = arms.independent_units if arms.clustered else by_step["first_exposure"]["units"]
        ratio = sample_ratio(counted, experiment, bounds, clusters=arms.clustered)
        if ratio.status != "pass" and not arms.clustered:
            where = locate(users, list(profile["features"]), arms, experiment, bounds)
            ratio = replace(ratio, details={**ratio.details, "where": where})
        checks.append(ratio)
    independent = experiment.randomized and not arms.clustered
    if independent:
        checks.append(_sample_ratio_analysed(by_step, experiment, bounds))
    if "two_arms" in by_step:
        checks.append(_contamination(by_step, bounds))
    if independent and "two_arms" in by_step:
        checks.append(_symmetry(profile["transitions"], bounds))
    if "immature" in by_step:
        checks.append(_maturity(by_step, bounds))
    if independent and profile["other_experiments"] is not None:
        checks.append(_other_experiments(profile["other_experiments"], by_step["two_arms"]["units"], bounds))
    if profile["exposure_day_elapsed"] is not None:
        checks.append(_exposure_day(profile["exposure_day_elapsed"], experiment))
    return checks


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


def _symmetry(transitions: Mapping[str, Mapping[str, int]], thresholds: Thresholds) -> Check:
    return grade(
        "contamination_symmetry",
        symmetry(transitions),
        fail=thresholds.p_value,
        lower_is_worse=True,
        details={"transitions": transitions},
    )


def _maturity(by_step: Steps, thresholds: Thresholds) -> Check:
    share, details = _dropped_share(by_step, "immature")
    return grade("maturity", share, warn=thresholds.immature_warn, fail=thresholds.immature_fail, details=details)


def _other_experiments(
    others: Mapping[str, Mapping[str, int]], reached: Mapping[str, int], thresholds: Thresholds
) -> Check:
    """Who is in another experiment must not depend on our arm; p-values are multiplied by the number of experiments."""
    arms, total = list(reached), sum(reached.values())
    shared = {
        name: units for name, units in others.items() if sum(units.values()) >= thresholds.other_experiment * total
    }
    totals = [reached[arm] for arm in arms]
    p_values = {
        name: min(1.0, homogeneity([units.get(arm, 0) for arm in arms], totals) * len(shared))
        for name, units in shared.items()
    }
    worst = min(p_values, key=lambda name: p_values[name], default=None)
    found = p_values[worst] if worst else 1.0
    return grade(
        "overlapping_experiments",
        found,
        warn=thresholds.p_value,
        lower_is_worse=True,
        subject=worst if found < thresholds.p_value else None,
        details={
            "shares": {
                name: {arm: units.get(arm, 0) / reached[arm] for arm in arms if reached[arm]}
                for name, units in shared.items()
            },
            "p_values": p_values,
        },
    )


def _exposure_day(elapsed: float, experiment: Experiment) -> Check:
    """With ``first_day: exposure`` the window begins at midnight, before most units were exposed."""
    window = experiment.window
    before = elapsed / window.days if window.first_day == "exposure" else 0.0
    return grade(
        "exposure_day_counts",
        before,
        warn=experiment.thresholds.before_exposure,
        details={"hours": 24 * elapsed, "first_day": window.first_day, "days": window.days},
    )
