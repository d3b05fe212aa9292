"""What every arm brings and costs in every cluster of an experiment's units, with less noise than the plain means."""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from causal_tasks.allocation.forecast import Forecast
from causal_tasks.allocation.responses import Responses
from causal_tasks.errors import InputError

Codes = NDArray[np.intp]
Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]

Shrinkage = Literal["empirical_bayes"] | float
"""How far means are drawn to what they would be if clusters did not differ; a number counts pseudo-units."""


@dataclass(frozen=True, slots=True)
class ClusterMeans:
    """Outcome and cost by cluster and arm.

    A mean of few units is drawn to what it would be if arms differed as they do among all units: in outcome by as much
    as everywhere, in cost by the same factor. So the level of a cluster, which no decision depends on, is left alone.

    Attributes:
        share: Shape (K,), share of units in each cluster.
        outcome: Shape (K, M).
        cost: Shape (K, M).
        outcome_error: Shape (K, M), standard error of ``outcome``, without that of the cluster's level, which all arms
            have in common, and too small where clusters hardly differ: that they do not is itself an estimate.
        cost_error: Shape (K, M), that of ``cost``; 0 where prices are known.
        units: Shape (K, M), units of the experiment in each cluster and arm.
    """

    share: Vector
    outcome: Matrix
    cost: Matrix
    outcome_error: Matrix
    cost_error: Matrix
    units: NDArray[np.intp]

    @classmethod
    def of(cls, data: Responses, cluster: Codes, *, clusters: int, shrinkage: Shrinkage = "empirical_bayes") -> Self:
        """Those of an experiment, every unit weighed by one over the propensity of its arm.

        Args:
            data: n units.
            cluster: Shape (n,), codes 0 to ``clusters`` - 1.
            clusters: K.
            shrinkage: ``empirical_bayes``: as far as the spread of the means between clusters is noise; or a number of
                pseudo-units that every mean has besides its own, 0 for plain means.

        Raises:
            InputError: ``shrinkage`` is neither.

        Source: Morris (1983), "Parametric empirical Bayes inference"; the variance between clusters is the moment
        estimator of DerSimonian, Laird (1986), for deviations from an additive (outcome) or a proportional (cost)
        table.
        """
        if shrinkage != "empirical_bayes" and not (isinstance(shrinkage, int | float) and shrinkage >= 0):
            raise InputError(f"shrinkage {shrinkage!r} is unknown", remedy="use empirical_bayes or a number from 0 on")
        share = np.bincount(cluster, minlength=clusters) / len(data)
        outcome = _Cells.of(data.outcome, data, cluster, clusters)
        means, errors = outcome.shrunken(outcome.additive, shrinkage)
        if data.price is not None:
            cost, cost_error = np.broadcast_to(data.price, means.shape), np.zeros(means.shape)
        else:
            costs = _Cells.of(data.cost, data, cluster, clusters)
            cost, cost_error = costs.shrunken(costs.proportional, shrinkage)
        return cls(share, means, cost, errors, cost_error, outcome.units)

    @property
    def empty_cells(self) -> int:
        """Arms that no unit of a cluster was in, counted over clusters."""
        return int((self.units == 0).sum())

    def forecast(self, cluster: Codes) -> Forecast:
        """Outcome and cost of units in these clusters under every arm."""
        return Forecast(self.outcome.astype(np.float32)[cluster], self.cost.astype(np.float32)[cluster])


class _Table(NamedTuple):
    """A table with one free number per cluster, ``offset_j + slope_j level_k``, that means are drawn to.

    Attributes:
        offset: Shape (M,).
        slope: Shape (M,).
        typical: Level of a cluster whose own cannot be told.
    """

    offset: Vector
    slope: Vector
    typical: float


