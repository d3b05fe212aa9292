"""When predictions contradict the experiment."""

from dataclasses import replace

import pytest

from causal_tasks.effects import difference_in_means
from causal_tasks.evaluation.estimate import Estimate
from causal_tasks.uplift.stages.guards import Guard

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
