"""Checks of the outcomes: alike before the start, varying after it, and enough of them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from causal_tasks.data.columns import outcome_columns, pre_window_columns
from causal_tasks.experiment import Experiment, Metric
from causal_tasks.validity.arms import Arms, Floats
from causal_tasks.validity.grading import Check, Status, Thresholds, grade
from causal_tasks.validity.variation import is_constant, majority_share


def metric_checks(users: pd.DataFrame, arms: Arms, experiment: Experiment, thresholds: Thresholds) -> list[Check]:
    """Differences before the start, metrics that do not vary.

    Args:
        users: The outcome and pre-window columns of every metric.
        arms: Of the same rows.
        experiment: Names the metrics.
        thresholds: Bounds.
    """
    before = [
        _pre_period(_values(users, pre_window_columns(metric)), metric, arms, thresholds)
        for metric in experiment.metrics
        if experiment.window.pre_days
    ]
    constant = [check for metric in experiment.metrics for check in _constant(users, metric, arms)]
    return [*before, *(constant or [Check("constant_metric", "pass", value=0, threshold=0)])]


def arm_size(users: pd.DataFrame, arms: Arms, primary: Metric, thresholds: Thresholds) -> Check:
    """Whether every arm has enough units, and enough of them with another than the commonest outcome, to be mined."""
    values = _column(users, outcome_columns(primary)[0])
    known = ~np.isnan(values)
    units = arms.count(known)
    events = {
        arm: round(units[arm] * (1 - majority_share(values[known & (arms.codes == code)])))
        for code, arm in enumerate(arms.names)
    }
    details = {"units": units, "events": events}
    smallest, rarest = min(units, key=lambda arm: units[arm]), min(events, key=lambda arm: events[arm])
    if units[smallest] >= thresholds.units_per_arm and events[rarest] < thresholds.events_per_arm:
        value, bound, arm = events[rarest], thresholds.events_per_arm, rarest
    else:
        value, bound, arm = units[smallest], thresholds.units_per_arm, smallest
    return grade("arm_size", value, warn=bound, lower_is_worse=True, subject=arm, details=details)


def _pre_period(values: Floats, metric: Metric, arms: Arms, thresholds: Thresholds) -> Check:
    p_values = arms.difference_p_values(values)
    return grade(
        "pre_period",
        min(p_values.values()),
        warn=thresholds.p_value,
        lower_is_worse=True,
        subject=metric.name,
        details={"p_values": p_values},
    )


def _constant(users: pd.DataFrame, metric: Metric, arms: Arms) -> list[Check]:
    values = _values(users, outcome_columns(metric))
    known = ~np.isnan(values)
    constant = [arm for code, arm in enumerate(arms.names) if is_constant(values[known & (arms.codes == code)])]
    if not constant:
        return []
    status: Status = "fail" if metric.role == "primary" else "warn"
    return [Check("constant_metric", status, metric.name, len(constant), 0, {"arms": constant})]


def _values(users: pd.DataFrame, columns: Sequence[str]) -> Floats:
    """One value per unit of a metric, linearised where it is a ratio, shape (n,)."""
    return _column(users, *columns) if len(columns) == 1 else _linearised(users, *columns)


def _linearised(users: pd.DataFrame, numerator: str, denominator: str) -> Floats:
    """What a unit adds to the numerator beyond the pooled ratio's share of its denominator, shape (n,)."""
    above, below = _column(users, numerator), _column(users, denominator)
    known = ~(np.isnan(above) | np.isnan(below))
    total = below[known].sum()
    if total == 0:
        return np.full(len(users), np.nan)
    linearised: Floats = above - above[known].sum() / total * below
    return linearised


def _column(users: pd.DataFrame, name: str) -> Floats:
    return users[name].to_numpy(dtype=np.float64, na_value=np.nan)
