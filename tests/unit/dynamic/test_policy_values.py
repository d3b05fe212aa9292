"""Values of policies at request time: written out, against brute force, on simulated truth, and what never matters."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causal_tasks.dynamic.policy_values import request_policy_values
from causal_tasks.errors import InputError
from tests.unit.dynamic.randomised_requests import SHARES, randomised

REWARD = np.array([1.0, 4.0, 2.0, 6.0, 5.0])
ARM = [0, 1, 2, 1, 0]
POLICY = [0, 1, 1, 1, 2]


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [("ipw", (1 / 0.4 + 4 / 0.3 + 6 / 0.3) / 5), ("hajek", (1 / 0.4 + 10 / 0.3) / (1 / 0.4 + 2 / 0.3))],
)
@pytest.mark.parametrize("propensity", [SHARES, np.tile(SHARES, (5, 1))], ids=["of arms", "of requests"])
def test_a_value_is_the_weighted_mean_written_out(estimator, expected, propensity):
    found = request_policy_values(
        REWARD, ARM, {"policy": POLICY}, propensity=propensity, baseline="policy", estimator=estimator
    )
    assert found.values["policy"].value.estimate == pytest.approx(expected)
    assert found.values["policy"].matched == 3


def test_each_request_counts_by_the_probability_of_its_own_draw():
    propensity = np.array([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [0.2, 0.5, 0.3], [0.9, 0.05, 0.05]])
    found = request_policy_values(
        REWARD, ARM, {"policy": POLICY}, propensity=propensity, baseline="policy", estimator="ipw"
    )
    assert found.values["policy"].value.estimate == pytest.approx((1 / 0.5 + 4 / 0.8 + 6 / 0.5) / 5)


@pytest.mark.parametrize("estimator", ["hajek", "ipw"])
def test_drawing_arms_as_they_were_drawn_is_worth_the_mean_reward(estimator):
    logged = randomised(200, 1)
    found = request_policy_values(
        logged.reward,
        logged.arm,
        {"as drawn": np.tile(SHARES, (len(logged.arm), 1))},
        propensity=SHARES,
        baseline="as drawn",
        users=logged.users,
        estimator=estimator,
    )
    means = np.bincount(logged.users, logged.reward) / 5
    value = found.values["as drawn"].value
    assert value.estimate == pytest.approx(logged.reward.mean())
    assert value.standard_error == pytest.approx(means.std(ddof=1) / np.sqrt(200))


def test_a_policy_that_explores_is_worth_the_mixture_under_ipw():
    logged = randomised(200, 2)
    best = logged.expected.argmax(axis=1)
    greedy = np.eye(3)[best]
    given = {"greedy": best, "even": np.full((len(best), 3), 1 / 3), "both": 0.9 * greedy + 0.1 / 3}
    found = request_policy_values(
        logged.reward, logged.arm, given, propensity=SHARES, baseline="greedy", estimator="ipw"
    )
    values = {name: value.value.estimate for name, value in found.values.items()}
    assert values["both"] == pytest.approx(0.9 * values["greedy"] + 0.1 * values["even"])


@pytest.mark.parametrize("estimator", ["hajek", "ipw"])
def test_intervals_cover_true_values_and_differences_with_users_as_clusters(estimator):
    covered = []
    for seed in range(400):
        logged = randomised(300, seed, noise=3.0)
        best = logged.expected.argmax(axis=1)
        found = request_policy_values(
            logged.reward,
            logged.arm,
            {"best": best, "control": np.zeros_like(best)},
            propensity=SHARES,
            baseline="control",
            users=logged.users,
            estimator=estimator,
        )
        # Of all users, not of these: their expected rewards are drawn too.
        truth = TRUTH
        pairs = [
            (found.values["best"].value, truth[0]),
            (found.values["control"].value, truth[1]),
            (found.difference("best"), truth[0] - truth[1]),
        ]
        covered.append([estimate.interval[0] <= true <= estimate.interval[1] for estimate, true in pairs])
    coverage = np.mean(covered, axis=0)
    assert (coverage > 0.92).all()
    assert (coverage < 0.98).all()


def _truth():
    drawn = randomised(200_000, 12345)
    best = drawn.expected.argmax(axis=1)
    return drawn.true_value(best), drawn.true_value(np.zeros_like(best))


TRUTH = _truth()


def test_requests_of_one_user_are_not_independent():
    logged = randomised(300, 3, requests=10, noise=5.0)
    errors = [
        request_policy_values(
            logged.reward, logged.arm, {"first": np.ones_like(logged.arm)}, propensity=SHARES, baseline="first", users=u
        )
        .values["first"]
        .value.standard_error
        for u in (logged.users, None)
    ]
    assert errors[0] > 2 * errors[1]


rows = st.lists(st.tuples(st.integers(-9, 9), st.integers(0, 2), st.integers(0, 2), st.integers(0, 3)), min_size=4)


@given(
    rows.filter(lambda rows: any(t == a for _, t, a, _ in rows) and len({u for *_, u in rows}) > 1),
    st.integers(-100, 100),
    st.permutations(range(4)),
    st.randoms(),
)
def test_order_names_of_users_and_a_constant_do_not_matter(rows, shift, names, random):
    def value(rows, shift=0, names=range(4)):
        reward, arm, policy, users = (np.array(column) for column in zip(*rows, strict=True))
        labels = np.array([f"user {names[user]}" for user in users])
        found = request_policy_values(
            reward + shift, arm, {"policy": policy}, propensity=SHARES, baseline="policy", users=labels
        )
        return found.values["policy"].value

    plain, shuffled = value(rows), value(random.sample(rows, len(rows)), names=names)
    moved = value(rows, shift=shift)
    assert shuffled.estimate == pytest.approx(plain.estimate)
    assert shuffled.standard_error == pytest.approx(plain.standard_error, abs=1e-9)
    assert moved.estimate == pytest.approx(plain.estimate + shift)
    assert moved.standard_error == pytest.approx(plain.standard_error, abs=1e-9)


def test_equal_rewards_leave_no_difference_that_is_only_rounding():
    random = np.random.default_rng(0)
    policies = {"control": np.zeros(500, dtype=int), "policy": random.integers(0, 3, size=500)}
    found = request_policy_values(
        np.full(500, 0.1), random.integers(0, 3, size=500), policies, propensity=SHARES, baseline="control"
    )
    assert found.difference("policy").interval == (0, 0)


def test_probabilities_of_no_request_are_refused_with_words():
    with pytest.raises(InputError, match="none of 0 requests"):
        request_policy_values([], [], {"policy": np.empty((0, 3))}, propensity=SHARES, baseline="policy")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reward": [1.0, np.nan, 1.0, 1.0, 1.0]}, "reward has 1 missing"),
        ({"arm": [0, 1]}, "arm has 2 rows"),
        ({"arm": [0, 1, 3, 1, 0]}, "arm has values from 0 to 3"),
        ({"arm": ["a"] * 5}, "arm is"),
        ({"propensity": [0.5, 0.5, 0.0]}, "propensity has values from 0 to"),
        ({"propensity": [0.5, 0.5, 0.5]}, "sums from 1.5"),
        ({"propensity": np.tile(SHARES, (4, 1))}, "propensity has 4 rows"),
        ({"policies": {"policy": [0, 1]}}, "policy 'policy' has 2 rows"),
        ({"policies": {"policy": [5] * 5}}, "policy 'policy' has values"),
        ({"policies": {"policy": np.ones((5, 3))}}, "no probability"),
        ({"policies": {"policy": [1, 0, 0, 0, 1]}}, "none of 5 requests"),
        ({"policies": {"other": POLICY}}, "baseline 'policy' is unknown"),
        ({"estimator": "dr"}, "'dr'"),
        ({"users": ["a"] * 5}, "1 independent units"),
    ],
)
def test_errors_name_what_is_wrong(change, message):
    arguments = {
        "reward": REWARD,
        "arm": ARM,
        "policies": {"policy": POLICY},
        "propensity": SHARES,
        "baseline": "policy",
    }
    with pytest.raises(InputError, match=message):
        request_policy_values(**arguments | change)
