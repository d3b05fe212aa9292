"""What acting on a rule does to the metrics that must not get worse."""

import numpy as np
import pandas as pd
import pytest

from causal_tasks.effects import difference_in_means, ratio_of_means
from causal_tasks.subpopulations.guardrails import Guardrail, guardrail_effects
from causal_tasks.subpopulations.users import Users

N = 4000


def users(seed=0, **changes):
    random = np.random.default_rng(seed)
    arm = random.choice(["off", "on", "max"], N)
    arguments = {
        "features": pd.DataFrame({"x": random.random(N)}),
        "outcome": np.zeros(N),
        "treatment": arm,
        "arms": ("off", "on", "max"),
        "discovery": random.random(N) < 0.5,
        "means": None,
        "shares": None,
        "propensity": None,
        "clusters": None,
    }
    return Users.checked(**arguments | changes)


def inside(people):
    return (people.features["x"] > 0.5).to_numpy()


def one(people, values, *, sign=1, rows=None, denominator=None):
    rows = inside(people) if rows is None else rows
    (effect,) = guardrail_effects({"speed": Guardrail(values, sign, denominator)}, people, rows, "on")
    return effect


def test_it_is_the_difference_of_means_of_covered_estimation_users():
    people = users()
    values = np.random.default_rng(1).normal(size=N)
    values[::7] = np.nan
    rows = inside(people) & ~people.discovery & (people.arm < 2) & ~np.isnan(values)
    expected = difference_in_means(values[rows], people.arm[rows])
    found = one(people, values).effect
    assert (found.estimate, found.standard_error, found.interval, found.p_value) == (
        expected.estimate,
        expected.standard_error,
        expected.interval,
        expected.p_value,
    )


def test_of_a_ratio_it_is_the_difference_of_the_covered_users_own_ratios():
    """More seconds to be slow in is no harm, though everybody's ratio would call it one."""
    people = users()
    random = np.random.default_rng(6)
    seconds = random.poisson(20, N) * np.where(people.arm == 1, 2.0, 1.0)
    errors = random.poisson(np.where(inside(people), 0.1, 0.7) * seconds).astype(float)
    errors[::7], seconds[::11] = np.nan, np.nan
    rows = inside(people) & ~people.discovery & (people.arm < 2) & ~np.isnan(errors + seconds)
    expected = ratio_of_means(errors[rows], seconds[rows], people.arm[rows])
    found = one(people, errors, denominator=seconds, sign=-1)
    assert (found.effect.estimate, found.effect.interval) == (expected.estimate, expected.interval)
    assert found.tone == "unclear"
    assert one(people, errors, denominator=np.where(people.arm == 1, seconds, 0.0)).effect is None


def test_a_ratio_is_weighted_by_propensities_where_nobody_dealt_the_arms():
    random = np.random.default_rng(7)
    x = random.random(40_000)
    probability = 0.2 + 0.6 * x
    people = users(
        features=pd.DataFrame({"x": x}),
        outcome=np.zeros(40_000),
        treatment=np.where(random.random(40_000) < probability, "on", "off"),
        arms=("off", "on"),
        discovery=random.random(40_000) < 0.5,
        propensity=pd.DataFrame({"on": probability}),
    )
    seconds = random.poisson(10, 40_000) + 1.0
    errors = x * seconds
    rows = ~people.discovery
    assert ratio_of_means(errors[rows], seconds[rows], people.arm[rows]).estimate > 0.15
    found = one(people, errors, denominator=seconds, rows=np.ones(40_000, dtype=bool)).effect
    assert abs(found.estimate) < 4 * found.standard_error
    assert found.standard_error < 0.01


@pytest.mark.parametrize(
    ("shift", "sign", "tone"), [(1, 1, "good"), (-1, 1, "bad"), (1, -1, "bad"), (-1, -1, "good"), (0, 1, "unclear")]
)
def test_the_tone_is_good_or_bad_where_the_whole_interval_is(shift, sign, tone):
    people = users()
    values = shift * (people.arm == 1) + np.random.default_rng(2).normal(size=N)
    assert one(people, values, sign=sign).tone == tone


def test_a_harm_outside_the_rule_is_no_harm_inside():
    people = users()
    values = -1.0 * ((people.arm == 1) & ~inside(people)) + np.random.default_rng(3).normal(size=N)
    assert one(people, values).tone == "unclear"


def test_repeating_users_in_clusters_adds_no_certainty():
    random = np.random.default_rng(4)
    cluster = random.integers(0, 400, N)
    arm = np.array(["off", "on"])[cluster % 2]
    values = random.normal(size=400)[cluster]
    discovery = cluster < 200
    apart, together = (
        one(users(treatment=arm, arms=("off", "on"), discovery=discovery, clusters=c), values).effect
        for c in (None, cluster)
    )
    assert together.standard_error > 2 * apart.standard_error


@pytest.mark.parametrize("covered", [0, 1])
def test_too_few_users_leave_it_unclear(covered):
    people = users()
    rows = np.zeros(N, dtype=bool)
    rows[np.flatnonzero(~people.discovery & (people.arm == 1))[:covered]] = True
    found = one(people, np.ones(N), rows=rows)
    assert (found.effect, found.tone) == (None, "unclear")


def test_one_cluster_in_an_arm_leaves_it_unclear():
    people = users(clusters=np.zeros(N))
    assert one(people, np.ones(N)).effect is None


def test_a_metric_nobody_has_or_that_never_varies_is_unclear():
    people = users()
    assert one(people, np.full(N, np.nan)).model_dump() == {"metric": "speed", "effect": None, "tone": "unclear"}
    constant = one(people, np.ones(N))
    assert (constant.tone, constant.effect.interval) == ("unclear", (0.0, 0.0))


def test_where_nobody_dealt_the_arms_they_are_weighted_by_their_propensities():
    random = np.random.default_rng(5)
    x = random.random(40_000)
    probability = 0.2 + 0.6 * x
    arm = np.where(random.random(40_000) < probability, "on", "off")
    people = users(
        features=pd.DataFrame({"x": x}),
        outcome=np.zeros(40_000),
        treatment=arm,
        arms=("off", "on"),
        discovery=random.random(40_000) < 0.5,
        propensity=pd.DataFrame({"on": probability}),
    )
    values = 3 * x + random.normal(0, 0.5, 40_000)
    found = one(people, values, rows=np.ones(40_000, dtype=bool)).effect
    rows = ~people.discovery
    assert difference_in_means(values[rows], people.arm[rows]).estimate > 0.5
    assert abs(found.estimate) < 4 * found.standard_error
    assert found.standard_error < 0.05
