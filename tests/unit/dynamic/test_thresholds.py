"""Thresholds: the search against trying everything, on simulated truth, and what is never switched on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causal_tasks.dynamic import DynamicDecision
from causal_tasks.dynamic.decision import NEVER
from causal_tasks.dynamic.policy_values import LoggedRequests, request_policy_values
from causal_tasks.dynamic.thresholds import ThresholdSearch, choose_thresholds
from causal_tasks.errors import InputError
from tests.unit.dynamic.randomised_requests import SHARES, randomised

ARMS, BUCKETS = ("control", "a", "b"), ("long", "short")


def decided(logged, thresholds, allowed=None):
    return DynamicDecision(ARMS, BUCKETS, thresholds).decide(logged.preference, logged.interest, allowed)


def value(logged, thresholds, estimator="hajek", allowed=None):
    policies = {"this": decided(logged, thresholds, allowed)}
    found = request_policy_values(
        logged.reward, logged.arm, policies, propensity=SHARES, baseline="this", estimator=estimator
    )
    return found.values["this"].value.estimate


@pytest.mark.parametrize("estimator", ["hajek", "ipw"])
@pytest.mark.parametrize("some_allowed", [False, True])
def test_one_threshold_for_all_is_the_best_of_those_tried_one_by_one(estimator, some_allowed):
    logged = randomised(300, 1, cost=(2.0, 2.0))
    allowed = np.random.default_rng(0).random((1500, 2)) < 0.6 if some_allowed else None
    found = choose_thresholds(**logged.arguments(), allowed=allowed, per_treatment=False, grid=30, estimator=estimator)
    values = [value(logged, (xi, xi), estimator, allowed) for xi in found.curve["threshold"]]
    np.testing.assert_allclose(found.curve["value"], values)
    assert found.thresholds == (found.curve["threshold"][int(np.argmax(values))],) * 2
    assert found.value.estimate == pytest.approx(max(values))
    assert len(values) == 31
    assert (np.diff(found.curve["switched_share"]) <= 0).all()
    assert found.curve["switched_share"].iloc[-1] == 0
    assert found.curve["switched_share"].iloc[0] == pytest.approx(1 if allowed is None else allowed.any(axis=1).mean())


@pytest.mark.parametrize("estimator", ["hajek", "ipw"])
def test_the_search_finds_the_value_of_every_treatments_threshold_as_deciding_does(estimator):
    logged = randomised(300, 2, cost=(1.0, 4.0))
    found = choose_thresholds(**logged.arguments(), grid=15, estimator=estimator)
    for treatment, threshold, told in found.curve[["treatment", "threshold", "value"]].to_numpy():
        thresholds = list(found.thresholds)
        thresholds[int(treatment) - 1] = threshold
        assert told == pytest.approx(value(logged, tuple(thresholds), estimator))
        assert told <= found.value.estimate + 1e-9  # no single step is better


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.booleans(), st.integers(1, 8))
def test_values_by_running_sums_are_those_of_the_decisions_and_no_step_makes_it_worse(seed, hajek, grid):
    logged = randomised(12, seed, requests=3)
    estimator = "hajek" if hajek else "ipw"
    logged.arm[0] = 0
    search = ThresholdSearch.of(
        LoggedRequests.checked(logged.reward, logged.arm, propensity=SHARES, users=logged.users),
        logged.preference,
        logged.interest,
        allowed=None,
        grid=grid,
        estimator=estimator,
    )
    switch = search._together()
    tried = search._tried(switch.critical)
    by_decision = [
        value(logged, (xi, xi), estimator) if (decided(logged, (xi, xi)) == logged.arm).any() else -np.inf
        for xi in tried
    ]
    np.testing.assert_allclose(search._values(switch, tried), by_decision)
    chosen = search.best(per_treatment=True)
    together = search.best(per_treatment=False)
    assert value(logged, tuple(chosen), estimator) >= value(logged, tuple(together), estimator) - 1e-9
    assert value(logged, tuple(together), estimator) >= value(logged, (NEVER, NEVER), estimator) - 1e-9


def test_thresholds_come_near_the_true_ones_and_a_threshold_for_each_is_worth_more():
    logged, fresh = randomised(10_000, 3, cost=(0.0, 3.0)), randomised(10_000, 4, cost=(0.0, 3.0))
    each = choose_thresholds(**logged.arguments()).thresholds
    together = choose_thresholds(**logged.arguments(), per_treatment=False).thresholds
    best = fresh.true_value(decided(fresh, (0.0, 3.0)))
    never = fresh.true_value(decided(fresh, (NEVER, NEVER)))
    of_each, of_together = (fresh.true_value(decided(fresh, xi)) for xi in (each, together))
    assert each == pytest.approx((0.0, 3.0), abs=0.7)
    assert best - of_each < 0.02 * (best - never)
    assert of_together < of_each


def test_treatments_that_only_harm_are_never_switched_on():
    found = choose_thresholds(**randomised(3_000, 5, cost=(50.0, 0.0)).arguments())
    assert found.thresholds[0] == NEVER
    assert found.thresholds[1] < NEVER
    nothing = choose_thresholds(**randomised(3_000, 6, cost=(50.0, 50.0)).arguments())
    assert nothing.thresholds == (NEVER, NEVER)
    assert nothing.switched_share == 0
    assert nothing.gain.interval == (0, 0)


def test_without_interest_preference_alone_decides():
    logged = randomised(1_000, 7)
    ones = choose_thresholds(**logged.arguments() | {"interest": np.ones_like(logged.interest)})
    assert choose_thresholds(**logged.arguments() | {"interest": None}).thresholds == ones.thresholds


def test_the_weight_of_interest_is_chosen_by_value():
    logged, fresh = randomised(5_000, 13), randomised(5_000, 14)
    exaggerated = logged.arguments() | {"interest": 1 + 4 * (logged.interest - 1)}
    weights = (0.0, 0.25, 0.5, 1.0)
    assert choose_thresholds(**exaggerated, interest_weights=weights).interest_weight == 0.25
    useless = logged.arguments() | {"interest": fresh.interest}
    assert choose_thresholds(**useless, interest_weights=weights).interest_weight == 0.0
    assert choose_thresholds(**logged.arguments() | {"interest": None}, interest_weights=(0.5,)).interest_weight == 1
    with pytest.raises(InputError, match="interest_weights is empty"):
        choose_thresholds(**logged.arguments(), interest_weights=())


def test_what_is_not_allowed_is_not_chosen():
    logged = randomised(1_000, 8)
    allowed = np.zeros((5_000, 2), dtype=bool)
    allowed[:, 1] = True
    found = choose_thresholds(**logged.arguments(), allowed=allowed)
    assert found.thresholds[0] == NEVER
    assert found.thresholds[1] < NEVER


def test_where_gains_are_equal_the_search_values_what_deciding_does():
    random = np.random.default_rng(11)
    arm, preference = random.integers(0, 3, size=400), random.integers(0, 4, size=(400, 3)).astype(float)
    logged = LoggedRequests.checked(random.random(400), arm, propensity=SHARES, users=None)
    search = ThresholdSearch.of(logged, preference, None, allowed=None, grid=5, estimator="hajek")
    tried, held = np.array([-2.0, -1.0, 0.0, 1.0, 2.0]), np.zeros(2)
    for k in range(2):
        expected = [search.value(search.decided(np.where(np.arange(2) == k, xi, held))) for xi in tried]
        np.testing.assert_allclose(search._values(search._alone(held, k), tried), expected)


def test_where_all_rewards_are_equal_nothing_is_switched_on():
    logged = randomised(200, 12)
    found = choose_thresholds(**logged.arguments() | {"reward": np.full(1_000, 0.1)})
    assert found.thresholds == (NEVER, NEVER)
    assert found.gain.interval == (0, 0)


def test_the_order_of_requests_does_not_matter():
    logged = randomised(500, 9, cost=(1.0, 2.0))
    mixed = np.random.default_rng(0).permutation(2_500)
    arguments = logged.arguments()
    shuffled = {name: values if name == "propensity" else values[mixed] for name, values in arguments.items()}
    found, again = choose_thresholds(**arguments), choose_thresholds(**shuffled)
    assert again.thresholds == found.thresholds
    assert again.value.estimate == pytest.approx(found.value.estimate)
    assert again.gain.interval == pytest.approx(found.gain.interval)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"grid": 0}, "grid is 0"),
        ({"arm": np.ones(50, dtype=int)}, "none of 50 requests was given control"),
        ({"preference": np.ones((49, 3))}, "interest has 50 rows, preference 49"),
        ({"preference": np.ones((49, 3)), "interest": None}, "preference has 49 rows"),
        ({"allowed": np.ones((50, 2))}, "allowed is float64"),
    ],
)
def test_errors_name_what_is_wrong(change, message):
    with pytest.raises(InputError, match=message):
        choose_thresholds(**randomised(10, 10).arguments() | change)
