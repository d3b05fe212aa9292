import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from causal_tasks.pipelines import MINE
from causal_tasks.pipelines.execution import run_stage
from causal_tasks.validity.grading import CODES, Check, grade
from causal_tasks.validity.stage import HOUSEKEEPING, STOPS, TRUST, judge, run_checks
from tests.unit.data.prepared import (
    EVEN,
    FEATURES,
    N,
    applied_cap,
    healthy_users,
    prepared_run,
    profiled,
    read_outputs,
    stated,
    waterfall,
)

MATCHING = {"overlap", "matched_sample", "balance_after_matching", "placebo"}
"""Checks that only a comparison without randomisation has; see test_observational.py."""


def checked(experiment=None, users=None, flow=None, profile=None):
    checks, screening = run_checks(
        healthy_users() if users is None else users,
        flow or waterfall(EVEN),
        profile or profiled(),
        experiment or stated(),
    )
    return checks, screening


def one(checks, code, subject=None):
    found = [check for check in checks if check.code == code and subject in {None, check.subject}]
    assert len(found) == 1, (code, found)
    return found[0]


def test_a_healthy_experiment_passes_every_check_and_is_mined():
    checks, screening = checked()
    assert {check.code for check in checks} == set(CODES) - MATCHING
    assert {check.code for check in checks if check.status != "pass"} == {"sensitive_feature"}
    assert screening.used == ("tenure", "city", "vip")
    verdict = judge(checks)
    assert (verdict.status, verdict.mining, verdict.reason) == ("valid", True, None)


def test_checks_come_in_one_order_and_as_json_without_nan():
    checks, _ = checked()
    ranks = [CODES.index(check.code) for check in checks]
    assert ranks == sorted(ranks)
    records = [check.to_dict() for check in checks]
    assert json.loads(json.dumps(records, allow_nan=False)) == records


@pytest.mark.parametrize(
    ("first", "status"),
    [
        ({"control": 2000, "new": 2050}, "pass"),
        ({"control": 2000, "new": 2180}, "warn"),
        ({"control": 2000, "new": 2300}, "fail"),
    ],
)
def test_the_sample_ratio_is_pearsons_test_of_raw_first_exposures(first, status):
    check = one(checked(flow=waterfall(first))[0], "sample_ratio")
    assert check.status == status
    assert check.value == pytest.approx(stats.chisquare(list(first.values())).pvalue, rel=1e-9)
    assert check.threshold == {"pass": 0.01, "warn": 0.01, "fail": 0.001}[status]


def test_the_sample_ratio_follows_the_designed_shares():
    unequal = stated(shares={"control": 0.9, "new": 0.1})
    flow = waterfall({"control": 9030, "new": 970})
    assert one(checked(unequal, flow=flow)[0], "sample_ratio").status == "pass"
    assert one(checked(flow=flow)[0], "sample_ratio").status == "fail"


def test_a_tiny_deviation_of_a_huge_experiment_only_warns():
    check = one(checked(flow=waterfall({"control": 10_000_000, "new": 10_018_000}))[0], "sample_ratio")
    assert check.value < 0.001
    assert check.details["deviation"] < 0.001
    assert check.status == "warn"


def test_dropping_by_arm_after_exposure_fails_and_names_the_step():
    even = {"control": 100, "new": 110}
    assert one(checked(flow=waterfall(EVEN, immature=even))[0], "sample_ratio_analysed").status == "pass"
    skewed = {"control": 100, "new": 180}
    check = one(checked(flow=waterfall(EVEN, not_eligible=even, immature=skewed))[0], "sample_ratio_analysed")
    expected = stats.chi2_contingency([[100, 180], [1800, 1710]], correction=False).pvalue
    assert check.status == "fail"
    assert check.value == check.details["p_values"]["immature"] == pytest.approx(expected, rel=1e-9)
    assert check.details["dropped_shares"]["immature"]["control"] == 100 / 1900


def test_contamination_that_differs_by_arm_is_left_to_its_own_test():
    flow = waterfall(EVEN, two_arms={"control": 20, "new": 180})
    checks, _ = checked(flow=flow)
    assert one(checks, "sample_ratio_analysed").value == 1.0
    assert one(checks, "contamination").status == "warn"


