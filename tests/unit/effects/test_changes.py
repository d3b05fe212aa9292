import json
from dataclasses import asdict

import numpy as np
import pytest

from causal_tasks.data.periods import periods
from causal_tasks.effects import difference_in_differences, event_study
from causal_tasks.effects.averages import average_effects
from causal_tasks.effects.changes import changes_over_start, with_changes
from causal_tasks.pipelines import MINE
from causal_tasks.pipelines.execution import run_stage
from tests.unit.data.prepared import EVEN, N, healthy_users, prepared_run, profiled, read_outputs, stated, waterfall

WEEK = {"days": 7, "pre_days": 7}


def daily_users(seed=0, *, gap=0.0, drift=0.0, effect=0.0, arms=("control", "new"), **statement):
    """An experiment and its users, with the sums of windows made from daily values.

    The first treatment is ``gap`` minutes a day above the control, gains ``drift`` a day, and ``effect`` from the start.
    """
    experiment = stated(**{"window": WEEK, "treatments": list(arms[1:]), **statement})
    users = healthy_users(seed, arms=arms)
    rng = np.random.default_rng(seed)
    window = experiment.window
    days = np.arange(-window.pre_days, window.days)
    daily = rng.gamma(2, 5, (N, 1)) + rng.normal(0, 3, (N, len(days)))
    daily += (users["arm"] == arms[1]).to_numpy()[:, None] * (gap + drift * days + effect * (days >= 0))
    for period in periods(experiment):
        users[period.column] = daily[:, (days >= period.first_day) & (days <= period.last_day)].mean(axis=1)
    users["pre__minutes"], users["y__minutes"] = daily[:, days < 0].sum(axis=1), daily[:, days >= 0].sum(axis=1)
    return users, experiment


def changes_of(users, experiment):
    return changes_over_start(users, experiment, periods(experiment))


def as_json(record):
    return json.loads(json.dumps(record.to_dict(), allow_nan=False))


def test_every_metric_but_ratios_has_a_row_for_each_treatment_and_the_primary_one_an_event_study():
    users, experiment = daily_users(
        arms=("control", "new", "newer"),
        metrics=[
            {"name": "minutes", "role": "primary"},
            {"name": "ctr", "numerator": "clicks", "denominator": "views"},
            {"name": "visits"},
        ],
    )
    users["y__visits"], users["pre__visits"] = users["y__minutes"] + 1, users["pre__minutes"]
    found = changes_of(users, experiment)
    assert [(c.metric, c.treatment, c.event_study is not None) for c in found] == [
        ("minutes", "new", True),
        ("minutes", "newer", True),
        ("visits", "new", False),
        ("visits", "newer", False),
    ]
    pair = users[users["arm"] != "new"]
    expected = difference_in_differences(pair["y__minutes"], pair["arm"] == "newer", pair["pre__minutes"])
    assert found[1].effect == expected
    values = np.ascontiguousarray(pair[[period.column for period in periods(experiment)]])
    assert found[1].event_study.to_dict() == event_study(values, pair["arm"] == "newer", before=7).to_dict()


def test_a_longer_pre_window_is_brought_to_the_length_of_the_outcome_window():
    users, experiment = daily_users(gap=4.0, effect=1.0, window={"days": 7, "pre_days": 14})
    (change,) = changes_of(users, experiment)
    assert change.effect.interval[0] < 7 < change.effect.interval[1]
    assert change.effect.notes == ("pre_scaled",)
    expected = difference_in_differences(users["y__minutes"], users["arm"] == "new", users["pre__minutes"] / 2)
    assert change.effect.interval == expected.interval


