"""Checks of the outcomes: alike before the start, there for the same units, varying, and enough of them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from causal_tasks.data.columns import outcome_columns, pre_window_columns
from causal_tasks.experiment import Experiment, Metric
from causal_tasks.thresholds import Thresholds
from causal_tasks.validity.arms import Arms, homogeneity
from causal_tasks.validity.grading import Check, Status, grade
from causal_tasks.validity.metric_values import column_of, values_of
from causal_tasks.validity.variation import is_constant, majority_share


def metric_checks(
    users: pd.DataFrame, profile: Mapping[str, Any], arms: Arms, experiment: Experiment, *, skewed: bool
) -> list[Check]:
    """Coverage, differences before the start, outcomes missing by arm, metrics that do not vary, sizes of arms.

    Whoever was not assigned at random may differ in what is missing; that is not tested.

    Args:
        users: The outcome and pre-window columns of every metric.
        profile: What ``prepare`` saw.
        arms: Of the same rows.
        experiment: Names the metrics and the bounds.
        skewed: Whether a sample ratio did not pass: with a difference before the start, it is no accident.
    """
    bounds, missing = experiment.thresholds, []
    before = [
        _pre_period(users, metric, arms, bounds, skewed=skewed)
        for metric in experiment.metrics
        if experiment.window.pre_days
    ]
    if experiment.randomized:
        missing = _missing_by_arm(users, profile["filled_outcomes"], arms, experiment)
    constant = [check for metric in experiment.metrics for check in _constant(users, metric, arms)]
    return [
        _coverage(users, profile, experiment),
        *before,
        *missing,
        *(constant or [Check("constant_metric", "pass", value=0, threshold=0)]),
        _arm_size(users, arms, experiment.primary, bounds),
    ]


def _coverage(users: pd.DataFrame, profile: Mapping[str, Any], experiment: Experiment) -> Check:
    """Units without a record: where that means zero, few records are normal; where it drops them, they are lost."""
    if experiment.primary.fill == "zero":
        units, fail = int(profile["units_without_metrics"]), None
    else:
        units = int(np.isnan(values_of(users, outcome_columns(experiment.primary))).sum())
        fail = experiment.thresholds.without_outcome
    return grade(
        "metric_coverage",
        units / len(users),
        warn=experiment.thresholds.without_metrics if fail is None else None,
        fail=fail,
        details={"units": units, "when_missing": experiment.primary.fill},
    )


def _pre_period(users: pd.DataFrame, metric: Metric, arms: Arms, thresholds: Thresholds, *, skewed: bool) -> Check:
    p_values = arms.difference_p_values(values_of(users, pre_window_columns(metric)))
    return grade(
        "pre_period",
        min(p_values.values()),
        warn=thresholds.p_value,
        fail=thresholds.p_value if skewed else None,
        lower_is_worse=True,
        subject=metric.name,
        details={"p_values": p_values, "sample_ratio_passed": not skewed},
    )


def _missing_by_arm(
    users: pd.DataFrame, filled: Mapping[str, Mapping[str, int]], arms: Arms, experiment: Experiment
) -> list[Check]:
    """Whether outcomes are missing more often in one arm; for the primary metric that biases the result.

    Args:
        users: Outcomes; what is missing in them is left out.
        filled: Units by metric and arm whose missing value was taken for zero.
        arms: Of the same rows.
        experiment: Names the metrics.
    """
    checks = []
    for metric in experiment.metrics:
        rows = np.isnan(values_of(users, outcome_columns(metric)))
        counts = arms.count(rows)
        if rows.any():
            p_value = min(arms.difference_p_values(rows.astype(np.float64)).values())
        elif not arms.clustered and any(filled.get(metric.name, {}).values()):
            counts = dict(filled[metric.name])
            p_value = homogeneity([counts[arm] for arm in arms.names], [arms.units[arm] for arm in arms.names])
        else:
            continue
        bound = experiment.thresholds.p_value
        checks.append(
            grade(
                "missing_outcome_by_arm",
                p_value,
                warn=bound,
                fail=bound if metric.role == "primary" else None,
                lower_is_worse=True,
                subject=metric.name,
                details={"missing": {arm: count / max(arms.units[arm], 1) for arm, count in counts.items()}},
            )
        )
    differing = [check for check in checks if check.status != "pass"]
    closest = min((check.value or 0.0 for check in checks), default=1.0)
    passed = Check("missing_outcome_by_arm", "pass", value=closest, threshold=experiment.thresholds.p_value)
    return differing or [passed]


def _arm_size(users: pd.DataFrame, arms: Arms, primary: Metric, thresholds: Thresholds) -> Check:
    """Whether every arm has enough units, clusters, and units with another than the commonest outcome to be mined."""
    values = column_of(users, outcome_columns(primary)[0])
    known = ~np.isnan(values)
    units = arms.count(known)
    events = {
        arm: round(units[arm] * (1 - majority_share(values[known & (arms.codes == code)])))
        for code, arm in enumerate(arms.names)
    }
    counts = {"units": (units, thresholds.units_per_arm), "events": (events, thresholds.events_per_arm)}
    if arms.clustered:
        counts["clusters"] = arms.count_independent(known), thresholds.clusters_per_arm
    details = {counted: by_arm for counted, (by_arm, _) in counts.items()}
    checks = []
    for by_arm, bound in counts.values():
        arm = min(by_arm, key=lambda name: by_arm[name])
        checks.append(grade("arm_size", by_arm[arm], warn=bound, lower_is_worse=True, subject=arm, details=details))
    return next((check for check in checks if check.status != "pass"), checks[0])


def _constant(users: pd.DataFrame, metric: Metric, arms: Arms) -> list[Check]:
    values = values_of(users, outcome_columns(metric))
    known = ~np.isnan(values)
    constant = [arm for code, arm in enumerate(arms.names) if is_constant(values[known & (arms.codes == code)])]
    if not constant:
        return []
    status: Status = "fail" if metric.role == "primary" else "warn"
    return [Check("constant_metric", status, metric.name, len(constant), 0, {"arms": constant})]
