"""One solver and one random allocation problem: ``python -m benchmarks.peers.knapsack SOLVER UNITS SECONDS``, as JSON.

SECONDS is when HiGHS gives up.
"""

import importlib.metadata
import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.allocation.knapsacks import ARMS, Knapsack, drawn
from benchmarks.peers.stopwatch import taken_by

SHARE = 0.3
"""The budget, of what the dearest arm for everybody would cost."""


def lagrangian(problem: Knapsack, _: float) -> Callable[[], float]:
    from causal_tasks.allocation import allocate

    return lambda: allocate(*problem, budget=problem.budget(SHARE)).value


def budget_path(problem: Knapsack, _: float) -> Callable[[], float]:
    from causal_tasks.allocation import budget_path as path

    return lambda: path(*problem).value_at(problem.budget(SHARE))


def limits(problem: Knapsack, _: float) -> Callable[[], float]:
    """Besides the budget, room for a tenth of the units in each of the two dearest arms, and two guardrails."""
    from causal_tasks.allocation import Guardrail, allocate

    units = len(problem.cost)
    random = np.random.default_rng(1)
    risk, reach = (random.random((units, ARMS), dtype=np.float32) for _ in range(2))
    risk *= np.linspace(0, 1, ARMS, dtype=np.float32)
    guardrails = [Guardrail(risk, at_most=0.12 * units), Guardrail(reach, at_least=0.55 * units)]
    capacity = dict.fromkeys((3, 4), 0.1 * units)
    return lambda: allocate(*problem, budget=problem.budget(SHARE), capacity=capacity, guardrails=guardrails).value


def highs_lp(problem: Knapsack, patience: float) -> Callable[[], float]:
    def solve() -> float:
        found = linear_programme(problem, problem.budget(SHARE), patience)
        return float("nan") if found.status else -float(found.fun)

    return solve


def scipy_milp(problem: Knapsack, patience: float) -> Callable[[], float]:
    from scipy.optimize import Bounds, LinearConstraint, milp

    def solve() -> float:
        found = milp(
            -problem.outcome.ravel().astype(np.float64),
            integrality=1,
            bounds=Bounds(0, 1),
            constraints=[
                LinearConstraint(_arms_of_units(problem), 1, 1),
                LinearConstraint(_money(problem), ub=problem.budget(SHARE)),
            ],
            options={"time_limit": patience},
        )
        return float("nan") if found.status else -float(found.fun)

    return solve


def linear_programme(problem: Knapsack, budget: float, patience: float = np.inf) -> Any:
    """What HiGHS answers where units may be split."""
    from scipy.optimize import linprog

    return linprog(
        -problem.outcome.ravel().astype(np.float64),
        A_ub=_money(problem),
        b_ub=[budget],
        A_eq=_arms_of_units(problem),
        b_eq=np.ones(len(problem.cost)),
        bounds=(0, None),
        method="highs",
        options={"time_limit": patience},
    )


def _arms_of_units(problem: Knapsack) -> Any:
    from scipy.sparse import eye_array, kron

    return kron(eye_array(len(problem.cost)), np.ones((1, ARMS)), format="csr")


def _money(problem: Knapsack) -> Any:
    from scipy.sparse import csr_array

    return csr_array(problem.cost.reshape(1, -1).astype(np.float64))


SOLVERS = {solver.__name__: solver for solver in (lagrangian, budget_path, limits, highs_lp, scipy_milp)}


def main() -> None:
    """Solve one problem and print what that took as one line of JSON."""
    solver, units, patience = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    taken = taken_by(SOLVERS[solver](drawn(units), patience))
    print(json.dumps(taken | {"version": importlib.metadata.version("scipy")}))


if __name__ == "__main__":
    main()
