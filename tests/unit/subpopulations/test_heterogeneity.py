"""Whether effects differ at all, and what the report is told about it."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from causal_tasks.errors import InputError
from causal_tasks.evaluation import autoc, best_linear_predictor, dr_scores
from causal_tasks.subpopulations.heterogeneity import characteristic_evidence, heterogeneity_evidence
from causal_tasks.subpopulations.omnibus import Omnibus, omnibus
from causal_tasks.subpopulations.scored import Scored
from causal_tasks.subpopulations.users import Users

ESTIMATE = {"estimate", "standard_error", "interval", "p_value"}


def scored(seed=0, *, n=4000, spread=1.0, sign=1, clusters=None, uplift=None):
    random = np.random.default_rng(seed)
    x = random.random(n)
    arm = random.choice(["off", "on"], n)
    outcome = 5 + sign * spread * (x - 0.5) * (arm == "on") + random.normal(size=n)
    people = Users.checked(
        pd.DataFrame({"x": x, "city": np.where(x > 0.8, "a", "b"), "noise": random.random(n)}),
        outcome,
        arm,
        arms=("off", "on"),
        discovery=np.arange(n) < n // 4,
        means=None,
        shares=None,
        propensity=None,
        clusters=clusters,
    )
    return people, Scored.of(people, sign * (x - 0.5) if uplift is None else uplift(x), "on", sign=sign)


def test_it_is_bonferroni_over_autoc_and_the_best_linear_predictor():
    people, given = scored(spread=0.3)
    found = omnibus(given, seed=3)
    rows = ~people.discovery
    means = people.means[rows]
    gamma = dr_scores(people.outcome[rows], people.arm[rows], means[:, 0], means[:, 1], 0.5)
    x = people.features["x"].to_numpy()[rows] - 0.5
    first = autoc(gamma, x, seed=3)
    second = best_linear_predictor(
        people.outcome[rows], x, people.arm[rows], mean_control=means[:, 0], propensity=0.5
    ).heterogeneity
    assert found.tests == pytest.approx({"autoc": first.p_value, "blp": second.one_sided_p_value})
    assert found.p_value == pytest.approx(2 * min(found.tests.values()))


def test_effects_that_differ_as_predicted_pass_and_those_that_do_not_pass_seldom():
    assert omnibus(scored(spread=1.0)[1], seed=0).passed
    null = [omnibus(scored(seed, n=1200, spread=0.0)[1], seed=0).passed for seed in range(80)]
    assert sum(null) <= 8


def test_predictions_that_rank_the_wrong_way_do_not_pass():
    found = omnibus(scored(uplift=lambda x: 0.5 - x)[1], seed=0)
    assert (found.p_value, found.passed) == (1.0, False)


def test_where_less_is_better_the_same_experiment_passes_the_same_tests():
    up, down = (omnibus(scored(sign=sign)[1], seed=0) for sign in (1, -1))
    assert down.autoc.estimate > 0
    assert down.passed == up.passed


@pytest.mark.parametrize(
    "case",
    [
        {"uplift": np.zeros_like},
        {"uplift": lambda x: x == x[-1]},
        {"uplift": lambda x: np.arange(len(x)) >= len(x) - 19},
        {"uplift": lambda x: np.arange(len(x)) % 400 < 19, "clusters": np.arange(4000) % 400},
        {"n": 50},
        {"clusters": np.arange(4000) % 10},
    ],
)
def test_equal_predictions_few_users_and_few_clusters_leave_it_open(case):
    found = omnibus(scored(**case)[1], seed=0)
    assert found == Omnibus()
    assert (found.tests, found.p_value, found.passed) == ({}, None, False)


def test_a_missing_prediction_is_refused_by_name():
    with pytest.raises(InputError, match="uplift of estimation users has"):
        omnibus(scored(uplift=lambda x: np.where(x > 0.9, np.nan, x))[1], seed=0)


def test_a_large_mean_beside_a_small_spread_is_no_obstacle():
    people, given = scored()
    nearly_constant = 1e7 + 1e-3 * people.features["x"].to_numpy()[given.rows]
    shifted = replace(given, mean_control=nearly_constant, outcome=given.outcome + 1e7)
    assert omnibus(shifted, seed=0).passed


def test_the_report_gets_tests_groups_and_calibration():
    _, given = scored()
    found = heterogeneity_evidence(given, omnibus(given, seed=0))
    json.dumps(found, allow_nan=False)
    assert set(found) == {"omnibus", "blp", "calibration", "groups", "top_minus_bottom", "monotone"}
    assert set(found["omnibus"]) == {"p_value", "passed", "tests"}
    assert {frozenset(part) for part in found["blp"].values()} == {frozenset(ESTIMATE)}
    assert found["blp"]["heterogeneity"]["estimate"] == pytest.approx(1, abs=0.4)
    assert [group["group"] for group in found["groups"]] == [1, 2, 3, 4, 5]
    assert set(found["groups"][0]) == {"group", "n", "predicted", "effect"}
    assert sum(group["n"] for group in found["groups"]) == given.rows.sum()
    assert found["top_minus_bottom"]["estimate"] == pytest.approx(0.8, abs=0.35)
    assert set(found["calibration"]) == {"average", "spread", "r2", "points"}
    assert len(found["calibration"]["points"]) == 20
    assert set(found["calibration"]["points"][0]) == {"predicted", "observed", "standard_error", "n"}


def test_few_clusters_leave_groups_and_calibration_out():
    _, given = scored(clusters=np.arange(4000) % 3 // 2)
    found = heterogeneity_evidence(given, omnibus(given, seed=0))
    json.dumps(found, allow_nan=False)
    assert found["calibration"] is None
    assert found["blp"] is None
    assert found["omnibus"] == {"p_value": None, "passed": False, "tests": {}}


def test_clusters_that_follow_the_ranking_leave_groups_out():
    _, given = scored(clusters=None)
    order = np.argsort(np.argsort(given.uplift))
    clustered = replace(given, clusters=order * 5 // len(order))
    assert heterogeneity_evidence(clustered, Omnibus())["groups"] == []
    assert characteristic_evidence(pd.DataFrame({"x": given.uplift}), clustered) == []


def test_what_tells_the_best_from_the_worst_comes_first():
    people, given = scored()
    found = characteristic_evidence(people.features[given.rows], given)
    json.dumps(found, allow_nan=False)
    assert set(found[0]) == {"feature", "level", "top", "bottom", "difference", "standardized"}
    assert set(found[0]["difference"]) == ESTIMATE
    assert (found[0]["feature"], found[-1]["feature"]) == ("x", "noise")
    assert {row["level"] for row in found if row["feature"] == "city"} == {"a", "b"}
    sizes = [abs(row["standardized"]) for row in found]
    assert sizes == sorted(sizes, reverse=True)
