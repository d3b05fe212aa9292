from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causal_tasks.allocation.cost_curves import aucc, aucc_estimate, cost_curve, predicted_return, true_aucc
from causal_tasks.allocation.forecast import Forecast
from causal_tasks.data.coupon_problems import CouponProblem, binary_problem
from causal_tasks.errors import InputError

# Ranked T C T C T C: after each unit cost is 1, 1, 2, 2, 2, 1.5 (control's last unit costs too) and so on, by hand below.
OUTCOME = [6.0, 0.0, 3.0, 0.0, 0.0, 0.0]
COST = [3.0, 0.0, 3.0, 0.0, 0.0, 0.0]
RETURN = [6.0, 5.0, 4.0, 3.0, 2.0, 1.0]
ARM = [1, 0, 1, 0, 1, 0]


def as_printed(outcome: np.ndarray, cost: np.ndarray, roi: np.ndarray, treated: np.ndarray, parts: int) -> Any:
    """The paper's walk down the ranking, one unit at a time."""
    order = np.argsort(-roi)
    shares = np.where(treated, 1 / treated.sum(), -1 / (~treated).sum())[order]
    spent, gained = np.cumsum(shares * cost[order]), np.cumsum(shares * outcome[order])
    points, goal = [(0.0, 0.0)], 1
    for unit in range(len(order)):
        if unit == len(order) - 1 or (goal < parts and spent[unit] >= goal * spent[-1] / parts):
            points.append((spent[unit], gained[unit]))
            goal += 1
    return np.array(points).T


def returns(problem: CouponProblem) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    gain, extra = (np.diff(values)[:, 0] for values in (problem.true_outcome, problem.true_cost))
    return gain / extra, gain, extra


def test_the_papers_curve_and_area_worked_by_hand() -> None:
    """Cost after each unit: 1, 1, 2, 2, 2, 2; outcome 2, 2, 3, 3, 3, 3; cuts at 0.5, 1, 1.5 of 2 and the end."""
    curve = cost_curve(OUTCOME, COST, RETURN, ARM, points=4)
    assert curve.cost.tolist() == pytest.approx([0, 1, 1, 2, 2])
    assert curve.outcome.tolist() == pytest.approx([0, 2, 2, 3, 3])
    assert aucc(OUTCOME, COST, RETURN, ARM, points=4) == pytest.approx((2 + 2 + 3 + 3) / (3 * 5))


def test_the_divisor_stays_when_jumps_leave_fewer_points() -> None:
    """Of ten parts, 1 to 5 are passed by the first unit, and a unit makes one point at most: six and the origin."""
    curve = cost_curve(OUTCOME, COST, RETURN, ARM, points=10)
    assert len(curve.cost) == 7
    assert aucc(OUTCOME, COST, RETURN, ARM, points=10) == pytest.approx((2 + 2 + 3 + 3 + 3 + 3) / (3 * 11))


def test_the_trapezoid_worked_by_hand() -> None:
    """From (0, 0) by (1, 2) to (2, 3): areas 1 and 2.5 of 6."""
    curve = cost_curve(OUTCOME, COST, RETURN, ARM, definition="trapezoid")
    assert curve.cost.tolist() == pytest.approx([0, 1, 1, 2, 2, 2, 2])
    assert aucc(OUTCOME, COST, RETURN, ARM, definition="trapezoid") == pytest.approx(3.5 / 6)


def test_what_control_costs_and_brings_is_subtracted_by_its_own_number_of_units() -> None:
    """Two treated, one control: after it 5 / 2 - 2 / 1 cost, 4 / 2 - 1 / 1 outcome."""
    curve = cost_curve([4.0, 1.0, 2.0], [5.0, 2.0, 1.0], [3.0, 2.0, 1.0], [1, 0, 1], definition="trapezoid")
    assert curve.cost.tolist() == pytest.approx([0, 2.5, 0.5, 1.0])
    assert curve.outcome.tolist() == pytest.approx([0, 2, 1, 2])


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), parts=st.integers(2, 60))
def test_the_papers_curve_equals_a_walk_down_the_ranking(seed: int, parts: int) -> None:
    random = np.random.default_rng(seed)
    n = int(random.integers(8, 300))
    treated = np.arange(n) % 3 > 0
    cost = random.random(n) + 2 * treated * random.random()
    outcome = random.standard_normal(n) + 3 * treated
    cost[treated] += max(0, cost[~treated].mean() - cost[treated].mean()) + 0.01
    roi = random.standard_normal(n)
    curve = cost_curve(outcome, cost, roi, treated.astype(int), points=parts)
    spent, gained = as_printed(outcome, cost, roi, treated, parts)
    assert len(curve.cost) == len(spent)
    assert np.allclose(curve.cost, spent)
    assert np.allclose(curve.outcome, gained)


@pytest.mark.parametrize("definition", ["paper", "trapezoid"])
def test_units_of_equal_return_are_one_straight_line_whatever_their_order(definition: Any) -> None:
    problem = binary_problem(3_000, seed=1)
    same = np.zeros(3_000)
    area = aucc(problem.outcome, problem.cost, same, problem.treatment, definition=definition)
    assert area == pytest.approx(0.5, abs=1e-3)
    backwards = (values[::-1] for values in (problem.outcome, problem.cost, same, problem.treatment))
    assert aucc(*backwards, definition=definition) == pytest.approx(area, abs=1e-3)


