"""Successive halving on rows: many trials are fitted on few rows, the best of them on more.

Source: Li, Jamieson, Rostamizadeh, Gonina, Ben-Tzur, Hardt, Recht, Talwalkar (2020), "A system for massively parallel
hyperparameter tuning", algorithm 2, with rows as the resource. A trial is judged when it reaches a rung, among those
that did so before, and never again: what it is judged by does not depend on later trials.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

REDUCTION = 3
"""A rung has so many times the rows of the one before, and one of so many trials goes on to it."""

DIVISORS = (REDUCTION**2, REDUCTION, 1)
"""By which the number of rows is divided at each rung."""

SMALLEST_ARM = 10_000
"""Users of the smallest arm on a rung, at least: with few the noise of a ranking hides what parameters change."""


def rung_divisors(smallest_arm: int) -> tuple[int, ...]:
    """The divisors of the rungs that there are where the smallest arm has so many users; the last is 1."""
    return tuple(divisor for divisor in DIVISORS if divisor == 1 or smallest_arm // divisor >= SMALLEST_ARM)


def goes_on(score: float, earlier: Sequence[float]) -> bool:
    """Whether a trial goes on to the next rung: among the best third of those that reached this one, itself included.

    Among fewer than three the best goes on.

    Args:
        score: Of the trial.
        earlier: Scores of the trials that reached the rung before it.
    """
    places = max(1, (len(earlier) + 1) // REDUCTION)
    return sum(other > score for other in earlier) < places


def drawing_order(arm: NDArray[np.intp], seed: int) -> NDArray[np.intp]:
    """Positions in an order of which every beginning holds each arm at its share, up to one user.

    Args:
        arm: Shape (n,), codes.
        seed: Of the order within each arm.
    """
    random = np.random.default_rng(seed)
    place = np.empty(len(arm))
    for code in np.unique(arm):
        rows = random.permutation(np.flatnonzero(arm == code))
        place[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    return np.argsort(place, kind="stable")
