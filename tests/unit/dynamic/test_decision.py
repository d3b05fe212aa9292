"""The decision of a request: its rule written out, exploration with the probability that it says, JSON and faults."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from causal_tasks.dynamic import DynamicDecision
from causal_tasks.dynamic.decision import NEVER
from causal_tasks.errors import InputError
from causal_tasks.feed import DurationBuckets

ARMS = ("control", "more_long", "more_short")


def decision(thresholds=(0.0, 0.0), **options):
    return DynamicDecision(ARMS, ("long", "short"), tuple(thresholds), **options)


PREFERENCE = np.array([[10.0, 12.0, 11.0], [10.0, 9.0, 9.5], [10.0, 12.0, 11.0]])


def test_gains_are_interest_times_preference_less_control_less_threshold():
    interest = np.array([[1.0, 1.0], [1.0, 1.2], [0.5, 1.0]])
    found = decision((1.0, 0.5)).gains(PREFERENCE, interest)
    np.testing.assert_allclose(found, [[1.0, 0.5], [-2.0, 0.9], [-5.0, 0.5]])


def test_a_weight_pulls_interest_toward_one_and_none_of_it_is_preference_alone():
    interest = np.array([[1.0, 1.0], [1.0, 1.2], [0.5, 1.0]])
    found = decision((1.0, 0.5), interest_weight=0.5).gains(PREFERENCE, interest)
    np.testing.assert_allclose(found, [[1.0, 0.5], [-2.0, -0.05], [-2.0, 0.5]])
    alone = decision((1.0, 0.5)).gains(PREFERENCE, None)
    np.testing.assert_array_equal(decision((1.0, 0.5), interest_weight=0.0).gains(PREFERENCE, interest), alone)


@pytest.mark.parametrize("weight", [-0.1, 1.5, math.nan])
def test_a_weight_that_is_no_share_is_refused(weight):
    with pytest.raises(InputError, match="interest_weight is"):
        decision(interest_weight=weight)


@pytest.mark.parametrize(
    ("thresholds", "interest", "allowed", "expected"),
    [
        ((0.0, 0.0), None, None, [1, 0, 1]),
        ((1.5, 0.0), None, None, [2, 0, 2]),
        ((NEVER, NEVER), None, None, [0, 0, 0]),
        ((0.0, NEVER), None, None, [1, 0, 1]),
        ((1.0, 0.0), None, None, [1, 0, 1]),  # ties go to the first
        ((2.0, 1.0), None, None, [0, 0, 0]),  # a gain of exactly zero is none
        ((0.0, 0.0), [[1.0, 1.0], [1.0, 1.2], [0.5, 1.0]], None, [1, 2, 2]),
        ((0.0, 0.0), None, [[False, True], [True, True], [False, False]], [2, 0, 0]),
    ],
)
def test_decisions_written_out(thresholds, interest, allowed, expected):
    found = decision(thresholds).decide(PREFERENCE, interest, None if allowed is None else np.array(allowed))
    assert found.tolist() == expected
    assert found.dtype == np.intp


numbers = st.floats(0, 100, width=32)


@given(arrays(np.float32, (6, 3), elements=numbers), arrays(np.float64, (6, 2), elements=st.floats(0, 3)))
def test_a_decision_is_the_best_of_all_arms_for_each_request_by_itself(preference, interest):
    its = decision((0.5, 2.0))
    found = its.decide(preference, interest)
    for at in range(6):
        y, r = preference[at].astype(float), interest[at]
        gains = [0.0, r[0] * y[1] - y[0] - 0.5, r[1] * y[2] - y[0] - 2.0]
        assert found[at] == int(np.argmax(gains))
        assert its.decide(preference[at : at + 1], interest[at : at + 1])[0] == found[at]


IDS = [f"request-{number}" for number in range(60_000)]


class TestExploration:
    def test_arms_are_drawn_as_often_as_is_said(self):
        its, greedy = decision(exploration=0.3), np.arange(60_000) % 3
        given, propensity = its.explore(greedy, IDS)
        for start in range(3):
            rows = greedy == start
            expected = its.propensities([start])[0] * rows.sum()
            counts = np.bincount(given[rows], minlength=3)
            assert stats.chisquare(counts, expected).pvalue > 0.001
        np.testing.assert_array_equal(propensity, its.propensities(greedy)[np.arange(60_000), given])

    def test_the_random_arm_does_not_depend_on_the_decided_one(self):
        greedy = np.zeros(60_000, dtype=int)
        given, _ = decision(exploration=0.3).explore(greedy, IDS)
        other, _ = decision(exploration=0.3).explore(greedy + 1, IDS)
        explored = given != 0
        np.testing.assert_array_equal(other[explored], given[explored])

    def test_a_request_gets_the_same_arm_wherever_it_stands(self):
        greedy = np.zeros(60_000, dtype=int)
        given, _ = decision(exploration=0.2).explore(greedy, IDS)
        again, _ = decision(exploration=0.2).explore(greedy, IDS[::-1])
        np.testing.assert_array_equal(again[::-1], given)

    def test_draws_never_change(self):
        """Another version that hashed otherwise would break the logs of a running feed."""
        given, propensity = decision(exploration=1.0).explore([0] * 12, [f"r{number}" for number in range(12)])
        assert given.tolist() == [2, 1, 1, 0, 0, 1, 2, 0, 2, 2, 1, 1]
        np.testing.assert_allclose(propensity, 1 / 3)
        assert decision(exploration=1.0).explore([0], [7])[0] == decision(exploration=1.0).explore([0], ["7"])[0]

    @pytest.mark.parametrize("arm", [0, 1, 2])
    def test_without_exploration_the_decided_arm_is_certain(self, arm):
        given, propensity = decision().explore([arm] * 5, list("abcde"))
        assert given.tolist() == [arm] * 5
        assert propensity.tolist() == [1.0] * 5

    @given(st.floats(0, 1), st.integers(0, 2))
    def test_probabilities_of_all_arms_sum_to_one(self, exploration, arm):
        assert decision(exploration=exploration).propensities([arm]).sum() == pytest.approx(1)


def test_adjust_raises_the_category_of_the_arm():
    its = decision(stage="reranking", boost=0.5)
    candidates = [30.0, 30.0, 10.0, 90.0]
    assert its.adjust(candidates, 0, DurationBuckets(), 2).tolist() == [0, 1, 2, 3]
    assert its.adjust(candidates, 1, DurationBuckets(), 2).tolist() == [0, 3, 1, 2]
    assert its.adjust(candidates, 2, DurationBuckets(), 2).tolist() == [0, 2, 1, 3]


def test_a_decision_survives_json():
    its = decision((1.5, NEVER), exploration=0.05, stage="ranking", boost=0.3)
    written = json.dumps(its.to_json(), allow_nan=False)
    assert json.loads(written)["thresholds"] == [1.5, None]
    assert DynamicDecision.from_json(json.loads(written)) == its


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"thresholds": [1.0, "high"]}, "ValueError: could not convert"),
        ({"thresholds": [1.0]}, r"thresholds has shape \(1,\)"),
        ({"stage": "later"}, "'later'"),
        ({"exploration": "some"}, "TypeError"),
    ],
)
def test_json_that_is_no_decision_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        DynamicDecision.from_json(decision().to_json() | change)


@pytest.mark.parametrize("stated", [None, [], {"arms": ["control", "a"]}])
def test_json_of_another_kind_is_refused(stated):
    with pytest.raises(InputError, match="decision"):
        DynamicDecision.from_json(stated)


class TestFaults:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"arms": ("control",), "buckets": (), "thresholds": ()}, "arms are"),
            ({"arms": ("control", "more_long", "more_long")}, "arms are"),
            ({"buckets": ("long",)}, "buckets has 1 entries for 2"),
            ({"thresholds": (0.0,)}, "thresholds has shape"),
            ({"thresholds": (0.0, math.nan)}, "nan"),
            ({"thresholds": (0.0, -math.inf)}, "-inf"),
            ({"exploration": 1.5}, "exploration is 1.5"),
            ({"exploration": math.nan}, "exploration is nan"),
            ({"boost": 0.0}, "boost is 0"),
            ({"stage": "later"}, "'later'"),
        ],
    )
    def test_statements(self, change, message):
        stated = {"arms": ARMS, "buckets": ("long", "short"), "thresholds": (0.0, 0.0)} | change
        with pytest.raises(InputError, match=message):
            DynamicDecision(**stated)

    @pytest.mark.parametrize(
        ("preference", "interest", "allowed", "message"),
        [
            ([[1.0, 2.0]], None, None, "preference has 2 columns"),
            ([[1.0, 2.0, np.nan]], None, None, "preference has 1 missing"),
            ([[1.0, 2.0, 3.0]], [[1.0]], None, "interest has 1 columns"),
            ([[1.0, 2.0, 3.0]], [[1.0, np.inf]], None, "interest has 1 missing"),
            ([[1.0, 2.0, 3.0]], [[1.0, 1.0]] * 2, None, "interest has 2 rows, preference 1"),
            ([[1.0, 2.0, 3.0]], None, np.array([[1, 0]]), "allowed is int"),
            ([[1.0, 2.0, 3.0]], None, np.array([[True]]), "allowed is bool of shape"),
        ],
    )
    def test_numbers(self, preference, interest, allowed, message):
        with pytest.raises(InputError, match=message):
            decision().decide(preference, interest, allowed)

    @pytest.mark.parametrize(("arm", "message"), [([3], "from 3 to 3"), ([-1], "from -1"), ([0.0], "float64")])
    def test_arms(self, arm, message):
        with pytest.raises(InputError, match=message):
            decision().explore(arm, ["a"])

    def test_ids(self):
        with pytest.raises(InputError, match="request_ids has 1 entries for 2"):
            decision().explore([0, 0], ["a"])
