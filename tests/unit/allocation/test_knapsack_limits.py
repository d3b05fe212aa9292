"""Capacities and guardrails: kept always, near the best, and named where they cannot be."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from causal_tasks.allocation.knapsack import Guardrail, allocate
from causal_tasks.allocation.knapsack.limits import Limit
from causal_tasks.allocation.knapsack.relaxation import relax
from causal_tasks.errors import InputError
from tests.unit.allocation.test_knapsack import FEW, problems, simulated


def limited(units, seed=0):
    """A problem in which a budget, two capacities and two guardrails all bind."""
    outcome, cost = simulated(units, seed)
    random = np.random.default_rng(seed)
    risk, reach = (random.random((units, 5)).astype(np.float32) for _ in range(2))
    risk *= np.linspace(0, 1, 5, dtype=np.float32)
    limits = {
        "budget": 0.3 * float(cost.max(axis=1).sum()),
        "capacity": {3: 0.15 * units, 4: 0.1 * units},
        "guardrails": [Guardrail(risk, at_most=0.12 * units), Guardrail(reach, at_least=0.55 * units)],
    }
    return outcome, cost, limits


def require_kept(found, cost, limits):
    units = np.arange(len(cost))
    assert cost[units, found.arm].sum(dtype=float) == pytest.approx(found.cost)
    assert found.cost <= limits["budget"]
    for arm, places in limits["capacity"].items():
        assert (found.arm == arm).sum() <= places
    for guardrail in limits["guardrails"]:
        used = np.broadcast_to(guardrail.values, cost.shape)[units, found.arm].sum(dtype=float)
        assert guardrail.at_most is None or used <= guardrail.at_most
        assert guardrail.at_least is None or used >= guardrail.at_least


def gap(found):
    return sum(float(note.split(":")[1]) for note in found.notes if note.startswith("gap"))


@pytest.mark.parametrize("units", [40, 80])
def test_many_limits_are_kept_and_the_value_is_near_the_best(units):
    outcome, cost, limits = limited(units)
    quick, exact = (allocate(outcome, cost, method=method, **limits) for method in ("lagrangian", "milp"))
    for found in (quick, exact):
        require_kept(found, cost, limits)
    assert quick.value <= exact.value + gap(exact) + 1e-4
    assert exact.value <= quick.value + gap(quick) + 1e-4
    assert exact.value - quick.value < 0.002 * np.ptp(outcome, axis=1).sum()


def test_with_many_units_the_gap_is_less_than_what_one_unit_brings():
    outcome, cost, limits = limited(20_000)
    found = allocate(outcome, cost, **limits)
    require_kept(found, cost, limits)
    assert 0 <= gap(found) < np.ptp(outcome, axis=1).mean()
    assert found.value < allocate(outcome, cost, budget=limits["budget"]).value


@given(problem=problems(units=5), places=st.integers(0, 5), bound=st.integers(0, 20))
@FEW
def test_whatever_can_be_kept_is_kept_and_what_cannot_is_refused(problem, places, bound):
    outcome, cost, budget = problem
    units = range(len(outcome))
    allowed = [
        float(outcome[units, arm].sum(dtype=float))
        for arm in product(range(outcome.shape[1]), repeat=len(outcome))
        if cost[units, arm].sum(dtype=float) <= budget
        and sum(a == 0 for a in arm) <= places
        and sum(units[i] * arm[i] for i in units) >= bound
    ]
    effort = np.outer(units, range(outcome.shape[1]))
    ask = {"budget": budget, "capacity": {0: places}, "guardrails": [Guardrail(effort, at_least=bound)]}
    for method in ("lagrangian", "milp"):
        if not allowed:
            with pytest.raises(InputError):
                allocate(outcome, cost, method=method, **ask)
        else:
            found = allocate(outcome, cost, method=method, **ask)
            require_kept(found, cost, ask)
            assert found.value == pytest.approx(max(allowed), abs=max(1e-4, 1.01 * gap(found)))


@pytest.mark.parametrize("units", [80, 300])
def test_the_relaxation_is_the_linear_programme(units):
    outcome, cost, asked = limited(units)
    risk, reach = (guardrail.values for guardrail in asked["guardrails"])
    limits = [
        Limit("budget", cost, 1.0, asked["budget"]),
        Limit("risk", risk, 1.0, 0.12 * units),
        Limit("reach", reach, -1.0, -0.55 * units),
    ]
    exact = linprog(
        -outcome.ravel().astype(float),
        A_ub=np.stack([limit.sign * limit.values.ravel().astype(float) for limit in limits]),
        b_ub=[limit.bound for limit in limits],
        A_eq=np.kron(np.eye(units), np.ones(5)),
        b_eq=np.ones(units),
        bounds=(0, None),
        method="highs",
    )
    found = relax(outcome, limits, start=np.zeros(3))
    assert found.bound == pytest.approx(-exact.fun, rel=1e-6)
    np.testing.assert_allclose(found.multipliers, -exact.ineqlin.marginals, rtol=0.1, atol=1e-3)


def test_tied_units_are_divided_between_limited_arms():
    outcome = np.tile(np.array([0, 3, 4], dtype=np.float32), (30_000, 1))
    found = allocate(outcome, [0, 1, 2], budget=40_000, capacity={1: 12_345, 2: 10_000})
    assert np.bincount(found.arm).tolist() == [7_655, 12_345, 10_000]


def test_limits_that_do_not_bind_change_nothing():
    outcome, cost = simulated(300)
    plain = allocate(outcome, cost, budget=100)
    found = allocate(outcome, cost, budget=100, capacity={4: 300}, guardrails=[Guardrail([0, 1, 1, 1, 1], at_least=0)])
    assert found.arm.tolist() == plain.arm.tolist()
    assert found.shadow_price == plain.shadow_price


def test_capacities_go_by_label_and_close_an_arm_at_zero():
    found = allocate([[0, 5], [0, 4]], [0, 1], budget=9, arms=["none", "coupon"], capacity={"coupon": 1})
    assert found.arm.tolist() == [1, 0]
    assert found.shadow_price == 0
    assert "budget_not_binding" in found.notes
    closed = allocate([[0, 5], [0, 4]], [0, 1], budget=9, arms=["none", "coupon"], capacity={"coupon": 0})
    assert closed.arm.tolist() == [0, 0]


def test_a_guardrail_may_bound_a_total_from_both_sides():
    found = allocate(
        [[0, 5, 9], [0, 4, 7], [0, 1, 2]],
        [0, 1, 2],
        budget=9,
        guardrails=[Guardrail([0, 1, 2], at_least=3, at_most=3, name="messages")],
    )
    assert found.value == 13
    assert found.arm.sum() == 3


def test_greedy_refuses_limits_other_than_the_budget():
    with pytest.raises(InputError, match="not capacity of arm 1, guardrail 'risk': at_most"):
        allocate(
            [[0, 1]],
            [0, 1],
            budget=1,
            method="greedy",
            capacity={1: 1},
            guardrails=[Guardrail([0, 1], at_most=1, name="risk")],
        )


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        ({"capacity": {0: 1, 1: 1}}, "hold fewer than the 3 units"),
        ({"capacity": {1: -1}}, r"capacity is negative for the arms \[1\]"),
        ({"capacity": {"coupon": 1}}, r"capacity names the arms \['coupon'\], known are \[0, 1\]"),
        ({"capacity": {1: np.nan}}, "capacity of arm 1 has 1 missing"),
        ({"guardrails": [Guardrail([0, 1])]}, "guardrail 0 states no bound"),
        ({"guardrails": [Guardrail([0, 1, 2], at_most=1)]}, r"values of guardrail 0 have shape \(3,\)"),
        ({"guardrails": [Guardrail([0, np.nan], at_most=1)]}, "values of guardrail 0 has 1 missing"),
        ({"guardrails": [Guardrail([0, 1], at_most=np.inf)]}, "guardrail 0: at_most has 1 missing or infinite"),
        (
            {"guardrails": [Guardrail([0, 1], at_least=4, name="reach")]},
            "guardrail 'reach': at_least 4 cannot be met: .* 3;",
        ),
    ],
)
@pytest.mark.parametrize("method", ["lagrangian", "milp"])
def test_limits_that_mean_nothing_are_refused(method, ask, message):
    with pytest.raises(InputError, match=message):
        allocate(np.zeros((3, 2)), [0, 1], budget=2, method=method, **ask)


@pytest.mark.parametrize("units", [3, 30_000])
def test_limits_that_contradict_one_another_are_named_and_no_others(units):
    with pytest.raises(InputError, match=r"no arms keep all of: the budget .*; guardrail 'reach': at_least") as caught:
        allocate(
            np.zeros((units, 2)),
            [0, 2],
            budget=units,
            capacity={1: units},
            guardrails=[
                Guardrail([0, 1], at_least=0.8 * units, name="reach"),
                Guardrail([1, 0], at_most=units, name="rest"),
            ],
        )
    assert "capacity" not in str(caught.value)
    assert "rest" not in str(caught.value)


def test_whole_arms_that_cannot_meet_a_sum_are_refused_though_halves_could():
    with pytest.raises(InputError, match="no arms keep all of"):
        allocate([[0, 1], [0, 1]], [0, 1], budget=9, guardrails=[Guardrail([0, 2], at_least=1, at_most=1)])
