"""Stage ``mine`` on real files: what it reads, what it leaves out, what it writes."""

import json

import numpy as np
import pandas as pd
import pytest

from causal_tasks.effects import ratio_of_means
from causal_tasks.errors import InputError
from causal_tasks.evaluation import auuc, qini
from causal_tasks.experiment import Experiment
from causal_tasks.pipelines import MINE
from causal_tasks.pipelines.execution import run_stage
from causal_tasks.rule import Rule
from causal_tasks.run_folder import RunFolder
from causal_tasks.settings import Settings

USERS = 30_000
MINUTES = {"name": "minutes", "role": "primary"}
RATE = {"name": "rate", "numerator": "clicks", "denominator": "views", "role": "primary"}


def stated(**changes):
    return Experiment.parse(
        {
            "experiment_id": "music",
            "control": "off",
            "treatments": ["on"],
            "window": {"days": 7},
            "metrics": [MINUTES],
            "features": {
                "dictionary": {"age": {"sensitive": True}, "heavy": {"display": {"zh": "时长", "en": "hours"}}}
            },
        }
        | changes,
        source="test",
    )


def prepared(experiment, *, seed=0):
    """Users of whom heavy listeners gain 1 and the others lose 0.2 on the benefit scale, and perfect predictions."""
    random = np.random.default_rng(seed)
    metric = experiment.primary
    heavy = random.gamma(2, 20, USERS).astype("float32")
    benefit = np.where(heavy > 40, 1.0, -0.2)
    effect = metric.benefit(benefit)
    arm = random.choice(experiment.arms, USERS)
    views = random.poisson(20, USERS).astype(float)
    outcome = 5 + effect * (arm != "off") + random.normal(size=USERS)
    users = pd.DataFrame(
        {
            "unit": [f"u{k:06d}" for k in range(USERS)],
            "arm": pd.Categorical(arm, categories=list(experiment.arms)),
            "start": np.datetime64("2026-10-01") + random.integers(0, 14, USERS),
            "heavy": heavy,
            "age": heavy + 1,
            "city": pd.Categorical(random.choice(["a", "b"], USERS)),
            "y__minutes": outcome,
            "pre__minutes": random.normal(size=USERS),
            "num__rate": views * (0.5 + 0.1 * effect * (arm != "off")) + random.normal(size=USERS),
            "den__rate": views,
            "cluster": random.integers(0, 4000, USERS),
            "part": np.where(random.random(USERS) < 0.6, "discovery", "estimation"),
        }
    )
    scale = 0.1 if metric.is_ratio else 1.0
    offset = 0.0 if metric.is_ratio else 5.0
    predictions = pd.DataFrame({"unit": users["unit"]})
    for treatment in experiment.treatments:
        predictions[f"uplift__{treatment}"] = (scale * benefit + random.normal(0, 0.02, USERS)).astype("float32")
    predictions["mean__off"] = np.full(USERS, offset, dtype="float32")
    for treatment in experiment.treatments:
        predictions[f"mean__{treatment}"] = (offset + scale * effect).astype("float32")
    return users, predictions


def mined(
    tmp_path, experiment, users, predictions, *, used=("heavy", "age", "city"), status="valid", outside=10, more=None
):
    """The outputs of the stage by name, read back from its files; ``more`` are tables of ``stage/item``."""
    run = RunFolder.open(experiment, Settings(lake=f"file://{tmp_path}"))
    json_of, table_of = run.storage.write_json, run.storage.write_table
    outputs = {
        "prepare": lambda folder: {
            "users": table_of(f"{folder}/users.parquet", users),
            "profile": json_of(f"{folder}/profile.json", {"caps": {}}),
        },
        "validate": lambda folder: {
            "features": json_of(f"{folder}/features.json", {"used": list(used), "dropped": {}}),
            "verdict": json_of(f"{folder}/verdict.json", {"status": status, "mining": True, "reason": None}),
            **(
                {}
                if experiment.randomized
                else {"propensity": table_of(f"{folder}/q.parquet", propensity(users, outside=outside))}
            ),
        },
        "select": lambda folder: {
            "predictions": table_of(f"{folder}/p.parquet", predictions),
            "items": json_of(f"{folder}/items.json", [key.partition("/")[2] for key in more or {}]),
        },
        **{
            key: lambda folder, table=table: {"predictions": table_of(f"{folder}/p.parquet", table)}
            for key, table in (more or {}).items()
        },
    }
    manifests = []
    for key, written in outputs.items():
        stage, _, item = key.partition("/")
        attempt = run.begin(stage, item or None, "0" * 8)
        attempt.commit(written(attempt.folder), {})
        manifests.append(run.manifest_uri(stage, item or None, "0" * 8))
    result = run_stage(MINE, "mine", run=run, inputs=manifests)
    named = run.read_manifest(result.manifest).outputs
    return {name: run.storage.read_json(f"{run.uri}/{output.path}") for name, output in named.items()}


