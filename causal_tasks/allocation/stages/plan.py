"""Stage ``plan``: whether a budget can be spent on what the experiment shows, and by which methods."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from causal_tasks.allocation.methods import BASELINE, is_two_stage, method
from causal_tasks.allocation.policy_evaluation import FEWEST_GROUPS
from causal_tasks.allocation.responses import SMALLEST_ARM
from causal_tasks.allocation.stages.users import BudgetUsers
from causal_tasks.allocation.statement import stated_budgeting
from causal_tasks.errors import InputError
from causal_tasks.experiment import Budgeting, Experiment
from causal_tasks.run_folder import StageContext
from causal_tasks.storage import Uri

Arm = Mapping[str, Mapping[str, Any]]
"""``users`` and ``cost`` by what users are for."""

FEWEST_CLUSTERS = 2 * FEWEST_GROUPS
"""Clusters that show what a policy brings: on half of them its price is chosen, on the others the outcome is read."""


def plan(context: StageContext) -> dict[str, Uri]:
    """Write ``items``, the methods, and ``plan``, what they are to do; no method where the data cannot be trusted.

    Raises:
        InputError: The statement does not fit the data: arms were not randomised, a method is unknown or lacks logs, a
            cost is negative, an arm has too few users, users are of too few clusters, a budget is below what the
            cheapest arm costs.
    """
    experiment = context.experiment
    budgeting = stated_budgeting(experiment)
    _require_randomised(experiment)
    methods = planned_methods(budgeting)
    _require_logs(context, budgeting)
    verdict, users = context.read_json("validate", "verdict"), BudgetUsers.read(context)
    planned = {"methods": [], "notes": [], "spend_range": None} | _users(users) | _budgets(budgeting)
    if verdict["status"] != "invalid" and verdict["mining"]:
        _require_costs(users)
        arms = {label: _arm(users, position) for position, label in enumerate(experiment.arms)}
        _require_users(arms)
        _require_clusters(users)
        _require_affordable(budgeting, arms)
        spend = [arm["fitted"]["cost"] for arm in arms.values()]
        planned |= {
            "methods": list(methods),
            "notes": list(_notes(budgeting, methods, dict(zip(arms, spend, strict=True)), experiment)),
            "spend_range": [min(spend), max(spend)],
        }
    return {
        "items": context.write_json("items.json", planned["methods"]),
        "plan": context.write_json("plan.json", planned),
    }


def planned_methods(budgeting: Budgeting) -> tuple[str, ...]:
    """The methods that are compared: those stated and, where none of them is two-stage, ``BASELINE`` before them.

    Raises:
        InputError: One is unknown, or learns from logs and there are none.
    """
    methods = budgeting.methods
    if not any(map(is_two_stage, methods)):
        methods = (BASELINE, *methods)
    for name in methods:
        if method(name).resolve().USES_LOGS and budgeting.logs is None:
            raise InputError(
                f"budgeting.methods: {name!r} learns from logs besides the experiment, and budgeting.logs states none",
                remedy="state budgeting.logs, or leave the method out",
            )
    return methods


def _require_randomised(experiment: Experiment) -> None:
    if not experiment.randomized:
        raise InputError(
            f"experiment {experiment.experiment_id!r} was not randomised, so that nobody knows how likely each arm was",
            remedy="learn from a randomised experiment; other rows may help as budgeting.logs",
        )


def _require_logs(context: StageContext, budgeting: Budgeting) -> None:
    logs = budgeting.logs
    if logs and not context.storage.list_files(logs.uri, hash_local=False):
        raise InputError(f"budgeting.logs: there is no file at or under {logs.uri}", remedy="correct the address")


def _require_costs(users: BudgetUsers) -> None:
    negative = users.cost < 0
    if negative.any():
        row, cost = int(np.argmax(negative)), stated_budgeting(users.experiment).cost
        raise InputError(
            f"users: the cost {cost!r} is negative in {int(negative.sum())} of {len(users)} rows (first: unit "
            f"{users.frame['unit'].iloc[row]}, {users.cost[row]:g})",
            remedy="count what an arm brings as outcome; costs are zero or more",
        )


def _require_users(arms: Mapping[str, Arm]) -> None:
    for label, arm in arms.items():
        for purpose, found in arm.items():
            if found["users"] < SMALLEST_ARM:
                raise InputError(
                    f"arm {label!r} has {found['users']} users with outcome and cost among those on whom methods are "
                    f"{purpose}, fewer than {SMALLEST_ARM}",
                    remedy="leave the arm out of treatments, or wait for more users in it",
                )


def _require_clusters(users: BudgetUsers) -> None:
    if not users.experiment.cluster:
        return
    for purpose, rows in {"compared": users.compared, "measured": users.measured}.items():
        clusters = users.frame["cluster"][rows].nunique()
        if clusters < FEWEST_CLUSTERS:
            raise InputError(
                f"{users.experiment.cluster!r} has {clusters} clusters among the users on whom methods are {purpose}, "
                f"fewer than {FEWEST_CLUSTERS}",
                remedy="wait for more clusters",
            )


def _require_affordable(budgeting: Budgeting, arms: Mapping[str, Arm]) -> None:
    # Whoever measures a policy must be able to afford it on those users too.
    for purpose in next(iter(arms.values())):
        cost = {label: arm[purpose]["cost"] for label, arm in arms.items()}
        cheapest = min(cost, key=cost.__getitem__)
        if short := [budget for budget in budgeting.budgets if budget < cost[cheapest]]:
            raise InputError(
                f"budgeting.budgets {short} lie below {cost[cheapest]:.4g}, what a user costs on average in "
                f"{cheapest!r}, the cheapest arm",
                remedy="raise these budgets, which count what control costs too, or add an arm that costs less",
            )


def _notes(
    budgeting: Budgeting, methods: tuple[str, ...], cost: Mapping[str, float], experiment: Experiment
) -> Iterator[str]:
    yield from (f"cheaper_than_control:{arm}" for arm in experiment.treatments if cost[arm] < cost[experiment.control])
    yield from (f"budget_above_dearest:{budget!r}" for budget in budgeting.budgets if budget > max(cost.values()))
    yield from (f"baseline_added:{name}" for name in methods if name not in budgeting.methods)
    if budgeting.logs and not any(method(name).resolve().USES_LOGS for name in methods):
        yield "logs_unused"


def _arm(users: BudgetUsers, position: int) -> Arm:
    """How many users of an arm serve for what, and what they cost on average."""
    purposes = {"fitted": users.fitted, "compared": users.compared, "measured": users.measured}
    inside = {purpose: users.cost[rows & (users.arm == position)] for purpose, rows in purposes.items()}
    return {
        purpose: {"users": len(cost), "cost": float(cost.mean()) if len(cost) else 0.0}
        for purpose, cost in inside.items()
    }


def _users(users: BudgetUsers) -> dict[str, Any]:
    return {
        "users": {
            "fitted": int(users.fitted.sum()),
            "compared": int(users.compared.sum()),
            "measured": int(users.measured.sum()),
            "without_values": int((~users.known).sum()),
            "all": len(users),
        }
    }


def _budgets(budgeting: Budgeting) -> dict[str, Any]:
    budgets = list(budgeting.budgets)
    return {"budgets": budgets, "weights": list(budgeting.weights or [1 / len(budgets)] * len(budgets))}
