"""Upper-left hulls: the arms that are best for a unit at some price of money, from its cheapest to its most effective.

Everything is computed for many units at once, arm by arm, in double precision on a few thousand units at a time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causal_tasks.allocation.forecast import Forecast

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Rows = NDArray[np.intp]
Arms = NDArray[np.int16]

CHUNK = 4096
"""Units that are looked at together: few enough for their numbers to stay in the processor's cache."""

LOOKAHEAD = 1000
"""Increments behind the one that no longer fits that are tried, one by one, with the money that is left."""


@dataclass(frozen=True, slots=True)
class Increments:
    """Steps along hulls, each from an arm of a unit to the next dearer one; those of a unit stand in their order.

    Attributes:
        unit: Shape (K,), row of the forecast.
        arm: Shape (K,), where the step leads.
        gain: Shape (K,), outcome added.
        cost: Shape (K,), cost added, above zero.
        slope: Shape (K,), gain by cost; along a unit's hull it never rises.
    """

    unit: Rows
    arm: Arms
    gain: Vector
    cost: Vector
    slope: Vector

    def __len__(self) -> int:
        return len(self.unit)

    @classmethod
    def joined(cls, parts: Sequence["Increments"]) -> "Increments":
        """The steps of several parts, in their order; at least one part."""
        return cls(
            np.concatenate([part.unit for part in parts]),
            np.concatenate([part.arm for part in parts]),
            np.concatenate([part.gain for part in parts]),
            np.concatenate([part.cost for part in parts]),
            np.concatenate([part.slope for part in parts]),
        )

    def steepest_first(self) -> "Increments":
        """The same steps by falling slope, those of equal slope as they stood."""
        order = np.argsort(-self.slope, kind="stable")
        return Increments(self.unit[order], self.arm[order], self.gain[order], self.cost[order], self.slope[order])

    def affordable(self, money: float) -> int:
        """How many of the first steps cost at most ``money`` together."""
        return int(np.searchsorted(np.cumsum(self.cost), money, side="right"))

    def price(self, money: float) -> float:
        """The slope of the first step that is not affordable; 0 where all are."""
        first = self.affordable(money)
        return float(self.slope[first]) if first < len(self) else 0.0

    def bought(self, money: float) -> Rows:
        """Positions of the steps that a greedy buyer takes: the first ones that fit, then later ones that still do.

        A step is passed over when it is too dear or an earlier step of its unit was. With the steps steepest first, the
        gain is within the first step passed over of what the best fractional choice brings.
        """
        whole = self.affordable(money)
        left = money - float(self.cost[:whole].sum())
        passed, later = set(), []
        for step in range(whole, min(whole + LOOKAHEAD, len(self))):
            unit, cost = int(self.unit[step]), float(self.cost[step])
            if unit in passed or cost > left:
                passed.add(unit)
            else:
                later.append(step)
                left -= cost
        return np.concatenate([np.arange(whole), np.array(later, dtype=np.intp)])


def chunks(rows: int) -> Iterator[slice]:
    """Slices of ``CHUNK`` rows."""
    return (slice(begin, min(begin + CHUNK, rows)) for begin in range(0, rows, CHUNK))


def by_arm(forecast: Forecast, rows: slice | Rows) -> tuple[Matrix, Matrix]:
    """Outcome and cost of some units, one arm after the other: shape (M, k) each."""
    outcome, cost = (np.ascontiguousarray(values[rows].T, dtype=np.float64) for values in forecast)
    return outcome, cost


def climb(forecast: Forecast, units: Rows, start: Arms, end: Arms) -> Increments:
    """The steps of some units along their hulls.

    Args:
        forecast: Of n units.
        units: Shape (k,), rows of the forecast.
        start: Shape (k,), an arm of each unit that lies on its hull.
        end: Shape (k,), such an arm that costs as much or more.
    """
    parts = [step for rows in chunks(len(units)) for step in _climb(forecast, units[rows], start[rows], end[rows])]
    none = np.empty(0)
    return Increments.joined(parts) if parts else Increments(units[:0], start[:0], none, none, none)


def _climb(forecast: Forecast, units: Rows, arm: Arms, end: Arms) -> Iterator[Increments]:
    """All first steps, then all second steps, and so on."""
    outcome, cost = by_arm(forecast, units)
    limit = cost[end, np.arange(len(units))]
    ceiling = np.full(len(units), np.inf)
    while True:
        going = np.flatnonzero(cost[arm, np.arange(len(arm))] < limit)
        if not len(going):
            return
        units, arm, limit, ceiling = units[going], arm[going], limit[going], ceiling[going]
        outcome, cost = outcome[:, going], cost[:, going]
        here = np.arange(len(going))
        gain, extra = outcome - outcome[arm, here], cost - cost[arm, here]
        arm, slope = _steepest(gain, extra, (extra > 0) & (cost <= limit))
        # Along a straight part, rounding must not let the slope rise: the order of a unit's steps hangs on it.
        ceiling = np.minimum(slope, ceiling)
        yield Increments(units, arm, gain[arm, here], extra[arm, here], ceiling)


def _steepest(gain: Matrix, extra: Matrix, reachable: NDArray[np.bool_]) -> tuple[Arms, Vector]:
    """The reachable arm with the highest gain by extra cost, the nearest of several, and that slope; (M, k) to (k,)."""
    slopes = np.divide(gain, extra, out=np.full(gain.shape, -np.inf), where=reachable)
    slope = slopes.max(axis=0)
    arm: Arms = np.where(slopes == slope, extra, np.inf).argmin(axis=0).astype(np.int16)
    return arm, slope
