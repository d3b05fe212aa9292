"""When predictions contradict the experiment."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from causal_tasks.effects import difference_in_means
from causal_tasks.evaluation.estimate import Estimate
from causal_tasks.uplift import OutOfFold
from causal_tasks.uplift.stages.guards import Guard, guards
from causal_tasks.uplift.stages.users import Users
from tests.unit.uplift.learning_runs import statement

MEASURED = difference_in_means([0.0, 0.2, 1.8, 2.0] * 100, [0, 0, 1, 1] * 100, level=0.999)
SOUND = Guard(spread=1.0, mean=1.8, measured=MEASURED, slope=Estimate.of(0.9, 0.2, level=0.999), treatment_used=True)


def faults(randomized=True, **changes):
    return list(replace(SOUND, **changes).faults(randomized=randomized))


def test_a_sound_model_has_no_fault():
    assert faults() == []


@pytest.mark.parametrize(("mean", "agrees"), [(1.8, True), (1.4, True), (2.2, True), (1.3, False), (-1.8, False)])
def test_a_mean_may_be_off_by_a_quarter_of_the_effect(mean, agrees):
    low, high = MEASURED.interval
    assert 1.7 < low < 1.8 < high < 1.9
    assert replace(SOUND, mean=mean).agrees == agrees
    assert len(faults(mean=mean)) == (not agrees)


def test_the_mean_of_a_model_of_matched_users_is_no_fault():
    assert faults(randomized=False, mean=9.0) == []


@pytest.mark.parametrize(("slope", "count"), [(-1.0, 1), (-0.5, 0), (0.0, 0), (1.0, 0)])
def test_a_ranking_is_wrong_where_its_slope_is_negative_beyond_chance(slope, count):
    found = faults(slope=Estimate.of(slope, 0.2, level=0.999))
    assert len(found) == count
    assert all("wrong way round (slope -1)" in fault for fault in found)


def test_every_fault_is_told():
    told = faults(treatment_used=False, mean=-3.0, slope=Estimate.of(-4.0, 0.5, level=0.999))
    assert [fault.split()[0] for fault in told] == ["the", "its", "it"]


def guarded(outcome, arm, fold, uplift):
    """The guard of these out-of-fold predictions."""
    discovery = np.ones(len(arm), dtype=bool)
    users = Users(pd.DataFrame({"fold": fold}), outcome, arm, discovery, statement())
    means = pd.DataFrame({"off": np.zeros(len(arm)), "on": uplift})
    return guards("learner", users, means[["on"]], means, OutOfFold(means, {}))["on"]


def test_what_folds_differ_in_by_chance_is_no_ranking():
    """The model of a fold with a large effect has seen only the smaller ones of the others."""
    random = np.random.default_rng(0)
    fold, arm, gains = np.arange(2_000) % 5, random.integers(0, 2, 2_000), random.integers(0, 2, 2_000)
    effect = 1.0 + 0.5 * fold
    outcome = arm * (effect + 0.3 * gains) + 0.3 * random.normal(size=2_000)
    elsewhere = (effect.mean() - 0.2 * effect) / 0.8
    guard = guarded(outcome, arm, fold, elsewhere + 0.15 + 0.3 * (gains - 0.5))
    assert guard.slope.estimate == pytest.approx(1.0, abs=0.3)
    assert list(guard.faults(randomized=True)) == []


def test_the_error_of_a_slope_is_that_of_cross_fitted_predictions():
    """Where there is nothing to find, linear effects of five features: their slopes scatter as their errors say."""
    random = np.random.default_rng(0)
    ratios = []
    for _ in range(150):
        X, arm, fold = random.normal(size=(500, 5)), random.integers(0, 2, 500), np.arange(500) % 5
        outcome = random.normal(size=500)
        uplift = np.empty(500)
        for number in range(5):
            seen = fold != number
            score = (4 * (arm - 0.5) * outcome)[seen]
            uplift[~seen] = X[~seen] @ np.linalg.lstsq(X[seen], score, rcond=None)[0]
        slope = guarded(outcome, arm, fold, uplift).slope
        ratios.append(slope.estimate / slope.standard_error)
    assert np.std(ratios) == pytest.approx(1.0, abs=0.15)
