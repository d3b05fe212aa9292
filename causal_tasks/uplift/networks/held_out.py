"""Which rows a network is not trained on, so that they tell when to stop."""

import numpy as np
from numpy.typing import NDArray

from causal_tasks.errors import InputError
from causal_tasks.uplift.training_data import TrainingData

MOST_ROWS = 50_000
"""Held-out rows beyond which a look at them takes longer than it is worth."""


def held_out_rows(data: TrainingData, share: float, *, seed: int) -> NDArray[np.bool_]:
    """Which rows to hold out, shape (n,): about this share of every arm, at most 50,000 in all.

    Clusters are held out as a whole; one with users of several arms counts for the arm of its first user.

    Raises:
        InputError: The held-out rows or the others have nobody with a positive weight in some arm.
    """
    share = min(share, MOST_ROWS / len(data.outcome))
    clusters = np.arange(len(data.arm)) if data.clusters is None else data.clusters
    _, first, group = np.unique(clusters, return_index=True, return_inverse=True)
    arm_of_group = data.arm[first]
    random = np.random.default_rng(seed)
    chosen = np.zeros(len(first), dtype=np.bool_)
    for arm in range(len(data.labels)):
        groups = random.permutation(np.flatnonzero(arm_of_group == arm))
        chosen[groups[: max(1, round(share * len(groups)))]] = True
    held_out: NDArray[np.bool_] = chosen[group]
    _require_all_arms(data, held_out)
    return held_out


def _require_all_arms(data: TrainingData, held_out: NDArray[np.bool_]) -> None:
    counted = np.ones(len(held_out), dtype=np.bool_) if data.weight is None else data.weight > 0
    for part, what in ((held_out, "held out"), (~held_out, "trained on")):
        rows = np.bincount(data.arm[part & counted], minlength=len(data.labels))
        if lacking := [label for label, found in zip(data.labels, rows, strict=True) if not found]:
            raise InputError(
                f"treatment: of the rows that are {what}, none with a positive weight is in the arms {lacking}",
                remedy="use a learner of trees, or pass arms with more rows, of several clusters each",
            )
