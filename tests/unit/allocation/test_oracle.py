import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causal_tasks.allocation.forecast import Forecast
from causal_tasks.allocation.oracle import oracle_gain
from causal_tasks.data.coupon_problems import dose_problem
from causal_tasks.errors import InputError


@pytest.fixture(scope="module")
def truth() -> Forecast:
    problem = dose_problem(4_000, seed=1)
    return Forecast.checked(problem.true_outcome, problem.true_cost)


@pytest.fixture(scope="module")
def budgets(truth: Forecast) -> np.ndarray:
    return np.array([0.1, 0.3, 0.5]) * truth.cost.max(axis=1).mean()


def same_for_all(truth: Forecast) -> Forecast:
    return Forecast(*(np.broadcast_to(values.mean(axis=0), values.shape) for values in truth))


def test_worked_by_hand() -> None:
    """Money for one of two: the truth treats the first and gains 2; the other way round gains 1."""
    truth = Forecast.checked([[0, 2], [0, 1]], [[0, 1], [0, 1]])
    backwards = Forecast.checked([[0, 1], [0, 2]], [[0, 1], [0, 1]])
    assert oracle_gain(truth, truth, [0.5]) == pytest.approx(1)
    assert oracle_gain(backwards, truth, [0.5]) == pytest.approx(0.5)
    assert oracle_gain(backwards, truth, [0.25, 1.0]) == pytest.approx((0.5 + 1) / 2)


def test_of_tied_units_some_are_treated_so_that_the_budget_is_spent() -> None:
    truth = Forecast.checked([[0.0, 1.0]] * 4, [[0.0, 1.0]] * 4)
    assert oracle_gain(truth, truth, [0.3]) == pytest.approx(1)


def test_the_truth_finds_all_and_control_nothing(truth: Forecast, budgets: np.ndarray) -> None:
    assert oracle_gain(truth, truth, budgets) == pytest.approx(1)
    control = Forecast(np.zeros_like(truth.outcome), truth.cost)
    assert oracle_gain(control, truth, budgets) == pytest.approx(0, abs=1e-6)


def test_the_same_mix_for_all_finds_what_was_published(truth: Forecast) -> None:
    """0.733 over budgets of 10 to 60 %."""
    budgets = np.linspace(0.1, 0.6, 6) * truth.cost.max(axis=1).mean()
    assert oracle_gain(same_for_all(truth), truth, budgets) == pytest.approx(0.733, abs=0.02)


def test_choosing_whom_treatment_helps_least_is_worse_than_the_same_for_all(
    truth: Forecast, budgets: np.ndarray
) -> None:
    gain = truth.outcome - truth.outcome[:, :1]
    reversed_order = Forecast(gain.mean(axis=0) ** 2 / np.maximum(gain, 1e-3), truth.cost)
    assert oracle_gain(reversed_order, truth, budgets) < oracle_gain(same_for_all(truth), truth, budgets)


def test_harm_scores_below_zero() -> None:
    truth = Forecast.checked([[0.0, 1.0], [0.0, -3.0]], [[0.0, 1.0], [0.0, 1.0]])
    wrong = Forecast.checked([[0.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]])
    assert oracle_gain(wrong, truth, [0.5]) == pytest.approx(-3)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.floats(0.1, 10))
def test_units_of_money_and_what_a_unit_brings_anyway_do_not_matter(seed: int, scale: float) -> None:
    random = np.random.default_rng(seed)
    cost = np.cumsum(random.random((300, 3)), axis=1) - 0.0
    cost[:, 0] = 0
    outcome = np.cumsum(random.random((300, 3)), axis=1)
    guess = Forecast.checked(outcome + random.standard_normal(outcome.shape), cost)
    truth, budgets = Forecast.checked(outcome, cost), np.array([0.2, 0.5])
    shifted = Forecast.checked(guess.outcome + random.random((300, 1)), scale * cost)
    scaled = Forecast.checked(outcome + 5, scale * cost)
    assert oracle_gain(shifted, scaled, scale * budgets) == pytest.approx(oracle_gain(guess, truth, budgets), abs=0.02)


def test_the_score_does_not_depend_on_predicted_costs_being_too_high_throughout(
    truth: Forecast, budgets: np.ndarray
) -> None:
    dear = Forecast(truth.outcome, 3 * truth.cost)
    assert oracle_gain(dear, truth, budgets) == pytest.approx(1, abs=1e-4)


def test_where_even_the_cheapest_predicted_arms_overspend_control_is_mixed_in() -> None:
    truth = Forecast.checked([[0.0, 1.0]] * 10, [[0.0, 1.0]] * 10)
    wrong = Forecast.checked([[0.0, 1.0]] * 10, [[1.0, 0.0]] * 10)
    assert oracle_gain(wrong, truth, [0.4]) == pytest.approx(1)


def test_what_has_no_score_is_refused(truth: Forecast) -> None:
    with pytest.raises(InputError, match="forecast has shape"):
        oracle_gain(Forecast(truth.outcome[:, :3], truth.cost[:, :3]), truth, [0.5])
    costly = Forecast(truth.outcome, truth.cost + 1)
    with pytest.raises(InputError, match="control costs 1"):
        oracle_gain(truth, costly, [0.5])
    with pytest.raises(InputError, match="gains nothing"):
        oracle_gain(truth, Forecast(np.zeros_like(truth.outcome), truth.cost), [0.5])
    with pytest.raises(InputError, match="budgets are"):
        oracle_gain(truth, truth, [])
