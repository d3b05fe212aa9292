"""What a user may state, and what is refused with which words."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causal_tasks.errors import InputError, NotReadyError
from causal_tasks.experiment import NOT_SEMANTIC, Experiment, Metric

SHORTEST = {
    "experiment_id": "music_autoplay",
    "control": "control",
    "treatments": ["treatment"],
    "window": {"days": 7},
    "metrics": [{"name": "play_minutes", "role": "primary"}],
}


def stated(**changes):
    return Experiment.parse(SHORTEST | changes, source="test")


def test_the_shortest_statement_is_enough():
    experiment = stated()
    assert experiment.run_id == "music_autoplay.r1"
    assert experiment.arms == ("control", "treatment")
    assert experiment.expected_shares == {"control": 0.5, "treatment": 0.5}
    assert experiment.primary.fill == "zero"


@pytest.mark.parametrize("bad", ["", "../other", "a/b", "a..b", ".hidden", "a b", "x" * 65, "名字", "a\n"])
def test_an_id_that_could_leave_its_folder_is_refused(bad):
    with pytest.raises(InputError, match="is no id"):
        stated(experiment_id=bad)


FOLLOWS = {
    "experiment_id": "first",
    "revision": 1,
    "rule": "s1",
    "treatment": "treatment",
    "kind": "positive",
    "predicted": {"estimate": 2.0, "interval": [1.0, 3.0]},
}
YOUNG = {"all": [{"feature": "age", "op": "<=", "value": 30}]}


def test_a_follow_up_states_the_finding_that_it_follows():
    follows = stated(eligible=YOUNG, follows=FOLLOWS).follows
    assert (follows.rule, follows.predicted.interval) == ("s1", (1.0, 3.0))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"eligible": None}, "eligible must state whom the rule covers"),
        ({"follows": FOLLOWS | {"treatment": "other"}}, "'other' is none of the treatments"),
        ({"follows": FOLLOWS | {"kind": "negative"}}, "kind 'negative' does not fit a predicted effect of 2"),
        ({"metrics": [{"name": "waits", "role": "primary", "direction": "down"}]}, "of which less is better"),
        ({"follows": FOLLOWS | {"predicted": {"estimate": 0, "interval": [-1, 1]}}}, "claims no direction"),
        ({"follows": FOLLOWS | {"predicted": {"estimate": 1, "interval": [3, 1]}}}, "ends before it begins"),
        ({"follows": FOLLOWS | {"predicted": {"estimate": float("nan"), "interval": [0, 1]}}}, "finite number"),
    ],
)
def test_a_follow_up_that_claims_nothing_clear_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        stated(**({"eligible": YOUNG, "follows": FOLLOWS} | changes))


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", fullmatch=True))
def test_every_plain_name_is_an_id(name):
    assert stated(experiment_id=name).experiment_id == name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"treatments": ["control"]}, "repeat a label"),
        ({"treatments": []}, "treatments"),
        ({"shares": {"control": 0.5, "treatment": 0.6}}, "together 1"),
        ({"shares": {"control": 1.0}}, "positive share"),
        ({"metrics": [{"name": "a"}]}, "exactly one metric"),
        ({"metrics": [{"name": "a", "role": "primary"}, {"name": "a"}]}, "repeat a name"),
        ({"metrics": [{"name": "r", "role": "primary", "numerator": "x"}]}, "both numerator and denominator"),
        ({"metrics": [{"name": "a", "role": "primary", "cap": {}}]}, "either a quantile or a value"),
        ({"window": {}}, "window.days"),
        ({"window": {"days": 7, "timezone": "Mars/Olympus"}}, "no time zone"),
        ({"status": "finished"}, "needs ended_at"),
        ({"started_at": "2026-09-01T00:00:00"}, "timezone"),
        ({"started_at": "2026-09-02T00:00:00Z", "ended_at": "2026-09-01T00:00:00Z"}, "not before"),
        ({"mining": {"costs": {"nobody": 1}}}, "unknown arms"),
        ({"mining": {"candidates": ["../../elsewhere"]}}, "mining.candidates.0: '../../elsewhere' is no id"),
        ({"mining": {"candidates": ["t_lightgbm", "t_lightgbm"]}}, "candidates .* repeat a name"),
        ({"colour": "red"}, "colour: Extra inputs"),
        ({"metrics": [{"name": "drop table; --", "role": "primary"}]}, "metrics.0.name"),
    ],
)
def test_a_wrong_statement_is_refused_with_the_field_and_the_reason(changes, message):
    with pytest.raises(InputError, match=message) as caught:
        stated(**changes)
    assert caught.value.remedy


def test_every_mistake_is_named_at_once():
    with pytest.raises(InputError) as caught:
        stated(window={}, metrics=[{"name": "a", "role": "boss"}], revision=0)
    for place in ("window.days: ", "metrics.0.role: ", "revision: "):
        assert place in caught.value.message


def test_something_that_is_no_mapping_is_refused():
    with pytest.raises(InputError, match="experiment"):
        Experiment.parse(["a"], source="file.json")


def test_semantics_leave_out_what_does_not_decide_the_result():
    renamed = stated(
        name="New", owner="me", status="finished", ended_at="2026-09-01T00:00:00Z", delivery={"theme": "intl"}
    )
    assert not NOT_SEMANTIC & set(renamed.semantics())
    assert renamed.semantics() == stated(ended_at="2026-09-01T00:00:00Z").semantics()
    assert stated(window={"days": 8}).semantics() != stated().semantics()


def test_semantics_survive_a_round_trip_through_json():
    experiment = stated(eligible={"all": [{"feature": "age", "op": "<=", "value": 30}]})
    again = Experiment.model_validate_json(experiment.model_dump_json(by_alias=True))
    assert again == experiment


def test_the_business_day_of_the_end_depends_on_the_zone():
    ends = {"ended_at": "2026-09-30T20:00:00Z"}
    assert stated(**ends).ended_on == date(2026, 10, 1)
    assert stated(**ends, window={"days": 7, "timezone": "UTC"}).ended_on == date(2026, 9, 30)


def test_an_experiment_without_an_end_has_no_last_day():
    with pytest.raises(NotReadyError, match="no ended_at"):
        _ = stated().ended_on


def test_late_data_settles_after_the_stated_hours():
    experiment = stated(status="finished", ended_at="2026-09-30T00:00:00Z", settle_hours=5)
    assert experiment.ready_at() == datetime(2026, 9, 30, tzinfo=UTC) + timedelta(hours=5)
    assert stated(ended_at="2026-09-30T00:00:00Z").ready_at() is None


def test_benefit_turns_a_metric_of_which_less_is_better():
    values = np.array([1.0, -2.0])
    assert Metric(name="skips", direction="down").benefit(values).tolist() == [-1.0, 2.0]
    assert Metric(name="plays").benefit(values) is values


@pytest.mark.parametrize(("aggregate", "fill"), [("sum", "zero"), ("any", "zero"), ("mean", "drop"), ("last", "drop")])
def test_missing_days_mean_zero_for_totals_and_nothing_for_averages(aggregate, fill):
    assert Metric(name="m", aggregate=aggregate).fill == fill
    assert Metric(name="m", aggregate=aggregate, when_missing="drop").fill == "drop"
