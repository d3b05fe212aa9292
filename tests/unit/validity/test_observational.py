"""What stands in for randomisation: matched on the propensity, with the checks of section "observational"."""

import json

import numpy as np
import pandas as pd
import pytest

from causal_tasks.pipelines import MINE
from causal_tasks.pipelines.execution import run_stage
from causal_tasks.report.briefing import Briefing
from causal_tasks.report.sections.checks import tell_checks
from causal_tasks.validity.observational import observational_design
from causal_tasks.validity.stage import judge
from tests.unit.data.prepared import prepared_run, profiled, stated, waterfall

N = 8000
FEATURES = ["tenure", "city"]


def comparison(**changes):
    return stated(randomized=False, metrics=[{"name": "minutes", "role": "primary"}], features={}, **changes)


def chosen(*, n=N, seed=0, strength=0.6, hidden=0.0, arms=("control", "new")):
    """Users of whom long-standing ones of city b choose the treatment themselves, and listen more anyway."""
    random = np.random.default_rng(seed)
    tenure, temper = random.normal(size=(2, n))
    city = random.choice(["a", "b"], n)
    log_odds = strength * (tenure + (city == "b") - 0.5) + hidden * temper - 0.4
    treated = random.random(n) < 1 / (1 + np.exp(-log_odds))
    daily = tenure + (city == "b") + temper
    return pd.DataFrame(
        {
            "unit": np.arange(n),
            "arm": pd.Categorical(np.where(treated, random.choice(arms[1:], n), arms[0]), categories=list(arms)),
            "tenure": tenure.astype("float32"),
            "city": pd.Categorical(city),
            "y__minutes": 10 + daily + random.normal(size=n),
            "pre__minutes": 10 + daily + random.normal(size=n),
            "part": np.where(random.random(n) < 0.6, "discovery", "estimation"),
            "fold": (np.arange(n) % 5).astype("int8"),
        }
    )


def status(design, code, subject="new"):
    (check,) = [c for c in design.checks if (c.code, c.subject) == (code, subject)]
    return check.status


@pytest.fixture(scope="module")
def healthy():
    users = chosen()
    return users, observational_design(users, FEATURES, comparison())


def test_the_propensity_has_a_row_for_every_user_and_three_columns_for_every_treatment(healthy):
    users, design = healthy
    assert design.propensity.columns.tolist() == ["unit", "propensity__new", "kept__new", "weight__new"]
    assert design.propensity["unit"].tolist() == users["unit"].tolist()
    score, kept, weight = (design.propensity[f"{name}__new"] for name in ("propensity", "kept", "weight"))
    assert score.between(0, 1, inclusive="neither").all()
    assert kept.dtype == bool
    assert (kept == score.between(0.05, 0.95)).all()
    treated = users["arm"] == "new"
    assert weight[treated].isin([0.0, 1.0]).all()
    assert weight[~kept].eq(0).all()
    assert weight[~treated].sum() == pytest.approx(weight[treated].sum())
    matched_means = [np.average(users["tenure"][arm], weights=weight[arm]) for arm in (treated, ~treated)]
    assert matched_means[0] == pytest.approx(matched_means[1], abs=0.05)


def test_the_balance_holds_what_the_report_shows(healthy):
    users, design = healthy
    record = design.balance["new"]
    assert set(record) == {
        *("method", "buckets", "n_treatment", "n_control", "matched_treatment", "matched_control"),
        *("effective_control", "trimmed", "overlap", "covariates", "worst_after", "placebo", "notes"),
    }
    assert json.loads(json.dumps(design.balance, allow_nan=False)) == design.balance
    assert (record["n_treatment"], record["n_control"]) == tuple((users["arm"] == a).sum() for a in ("new", "control"))
    assert record["covariates"][0]["feature"] == "tenure"
    before, after = (np.abs([row[name] for row in record["covariates"]]) for name in ("before", "after"))
    assert (np.diff(before) <= 0).all()
    assert before.max() > 0.3
    assert after.max() == record["worst_after"] < 0.1
    assert set(record["placebo"]) == {"estimate", "standard_error", "interval", "p_value"}
    assert [check.status for check in design.checks] == ["pass"] * 4


def test_estimation_users_are_predicted_by_models_of_discovery_users_alone(healthy):
    users, design = healthy
    swapped = users.copy()
    estimation = users["part"] == "estimation"
    swapped.loc[estimation, "arm"] = np.where(users["arm"][estimation] == "new", "control", "new")
    again = observational_design(swapped, FEATURES, comparison())
    np.testing.assert_array_equal(again.propensity["propensity__new"], design.propensity["propensity__new"])


