"""What policies are worth, read off those who by chance were given what a policy gives: weights, influence, intervals.

Policies are compared on the same rows, so that what these have in common does not blur the difference.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from causal_tasks.errors import InputError
from causal_tasks.evaluation.estimate import Estimate, mean_estimate

Estimator = Literal["hajek", "ipw"]
ESTIMATORS = get_args(Estimator)

SHARES_OBSERVED = "shares_observed"

FEWEST_MATCHED = 30
"""Independent units given what a policy gives them below which no interval is to be relied on."""

COCHRAN = 25
"""Times the squared skewness: units from which on a normal interval misses the truth hardly more often than it says.

Source: Cochran (1977), "Sampling techniques", section 2.15. For a response of 0 or 1 it asks for some 25 of the rarer.
"""

Vector = NDArray[np.float64]
Codes = NDArray[np.intp]


class Matched(NamedTuple):
    """Who was given what a policy gives them.

    Attributes:
        weight: Probability that the policy gives it over the probability that it was given, 0 for the others,
            shape (n,).
        group: Which of the things among which the policy chooses each was given, 0 for none of them, shape (n,); None
            where probabilities are known.
    """

    weight: Vector
    group: Codes | None = None

    @property
    def rows(self) -> NDArray[np.bool_]:
        """Who they are, shape (n,)."""
        return self.weight > 0


@dataclass(frozen=True, slots=True)
class PolicyValue:
    """What a policy is worth.

    Attributes:
        value: Response per row if all rows were given what the policy gives them.
        matched: Rows that were given that.
    """

    value: Estimate
    matched: int


@dataclass(frozen=True, slots=True)
class PolicyComparison:
    """Several policies on the same rows.

    Attributes:
        values: By name.
        baseline: Name of the policy that differences are taken from unless said otherwise.
        notes: Codes: ``shares_observed`` where probabilities are the shares of these rows; ``few_matched:<name>`` where
            too few were given what the policy gives them, or too few of them responded, for the interval of the value
            to be relied on; ``few_differ:<name>`` where that holds for the difference from the baseline.
        terms: By name, shape (n,): the value is their mean, and its variance that of their mean.
        clusters: Codes of units that are not independent, shape (n,); None: rows are.
        level: Of intervals.
    """

    values: Mapping[str, PolicyValue]
    baseline: str
    notes: tuple[str, ...]
    terms: Mapping[str, Vector] = field(repr=False)
    clusters: Codes | None = field(repr=False)
    level: float

    def difference(self, name: str, other: str | None = None) -> Estimate:
        """Value of a policy minus that of another, of the baseline where None.

        Raises:
            InputError: A name is unknown.
        """
        subtracted = self.baseline if other is None else other
        for wanted in (name, subtracted):
            if wanted not in self.terms:
                raise InputError(f"policy {wanted!r} is unknown", remedy=f"use one of {', '.join(self.terms)}")
        return mean_estimate(self.terms[name] - self.terms[subtracted], clusters=self.clusters, level=self.level)


def compare_matched(
    response: Vector,
    policies: Mapping[str, Matched],
    *,
    baseline: str,
    estimator: Estimator,
    clusters: Codes | None,
    level: float,
) -> PolicyComparison:
    """What policies are worth and by how much they differ, where it is known who was given what they give.

    Intervals are normal, from the influence of every row on the value.

    Args:
        response: Shape (n,), more is better.
        policies: By name, at least one row each.
        baseline: One of the names.
        estimator: See ``value_terms``.
        clusters: Codes of units that are not independent, shape (n,); None: rows are.
        level: Of intervals.

    Raises:
        InputError: The baseline or estimator is unknown, there are fewer than two rows or clusters, or ``level`` is no
            share.
    """
    if baseline not in policies:
        raise InputError(f"baseline {baseline!r} is unknown", remedy=f"use one of {', '.join(policies)}")
    if estimator not in ESTIMATORS:
        raise InputError(f"estimator {estimator!r} is unknown", remedy=f"use one of {', '.join(ESTIMATORS)}")
    values, terms, notes = {}, {}, []
    if any(matched.group is not None for matched in policies.values()):
        notes.append(SHARES_OBSERVED)
    for name, matched in policies.items():
        terms[name] = value_terms(response, matched, estimator=estimator)
        estimate = mean_estimate(terms[name], clusters=clusters, level=level)
        values[name] = PolicyValue(estimate, int(matched.rows.sum()))
        if few(response, matched, clusters) or skewed(terms[name], clusters):
            notes.append(f"few_matched:{name}")
    for name, own in terms.items():
        difference = own - terms[baseline]
        if np.ptp(difference) > 0 and skewed(difference, clusters):
            notes.append(f"few_differ:{name}")
    return PolicyComparison(values, baseline, tuple(notes), terms, clusters, level)


def value_terms(response: Vector, matched: Matched, *, estimator: Estimator) -> Vector:
    """Numbers whose mean is the value of a policy and whose spread is each row's influence on it, shape (n,).

    Args:
        response: Shape (n,).
        matched: At least one row; with groups, weights are from the shares of these rows, on which each has an
            influence too.
        estimator: ``hajek``: divided by the sum of weights; ``ipw``: by n.
    """
    if estimator == "hajek":
        # From the median on, so that where all responses are equal no difference is left that is only rounding.
        middle = np.median(response)
        value = float(middle + matched.weight @ (response - middle) / matched.weight.sum())
        influence = matched.weight * (response - value) / matched.weight.mean()
    else:
        value = float(matched.weight @ response / len(response))
        influence = matched.weight * response - value
    if matched.group is not None:
        # One row more in a group makes its share larger and every weight in it smaller: on the whole that takes away
        # what the group adds on average.
        sums, sizes = np.bincount(matched.group, influence), np.bincount(matched.group)
        influence = influence - (sums / np.maximum(sizes, 1))[matched.group]
    return np.asarray(value + influence)


def few(response: Vector, matched: Matched, clusters: Codes | None) -> bool:
    """Whether too few independent units were given what the policy gives, or all of them responded alike."""
    independent = int(matched.rows.sum()) if clusters is None else len(np.unique(clusters[matched.rows]))
    return independent < FEWEST_MATCHED or bool(np.ptp(response[matched.rows]) == 0)


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
