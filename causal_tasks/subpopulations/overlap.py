"""Whom rules share: two names for the same users are one finding."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from causal_tasks.subpopulations.evidence import Mask, Vector

SAME_USERS = 0.7
"""Jaccard index above which two rules are about the same users."""


def jaccard(masks: Sequence[Mask]) -> Vector:
    """Shared users divided by users in either, for every pair of rules; 0 where neither has any.

    Args:
        masks: Of R rules, each of shape (n,).

    Returns:
        Shape (R, R), symmetric, 1 on the diagonal.
    """
    sizes = [int(mask.sum()) for mask in masks]
    matrix = np.eye(len(masks))
    for a in range(len(masks)):
        for b in range(a):
            shared = int(np.count_nonzero(masks[a] & masks[b]))
            either = sizes[a] + sizes[b] - shared
            matrix[a, b] = matrix[b, a] = shared / either if either else 0.0
    return matrix


def unique_shares(masks: Sequence[Mask]) -> list[float]:
    """Share of all users that each rule covers and no other one does."""
    if not masks:
        return []
    covering = np.zeros(len(masks[0]), dtype=np.int16)
    for mask in masks:
        covering += mask
    return [float((mask & (covering == 1)).mean()) for mask in masks]


def repeated(similar: NDArray[np.float64], groups: Sequence[object]) -> dict[int, int]:
    """Which rules repeat a better one of the same group, and which one that is.

    Args:
        similar: Shape (R, R), Jaccard indices of rules, the best rule first.
        groups: Of each rule; only rules of one group repeat each other.

    Returns:
        By position of a repeated rule: that of the rule which it repeats and which is not repeated itself.
    """
    found: dict[int, int] = {}
    for rule in range(len(groups)):
        better = (
            b for b in range(rule) if b not in found and groups[b] == groups[rule] and similar[rule, b] > SAME_USERS
        )
        first = next(better, None)
        if first is not None:
            found[rule] = first
    return found
