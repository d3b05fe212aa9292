"""Stage ``choose``: which method spends the budget, by what each of them brings on users that none was fitted on."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causal_tasks.allocation.comparison import Comparison, compare_forecasts
from causal_tasks.allocation.forecast import Forecast
from causal_tasks.allocation.methods import is_two_stage
from causal_tasks.allocation.stages.fit import read_forecast
from causal_tasks.allocation.stages.users import BudgetUsers, Mask
from causal_tasks.allocation.statement import stated_budgeting
from causal_tasks.evaluation.estimate import LEVEL, Estimate
from causal_tasks.run_folder import StageContext
from causal_tasks.storage import Uri

MARGIN = 1.0
"""Standard errors by which a method must beat the best two-stage one to be chosen: one, as in cross-validation."""


def choose(context: StageContext) -> dict[str, Uri]:
    """Write ``choice``: the chosen method, what it was held against, and the values of all methods."""
    planned = context.read_json("plan", "plan")
    users = BudgetUsers.read(context)
    fitted = {str(manifest.item) for manifest in context.inputs["fit"]}
    names = [name for name in planned["methods"] if name in fitted]
    forecasts = {name: read_forecast(context, name, users, users.compared) for name in names}
    rows = users.compared
    nuisance = nuisance_of(users.outcome[rows], users.arm[rows], forecasts)
    speaks = forecasts[nuisance] if nuisance else None
    found = compared(users, rows, forecasts, planned["budgets"], planned["weights"], speaks)
    cards = {name: context.read_json("fit", "card", item=name) for name in names}
    choice = choice_of(found, names) | {"nuisance": nuisance}
    board = [
        {**row, "kind": cards[row["method"]]["kind"], "notes": cards[row["method"]]["notes"]} for row in choice["board"]
    ]
    return {"choice": context.write_json("choice.json", choice | {"board": board})}


def nuisance_of(outcome: NDArray[np.float64], arm: NDArray[np.intp], forecasts: Mapping[str, Forecast]) -> str | None:
    """The method whose forecast speaks for users in another arm; None: the means of arms do.

    It is the two-stage one that predicts outcomes best, in mean squared error: the more precise it is, the narrower
    are all intervals, and under known propensities none of them makes an estimate wrong.

    Args:
        outcome: Shape (n,), of the users on whom methods are compared.
        arm: Shape (n,), their arms.
        forecasts: Of these users, by method.
    """
    rows = np.arange(len(arm))
    errors = {
        name: float(np.mean((outcome - forecast.outcome[rows, arm]) ** 2))
        for name, forecast in forecasts.items()
        if is_two_stage(name)
    }
    return min(errors, key=errors.__getitem__) if errors else None


def compared(
    users: BudgetUsers,
    rows: Mask,
    forecasts: Mapping[str, Forecast],
    budgets: Sequence[float],
    weights: Sequence[float],
    nuisance: Forecast | None,
    allocations: Mapping[str, Sequence[NDArray[np.intp]]] | None = None,
) -> Comparison:
    """What the policies of forecasts bring on some of the users.

    Args:
        users: Of the run.
        rows: Those on whom it is measured; nobody of them was learned from.
        forecasts: Of these users, by name.
        budgets: Per user.
        weights: How likely each budget is.
        nuisance: Of these users; None: the means of arms.
        allocations: Arms of these users by name, as ``compare_forecasts`` takes them.
    """
    experiment, prices = users.experiment, users.money.prices
    return compare_forecasts(
        users.outcome[rows],
        users.labels[rows],
        cost=users.cost[rows] if prices is None else prices,
        forecasts=forecasts,
        baseline=next(iter(forecasts)),
        budgets=budgets,
        weights=weights,
        arms=experiment.arms,
        propensity=experiment.expected_shares,
        nuisance=nuisance,
        clusters=users.frame["cluster"].to_numpy()[rows] if experiment.cluster else None,
        seed=stated_budgeting(experiment).seed,
        allocations=allocations,
    )


def choice_of(found: Comparison, names: Sequence[str], *, margin: float = MARGIN) -> dict[str, Any]:
    """The best of the methods that beat the best two-stage one by a margin, else that one.

    The margin is in standard errors of the paired difference. None at all would leave the simpler method for the luck
    of one among many; the certainty of an interval would keep it where another has all but proved to be better, and a
    wrong choice costs no more than the noise in which it was made. ``docs/allocation-measured.md`` has all three.

    Args:
        found: On users that no method was fitted on.
        names: Of the methods.
        margin: Standard errors.

    Returns:
        ``chosen``, ``baseline`` (None where no two-stage method is left), ``reason``, ``level`` of the intervals of
        differences, which hold for all methods at once (Bonferroni), and ``board``, the methods by value, best first.
    """
    value = {name: found.outcome(name).estimate for name in names}
    two_stage = [name for name in names if is_two_stage(name)]
    baseline = max(two_stage, key=value.__getitem__) if two_stage else None
    challengers = [name for name in names if not is_two_stage(name)]
    level = 1 - (1 - LEVEL) / max(1, len(challengers))
    careful = replace(found, level=level)
    others = [name for name in names if name != baseline] if baseline else []
    differences = {name: careful.difference(name, baseline) for name in others}
    better = [name for name in challengers if name in differences and _is_beyond(differences[name], margin)]
    best = max(names, key=value.__getitem__)
    chosen = max(better, key=value.__getitem__) if better else baseline or best
    return {
        "chosen": chosen,
        "baseline": baseline,
        "reason": _reason(chosen, baseline, best, challengers),
        "level": level,
        "board": [
            {
                "method": name,
                "is_two_stage": is_two_stage(name),
                "value": found.outcome(name).model_dump(mode="json"),
                "values": [found.outcome(name, at).model_dump(mode="json") for at in range(len(found.budgets))],
                "difference": differences[name].model_dump(mode="json") if name in differences else None,
            }
            for name in sorted(names, key=lambda name: (-value[name], name))
        ],
    }


def _is_beyond(difference: Estimate, margin: float) -> bool:
    return difference.estimate > margin * difference.standard_error


def _reason(chosen: str, baseline: str | None, best: str, challengers: Sequence[str]) -> str:
    if baseline is None:
        return "no_two_stage"
    if chosen != baseline:
        return "better"
    if not challengers:
        return "only_two_stage"
    return "baseline_best" if best == baseline else "not_distinguishable"
