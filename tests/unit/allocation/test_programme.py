"""Plans against all plans there are, and cuts against a linear programme that knows nothing of greed."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linprog

from causal_tasks.allocation.cluster_means import ClusterMeans
from causal_tasks.allocation.programme import Scenarios, follow, shared_plan, solve_programme
from causal_tasks.errors import InputError

CLOSE = 1e-5


def means_of(share, outcome, cost, *, outcome_error=0.0, cost_error=0.0):
    share = np.asarray(share, dtype=float)
    outcome, cost = np.asarray(outcome, dtype=float), np.asarray(cost, dtype=float)
    return ClusterMeans(
        share / share.sum(),
        outcome,
        cost,
        np.broadcast_to(outcome_error, outcome.shape),
        np.broadcast_to(cost_error, outcome.shape),
        np.full(outcome.shape, 50),
    )


def drawn(clusters, arms, seed):
    random = np.random.default_rng(seed)
    cost = np.cumsum(random.exponential(0.3, (clusters, arms)), axis=1) - 0.2 * (seed % 2)
    outcome = random.normal(3, 1, (clusters, 1)) + random.normal(0.3, 0.6, (clusters, arms)).cumsum(axis=1)
    return means_of(random.dirichlet(np.ones(clusters)), outcome, np.maximum(cost, 0))


def cheapest(means):
    return float(means.share @ means.cost.min(axis=1))


def scenarios_of(means, shares, weights=None):
    """Budgets between the cheapest and the dearest allocation."""
    low, high = cheapest(means), float(means.share @ means.cost.max(axis=1))
    budgets = low + np.asarray(shares, dtype=float) * (high - low)
    weights = np.ones(len(budgets)) if weights is None else np.asarray(weights, dtype=float)
    return Scenarios(budgets, weights / weights.sum())


def best_cut(means, arm, budget):
    """Outcome of a plan under a budget by a linear programme: x is the share of each cluster that gets its arm."""
    rows = np.arange(len(arm))
    first = np.lexsort((-means.outcome, means.cost), axis=1)[:, 0]
    gain = means.share * (means.outcome[rows, arm] - means.outcome[rows, first])
    extra = means.share * (means.cost[rows, arm] - means.cost[rows, first])
    left = budget - means.share @ means.cost[rows, first]
    solved = linprog(-gain, A_ub=extra[None, :], b_ub=[max(left, 0)], bounds=(0, 1))
    return float(means.share @ means.outcome[rows, first]) - solved.fun


def best_of_all(means, scenarios, *, largest=np.inf):
    """The largest expected outcome of any plan that costs no more than ``largest``."""
    rows = np.arange(len(means.share))
    values = []
    for arms in product(range(means.outcome.shape[1]), repeat=len(rows)):
        arm = np.array(arms)
        if means.share @ means.cost[rows, arm] <= largest + 1e-9:
            under = [best_cut(means, arm, budget) for budget in scenarios.budgets]
            values.append(float(scenarios.weights @ under))
    return max(values)


@pytest.mark.parametrize("seed", range(4))
def test_the_shared_plan_is_the_best_of_all_plans(seed):
    means = drawn(3, 3, seed)
    scenarios = scenarios_of(means, [0.1, 0.4, 0.7], [5, 3, 2])
    plan = shared_plan(means, scenarios)
    assert scenarios.weights @ plan.outcome == pytest.approx(best_of_all(means, scenarios), abs=CLOSE)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("overrun", "position"), [(0.0, 0), (0.49, 0), (0.5, 1), (0.79, 1), (0.8, 2)])
def test_a_plan_that_may_seldom_be_cut_is_the_best_of_those_that_are(seed, overrun, position):
    means = drawn(3, 3, seed)
    scenarios = scenarios_of(means, [0.1, 0.4, 0.7], [5, 3, 2])
    largest = scenarios.budgets[position]
    plan = shared_plan(means, scenarios, overrun=overrun)
    planned = means.share @ means.cost[np.arange(3), plan.arm]
    assert planned <= largest + CLOSE
    assert (plan.kept[position:] > 1 - CLOSE).all()
    assert scenarios.weights @ plan.outcome == pytest.approx(best_of_all(means, scenarios, largest=largest), abs=CLOSE)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    arm=arrays(np.intp, 4, elements=st.integers(0, 2)),
    budget=st.floats(0, 1.2),
)
def test_a_cut_loses_the_least_and_never_overspends(seed, arm, budget):
    means = drawn(4, 3, seed)
    scenarios = scenarios_of(means, [budget])
    plan = follow(means, arm, scenarios)
    assert plan.cost[0] <= scenarios.budgets[0] + 1e-9
    assert plan.outcome[0] == pytest.approx(best_cut(means, arm, scenarios.budgets[0]), abs=1e-7)
    rows = np.arange(4)
    given_out = [
        plan.kept[0] @ (means.share * levels[rows, arm])
        + (1 - plan.kept[0]) @ (means.share * levels[rows, plan.otherwise])
        for levels in (means.outcome, means.cost)
    ]
    np.testing.assert_allclose(given_out, [plan.outcome[0], plan.cost[0]])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), shares=st.lists(st.floats(0, 1), min_size=2, max_size=4))
def test_knowing_more_or_having_more_never_brings_less(seed, shares):
    means = drawn(5, 4, seed)
    scenarios = scenarios_of(means, sorted(shares))
    solved = solve_programme(means, scenarios)
    assert solved.value_of_perfect_information >= -CLOSE
    assert solved.value_of_stochastic_solution >= -CLOSE
    assert (np.diff([float(plan.outcome[0]) for plan in solved.by_budget]) >= -CLOSE).all()
    assert (solved.shared.cost <= scenarios.budgets + CLOSE).all()


def test_planning_for_the_mean_budget_can_cost_a_known_amount():
    """Half the time nothing can be spent, half the time 2 per unit: the mean, 1, buys only the cheap arm."""
    means = means_of([1], [[0.0, 3.0, 4.0]], [[0.0, 1.0, 2.0]])
    solved = solve_programme(means, Scenarios(np.array([0.0, 2.0]), np.array([0.5, 0.5])))
    assert solved.by_budget[1].arm.tolist() == [2]
    assert solved.for_mean.arm.tolist() == [1]
    assert solved.expected_outcome == pytest.approx({"by_budget": 2.0, "shared": 2.0, "for_mean": 1.5})
    assert solved.value_of_stochastic_solution == pytest.approx(0.5)
    assert solved.value_of_perfect_information == pytest.approx(0.0)


def test_the_table_says_for_every_budget_and_cluster_what_to_give():
    means = means_of([1, 1], [[0.0, 4.0], [0.0, 2.0]], [[0.0, 1.0], [0.0, 1.0]])
    solved = solve_programme(means, Scenarios(np.array([0.25, 0.75]), np.array([0.5, 0.5])))
    table = solved.table(["none", "coupon"], shared=False)
    assert table["budget"].tolist() == [0.25, 0.25, 0.75, 0.75]
    assert table["cluster"].tolist() == [0, 1, 0, 1]
    assert table["arm"].tolist() == ["coupon", "none", "coupon", "coupon"]
    assert table["share"].tolist() == pytest.approx([0.5, 1.0, 1.0, 0.5])
    assert table["otherwise"].tolist() == ["none"] * 4
    shared = solved.table(["none", "coupon"], shared=True)
    assert shared["arm"].tolist() == ["coupon"] * 4
    assert shared["share"].tolist() == pytest.approx([0.5, 0.0, 1.0, 0.5])


def test_caution_passes_over_an_arm_of_which_little_is_known():
    error = [[0.0, 0.0, 1.0]]
    means = means_of([1], [[0.0, 1.0, 1.1]], [[0.0, 1.0, 1.0]], outcome_error=error)
    certain = Scenarios.certain(1.0)
    assert shared_plan(means, certain).arm.tolist() == [2]
    assert shared_plan(means, certain, caution=1.0).arm.tolist() == [1]


def test_caution_about_costs_leaves_room_in_the_budget():
    means = means_of([1, 1], [[0.0, 1.0]] * 2, [[0.0, 1.0]] * 2, cost_error=[[0.0, 0.3]] * 2)
    plain, cautious = (shared_plan(means, Scenarios.certain(1.0), overrun=0.0, caution=by) for by in (0.0, 1.0))
    assert plain.cost[0] == pytest.approx(1.0)
    assert cautious.cost[0] == pytest.approx(0.5)


def test_an_arm_that_brings_less_than_a_cheaper_one_is_never_planned():
    means = means_of([1], [[1.0, 0.5, 2.0]], [[0.0, 0.1, 0.2]])
    assert shared_plan(means, Scenarios.certain(0.15)).arm.tolist() == [2]
    means = means_of([1], [[1.0, 0.5, 0.9]], [[0.0, 0.1, 0.2]])
    assert shared_plan(means, Scenarios.certain(5.0)).arm.tolist() == [0]


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_the_unit_of_money_changes_no_plan(unit):
    means = drawn(6, 4, 0)
    scaled = means_of(means.share, means.outcome, means.cost * unit)
    scenarios = scenarios_of(means, [0.2, 0.5])
    plan = shared_plan(scaled, Scenarios(scenarios.budgets * unit, scenarios.weights))
    np.testing.assert_array_equal(plan.arm, shared_plan(means, scenarios).arm)


@pytest.mark.parametrize(
    ("budget", "arguments", "message"),
    [
        (0.1, {}, r"budget of 0\.1 per unit is below 0\.2"),
        (1.0, {"overrun": 1.5}, r"overrun is 1\.5"),
        (1.0, {"caution": -1.0}, r"caution is -1\.0"),
        (1.0, {"caution": float("nan")}, "caution is nan"),
    ],
)
def test_what_cannot_be_planned_is_refused(budget, arguments, message):
    means = means_of([1], [[0.0, 1.0]], [[0.2, 1.0]])
    with pytest.raises(InputError, match=message):
        shared_plan(means, Scenarios.certain(budget), **arguments)
