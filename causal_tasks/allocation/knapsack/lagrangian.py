"""At a price of money every unit decides for itself; the price that spends the budget is found by bisection."""

import numpy as np
from numpy.typing import NDArray

from causal_tasks.allocation.forecast import Forecast

ITERATIONS = 60


def best_arms(forecast: Forecast, price: float) -> NDArray[np.intp]:
    """``argmax_j outcome_j - price * cost_j`` for every unit, shape (n,); ties go to the cheaper arm."""
    score = forecast.outcome - np.float32(price) * forecast.cost
    arm: NDArray[np.intp] = score.argmax(axis=1)
    return arm


def shadow_price(forecast: Forecast, budget: float) -> float:
    """The smallest price found at which the best arms cost at most ``budget`` in total; 0 where money is no limit."""
    if spend(forecast, 0.0) <= budget:
        return 0.0
    low, high = 0.0, steepest(forecast)
    for _ in range(ITERATIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if spend(forecast, middle) <= budget else (middle, high)
    return high


def spend(forecast: Forecast, price: float) -> float:
    """Total cost of the best arms at a price."""
    arm = best_arms(forecast, price)
    return float(np.take_along_axis(forecast.cost, arm[:, None], axis=1).sum(dtype=np.float64))


def steepest(forecast: Forecast) -> float:
    """A price above every slope from a unit's cheapest arm: there everybody takes the cheapest."""
    cheapest = forecast.cost.argmin(axis=1)[:, None]
    gain = forecast.outcome - np.take_along_axis(forecast.outcome, cheapest, axis=1)
    extra = forecast.cost - np.take_along_axis(forecast.cost, cheapest, axis=1)
    slopes = np.divide(gain, extra, out=np.zeros_like(gain), where=extra > 0)
    return float(slopes.max()) * 1.000001 + 1e-12
