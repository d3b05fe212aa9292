from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression

from benchmarks.allocation.estimators import fixed_policy_error, quadratic_nuisance
from causal_tasks.allocation.comparison import CONTROL, SAME_MIX, compare_forecasts
from causal_tasks.allocation.expected_outcomes import expected_outcome
from causal_tasks.allocation.forecast import Forecast
from causal_tasks.allocation.knapsack import allocate
from causal_tasks.allocation.policy_evaluation import PRICES, Mix, price_grid, price_position
from causal_tasks.data.coupon_problems import CouponProblem, dose_problem
from causal_tasks.errors import InputError

ESTIMATORS = ("aipw", "hajek", "horvitz_thompson")


def truth_of(problem: CouponProblem) -> Forecast:
    return Forecast.checked(problem.true_outcome, problem.true_cost)


def seen(problem: CouponProblem) -> dict[str, Any]:
    return {"outcome": problem.outcome, "treatment": problem.treatment, "cost": problem.cost}


def dearest(problem: CouponProblem) -> float:
    return float(problem.true_cost.max(axis=1).mean())


def free(outcome: np.ndarray) -> Forecast:
    """A forecast whose best arms do not depend on the price: one fixed policy."""
    return Forecast.checked(outcome, np.zeros_like(outcome))


def two_kinds(n: int = 400) -> dict[str, Any]:
    """Every other unit gains 2 from a coupon of price 1, the others nothing; half of each kind are treated."""
    gains, treatment = np.arange(n) % 2, np.arange(n) // 2 % 2
    outcome = np.column_stack([np.zeros(n), 2.0 * gains])
    return {
        "outcome": outcome[np.arange(n), treatment],
        "treatment": treatment,
        "cost": {0: 0.0, 1: 1.0},
        "forecasts": {"right": Forecast.checked(outcome, [0, 1]), "wrong": Forecast.checked(outcome[::-1], [0, 1])},
        "propensity": {0: 0.5, 1: 0.5},
    }


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_fixed_policy_has_the_value_of_the_formula(estimator: Any) -> None:
    """Two folds of 100 groups of two units each: the mean over folds of Horvitz-Thompson and AIPW is that of all."""
    random = np.random.default_rng(0)
    treatment, policy = random.integers(0, 3, 400), random.integers(0, 3, 400)
    outcome, nuisance = random.standard_normal(400) + treatment, random.standard_normal((400, 3))
    p = np.array([0.2, 0.3, 0.5])
    found = expected_outcome(
        outcome,
        treatment,
        cost=np.ones(400),
        forecast=free(np.eye(3)[policy]),
        budget=2.0,
        propensity=dict(enumerate(p)),
        estimator=estimator,
        nuisance=Forecast.checked(nuisance, np.ones((400, 3))),
    )
    matched, unit = treatment == policy, np.arange(400)
    weight = matched / p[treatment]
    expected = {
        "horvitz_thompson": np.mean(weight * outcome),
        "hajek": np.sum(weight * outcome) / np.sum(weight),
        "aipw": np.mean(nuisance[unit, policy] + weight * (outcome - nuisance[unit, policy])),
    }
    # Hajek divides by the weights of each fold, which differ a little.
    exactly = 0.02 if estimator == "hajek" else 1e-6
    assert found.outcome.estimate == pytest.approx(expected[estimator], abs=exactly)
    assert found.notes == ("budget_not_binding:2",)
    assert found.shadow_price == 0


@pytest.mark.parametrize("estimator", ["aipw", "hajek"])
def test_outcomes_worked_by_hand_where_half_of_the_units_gain(estimator: Any) -> None:
    """For 0.25 per unit half of those who gain are treated: 0.5; at random 0.25 of all: 0.25; the wrong ones: 0."""
    found = compare_forecasts(
        **two_kinds(4_000), baseline="right", budgets=[0.25, 0.5], estimator=estimator, replicates=50
    )
    for name, values in {"right": (0.5, 1), "wrong": (0, 0), SAME_MIX: (0.25, 0.5), CONTROL: (0, 0)}.items():
        for budget, value in enumerate(values):
            assert found.outcome(name, budget).estimate == pytest.approx(value, abs=0.08)
    assert found.cost("right", 0).estimate == pytest.approx(0.25, abs=0.01)
    assert found.difference(SAME_MIX, budget=1).estimate == pytest.approx(-0.5, abs=0.08)


