"""Policies: whom they treat, and what that is worth against nobody, everybody and chance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causal_tasks.subpopulations.policy import TargetRule, policies, policy_evidence, treatment_cost


def rule(identity, predicted, inside):
    kind = "positive" if predicted > 0 else "negative"
    return TargetRule(identity, kind, predicted, np.asarray(inside, dtype=bool))


SCORES = np.array([4.0, 2.0, 1.0, -1.0, -6.0, 3.0])
UPLIFT = np.array([3.0, 2.0, 0.2, -0.5, -2.0, 1.0])
RULES = [
    rule("s1", 2.0, [1, 1, 0, 0, 0, 0]),
    rule("s2", 0.4, [0, 0, 1, 0, 0, 0]),
    rule("s3", -1.0, [0, 0, 0, 1, 1, 0]),
]


def by_name(evidence):
    return {row["policy"]: row for row in evidence["policies"]}


def test_each_policy_treats_whom_it_says():
    treated = policies(RULES, UPLIFT, cost=0.0)
    assert list(treated) == ["all", "rules", "avoid", "model"]
    assert {name: mask.astype(int).tolist() for name, mask in treated.items()} == {
        "all": [1, 1, 1, 1, 1, 1],
        "rules": [1, 1, 1, 0, 0, 0],
        "avoid": [1, 1, 1, 0, 0, 1],
        "model": [1, 1, 1, 0, 0, 1],
    }


def test_a_cost_takes_out_what_does_not_pay():
    treated = policies(RULES, UPLIFT, cost=0.5)
    assert treated["rules"].astype(int).tolist() == [1, 1, 0, 0, 0, 0]
    assert treated["model"].astype(int).tolist() == [1, 1, 0, 0, 0, 1]
    assert policy_evidence(SCORES, UPLIFT, RULES, cost=0.5)["rules"] == ["s1"]


def test_policies_that_treat_nobody_or_spare_nobody_are_left_out():
    assert list(policies([], np.ones(6), cost=0.0)) == ["all"]
    assert list(policies(RULES, UPLIFT, cost=100.0)) == ["all", "avoid"]


def test_values_are_the_sums_of_the_definitions():
    cost = 0.5
    found = by_name(policy_evidence(SCORES, UPLIFT, RULES, cost=cost))
    rules, everybody = found["rules"], found["all"]
    assert everybody["vs_none"]["estimate"] == pytest.approx(SCORES.mean() - cost)
    assert (everybody["vs_all"], everybody["vs_random"]) == (None, None)
    assert rules["vs_none"]["estimate"] == pytest.approx((4 + 2 - 2 * cost) / 6)
    assert rules["vs_all"]["estimate"] == pytest.approx((4 + 2 - 2 * cost) / 6 - (SCORES.mean() - cost))
    assert rules["vs_random"]["estimate"] == pytest.approx((4 + 2) / 6 - 2 / 6 * SCORES.mean())
    assert rules["share"] == pytest.approx(1 / 3)
    assert rules["spend"] == pytest.approx(cost / 3)


@given(
    seed=st.integers(0, 1000),
    cost=st.floats(-1, 1).map(lambda c: round(c, 3)),
)
def test_gains_over_nobody_and_over_everybody_differ_by_what_everybody_gains(seed, cost):
    random = np.random.default_rng(seed)
    scores, uplift = random.normal(size=50), random.normal(size=50)
    found = by_name(policy_evidence(scores, uplift, [rule("s1", -1.0, uplift < -1)], cost=cost))
    everybody = found.pop("all")["vs_none"]["estimate"]
    for row in found.values():
        assert row["vs_none"]["estimate"] - row["vs_all"]["estimate"] == pytest.approx(everybody)


def test_intervals_hold_the_truth_as_often_as_they_say():
    """The policy is fixed by predictions; fresh users judge it."""
    random = np.random.default_rng(0)
    held = {"vs_none": 0, "vs_all": 0, "vs_random": 0}
    runs, n, cost = 400, 2000, 0.1
    for _ in range(runs):
        x = random.normal(size=n)
        scores = np.where(x > 0.5, 0.6, -0.1) + random.normal(size=n)
        row = by_name(policy_evidence(scores, x - 0.5 + cost, [], cost=cost))["model"]
        share, average = 0.3085, 0.3085 * 0.6 - 0.6915 * 0.1
        truth = {
            "vs_none": share * (0.6 - cost),
            "vs_all": share * (0.6 - cost) - (average - cost),
            "vs_random": share * 0.6 - share * average,
        }
        for name, value in truth.items():
            low, high = row[name]["interval"]
            held[name] += low <= value <= high
    for count in held.values():
        assert 0.92 < count / runs < 0.98


def test_clusters_widen_intervals():
    random = np.random.default_rng(1)
    code = np.repeat(np.arange(200), 20)
    scores = random.normal(size=200)[code] + 0.1 * random.normal(size=4000)
    alone, together = (by_name(policy_evidence(scores, scores, [], clusters=c))["all"] for c in (None, code))
    assert together["vs_none"]["standard_error"] > 3 * alone["vs_none"]["standard_error"]


def test_the_cost_of_a_treatment_is_what_it_costs_more_than_control():
    assert treatment_cost({"on": 3.0, "off": 1.0}, "on", "off") == 2.0
    assert treatment_cost({"on": 3.0}, "on", "off") == 3.0
    assert treatment_cost({}, "on", "off") == 0.0