@pytest.mark.parametrize(("lost", "status"), [(20, "pass"), (21, "warn"), (200, "warn"), (201, "fail")])
def test_contamination_warns_above_one_and_fails_above_ten_percent(lost, status):
    flow = waterfall({"control": 1000, "new": 1000}, two_arms={"control": lost, "new": 0})
    check = one(checked(flow=flow)[0], "contamination")
    assert (check.status, check.value) == (status, lost / 2000)


def test_transitions_in_one_direction_fail_and_balanced_ones_pass():
    balanced = profiled(transitions={"control": {"new": 60}, "new": {"control": 55}})
    lopsided = profiled(transitions={"control": {"new": 60}, "new": {"control": 20}})
    assert one(checked(profile=balanced)[0], "contamination_symmetry").status == "pass"
    check = one(checked(profile=lopsided)[0], "contamination_symmetry")
    assert check.status == "fail"
    assert check.value == pytest.approx(stats.chi2.sf(40**2 / 80, 1), rel=1e-9)


@pytest.mark.parametrize(("lost", "status"), [(200, "pass"), (201, "warn"), (501, "fail")])
def test_immature_units_warn_above_a_fifth_and_fail_above_half_of_those_who_reached_the_step(lost, status):
    flow = waterfall(EVEN, two_arms=dict.fromkeys(EVEN, 1000), immature=dict.fromkeys(EVEN, lost))
    check = one(checked(flow=flow)[0], "maturity")
    assert (check.status, check.value) == (status, lost / 1000)


def test_duplicates_are_judged_by_the_worst_table():
    few = profiled(duplicate_rows={"assignments": 0, "metrics": 100, "features": 3})
    many = profiled(duplicate_rows={"assignments": 0, "metrics": 101, "features": 3})
    assert one(checked(profile=few)[0], "duplicates").status == "pass"
    check = one(checked(profile=many)[0], "duplicates")
    assert (check.status, check.subject, check.value) == ("warn", "metrics", 0.0101)


@pytest.mark.parametrize(
    ("code", "field", "units", "status"),
    [
        ("feature_coverage", "units_without_features", 800, "fail"),
        ("metric_coverage", "units_without_metrics", 3200, "warn"),
    ],
)
def test_coverage_is_found_wanting_when_too_many_units_join_to_nothing(code, field, units, status):
    assert one(checked(profile=profiled(**{field: units}))[0], code).status == "pass"
    checks, _ = checked(profile=profiled(**{field: units + 1}))
    check = one(checks, code)
    assert (check.status, check.value) == (status, (units + 1) / N)
    assert judge(checks).status == "warning"


def test_arms_that_differed_before_the_start_are_named_by_metric():
    users = healthy_users()
    new = (users["arm"] == "new").to_numpy()
    users["pre__minutes"] += 3 * new
    users["prenum__ctr"] += 0.5 * new
    checks, _ = checked(users=users)
    for metric in ("minutes", "ctr"):
        check = one(checks, "pre_period", metric)
        assert check.status == "warn"
        assert check.value == check.details["p_values"]["new"] < 0.001
    welch = stats.ttest_ind(users["pre__minutes"][new], users["pre__minutes"][~new], equal_var=False)
    assert one(checks, "pre_period", "minutes").value == pytest.approx(
        2 * stats.norm.sf(abs(welch.statistic)), rel=1e-9
    )
    assert judge(checks).status == "warning"


def test_without_a_pre_window_there_is_no_pre_period_check():
    users = healthy_users().drop(columns=["pre__minutes", "prenum__ctr", "preden__ctr"])
    checks, _ = checked(stated(window={"days": 7, "pre_days": 0}), users=users)
    assert "pre_period" not in {check.code for check in checks}


def test_a_primary_that_never_varies_in_an_arm_is_invalid_and_not_mined():
    users = healthy_users()
    users.loc[users["arm"] == "new", "y__minutes"] = 4.0
    checks, _ = checked(users=users)
    check = one(checks, "constant_metric")
    assert (check.status, check.subject, check.details["arms"]) == ("fail", "minutes", ["new"])
    verdict = judge(checks)
    assert (verdict.status, verdict.mining, verdict.reason) == ("invalid", False, "constant_metric")


