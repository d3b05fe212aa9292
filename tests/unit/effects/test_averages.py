"""What is computed beside the headline; the headline itself is tested with the stage."""

import json

import numpy as np
import pandas as pd
import pytest

from causal_tasks.effects import cupac, difference_in_means, mlrate, student_t_effect
from causal_tasks.effects.averages import average_effects, with_estimate
from causal_tasks.errors import InputError
from tests.unit.data.prepared import N, healthy_users, stated

FEATURES = ("tenure", "city", "vip")


def primary(effects, treatment="new"):
    (row,) = [row for row in effects if row["role"] == "primary" and row["treatment"] == treatment]
    return row


def by_method(row):
    return {estimate["method"]: estimate for estimate in row["estimates"]}


def tailed_users(n=N, arms=("control", "new")):
    """Minutes that tenure, squared, explains in part, with heavy tails and an effect of 2 on everybody."""
    users = healthy_users(n=n, arms=arms)
    rng = np.random.default_rng(1)
    users["y__minutes"] = (
        50 + (users["tenure"] - 200) ** 2 / 4000 + 4 * rng.standard_t(3, n) + 2.0 * (users["arm"] == "new")
    )
    return users


RATIO_FIRST = [
    {"name": "ctr", "numerator": "clicks", "denominator": "views", "role": "primary"},
    {"name": "minutes"},
]


def test_the_primary_metric_has_every_estimator_and_the_declared_headline():
    users = tailed_users()
    row = primary(average_effects(users, stated(), FEATURES))
    found = by_method(row)
    assert list(found) == ["difference_in_means", "cuped", "cupac", "mlrate", "student_t"]
    assert row["headline"] == "cuped"
    assert row["effect"] == found["cuped"]
    assert row["unadjusted"] == found["difference_in_means"]
    assert found["student_t"]["standard_error"] < found["cupac"]["standard_error"] < found["cuped"]["standard_error"]
    for name in ("cupac", "mlrate", "student_t"):
        assert found[name]["interval"][0] < 2 < found[name]["interval"][1], name
        assert found[name]["variance_ratio"] < 0.9
        assert found[name]["equivalent_sample"] > N
        assert found[name]["relative_interval"] is not None
    assert found["mlrate"]["variance_ratio_cupac"] == pytest.approx(1, abs=0.01)
    assert found["student_t"]["variance_ratio_cupac"] < 0.8
    assert found["cupac"]["variance_ratio_cupac"] is None
    assert json.loads(json.dumps(row, allow_nan=False)) == row


def test_one_proxy_serves_all_estimators():
    users = tailed_users()
    found = by_method(primary(average_effects(users, stated(), FEATURES)))
    covariates = users[["pre__minutes", "prenum__ctr", "preden__ctr", *FEATURES]]
    treated = users["arm"] == "new"
    for estimator in (cupac, mlrate, student_t_effect):
        alone = estimator(users["y__minutes"], treated, covariates)
        assert found[alone.method]["interval"] == pytest.approx(list(alone.interval), rel=1e-9)
        assert found[alone.method]["notes"] == list(alone.notes)


def test_other_metrics_have_no_machine_learned_estimates():
    (ctr,) = [row for row in average_effects(tailed_users(), stated(), FEATURES) if row["metric"] == "ctr"]
    assert list(by_method(ctr)) == ["ratio_of_means"]
    assert ctr["headline"] == "ratio_of_means"


def test_a_ratio_as_primary_metric_has_its_own_robust_estimate():
    row = primary(average_effects(tailed_users(), stated(metrics=RATIO_FIRST), FEATURES))
    found = by_method(row)
    assert list(found) == ["ratio_of_means", "ratio_student_t"]
    assert row["headline"] == "ratio_of_means"
    assert found["ratio_student_t"]["estimate"] == pytest.approx(found["ratio_of_means"]["estimate"], abs=0.01)
    assert found["ratio_student_t"]["variance_ratio_cupac"] is not None


def test_several_treatments_share_the_proxy():
    users = tailed_users(arms=("control", "new", "newer"))
    effects = average_effects(users, stated(treatments=["new", "newer"]), FEATURES)
    for treatment, truth in (("new", 2), ("newer", 0)):
        found = by_method(primary(effects, treatment))
        assert found["cupac"]["variance_ratio"] < 0.9
        assert found["student_t"]["interval"][0] < truth < found["student_t"]["interval"][1]


def test_without_pre_window_and_features_only_what_needs_neither_is_computed():
    users = tailed_users().drop(columns=["pre__minutes", "prenum__ctr", "preden__ctr"])
    row = primary(average_effects(users, stated(window={"days": 7, "pre_days": 0})))
    assert list(by_method(row)) == ["difference_in_means", "student_t"]
    assert by_method(row)["student_t"]["variance_ratio_cupac"] is None
    assert row["effect"]["notes"] == []


