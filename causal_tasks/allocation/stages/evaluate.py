"""Stage ``evaluate``: what the chosen method brings, on users that neither it nor the choice has seen."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from causal_tasks.allocation.comparison import CONTROL, SAME_MIX, Comparison
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
    found = compared(
        users, users.measured, forecasts, [*budgets, *drawn], np.ones(len(budgets) + len(drawn)).tolist(), nuisance
    )
    # Points of the curves weigh nothing in the mean over the budgets that are stated.
    found = replace(found, weights=np.array([*weights, *np.zeros(len(drawn))]))
    evaluation = {
        "budgets": [
            {
                "policies": _policies(found, at),
                "differences": _differences(found, at),
                "constant_shares": dict(zip(context.experiment.arms, found.same_mix_shares[at].tolist(), strict=True)),
                "notes": _notes(found, budget),
            }
            for at, budget in enumerate(budgets)
        ],
        "overall": _differences(found, None),
        "curve": _curve(found, range(len(budgets), len(budgets) + len(drawn))),
    }
    return {"evaluation": context.write_json("evaluation.json", evaluation)}


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
    """By policy, spend and gain over control with its interval, from control for everybody upwards."""
    start = {"spend": found.cost(CONTROL, 0).estimate, "gain": 0.0, "low": 0.0, "high": 0.0}
    return {
        _NAMES[name]: [start, *(_point(found, name, at) for at in points)] for name in found.names if name != CONTROL
    }


def _point(found: Comparison, name: str, at: int) -> dict[str, float]:
    gain = found.difference(name, CONTROL, at)
    low, high = gain.interval
    return {"spend": found.cost(name, at).estimate, "gain": gain.estimate, "low": low, "high": high}