def propensity(users, *, outside=10):
    """As ``validate`` writes it where nobody dealt the arms: one of ``outside`` users is outside the overlap."""
    probability = np.where(np.arange(USERS) % outside == 0, 0.97, 0.5)
    return pd.DataFrame({"unit": users["unit"], "propensity__on": np.where(users["arm"] == "max", np.nan, probability)})


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    experiment = stated()
    users, predictions = prepared(experiment)
    return users, predictions, mined(tmp_path_factory.mktemp("lake"), experiment, users, predictions)


def test_the_outputs_have_the_fields_of_the_contract(plain):
    _, _, found = plain
    assert set(found) == {"subpopulations", "tree", "evidence", "follow_up", "placebo"}
    assert set(found["subpopulations"][0]) == {
        *("id", "treatment", "kind", "rule", "words", "sql", "share", "n_control", "n_treatment", "control_mean"),
        *("effect", "rest", "contrast", "fcr_interval", "shrunken", "in_sample", "metric_share", "stability"),
        *("overlap", "unique_share", "guardrails", "sample_ratio_p", "actionable", "reasons"),
        *("relative", "q_value", "predicted", "grade"),
    }
    estimate = {"estimate", "standard_error", "interval", "p_value"}
    assert all(
        set(found["subpopulations"][0][name]) == estimate for name in ("effect", "rest", "contrast", "in_sample")
    )
    assert set(found["subpopulations"][0]["stability"]) == {"jaccard", "frequency", "seeds", "features", "cuts"}
    assert set(found["tree"]["on"]) == {"rule", "words", "n", "share", "predicted", "effect", "children"}
    assert set(found["evidence"]) == {
        *("rules_examined", "n_estimation", "auuc", "qini", "curve", "buckets", "detectable"),
        *("autoc", "toc", "heterogeneity", "characteristics", "policy", "family", "repeats", "notes"),
    }
    assert set(found["evidence"]["detectable"]["on"]) == {"0.1", "0.2", "0.3"}
    assert set(found["evidence"]["buckets"]["on"][0]) == {
        *("bucket", "n_control", "n_treatment", "mean_control", "mean_treatment", "difference", "interval"),
    }
    assert set(found["evidence"]["curve"]["on"][0]) == {"share", "gain", "low", "high"}
    assert set(found["evidence"]["toc"]["on"][0]) == {"share", "toc", "low", "high"}
    assert set(found["evidence"]["autoc"]["on"]) == estimate
    assert set(found["evidence"]["family"]) == {"examined", "selected", "q"}
    assert found["evidence"]["family"]["examined"] == found["evidence"]["rules_examined"]
    json.dumps(found, allow_nan=False)


def test_effects_are_shown_to_differ_and_policies_and_follow_ups_say_what_that_is_worth(plain):
    _, _, found = plain
    evidence = found["evidence"]
    assert evidence["heterogeneity"]["on"]["omnibus"]["passed"]
    assert evidence["autoc"]["on"]["interval"][0] > 0
    by_rule = {row["policy"]: row for row in evidence["policy"]["on"]["policies"]}["rules"]
    assert evidence["policy"]["on"]["rules"] == ["s1"]
    assert by_rule["vs_none"]["interval"][0] > 0
    assert by_rule["vs_all"]["interval"][0] > 0
    assert evidence["characteristics"]["on"][0]["feature"] == "heavy"
    assert found["follow_up"][0]["rule"] == "s1"
    assert Experiment.parse(found["follow_up"][0]["experiment"], source="test").follows.rule == "s1"