def test_covariates_that_never_vary_are_noted():
    users = tailed_users().assign(pre__minutes=1.0, prenum__ctr=0.0, preden__ctr=2.0)
    row = primary(average_effects(users, stated()))
    assert list(by_method(row)) == ["difference_in_means", "student_t"]
    assert row["effect"]["notes"] == ["pre_window_constant", "proxy_constant"]


def test_an_outcome_of_mostly_zeros_has_no_robust_estimate_and_says_so():
    users = tailed_users()
    users["y__minutes"] = np.where(np.arange(N) % 20 < 2, users["y__minutes"], 0.0)
    row = primary(average_effects(users, stated(), FEATURES))
    assert "student_t" not in by_method(row)
    assert {"cuped", "cupac", "mlrate"} <= set(by_method(row))
    assert row["effect"]["notes"] == ["student_t_refused"]


def test_a_covariate_that_knows_the_arm_is_noted():
    users = tailed_users()
    users["leak"] = (users["arm"] == "new") + np.random.default_rng(0).normal(size=N) * 0.1
    users["y__minutes"] += 10 * (users["arm"] == "new")
    assert "proxy_unbalanced" in primary(average_effects(users, stated(), ("leak",)))["effect"]["notes"]
    observational = primary(average_effects(users, stated(randomized=False), ("leak",)))
    assert "proxy_unbalanced" not in observational["effect"]["notes"]


def test_clusters_are_dealt_and_summed_whole():
    users = tailed_users()
    team = np.arange(N) // 2 % 100 * 2 + np.arange(N) % 2
    users["cluster"] = [f"team{i}" for i in team]
    users["y__minutes"] += 5 * np.random.default_rng(1).normal(size=200)[team]
    alone = by_method(primary(average_effects(users.drop(columns="cluster"), stated(), FEATURES)))
    found = by_method(primary(average_effects(users, stated(cluster="team"), FEATURES)))
    for name in ("cupac", "mlrate", "student_t"):
        assert found[name]["standard_error"] > 2 * alone[name]["standard_error"]


@pytest.mark.parametrize(
    "change",
    [
        lambda users: users[:6],
        lambda users: users[:5],
        lambda users: users[:1],
        lambda users: users.assign(y__minutes=np.nan),
        lambda users: users.assign(y__minutes=3.0),
        lambda users: users.assign(y__minutes=users["y__minutes"].where(users["arm"] == "new")),
        lambda users: users.assign(tenure=np.nan, vip=np.int8(0), city=pd.Categorical([None] * len(users))),
        lambda users: users.assign(den__ctr=0.0),
        lambda users: users.assign(den__ctr=users["den__ctr"].where(users["arm"] == "new", 0.0)),
        lambda users: users.assign(cluster="one"),
        lambda users: users.assign(cluster=np.where(users["arm"] == "new", "a", "b")),
        lambda users: users[users["arm"] == "new"],
    ],
)
@pytest.mark.parametrize("metrics", [stated().model_dump()["metrics"], RATIO_FIRST])
def test_odd_but_legal_data_never_raises_and_never_writes_what_is_no_number(change, metrics):
    effects = average_effects(change(tailed_users(n=400)), stated(metrics=metrics), FEATURES)
    assert json.loads(json.dumps(effects, allow_nan=False)) == effects
    for row in effects:
        assert row["effect"] in row["estimates"]
        assert row["headline"] == row["effect"]["method"]


def test_an_estimate_is_added_or_headlined_in_its_row_alone():
    effects = average_effects(tailed_users(n=400), stated())
    other = difference_in_means([1.0, 2.0, 4.0, 7.0], [0, 0, 1, 1])
    beside = with_estimate(effects, other, metric="ctr", treatment="new")
    assert beside[0] == effects[0]
    assert beside[1]["effect"] == effects[1]["effect"]
    assert beside[1]["estimates"] == [*effects[1]["estimates"], other.to_dict()]
    headlined = with_estimate(beside, other, metric="ctr", treatment="new", headline="did")
    assert headlined[1]["effect"] == other.to_dict()
    assert headlined[1]["headline"] == "did"
    assert headlined[1]["unadjusted"] == effects[1]["unadjusted"]
    assert headlined[1]["estimates"] == beside[1]["estimates"]
    assert effects[1]["headline"] == "ratio_of_means"
    with pytest.raises(InputError, match="no effect of 'old' on 'ctr'"):
        with_estimate(effects, other, metric="ctr", treatment="old")
