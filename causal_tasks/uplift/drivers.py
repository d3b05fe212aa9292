"""Which features drive the predicted effects: how far predictions move when a feature is shuffled among users."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from causal_tasks.errors import InputError
from causal_tasks.evaluation.estimate import Estimate


@dataclass(frozen=True, slots=True)
class Driver:
    """What one feature contributes to the predicted effects of one treatment.

    Attributes:
        feature: Column name.
        importance: Share of the variance of the predictions that is lost with the feature, alone and together with
            others: 0 for one that is not used, 1 for one that decides everything.
    """

    feature: str
    importance: Estimate


def drivers(learners: Sequence[Any], X: pd.DataFrame, *, seed: int = 0) -> dict[Any, list[Driver]]:
    """Features by how much they drive the mean prediction of some fitted learners, strongest first.

    Args:
        learners: Fitted uplift learners of the same arms; their predictions are averaged.
        X: Shape (n, p), users whom none of them has learned from.
        seed: Of the shuffling.

    Returns:
        By treatment, one driver for each column of ``X``. Intervals tell how far another sample of users would differ;
        the models are taken as they are.

    Raises:
        InputError: There are fewer than two users.

    Source: Jansen (1999), total sensitivity index, E (f(x) - f(x'))^2 / 2 Var f(x) with x' shuffled in one feature.
    """
    if len(X) < 2:
        raise InputError(f"X has {len(X)} rows", remedy="pass at least two users")
    random = np.random.default_rng(seed)
    treatments = list(learners[0].treatments_)
    predicted = _mean_prediction(learners, X)
    variance = predicted.var(axis=0)
    found: dict[Any, list[Driver]] = {treatment: [] for treatment in treatments}
    for feature in X.columns:
        shuffled = X.copy(deep=False)
        shuffled[feature] = X[feature].array.take(random.permutation(len(X)))
        moved = (_mean_prediction(learners, shuffled) - predicted) ** 2
        for column, treatment in enumerate(treatments):
            found[treatment].append(Driver(str(feature), _share(moved[:, column], variance[column])))
    return {treatment: sorted(rows, key=lambda row: -row.importance.estimate) for treatment, rows in found.items()}


def _share(moved: Any, variance: float) -> Estimate:
    if variance == 0:
        return Estimate.of(0.0, 0.0)
    indices = moved / (2 * variance)
    return Estimate.of(float(indices.mean()), float(indices.std(ddof=1) / np.sqrt(len(indices))))


def _mean_prediction(learners: Sequence[Any], X: pd.DataFrame) -> Any:
    """Shape (n, K), float64."""
    total = sum(learner.predict(X).reshape(len(X), -1).astype(np.float64) for learner in learners)
    return total / len(learners)
