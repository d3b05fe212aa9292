import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causal_tasks.allocation.forecast import Forecast
from causal_tasks.allocation.knapsack.lagrangian import best_arms, spend
from causal_tasks.allocation.networks.decision_value import DecisionValue, UnbiasedLevels
from causal_tasks.allocation.networks.prices import BudgetPrices, default_budgets, prices_of, score_spread
from causal_tasks.errors import InputError


def levels(seed, n=200, arms=4):
    random = np.random.default_rng(seed)
    cost = np.sort(random.random((n, arms)), axis=1)
    return Forecast.checked(np.sqrt(cost) * random.random((n, 1)) + random.random((n, 1)), cost)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1000), st.floats(0.05, 0.9))
def test_a_price_spends_its_budget_but_for_one_step_of_one_unit(seed, share):
    forecast = levels(seed)
    budget = share * forecast.cost.max(axis=1).mean() + (1 - share) * forecast.cost.min(axis=1).mean()
    (price,) = prices_of(forecast, np.array([budget]))
    at, just_below = (spend(forecast, price * factor) for factor in (1 + 1e-6, 1 - 1e-6))
    money = budget * len(forecast.cost)
    assert at <= money + 1e-3
    assert price == 0 or just_below >= money - 1e-3


def test_money_is_worth_nothing_beyond_the_dearest_useful_arms_and_more_than_any_slope_below_the_cheapest():
    forecast = Forecast.checked([[0.0, 2.0]], [[1.0, 2.0]])
    below, at, beyond = prices_of(forecast, np.array([0.5, 1.5, 3.0]))
    assert below > at == 2.0
    assert beyond == 0.0
    assert spend(forecast, below) == 1.0


def test_default_budgets_are_shares_of_the_way_from_the_cheapest_arm_of_each_unit_to_the_dearest():
    forecast = Forecast.checked(np.zeros((2, 2)), [[1.0, 3.0], [5.0, 0.0]])
    np.testing.assert_allclose(default_budgets(forecast), 0.5 + 3.5 * np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]))


def test_arms_that_all_cost_the_same_have_no_default_budgets():
    with pytest.raises(InputError, match="every arm costs 2 per unit"):
        default_budgets(Forecast.checked(np.ones((3, 2)), np.full((3, 2), 2.0)))


def test_only_the_ratios_of_weights_count():
    prices = BudgetPrices.of(levels(0), [0.5, 0.6], [1.0, 3.0])
    np.testing.assert_allclose(prices.weights, [0.25, 0.75])
    assert prices.prices[0] > prices.prices[1] > 0


@pytest.mark.parametrize(
    ("budgets", "weights", "told"),
    [
        ([], None, "budgets"),
        ([0.5, 0.0], None, "budgets"),
        ([0.5, np.inf], None, "budgets"),
        ([0.5], [-1.0], "budget_weights"),
        ([0.5], [0.5, 0.5], "budget_weights"),
    ],
)
def test_budgets_that_are_none_are_refused(budgets, weights, told):
    with pytest.raises(InputError, match=told):
        BudgetPrices.of(levels(0), budgets, weights)


def test_a_budget_that_a_forecast_cannot_keep_buys_everybody_the_cheapest_arm_and_is_noted():
    forecast = levels(0)
    prices = BudgetPrices.of(forecast, [0.01, 0.5], None)
    assert (best_arms(forecast, prices.prices[0]) == forecast.cost.argmin(axis=1)).all()
    assert prices.notes == ("budget_below_cheapest:0.01",)
    assert BudgetPrices.of(forecast, [0.5], None).notes == ()


def test_a_budget_of_the_cheapest_price_itself_is_kept_but_for_rounding():
    prices = BudgetPrices.of(Forecast.checked(np.zeros((1000, 2)), [0.1, 0.3]), [0.1], None)
    assert prices.notes == ()


def test_the_spread_of_scores_is_that_around_the_mean_of_the_unit_and_knows_no_levels():
    forecast = Forecast.checked([[0.0, 2.0], [10.0, 14.0]], [[0.0, 0.0], [0.0, 1.0]])
    assert score_spread(forecast, np.array([0.0, 2.0])) == pytest.approx(np.sqrt(np.mean([1.0, 4.0, 1.0, 1.0])))
    assert score_spread(Forecast.checked(np.ones((3, 2)), np.zeros((3, 2))), np.array([1.0])) == 1.0


def test_the_value_of_decisions_by_hand():
    """Budget 1 buys the dear arm for the first unit; in truth it costs 3 there, 0.5 a unit more than is allowed."""
    value = DecisionValue(
        UnbiasedLevels(np.array([[0.0, 5.0], [1.0, 7.0]]), np.array([[0.0, 3.0], [0.0, 1.0]])),
        BudgetPrices(np.array([1.0]), np.array([1.0]), np.array([0.5])),
    )
    forecast = Forecast.checked([[0.0, 4.0], [0.0, 2.0]], [[0.0, 2.0], [0.0, 2.0]])
    np.testing.assert_allclose(value.of_units(forecast), [5 - 0.5 * (3 - 1), 1 - 0.5 * (0 - 1)])


def test_the_value_of_the_truth_s_decisions_is_the_largest():
    truth = levels(0, n=500)
    value = DecisionValue(
        UnbiasedLevels(*(each.astype(np.float64) for each in truth)), BudgetPrices.of(truth, [0.5, 0.65], [0.3, 0.7])
    )
    best = value.of_units(truth).mean()
    random = np.random.default_rng(0)
    for noise in (0.05, 0.3):
        outcome = truth.outcome + noise * random.normal(size=truth.outcome.shape)
        assert value.of_units(Forecast.checked(outcome, truth.cost)).mean() < best
    assert value.of_units(Forecast.checked(truth.outcome, truth.cost * 0.5)).mean() < best
