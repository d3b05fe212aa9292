"""Remarks on features that stay in use: values nobody declared, and missing values that tell about the outcome."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from causal_tasks.data.columns import outcome_columns
from causal_tasks.experiment import Experiment
from causal_tasks.thresholds import Thresholds
from causal_tasks.validity.arms import Arms, two_sided
from causal_tasks.validity.grading import Check
from causal_tasks.validity.metric_values import Floats, values_of

_MOST_NAMED = 20
_LEAST_MISSING = 0.01


def undeclared_levels(users: pd.DataFrame, names: Sequence[str], experiment: Experiment) -> list[Check]:
    """The features whose values are not all among those that ``features.dictionary`` declares.

    Args:
        users: A column for each of ``names``.
        names: Features.
        experiment: Declares levels; a sensitive feature's values are never named.
    """
    checks = []
    for name in names:
        declared = experiment.features[name].levels
        if declared is None or experiment.features[name].sensitive:
            continue
        found = users[name].value_counts()
        new = {text: int(count) for level, count in found.items() if count and (text := _text(level)) not in declared}
        if new:
            details = {"levels": list(new)[:_MOST_NAMED], "units": sum(new.values())}
            checks.append(Check("schema_drift", "warn", name, len(new), 0, details))
    return checks or [Check("schema_drift", "pass", value=0, threshold=0)]


def informative_missing(users: pd.DataFrame, used: Sequence[str], arms: Arms, experiment: Experiment) -> list[Check]:
    """The features whose value is missing for units with another outcome than the rest, in the control arm.

    Models and rules read a missing value as a value of its own, so nothing has to be added for them.

    Args:
        users: A column for each of ``used``, and the primary outcome.
        used: Features.
        arms: Of the same rows.
        experiment: Names the primary metric and the bounds.
    """
    outcome = values_of(users, outcome_columns(experiment.primary))
    rows = np.flatnonzero((arms.codes == 0) & ~np.isnan(outcome))
    missing = {name: users[name].isna().to_numpy()[rows] for name in used}
    checks = [
        _informative(name, outcome[rows], absent, experiment.thresholds)
        for name, absent in missing.items()
        if _LEAST_MISSING * len(rows) <= absent.sum() <= (1 - _LEAST_MISSING) * len(rows) and len(rows)
    ]
    found = [check for check in checks if check.status != "pass"]
    largest = max((check.value or 0.0 for check in checks), default=0.0)
    bound = experiment.thresholds.informative_missing
    return found or [Check("missing_feature_informative", "pass", value=largest, threshold=bound)]


def _informative(name: str, outcome: Floats, missing: npt.NDArray[np.bool_], thresholds: Thresholds) -> Check:
    difference, p_value = _standardised(outcome[missing], outcome[~missing])
    tells = abs(difference) > thresholds.informative_missing and p_value < thresholds.p_value
    details = {
        "missing": float(missing.mean()),
        "p_value": p_value,
        "direction": "higher" if difference > 0 else "lower",
    }
    bound = thresholds.informative_missing
    return Check("missing_feature_informative", "warn" if tells else "pass", name, abs(difference), bound, details)


def _standardised(first: Floats, second: Floats) -> tuple[float, float]:
    """Difference in means in pooled standard deviations, and its p-value; 0 and 1 where too few values vary."""
    if min(len(first), len(second)) < 2:
        return 0.0, 1.0
    variances = first.var(ddof=1), second.var(ddof=1)
    pooled = float(np.sqrt(sum(variances) / 2))
    if pooled == 0:
        return 0.0, 1.0
    difference = float(first.mean() - second.mean())
    return difference / pooled, two_sided(difference, variances[0] / len(first) + variances[1] / len(second))


def _text(level: Any) -> str:
    """A level as it is declared: whole numbers without a decimal point."""
    if isinstance(level, str):
        return level
    return str(int(level)) if float(level).is_integer() else str(float(level))
