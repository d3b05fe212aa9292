"""Stage ``evaluate``: what the chosen method brings, on users that neither it nor the choice has seen."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from causal_tasks.allocation.comparison import CONTROL, SAME_MIX, Comparison
from causal_tasks.allocation.forecast import Forecast
from causal_tasks.allocation.knapsack import Allocation, allocate
from causal_tasks.allocation.stages.choose import compared
from causal_tasks.allocation.stages.fit import read_forecast
from causal_tasks.allocation.stages.users import BudgetUsers
from causal_tasks.run_folder import StageContext
from causal_tasks.storage import Uri

CURVE_POINTS = 10
"""Budgets, evenly spaced up to what the dearest arm costs for everybody, at which the curves are drawn."""

_CHOSEN, _TWO_STAGE = "chosen", "two_stage"
_NAMES = {_CHOSEN: _CHOSEN, _TWO_STAGE: _TWO_STAGE, SAME_MIX: "constant", CONTROL: "control"}
"""What policies are called in the result."""


def evaluate(context: StageContext) -> dict[str, Uri]:
    """Write ``evaluation``: outcome and cost by policy and budget, differences, and curves, on the benefit scale."""
    planned, choice = (context.read_json(stage, name) for stage, name in (("plan", "plan"), ("choose", "choice")))
    users = BudgetUsers.read(context)
    roles = {_CHOSEN: choice["chosen"], _TWO_STAGE: choice["baseline"]}
    if roles[_TWO_STAGE] in (None, roles[_CHOSEN]):
        del roles[_TWO_STAGE]
    wanted = {name for name in (*roles.values(), choice["nuisance"]) if name}
    read = {name: read_forecast(context, name, users, users.measured) for name in wanted}
    forecasts = {role: read[name] for role, name in roles.items()}
    nuisance = read[choice["nuisance"]] if choice["nuisance"] else None
    budgets, weights = planned["budgets"], planned["weights"]
    low, high = planned["spend_range"]
    drawn = low + (high - low) * np.arange(1, CURVE_POINTS + 1) / CURVE_POINTS if high > low else np.array([])
    # Points of the curves weigh nothing in the mean over the budgets that are stated.
    likely = [*weights, *np.zeros(len(drawn))]
    spent = [_as_assigned(forecasts[_CHOSEN], budget) for budget in budgets]
    given = {_CHOSEN: [allocation.arm for allocation in spent]}
    found = compared(users, users.measured, forecasts, [*budgets, *drawn], likely, nuisance, given)
    evaluation = {
        "budgets": [
            {
                "policies": _policies(found, at),
                "differences": _differences(found, at),
                "constant_shares": dict(zip(context.experiment.arms, found.same_mix_shares[at].tolist(), strict=True)),
                "allocated_cost": found.allocated_cost(_CHOSEN, at).model_dump(mode="json"),
                "notes": [*_notes(found, budget), *_off_forecast(found, at, spent[at])],
            }
            for at, budget in enumerate(budgets)
        ],
        "overall": _differences(found, None),
        "curve": _curve(found, range(len(budgets), len(budgets) + len(drawn))),
    }
    return {"evaluation": context.write_json("evaluation.json", evaluation)}


def _as_assigned(forecast: Forecast, budget: float) -> Allocation:
    """What the stage ``assign`` would give these users alone, who cost the budget if the forecast is right."""
    return allocate(forecast.outcome, forecast.cost, budget=budget * len(forecast.cost))


def _off_forecast(found: Comparison, at: int, spent: Allocation) -> list[str]:
    """A code where the arms given cost beyond noise more or less than was forecast of them."""
    low, high = found.allocated_cost(_CHOSEN, at).interval
    forecast = spent.cost / len(spent.arm)
    return ["file_overspends"] if low > forecast else ["file_underspends"] if high < forecast else []


def _policies(found: Comparison, at: int) -> dict[str, Any]:
    told: dict[str, Any] = dict.fromkeys(_NAMES.values())
    for name in found.names:
        outcome, cost = found.outcome(name, at), found.cost(name, at)
        told[_NAMES[name]] = {"outcome": outcome.model_dump(mode="json"), "cost": cost.model_dump(mode="json")}
    return told


def _differences(found: Comparison, at: int | None) -> dict[str, Any]:
    others = {f"vs_{role}": name for name, role in _NAMES.items() if name != _CHOSEN}
    return {
        key: found.difference(_CHOSEN, name, at).model_dump(mode="json") if name in found.names else None
        for key, name in others.items()
    }


def _notes(found: Comparison, budget: float) -> list[str]:
    """Codes of the chosen method's notes that are about this budget."""
    marked = (note.rpartition(":") for note in found.notes[_CHOSEN])
    return [code for code, _, about in marked if about == f"{budget:g}"]


def _curve(found: Comparison, points: Sequence[int]) -> dict[str, list[dict[str, float]]]:
    """By policy, spend and gain over control with its interval, from control for everybody where nothing costs less."""
    start = {"spend": found.cost(CONTROL, 0).estimate, "gain": 0.0, "low": 0.0, "high": 0.0}
    curves = {name: [_point(found, name, at) for at in points] for name in found.names if name != CONTROL}
    return {
        _NAMES[name]: curve if curve and curve[0]["spend"] < start["spend"] else [start, *curve]
        for name, curve in curves.items()
    }


def _point(found: Comparison, name: str, at: int) -> dict[str, float]:
    gain = found.difference(name, CONTROL, at)
    low, high = gain.interval
    return {"spend": found.cost(name, at).estimate, "gain": gain.estimate, "low": low, "high": high}
