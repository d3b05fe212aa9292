"""Whether a rule holds its share of each arm."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chisquare

from causal_tasks.subpopulations.sample_ratio import sample_ratio_p_value
from causal_tasks.subpopulations.users import Users

N = 6000


def users(arm, **changes):
    arguments = {
        "features": pd.DataFrame({"x": np.arange(N)}),
        "outcome": np.zeros(N),
        "treatment": arm,
        "arms": ("off", "on", "max"),
        "discovery": np.arange(N) < 3000,
        "means": pd.DataFrame(np.zeros((N, 3)), columns=["off", "on", "max"]),
        "shares": {"off": 0.5, "on": 0.25, "max": 0.25},
        "propensity": None,
        "clusters": None,
    }
    return Users.checked(**arguments | changes)


def dealt(seed=0, shares=(0.5, 0.25, 0.25)):
    return np.random.default_rng(seed).choice(["off", "on", "max"], N, p=shares)


INSIDE = np.arange(N) % 3 == 0


def test_covered_users_of_both_parts_are_held_to_the_shares_of_control_and_treatment():
    arm = dealt()
    control, treated = ((INSIDE & (arm == label)).sum() for label in ("off", "on"))
    expected = chisquare([control, treated], [(control + treated) * 2 / 3, (control + treated) / 3]).pvalue
    assert sample_ratio_p_value(users(arm), INSIDE, "on") == pytest.approx(expected)


def test_it_is_uniform_where_the_rule_has_nothing_to_do_with_the_arm():
    p_values = [sample_ratio_p_value(users(dealt(seed)), INSIDE, "on") for seed in range(200)]
    assert np.mean(np.array(p_values) < 0.1) == pytest.approx(0.1, abs=0.06)


def test_a_rule_that_depends_on_the_treatment_is_found_out():
    arm = dealt()
    lost = INSIDE & (arm == "on") & (np.random.default_rng(1).random(N) < 0.25)
    assert sample_ratio_p_value(users(arm), INSIDE & ~lost, "on") < 0.001
    assert sample_ratio_p_value(users(arm), INSIDE & ~lost, "max") > 0.001


def test_clusters_are_counted_where_clusters_were_dealt():
    cluster = np.arange(N) // 60
    arm = dealt()[cluster]
    apart, together = (sample_ratio_p_value(users(arm, clusters=c), INSIDE, "on") for c in (None, cluster))
    control, treated = (len(np.unique(cluster[INSIDE & (arm == label)])) for label in ("off", "on"))
    expected = chisquare([control, treated], [(control + treated) * 2 / 3, (control + treated) / 3]).pvalue
    assert together == pytest.approx(expected)
    assert together != pytest.approx(apart)


def test_there_is_nothing_to_test_without_randomisation_or_without_users():
    probability = pd.DataFrame({"on": np.full(N, 0.3), "max": np.full(N, 0.3)})
    assert sample_ratio_p_value(users(dealt(), propensity=probability), INSIDE, "on") is None
    assert sample_ratio_p_value(users(dealt()), np.zeros(N, dtype=bool), "on") is None
