"""The solvers against HiGHS: the budget path against its linear programme, bisection against branch and bound."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from benchmarks.allocation.knapsacks import ARMS, Knapsack, drawn
from benchmarks.document import table
from benchmarks.peers.knapsack import linear_programme
from causal_tasks.allocation import allocate, budget_path

UNITS = (50, 200, 1_000, 5_000)
SHARES = (0.1, 0.3, 0.6)
"""Budgets, of what the dearest arm for everybody would cost."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far the solvers are apart on one problem with one budget.

    Attributes:
        path: Value of the budget path against that of the linear programme, relative.
        price: Its price against the programme's multiplier, relative.
        short: Value of bisection below that of branch and bound, relative to what the latter gains over the free arm.
        steps: The same in largest steps of a hull; at most 1.
    """

    path: float
    price: float
    short: float
    steps: float

    @classmethod
    def on(cls, problem: Knapsack, budget: float) -> Self:
        path, programme = budget_path(*problem), linear_programme(problem, budget)
        quick, exact = (allocate(*problem, budget=budget, method=method) for method in ("lagrangian", "milp"))
        short = exact.value - quick.value
        largest = float(np.diff(problem.outcome, axis=1).max())  # every arm lies on its unit's hull
        return cls(
            abs(path.value_at(budget) / -float(programme.fun) - 1),
            abs(path.shadow_price(budget) / -float(programme.ineqlin.marginals[0]) - 1),
            short / (exact.value - float(problem.outcome[:, 0].sum(dtype=np.float64))),
            short / largest,
        )


def section(seeds: int) -> str:
    """The largest disagreements over problems and budgets, as a table with a sentence."""
    rows = []
    for units in UNITS:
        problems = [drawn(units, seed) for seed in range(seeds)]
        found = [Agreement.on(problem, problem.budget(share)) for problem in problems for share in SHARES]
        short = np.array([each.short for each in found])
        rows.append(
            [
                f"{units:,}",
                f"{max(each.path for each in found):.0e}",
                f"{max(each.price for each in found):.0e}",
                f"{np.median(short):.0e}",
                f"{short.max():.0e}",
                f"{max(each.steps for each in found):.2f}",
            ]
        )
    header = ["units", "path / LP", "price / LP", "bisection below MILP: median", "largest", "in largest steps"]
    return (
        f"{seeds} random problems with {ARMS} arms, budgets of 10, 30 and 60 % of the dearest arm for everybody. "
        "Relative differences, the largest of all problems and budgets where nothing else is said: the budget path "
        "against HiGHS' linear programme; bisection against HiGHS' branch and bound, as a share of what that gains "
        "over the free arm.\n\n" + table(header, rows)
    )