def test_the_same_mix_is_the_best_of_two_arms_at_the_budget() -> None:
    """Arms bring 0, 3 and 4 at 0, 1 and 2: for 0.5 half get the first coupon, for 1.5 half of those the second."""
    treatment = np.arange(300) % 3
    outcome = np.array([0.0, 3.0, 4.0])[treatment]
    forecast = free(np.zeros((300, 3)))
    found = compare_forecasts(
        outcome,
        treatment,
        cost={0: 0, 1: 1, 2: 2},
        forecasts={"none": forecast},
        baseline="none",
        budgets=[0.5, 1.5, 9],
    )
    assert [found.outcome(SAME_MIX, k).estimate for k in range(3)] == pytest.approx([1.5, 3.5, 4.0])
    assert [found.cost(SAME_MIX, k).estimate for k in range(3)] == pytest.approx([0.5, 1.5, 2.0])
    assert found.outcome(SAME_MIX, 0).standard_error == pytest.approx(0, abs=1e-6)
    assert np.allclose(found.same_mix_shares, [[0.5, 0.5, 0], [0, 0.5, 0.5], [0, 0, 1]])


def test_a_mix_of_arms_may_leave_out_the_one_between() -> None:
    """The middle arm brings less than a lottery over its neighbours."""
    treatment = np.arange(300) % 3
    found = compare_forecasts(
        np.array([0.0, 1.0, 4.0])[treatment],
        treatment,
        cost={0: 0, 1: 1, 2: 2},
        forecasts={},
        baseline=CONTROL,
        budgets=[1.0],
    )
    assert found.outcome(SAME_MIX, 0).estimate == pytest.approx(2.0)


def test_estimators_are_unbiased_and_rank_as_published_in_precision() -> None:
    """A fixed good policy; benchmarks.allocation.estimators repeats it 150 times with 5,000 units."""
    errors: dict[str, list[float]] = {estimator: [] for estimator in ESTIMATORS}
    for seed in range(60):
        problem = dose_problem(3_000, seed=seed)
        nuisance = quadratic_nuisance(problem)
        for estimator in ESTIMATORS:
            errors[estimator].append(fixed_policy_error(problem, estimator, nuisance))
    spread = {name: np.std(values) for name, values in errors.items()}
    bias = {name: np.mean(values) for name, values in errors.items()}
    assert spread["horvitz_thompson"] > 1.3 * spread["hajek"] > 1.3 * 1.3 * spread["aipw"]
    assert all(abs(bias[name]) < 3 * spread[name] / np.sqrt(60) for name in ESTIMATORS)


@pytest.fixture(scope="module")
def repeated() -> list[Any]:
    """Many experiments: the truth itself and a noisy version of it at a budget, with what they are worth in truth."""
    found = []
    for seed in range(80):
        problem = dose_problem(1_500, seed=seed)
        random = np.random.default_rng(seed)
        noisy = Forecast.checked(problem.true_outcome + random.standard_normal((1_500, 5)), problem.true_cost)
        found.append(
            compare_forecasts(
                **seen(problem),
                forecasts={"truth": truth_of(problem), "noisy": noisy},
                baseline="noisy",
                budgets=[0.3 * dearest(problem)],
                nuisance=truth_of(problem),
                replicates=60,
                seed=seed,
            )
        )
    return found


@pytest.fixture(scope="module")
def worth() -> dict[str, float]:
    """Outcome at the budget of both policies on 60,000 units, from their true outcomes and costs alone."""
    problem, random = dose_problem(60_000, seed=1_000), np.random.default_rng(1_000)
    noisy = problem.true_outcome + random.standard_normal((60_000, 5))
    budget, unit, values = 0.3 * dearest(problem), np.arange(60_000), {}
    for name, predicted in {"truth": problem.true_outcome, "noisy": noisy}.items():
        prices = np.linspace(0, 4, 100)
        arms = [(predicted - price * problem.true_cost).argmax(axis=1) for price in prices]
        cost, outcome = ([v[unit, arm].mean() for arm in arms] for v in (problem.true_cost, problem.true_outcome))
        values[name] = float(np.interp(budget, cost[::-1], outcome[::-1]))
    return values


def test_intervals_hold_what_the_policies_bring_in_truth(repeated: list[Any], worth: dict[str, float]) -> None:
    for name, value in worth.items():
        intervals = [one.outcome(name).interval for one in repeated]
        assert np.mean([low < value < high for low, high in intervals]) >= 0.87
        errors = np.array([one.outcome(name).estimate for one in repeated]) - value
        assert abs(errors.mean()) < 3 * errors.std() / np.sqrt(len(errors))
        assert np.mean([one.outcome(name).standard_error for one in repeated]) == pytest.approx(errors.std(), rel=0.3)


def test_the_interval_of_a_difference_holds_the_true_difference(repeated: list[Any], worth: dict[str, float]) -> None:
    difference = worth["truth"] - worth["noisy"]
    intervals = [one.difference("truth").interval for one in repeated]
    assert np.mean([low < difference < high for low, high in intervals]) >= 0.87
    paired = np.mean([one.difference("truth").standard_error for one in repeated])
    apart = np.mean([np.hypot(*(one.outcome(n).standard_error for n in ("truth", "noisy"))) for one in repeated])
    assert paired < 0.6 * apart


