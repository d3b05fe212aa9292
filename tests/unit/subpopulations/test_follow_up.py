"""The experiment that follows up a rule: whom, how many, how long, and what it claims."""

import json

import numpy as np
import pandas as pd
import pytest

from causal_tasks.experiment import Experiment
from causal_tasks.rule import Rule
from causal_tasks.subpopulations.follow_up import follow_up_columns, follow_ups
from causal_tasks.subpopulations.follow_up_statement import addressed, follow_up_id
from causal_tasks.subpopulations.sizing import Noise, detectable_effect, users_per_arm

USERS = 40_000
YOUNG = {"all": [{"feature": "age", "op": "<=", "value": 30.0, "missing": False}]}
STATEMENT = {
    "experiment_id": "music",
    "revision": 2,
    "name": "Autoplay",
    "owner": "growth",
    "status": "finished",
    "started_at": "2026-09-01T00:00:00Z",
    "ended_at": "2026-10-01T00:00:00Z",
    "control": "off",
    "treatments": ["on", "both"],
    "shares": {"off": 0.5, "on": 0.25, "both": 0.25},
    "unit": "listener",
    "window": {"days": 7},
    "metrics": [{"name": "minutes", "role": "primary"}, {"name": "spend", "cap": {"quantile": 0.99}}],
    "features": {"max_age": 10, "dictionary": {"age": {"display": {"zh": "年龄", "en": "Age"}}}},
    "mining": {"candidates": ["t_lightgbm"], "costs": {"on": 0.1, "both": 0.4}},
    "delivery": {"languages": ["en"]},
}


def stated(**changes):
    return Experiment.parse(STATEMENT | changes, source="test")


def rule(identity="s1", **changes):
    """A confirmed rule as ``mine`` writes it, as far as a follow-up reads it."""
    return {
        "id": identity,
        "treatment": "on",
        "kind": "positive",
        "grade": "confirmed",
        "rule": YOUNG,
        "effect": {"estimate": 0.2, "interval": [0.1, 0.3]},
        "fcr_interval": [0.05, 0.35],
        "shrunken": 0.15,
    } | changes


def users_of(experiment, *, seed=0, days=10):
    """Users whose history explains half of the variance of their minutes."""
    random = np.random.default_rng(seed)
    before = random.normal(size=USERS)
    views = random.poisson(5, USERS) + 1.0
    age = random.integers(16, 61, USERS)
    return pd.DataFrame(
        {
            "arm": random.choice(experiment.arms, USERS, p=list(experiment.expected_shares.values())),
            "part": np.where(random.random(USERS) < 0.6, "discovery", "estimation"),
            "start": (np.datetime64("2026-09-01") + random.integers(0, days, USERS)).astype("datetime64[D]"),
            "cluster": random.integers(0, 400, USERS),
            "age": age.astype("float32"),
            "pre__minutes": before,
            "y__minutes": before + random.normal(size=USERS),
            "num__rate": np.where(age <= 30, 3, 1) * views * 0.3 + random.normal(size=USERS),
            "den__rate": np.where(age <= 30, 3, 1) * views,
        }
    )


def planned(experiment, *rules, users=None, **options):
    frame = users_of(experiment) if users is None else users
    return follow_ups(experiment, rules, frame[[*follow_up_columns(experiment), "age"]], **options)


def small(effect):
    """A rule whose effect is so small that its size is not the least one."""
    return rule(shrunken=effect, effect={"estimate": effect, "interval": [effect / 2, 2 * effect]})


def test_the_size_is_the_closed_form_on_estimation_users_inside_the_rule():
    experiment = stated()
    users = users_of(experiment)
    (plan,) = planned(experiment, small(0.05), users=users)
    rows = users[(users["age"] <= 30) & users["arm"].isin(["off", "on"]) & (users["part"] == "estimation")]
    noise = Noise.of(rows["y__minutes"], (rows["arm"] == "on").to_numpy(), before=rows["pre__minutes"])
    assert plan["n_per_arm"] == users_per_arm(0.05, noise)
    assert plan["variance_explained"] == pytest.approx(0.5, abs=0.03)
    assert plan["n_per_arm"] == pytest.approx((1.96 + 0.8416) ** 2 * 2 / 0.05**2, rel=0.05)
    assert plan["detectable"] == pytest.approx(plan["effect"], rel=1e-3)
    assert (plan["power"], plan["level"]) == (0.8, 0.05)


