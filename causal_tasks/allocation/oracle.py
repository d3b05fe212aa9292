"""Where the truth is known: which share of what a budget could gain the decisions of a forecast gain."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from causal_tasks.allocation.forecast import Forecast
from causal_tasks.allocation.knapsack.lagrangian import best_arms, steepest
from causal_tasks.effects.arguments import finite
from causal_tasks.errors import InputError

HALVINGS = 25

Vector = NDArray[np.float64]


def oracle_gain(forecast: Forecast, truth: Forecast, budgets: Sequence[float] | Vector) -> float:
    """Gain over control as a share of the oracle's, the mean over budgets.

    Every policy takes the best arms of its forecast at the price at which they cost the budget in truth: the score is
    of whom a forecast chooses, not of how well it foresees costs.

    Args:
        forecast: Shape (n, M), control first.
        truth: Shape (n, M), true outcome and cost.
        budgets: Per unit, in units of cost.

    Returns:
        1 for the truth itself, 0 for control, below 0 for what is worse than that.

    Raises:
        InputError: Shapes differ, a budget is below what control costs, or the oracle gains nothing.

    Examples:
        >>> truth = Forecast.checked([[0, 2], [0, 1]], [[0, 1], [0, 1]])
        >>> backwards = Forecast.checked([[0, 1], [0, 2]], [[0, 1], [0, 1]])
        >>> oracle_gain(backwards, truth, budgets=[0.5])
        0.5
    """
    if forecast.outcome.shape != truth.outcome.shape:
        raise InputError(
            f"forecast has shape {forecast.outcome.shape}, truth {truth.outcome.shape}",
            remedy="predict every arm of the units whose truth is known",
        )
    money, control = finite(budgets, name="budgets"), _means(truth, np.zeros(len(truth.cost), dtype=np.intp))
    if not len(money) or (money < control[1]).any():
        raise InputError(
            f"budgets are {money.tolist()} per unit, control costs {control[1]:g}",
            remedy="pass at least one, none below what control costs",
        )
    best, found = (np.array([_outcome_at(f, truth, budget) for budget in money]) for f in (truth, forecast))
    if not (best > control[0]).all():
        raise InputError("the oracle gains nothing over control", remedy="pass effects some of which are positive")
    return float(np.mean((found - control[0]) / (best - control[0])))


def _outcome_at(forecast: Forecast, truth: Forecast, budget: float) -> float:
    """True mean outcome of the two policies whose prices bracket the budget, mixed so that they spend it in truth."""
    low = _means(truth, best_arms(forecast, 0.0))
    if low[1] <= budget:
        return low[0]
    high = _means(truth, best_arms(forecast, np.inf))
    if high[1] > budget:
        return _mixed(high, _means(truth, np.zeros(len(truth.cost), dtype=np.intp)), budget)
    below, above = 0.0, steepest(forecast)
    for _ in range(HALVINGS):
        middle = (below + above) / 2
        at = _means(truth, best_arms(forecast, middle))
        if at[1] > budget:
            below, low = middle, at
        else:
            above, high = middle, at
    return _mixed(low, high, budget)


def _mixed(dear: tuple[float, float], cheap: tuple[float, float], budget: float) -> float:
    share = (budget - cheap[1]) / (dear[1] - cheap[1])
    return cheap[0] + share * (dear[0] - cheap[0])


def _means(truth: Forecast, arm: NDArray[np.intp]) -> tuple[float, float]:
    """True mean outcome and cost when each unit gets its arm."""
    outcome, cost = (float(np.take_along_axis(v, arm[:, None], axis=1).mean(dtype=np.float64)) for v in truth)
    return outcome, cost