def test_outcomes_play_no_part(healthy):
    users, design = healthy
    again = observational_design(users.drop(columns="y__minutes"), FEATURES, comparison())
    pd.testing.assert_frame_equal(again.propensity, design.propensity)


def test_more_treated_users_are_cut_into_more_buckets():
    wide = observational_design(chosen(n=16_000), FEATURES, comparison())
    assert wide.balance["new"]["buckets"] > 20
    assert observational_design(chosen(n=2000), FEATURES, comparison()).balance["new"]["buckets"] == 20


def test_every_treatment_is_matched_with_the_control_by_itself():
    users = chosen(arms=("control", "new", "newer"))
    design = observational_design(users, FEATURES, comparison(treatments=["new", "newer"]))
    assert list(design.balance) == ["new", "newer"]
    assert design.propensity.notna().all(axis=None)
    for treatment, other in (("new", "newer"), ("newer", "new")):
        in_other = users["arm"] == other
        assert not design.propensity.loc[in_other, f"kept__{treatment}"].any()
        assert not design.propensity.loc[in_other, f"weight__{treatment}"].any()
        assert design.propensity.loc[~in_other, f"kept__{treatment}"].mean() > 0.9
    assert len({(check.code, check.subject) for check in design.checks}) == 8


def test_a_hidden_reason_for_the_choice_fails_the_placebo_however_balanced_the_features_are():
    design = observational_design(chosen(hidden=0.8, seed=1), FEATURES, comparison())
    assert status(design, "balance_after_matching") == "pass"
    assert status(design, "placebo") == "fail"
    assert design.balance["new"]["placebo"]["interval"][0] > 0
    verdict = judge(design.checks)
    assert (verdict.status, verdict.reason, verdict.mining) == ("invalid", "placebo", True)


def test_without_a_pre_window_the_placebo_warns_that_balance_is_no_proof():
    users = chosen(n=4000).drop(columns="pre__minutes")
    design = observational_design(users, FEATURES, comparison(window={"days": 7, "pre_days": 0}))
    assert status(design, "placebo") == "warn"
    assert design.balance["new"]["placebo"] is None


def test_a_pre_window_in_which_nothing_varies_is_none():
    design = observational_design(chosen(n=2000).assign(pre__minutes=0.0), FEATURES, comparison())
    assert status(design, "placebo") == "warn"


def test_the_placebo_of_a_ratio_is_in_its_own_unit():
    users, random = chosen(n=4000), np.random.default_rng(2)
    users["preden__rate"] = random.poisson(5, 4000) + 1.0
    users["prenum__rate"] = users["preden__rate"] * (0.2 + 0.05 * users["tenure"])
    rate = {"name": "rate", "numerator": "a", "denominator": "b", "role": "primary"}
    design = observational_design(users, FEATURES, stated(randomized=False, metrics=[rate]))
    assert design.balance["new"]["placebo"]["standard_error"] == pytest.approx(0.05 / np.sqrt(1500), rel=0.5)


def test_arms_with_little_overlap_are_trimmed_and_fail():
    design = observational_design(chosen(strength=5.0, seed=3), FEATURES, comparison())
    assert design.balance["new"]["trimmed"]["share"] > 0.3
    assert status(design, "overlap") == "fail"
    assert judge(design.checks).status == "invalid"


def test_bounds_are_the_experiments():
    users = chosen(strength=2.0, seed=4)
    loose = comparison(thresholds={"trimmed": 0.9, "propensity": 0.01})
    strict = comparison(thresholds={"effective_units": 5000, "imbalance_warn": 0.0, "imbalance_fail": 0.0001})
    assert status(observational_design(users, FEATURES, loose), "overlap") == "pass"
    found = observational_design(users, FEATURES, strict)
    assert (status(found, "matched_sample"), status(found, "balance_after_matching")) == ("fail", "fail")
    assert not judge(found.checks).mining