def test_the_planted_rule_is_confirmed_under_its_display_name(plain):
    users, _, found = plain
    best = found["subpopulations"][0]
    assert (best["kind"], best["grade"], best["words"]) == (
        "positive",
        "confirmed",
        {"zh": "时长 > 40", "en": "hours > 40"},
    )
    assert abs(best["effect"]["estimate"] - 1.0) < 4 * best["effect"]["standard_error"]
    estimation = users[users["part"] == "estimation"]
    assert best["share"] == pytest.approx(Rule.model_validate(best["rule"]).mask(estimation).mean())


def test_a_sensitive_feature_never_enters_a_rule(plain):
    assert all('"age"' not in json.dumps(plain[2][output]) for output in ("subpopulations", "tree", "evidence"))


def test_scores_curve_and_buckets_come_from_estimation_users(plain):
    users, predictions, found = plain
    rows = (users["part"] == "estimation").to_numpy()
    outcome, uplift = users["y__minutes"][rows], predictions["uplift__on"][rows]
    treated = (users["arm"] == "on").to_numpy()[rows].astype(int)
    evidence = found["evidence"]
    assert evidence["n_estimation"] == rows.sum()
    assert evidence["auuc"]["on"]["estimate"] == pytest.approx(auuc(outcome, uplift, treated))
    assert evidence["qini"]["on"]["estimate"] == pytest.approx(qini(outcome, uplift, treated))
    average = outcome[treated == 1].mean() - outcome[treated == 0].mean()
    assert evidence["auuc"]["on"]["random"] == pytest.approx(average / 2)
    assert [bucket["bucket"] for bucket in evidence["buckets"]["on"]] == list(range(1, 11))
    assert sum(bucket["n_control"] + bucket["n_treatment"] for bucket in evidence["buckets"]["on"]) == rows.sum()
    assert evidence["curve"]["on"][-1]["gain"] == pytest.approx(average)
    assert len(evidence["curve"]["on"]) <= 101


def test_where_less_is_better_effects_are_negative_and_scores_are_gains(tmp_path):
    experiment = stated(metrics=[MINUTES | {"direction": "down"}])
    found = mined(tmp_path, experiment, *prepared(experiment))
    best = found["subpopulations"][0]
    assert (best["kind"], best["grade"], best["words"]["en"]) == ("positive", "confirmed", "hours > 40")
    assert best["effect"]["interval"][1] < 0
    assert best["predicted"] == pytest.approx(-1.0, abs=0.05)
    evidence = found["evidence"]
    assert evidence["qini"]["on"]["interval"][0] > 0
    assert evidence["autoc"]["on"]["interval"][0] > 0
    assert evidence["heterogeneity"]["on"]["groups"][0]["effect"]["estimate"] > 0
    assert evidence["policy"]["on"]["rules"] == [best["id"]]
    first, last = evidence["buckets"]["on"][0], evidence["buckets"]["on"][-1]
    assert first["difference"] < 0 < last["difference"]


def test_users_without_the_primary_metric_are_left_out_everywhere(tmp_path):
    experiment = stated()
    users, predictions = prepared(experiment)
    users.loc[::3, "y__minutes"] = np.nan
    found = mined(tmp_path, experiment, users, predictions)
    known = (users["part"] == "estimation") & users["y__minutes"].notna()
    assert found["evidence"]["n_estimation"] == known.sum()
    assert found["tree"]["on"]["n"] == known.sum()


def test_effects_on_a_ratio_are_in_units_of_the_ratio(tmp_path):
    experiment = stated(metrics=[RATE])
    users, predictions = prepared(experiment)
    found = mined(tmp_path, experiment, users, predictions)
    best, root = found["subpopulations"][0], found["tree"]["on"]
    estimation = users[users["part"] == "estimation"]
    overall = ratio_of_means(estimation["num__rate"], estimation["den__rate"], estimation["arm"] == "on", control=False)
    assert root["effect"]["estimate"] == pytest.approx(overall.estimate, abs=2 * overall.standard_error)
    assert best["words"]["en"] == "hours > 40"
    assert abs(best["effect"]["estimate"] - 0.1) < 4 * best["effect"]["standard_error"]
    assert best["control_mean"] == pytest.approx(0.5, abs=0.02)
    assert best["relative"] == pytest.approx(best["effect"]["estimate"] / best["control_mean"])


