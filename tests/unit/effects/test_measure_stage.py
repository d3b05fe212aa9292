import json

import numpy as np
import pandas as pd
import pytest

from causal_tasks.effects import cuped, difference_in_means, ratio_of_means
from causal_tasks.effects.averages import average_effects
from causal_tasks.pipelines import MINE
from causal_tasks.pipelines.execution import run_stage
from tests.unit.data.prepared import EVEN, N, healthy_users, prepared_run, profiled, read_outputs, stated, waterfall


def as_json(effect):
    return json.loads(json.dumps(effect.to_dict(), allow_nan=False))


def one(effects, metric, treatment="new"):
    (found,) = [e for e in effects if (e["metric"], e["treatment"]) == (metric, treatment)]
    return found


def test_the_stage_writes_every_metric_by_every_treatment(tmp_path):
    users = healthy_users()
    run, prepared = prepared_run(tmp_path, stated(), users, waterfall(EVEN), profiled())
    validated = run_stage(MINE, "validate", run=run, inputs=[prepared])
    result = run_stage(MINE, "measure", run=run, inputs=[prepared, validated.manifest])
    effects = read_outputs(run, result)["effects"]
    treated = users["arm"] == "new"
    assert [(e["metric"], e["treatment"], e["role"]) for e in effects] == [
        ("minutes", "new", "primary"),
        ("ctr", "new", "diagnostic"),
    ]
    assert effects[0]["effect"] == as_json(cuped(users["y__minutes"], treated, users["pre__minutes"]))
    assert effects[0]["unadjusted"] == as_json(difference_in_means(users["y__minutes"], treated))
    assert effects[1]["effect"] == as_json(ratio_of_means(users["num__ctr"], users["den__ctr"], treated))
    assert effects[1]["unadjusted"] == effects[1]["effect"]


def test_units_without_a_value_are_left_out_of_that_metric_only_and_counted():
    users = healthy_users()
    gone = np.arange(N) % 10 == 0
    users.loc[gone, "y__minutes"] = np.nan
    effects = average_effects(users, stated())
    minutes, ctr = one(effects, "minutes"), one(effects, "ctr")
    left = users[~gone]
    assert minutes["unadjusted"]["estimate"] == difference_in_means(left["y__minutes"], left["arm"] == "new").estimate
    assert minutes["effect"]["notes"] == minutes["unadjusted"]["notes"] == [f"missing_outcome: {gone.sum()}"]
    assert ctr["effect"]["n_control"] + ctr["effect"]["n_treatment"] == N
    assert ctr["effect"]["notes"] == []


def test_a_missing_pre_window_keeps_the_unit_and_is_counted():
    users = healthy_users()
    rng = np.random.default_rng(0)
    users["y__minutes"] = users["pre__minutes"] + rng.normal(size=N)
    users.loc[rng.random(N) < 0.3, "pre__minutes"] = np.nan
    found = one(average_effects(users, stated()), "minutes")
    assert found["effect"]["method"] == "cuped"
    assert found["effect"]["notes"] == [f"missing_pre_window: {users['pre__minutes'].isna().sum()}"]
    assert found["effect"]["n_control"] == found["unadjusted"]["n_control"]
    assert found["effect"]["standard_error"] < 0.7 * found["unadjusted"]["standard_error"]


def test_a_pre_window_missing_in_one_whole_arm_does_not_adjust_by_arm():
    users = healthy_users()
    users.loc[users["arm"] == "new", "pre__minutes"] = np.nan
    found = one(average_effects(users, stated()), "minutes")
    assert found["effect"]["notes"] == ["missing_pre_window: 2000"]
    assert found["effect"]["estimate"] == pytest.approx(found["unadjusted"]["estimate"], abs=1e-9)


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_pre_window_that_never_varies_leaves_the_difference_in_means(value):
    found = one(average_effects(healthy_users().assign(pre__minutes=value), stated()), "minutes")
    assert found["effect"]["method"] == "difference_in_means"
    assert "pre_window_constant" in found["effect"]["notes"]
    assert found["effect"]["estimate"] == found["unadjusted"]["estimate"]


def test_without_a_pre_window_the_effect_is_the_difference_in_means():
    users = healthy_users().drop(columns="pre__minutes")
    found = one(average_effects(users, stated(window={"days": 7, "pre_days": 0})), "minutes")
    assert found["effect"] == found["unadjusted"]
    assert found["effect"]["method"] == "difference_in_means"


def test_every_treatment_is_compared_with_the_control_alone():
    arms = ("control", "new", "newer")
    users = healthy_users(n=3000, arms=arms)
    users["y__minutes"] += np.select([users["arm"] == "new", users["arm"] == "newer"], [5.0, -5.0])
    effects = average_effects(users, stated(treatments=["new", "newer"]))
    without = users[users["arm"] != "newer"]
    alone = cuped(without["y__minutes"], without["arm"], without["pre__minutes"], control="control")
    assert one(effects, "minutes", "new")["effect"] == alone.to_dict() | {"interval": list(alone.interval)}
    assert one(effects, "minutes", "newer")["effect"]["estimate"] < -3


def test_clusters_widen_the_interval_as_their_sums_do():
    users = healthy_users()
    rng = np.random.default_rng(1)
    team = np.arange(N) // 2 % 50 * 2 + np.arange(N) % 2
    users["cluster"] = [f"team{i}" for i in team]
    users["y__minutes"] += 5 * rng.normal(size=100)[team]
    found = one(average_effects(users, stated(cluster="team")), "minutes")
    expected = difference_in_means(users["y__minutes"], users["arm"] == "new", clusters=team)
    assert found["unadjusted"]["interval"] == pytest.approx(list(expected.interval), rel=1e-12)
    assert expected.standard_error > 2 * difference_in_means(users["y__minutes"], users["arm"] == "new").standard_error


@pytest.mark.parametrize(
    ("change", "metric", "note"),
    [
        (lambda u: u.assign(y__minutes=u["y__minutes"].where(u["arm"] == "control")), "minutes", "too_few_units"),
        (lambda u: u.assign(den__ctr=u["den__ctr"].where(u["arm"] == "new", 0.0)), "ctr", "zero_denominator"),
    ],
)
def test_a_metric_that_an_arm_lacks_has_no_effect_but_says_why_and_spares_the_others(change, metric, note):
    effects = average_effects(change(healthy_users()), stated())
    (other,) = {"minutes", "ctr"} - {metric}
    assert one(effects, metric)["effect"]["estimate"] is None
    assert one(effects, metric)["effect"]["notes"][-1] == note
    assert one(effects, other)["effect"]["estimate"] is not None


def test_an_arm_that_is_one_cluster_has_no_effect():
    users = healthy_users()
    users["cluster"] = pd.Categorical(np.where(users["arm"] == "new", "all", np.arange(N).astype(str)))
    effects = average_effects(users, stated(cluster="team"))
    assert {tuple(e["effect"]["notes"]) for e in effects} == {("too_few_clusters",)}


def test_the_smallest_experiment_has_an_effect_and_a_smaller_one_none():
    users = healthy_users(n=6)
    users.loc[[0, 3], "pre__minutes"] = np.nan
    assert one(average_effects(users, stated()), "minutes")["effect"]["standard_error"] > 0
    assert one(average_effects(users[:5], stated()), "minutes")["effect"]["notes"] == ["too_few_units"]
