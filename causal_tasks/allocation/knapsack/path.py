"""All budgets at once: the steps of every unit's hull, bought in the order of what they bring for money."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_tasks.allocation.forecast import Forecast
from causal_tasks.allocation.knapsack.allocation import Allocation, affordable, checked_budget, purchased
from causal_tasks.allocation.knapsack.hulls import Arms, Increments, climb
from causal_tasks.allocation.knapsack.lagrangian import best_arms, total

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BudgetPath:
    """What every budget brings when one unit may be split between two arms: the best that is possible, or hardly more.

    Attributes:
        spend: Shape (K + 1,), rising from the cost of the cheapest arms to that of the most effective ones, all units
            together. Between two points the value is a straight line.
        value: Shape (K + 1,), total outcome there.
        price: Shape (K + 1,), what the next unit of money brings, falling to 0.
    """

    spend: Vector
    value: Vector
    price: Vector
    _forecast: Forecast = field(repr=False)
    _cheapest: Arms = field(repr=False)
    _steps: Increments = field(repr=False)

    @classmethod
    def of(cls, forecast: Forecast) -> Self:
        """The path of a forecast; takes about 50 bytes for each of at most n (M - 1) steps."""
        cheapest, best = (best_arms(forecast, price).astype(np.int16) for price in (np.inf, 0.0))
        steps = climb(forecast, np.arange(len(cheapest)), cheapest, best).steepest_first()
        start = (total(values, cheapest) for values in (forecast.cost, forecast.outcome))
        spend, value = (
            first + np.concatenate([[0.0], np.cumsum(added)])
            for first, added in zip(start, (steps.cost, steps.gain), strict=True)
        )
        return cls(spend, value, np.append(steps.slope, 0.0), forecast, cheapest, steps)

    def value_at(self, budget: float) -> float:
        """Total outcome that a total budget brings; beyond the path its end.

        Raises:
            InputError: The budget is not finite, or below what the cheapest arms cost.
        """
        return float(np.interp(self._affordable(budget), self.spend, self.value))

    def shadow_price(self, budget: float) -> float:
        """What the next unit of money brings, outcome units for a unit of cost; 0 beyond the path.

        Raises:
            InputError: As for ``value_at``.
        """
        return float(self.price[np.searchsorted(self.spend, self._affordable(budget), side="right") - 1])

    def allocation(self, budget: float) -> Allocation:
        """An arm for every unit within a total budget.

        Raises:
            InputError: As for ``value_at``.
        """
        money = self._affordable(budget) - float(self.spend[0])
        return purchased(self._forecast, self._cheapest, self._steps, money, budget=budget, method="greedy")

    def _affordable(self, budget: float) -> float:
        return affordable(checked_budget(budget), float(self.spend[0]))


def budget_path(outcome: ArrayLike, cost: ArrayLike) -> BudgetPath:
    """What every budget brings, and who gets which arm.

    Args:
        outcome: Shape (n, M), levels, larger is better.
        cost: Shape (n, M), or (M,) where an arm costs the same for everybody; not negative.

    Raises:
        InputError: A shape differs, a value is not finite, or a cost is negative.

    Source: Sinha, Zoltners (1979), "The multiple-choice knapsack problem"; as a path over budgets Sverdrup, Wu, Athey,
    Wager (2025), "Qini curves for multi-armed treatment rules".

    Examples:
        >>> path = budget_path([[0.0, 2.0, 3.0], [0.0, 1.0, 1.5]], [0.0, 1.0, 2.0])
        >>> path.spend.tolist(), path.value.tolist(), path.price.tolist()
        ([0.0, 1.0, 2.0, 3.0, 4.0], [0.0, 2.0, 3.0, 4.0, 4.5], [2.0, 1.0, 1.0, 0.5, 0.0])
    """
    return BudgetPath.of(Forecast.checked(outcome, cost))