def test_a_better_ranking_has_more_area_and_a_reversed_one_less_than_half() -> None:
    problem = binary_problem(100_000, seed=3)
    roi, *_ = returns(problem)
    scores = {name: problem.X[:, 7] if name == "random" else sign * roi for name, sign in SIGNS.items()}
    areas = {name: aucc(problem.outcome, problem.cost, s, problem.treatment) for name, s in scores.items()}
    assert areas["oracle"] > 0.6
    assert abs(areas["random"] - 0.5) < 0.06
    assert areas["reversed"] < 0.4


SIGNS = {"oracle": 1, "random": 0, "reversed": -1}


def test_points_are_as_many_as_asked_for_and_end_at_the_difference_of_means() -> None:
    problem = binary_problem(50_000, seed=4)
    roi, *_ = returns(problem)
    for definition in ("paper", "trapezoid"):
        curve = cost_curve(problem.outcome, problem.cost, roi, problem.treatment, definition=definition, points=50)
        assert len(curve.cost) == len(curve.outcome) == 51
        means = [problem.cost[problem.treatment == arm].mean() for arm in (0, 1)]
        assert curve.cost[-1] == pytest.approx(means[1] - means[0])


def test_the_interval_holds_the_area_of_the_truth_and_is_as_wide_as_the_scatter() -> None:
    found = []
    for seed in range(36):
        problem = binary_problem(8_000, seed=100 + seed)
        roi, *_ = returns(problem)
        found.append(aucc_estimate(problem.outcome, problem.cost, roi, problem.treatment))
    truth = true_aucc(*returns(binary_problem(200_000, seed=99)))
    assert np.mean([one.interval[0] < truth < one.interval[1] for one in found]) >= 0.85
    scatter = np.std([one.estimate for one in found], ddof=1)
    assert np.median([one.standard_error for one in found]) == pytest.approx(scatter, rel=0.4)


def test_clusters_widen_the_interval() -> None:
    problem = binary_problem(4_000, seed=5)
    roi, *_ = returns(problem)
    twice = [np.repeat(values, 2) for values in (problem.outcome, problem.cost, roi, problem.treatment)]
    alone, together = aucc_estimate(*twice), aucc_estimate(*twice, clusters=np.repeat(np.arange(4_000), 2))
    assert together.estimate == alone.estimate
    assert together.standard_error > 1.2 * alone.standard_error


def test_the_area_of_the_truth_worked_by_hand_and_as_published_for_the_binary_problem() -> None:
    """By hand: (0, 0), (1, 3), (2, 4): areas 1.5 and 3.5 of 8. The oracle's area is 0.664."""
    assert true_aucc([2.0, 1.0], gain=[3.0, 1.0], extra_cost=[1.0, 1.0]) == pytest.approx(5 / 8)
    assert true_aucc([1.0, 1.0], gain=[3.0, 1.0], extra_cost=[1.0, 1.0]) == pytest.approx(0.5)
    roi, gain, extra = returns(binary_problem(200_000, seed=1))
    assert true_aucc(roi, gain, extra) == pytest.approx(0.664, abs=0.002)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cost": [0.0] * 6}, "costs 0 more than control"),
        ({"cost": [1.0, 2.0]}, "cost has 2 rows"),
        ({"outcome": [0.0, 1, 0, 1, 0, 1]}, "treatment brings -1 more"),
        ({"roi": [1.0, 2, 3, 4, 5, np.nan]}, "missing or infinite"),
        ({"treatment": [0, 1, 2, 0, 1, 2]}, "2 treatments"),
        ({"definition": "qini"}, "'qini' is unknown"),
        ({"points": 1}, "points is 1"),
    ],
)
def test_what_has_no_area_is_refused(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"outcome": OUTCOME, "cost": COST, "roi": RETURN, "treatment": ARM}
    with pytest.raises(InputError, match=message):
        aucc(**{**arguments, **change})


def test_effects_that_cancel_have_no_true_area() -> None:
    with pytest.raises(InputError, match="gain is 0 in total"):
        true_aucc([1.0, 2.0], gain=[1.0, -1.0], extra_cost=[1.0, 1.0])


def test_the_return_of_a_forecast_ranks_units_by_gain_for_cost() -> None:
    """Dear units by their ratio; those that cost no more than control first where they gain, last where they lose."""
    forecast = Forecast.checked([[1, 3], [1, 2], [1, 2], [1, 0]], [[0, 1], [0, 2], [1, 1], [1, 0]])
    score = predicted_return(forecast)
    assert score[:2].tolist() == pytest.approx([2.0, 0.5])
    assert np.argsort(-score).tolist() == [2, 0, 1, 3]
    assert np.isfinite(score).all()


@pytest.mark.parametrize(
    ("cost", "message"),
    [([[0.0, 1.0, 2.0]], "has 3 arms"), ([[1.0, 1.0]], "cost no unit more")],
)
def test_a_forecast_without_a_return_is_refused(cost: list[list[float]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        predicted_return(Forecast.checked(cost, cost))
