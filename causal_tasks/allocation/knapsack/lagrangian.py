"""At a price of money every unit decides for itself; the price that spends the budget is searched for.

The search brackets the price. Prices to try come from the hulls of a sample of the units that are undecided: those with
different arms at the two ends of the bracket. All others have the same arm at every price between, so each round looks
at far fewer units than the one before. When few are left, the steps of their hulls are sorted and bought one by one,
which gives the exact price, and splits units that are tied.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from causal_tasks.allocation.forecast import ROUNDING, Forecast
from causal_tasks.allocation.knapsack.hulls import Arms, Increments, Rows, by_arm, chunks, climb

SAMPLE = 8192
"""Undecided units whose hulls propose the next prices."""

ENOUGH = 4 * SAMPLE
"""Undecided units at which the search ends: their steps are sorted in no time."""

TIED = 0.9
"""The search ends too when a round leaves more than this share undecided: most have the same slope."""

ROUNDS = 30
"""Rounds at most; two or three are usual."""

NUDGE = 1e-12
"""Relative step from a slope to a price above it, where rounding decides ties for the dearer arm."""


def best_arms(forecast: Forecast, price: float) -> NDArray[np.intp]:
    """``argmax_j outcome_j - price * cost_j`` for every unit, shape (n,); ties go to the cheaper arm.

    Args:
        forecast: Of n units.
        price: Outcome units for a unit of cost; infinite: the cheapest arm, of several the most effective.
    """
    return _choices(forecast, price).arm.astype(np.intp)


def spend(forecast: Forecast, price: float) -> float:
    """Total cost of the best arms at a price."""
    return _choices(forecast, price).spend


def shadow_price(forecast: Forecast, budget: float) -> float:
    """The smallest price found at which the best arms cost at most ``budget`` in total; 0 where money is no limit.

    Where even the cheapest arms cost more than the budget, a price at which everybody takes the cheapest.
    """
    bracket = narrowed(forecast, budget)
    if not len(bracket.units):
        return 0.0 if bracket.spend <= budget else steepest(forecast)
    slope = bracket.steps(forecast).steepest_first().price(budget - bracket.spend)
    price, nudge = slope, NUDGE
    while spend(forecast, price) > budget:
        price, nudge = slope * (1 + nudge), nudge * 10
    return price


def steepest(forecast: Forecast) -> float:
    """A price above every slope from a unit's cheapest arm: there everybody takes the cheapest."""
    highest = 0.0
    for rows in chunks(len(forecast.cost)):
        outcome, cost = by_arm(forecast, rows)
        base = cost.argmin(axis=0)[None]
        gain = outcome - np.take_along_axis(outcome, base, axis=0)
        extra = cost - np.take_along_axis(cost, base, axis=0)
        slopes = np.divide(gain, extra, out=np.zeros_like(gain), where=extra > 0)
        highest = max(highest, float(slopes.max()))
    return highest * (1 + ROUNDING) + 1e-12


def total(values: NDArray[np.float32], arm: NDArray[np.integer[Any]]) -> float:
    """Sum over units of the value, shape (n, M), under the arm of each, shape (n,)."""
    return sum(
        float(np.take_along_axis(values[rows], arm[rows, None], axis=1).sum(dtype=np.float64))
        for rows in chunks(len(arm))
    )


