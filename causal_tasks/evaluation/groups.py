"""Users cut into groups of equal size by predicted uplift, and the means of what was observed in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_tasks.effects.arguments import cluster_codes, finite
from causal_tasks.effects.inference import two_sided_quantile
from causal_tasks.errors import InputError
from causal_tasks.evaluation.ranking import Vector, block_ends, descending

JOINT_DRAWS = 20_000


@dataclass(frozen=True, slots=True)
class Means:
    """Means by group.

    Attributes:
        values: Shape (K,).
        covariance: Shape (K, K), of ``values``.
    """

    values: Vector
    covariance: NDArray[np.float64]

    @property
    def standard_errors(self) -> Vector:
        """Shape (K,)."""
        errors: Vector = np.sqrt(np.diag(self.covariance))
        return errors

    def half_widths(self, level: float, *, joint: bool, seed: int) -> Vector:
        """Half the width of every group's interval, shape (K,); ``joint``: all hold together with probability level.

        Raises:
            InputError: ``level`` is no share.
        """
        errors = self.standard_errors
        quantile = two_sided_quantile(level)
        if joint:
            # A multiplier bootstrap: normal multipliers, summed by group, are normal with the covariance of the means.
            scale = np.where(errors > 0, errors, 1.0)
            random = np.random.default_rng(seed)
            correlation = self.covariance / np.outer(scale, scale)
            drawn = random.multivariate_normal(np.zeros(len(scale)), correlation, JOINT_DRAWS, method="eigh")
            quantile = max(quantile, float(np.quantile(np.abs(drawn).max(axis=1), level)))
        return quantile * errors

    def difference(self, a: int, b: int) -> tuple[float, float]:
        """Mean of group a minus that of group b, and its standard error."""
        variance = self.covariance[a, a] + self.covariance[b, b] - 2 * self.covariance[a, b]
        return float(self.values[a] - self.values[b]), float(np.sqrt(max(variance, 0.0)))


@dataclass(frozen=True, slots=True)
class Group:
    """A stretch of the ranking.

    Attributes:
        start: Rank of its first user, from 0.
        rows: Shape (k,), its users: positions in the arrays that were grouped, ranked.
        inside: Shape (k,), the fraction of each user that is inside: less than 1 only in a block of equal predictions
            that a border runs through.
    """

    start: int
    rows: NDArray[np.intp]
    inside: Vector


@dataclass(frozen=True, slots=True)
class Groups:
    """Groups of equal size by predicted uplift, the highest first.

    Users with equal predictions are one block. Where the border of two groups runs through a block, each of its users
    counts in both groups with the fraction that is inside: what breaking ties at random gives on average.

    Attributes:
        parts: The K groups.
        clusters: Codes 0, 1, … of users that are not independent, shape (n,); None: all are.
    """

    parts: tuple[Group, ...]
    clusters: NDArray[np.intp] | None

    @classmethod
    def of(cls, uplift: ArrayLike, groups: int, *, clusters: ArrayLike | None = None) -> Self:
        """``groups`` groups of the users in ``uplift``, shape (n,).

        Raises:
            InputError: A prediction is not finite, there are fewer than two groups, or fewer than two users in each, or
                a user has no cluster.
        """
        predicted = finite(uplift, name="uplift")
        n = len(predicted)
        if groups < 2 or n < 2 * groups:
            raise InputError(
                f"{groups} groups of {n} users", remedy="use two groups or more, with at least two users in each"
            )
        rows = descending(predicted)
        ends = block_ends(predicted[rows])
        codes = None if clusters is None else cluster_codes(clusters, rows=n)
        return cls(tuple(_group(rows, ends, k, groups) for k in range(groups)), codes)

    @property
    def sizes(self) -> NDArray[np.intp]:
        """Shape (K,), users, rounded where a border runs through a block."""
        return np.array([round(float(part.inside.sum())) for part in self.parts])

    def independent(self, present: ArrayLike, *, parts: Sequence[int]) -> list[float]:
        """Users, or clusters where there are any, by group, of the users in ``present``, shape (n,)."""
        mask = np.asarray(present, dtype=bool)
        return [self._independent(part, mask[part.rows]) for part in (self.parts[k] for k in parts)]

    def means(self, values: ArrayLike, *, parts: Sequence[int] | None = None) -> Means:
        """Means by group with the covariances that clusters and shared users bring about.

        Args:
            values: Shape (n,); missing ones (NaN) are left out.
            parts: Which groups, from 0; None: all.

        Raises:
            InputError: A group has fewer than two users, or clusters, with a value.
        """
        observed = np.asarray(values, dtype=np.float64)
        means, influences = [], []
        for part in self.parts if parts is None else [self.parts[k] for k in parts]:
            mean, influence = self._mean(part, observed[part.rows])
            means.append(mean)
            influences.append((part, influence))
        return Means(np.array(means), self._covariance(influences))

    def _mean(self, part: Group, values: Vector) -> tuple[float, Vector]:
        """The mean over a group and what each of its users contributes to it, summing to zero."""
        present = np.isfinite(values)
        inside = np.where(present, part.inside, 0.0)
        weight = float(inside.sum())
        independent = self._independent(part, present)
        if independent < 2 - 1e-9:
            raise InputError(
                f"a group has {independent:g} independent users with a value", remedy="use fewer groups, or more users"
            )
        filled: Vector = np.where(present, values, 0.0)
        mean = float(inside @ filled) / weight
        # Scaling influence, not variances, lets the same numbers serve means and differences of means.
        correction = float(np.sqrt(independent / (independent - 1))) / weight
        return mean, np.multiply(inside, filled - mean) * correction

    def _independent(self, part: Group, present: NDArray[np.bool_]) -> float:
        if self.clusters is None:
            return float(part.inside @ present)
        return float(len(np.unique(self.clusters[part.rows[present]])))

    def _covariance(self, influences: Sequence[tuple[Group, Vector]]) -> NDArray[np.float64]:
        if self.clusters is not None:
            clusters = int(self.clusters.max()) + 1
            sums = np.array([np.bincount(self.clusters[part.rows], psi, clusters) for part, psi in influences])
            covariance: NDArray[np.float64] = sums @ sums.T
            return covariance
        return np.array([[_shared(*a, *b) for b in influences] for a in influences])


def _group(rows: NDArray[np.intp], ends: NDArray[np.intp], k: int, groups: int) -> Group:
    # Whole numbers: everything is counted in units of 1 / groups of a user.
    low, high = k * len(rows), (k + 1) * len(rows)
    first = int(np.searchsorted(ends * groups, low, side="right")) - 1
    last = int(np.searchsorted(ends * groups, high, side="left")) - 1
    start, stop = int(ends[first]), int(ends[last + 1])
    inside = np.ones(stop - start)
    for block in {first, last}:
        begin, end = int(ends[block]), int(ends[block + 1])
        overlap = min(high, end * groups) - max(low, begin * groups)
        inside[begin - start : end - start] = overlap / ((end - begin) * groups)
    return Group(start, rows[start:stop], inside)


def _shared(a: Group, psi_a: Vector, b: Group, psi_b: Vector) -> float:
    """Sum of the products of two influences over the users in both groups."""
    start, stop = max(a.start, b.start), min(a.start + len(psi_a), b.start + len(psi_b))
    if start >= stop:
        return 0.0
    return float(psi_a[start - a.start : stop - a.start] @ psi_b[start - b.start : stop - b.start])
