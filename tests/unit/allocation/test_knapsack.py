"""Allocations under a budget alone: against HiGHS, against all possibilities, and where units tie."""

import tracemalloc
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causal_tasks.allocation.forecast import Forecast
from causal_tasks.allocation.knapsack import allocate, budget_path, lagrangian
from causal_tasks.allocation.knapsack.hulls import climb
from causal_tasks.errors import InputError

FEW = settings(max_examples=60, deadline=None)


@st.composite
def problems(draw, units=8, width=4):
    """Outcome, cost and a budget between the cheapest and the dearest arms; small whole numbers, so that ties abound."""
    n, m = draw(st.integers(1, units)), draw(st.integers(1, width))
    grid = draw(st.sampled_from([1.0, 0.37]))
    matrix = st.lists(st.lists(st.integers(0, 6), min_size=m, max_size=m), min_size=n, max_size=n)
    outcome, cost = (np.array(draw(matrix), dtype=np.float32) * np.float32(grid) for _ in range(2))
    outcome -= np.float32(draw(st.sampled_from([0, 3])))
    least, most = (float(ends.sum(dtype=float)) for ends in (cost.min(axis=1), cost.max(axis=1)))
    return outcome, cost, least + draw(st.floats(0, 1)) * (most - least)


def simulated(units, seed=0, width=5):
    """Concave responses to doses, control free: arms that all lie on the hull."""
    random = np.random.default_rng(seed)
    dose = np.linspace(0, 1, width)
    height, bend = random.lognormal(0, 0.6, (units, 1)), 0.5 + 3 * random.random((units, 1))
    outcome = 3 * random.standard_normal((units, 1)) + height * (1 - np.exp(-bend * dose))
    cost = (0.4 + 1.6 * random.random((units, 1))) * dose
    return outcome.astype(np.float32), cost.astype(np.float32)


def best_of_all(outcome, cost, budget):
    """Value of the best whole allocation, by trying every one."""
    units = range(len(outcome))
    values = (
        float(outcome[units, arms].sum(dtype=float))
        for arms in product(range(outcome.shape[1]), repeat=len(outcome))
        if cost[units, arms].sum(dtype=float) <= budget
    )
    return max(values)


def largest_step(outcome, cost):
    forecast = Forecast.checked(outcome, cost)
    start, end = (lagrangian.best_arms(forecast, price).astype(np.int16) for price in (np.inf, 0.0))
    return climb(forecast, np.arange(len(start)), start, end).gain.max(initial=0.0)


@pytest.mark.parametrize("method", ["lagrangian", "greedy"])
@given(problem=problems(units=6))
@FEW
def test_an_allocation_is_within_its_stated_gap_and_one_step_of_the_best_one(method, problem):
    outcome, cost, budget = problem
    found = allocate(outcome, cost, budget=budget, method=method)
    units = np.arange(len(outcome))
    assert found.cost == pytest.approx(cost[units, found.arm].sum(dtype=float))
    assert found.value == pytest.approx(outcome[units, found.arm].sum(dtype=float))
    assert found.cost <= budget * (1 + 1e-12)
    short = best_of_all(outcome, cost, budget) - found.value
    gap = sum(float(note.split(":")[1]) for note in found.notes if note.startswith("gap"))
    assert -1e-6 <= short <= gap * 1.01 + 1e-6
    assert gap <= largest_step(outcome, cost) * 1.01 + 1e-9


@given(problem=problems(units=5))
@FEW
def test_milp_finds_the_best_of_all_possibilities(problem):
    outcome, cost, budget = problem
    found = allocate(outcome, cost, budget=budget, method="milp")
    assert found.cost <= budget
    assert found.value == pytest.approx(best_of_all(outcome, cost, budget), abs=1e-5)


@pytest.mark.parametrize("units", [50, 400])
@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
def test_bisection_comes_within_one_step_of_branch_and_bound(units, share):
    outcome, cost = simulated(units)
    budget = share * float(cost.max(axis=1).sum())
    quick, exact = (allocate(outcome, cost, budget=budget, method=method) for method in ("lagrangian", "milp"))
    assert -1e-6 <= exact.value - quick.value <= largest_step(outcome, cost)
    assert quick.shadow_price == exact.shadow_price > 0