@pytest.mark.parametrize(("numerator", "denominator"), [(0.0, 0.0), (0.0, 3.0), (1.0, 2.0)])
def test_a_secondary_ratio_that_never_varies_only_warns(numerator, denominator):
    users = healthy_users().assign(num__ctr=numerator, den__ctr=denominator)
    checks, _ = checked(users=users)
    assert one(checks, "constant_metric", "ctr").status == "warn"
    verdict = judge(checks)
    assert (verdict.status, verdict.mining, verdict.reason) == ("warning", True, None)


def test_too_small_an_arm_is_not_mined_and_missing_outcomes_do_not_count():
    users = healthy_users()
    exact = users.groupby("arm", observed=True).head(1000)
    assert one(checked(users=exact)[0], "arm_size").status == "pass"
    short = exact.copy()
    short.loc[short.index[short["arm"] == "new"][0], "y__minutes"] = np.nan
    checks, _ = checked(users=short)
    check = one(checks, "arm_size")
    assert (check.status, check.subject, check.value, check.threshold) == ("warn", "new", 999, 1000)
    verdict = judge(checks)
    assert (verdict.status, verdict.mining, verdict.reason) == ("warning", False, "arm_size")


@pytest.mark.parametrize(("events", "status"), [(50, "pass"), (49, "warn")])
@pytest.mark.parametrize("common", [0.0, 1.0])
def test_too_few_units_with_a_rare_outcome_are_not_mined_whichever_value_is_rare(events, status, common):
    users = healthy_users()
    outcome = np.full(N, common)
    outcome[np.flatnonzero(users["arm"] == "new")[:events]] = 1 - common
    outcome[np.flatnonzero(users["arm"] == "control")[:300]] = 1 - common
    check = one(checked(users=users.assign(y__minutes=outcome))[0], "arm_size")
    assert check.status == status
    assert check.details["events"] == {"control": 300, "new": events}
    if status == "warn":
        assert (check.subject, check.value, check.threshold) == ("new", 49, 50)


@pytest.mark.parametrize(("clusters", "status"), [(50, "pass"), (49, "warn")])
def test_arms_of_few_clusters_are_not_mined_however_many_units_they_have(clusters, status):
    users = healthy_users().assign(cluster=np.arange(N) // 2 % 60 * 2 + np.arange(N) % 2)
    new = users["arm"] == "new"
    users.loc[new, "cluster"] = np.arange(new.sum()) % clusters * 2 + 1
    check = one(checked(stated(cluster="team"), users=users)[0], "arm_size")
    assert check.details["clusters"] == {"control": 60, "new": clusters}
    assert check.status == status
    if status == "warn":
        assert (check.subject, check.value, check.threshold) == ("new", 49, 50)


def test_one_treatment_that_cannot_be_compared_keeps_all_from_being_mined():
    checks = [Check("matched_sample", "pass", "new"), Check("matched_sample", "fail", "newer")]
    assert judge(checks).mining is False


def test_a_cap_that_cuts_many_units_warns_by_metric():
    check = one(checked(profile=profiled(caps={"minutes": applied_cap(0.02)}))[0], "cap")
    assert (check.status, check.subject, check.value, check.details["cap"]) == ("warn", "minutes", 0.02, 60.0)


def screened(column, **statement):
    users = healthy_users().assign(extra=column)
    return checked(stated(**statement), users=users, profile=profiled((*FEATURES, "extra")))


def mostly(value, rest, exceptions):
    column = np.full(N, value, dtype=object if isinstance(value, str) else float)
    column[:exceptions] = rest
    return pd.Categorical(column) if isinstance(value, str) else column


SHUFFLED = np.random.default_rng(3).permutation(N)


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        (np.full(N, 7.0), "constant_feature"),
        (np.full(N, np.nan), "constant_feature"),
        (mostly(0.0, 1.0, 3), "constant_feature"),
        (mostly(0.0, 1.0, 5), None),
        (mostly(np.nan, 1.0, 3), "constant_feature"),
        (mostly("a", "b", 3), "constant_feature"),
        (mostly("a", "b", 5), None),
        (pd.Categorical([None] * N, categories=["a"]), "constant_feature"),
        (pd.Categorical([f"u{i}" for i in range(N)]), "id_like_feature"),
        (pd.array([f"u{i}" for i in range(N)]), "id_like_feature"),
        (pd.Categorical([f"u{i % 1001}" for i in range(N)]), "high_cardinality"),
        (pd.Categorical([f"u{i % 1000}" for i in range(N)]), None),
        (SHUFFLED + 10_000, "id_like_feature"),
        ((SHUFFLED + 10_000).astype("float32"), "id_like_feature"),
        (SHUFFLED // 2, None),
        (SHUFFLED + 0.5, None),
        (SHUFFLED % 2 == 0, None),
    ],
)
def test_features_that_cannot_carry_a_rule_are_left_out_with_their_reason(column, reason):
    checks, screening = screened(column)
    assert screening.dropped.get("extra") == reason
    assert ("extra" in screening.used) == (reason is None)
    if reason:
        check = one(checks, reason, "extra")
        assert check.status == "warn"
        assert check.value > check.threshold
        assert judge(checks).status == "valid"


