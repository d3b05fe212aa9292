"""Policies of a day on planted requests: chosen on some users, told of others."""

import json
import math

import numpy as np
import pytest

from causal_tasks.dynamic.day_policies import (
    BEST_ARM,
    CONTROL,
    DYNAMIC,
    INTEREST,
    PREFERENCE,
    ChosenPolicies,
    by_treatment,
    compared,
    decision_of,
    told_differences,
    told_drift,
    told_policies,
    told_thresholds,
)
from causal_tasks.dynamic.decision import NEVER
from causal_tasks.dynamic.periods import CHOOSE, MEASURE
from tests.unit.dynamic.feed_tables import SmallLake
from tests.unit.dynamic.logs import planted_log


@pytest.fixture(scope="module")
def feed(tmp_path_factory):
    return SmallLake(tmp_path_factory.mktemp("feed")).feed()


@pytest.fixture(scope="module")
def planted(feed):
    log, expected = planted_log()
    chosen = ChosenPolicies.of(log.of(CHOOSE), feed)
    measuring = log.of(MEASURE)
    decided = chosen.decided(measuring)
    truth = expected[np.isin(log.bucket, list(MEASURE))]
    return chosen, measuring, decided, truth, compared(measuring, decided, feed)


def true_value(decided, truth):
    return truth[np.arange(len(truth)), decided].mean()


def test_values_are_those_that_the_plan_says(planted):
    _, _, decided, truth, found = planted
    for name, value in found.values.items():
        low, high = value.value.interval
        margin = (high - low) / 2
        assert low - margin < true_value(decided[name], truth) < high + margin, name


def test_interest_and_preference_together_are_worth_more_than_each_alone(planted):
    _, _, _, _, found = planted
    differences = told_differences(found)
    assert set(differences) == {
        *(f"{DYNAMIC}_vs_{other}" for other in (PREFERENCE, INTEREST, BEST_ARM, CONTROL)),
        *(f"{name}_vs_{CONTROL}" for name in (PREFERENCE, INTEREST, BEST_ARM)),
    }
    for other in (PREFERENCE, INTEREST, CONTROL):
        assert differences[f"{DYNAMIC}_vs_{other}"]["interval"][0] > 0, other


def test_a_difference_relative_to_control_is_that_divided_by_its_value(planted):
    _, _, _, _, found = planted
    difference = told_differences(found)["dynamic_vs_control"]
    control = found.values[CONTROL].value.estimate
    assert difference["relative"]["estimate"] == pytest.approx(difference["estimate"] / control)
    ratio = found.values[DYNAMIC].value.estimate / control - 1
    assert difference["relative"]["interval"][0] < ratio < difference["relative"]["interval"][1]


def test_nothing_is_told_relative_to_a_control_that_may_bring_nothing(feed):
    log, _ = planted_log(800)
    reward = log.reward - log.reward.mean()
    centred = type(log)(**{name: getattr(log, name) for name in log.__dataclass_fields__} | {"reward": reward})
    decided = {DYNAMIC: np.ones(800, dtype=np.intp), CONTROL: np.zeros(800, dtype=np.intp)}
    assert told_differences(compared(centred, decided, feed))["dynamic_vs_control"]["relative"] is None


def test_what_is_told_of_policies_and_thresholds_is_json_and_adds_up(planted, feed):
    chosen, measuring, decided, _, found = planted
    told = json.loads(json.dumps(told_policies(found, decided, chosen), allow_nan=False))
    assert all(sum(policy["shares"].values()) == pytest.approx(1) for policy in told.values())
    assert told[BEST_ARM]["shares"][told[BEST_ARM]["arm"]] == 1
    thresholds = json.loads(json.dumps(told_thresholds(chosen, measuring), allow_nan=False))
    assert thresholds["switched_share"] == {arm: pytest.approx(told[DYNAMIC]["shares"][arm]) for arm in feed.treatments}
    for treatment, xi in thresholds["chosen"].items():
        (row,) = [row for row in thresholds["curve"] if (row["treatment"], row["xi"]) == (treatment, xi)]
        assert row["value"] == pytest.approx(told[DYNAMIC]["value"]["estimate"])


def test_without_requests_preference_alone_is_the_dynamic_policy(feed):
    log, _ = planted_log(2000, interest=False)
    chosen = ChosenPolicies.of(log, feed)
    assert set(chosen.decided(log)) == {DYNAMIC, BEST_ARM, CONTROL}


def test_where_treatments_bring_nothing_an_interval_below_zero_is_rare(feed):
    above = 0
    for seed in range(40):
        log, _ = planted_log(1600, seed=seed, effect=0.0)
        chosen = ChosenPolicies.of(log.of(CHOOSE), feed)
        measuring = log.of(MEASURE)
        found = compared(measuring, chosen.decided(measuring), feed)
        above += found.difference(DYNAMIC).interval[0] > 0
    assert above <= 4, "2.5 % are expected, whatever thresholds were chosen on other users"


def test_drift_is_told_by_segment_and_monday(planted, feed):
    chosen, measuring, _, _, _ = planted
    told = json.loads(json.dumps(told_drift(chosen, measuring), allow_nan=False))
    weeks = ("2026-10-05", "2026-10-12", "2026-10-19")
    assert [(row["segment"], row["week"]) for row in told["rows"]] == [(s, w) for s in ("high", "low") for w in weeks]
    assert told["alarms"] == 0
    assert told["deployed"] == by_treatment(feed, chosen.decisions[DYNAMIC].thresholds)
    assert told["cells"] == sum(row["difference"] is not None for row in told["rows"])


def test_a_treatment_that_is_never_used_is_null_in_json_and_infinite_in_the_decision(feed):
    assert by_treatment(feed, (1.5, NEVER)) == {"more_long": 1.5, "more_short": None}
    decision = decision_of(feed, (1.5, NEVER), 0.5, exploration=0.0)
    assert math.isinf(decision.thresholds[1])
    assert decision.decide([[1.0, 1.0, 9.0]], None).tolist() == [0]