def test_three_arms_are_compared_with_control_one_by_one(tmp_path):
    experiment = stated(treatments=["on", "max"], shares={"off": 0.5, "on": 0.25, "max": 0.25})
    users, predictions = prepared(experiment)
    random = np.random.default_rng(1)
    users["arm"] = pd.Categorical(random.choice(experiment.arms, USERS, p=[0.5, 0.25, 0.25]))
    users["y__minutes"] = (
        5 + np.where(users["heavy"] > 40, 1.0, -0.2) * (users["arm"] == "max") + random.normal(size=USERS)
    )
    found = mined(tmp_path, experiment, users, predictions)
    grades = {(s["treatment"], s["kind"]): s["grade"] for s in found["subpopulations"]}
    assert grades["max", "positive"] == "confirmed"
    assert ("on", "positive") not in grades
    repeat = next(repeat for repeat in found["evidence"]["repeats"] if repeat["kind"] == "positive")
    assert (repeat["treatment"], repeat["of"], repeat["grade"]) == ("on", "s1", "not_supported")
    policy = {arm: found["evidence"]["policy"][arm] for arm in ("on", "max")}
    assert policy["on"]["rules"] == policy["max"]["rules"] == ["s1"], "which of the two is told was seen on these users"
    assert [row["policy"] for row in policy["on"]["policies"]] == [row["policy"] for row in policy["max"]["policies"]]
    estimation = users["part"] == "estimation"
    assert found["tree"]["on"]["n"] == (estimation & users["arm"].isin(["off", "on"])).sum()
    assert found["evidence"]["n_estimation"] == estimation.sum()


def test_intervals_are_wider_where_whole_clusters_were_randomised(tmp_path):
    users, predictions = prepared(stated())
    random = np.random.default_rng(2)
    cluster = users["cluster"].to_numpy()
    users["arm"] = pd.Categorical(random.choice(["off", "on"], 4000)[cluster])
    users["y__minutes"] = 5 + random.normal(0, 2, 4000)[cluster] + random.normal(size=USERS)
    independent = mined(tmp_path / "a", stated(), users, predictions)
    clustered = mined(tmp_path / "b", stated(cluster="household"), users, predictions)
    for narrow, wide in (
        (independent["tree"]["on"]["effect"], clustered["tree"]["on"]["effect"]),
        (independent["evidence"]["auuc"]["on"], clustered["evidence"]["auuc"]["on"]),
    ):
        assert wide["standard_error"] > 1.3 * narrow["standard_error"]
        assert wide["estimate"] == pytest.approx(narrow["estimate"])


def test_nothing_of_an_invalid_experiment_is_confirmed(tmp_path):
    found = mined(tmp_path, stated(), *prepared(stated()), status="invalid")
    assert {s["grade"] for s in found["subpopulations"]} == {"promising"}
    assert all("invalid" in s["reasons"] for s in found["subpopulations"])


def test_an_observational_comparison_confirms_nothing_and_leaves_out_users_without_a_counterpart(tmp_path):
    experiment = stated(randomized=False)
    users, predictions = prepared(experiment)
    found = mined(tmp_path, experiment, users, predictions)
    outside = (users["part"] == "estimation") & (np.arange(USERS) % 10 == 0)
    assert {s["grade"] for s in found["subpopulations"]} == {"promising"}
    assert all("observational" in s["reasons"] for s in found["subpopulations"])
    assert {s["sample_ratio_p"] for s in found["subpopulations"]} == {None}
    assert found["evidence"]["trimmed"] == {"on": outside.sum()}
    assert found["tree"]["on"]["n"] == ((users["part"] == "estimation") & ~outside).sum()
    json.dumps(found, allow_nan=False)


