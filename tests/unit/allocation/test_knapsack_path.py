"""The budget path against linear programmes solved by HiGHS, and its shape."""

import numpy as np
import pytest
from hypothesis import given
from scipy.optimize import linprog

from causal_tasks.allocation.knapsack import allocate, budget_path
from causal_tasks.errors import InputError
from tests.unit.allocation.test_knapsack import FEW, problems, simulated


def highs(outcome, cost, budget):
    """Value of the best allocation with units split, and the multiplier of the budget."""
    units, width = outcome.shape
    found = linprog(
        -outcome.ravel().astype(float),
        A_ub=cost.reshape(1, -1).astype(float),
        b_ub=[budget],
        A_eq=np.kron(np.eye(units), np.ones(width)),
        b_eq=np.ones(units),
        bounds=(0, None),
        method="highs",
    )
    return -found.fun, -found.ineqlin.marginals[0]


@given(problem=problems(units=12, width=5))
@FEW
def test_the_path_is_the_optimum_of_the_linear_programme_at_every_budget(problem):
    outcome, cost, budget = problem
    assert budget_path(outcome, cost).value_at(budget) == pytest.approx(
        highs(outcome, cost, budget)[0], rel=1e-6, abs=1e-6
    )


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
def test_the_price_is_the_multiplier_of_the_linear_programme(share):
    outcome, cost = simulated(150)
    budget = share * float(cost.max(axis=1).sum())
    path = budget_path(outcome, cost)
    value, multiplier = highs(outcome, cost, budget)
    assert path.value_at(budget) == pytest.approx(value, rel=1e-6)
    assert path.shadow_price(budget) == pytest.approx(multiplier, rel=1e-6)


@given(problem=problems(units=30, width=5))
@FEW
def test_more_money_never_brings_less_and_ever_less_more(problem):
    outcome, cost, _ = problem
    path = budget_path(outcome, cost)
    assert (np.diff(path.spend) > 0).all()
    assert (np.diff(path.price) <= 0).all()
    assert path.price[-1] == 0 <= path.price.min()
    # The value between two points is that of a straight line whose slope is the price.
    np.testing.assert_allclose(np.diff(path.value), path.price[:-1] * np.diff(path.spend), atol=1e-6)


@given(problem=problems(units=30, width=5))
@FEW
def test_it_runs_from_the_cheapest_arms_to_the_most_effective_ones(problem):
    outcome, cost, _ = problem
    path = budget_path(outcome, cost)
    assert path.spend[0] == pytest.approx(cost.min(axis=1).sum(dtype=float))
    assert path.value[-1] == pytest.approx(outcome.max(axis=1).sum(dtype=float), abs=1e-5)
    assert path.value_at(path.spend[-1] + 10) == path.value[-1]
    assert path.shadow_price(path.spend[-1] + 10) == 0


def test_its_allocation_is_that_of_the_method_greedy():
    outcome, cost = simulated(200)
    path = budget_path(outcome, cost)
    for budget in (0.0, 50.0, 110.0, 1e4):
        found, direct = path.allocation(budget), allocate(outcome, cost, budget=budget, method="greedy")
        assert found.arm.tolist() == direct.arm.tolist()
        assert found.shadow_price == path.shadow_price(budget)
        assert found.value <= path.value_at(budget) + 1e-9


def test_arms_inside_the_hull_are_no_points_of_the_path():
    path = budget_path([[0.0, 1.0, 4.0, 3.0]], [[0.0, 1.0, 2.0, 3.0]])
    assert (path.spend.tolist(), path.value.tolist(), path.price.tolist()) == ([0, 2], [0, 4], [2, 0])


@pytest.mark.parametrize("ask", ["value_at", "shadow_price", "allocation"])
def test_budgets_that_buy_nothing_are_refused(ask):
    path = budget_path([[0, 1]], [[2, 3]])
    with pytest.raises(InputError, match="budget 1 is below 2"):
        getattr(path, ask)(1)
    with pytest.raises(InputError, match="infinite"):
        getattr(path, ask)(np.inf)