@given(problem=problems(units=40, width=5), sample=st.integers(1, 6))
@FEW
def test_narrowing_a_bracket_finds_the_price_and_value_of_the_whole_path(problem, sample):
    outcome, cost, budget = problem
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lagrangian, "SAMPLE", sample)
        patch.setattr(lagrangian, "ENOUGH", sample)
        narrowed = allocate(outcome, cost, budget=budget)
    path = budget_path(outcome, cost)
    assert narrowed.shadow_price == pytest.approx(path.shadow_price(budget))
    assert narrowed.cost <= budget * (1 + 1e-12)
    assert path.value_at(budget) - narrowed.value <= largest_step(outcome, cost) + 1e-6


def test_many_units_are_narrowed_to_few_and_get_the_allocation_of_the_path():
    outcome, cost = simulated(60_000)
    budget = 0.3 * float(cost.max(axis=1).sum())
    assert 0 < len(lagrangian.narrowed(Forecast(outcome, cost), budget).units) < lagrangian.ENOUGH
    found, whole = (allocate(outcome, cost, budget=budget, method=method) for method in ("lagrangian", "greedy"))
    assert found.value == pytest.approx(whole.value, rel=1e-9)
    assert np.mean(found.arm != whole.arm) < 1e-3


@given(problem=problems(), seed=st.integers(0, 99))
@FEW
def test_the_order_of_units_and_what_a_unit_brings_anyway_change_no_value(problem, seed):
    outcome, cost, budget = problem
    random = np.random.default_rng(seed)
    order, anyway = random.permutation(len(outcome)), random.integers(-8, 9, (len(outcome), 1)).astype(np.float32)
    plain = allocate(outcome, cost, budget=budget, method="milp").value
    assert allocate(outcome[order], cost[order], budget=budget, method="milp").value == pytest.approx(plain, abs=1e-5)
    moved = allocate(outcome + anyway, cost, budget=budget, method="milp").value
    assert moved - anyway.sum() == pytest.approx(plain, abs=1e-4)


@given(problem=problems(units=30, width=5))
@FEW
def test_the_best_arms_at_the_shadow_price_fit_and_at_a_lower_price_do_not(problem):
    outcome, cost, budget = problem
    forecast = Forecast.checked(outcome, cost)
    price = lagrangian.shadow_price(forecast, budget)
    assert lagrangian.spend(forecast, price) <= budget * (1 + 1e-12)
    assert price == 0 or lagrangian.spend(forecast, price * (1 - 1e-6)) > budget


@given(problem=problems(units=20), price=st.sampled_from([0.0, 0.5, 1.0, 2.0, np.inf]))
@FEW
def test_ties_go_to_the_cheaper_arm(problem, price):
    outcome, cost, _ = problem
    arm = lagrangian.best_arms(Forecast(outcome, cost), price)
    units = np.arange(len(arm))
    scores = -cost.astype(float) if price == np.inf else outcome - price * cost.astype(float)
    ties = scores == scores.max(axis=1, keepdims=True)
    assert ties[units, arm].all()
    if price < np.inf:
        assert (cost[units, arm] == np.where(ties, cost, np.inf).min(axis=1)).all()
    else:
        assert (outcome[units, arm] == np.where(ties, outcome, -np.inf).max(axis=1)).all()


def test_no_price_is_proposed_from_a_free_arm_and_an_outlier_does_not_spoil_the_search():
    outcome, cost = simulated(60_000)
    outcome[7] = [0, 1e6, 2e6, 3e6, 4e6]
    cost[7] = [0, 1e-6, 2e-6, 3e-6, 4e-6]
    found = allocate(outcome, cost, budget=0.2 * float(cost.max(axis=1).sum()))
    assert found.arm[7] == 4
    assert 0.1 < found.shadow_price < 10


def test_tied_units_are_divided_so_that_the_money_is_spent():
    outcome, cost = (np.tile(np.array(row, dtype=np.float32), (100_000, 1)) for row in ([0, 3, 4], [0, 1, 2]))
    found = allocate(outcome, cost, budget=130_000.5)
    assert (found.cost, found.value) == (130_000, 330_000)
    assert found.shadow_price == 1
    assert np.bincount(found.arm).tolist() == [0, 70_000, 30_000]