@dataclass(slots=True)
class Bracket:
    """Two prices, as the arms that units take there.

    Attributes:
        arm: Shape (n,), at the higher price; together they fit the budget.
        spend: What these cost together.
        units: Shape (k,), the undecided units: those that take a dearer arm at the lower price. None: the arms at price
            0 fit, or not even the cheapest ones do, and ``arm`` are these.
        paid: Shape (k,), what the undecided units cost at the higher price.
        dearer: Shape (k,), their arms at the lower price; with them the budget is overspent.
    """

    arm: Arms
    spend: float
    units: Rows
    paid: NDArray[np.float32]
    dearer: Arms

    def steps(self, forecast: Forecast) -> Increments:
        """The steps that lead from the higher price to the lower one."""
        return climb(forecast, self.units, self.arm[self.units], self.dearer)

    def proposals(self, forecast: Forecast, budget: float) -> tuple[float, float]:
        """Two prices, of which the higher should fit and the lower not, from a sample of the undecided units."""
        every = -(-len(self.units) // SAMPLE)
        sample = self.units[::every]
        steps = climb(forecast, sample, self.arm[sample], self.dearer[::every]).steepest_first()
        at = steps.affordable((budget - self.spend) * len(sample) / len(self.units))
        # How many steps of a sample lie above a price is about Poisson. A miss costs a round, not the result.
        margin = 3 * int(np.sqrt(at + 1))
        higher, lower = np.clip([at - margin, at + margin], 0, len(steps) - 1)
        return float(steps.slope[higher]), float(steps.slope[lower])

    def narrow(self, forecast: Forecast, budget: float, price: float) -> None:
        """Make a price between the two one of them."""
        found = _choices(forecast, price, self.units)
        extra = found.spend - float(self.paid.sum(dtype=np.float64))
        fits = self.spend + extra <= budget
        undecided = found.arm != (self.dearer if fits else self.arm[self.units])
        if not undecided.any():  # rounding: the price is that of an end
            return
        if fits:
            self.arm[self.units] = found.arm
            self.spend += extra
            self.paid = found.paid
        else:
            self.dearer = found.arm
        self.units, self.paid, self.dearer = self.units[undecided], self.paid[undecided], self.dearer[undecided]


def narrowed(forecast: Forecast, budget: float) -> Bracket:
    """A bracket around the price that spends a budget, with few undecided units or with tied ones."""
    cheapest = _choices(forecast, np.inf)
    if cheapest.spend > budget:
        return _decided(cheapest)
    best = _choices(forecast, 0.0)
    if best.spend <= budget:
        return _decided(best)
    units = np.flatnonzero(cheapest.arm != best.arm)
    bracket = Bracket(cheapest.arm, cheapest.spend, units, cheapest.paid[units], best.arm[units])
    for _ in range(ROUNDS):
        before = len(bracket.units)
        if before <= ENOUGH:
            break
        for price in bracket.proposals(forecast, budget):
            bracket.narrow(forecast, budget, price)
        if len(bracket.units) > TIED * before:
            break
    return bracket


class _Choices(NamedTuple):
    """Arms of units and what they cost, shape (k,) each."""

    arm: Arms
    paid: NDArray[np.float32]

    @property
    def spend(self) -> float:
        return float(self.paid.sum(dtype=np.float64))


def _decided(choices: _Choices) -> Bracket:
    nobody = np.empty(0, dtype=np.intp)
    return Bracket(choices.arm, choices.spend, nobody, choices.paid[nobody], choices.arm[nobody])


def _choices(forecast: Forecast, price: float, units: Rows | None = None) -> _Choices:
    """The best arms of some units, of all where None."""
    rows = len(forecast.cost) if units is None else len(units)
    choices = _Choices(np.empty(rows, dtype=np.int16), np.empty(rows, dtype=np.float32))
    for chunk in chunks(rows):
        outcome, cost = by_arm(forecast, chunk if units is None else units[chunk])
        arm = _argmax(outcome - price * cost, -cost) if np.isfinite(price) else _argmax(-cost, outcome)
        choices.arm[chunk] = arm
        choices.paid[chunk] = cost[arm, np.arange(len(arm))]
    return choices


def _argmax(score: NDArray[np.float64], tie: NDArray[np.float64]) -> Arms:
    """The arm with the highest score, of several the one with the highest ``tie``; shapes (M, k) to (k,)."""
    best = score == score.max(axis=0)
    if np.count_nonzero(best) > best.shape[1]:
        ties = np.where(best, tie, -np.inf)
        best = ties == ties.max(axis=0)
    chosen = np.zeros(best.shape[1], dtype=np.int16)
    for arm in range(len(best) - 1, 0, -1):
        np.copyto(chosen, arm, where=best[arm])
    chosen[best[0]] = 0
    return chosen