@dataclass(frozen=True, slots=True)
class _Cells:
    """Plain means by cluster and arm.

    Attributes:
        mean: Shape (K, M), 0 where nobody is.
        variance: Shape (K, M), of the mean; 0 where nobody is.
        effective: Shape (K, M), units that would be as precise were they weighed alike.
        units: Shape (K, M).
        arm_mean: Shape (M,), over all clusters.
        arm_variance: Shape (M,), of a single unit around the mean of its cell.
    """

    mean: Matrix
    variance: Matrix
    effective: Matrix
    units: NDArray[np.intp]
    arm_mean: Vector
    arm_variance: Vector

    @classmethod
    def of(cls, values: Vector, data: Responses, cluster: Codes, clusters: int) -> Self:
        """Means of ``values``, shape (n,); the variance of a single unit is that of the arm in all clusters."""
        arms = len(data.labels)
        cell, weight = cluster * arms + data.arm, data.weight

        def sums(terms: Vector) -> Matrix:
            flat = np.bincount(cell, terms, minlength=clusters * arms).astype(np.float64)
            return flat.reshape(clusters, arms)

        units = np.bincount(cell, minlength=clusters * arms).reshape(clusters, arms)
        total, squares = sums(weight), sums(weight**2)
        mean = _ratio(sums(weight * values), total)
        spread = sums(weight * (values - mean.ravel()[cell]) ** 2).sum(axis=0) / total.sum(axis=0)
        seen, filled = units.sum(axis=0), (units > 0).sum(axis=0)
        arm_variance = spread * seen / np.maximum(seen - filled, 1)
        effective = _ratio(total**2, squares)
        arm_mean = (total * mean).sum(axis=0) / total.sum(axis=0)
        return cls(mean, _ratio(arm_variance, effective), effective, units, arm_mean, arm_variance)

    @property
    def additive(self) -> _Table:
        """Every arm differs from the others by the same in all clusters."""
        return _Table(self.arm_mean, np.ones_like(self.arm_mean), 0.0)

    @property
    def proportional(self) -> _Table:
        """Every arm is a multiple of the others, the same in all clusters."""
        return _Table(np.zeros_like(self.arm_mean), self.arm_mean, 1.0)

    def shrunken(self, table: _Table, shrinkage: Shrinkage) -> tuple[Matrix, Matrix]:
        """Means drawn to the table that fits best, and their standard errors, shape (K, M) each."""
        scale = (self.effective * table.slope).sum(axis=1)[:, None]
        part = _ratio(self.effective, scale)
        level = (part * (self.mean - table.offset)).sum(axis=1)[:, None]
        fitted = table.offset + table.slope * np.where(scale > 0, level, table.typical)
        if shrinkage == "empirical_bayes":
            between = np.full(len(self.arm_mean), self._between(fitted, part, table.slope))
        else:
            between = self.arm_variance / shrinkage if shrinkage else np.full(len(self.arm_mean), math.inf)
        empty = self.units == 0
        drawn = np.where(empty, 1.0, _ratio(self.variance, self.variance + between))
        # Of an arm that nobody was in, no more is known than of a single unit.
        own = np.where(empty, np.minimum(between, self.arm_variance), (1 - drawn) * self.variance)
        variance = own + drawn**2 * self.arm_variance / self.units.sum(axis=0)
        return drawn * fitted + (1 - drawn) * self.mean, np.sqrt(variance)

    def _between(self, fitted: Matrix, part: Matrix, slope: Vector) -> float:
        """Variance of the true means around the table: what the spread of the plain ones exceeds their noise by."""
        own = 1 - 2 * part * slope
        noise = own * self.variance + slope**2 * (part**2 * self.variance).sum(axis=1)[:, None]
        factor = own + slope**2 * (part**2).sum(axis=1)[:, None]
        excess = (self.effective * ((self.mean - fitted) ** 2 - noise)).sum()
        return max(0.0, float(_ratio(excess, (self.effective * factor).sum())))


def _ratio(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    """Zero where the denominator is."""
    top, bottom = np.broadcast_arrays(numerator, denominator)
    quotient: NDArray[np.float64] = np.divide(top, bottom, out=np.zeros(bottom.shape), where=bottom > 0)
    return quotient
