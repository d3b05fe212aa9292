"""The sample ratio: whether arms have the sizes that the design promised, and if not, where they part."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from causal_tasks.experiment import Experiment
from causal_tasks.thresholds import Thresholds
from causal_tasks.validity.arms import Arms, goodness_of_fit
from causal_tasks.validity.grading import Check, grade

_MOST_LEVELS = 50
_FEWEST_EXPECTED = 5
"""Expected units of an arm from which on Pearson's test of a level holds."""
_MOST_NAMED = 5

DAY = "start"
"""Column of the day of first exposure."""


def sample_ratio(
    counted: Mapping[str, int], experiment: Experiment, thresholds: Thresholds, *, clusters: bool
) -> Check:
    """Whether counts by arm are those of the design.

    Args:
        counted: Units, or clusters where those were randomised, by arm.
        experiment: Names arms and shares.
        thresholds: Bounds.
        clusters: Whether clusters were counted.
    """
    observed = {arm: counted.get(arm, 0) for arm in experiment.arms}
    total = sum(observed.values())
    shares = experiment.expected_shares
    deviation = max(abs(observed[arm] / total - shares[arm]) for arm in experiment.arms)
    return grade(
        "sample_ratio",
        goodness_of_fit(list(observed.values()), list(_shares(experiment))),
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


def locate(
    users: pd.DataFrame, features: Sequence[str], arms: Arms, experiment: Experiment, thresholds: Thresholds
) -> list[dict[str, Any]]:
    """The days of exposure and levels of features at which the shares of arms part from the design, worst first.

    Every day and every level of a feature with at most 50 is tested, and its p-value multiplied by the number of tests.

    Args:
        users: Analysed units: the features, and ``start`` where it is known.
        features: Names of features.
        arms: Of the same rows.
        experiment: Names arms and shares, and says which features are sensitive.
        thresholds: ``sample_ratio_warn`` decides what is named.

    Returns:
        At most five of ``{"feature", "level", "observed": {arm: units}, "p_value", "p_rest"}``: ``feature`` is null for
        a day, ``level`` is null for a missing value, ``p_rest`` is the p-value of all other units. Where that is large,
        the place explains the whole deviation.
    """
    names = [name for name in features if not experiment.features[name].sensitive]
    shares = _shares(experiment)
    total = np.bincount(arms.codes, minlength=len(arms.names))
    found = []
    for name in [*([DAY] if DAY in users else []), *names]:
        for level, counts in _counts_by_level(users[name], arms):
            if counts.sum() * shares.min() >= _FEWEST_EXPECTED:
                found.append((goodness_of_fit(counts.tolist(), shares.tolist()), name, level, counts))
    found.sort(key=lambda place: place[:2])
    return [
        {
            "feature": None if name == DAY else name,
            "level": level,
            "observed": dict(zip(arms.names, counts.tolist(), strict=True)),
            "p_value": p_value * len(found),
            "p_rest": goodness_of_fit((total - counts).tolist(), shares.tolist()) if (total > counts).any() else 1.0,
        }
        for p_value, name, level, counts in found[:_MOST_NAMED]
        if p_value * len(found) < thresholds.sample_ratio_warn
    ]


def _shares(experiment: Experiment) -> npt.NDArray[np.float64]:
    return np.array([experiment.expected_shares[arm] for arm in experiment.arms])


def _counts_by_level(column: "pd.Series[Any]", arms: Arms) -> Iterator[tuple[str | None, npt.NDArray[np.int64]]]:
    """Units by arm for each level, of a column with few levels: text, days, or 8-bit integers such as booleans."""
    if pd.api.types.is_numeric_dtype(column.dtype) and column.dtype != np.int8:
        return
    codes, levels = pd.factorize(column, sort=False, use_na_sentinel=True)
    if not 1 < len(levels) <= (len(column) if column.name == DAY else _MOST_LEVELS):
        return
    width = len(arms.names)
    # A missing value has code -1: it becomes the first row of the table.
    table = np.bincount((codes + 1) * width + arms.codes, minlength=(len(levels) + 1) * width).reshape(-1, width)
    for level, counts in zip([None, *map(str, levels)], table, strict=True):
        if counts.any():
            yield level, counts