def test_a_sensitive_feature_is_left_out_unexamined():
    checks, screening = checked()
    assert screening.dropped == {"gender": "sensitive_feature"}
    assert one(checks, "sensitive_feature").subject == "gender"


def test_values_missing_more_often_in_one_arm_drop_the_feature_and_warn():
    users = healthy_users()
    new = (users["arm"] == "new").to_numpy()
    rng = np.random.default_rng(5)
    alike = np.where(rng.random(N) < 0.2, np.nan, rng.normal(size=N))
    caused = np.where(rng.random(N) < np.where(new, 0.28, 0.2), np.nan, rng.normal(size=N))
    assert "extra" in screened(alike)[1].used
    checks, screening = screened(caused)
    assert screening.dropped["extra"] == "missing_feature_by_arm"
    check = one(checks, "missing_feature_by_arm")
    welch = stats.ttest_ind(np.isnan(caused)[new], np.isnan(caused)[~new], equal_var=False).statistic
    assert check.value == pytest.approx(2 * stats.norm.sf(abs(welch)), rel=1e-9)
    assert check.details["missing"]["new"] == np.isnan(caused)[new].sum()
    assert judge(checks).status == "warning"


def test_an_experiment_without_a_usable_feature_is_not_mined():
    checks, screening = checked(profile=profiled(("gender",)))
    assert screening.used == ()
    assert one(checks, "no_feature_left").status == "fail"
    verdict = judge(checks)
    assert (verdict.status, verdict.mining, verdict.reason) == ("warning", False, "no_feature_left")


def test_whoever_was_not_randomised_is_not_held_to_random_arms():
    flow = waterfall({"control": 3000, "new": 1000}, immature={"control": 10, "new": 500})
    profile = profiled(transitions={"control": {"new": 60}})
    column = np.where(healthy_users()["arm"] == "new", np.nan, SHUFFLED + 0.5)
    users = healthy_users().assign(extra=column)
    randomised, _ = checked(users=users, flow=flow, profile=profile)
    observed, screening = checked(
        stated(randomized=False),
        users=users,
        flow=flow,
        profile=profiled((*FEATURES, "extra"), transitions=profile["transitions"]),
    )
    tested_counts = {"sample_ratio", "sample_ratio_analysed", "contamination_symmetry"}
    tested_arms = {"missing_feature_by_arm", "missing_outcome_by_arm", "feature_differs_by_arm", "arm_predictable"}
    assert {check.code for check in randomised if check.status == "fail"} == tested_counts
    without = tested_counts | tested_arms | MATCHING | {"overlapping_experiments"}
    assert {check.code for check in observed} == set(CODES) - without
    assert "extra" in screening.used