def test_policies_cost_the_budget(repeated: list[Any]) -> None:
    for name in ("truth", "noisy", SAME_MIX):
        off = np.array([one.cost(name).estimate - one.budgets[0] for one in repeated])
        assert abs(off.mean()) < 0.01
        assert off.std() < 0.02


def test_costs_that_are_predicted_the_wrong_way_round_still_cost_the_budget_and_are_told() -> None:
    """Everybody's cheapest arm by the forecast is the dearest in truth."""
    problem = dose_problem(6_000, seed=2)
    wrong = Forecast.checked(problem.true_outcome, problem.true_cost[:, ::-1])
    budget = 0.2 * dearest(problem)
    found = expected_outcome(**seen(problem), forecast=wrong, budget=budget)
    assert found.notes == (f"mixed_with_cheapest:{budget:g}",)
    assert abs(found.cost.estimate - budget) < 4 * found.cost.standard_error + 0.01


def test_known_prices_make_costs_exact() -> None:
    problem = dose_problem(3_000, seed=3)
    price = {arm: float(arm) for arm in range(5)}
    forecast = Forecast.checked(problem.true_outcome, list(price.values()))
    for estimator in ESTIMATORS:
        found = compare_forecasts(
            problem.outcome,
            problem.treatment,
            cost=price,
            forecasts={"truth": forecast},
            baseline=SAME_MIX,
            budgets=[1.0],
            estimator=estimator,
        )
        assert found.cost(SAME_MIX).estimate == pytest.approx(1.0, abs=1e-6)
        assert found.cost("truth").standard_error < 0.01


def test_a_policy_differs_from_itself_by_nothing_and_numbers_repeat() -> None:
    problem = dose_problem(2_000, seed=4)
    same = {"one": truth_of(problem), "two": truth_of(problem)}
    call = {**seen(problem), "forecasts": same, "baseline": "one", "budgets": [0.2, 0.4], "replicates": 20}
    found = compare_forecasts(**call)
    assert (found.difference("two").estimate, found.difference("two").standard_error) == (0, 0)
    assert found.outcome("two") == compare_forecasts(**call).outcome("two")
    assert found.outcome("two") != compare_forecasts(**call, seed=1).outcome("two")


def test_weights_of_budgets_weigh_the_mean() -> None:
    problem = dose_problem(2_000, seed=5)
    found = compare_forecasts(
        **seen(problem), forecasts={"truth": truth_of(problem)}, baseline=CONTROL, budgets=[0.2, 0.4], weights=[3, 1]
    )
    by_budget = [found.difference("truth", budget=k).estimate for k in (0, 1)]
    assert found.difference("truth").estimate == pytest.approx(0.75 * by_budget[0] + 0.25 * by_budget[1])
    assert found.weights.tolist() == [0.75, 0.25]


def test_a_budget_of_no_weight_may_lie_below_the_cheapest_arm_which_everybody_gets_then() -> None:
    arguments = {**two_kinds(), "baseline": SAME_MIX, "budgets": [1.5, 0.5], "cost": {0: 1.0, 1: 2.0}}
    found = compare_forecasts(**arguments, weights=[1, 0])
    for name in found.names:
        assert found.cost(name, 1).estimate == pytest.approx(1.0)
        assert found.outcome(name, 1) == found.outcome(CONTROL)


def test_a_budget_that_is_just_what_the_cheapest_arm_costs_is_no_less_for_being_rounded() -> None:
    arguments = {**two_kinds(), "baseline": SAME_MIX, "budgets": [0.3], "cost": {0: 0.3, 1: 2.0}}
    assert compare_forecasts(**arguments).cost(SAME_MIX).estimate == pytest.approx(0.3)


def test_arms_given_by_a_wrong_forecast_of_costs_cost_what_they_do_and_not_the_budget() -> None:
    problem = dose_problem(3_000, seed=2)
    half = Forecast.checked(problem.true_outcome, problem.true_cost / 2)
    arm = allocate(*half, budget=0.3 * 3_000).arm
    found = compare_forecasts(
        **seen(problem), forecasts={"half": half}, baseline=CONTROL, budgets=[0.3], allocations={"half": [arm]}
    )
    true = float(problem.true_cost[np.arange(3_000), arm].mean())
    low, high = found.allocated_cost("half", 0).interval
    assert low < true < high
    assert found.cost("half").interval[1] < true
    assert low > 0.5