def test_no_arm_is_smaller_than_the_follow_ups_own_check_asks():
    (plan,) = planned(stated(), rule(shrunken=2.0))
    assert plan["n_per_arm"] == 1000
    assert plan["detectable"] < 0.2


def test_days_follow_from_how_users_of_the_rule_came():
    experiment = stated()
    users = users_of(experiment)
    (plan,) = planned(experiment, small(0.05), users=users)
    daily = (users["age"] <= 30).sum() / 10
    assert plan["daily_users"] == pytest.approx(daily)
    assert plan["enrolment_days"] == pytest.approx(2 * plan["n_per_arm"] / daily, rel=0.1)
    assert plan["days"] == plan["enrolment_days"] + 6


def test_without_history_nothing_is_explained():
    experiment = stated(window={"days": 7, "pre_days": 0})
    assert planned(experiment, rule())[0]["variance_explained"] == 0


def test_clusters_are_counted():
    experiment = stated(cluster="household")
    users = users_of(experiment)
    shared = np.random.default_rng(1).normal(size=400)[users["cluster"]]
    together = users.assign(y__minutes=users["y__minutes"] + shared)
    apart = users.assign(y__minutes=users["y__minutes"] + np.random.default_rng(2).permutation(shared))
    sizes = [planned(experiment, small(0.05), users=frame)[0]["n_per_arm"] for frame in (together, apart)]
    assert sizes[0] > 2 * sizes[1]


@pytest.mark.parametrize(
    ("changes", "effect", "basis"),
    [
        ({}, 0.15, "shrunken"),
        ({"shrunken": None}, 0.05, "fcr_bound"),
        ({"shrunken": -0.1}, 0.05, "fcr_bound"),
        ({"shrunken": None, "fcr_interval": [-0.1, 0.5]}, 0.1, "interval_bound"),
        ({"shrunken": None, "fcr_interval": None}, 0.1, "interval_bound"),
    ],
)
def test_it_is_sized_for_the_shrunken_effect_or_else_for_the_nearest_bound(changes, effect, basis):
    (plan,) = planned(stated(), rule(**changes))
    assert (plan["effect"], plan["basis"]) == (pytest.approx(effect), basis)
    assert plan["refuted_below"] == plan["effect"]


def test_a_rule_of_which_nothing_lies_on_the_claimed_side_gets_no_follow_up():
    lost = {"estimate": 0.1, "interval": [-0.1, 0.3]}
    assert planned(stated(), rule(grade="promising", shrunken=None, fcr_interval=None, effect=lost)) == []


def test_a_rule_that_harms_keeps_its_sign():
    harmed = rule(
        kind="negative", effect={"estimate": -0.2, "interval": [-0.3, -0.1]}, fcr_interval=None, shrunken=None
    )
    (plan,) = planned(stated(), harmed)
    assert plan["effect"] == pytest.approx(-0.1)
    follows = Experiment.parse(plan["experiment"], source="test").follows
    assert (follows.kind, follows.predicted.estimate) == ("negative", plan["effect"])


def test_confirmed_rules_come_first_three_of_each_kind_and_unsupported_ones_never():
    rules = [
        *(rule(f"s{k}", grade="promising") for k in (1, 2)),
        *(rule(f"s{k}") for k in (3, 4)),
        rule("s5", grade="not_supported"),
        rule("s6", kind="negative", effect={"estimate": -0.2, "interval": [-0.3, -0.1]}, shrunken=-0.1),
    ]
    assert [plan["rule"] for plan in planned(stated(), *rules)] == ["s3", "s4", "s6", "s1"]


def test_the_statement_is_what_an_experiment_may_state():
    experiment = stated(eligible={"all": [{"feature": "tenure", "op": ">", "value": 7.0, "missing": True}]})
    (plan,) = planned(experiment, rule(), caps={"spend": {"value": 120.0, "share_capped": 0.01}})
    follow_up = Experiment.parse(json.loads(json.dumps(plan["experiment"])), source="test")
    assert follow_up.experiment_id == "music.r2.s1"
    assert (follow_up.status, follow_up.revision, follow_up.started_at, follow_up.ended_at) == (
        "running",
        1,
        None,
        None,
    )
    assert follow_up.arms == ("off", "on")
    assert follow_up.expected_shares == {"off": 0.5, "on": 0.5}
    assert follow_up.eligible == Rule.of((*experiment.eligible.conditions, *Rule.model_validate(YOUNG).conditions))
    assert (follow_up.unit, follow_up.window, follow_up.features) == (
        "listener",
        experiment.window,
        experiment.features,
    )
    assert follow_up.mining == experiment.mining.model_copy(update={"costs": {"on": 0.1}})
    assert follow_up.primary == experiment.primary
    assert follow_up.metrics[1].cap.value == 120.0
    assert follow_up.follows.model_dump(mode="json") == {
        "experiment_id": "music",
        "revision": 2,
        "rule": "s1",
        "treatment": "on",
        "kind": "positive",
        "predicted": {"estimate": 0.15, "interval": [0.05, 0.35]},
    }