@pytest.mark.parametrize(("aggregate", "notes"), [("mean", ()), ("last", ()), ("any", ("pre_not_scaled",))])
def test_what_does_not_add_up_over_days_is_not_scaled(aggregate, notes):
    metrics = [{"name": "minutes", "role": "primary", "aggregate": aggregate, "when_missing": "zero"}]
    users, experiment = daily_users(window={"days": 7, "pre_days": 14}, metrics=metrics)
    (change,) = changes_of(users, experiment)
    expected = difference_in_differences(users["y__minutes"], users["arm"] == "new", users["pre__minutes"])
    assert change.effect.interval == expected.interval
    assert change.effect.notes == notes
    assert change.event_study is None


def test_the_event_study_lies_on_the_days_of_its_periods_and_agrees_with_the_effect():
    users, experiment = daily_users(gap=4.0, effect=1.0)
    (change,) = changes_of(users, experiment)
    study = as_json(change)["event_study"]
    assert [(p["first_day"], p["last_day"]) for p in study["periods"]] == [(d, d) for d in range(-7, 7)]
    assert [p["first_day"] for p in study["periods"] if p["reference"]] == [-1]
    estimates = np.array([p["estimate"] for p in study["periods"]])
    assert estimates[7:].sum() - estimates[:7].sum() == pytest.approx(change.effect.estimate, rel=1e-9)


def test_without_a_pre_window_nothing_changed_that_could_be_told():
    users, experiment = daily_users(window={"days": 7, "pre_days": 0})
    assert changes_of(users, experiment) == []


def test_units_without_an_outcome_or_a_pre_window_are_left_out_and_counted():
    users, experiment = daily_users()
    users.loc[:9, "y__minutes"] = np.nan
    users.loc[5:24, ["pre__minutes", "period__3"]] = np.nan
    (change,) = changes_of(users, experiment)
    assert change.effect.notes == ("missing_outcome: 10", "no_pre_window: 15")
    assert change.effect.n_control + change.effect.n_treatment == N - 25
    assert change.event_study.n_control + change.event_study.n_treatment == N - 20


def test_an_arm_without_a_pre_window_has_no_change_and_says_why():
    users, experiment = daily_users()
    users.loc[users["arm"] == "new", ["pre__minutes", "period__0"]] = np.nan
    (change,) = changes_of(users, experiment)
    record = as_json(change)
    assert record["effect"]["estimate"] is None
    assert record["effect"]["notes"] == ["no_pre_window: 2000", "too_few_units"]
    assert record["event_study"] is None
    assert not change.may_be_headline


def test_clusters_count_in_both_and_an_arm_that_is_one_cluster_has_neither():
    users, experiment = daily_users(cluster="team")
    users["cluster"] = np.arange(N) // 40 * 2 + np.arange(N) % 2
    (change,) = changes_of(users, experiment)
    treated = users["arm"] == "new"
    expected = difference_in_differences(users["y__minutes"], treated, users["pre__minutes"], clusters=users["cluster"])
    assert change.effect.interval == expected.interval
    users.loc[treated, "cluster"] = -1
    (change,) = changes_of(users, experiment)
    assert (change.effect.notes, change.event_study) == (("too_few_clusters",), None)


def headline(users, experiment, differed=("minutes",)):
    changes = changes_of(users, experiment)
    (row, _) = with_changes(average_effects(users, experiment), changes, differed=differed)
    return row


def test_arms_that_differed_before_but_ran_in_parallel_are_compared_by_their_changes():
    users, experiment = daily_users(gap=4.0, effect=1.0)
    row = headline(users, experiment)
    assert row["headline"] == "did"
    assert row["effect"]["method"] == "difference_in_differences"
    assert row["effect"]["notes"] == ["did_headline"]
    assert row["effect"]["interval"][0] < 7 < row["effect"]["interval"][1]
    assert row["unadjusted"]["estimate"] > 30
    assert row["effect"] in row["estimates"]


def test_arms_that_did_not_differ_keep_their_headline_and_show_the_change_beside():
    users, experiment = daily_users(effect=1.0)
    row = headline(users, experiment, differed=())
    assert (row["headline"], row["effect"]["notes"]) == ("cuped", [])
    beside = [estimate for estimate in row["estimates"] if estimate["method"] == "difference_in_differences"]
    assert beside == [as_json(changes_of(users, experiment)[0].effect)]