def test_the_experiment_says_how_unlike_users_may_be(tmp_path):
    experiment = stated(randomized=False, thresholds={"propensity": 0.02})
    users, predictions = prepared(experiment)
    found = mined(tmp_path, experiment, users, predictions)
    assert found["evidence"]["trimmed"] == {"on": 0}
    assert found["tree"]["on"]["n"] == (users["part"] == "estimation").sum()


def test_arms_that_share_no_users_of_one_kind_are_refused(tmp_path):
    experiment = stated(randomized=False)
    with pytest.raises(InputError, match="on: of 0 estimation users that can be compared, an arm has 0"):
        mined(tmp_path, experiment, *prepared(experiment), outside=1)


def test_guardrails_are_measured_inside_the_rule_in_their_own_unit(tmp_path):
    guarded = [
        {"name": "crashes", "role": "guardrail", "direction": "down"},
        RATE | {"role": "guardrail"},
        {"name": "empty", "numerator": "a", "denominator": "b", "role": "guardrail"},
        {"name": "ignored", "role": "diagnostic"},
    ]
    experiment = stated(metrics=[MINUTES, *guarded])
    users, predictions = prepared(experiment)
    random = np.random.default_rng(3)
    users["y__crashes"] = 2 + 0.5 * ((users["heavy"] > 40) & (users["arm"] == "on")) + random.normal(size=USERS)
    users.loc[::5, "y__crashes"] = np.nan
    users["num__empty"] = users["den__empty"] = 0.0
    found = mined(tmp_path, experiment, users, predictions)
    best = found["subpopulations"][0]
    crashes, rate, empty = best["guardrails"]
    assert [effect["metric"] for effect in best["guardrails"]] == ["crashes", "rate", "empty"]
    assert (crashes["tone"], rate["tone"], empty) == (
        "bad",
        "good",
        {"metric": "empty", "effect": None, "tone": "unclear"},
    )
    assert abs(crashes["effect"]["estimate"] - 0.5) < 4 * crashes["effect"]["standard_error"]
    assert abs(rate["effect"]["estimate"] - 0.1) < 4 * rate["effect"]["standard_error"]
    assert (best["grade"], best["reasons"]) == ("promising", ["guardrail"])
    assert "guardrail" not in found["subpopulations"][-1]["reasons"]
    json.dumps(found, allow_nan=False)


def test_what_other_seeds_predict_for_some_users_is_held_against_the_rules(tmp_path):
    experiment = stated(metrics=[MINUTES | {"direction": "down"}])
    users, predictions = prepared(experiment)
    some = predictions.iloc[::2].reset_index(drop=True)
    unlike = some.assign(uplift__on=-some["uplift__on"])
    more = {"replicate/seed_1": some, "replicate/seed_2": unlike}
    found = mined(tmp_path, experiment, users, predictions, more=more)
    best = found["subpopulations"][0]
    assert best["stability"]["jaccard"] > 0.9
    assert 0.45 < best["stability"]["seeds"] < 0.8


def test_a_rule_by_which_the_business_cannot_target_says_so(tmp_path):
    experiment = stated(features={"dictionary": {"age": {"sensitive": True}, "heavy": {"actionable": False}}})
    found = mined(tmp_path, experiment, *prepared(experiment))
    assert not found["subpopulations"][0]["actionable"]


def test_without_stability_trees_the_evidence_says_that_it_was_not_measured(tmp_path):
    experiment = stated(mining={"stability_trees": 0})
    found = mined(tmp_path, experiment, *prepared(experiment))
    assert found["subpopulations"][0]["stability"] is None
    assert found["evidence"]["notes"] == ["stability_not_measured"]


def test_predictions_of_other_users_are_refused(tmp_path):
    experiment = stated()
    users, predictions = prepared(experiment)
    with pytest.raises(InputError, match="not the 30000 of users, in their order"):
        mined(tmp_path, experiment, users, predictions.iloc[::-1])


def test_rules_need_a_feature_that_may_be_shown(tmp_path):
    experiment = stated()
    with pytest.raises(InputError, match=r"all of \['age'\] are sensitive"):
        mined(tmp_path, experiment, *prepared(experiment), used=("age",))


def test_mining_twice_writes_the_same(tmp_path, plain):
    users, predictions, found = plain
    assert mined(tmp_path, stated(), users, predictions) == found