def test_an_observational_comparison_is_followed_by_an_experiment():
    experiment = stated(randomized=False)
    (plan,) = planned(experiment, rule(grade="promising"))
    assert Experiment.parse(plan["experiment"], source="test").randomized


def test_rows_of_the_follow_up_are_told_from_those_of_a_table_with_one_experiment():
    experiment = stated(tables={"assignments": "s3://lake/log", "experiment_column": None})
    (plan,) = planned(experiment, rule())
    tables = Experiment.parse(plan["experiment"], source="test").tables
    assert (tables.assignments, tables.experiment_column) == ("s3://lake/log", "experiment_id")


def test_the_follow_up_of_a_dataset_expects_another_file_and_no_days():
    experiment = stated(dataset={"uri": "s3://lake/wide/music.csv.gz", "arm_column": "group"}, window={"days": 1})
    (plan,) = planned(experiment, rule())
    assert (plan["daily_users"], plan["enrolment_days"], plan["days"]) == (None, None, None)
    dataset = Experiment.parse(plan["experiment"], source="test").dataset
    assert (dataset.uri, dataset.arm_column) == ("s3://lake/wide/music.r2.s1.csv.gz", "group")


def test_a_ratio_is_sized_by_the_noise_of_the_ratio_of_the_rules_own_users():
    """The young have three times the views, so that their ratio is less noisy; the effect is on it already."""
    experiment = stated(metrics=[{"name": "rate", "numerator": "clicks", "denominator": "views", "role": "primary"}])
    users = users_of(experiment)
    (plan,) = planned(experiment, rule(), users=users)
    young = users[(users["age"] <= 30) & (users["part"] == "estimation") & users["arm"].isin(["off", "on"])]
    control = young[young["arm"] == "off"]
    ratio = control["num__rate"].sum() / control["den__rate"].sum()
    own = (young["num__rate"] - ratio * young["den__rate"]) / control["den__rate"].mean()
    noise = Noise.of(own, (young["arm"] == "on").to_numpy())
    assert plan["detectable"] == pytest.approx(detectable_effect(plan["n_per_arm"], noise))
    assert plan["effect"] == 0.15
    assert plan["experiment"]["follows"]["predicted"]["interval"] == [0.05, 0.35]
    assert plan["variance_explained"] == 0
    assert planned(experiment, rule(), users=users.assign(den__rate=np.where(users["age"] <= 30, 0.0, 1.0))) == []


def test_name_owner_and_delivery_are_added_last():
    experiment = stated()
    (plan,) = addressed(planned(experiment, rule()), experiment)
    follow_up = Experiment.parse(plan["experiment"], source="test")
    assert follow_up.name == "Autoplay: Age ≤ 30"
    assert (follow_up.owner, follow_up.delivery) == ("growth", experiment.delivery)


@pytest.mark.parametrize("parent", ["m" * 64, "music.", "a" * 58])
def test_every_follow_up_has_an_id_of_its_own(parent):
    experiment = stated(experiment_id=parent)
    ids = {follow_up_id(experiment, f"s{k}") for k in range(1, 7)}
    assert len(ids) == 6
    for identity in ids:
        assert stated(experiment_id=identity).experiment_id == identity


def test_the_follow_up_of_a_follow_up_can_be_stated():
    experiment = stated()
    (first,) = planned(experiment, rule())
    statement = first["experiment"] | {"status": "finished", "ended_at": "2026-11-01T00:00:00Z"}
    second = Experiment.parse(statement, source="test")
    (plan,) = planned(second, rule(), users=users_of(second))
    assert Experiment.parse(plan["experiment"], source="test").follows.experiment_id == "music.r2.s1"
