"""Checks of the features: which of them rules may be made of."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from causal_tasks.experiment import Experiment
from causal_tasks.validity.arm_prediction import arm_predictable
from causal_tasks.validity.arms import Arms
from causal_tasks.validity.feature_remarks import informative_missing, undeclared_levels
from causal_tasks.validity.grading import Check, Code, grade
from causal_tasks.validity.leakage import copied_outcomes, features_by_arm
from causal_tasks.validity.variation import are_distinct_integers, majority_share


@dataclass(frozen=True, slots=True)
class Screening:
    """Which features may be mined.

    Attributes:
        checks: One for each finding, one that passes for each check that found nothing.
        used: Names of features to mine.
        dropped: Reason by name of the others.
    """

    checks: tuple[Check, ...]
    used: tuple[str, ...]
    dropped: dict[str, Code]


Sieve = Callable[[pd.DataFrame, Sequence[str], Arms, Experiment], Iterator[Check]]
"""Checks single features; a check that does not pass leaves its subject out."""


def screen_features(users: pd.DataFrame, names: Sequence[str], arms: Arms, experiment: Experiment) -> Screening:
    """Sort out features that cannot or must not carry a rule; the first reason counts.

    Args:
        users: A column for each of ``names``, and the outcomes.
        names: Features.
        arms: Of the same rows.
        experiment: Says which features are sensitive, whether arms were drawn at random, and the bounds.
    """
    randomised = experiment.randomized
    sieves: list[Sieve] = [_one_by_one, copied_outcomes, *([features_by_arm] if randomised else [])]
    dropped: dict[str, Check] = {}
    passed: list[Check] = []
    used = tuple(names)
    for sieve in sieves:
        for check in sieve(users, used, arms, experiment):
            if check.status == "pass":
                passed.append(check)
            else:
                dropped[str(check.subject)] = check
        used = tuple(name for name in used if name not in dropped)
    checks = [check for code in (_REASONS if randomised else _ALWAYS) for check in _told(code, dropped, passed)]
    checks += undeclared_levels(users, names, experiment)
    checks += informative_missing(users, used, arms, experiment)
    if randomised:
        checks += arm_predictable(users, used, arms, experiment)
    checks.append(grade("no_feature_left", len(used), fail=1, lower_is_worse=True))
    return Screening(tuple(checks), used, {name: check.code for name, check in dropped.items()})


_ALWAYS: tuple[Code, ...] = (
    "sensitive_feature",
    "constant_feature",
    "id_like_feature",
    "high_cardinality",
    "outcome_copy",
)
_BY_ARM: tuple[Code, ...] = ("missing_feature_by_arm", "feature_differs_by_arm")
_REASONS = (*_ALWAYS, *_BY_ARM)


def _one_by_one(users: pd.DataFrame, names: Sequence[str], arms: Arms, experiment: Experiment) -> Iterator[Check]:
    """Every feature's checks up to the first that does not pass."""
    for name in names:
        for check in _examine(name, users[name], arms, experiment):
            yield check
            if check.status != "pass":
                break


def _examine(name: str, column: "pd.Series[Any]", arms: Arms, experiment: Experiment) -> Iterator[Check]:
    """The checks of one feature, cheapest first, so that the caller may stop at the first that does not pass."""
    if experiment.features[name].sensitive:
        yield Check("sensitive_feature", "warn", name)
        return
    thresholds = experiment.thresholds
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
        yield _missing_by_arm(name, missing, arms, thresholds.p_value)


def _missing_by_arm(name: str, missing: npt.NDArray[np.bool_], arms: Arms, bound: float) -> Check:
    """What is read before exposure cannot be missing because of the treatment."""
    p_values = arms.difference_p_values(missing.astype(np.float64)) if missing.any() else dict.fromkeys(arms.names, 1.0)
    return grade(
        "missing_feature_by_arm",
        min(p_values.values()),
        warn=bound,
        lower_is_worse=True,
        subject=name,
        details={"p_values": p_values, "missing": arms.count(missing)},
    )


def _told(code: Code, dropped: dict[str, Check], passed: Sequence[Check]) -> list[Check]:
    """The findings of a check; else one that passes for all features, with the value that came closest to its bound."""
    if found := [check for check in dropped.values() if check.code == code]:
        return found
    checks = [check for check in passed if check.code == code and check.value is not None]
    if not checks:
        return [Check(code, "pass")]
    values = [check.value for check in checks if check.value is not None]
    return [Check(code, "pass", value=min(values) if code in _BY_ARM else max(values), threshold=checks[0].threshold)]