@pytest.mark.parametrize(
    ("users", "features", "problem"),
    [
        (chosen(n=400).assign(tenure=lambda u: (u["arm"] == "new") * 1.0), ["tenure"], None),
        (chosen(n=400).assign(tenure=1.0), ["tenure"], "none of the 1 covariates varies"),
        (chosen(n=400), [], "covariates have 0 columns"),
        (chosen(n=4000).query("arm == 'control' or unit < 20"), FEATURES, "without fold 0 there are"),
    ],
)
def test_what_cannot_be_matched_is_a_failed_check_and_no_nan(users, features, problem):
    design = observational_design(users.reset_index(drop=True), features, comparison())
    assert status(design, "overlap") == "fail"
    assert status(design, "matched_sample") == "fail"
    assert status(design, "placebo") == "warn"
    assert design.propensity.notna().all(axis=None)
    assert not design.propensity["weight__new"].any()
    json.dumps([design.balance, [check.to_dict() for check in design.checks]], allow_nan=False)
    (overlap,) = [check for check in design.checks if check.code == "overlap"]
    if problem:
        assert problem in overlap.details["problem"]


def test_clusters_count_in_the_placebo(healthy):
    users, _ = healthy
    random = np.random.default_rng(5)
    cluster = random.integers(0, 60, N) + 60 * (users["arm"] == "new").to_numpy()
    noisy = users.assign(cluster=cluster, pre__minutes=users["pre__minutes"] + 2 * random.normal(size=120)[cluster])
    clustered = observational_design(noisy, FEATURES, comparison(cluster="team")).balance["new"]["placebo"]
    single = observational_design(noisy.drop(columns="cluster"), FEATURES, comparison()).balance["new"]["placebo"]
    assert clustered["estimate"] == single["estimate"]
    assert clustered["standard_error"] > 2 * single["standard_error"]


SENTENCES = {
    "overlap": (
        {"strength": 5.0, "seed": 3},
        "<value> 的用户在另一组没有相似者，超过 30.0%；两组是不同的人群，无法比较。",
        "<value> of users have no counterpart in the other arm, more than 30.0%: the arms consist of different people "
        "and can't be compared.",
    ),
    "matched_sample": (
        {"n": 1600},
        "匹配后较小一组只相当于 <value> 名用户，少于 1,000，比较不可靠。",
        "After matching the smaller arm counts as <value> users only, fewer than 1,000; the comparison can't be relied "
        "on.",
    ),
    "placebo": (
        {"hidden": 0.8, "seed": 1},
        "策略开始前，匹配后的两组已有差异（p = <0.001，下限 0.050），说明有未观测到的因素区分了两组。",
        "The matched arms differed before the treatment already (p = <0.001, limit 0.050), so something that was not "
        "observed sets them apart.",
    ),
}


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("code", SENTENCES)
def test_a_failure_is_told_with_its_figures_and_what_to_do(code, language):
    options, zh, en = SENTENCES[code]
    experiment = comparison()
    (check,) = [c for c in observational_design(chosen(**options), FEATURES, experiment).checks if c.code == code]
    result = {"experiment": experiment.model_dump(mode="json", by_alias=True), "checks": [check.to_dict()]}
    (row,) = tell_checks(Briefing.of(result, language)).rows
    written = {"overlap": f"{check.value:.1%}", "matched_sample": f"{check.value:,}", "placebo": ""}[code]
    assert row.sentence == {"zh": zh, "en": en}[language].replace("<value>", written)
    assert row.remedy
    assert row.status == "fail"


@pytest.mark.parametrize("randomized", [True, False])
def test_the_stage_matches_only_what_was_not_randomised(tmp_path, randomized):
    users = chosen(n=4000)
    count = users["arm"].value_counts()
    users["start"] = pd.Timestamp("2026-02-01").date()
    flow = waterfall({arm: int(count[arm]) for arm in ("control", "new")})
    experiment = stated(
        randomized=randomized,
        metrics=[{"name": "minutes", "role": "primary"}],
        features={"dictionary": {"city": {"sensitive": True}}},
    )
    run, prepared = prepared_run(tmp_path, experiment, users, flow, profiled(features=FEATURES))
    result = run_stage(MINE, "validate", run=run, inputs=[prepared])
    outputs = run.read_manifest(result.manifest).outputs
    assert ("propensity" in outputs) is ("balance" in outputs) is not randomized
    if not randomized:
        balance = run.storage.read_json(f"{run.uri}/{outputs['balance'].path}")
        assert {row["feature"] for row in balance["new"]["covariates"]} == {"tenure", "city"}, "sensitive ones as well"
        table = run.storage.read_table(f"{run.uri}/{outputs['propensity'].path}")
        assert len(table) == len(users)
        checks = run.storage.read_json(f"{run.uri}/{outputs['checks'].path}")
        assert [check["code"] for check in checks][-4:] == [
            *("overlap", "matched_sample", "balance_after_matching", "placebo"),
        ]
