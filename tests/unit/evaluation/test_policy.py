"""Policy value and budget curve against sums written out, and their intervals against simulated truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causal_tasks.errors import InputError
from causal_tasks.evaluation import budget_curve, dr_scores, policy_value

SCORES = np.array([3.0, 1.0, -2.0, 0.0, 4.0])
TREAT = np.array([1, 1, 0, 0, 1])


@pytest.mark.parametrize(
    ("against", "terms"),
    [
        ("none", [2.5, 0.5, 0.0, 0.0, 3.5]),
        ("all", [0.0, 0.0, 2.5, 0.5, 0.0]),
        ("random", [0.4 * 1.8, 0.4 * -0.2, 0.6 * 3.2, 0.6 * 1.2, 0.4 * 2.8]),
    ],
)
def test_the_value_is_the_mean_of_its_terms_with_their_standard_error(against, terms):
    found = policy_value(SCORES, TREAT, cost=0.5, against=against)
    assert found.estimate == pytest.approx(np.mean(terms))
    assert found.standard_error == pytest.approx(np.std(terms, ddof=1) / np.sqrt(5))


def test_the_value_against_random_is_that_of_the_policy_minus_the_share_treated_of_the_average_effect():
    expected = (TREAT * SCORES).mean() - TREAT.mean() * SCORES.mean()
    assert policy_value(SCORES, TREAT, against="random").estimate == pytest.approx(expected)


policies = st.lists(st.tuples(st.integers(-9, 9), st.booleans()), min_size=2, max_size=30)


@given(policies, st.floats(-3, 3))
def test_against_none_and_against_all_differ_by_the_value_of_treating_everybody(rows, cost):
    scores, treat = (np.array(column) for column in zip(*rows, strict=True))
    against = {name: policy_value(scores, treat, cost=cost, against=name).estimate for name in ("none", "all")}
    assert against["none"] - against["all"] == pytest.approx(scores.mean() - cost, abs=1e-9)


@given(policies, st.integers(-100, 100))
def test_against_random_an_effect_that_all_users_share_is_worth_nothing(rows, shift):
    scores, treat = (np.array(column) for column in zip(*rows, strict=True))
    shifted, plain = (policy_value(scores + s, treat, against="random") for s in (shift, 0))
    assert shifted.estimate == pytest.approx(plain.estimate, abs=1e-9)
    assert shifted.standard_error == pytest.approx(plain.standard_error, abs=1e-9)


@pytest.mark.parametrize("everybody", [True, False])
def test_treating_everybody_or_nobody_is_worth_what_random_is(everybody):
    found = policy_value(SCORES, np.full(5, everybody), against="random")
    assert (found.estimate, found.standard_error, found.p_value) == (0.0, 0.0, 1.0)


@pytest.mark.parametrize("noise", ["normal", "lognormal"])
def test_intervals_cover_the_true_value_at_their_level(noise):
    """Effects x - 0.3 with x uniform: treating x > 0.5 is worth 0.225 against none, 0.025 all, 0.125 random."""
    truth = {"none": 0.225, "all": 0.025, "random": 0.125}
    covered = []
    for seed in range(400):
        random = np.random.default_rng(seed)
        x, treatment = random.random(1_000), random.integers(0, 2, 1_000)
        error = random.normal(size=1_000) if noise == "normal" else random.lognormal(size=1_000)
        scores = dr_scores((x - 0.3) * treatment + error, treatment, np.full(1_000, 1.0), x + 0.7, 0.5)
        intervals = {name: policy_value(scores, x > 0.5, against=name).interval for name in truth}
        covered.append([intervals[name][0] <= truth[name] <= intervals[name][1] for name in truth])
    assert (np.mean(covered, axis=0) >= 0.92).all()
    assert (np.mean(covered, axis=0) <= 0.98).all()


def test_clusters_widen_the_interval():
    random = np.random.default_rng(1)
    scores, treat = np.repeat(random.normal(size=500), 4), np.repeat(random.integers(0, 2, 500), 4)
    clusters = np.repeat([f"household {i}" for i in range(500)], 4)
    single = policy_value(scores[::4], treat[::4])
    assert policy_value(scores, treat, clusters=clusters).standard_error == pytest.approx(single.standard_error)
    assert policy_value(scores, treat).standard_error < 0.6 * single.standard_error


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([1, 2], [1]), {}, "treat has 1 rows, scores 2"),
        (([1, 2], [1, 3]), {}, "pass 0 for control and 1"),
        (([1, np.nan], [1, 0]), {}, "scores has 1 missing"),
        (([1, 2], [1, 0]), {"against": "some"}, "against 'some' is unknown"),
        (([1], [1]), {}, "1 independent units"),
        (([1, 2], [1, 0]), {"level": 95}, "level is 95"),
        (([1, 2], [1, 0]), {"cost": np.inf}, "cost has 1 missing or infinite"),
    ],
)
def test_unusable_arguments_are_refused(arguments, options, message):
    with pytest.raises(InputError, match=message):
        policy_value(*arguments, **options)


def greedy(scores, uplift, cost, spend):
    """Treat one user after the other in the order of uplift per cost until ``spend`` is used up; the last in part."""
    left, gain, treated = spend * len(scores), 0.0, 0.0
    for i in sorted(range(len(scores)), key=lambda i: -uplift[i] / cost[i]):
        part = min(1.0, left / cost[i])
        left, gain, treated = left - part * cost[i], gain + part * scores[i], treated + part
    return gain / len(scores), treated / len(scores)


def test_the_budget_curve_treats_users_in_the_order_of_uplift_per_cost():
    random = np.random.default_rng(2)
    scores, uplift, cost = random.normal(size=50), random.normal(size=50), random.uniform(0.5, 2, 50)
    curve = budget_curve(scores, uplift, cost=cost, points=12)
    expected = [greedy(scores, uplift, cost, spend) for spend in curve["spend"]]
    np.testing.assert_allclose(curve[["gain", "share"]], expected, atol=1e-9)
    assert curve["spend"].iloc[-1] == pytest.approx(cost.mean())


def test_one_cost_for_all_makes_spend_the_share_times_the_cost():
    scores, uplift = np.random.default_rng(3).normal(size=(2, 400))
    curve = budget_curve(scores, uplift, cost=0.2, points=5)
    np.testing.assert_allclose(curve["spend"], 0.2 * curve["share"])
    assert curve["gain"].iloc[[0, -1]].tolist() == pytest.approx([0, scores.mean()])


def test_equal_predictions_are_one_block_of_the_budget_curve():
    scores = np.random.default_rng(4).normal(size=400)
    curve = budget_curve(scores, np.ones(400), cost=1.0, points=5)
    np.testing.assert_allclose(curve["gain"], curve["share"] * scores.mean(), atol=1e-12)


def test_the_band_of_the_budget_curve_ends_at_the_interval_of_treating_everybody():
    scores, uplift = np.random.default_rng(5).normal(size=(2, 5_000))
    last = budget_curve(scores, uplift, cost=1.0).iloc[-1]
    everybody = policy_value(scores, np.ones(5_000))
    assert last["high"] - last["low"] == pytest.approx(np.diff(everybody.interval)[0], rel=0.15)


@pytest.mark.parametrize(
    ("cost", "message"), [(0.0, "cost is 0 for some user"), ([1.0, -1.0], "cost is -1"), ([1.0] * 3, "cost has 3 rows")]
)
def test_costs_that_nothing_can_be_divided_by_are_refused(cost, message):
    with pytest.raises(InputError, match=message):
        budget_curve([1.0, 2.0], [1.0, 2.0], cost=cost)
