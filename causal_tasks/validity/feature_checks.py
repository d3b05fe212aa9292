"""Checks of the features: which of them rules may be made of."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from causal_tasks.experiment import Experiment
from causal_tasks.validity.arms import Arms
from causal_tasks.validity.grading import Check, Code, Thresholds, grade
from causal_tasks.validity.variation import are_distinct_integers, majority_share


@dataclass(frozen=True, slots=True)
class Screening:
    """Which features may be mined.

    Attributes:
        checks: One for each feature left out, one that passes for each reason that met none.
        used: Names of features to mine.
        dropped: Reason by name of the others.
    """

    checks: tuple[Check, ...]
    used: tuple[str, ...]
    dropped: dict[str, Code]


def screen_features(
    users: pd.DataFrame, names: Sequence[str], arms: Arms, experiment: Experiment, thresholds: Thresholds
) -> Screening:
    """Sort out features that cannot or must not carry a rule; the first reason counts.

    Args:
        users: A column for each of ``names``.
        names: Features.
        arms: Of the same rows.
        experiment: Says which features are sensitive and whether arms were drawn at random.
        thresholds: Bounds.
    """
    dropped: dict[str, Check] = {}
    passed: list[Check] = []
    for name in names:
        for check in _examine(name, users[name], arms, experiment, thresholds):
            if check.status != "pass":
                dropped[name] = check
                break
            passed.append(check)
    used = tuple(name for name in names if name not in dropped)
    checks = []
    for code in _REASONS[: None if experiment.randomized else -1]:
        failures = [check for check in dropped.values() if check.code == code]
        checks += failures or [_closest(code, [check for check in passed if check.code == code])]
    checks.append(grade("no_feature_left", len(used), fail=1, lower_is_worse=True))
    return Screening(tuple(checks), used, {name: check.code for name, check in dropped.items()})


_REASONS: tuple[Code, ...] = (
    "sensitive_feature",
    "constant_feature",
    "id_like_feature",
    "high_cardinality",
    "missing_feature_by_arm",
)


def _examine(
    name: str, column: "pd.Series[Any]", arms: Arms, experiment: Experiment, thresholds: Thresholds
) -> Iterator[Check]:
    """The checks of one feature, cheapest first, so that the caller may stop at the first that does not pass."""
    if experiment.features[name].sensitive:
        yield Check("sensitive_feature", "warn", name)
        return
    missing = column.isna().to_numpy()
    known = column[~missing]
    is_text = not pd.api.types.is_numeric_dtype(column.dtype)
    values = (pd.factorize(known)[0] if is_text else known.to_numpy()).astype(np.float64)
    share = max(float(missing.mean()), majority_share(values) * len(known) / len(column))
    yield grade("constant_feature", share, warn=thresholds.constant, subject=name)
    if is_text:
        levels = int(values.max(initial=-1)) + 1
        yield grade("id_like_feature", levels / len(known), warn=thresholds.distinct, subject=name)
        yield grade("high_cardinality", levels, warn=thresholds.levels, subject=name)
    else:
        distinct = float(are_distinct_integers(values))
        yield grade("id_like_feature", distinct, warn=thresholds.distinct, subject=name)
    if experiment.randomized:
        yield _missing_by_arm(name, missing, arms, thresholds)


def _missing_by_arm(name: str, missing: npt.NDArray[np.bool_], arms: Arms, thresholds: Thresholds) -> Check:
    """What is read before exposure cannot be missing because of the treatment."""
    p_values = arms.difference_p_values(missing.astype(np.float64))
    return grade(
        "missing_feature_by_arm",
        min(p_values.values()),
        warn=thresholds.p_value,
        lower_is_worse=True,
        subject=name,
        details={"p_values": p_values, "missing": arms.count(missing)},
    )


def _closest(code: Code, passed: Sequence[Check]) -> Check:
    """One check that passes for all features, with the value that came closest to its bound."""
    values = [check.value for check in passed if check.value is not None]
    if not values:
        return Check(code, "pass")
    value = min(values) if code == "missing_feature_by_arm" else max(values)
    return Check(code, "pass", value=value, threshold=passed[0].threshold)
