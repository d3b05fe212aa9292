"""The budgets that are likely, and the price of money at which each would be spent."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from causal_tasks.allocation.forecast import ROUNDING, Forecast
from causal_tasks.allocation.knapsack.path import BudgetPath
from causal_tasks.effects.arguments import finite, require_rows
from causal_tasks.errors import InputError

Vector = NDArray[np.float64]

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
"""Of the way from everybody's cheapest arm to the dearest: the budgets where none are declared."""


@dataclass(frozen=True, slots=True)
class BudgetPrices:
    """The distribution of a budget that is not known yet, with its prices.

    Attributes:
        budgets: Per unit, in units of cost, shape (L,).
        weights: How likely each is, together 1, shape (L,).
        prices: Outcome units for a unit of cost, shape (L,).
        cheapest: What the cheapest arm for everybody costs per unit, by the forecast.
    """

    budgets: Vector
    weights: Vector
    prices: Vector
    cheapest: float = 0.0

    @classmethod
    def of(cls, forecast: Forecast, budgets: Sequence[float] | None, weights: Sequence[float] | None) -> Self:
        """Those of the units of a forecast.

        Args:
            forecast: Its costs should be about right: it prices the budgets.
            budgets: Per unit, above zero; None: ``default_budgets``.
            weights: How likely each budget is; only their ratios count. None: all alike.

        Raises:
            InputError: A budget or weight is not finite or not above zero, or there is not one weight for each budget.
        """
        amounts = _positive(default_budgets(forecast) if budgets is None else budgets, name="budgets")
        likely = np.ones(len(amounts)) if weights is None else _positive(weights, name="budget_weights")
        require_rows(len(likely), name="budget_weights", rows=len(amounts))
        cheapest = float(forecast.cost.min(axis=1).mean(dtype=np.float64))
        return cls(amounts, likely / likely.sum(), prices_of(forecast, amounts), cheapest)

    @property
    def notes(self) -> tuple[str, ...]:
        """``budget_below_cheapest:<budget>`` for every budget that the forecast cannot keep.

        Its price is one at which everybody takes the cheapest arm. A forecast of few units may be that wrong; whether
        an allocation can keep the budget, the solver tells.
        """
        below = self.budgets[self.budgets < self.cheapest * (1 - ROUNDING)]
        return tuple(f"budget_below_cheapest:{budget:g}" for budget in below)


def default_budgets(forecast: Forecast) -> Vector:
    """10, 20, …, 60 % of the way from what everybody's cheapest arm costs to what the dearest does, shape (6,).

    Raises:
        InputError: All arms of a unit cost the same.
    """
    low, high = (float(edge(forecast.cost, axis=1).mean(dtype=np.float64)) for edge in (np.min, np.max))
    if high == low:
        raise InputError(
            f"every arm costs {low:g} per unit, so that no budget decides anything",
            remedy="declare what arms cost, or choose arms by their outcomes alone",
        )
    return low + np.array(SHARES) * (high - low)


def prices_of(forecast: Forecast, budgets: Vector) -> Vector:
    """The price at which the best arms of a forecast cost each budget, shape (L,).

    It is 0 where money is no limit, and beyond every slope where not even the cheapest arms keep the budget.

    Args:
        forecast: Of n units.
        budgets: Per unit, shape (L,).
    """
    path = BudgetPath.of(forecast)
    kept = np.searchsorted(path.spend, budgets * len(forecast.cost), side="right") - 1
    return np.where(kept < 0, path.price[0] * (1 + ROUNDING), path.price[np.maximum(kept, 0)])


def score_spread(forecast: Forecast, prices: Vector) -> float:
    """Standard deviation of a unit's scores, outcome less price times cost, around their mean over arms.

    It is the unit of temperatures and of gaps between scores, so that these mean the same whatever an outcome is
    measured in. 1 where all arms score alike.

    Args:
        forecast: Of n units.
        prices: Shape (L,); the spread is that over all of them.
    """
    squares = 0.0
    for price in prices:
        scores = forecast.outcome - np.float32(price) * forecast.cost
        squares += float(scores.var(axis=1, dtype=np.float64).mean())
    return float(np.sqrt(squares / len(prices))) or 1.0


def _positive(values: Sequence[float] | Vector, *, name: str) -> Vector:
    numbers = finite(values, name=name)
    if not len(numbers) or not (numbers > 0).all():
        raise InputError(f"{name} are {numbers.tolist()}", remedy="pass at least one, all above zero")
    return numbers
