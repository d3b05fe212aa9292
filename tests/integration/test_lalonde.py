"""Real comparisons with a known answer: job training against an experiment, infant care against simulated truth."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.observational import CONTROLS, compare_with_survey, experiment, realisations


@pytest.fixture(scope="module")
def lalonde(test_data):
    return pd.read_csv(test_data / "lalonde.csv.gz")


@pytest.fixture(scope="module")
def answers(lalonde):
    return {
        (controls, answer.method): answer
        for controls in CONTROLS
        for answer in compare_with_survey(lalonde, controls, seed=0)
    }


def covers(effect, truth):
    return effect.interval[0] <= truth <= effect.interval[1]


def test_the_experiment_and_the_raw_comparisons_are_the_published_ones(lalonde, answers):
    """Dehejia and Wahba (1999): 1,794 by the experiment, -8,498 against CPS and -15,205 against PSID."""
    assert (round(experiment(lalonde).estimate), round(experiment(lalonde).standard_error)) == (1794, 671)
    assert round(answers["cps_controls", "not matched"].effect.estimate) == -8498
    assert round(answers["psid_controls", "not matched"].effect.estimate) == -15205


@pytest.mark.parametrize("method", ["20 buckets", "100 buckets", "nearest"])
@pytest.mark.parametrize("controls", CONTROLS)
def test_matching_removes_most_of_the_bias(lalonde, answers, controls, method):
    truth = experiment(lalonde).estimate
    raw = abs(answers[controls, "not matched"].effect.estimate - truth)
    answer = answers[controls, method]
    assert abs(answer.effect.estimate - truth) < 0.25 * raw
    assert abs(answer.did.estimate - truth) < 0.25 * raw


@pytest.mark.parametrize("controls", CONTROLS)
def test_the_intervals_of_twenty_buckets_hold_the_experiments_answer(lalonde, answers, controls):
    truth = experiment(lalonde).estimate
    assert covers(answers[controls, "20 buckets"].effect, truth)
    assert covers(answers[controls, "20 buckets"].did, truth)
    assert not covers(answers[controls, "not matched"].effect, truth)


def test_of_the_larger_survey_the_matched_change_is_off_by_less_than_its_error(lalonde, answers):
    did = answers["cps_controls", "20 buckets"].did
    assert abs(did.estimate - experiment(lalonde).estimate) < did.standard_error < 1000


def test_doubly_robust_effects_are_near_the_truth_of_every_realisation(test_data):
    """Errors are held against each realisation's own spread: that of the ninth is thirty times the first one's."""
    found = list(realisations(pd.read_csv(test_data / "ihdp_npci_1_10.csv.gz")))
    errors = np.array([one.estimate.estimate - one.truth for one in found])
    spreads = np.array([one.spread for one in found])
    assert len(found) == 10
    assert np.mean(np.abs(errors) / spreads) < 0.15
    assert np.max(np.abs(errors) / spreads) < 0.6
    assert sum(one.estimate.interval[0] <= one.truth <= one.estimate.interval[1] for one in found) >= 9
    large = spreads > 5
    plain = np.array([one.plain - one.truth for one in found])
    assert (np.abs(errors[large]) < np.abs(plain[large])).all()
