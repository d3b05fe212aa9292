"""Who gets which arm, what that brings and costs, and what more money would bring."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from causal_tasks.allocation.forecast import ROUNDING, Forecast
from causal_tasks.allocation.knapsack.hulls import Arms, Increments
from causal_tasks.allocation.knapsack.lagrangian import total
from causal_tasks.effects.arguments import finite
from causal_tasks.errors import InputError

Method = Literal["lagrangian", "greedy", "milp"]

NOT_BINDING = "budget_not_binding"
"""Note of an allocation that more money would not improve."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """One arm for every unit, within a budget.

    Attributes:
        arm: Shape (n,), column of the forecast.
        value: Total outcome that the forecast promises.
        cost: Total cost by the forecast, at most ``budget``.
        budget: Total that might be spent.
        shadow_price: Lambda, outcome units for a unit of cost: every unit gets ``argmax_j outcome_j - lambda cost_j``,
            but for those in which the last of the money goes. 0 where money is no limit. Among capacities and
            guardrails, the multiplier of the budget.
        marginal_return: Outcome that the next unit of money brings: the slope of the steepest step not taken for want
            of it, which is ``shadow_price`` where fractions of a unit count.
        method: That found it.
        notes: ``budget_not_binding``: more money would not raise the value. ``gap:<g>``: the best allocation there is
            brings at most g outcome units more.
    """

    arm: NDArray[np.intp]
    value: float
    cost: float
    budget: float
    shadow_price: float
    marginal_return: float
    method: Method
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        forecast: Forecast,
        arm: NDArray[Any],
        *,
        budget: float,
        price: float,
        gap: float,
        method: Method,
    ) -> "Allocation":
        """What these arms bring and cost.

        Args:
            forecast: Of n units.
            arm: Shape (n,).
            budget: Total.
            price: Of money at this budget; 0: it is no limit.
            gap: Outcome by which a better allocation may exceed this one.
            method: That found the arms.
        """
        notes = [NOT_BINDING] if price == 0 else []
        if gap > 0:
            notes.append(f"gap:{gap:.3g}")
        value, cost = (total(values, arm) for values in forecast)
        return cls(arm.astype(np.intp), value, cost, budget, float(price), float(price), method, tuple(notes))


def purchased(
    forecast: Forecast, arm: Arms, steps: Increments, money: float, *, budget: float, method: Method
) -> Allocation:
    """The allocation after the money has been spent on steps.

    Args:
        forecast: Of n units.
        arm: Shape (n,), before.
        steps: From these arms, steepest first.
        money: That is left.
        budget: Total, of which ``money`` is the rest.
        method: That found the steps.
    """
    bought, whole = steps.bought(money), steps.affordable(money)
    price = steps.price(money)
    relaxed = float(steps.gain[:whole].sum()) + price * (money - float(steps.cost[:whole].sum()))
    arm = arm.copy()
    arm[steps.unit[bought]] = steps.arm[bought]  # the last step of a unit stands last, and holds
    gap = relaxed - float(steps.gain[bought].sum())
    return Allocation.of(forecast, arm, budget=budget, price=price, gap=gap, method=method)


def checked_budget(budget: object) -> float:
    """A total budget, zero or more.

    Raises:
        InputError: It is no finite number, or negative.
    """
    amount = float(finite(budget, name="budget", dimensions=(0,)))  # type: ignore[arg-type]
    if amount < 0:
        raise InputError(f"budget is {amount:g}", remedy="pass the total for all units, zero or more")
    return amount


def affordable(budget: float, cheapest: float) -> float:
    """The budget, or what the cheapest arms cost where that is the same but for rounding.

    Raises:
        InputError: They cost more than rounding explains.
    """
    if cheapest > budget * (1 + ROUNDING):
        raise InputError(
            f"budget {budget:.9g} is below {cheapest:.9g}, what the cheapest arms cost",
            remedy="raise the budget (the total for all units), or leave units out",
        )
    return max(budget, cheapest)