def test_arms_that_ran_apart_before_the_start_are_not_compared_by_their_changes():
    users, experiment = daily_users(gap=4.0, drift=0.4)
    (change,) = changes_of(users, experiment)
    assert change.effect.notes == ("pre_trend",)
    row = headline(users, experiment)
    assert row["headline"] == "cuped"
    assert row["effect"]["notes"][-1] == "did_refused"
    assert row["effect"] in row["estimates"]
    assert row["estimates"][-1]["notes"] == ["pre_trend"]


def test_a_change_that_is_not_defined_is_no_headline():
    users, experiment = daily_users(gap=4.0)
    users.loc[users["arm"] == "new", "pre__minutes"] = np.nan
    row = headline(users, experiment)
    assert row["headline"] == "cuped"
    assert row["effect"]["notes"][-1] == "did_refused"
    assert row["effect"]["estimate"] is not None


def test_a_headline_whose_trends_could_not_be_tested_says_so():
    metrics = [{"name": "minutes", "role": "primary", "aggregate": "mean"}, {"name": "visits"}]
    users, experiment = daily_users(gap=4.0, metrics=metrics)
    users["y__visits"] = users["pre__visits"] = 1.0
    row = headline(users, experiment)
    assert (row["headline"], row["effect"]["notes"]) == ("did", ["did_headline", "pre_trend_untested"])


def run_measure(tmp_path, users, experiment):
    profile = profiled(periods=[asdict(period) for period in periods(experiment)])
    run, prepared = prepared_run(tmp_path, experiment, users, waterfall(EVEN), profile)
    validated = run_stage(MINE, "validate", run=run, inputs=[prepared])
    return read_outputs(run, run_stage(MINE, "measure", run=run, inputs=[prepared, validated.manifest]))


def test_the_stage_headlines_the_change_where_the_check_of_the_pre_window_does_not_pass(tmp_path):
    users, experiment = daily_users(gap=4.0, effect=1.0)
    outputs = run_measure(tmp_path, users, experiment)
    (did,), (minutes, ctr) = outputs["did"], outputs["effects"]
    assert (minutes["headline"], ctr["headline"]) == ("did", "ratio_of_means")
    assert did["effect"] == as_json(changes_of(users, experiment)[0])["effect"]
    assert minutes["effect"] == did["effect"] | {"notes": ["did_headline"]}
    assert did["event_study"]["pre_trend"]["p_value"] > 0.05
    assert did["event_study"]["pre_trend"]["degrees"] == 6


def test_without_randomisation_no_estimate_bears_the_remark_of_a_headline_that_it_is_not(tmp_path):
    users, experiment = daily_users(gap=4.0, effect=1.0, randomized=False)
    users["part"] = np.where(np.arange(N) % 5 < 3, "discovery", "estimation")
    users["fold"] = (np.arange(N) // 5 % 5).astype("int8")
    minutes = run_measure(tmp_path, users, experiment)["effects"][0]
    assert minutes["headline"] == "matching"
    assert {"did_headline", "did_refused"}.isdisjoint(note for e in minutes["estimates"] for note in e["notes"])


def test_the_stage_leaves_a_healthy_experiment_alone(tmp_path):
    outputs = run_measure(tmp_path, *daily_users(1, effect=1.0))
    assert outputs["effects"][0]["headline"] == "cuped"
    assert outputs["did"][0]["effect"]["interval"][0] < 7 < outputs["did"][0]["effect"]["interval"][1]


def test_without_a_pre_window_the_stage_writes_no_change(tmp_path):
    users, experiment = daily_users(window={"days": 7, "pre_days": 0})
    outputs = run_measure(tmp_path, users.drop(columns=["pre__minutes", "prenum__ctr", "preden__ctr"]), experiment)
    assert outputs["did"] == []
    assert outputs["effects"][0]["headline"] == "difference_in_means"