@pytest.mark.parametrize("estimator", ["aipw", "hajek"])
def test_a_constant_added_to_all_outcomes_is_added_to_all_values(estimator: Any) -> None:
    problem = dose_problem(2_000, seed=6)
    options: dict[str, Any] = {"forecast": truth_of(problem), "budget": 0.3, "estimator": estimator, "replicates": 20}
    plain = expected_outcome(**seen(problem), **options)
    raised = expected_outcome(**{**seen(problem), "outcome": problem.outcome + 10}, **options)
    assert raised.outcome.estimate == pytest.approx(plain.outcome.estimate + 10, abs=1e-4)
    assert raised.outcome.standard_error == pytest.approx(plain.outcome.standard_error, rel=1e-3)


def test_arms_are_told_by_their_order_in_the_forecast() -> None:
    problem = dose_problem(2_000, seed=7, arms=3)
    names = ["none", "small", "big"]
    treatment = np.array(names)[problem.treatment]
    options: dict[str, Any] = {"forecast": truth_of(problem), "budget": 0.3, "replicates": 20}
    plain = expected_outcome(**seen(problem), **options)
    named = expected_outcome(problem.outcome, treatment, cost=problem.cost, arms=names, **options)
    assert named.outcome == plain.outcome


def test_units_that_depend_on_each_other_widen_intervals() -> None:
    problem = dose_problem(2_000, seed=8)
    twice = {name: np.repeat(values, 2) for name, values in seen(problem).items()}
    forecast = Forecast(*(np.repeat(values, 2, axis=0) for values in truth_of(problem)))
    alone = expected_outcome(**twice, forecast=forecast, budget=0.3)
    together = expected_outcome(**twice, forecast=forecast, budget=0.3, clusters=np.repeat(np.arange(2_000), 2))
    assert together.outcome.standard_error > 1.2 * alone.outcome.standard_error


def test_prices_run_from_nothing_to_infinity_and_spread_over_what_is_spent() -> None:
    forecast = truth_of(dose_problem(3_000, seed=9))
    grid = price_grid(forecast)
    assert (grid[0], grid[-1]) == (0, np.inf)
    assert (np.diff(grid) > 0).all()
    assert PRICES - 3 <= len(grid) <= PRICES + 1
    unit = np.arange(3_000)
    arms = [(forecast.outcome - price * forecast.cost).argmax(axis=1) for price in grid[:-1]]
    spent = [forecast.cost[unit, arm].mean() for arm in arms]
    assert np.abs(np.diff(spent)).max() < 3 * (spent[0] - spent[-1]) / len(grid)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10**6), noise=st.floats(0, 2))
def test_a_larger_budget_never_means_a_higher_price_however_noisy_costs_are(seed: int, noise: float) -> None:
    random = np.random.default_rng(seed)
    cost = np.linspace(3, 0.5, 12) + noise * random.standard_normal(12)
    cost[-1] = 0
    budgets = np.sort(random.random(20) * 4)
    position = price_position(cost[None], budgets)
    assert (np.diff(position[0]) <= 0).all()
    falling = np.append(isotonic_regression(cost[:-1], increasing=False).x, 0.0)
    first = np.floor(position).astype(int)
    spent = Mix(first, np.minimum(first + 1, 11), position - first).of(falling[None])[0]
    within = (budgets <= falling[0]) & (budgets >= falling.min())
    assert np.allclose(spent[within], budgets[within])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"forecasts": {"wide": free(np.zeros((400, 3)))}}, "forecast 'wide' has shape"),
        ({"forecasts": {CONTROL: free(np.zeros((400, 2)))}}, "which are taken"),
        ({"baseline": "other"}, "baseline 'other' is unknown"),
        ({"budgets": []}, "budgets are"),
        ({"budgets": [0.5, -1.0]}, "budgets are"),
        ({"budgets": [np.nan]}, "missing or infinite"),
        ({"budgets": [0.5], "cost": {0: 1.0, 1: 2.0}}, "below 1, the cost of 0"),
        ({"weights": [1.0, 2.0]}, "weights has 2 rows"),
        ({"weights": [0.0]}, "weights are"),
        ({"budgets": [0.5, 0.6], "weights": [1.5, -0.5]}, "weights are"),
        ({"estimator": "ips"}, "'ips' is unknown"),
        ({"replicates": 1}, "1 replicates"),
        ({"folds": 1}, "to 1 folds"),
        ({"folds": 30}, "to 30 folds"),
        ({"clusters": np.arange(400) % 12}, "12 independent groups"),
        ({"nuisance": free(np.zeros((10, 2)))}, "nuisance has shape"),
        ({"propensity": {0: 1.0, 1: 0.0}}, "propensity has values"),
        ({"treatment": np.r_[np.zeros(390), np.ones(10)]}, "fewer than 20"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(change: dict[str, Any], message: str) -> None:
    arguments = {**two_kinds(), "baseline": SAME_MIX, "budgets": [0.5]}
    with pytest.raises(InputError, match=message):
        compare_forecasts(**{**arguments, **change})
