"""Means weighted by inverse propensity: every person's influence on them, and whether they are close to normal."""

from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

Estimator = Literal["hajek", "ipw"]
ESTIMATORS = get_args(Estimator)

FEWEST_SHOWN = 30
"""Independent people shown what they are assigned below which no interval is to be relied on."""

COCHRAN = 25
"""Times the squared skewness: people from which on a normal interval misses the truth hardly more often than it says.

Source: Cochran (1977), "Sampling techniques", section 2.15. For a response of 0 or 1 it asks for some 25 of the rarer.
"""

Vector = NDArray[np.float64]
Codes = NDArray[np.intp]


class Matched(NamedTuple):
    """Who was shown what an assignment gives them.

    Attributes:
        weight: One over its probability, 0 for the others, shape (n,).
        group: Which of the creatives or segments among which the assignment chooses each was shown; 0: none of them.
    """

    weight: Vector
    group: Codes

    @property
    def people(self) -> NDArray[np.bool_]:
        """Who they are, shape (n,)."""
        return self.weight > 0


def value_terms(response: Vector, matched: Matched, *, estimator: Estimator, shares_observed: bool) -> Vector:
    """Numbers whose mean is the value of an assignment and whose spread is each person's influence on it, shape (n,).

    Args:
        response: Shape (n,).
        matched: At least one person.
        estimator: ``hajek``: divided by the sum of weights; ``ipw``: by n.
        shares_observed: Whether weights are from the shares of these people, on which they have an influence too.
    """
    if estimator == "hajek":
        value = float(matched.weight @ response / matched.weight.sum())
        influence = matched.weight * (response - value) / matched.weight.mean()
    else:
        value = float(matched.weight @ response / len(response))
        influence = matched.weight * response - value
    if shares_observed:
        # One person more in a group makes its share larger and every weight in it smaller: on the whole that takes
        # away what the group adds on average.
        sums, sizes = np.bincount(matched.group, influence), np.bincount(matched.group)
        influence = influence - (sums / np.maximum(sizes, 1))[matched.group]
    return np.asarray(value + influence)


def few(response: Vector, matched: Matched, clusters: Codes | None) -> bool:
    """Whether too few independent people were shown what they are assigned, or all of them responded alike."""
    independent = int(matched.people.sum()) if clusters is None else len(np.unique(clusters[matched.people]))
    return independent < FEWEST_SHOWN or bool(np.ptp(response[matched.people]) == 0)


def skewed(terms: Vector, clusters: Codes | None) -> bool:
    """Whether there are too few terms for their mean to be close to normal, by how skewed they are."""
    deviations = terms - terms.mean()
    sums = deviations if clusters is None else np.bincount(clusters, deviations)
    spread = float(np.sqrt((sums**2).mean()))
    if spread == 0:
        return True
    scaled = sums / spread
    skewness = float(scaled @ scaled**2) / len(sums)
    return len(sums) < COCHRAN * skewness**2
