"""Values of policies against everything that chance could have done, and against estimators of another kind."""

from itertools import product

import numpy as np
import pytest

from causal_tasks.dynamic.policy_values import request_policy_values
from causal_tasks.dynamic.thresholds import choose_thresholds

SHARES = np.array([0.5, 0.3, 0.2])
ARMS = len(SHARES)


def policies(random, requests):
    """One that decides at random, differently for each request, and the one by which arms are drawn."""
    return {"mixed": random.dirichlet(np.ones(ARMS), requests), "drawn": np.tile(SHARES, (requests, 1))}


def test_inverse_propensity_is_right_on_average_over_all_draws_of_arms():
    random = np.random.default_rng(0)
    user = np.array([0, 0, 1, 2, 2, 2, 3, 4])
    rewards = random.gamma(2.0, size=(len(user), ARMS))
    policy = policies(random, len(user))
    expected = {"mixed": 0.0, "difference": 0.0}
    for drawn in product(range(ARMS), repeat=5):
        arm = np.array(drawn)[user]
        found = request_policy_values(
            rewards[np.arange(len(user)), arm],
            arm,
            policy,
            propensity=SHARES,
            baseline="drawn",
            users=user,
            estimator="ipw",
        )
        chance = SHARES[list(drawn)].prod()
        expected["mixed"] += chance * found.values["mixed"].value.estimate
        expected["difference"] += chance * found.difference("mixed").estimate
    truth = {name: (shares * rewards).sum(axis=1).mean() for name, shares in policy.items()}
    assert expected["mixed"] == pytest.approx(truth["mixed"], rel=1e-12)
    assert expected["difference"] == pytest.approx(truth["mixed"] - truth["drawn"], rel=1e-12)


def test_the_squared_error_is_the_variance_over_all_draws_of_users_and_arms():
    random = np.random.default_rng(1)
    kinds, requests = 2, 2
    rewards, shares = (
        random.gamma(2.0, size=(kinds, requests, ARMS)),
        random.dirichlet(np.ones(ARMS), (kinds, requests)),
    )
    user = np.repeat(np.arange(3), requests)
    chances, values, differences, squared = [], [], [], []
    for drawn in product(product(range(kinds), range(ARMS)), repeat=3):
        kind, arm = (np.array(column) for column in zip(*drawn, strict=True))
        found = request_policy_values(
            np.concatenate([rewards[k, :, a] for k, a in zip(kind, arm, strict=True)]),
            np.repeat(arm, requests),
            {"mixed": np.concatenate(shares[kind]), "drawn": np.tile(SHARES, (len(user), 1))},
            propensity=SHARES,
            baseline="drawn",
            users=user,
            estimator="ipw",
        )
        chances.append(SHARES[arm].prod() / kinds**3)
        values.append(found.values["mixed"].value.estimate)
        differences.append(found.difference("mixed").estimate)
        squared.append([found.values["mixed"].value.standard_error ** 2, found.difference("mixed").standard_error ** 2])
    assert sum(chances) == pytest.approx(1)
    told = np.average(squared, axis=0, weights=chances)
    for value, error in zip((values, differences), told, strict=True):
        variance = np.average(np.square(value), weights=chances) - np.average(value, weights=chances) ** 2
        assert error == pytest.approx(variance, rel=1e-10)


def logged(users=150, seed=0):
    """Requests of users who have between one and nine of them, with a response to the arm of their own."""
    random = np.random.default_rng(seed)
    user = np.repeat(np.arange(users), random.integers(1, 10, users))
    arm = random.choice(ARMS, users, p=SHARES)[user]
    level, gain = random.gamma(2.0, size=users)[user], random.normal(size=(users, ARMS - 1))[user]
    preference = np.column_stack([level, level[:, None] + gain + 0.5 * random.normal(size=gain.shape)])
    interest = random.gamma(20.0, 1 / 20.0, size=gain.shape)
    reward = level + np.column_stack([np.zeros(len(user)), gain])[np.arange(len(user)), arm]
    return reward + random.normal(size=len(user)), arm, preference, interest, user


def plain_value(reward, arm, policy):
    """Hajek: responses of those who were given what the policy gives, weighted by one over the chance of that."""
    pairs = [
        (1 / SHARES[given], own) for own, given, wanted in zip(reward, arm, policy, strict=True) if given == wanted
    ]
    return sum(weight * own for weight, own in pairs) / sum(weight for weight, _ in pairs)


def plain_decision(preference, interest, thresholds):
    """r_k y_k - y_0 - xi_k, the first of the largest if it is above zero."""
    decided = []
    for y, r in zip(preference, interest, strict=True):
        gains = [r[k] * y[k + 1] - y[0] - thresholds[k] for k in range(len(r))]
        decided.append(gains.index(max(gains)) + 1 if max(gains) > 0 else 0)
    return decided


def test_hajeks_value_and_its_error_are_those_of_leaving_out_one_user_at_a_time():
    reward, arm, preference, interest, user = logged()
    chosen = {"dynamic": plain_decision(preference, interest, (0.2, 0.2)), "control": np.zeros(len(user), dtype=int)}
    found = request_policy_values(reward, arm, chosen, propensity=SHARES, baseline="control", users=user)
    assert found.values["dynamic"].value.estimate == pytest.approx(plain_value(reward, arm, chosen["dynamic"]))
    left_out = []
    for one in np.unique(user):
        rows = user != one
        left_out.append([plain_value(reward[rows], arm[rows], np.array(policy)[rows]) for policy in chosen.values()])
    dynamic, control = np.array(left_out).T
    users = len(left_out)
    for told, replicates in (
        (found.values["dynamic"].value, dynamic),
        (found.difference("dynamic"), dynamic - control),
    ):
        assert told.standard_error == pytest.approx(np.sqrt((users - 1) * replicates.var()), rel=0.06)


def test_no_threshold_of_one_treatment_is_better_while_the_others_are_held():
    reward, arm, preference, interest, user = logged(seed=3)
    found = choose_thresholds(reward, arm, preference, interest, propensity=SHARES, users=user, grid=20)
    best = plain_value(reward, arm, plain_decision(preference, interest, found.thresholds))
    assert found.value.estimate == pytest.approx(best)
    decided = np.array(plain_decision(preference, interest, found.thresholds))
    assert found.switched_share == pytest.approx((decided > 0).mean())
    assert found.gain.estimate == pytest.approx(best - plain_value(reward, arm, np.zeros(len(arm))))
    for treatment, tried in found.curve.groupby("treatment"):
        for threshold, told in zip(tried["threshold"], tried["value"], strict=True):
            thresholds = list(found.thresholds)
            thresholds[treatment - 1] = threshold
            value = plain_value(reward, arm, plain_decision(preference, interest, thresholds))
            assert told == pytest.approx(value)
            assert value <= best + 1e-12
