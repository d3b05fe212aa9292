"""The student tree, grown again and again: regression trees on features that are sorted into bins once.

``rules.grow_tree`` distils the predictions once and exactly. Where fifty bootstrap samples ask for the same, sorting
every feature in every node is the cost; here a node needs one histogram for each feature.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_tasks.subpopulations.encoding import encode
from causal_tasks.subpopulations.evidence import Mask, Vector

BINS = 255
MISSING = BINS
"""The code of a missing value, after those of all bins."""

Bound = tuple[str, str]
"""A feature, and ``<=`` or ``>``."""


@dataclass(frozen=True, slots=True)
class BinnedFeatures:
    """Features as small integers.

    Attributes:
        codes: Shape (p, n), bin of each value; the order of bins means nothing for a category.
        names: The p features.
        edges: By feature: the largest value of each bin; None for a category.
    """

    codes: NDArray[np.uint8]
    names: tuple[str, ...]
    edges: tuple[Vector | None, ...]

    @classmethod
    def of(cls, features: pd.DataFrame, uplift: Vector) -> Self:
        """At most 255 bins with equally many users each; levels of a category are pooled as for ``grow_tree``.

        Raises:
            InputError: As for ``encode``.
        """
        encoding = encode(features, uplift)
        codes = np.empty(encoding.matrix.shape[::-1], dtype=np.uint8)
        edges: list[Vector | None] = []
        for position, name in enumerate(encoding.names):
            column = encoding.matrix[:, position]
            found = _edges(column[~np.isnan(column)])
            codes[position] = np.where(np.isnan(column), MISSING, np.searchsorted(found, column))
            edges.append(None if name in encoding.groups else found.astype(np.float64))
        return cls(codes, encoding.names, tuple(edges))


def _edges(known: NDArray[np.float32]) -> NDArray[np.float32]:
    distinct = np.unique(known)
    if len(distinct) <= BINS:
        return distinct
    ordered = np.sort(known)
    return np.unique(ordered[np.arange(1, BINS + 1) * len(ordered) // BINS - 1])


@dataclass(frozen=True, slots=True)
class Split:
    """Who goes left: users whose code of ``feature`` is True in ``left``, shape (256,)."""

    feature: int
    left: Mask
    cut: float | None


@dataclass(frozen=True, slots=True)
class BinnedNode:
    """A node of a tree on binned features.

    Attributes:
        predicted: Weighted mean of the target.
        leaves: Numbers of the leaves under it, counted from the left of the tree.
        bounds: The tightest cut on the way to it by feature and side; categories have none.
        split: What its children differ in; None for a leaf.
        children: Two, or none.
    """

    predicted: float
    leaves: range
    bounds: Mapping[Bound, float] = field(default_factory=dict)
    split: Split | None = None
    children: tuple["BinnedNode", ...] = ()

    def walk(self) -> Iterator["BinnedNode"]:
        """The node and all below it, parents first, left before right."""
        yield self
        for child in self.children:
            yield from child.walk()

    def leaf_of(self, codes: NDArray[np.uint8]) -> NDArray[np.intp]:
        """The number of the leaf of each of m users with ``codes`` of shape (p, m); shape (m,)."""
        if self.split is None:
            return np.full(codes.shape[1], self.leaves.start)
        left = self.split.left[codes[self.split.feature]]
        leaf = np.empty(codes.shape[1], dtype=np.intp)
        for child, side in zip(self.children, (left, ~left), strict=True):
            leaf[side] = child.leaf_of(codes[:, side])
        return leaf


def grow_binned(
    binned: BinnedFeatures,
    target: Vector,
    weight: Vector,
    *,
    max_depth: int,
    min_weight: float,
    min_explained: float,
) -> BinnedNode:
    """A least-squares regression tree; returns its root.

    Levels of a category are put in the order of their weighted means, as for ``grow_tree``. Missing values go to
    whichever side explains more.

    Args:
        binned: n users.
        target: Shape (n,).
        weight: Shape (n,), how often each user was drawn; the sum is above zero.
        max_depth: Splits on the way to a leaf, at most.
        min_weight: Smallest sum of weights in a leaf.
        min_explained: Smallest share of the variance of the target that a split must explain.
    """
    mean = float(np.average(target, weights=weight))
    deviation = target - mean
    drawn = weight > 0
    users = _Drawn(binned.codes[:, drawn], weight[drawn], (weight * deviation)[drawn])
    grower = _Grower(
        binned=binned,
        order=_orders(binned, users),
        mean=mean,
        min_weight=min_weight,
        min_gain=min_explained * float(weight @ deviation**2),
    )
    return grower.node(users, max_depth, 0, {})


@dataclass(frozen=True, slots=True)
class _Drawn:
    """The users in a node: codes of shape (p, m), weights and weighted deviations of the target of shape (m,)."""

    codes: NDArray[np.uint8]
    weight: Vector
    weighted: Vector

    @property
    def mean(self) -> float:
        return float(self.weighted.sum() / self.weight.sum())

    def among(self, rows: Mask) -> "_Drawn":
        return _Drawn(self.codes[:, rows], self.weight[rows], self.weighted[rows])

    def histograms(self) -> tuple[Vector, Vector]:
        """Sums of weights and of weighted deviations by feature and code, each of shape (p, 256)."""
        weights, sums = np.empty((2, len(self.codes), MISSING + 1))
        for position, codes in enumerate(self.codes):
            wide = codes.astype(np.intp)
            weights[position] = np.bincount(wide, self.weight, MISSING + 1)
            sums[position] = np.bincount(wide, self.weighted, MISSING + 1)
        return weights, sums


def _orders(binned: BinnedFeatures, users: _Drawn) -> NDArray[np.intp]:
    """In which order the bins of each feature are cut, shape (p, 255): categories by the mean of the target."""
    weights, sums = users.histograms()
    order = np.tile(np.arange(BINS), (len(binned.names), 1))
    for position, edges in enumerate(binned.edges):
        if edges is None:
            w, s = weights[position, :BINS], sums[position, :BINS]
            means = np.divide(s, w, out=np.full(BINS, np.inf), where=w > 0)
            order[position] = np.argsort(means, kind="stable")
    return order


@dataclass(frozen=True, slots=True)
class _Grower:
    binned: BinnedFeatures
    order: NDArray[np.intp]
    mean: float
    min_weight: float
    min_gain: float

    def node(self, users: _Drawn, depth: int, first_leaf: int, bounds: Mapping[Bound, float]) -> BinnedNode:
        predicted = self.mean + users.mean
        split = self._best_split(users) if depth else None
        if split is None:
            return BinnedNode(predicted, range(first_leaf, first_leaf + 1), bounds)
        left = split.left[users.codes[split.feature]]
        low = self.node(users.among(left), depth - 1, first_leaf, self._narrowed(bounds, split, "<="))
        high = self.node(users.among(~left), depth - 1, low.leaves.stop, self._narrowed(bounds, split, ">"))
        return BinnedNode(predicted, range(first_leaf, high.leaves.stop), bounds, split, (low, high))

    def _narrowed(self, bounds: Mapping[Bound, float], split: Split, side: str) -> Mapping[Bound, float]:
        if split.cut is None:
            return bounds
        return {**bounds, (self.binned.names[split.feature], side): split.cut}

    def _best_split(self, users: _Drawn) -> Split | None:
        """The split that explains most, if that is enough."""
        weights, sums = users.histograms()
        gains = self._gains(weights, sums)
        feature, missing_left, position = (int(k) for k in np.unravel_index(int(gains.argmax()), gains.shape))
        if gains[feature, missing_left, position] <= self.min_gain:
            return None
        left = np.zeros(MISSING + 1, dtype=bool)
        left[self.order[feature, : position + 1]] = True
        left[MISSING] = bool(missing_left)
        edges = self.binned.edges[feature]
        return Split(feature, left, None if edges is None or position + 1 >= len(edges) else float(edges[position]))

    def _gains(self, weights: Vector, sums: Vector) -> Vector:
        """Sums of squares that splits explain, shape (p, 2, 255): missing values right or left, by last bin left."""

        def left(values: Vector) -> Vector:
            known = np.cumsum(np.take_along_axis(values, self.order, axis=1), axis=1)
            return np.stack([known, known + values[:, MISSING:]], axis=1)

        weight, total = weights[0].sum(), sums[0].sum()
        weight_left, sum_left = left(weights), left(sums)
        weight_right, sum_right = weight - weight_left, total - sum_left
        allowed = (weight_left >= self.min_weight) & (weight_right >= self.min_weight)
        explained = np.full(allowed.shape, -np.inf)
        np.divide(sum_left**2, weight_left, out=explained, where=allowed)
        explained += np.divide(sum_right**2, weight_right, out=np.zeros(allowed.shape), where=allowed)
        explained -= total**2 / weight
        return explained