def test_randomised_clusters_are_counted_instead_of_their_units():
    users = healthy_users()
    sizes = np.where(users["arm"] == "new", 8, 4)  # arms of 250 and 500 clusters
    position = users.groupby("arm", observed=True).cumcount()
    users["cluster"] = users["arm"].astype(str) + (position // sizes).astype(str)
    checks, _ = checked(stated(cluster="team"), users=users, flow=waterfall({"control": 2000, "new": 2600}))
    check = one(checks, "sample_ratio")
    assert check.details["counted"] == "clusters"
    assert check.details["observed"] == {"control": 500, "new": 250}
    assert check.value == pytest.approx(stats.chisquare([500, 250]).pvalue, rel=1e-9)
    assert {"sample_ratio_analysed", "contamination_symmetry"}.isdisjoint({check.code for check in checks})


def test_three_arms_are_each_compared_with_the_control():
    arms = ("control", "new", "newer")
    users = healthy_users(n=6000, arms=arms)
    users["pre__minutes"] += 3 * (users["arm"] == "newer")
    experiment = stated(treatments=["new", "newer"], shares={"control": 0.5, "new": 0.3, "newer": 0.2})
    first = {"control": 5010, "new": 2990, "newer": 2000}
    checks, _ = checked(experiment, users=users, flow=waterfall(first))
    ratio = one(checks, "sample_ratio")
    assert ratio.value == pytest.approx(stats.chisquare(list(first.values()), [5000, 3000, 2000]).pvalue, rel=1e-9)
    p_values = one(checks, "pre_period", "minutes").details["p_values"]
    assert p_values["newer"] < 0.001 < p_values["new"]
    assert one(checks, "arm_size").details["units"] == dict.fromkeys(arms, 2000)


def test_an_invalid_experiment_is_mined_all_the_same_and_names_its_first_failure():
    checks, _ = checked(flow=waterfall({"control": 2000, "new": 2600}))
    verdict = judge(checks)
    assert (verdict.status, verdict.mining, verdict.reason) == ("invalid", True, "sample_ratio")


@pytest.mark.parametrize("code", CODES)
def test_a_failure_is_invalid_exactly_where_trust_is_at_stake(code):
    verdict = judge([Check(code, "fail")])
    assert (verdict.status == "invalid") == (code in TRUST)
    assert verdict.mining == (code not in STOPS - {"arm_size"})
    assert judge([Check(code, "warn")]).status == ("valid" if code in HOUSEKEEPING else "warning")
    assert judge([Check(code, "warn")]).mining == (code != "arm_size")
    assert judge([Check(code, "pass")]) == judge([])


def test_a_bound_is_crossed_beyond_it_and_not_at_it():
    assert grade("maturity", 0.2, warn=0.2, fail=0.5).status == "pass"
    assert grade("maturity", 0.5, warn=0.2, fail=0.5).status == "warn"
    assert grade("maturity", 0.51, warn=0.2, fail=0.5).threshold == 0.5
    assert grade("sample_ratio", 0.001, warn=0.01, fail=0.001, lower_is_worse=True).status == "warn"


def test_other_thresholds_change_what_warns():
    assert one(checked(stated(thresholds={"units_per_arm": 2001}))[0], "arm_size").status == "warn"


def test_the_stage_writes_checks_features_items_and_verdict(tmp_path):
    experiment = stated()
    run, prepared = prepared_run(tmp_path, experiment, healthy_users(), waterfall(EVEN), profiled())
    result = run_stage(MINE, "validate", run=run, inputs=[prepared])
    outputs = read_outputs(run, result)
    assert result.items == outputs["items"] == ["t_lightgbm", "t_xgboost"]
    assert outputs["features"] == {"used": ["city", "tenure", "vip"], "dropped": {"gender": "sensitive_feature"}}
    assert outputs["verdict"] == {"status": "valid", "mining": True, "reason": None}
    assert {check["code"] for check in outputs["checks"]} == set(CODES) - MATCHING


def test_the_stage_maps_over_nothing_when_mining_makes_no_sense(tmp_path):
    users = healthy_users(n=1000)
    run, prepared = prepared_run(tmp_path, stated(), users, waterfall({"control": 500, "new": 500}), profiled())
    result = run_stage(MINE, "validate", run=run, inputs=[prepared])
    assert result.items == []
    assert read_outputs(run, result)["verdict"] == {"status": "warning", "mining": False, "reason": "arm_size"}
