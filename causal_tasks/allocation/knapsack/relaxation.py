"""The best outcome within several limits when units may be split: a multiplier for each limit, and a bound.

At given multipliers every unit decides for itself, as at a price of money. The bound that this gives is convex and
piecewise linear in the multipliers: each look at all units yields a plane under it for every block of units, HiGHS
finds the lowest point above all planes, and there the next look is taken (Kelley's cutting planes, which are column
generation of Dantzig and Wolfe seen from the dual). The dual of the last linear programme says how to mix the arms of
all looks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from causal_tasks.allocation.forecast import Matrix
from causal_tasks.allocation.knapsack.lagrangian import total
from causal_tasks.allocation.knapsack.limits import Limit

Vector = NDArray[np.float64]

BLOCKS = 32
"""Blocks of units with planes of their own: more need fewer looks, and larger linear programmes."""

LOOKS = 300
"""At all units, at most; 20 to 60 are usual."""

TOLERANCE = 1e-7
"""The search ends when the bound is this close to a mixture of allocations, as a share of all there is to gain."""

HIGHEST = 1e4
"""Multipliers are at most this, in units that exchange all there is of a limit for all there is of outcome."""


@dataclass(frozen=True, slots=True)
class Relaxation:
    """What the search ends with.

    Attributes:
        multipliers: Shape (m,), outcome units for a unit of each limit, zero or more.
        bound: Outcome that no allocation within the limits exceeds.
        blocks: Rows of the B blocks.
        looks: Shape (T, m), the multipliers at which all units were looked at.
        shares: Shape (B, T), the mixture of their arms, for each block, that keeps the limits and comes closest to the
            bound; where multipliers are at their highest it need not keep them.
        at_highest: Shape (m,).
    """

    multipliers: Vector
    bound: float
    blocks: tuple[slice, ...]
    looks: Vector
    shares: Vector
    at_highest: NDArray[np.bool_]


def relax(outcome: Matrix, limits: Sequence[Limit], *, start: Vector, highest: float = HIGHEST) -> Relaxation:
    """The relaxation within limits.

    Args:
        outcome: Shape (n, M).
        limits: At least one, m.
        start: Shape (m,), the multipliers of the first look.
        highest: See ``HIGHEST``.
    """
    blocks = _blocks(len(outcome))
    scale = _Scale.of(outcome, limits, len(blocks))
    bounds = np.array([limit.bound for limit in limits])
    looks, planes = [start], list[_Planes]()
    best, lowest = start, np.inf
    while True:
        planes.append(_Planes.of(outcome, limits, looks[-1], blocks))
        if (height := planes[-1].height(looks[-1], bounds)) < lowest:
            best, lowest = looks[-1], height
        point, height, shares = _lowest_point(planes, bounds, scale, highest)
        # A point that comes again means that HiGHS has come to the end of its digits.
        again = len(looks) > 1 and np.allclose(point, looks[-1], rtol=1e-9, atol=0)
        if lowest - height <= TOLERANCE * scale.outcome * len(blocks) or again or len(looks) == LOOKS:
            return Relaxation(best, lowest, blocks, np.array(looks), shares, point >= highest * scale.multiplier)
        looks.append(point)


def net_outcome(outcome: Matrix, limits: Sequence[Limit], multipliers: Vector, rows: slice) -> Vector:
    """Outcome net of what each arm uses of the limits at these multipliers, for some rows, shape (k, M)."""
    net = outcome[rows].astype(np.float64)
    for limit, multiplier in zip(limits, multipliers, strict=True):
        net -= (limit.sign * multiplier) * limit.values[rows]
    return net


class _Planes(NamedTuple):
    """What the best arms at some multipliers bring and use in each block: the planes that touch the bound there.

    Attributes:
        value: Shape (B,), outcome.
        used: Shape (B, m), of the limits.
    """

    value: Vector
    used: Vector

    @classmethod
    def of(cls, outcome: Matrix, limits: Sequence[Limit], multipliers: Vector, blocks: Sequence[slice]) -> "_Planes":
        value, used = np.empty(len(blocks)), np.empty((len(blocks), len(limits)))
        for block, rows in enumerate(blocks):
            arm = net_outcome(outcome, limits, multipliers, rows).argmax(axis=1)
            value[block] = total(outcome[rows], arm)
            used[block] = [limit.sign * total(limit.values[rows], arm) for limit in limits]
        return cls(value, used)

    def height(self, multipliers: Vector, bounds: Vector) -> float:
        """The bound on the outcome at the multipliers that the planes belong to."""
        return float(self.value.sum() + multipliers @ (bounds - self.used.sum(axis=0)))


class _Scale(NamedTuple):
    """Units in which all numbers of the linear programme are near 1.

    Attributes:
        outcome: All there is to decide about in a block: the sum over units of their best outcome less their worst.
        multiplier: Shape (m,), the same over all units, by the sum of the spreads of each limit's values.
    """

    outcome: float
    multiplier: Vector

    @classmethod
    def of(cls, outcome: Matrix, limits: Sequence[Limit], blocks: int) -> "_Scale":
        whole = _spread(outcome) or 1.0
        return cls(whole / blocks, np.array([whole / (_spread(limit.values) or 1.0) for limit in limits]))


def _spread(values: Matrix) -> float:
    return float(np.ptp(values, axis=1).sum(dtype=np.float64))


def _blocks(units: int) -> tuple[slice, ...]:
    edges = np.linspace(0, units, min(units, BLOCKS) + 1).astype(int)
    return tuple(slice(begin, end) for begin, end in pairwise(edges.tolist()))


def _lowest_point(
    planes: Sequence[_Planes], bounds: Vector, scale: _Scale, highest: float
) -> tuple[Vector, float, Vector]:
    """Where the highest plane is lowest: multipliers, height there, and the planes' shares in each block."""
    from scipy.optimize import linprog

    size, width = len(planes[0].value), len(bounds)
    # Variables: multipliers, then the height of each block, which lies above all of its planes.
    slopes = np.concatenate([plane.used for plane in planes]) * (scale.multiplier / scale.outcome)
    found = linprog(
        np.concatenate([bounds * (scale.multiplier / scale.outcome), np.ones(size)]),
        A_ub=np.hstack([-slopes, np.tile(-np.eye(size), (len(planes), 1))]),
        b_ub=-np.concatenate([plane.value for plane in planes]) / scale.outcome,
        bounds=[(0, highest)] * width + [(None, None)] * size,
        method="highs",
    )
    if found.status != 0:
        raise RuntimeError(f"HiGHS could not solve the linear programme over multipliers: {found.message}")
    shares = np.maximum(-found.ineqlin.marginals.reshape(len(planes), size).T, 0)
    return found.x[:width] * scale.multiplier, found.fun * scale.outcome, shares / shares.sum(axis=1, keepdims=True)