def test_the_rest_of_the_money_is_spent_on_later_steps_that_still_fit():
    found = allocate([[0, 9], [0, 6], [0, 1]], [[0, 3], [0, 3], [0, 1]], budget=4)
    assert found.arm.tolist() == [1, 0, 1]
    assert found.shadow_price == 2
    assert found.notes == ("gap:1",)


def test_an_arm_that_lowers_the_outcome_is_taken_only_where_it_is_cheaper():
    outcome, cost = np.array([[2.0, 1.0, 5.0]]), np.array([[1.0, 0.0, 4.0]])
    assert [int(allocate(outcome, cost, budget=budget).arm[0]) for budget in (0, 1, 3.9, 4)] == [1, 0, 0, 2]
    assert allocate([[2.0, 1.0]], [[1.0, 3.0]], budget=9).arm.tolist() == [0]


def test_free_arms_are_used_without_a_budget():
    found = allocate([[0.0, 1.0, 9.0]], [0.0, 0.0, 1.0], budget=0)
    assert (found.arm.tolist(), found.value, found.cost) == ([1], 1.0, 0.0)
    assert found.shadow_price == 8


@pytest.mark.parametrize("method", ["lagrangian", "greedy", "milp"])
def test_a_budget_beyond_all_use_is_noted_and_not_spent(method):
    found = allocate([[0.0, 2.0, 1.0]], [[0.0, 1.0, 5.0]], budget=100, method=method)
    assert found.notes == ("budget_not_binding",)
    assert (found.cost, found.shadow_price, found.marginal_return) == (1.0, 0.0, 0.0)


@pytest.mark.parametrize("method", ["lagrangian", "greedy", "milp"])
def test_a_budget_below_the_cheapest_arms_is_refused_with_both_numbers(method):
    with pytest.raises(InputError, match=r"budget 2\.5 is below 3,"):
        allocate([[0, 1], [0, 1]], [[1, 2], [2, 4]], budget=2.5, method=method)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"budget": -1}, "budget is -1"),
        ({"budget": np.nan}, "budget has 1 missing or infinite"),
        ({"budget": [1, 2]}, r"budget has shape \(2,\)"),
        ({"method": "simplex"}, "method 'simplex' is unknown"),
        ({"outcome": [[0, np.nan]]}, "outcome has 1 missing or infinite"),
        ({"cost": [[0, -1]]}, "cost is negative"),
        ({"cost": [[0, 1, 2]]}, r"outcome has shape \(1, 2\), cost \(1, 3\)"),
        ({"outcome": [0, 1]}, r"outcome has shape \(2,\)"),
        ({"outcome": np.empty((0, 2)), "cost": [0, 1]}, r"outcome has shape \(0, 2\)"),
        ({"arms": ["a"]}, "arms are"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        allocate(**{"outcome": [[0, 1]], "cost": [[0, 1]], "budget": 1} | change)


def test_milp_refuses_more_than_it_can_hold():
    with pytest.raises(InputError, match="at most 100,000 units times arms, there are 120,000"):
        allocate(np.zeros((60_000, 2)), [0, 1], budget=1, method="milp")


def test_float32_matrices_are_never_copied():
    random = np.random.default_rng(0)
    outcome, cost = (random.random((400_000, 20), dtype=np.float32) for _ in range(2))
    budget = 0.3 * float(cost.sum(dtype=float)) / 20
    allocate(outcome[:100], cost[:100], budget=budget)
    tracemalloc.start()
    found = allocate(outcome, cost, budget=budget)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.cost == pytest.approx(budget, rel=1e-4)
    assert peak < 0.9 * outcome.nbytes


@pytest.mark.parametrize("method", ["lagrangian", "greedy", "milp"])
def test_the_price_of_the_cheapest_arm_for_everybody_is_enough_however_it_is_rounded(method):
    outcome = np.tile([0.0, 1.0], (3000, 1))
    found = allocate(outcome, [0.3, 0.7], budget=3000 * 0.3, method=method)
    assert (found.arm == 0).all()
    assert budget_path(outcome, [0.3, 0.7]).value_at(3000 * 0.3) == 0
