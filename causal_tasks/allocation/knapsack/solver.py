"""Spends a budget: one arm for every unit, by the method asked for."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike

from causal_tasks.allocation.forecast import Forecast, Matrix
from causal_tasks.allocation.knapsack.allocation import (
    Allocation,
    Method,
    affordable,
    checked_budget,
    purchased,
)
from causal_tasks.allocation.knapsack.lagrangian import narrowed, total
from causal_tasks.allocation.knapsack.limits import Guardrail, Limit, side_limits
from causal_tasks.allocation.knapsack.milp import LARGEST, exact_arms
from causal_tasks.allocation.knapsack.path import BudgetPath
from causal_tasks.allocation.knapsack.relaxation import Relaxation, relax
from causal_tasks.allocation.knapsack.rounding import rounded
from causal_tasks.errors import InputError


def allocate(
    outcome: ArrayLike,
    cost: ArrayLike,
    *,
    budget: float,
    method: Method = "lagrangian",
    capacity: Mapping[Any, float] | None = None,
    guardrails: Sequence[Guardrail] = (),
    arms: Sequence[Any] | None = None,
) -> Allocation:
    """The arm of every unit with the highest total outcome that a budget allows.

    Args:
        outcome: Shape (n, M), levels, larger is better; float32 is not copied.
        cost: Shape (n, M), or (M,) where an arm costs the same for everybody; not negative.
        budget: Total for all units, in units of cost.
        method: ``lagrangian``: any size, within one step of a hull of the best, or as near as the note ``gap`` says
            among capacities and guardrails. ``greedy``: the same from the whole budget path, for a budget alone.
            ``milp``: the best, for at most 100,000 units times arms; several limits together can take minutes, and end
            with a ``gap`` too.
        capacity: By arm, how many units it can take at most.
        guardrails: Bounds on other totals.
        arms: Labels of the columns, for ``capacity`` and messages; None: 0, 1, ….

    Raises:
        InputError: An argument has another shape or is no number, a cost or the budget is negative, the method is
            unknown or cannot do what is asked, or budget, capacities and guardrails cannot be kept, alone or together.

    Source: Sinha, Zoltners (1979), "The multiple-choice knapsack problem"; Everett (1963), "Generalized Lagrange
    multiplier method".

    Examples:
        >>> found = allocate([[0.0, 2.0, 3.0], [0.0, 1.0, 1.5]], [0.0, 1.0, 2.0], budget=2)
        >>> found.arm.tolist(), found.value, found.shadow_price
        ([1, 1], 3.0, 1.0)
    """
    forecast, amount = Forecast.checked(outcome, cost), checked_budget(budget)
    if method not in get_args(Method):
        raise InputError(f"method {method!r} is unknown", remedy=f"use {', '.join(get_args(Method))}")
    side = side_limits(forecast, capacity, guardrails, arms)
    if method == "greedy":
        if side:
            raise InputError(
                f"method 'greedy' knows a budget only, not {', '.join(limit.name for limit in side)}",
                remedy="use lagrangian or milp",
            )
        return BudgetPath.of(forecast).allocation(amount)
    alone = _lagrangian(forecast, amount)
    if method == "milp":
        return _exact(forecast, alone.budget, side, start=alone.shadow_price)
    if all(limit.used(alone.arm) <= limit.bound for limit in side):
        return alone
    return _within_limits(forecast, alone.budget, side, start=alone.shadow_price)


def _lagrangian(forecast: Forecast, budget: float) -> Allocation:
    bracket = narrowed(forecast, budget)
    budget = affordable(budget, bracket.spend)
    steps = bracket.steps(forecast).steepest_first()
    return purchased(forecast, bracket.arm, steps, budget - bracket.spend, budget=budget, method="lagrangian")


def _within_limits(forecast: Forecast, budget: float, side: Sequence[Limit], *, start: float) -> Allocation:
    limits = [Limit("the budget", forecast.cost, 1.0, budget), *side]
    relaxation = _relaxed(forecast, limits, start)
    if relaxation.at_highest.any():
        _require_feasible(forecast.outcome, limits)
    if (arm := rounded(forecast.outcome, limits, relaxation)) is None:
        raise _unmet(limits)
    gap = relaxation.bound - total(forecast.outcome, arm)
    price = relaxation.multipliers[0]
    return Allocation.of(forecast, arm, budget=budget, price=price, gap=gap, method="lagrangian")


def _exact(forecast: Forecast, budget: float, side: Sequence[Limit], *, start: float) -> Allocation:
    if forecast.cost.size > LARGEST:
        raise InputError(
            f"method 'milp' takes at most {LARGEST:,} units times arms, there are {forecast.cost.size:,}",
            remedy="use lagrangian, which is close to exact for many units",
        )
    limits = [Limit("the budget", forecast.cost, 1.0, budget), *side]
    found = exact_arms(forecast.outcome, limits)
    if found is None:
        _require_feasible(forecast.outcome, limits)
        raise _unmet(limits)
    price = _relaxed(forecast, limits, start).multipliers[0] if side else start
    return Allocation.of(forecast, found.arm, budget=budget, price=price, gap=found.gap, method="milp")


def _relaxed(forecast: Forecast, limits: Sequence[Limit], price: float) -> Relaxation:
    """Begun at the price of money of the budget alone."""
    return relax(forecast.outcome, limits, start=np.array([price, *np.zeros(len(limits) - 1)]))


def _require_feasible(outcome: Matrix, limits: Sequence[Limit]) -> None:
    """Refuse limits that cannot be met together even when units are split, by Farkas' lemma."""
    nothing = np.broadcast_to(np.float32(0), outcome.shape)
    found = relax(nothing, limits, start=np.zeros(len(limits)), highest=1.0)
    if found.bound < -1e-6:
        raise _unmet([limit for limit, weight in zip(limits, found.multipliers, strict=True) if weight > 0])


def _unmet(limits: Sequence[Limit]) -> InputError:
    stated = "; ".join(f"{limit.name} {limit.sign * limit.bound:.9g}" for limit in limits)
    return InputError(f"no arms keep all of: {stated}", remedy="loosen one of them")
