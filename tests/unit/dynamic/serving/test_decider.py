"""Decisions about one and about many requests, and the reasons that are given for them."""

import numpy as np
import pandas as pd
import pytest

from causal_tasks.dynamic.decision import DynamicDecision
from causal_tasks.dynamic.lookup import Lookup
from causal_tasks.dynamic.serving.decider import Decider
from causal_tasks.errors import InputError
from tests.unit.dynamic.serving.published_feed import (
    FEED,
    as_requests,
    fitted_interest,
    random_request,
    scores,
)

BUCKETS = tuple(FEED.treatments.values())
NEVER = float("inf")


class StatedInterest:
    """Predicts what it is told."""

    def __init__(self, values):
        self.values = np.asarray(values, float)

    def predict(self, requests):
        return np.resize(self.values, (len(requests), 2))


def lookup_of(preference, allowed):
    """Of users 0, 1, … without a file."""
    from causal_tasks.dynamic.lookup import _hashes

    hashes = _hashes(range(len(preference)))
    order = np.argsort(hashes)
    return Lookup(FEED.arms, hashes[order], np.asarray(preference, np.float32)[order], np.asarray(allowed, bool)[order])


def decider(preference, allowed, interest=None, **decision):
    decision = {"thresholds": (1.0, 1.0)} | decision
    return Decider(FEED, lookup_of(preference, allowed), interest, DynamicDecision(FEED.arms, BUCKETS, **decision))


def bodies(count, seed=1):
    generator = np.random.default_rng(seed)
    return pd.DataFrame([random_request(generator) for _ in range(count)])


def ask(decides, asked):
    return decides.decide(asked["user_id"].tolist(), as_requests(asked), asked["request_id"].tolist())


def test_the_reason_says_what_decided():
    preference = [[10, 12, 11], [10, 10, 10], [10, 20, 10], [10, 20, 15]]
    allowed = [[True, True], [True, True], [False, True], [False, True]]
    asked = bodies(5).assign(user_id=["0", "1", "2", "3", "stranger"])
    found = ask(decider(preference, allowed, StatedInterest([1, 1])), asked)
    assert found.decided.tolist() == [1, 0, 0, 2, 0]
    assert found.reason.tolist() == ["gain", "no_gain", "guarded", "gain", "unknown_user"]
    np.testing.assert_allclose(found.gains[:4], [[1, 0], [-1, -1], [9, -1], [9, 4]])
    assert np.isnan(found.gains[4]).all()
    assert np.isnan(found.interest[4]).all()


def test_interest_multiplies_the_treatment_alone():
    found = ask(decider([[10, 12, 11]], [[True, True]], StatedInterest([0.5, 2])), bodies(1).assign(user_id="0"))
    np.testing.assert_allclose(found.gains, [[0.5 * 12 - 10 - 1, 2 * 11 - 10 - 1]])
    assert found.decided.tolist() == [2]


def test_a_decision_that_never_treats_says_so():
    found = ask(
        decider([[10, 99, 99]], [[True, True]], thresholds=(NEVER, NEVER)), bodies(2).assign(user_id=["0", "stranger"])
    )
    assert found.reason.tolist() == ["never", "unknown_user"]
    assert found.decided.tolist() == [0, 0]
    assert found.interest is None


def test_strangers_are_explored_as_all_are():
    asked = bodies(4_000).assign(user_id="stranger")
    asked["request_id"] = [f"request {number}" for number in range(len(asked))]
    found = ask(decider([[10, 12, 11]], [[True, True]], exploration=0.3), asked)
    assert (found.decided == 0).all()
    shares = np.bincount(found.arm, minlength=3) / len(asked)
    # Standard errors are about 0.005.
    np.testing.assert_allclose(shares, [0.8, 0.1, 0.1], atol=0.02)
    np.testing.assert_allclose(found.propensity, np.where(found.arm == 0, 0.8, 0.1))


def test_one_request_is_decided_as_among_many():
    preference, allowed = scores()
    asked = bodies(120)
    decides = decider(preference, allowed, fitted_interest(), exploration=0.2)
    together = ask(decides, asked)
    assert set(together.reason) >= {"gain", "no_gain", "unknown_user"}
    for place in range(len(asked)):
        alone = ask(decides, asked.iloc[[place]])
        assert (alone.arm[0], alone.decided[0], alone.reason[0]) == (
            together.arm[place],
            together.decided[place],
            together.reason[place],
        )
        assert alone.propensity[0] == together.propensity[place]
        np.testing.assert_allclose(alone.gains[0], together.gains[place], rtol=1e-12, atol=1e-10)
        np.testing.assert_allclose(alone.interest[0], together.interest[place], rtol=1e-12)


def test_a_batch_agrees_with_the_parts_it_is_made_of():
    """Without the decider: scores by position, the model's own predictions, the decision itself."""
    preference, allowed = scores()
    asked = bodies(300).assign(user_id=lambda frame: [str(number) for number in range(len(frame))])
    decides = decider(preference, allowed, fitted_interest())
    interest = fitted_interest().predict(as_requests(asked))
    found = ask(decides, asked)
    gains = interest * preference[:300, 1:].astype(float) - preference[:300, :1] - 1
    np.testing.assert_allclose(found.gains, gains, rtol=1e-9, atol=1e-9)
    best = np.where(allowed[:300], gains, -np.inf)
    np.testing.assert_array_equal(found.decided, np.where(best.max(1) > 0, best.argmax(1) + 1, 0))


def test_scores_of_other_arms_are_refused():
    lookup = Lookup(("control", "other", "more_short"), np.empty(0, np.uint64), np.empty((0, 3)), np.empty((0, 2)))
    with pytest.raises(InputError, match="the lookup has arms"):
        Decider(FEED, lookup, None, DynamicDecision(FEED.arms, BUCKETS, (1.0, 1.0)))
    with pytest.raises(InputError, match="the decision has arms"):
        Decider(FEED, lookup_of([[0, 0, 0]], [[True, True]]), None, DynamicDecision(("a", "b"), ("long",), (1.0,)))


def test_a_rehearsal_finds_a_model_that_predicts_for_other_treatments():
    class OtherInterest:
        def predict(self, requests):
            return np.ones((len(requests), 3))

    with pytest.raises(InputError, match="interest has 3 columns"):
        decider([[0, 0, 0]], [[True, True]], OtherInterest()).rehearse()
    decider([[0, 0, 0]], [[True, True]], fitted_interest()).rehearse()
