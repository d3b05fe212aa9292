"""What the decisions of a forecast are worth on units of an experiment that it was not learned from."""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from causal_tasks.allocation.forecast import Forecast
from causal_tasks.allocation.knapsack.lagrangian import best_arms
from causal_tasks.allocation.networks.prices import BudgetPrices, prices_of
from causal_tasks.allocation.responses import Responses
from causal_tasks.evaluation.scores import mean_scores

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


class UnbiasedLevels(NamedTuple):
    """Of every unit under every arm; their mean over a group is unbiased for the group's.

    Attributes:
        outcome: Shape (n, M).
        cost: Shape (n, M).
    """

    outcome: Matrix
    cost: Matrix

    @classmethod
    def of(cls, data: Responses, means: Forecast) -> Self:
        """Augmented inverse-propensity levels; those of arms that a unit was not in are ``means``.

        Args:
            data: Of an experiment.
            means: From models that have not seen the units.
        """
        return cls(_levels(data.outcome, means.outcome, data), _levels(data.cost, means.cost, data))


@dataclass(frozen=True, slots=True)
class DecisionValue:
    """Mean outcome net of what is spent beyond the budget, over budgets by their weights.

    The price that spends a budget is found as in use, from the predicted costs of these very units. Where the units
    would in truth cost more than was predicted, the excess is charged at the price of ``prices``, and credited where
    they cost less, so that no forecast gains by being wrong about costs.

    Attributes:
        levels: Of the units.
        prices: Budgets and what their money is worth.
    """

    levels: UnbiasedLevels
    prices: BudgetPrices

    def of_units(self, forecast: Forecast) -> Vector:
        """Value of every unit, shape (n,), outcome units: its mean is the value, its spread the uncertainty."""
        values = np.zeros(len(forecast.outcome))
        solved = prices_of(forecast, self.prices.budgets)
        for budget, weight, worth, price in zip(*self._scenarios, solved, strict=True):
            arm = best_arms(forecast, float(price))[:, None]
            outcome, cost = (np.take_along_axis(levels, arm, axis=1)[:, 0] for levels in self.levels)
            values += weight * (outcome - worth * (cost - budget))
        return values

    @property
    def _scenarios(self) -> tuple[Vector, Vector, Vector]:
        return self.prices.budgets, self.prices.weights, self.prices.prices


def _levels(observed: Vector, means: NDArray[np.float32], data: Responses) -> Matrix:
    return np.column_stack(
        [
            mean_scores(observed, data.arm == arm, means[:, arm], data.propensity[:, arm])
            for arm in range(len(data.labels))
        ]
    )
