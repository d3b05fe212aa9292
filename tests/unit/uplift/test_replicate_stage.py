"""The winner fitted again: with other seeds, on other arms, on the days before."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from causal_tasks.base_models import LightGBM, deciding
from causal_tasks.pipelines import MINE
from causal_tasks.pipelines.execution import run_stage
from causal_tasks.uplift.stages import replicate as stage
from causal_tasks.uplift.stages.replicate import dealt_anew, is_placebo, replications
from causal_tasks.uplift.stages.users import Users
from tests.unit.uplift.learning_runs import RATE, committed, opened, output, prepared, statement

MINUTES = {"name": "minutes", "role": "primary"}


def before(users):
    """The users with a past that tells nothing of the effect."""
    past = np.random.default_rng(4).normal(size=len(users))
    past[::40] = np.nan
    return users.assign(pre__minutes=past)


def selected(run, *, tuned=False, parameters=None):
    best = {"candidate": "t_lightgbm", "tuned": tuned, "parameters": parameters or {}}
    return committed(run, "select", None, selection={"board": [best]}, items=["seed_1"])


def replicated(tmp_path, item, users=None, experiment=None, **winner):
    experiment = experiment or statement()
    users = before(prepared(experiment)[0]) if users is None else users
    run, manifests = opened(tmp_path, experiment, users)
    result = run_stage(MINE, "replicate", run=run, inputs=[*manifests, selected(run, **winner)], item=item)
    return run.storage.read_table(output(run, result, "predictions"))


def correlation(predictions, users):
    found = predictions.merge(users[["unit", "x0", "city"]], on="unit")
    effect = 2.0 * (found["x0"] > 0) - 2.0 * (found["city"] == "b")
    return np.corrcoef(found["uplift__on"], effect)[0, 1]


def test_another_seed_finds_the_same_effect_by_another_model(tmp_path):
    users = before(prepared(statement())[0])
    one, two = (replicated(tmp_path / item, item, users, parameters=None) for item in stage.SEEDS)
    assert correlation(one, users) > 0.8
    assert correlation(two, users) > 0.8
    assert one["unit"].tolist() == users["unit"][users["y__minutes"].notna()].tolist()
    np.testing.assert_array_equal(one["outcome"], users["y__minutes"].dropna())


def test_on_arms_dealt_anew_there_is_nothing_to_find(tmp_path):
    users = before(prepared(statement())[0])
    found = replicated(tmp_path, "permuted_1", users)
    known = users[users["y__minutes"].notna()]
    labels = pd.Categorical(known["arm"], categories=["off", "on"]).codes
    assert abs(correlation(found, users)) < 0.4
    assert (found["arm"] != labels).mean() == pytest.approx(0.5, abs=0.05)
    for part in ("discovery", "estimation"):
        rows = (known["part"] == part).to_numpy()
        assert found["arm"][rows].sum() == labels[rows].sum()


def test_a_placebo_keeps_the_average_effect_and_no_other(tmp_path):
    users = before(prepared(statement())[0])
    users["y__minutes"] += 3.0 * (users["arm"] == "on")
    known = users[users["y__minutes"].notna()]
    measured = known.groupby("arm", observed=True)["y__minutes"].mean()
    found = replicated(tmp_path, "permuted_1", users)
    by_arm = found.groupby("arm")["outcome"].mean()
    assert by_arm[1] - by_arm[0] == pytest.approx(measured["on"] - measured["off"], abs=0.2)
    assert by_arm[1] - by_arm[0] > 2
    gains = (known["x0"] > 0).to_numpy()
    inside, outside = (found[rows].groupby("arm")["outcome"].mean().diff().iloc[-1] for rows in (gains, ~gains))
    assert inside == pytest.approx(outside, abs=0.4)


def test_an_event_stays_an_event_on_arms_dealt_anew(tmp_path):
    users = before(prepared(statement())[0])
    users["y__minutes"] = (users["y__minutes"] > 5).astype(float)
    found = replicated(tmp_path, "permuted_1", users)
    assert set(found["outcome"]) == {0.0, 1.0}


def test_permutations_differ_from_each_other_and_not_from_themselves(tmp_path):
    users = before(prepared(statement())[0])
    one, again, two = (
        replicated(tmp_path / folder, item, users)
        for folder, item in (("a", "permuted_1"), ("b", "permuted_1"), ("c", "permuted_2"))
    )
    pd.testing.assert_frame_equal(one, again)
    assert (one["arm"] != two["arm"]).any()


def test_the_days_before_are_the_outcome_of_those_who_have_them(tmp_path):
    users = before(prepared(statement())[0])
    found = replicated(tmp_path, "pre_period", users)
    known = users[users["y__minutes"].notna() & users["pre__minutes"].notna()]
    np.testing.assert_array_equal(found["outcome"], known["pre__minutes"])
    np.testing.assert_array_equal(found["unit"], known["unit"])


def test_a_tuned_winner_keeps_its_parameters(tmp_path):
    users = before(prepared(statement())[0])
    stump = deciding(LightGBM(n_estimators=1, num_leaves=2, learning_rate=1.0).get_params())
    found = replicated(tmp_path, "permuted_1", users, tuned=True, parameters=stump)
    discovery = (users["part"] == "discovery")[users["y__minutes"].notna()].to_numpy()
    assert found["uplift__on"][discovery].nunique() <= 5 * 4


def test_of_many_users_a_sample_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "MOST_USERS", 1000)
    users = before(prepared(statement())[0])
    found = replicated(tmp_path, "seed_1", users)
    assert len(found) == 1000
    assert found["unit"].is_monotonic_increasing
    assert set(found["unit"]) <= set(users["unit"])


def clustered_users(experiment):
    frame = pd.DataFrame(
        {
            "cluster": np.repeat([f"c{k}" for k in range(300)], 4),
            "part": np.repeat(np.where(np.arange(300) % 3 > 0, "discovery", "estimation"), 4),
        }
    )
    arm = np.repeat(np.random.default_rng(2).integers(0, 2, 300), 4)
    return Users(frame, np.zeros(1200), arm, (frame["part"] == "discovery").to_numpy(), experiment)


def test_whole_clusters_are_dealt():
    users = clustered_users(statement(cluster="school"))
    arm = dealt_anew(users, np.random.default_rng(0))
    by_cluster = pd.Series(arm).groupby(users.frame["cluster"]).nunique()
    assert (by_cluster == 1).all()
    assert arm.sum() == users.arm.sum()
    assert (arm != users.arm).any()
    alone = dealt_anew(replace(users, experiment=statement()), np.random.default_rng(0))
    assert (pd.Series(alone).groupby(users.frame["cluster"]).nunique() > 1).any()


@pytest.mark.parametrize(
    ("changes", "placebos"),
    [
        ({}, ["pre_period", "permuted_1", "permuted_2"]),
        ({"window": {"days": 7, "pre_days": 0}}, ["permuted_1", "permuted_2"]),
        ({"metrics": [RATE]}, ["permuted_1", "permuted_2"]),
        ({"randomized": False}, ["pre_period"]),
        ({"mining": {"placebos": 0}}, []),
    ],
    ids=["randomised", "no past", "a ratio", "observational", "not wanted"],
)
def test_what_is_replicated_depends_on_what_the_experiment_can_tell(changes, placebos):
    items = replications(statement(**changes))
    assert [item for item in items if is_placebo(item)] == placebos
    assert items[:2] == list(stage.SEEDS)


def test_without_stability_no_other_seed_is_fitted():
    assert not set(replications(statement(mining={"stability_trees": 0}))) & set(stage.SEEDS)
