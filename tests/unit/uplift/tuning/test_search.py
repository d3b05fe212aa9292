"""The search as a whole: rungs, folds, resuming."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from causal_tasks.base_models import DesignMatrix, LightGBM, Range
from causal_tasks.errors import InputError
from causal_tasks.evaluation import auuc
from causal_tasks.uplift import TLearner, tune
from causal_tasks.uplift.tuning import halving
from causal_tasks.uplift.tuning.halving import DIVISORS, goes_on
from tests.unit.uplift.tuning.compass import NORTH, Compass, users

TRIALS = 12
LARGE = {"n": 32_000}  # three rungs


@pytest.fixture(autouse=True, scope="module")
def _rungs_of_few_users():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(halving, "SMALLEST_ARM", 1_000)
        yield


def search(learner=None, n=8_000, **arguments):
    return tune(learner or Compass(), **({"trials": TRIALS, "seed": 5, "held_out": [3]} | users(n) | arguments))


@pytest.fixture(scope="module", params=["tpe", "gp"])
def tuning(request, _rungs_of_few_users):
    return request.param, search(**LARGE, sampler=request.param)


def test_the_best_is_nearer_to_the_known_optimum_than_the_default(tuning):
    best = tuning[1].best
    assert best.parameters["angle"] + 0.1 * best.parameters["turns"] == pytest.approx(NORTH, abs=0.25)
    assert best.auuc > tuning[1].trials[0].auuc


def test_trial_0_has_the_learners_own_parameters_and_is_never_given_up(tuning):
    first = tuning[1].trials[0]
    assert first.parameters == {"angle": 0.5, "turns": 0}
    assert first.state == "complete"
    worst = search(Compass(angle=3.0), **LARGE, trials=4)
    assert worst.trials[0].state == "complete"


def test_a_trial_goes_on_only_where_the_rule_says_so(tuning):
    trials = tuning[1].trials
    assert {len(trial.rung_auucs) for trial in trials} >= {1, 3}
    for trial in trials[1:]:
        for rung, score in enumerate(trial.rung_auucs[:2]):
            earlier = [t.rung_auucs[rung] for t in trials[: trial.number] if len(t.rung_auucs) > rung]
            assert (len(trial.rung_auucs) > rung + 1) == goes_on(score, earlier)
        assert (trial.state == "complete") == (len(trial.rung_auucs) == 3)
        assert trial.auuc == (trial.rung_auucs[-1] if trial.state == "complete" else None)


def test_each_rung_has_three_times_the_rows_of_the_one_before(tuning):
    assert tuning[1].rungs == tuple(24_000 // divisor for divisor in DIVISORS)
    assert (tuning[1].rows, tuning[1].scored) == (24_000, 8_000)


@pytest.mark.parametrize("kept", [1, 6, 11])
def test_a_search_that_goes_on_ends_where_an_uninterrupted_one_does(tuning, kept):
    sampler, whole = tuning
    assert search(**LARGE, sampler=sampler, finished=whole.trials[:kept]).trials == whole.trials


def test_another_seed_tries_other_parameters():
    assert search(trials=2).trials[1] == search(trials=2).trials[1]
    assert search(trials=2, seed=6).trials[1] != search(trials=2).trials[1]


def test_each_fold_is_held_out_in_turn_and_the_score_is_their_mean():
    given = users(8_000)
    trial = search(held_out=None, trials=1).trials[0]
    expected = {}
    for fold in range(4):
        out = given["fold"] == fold
        learner = Compass().fit(given["X"][~out], given["outcome"][~out], given["treatment"][~out])
        expected[str(fold)] = auuc(given["outcome"][out], learner.predict(given["X"][out]), given["treatment"][out])
    assert trial.fold_auucs == pytest.approx(expected)
    assert trial.auuc == pytest.approx(np.mean(list(expected.values())))
    assert search(held_out=[3], trials=1).trials[0].fold_auucs == pytest.approx({"3": expected["3"]})
    assert search(held_out=None, trials=1).scored == 8_000


def test_the_fitted_are_drawn_at_the_shares_of_the_arms_and_smaller_rungs_lie_within_larger_ones():
    seen = []

    class Watched(Compass):
        def _fit(self, data):
            seen.append((set(data.X.frame.index), np.bincount(data.arm)))
            super()._fit(data)

    given = users(40_000, share=0.4)
    tuning = tune(Watched(), **given, held_out=[3], trials=1, max_rows=25_000)
    assert tuning.rungs == (2_777, 8_333, 25_000)
    (few, few_arms), (more, _), (most, _) = seen
    assert few < more < most
    assert not most & set(np.flatnonzero(given["fold"] == 3))
    share = given["treatment"][given["fold"] != 3].mean()
    assert few_arms[1] == pytest.approx(2_777 * share, abs=1)


def test_a_design_matrix_is_as_good_as_its_frame():
    given = users(8_000)
    assert search(trials=3).trials == search(trials=3, X=DesignMatrix.of(given["X"])).trials


def test_a_tree_learner_has_the_same_trials_whatever_its_threads():
    def found(n_jobs):
        return search(TLearner(LightGBM(n_estimators=60, n_jobs=n_jobs)), n=2_000, trials=3).trials

    one, two = found(1), found(2)
    assert one == two
    assert one[0].parameters == {name: getattr(LightGBM(n_estimators=60), name) for name in LightGBM.search_space}


def test_an_edited_space_is_searched_in_place_of_the_learners_own():
    tuning = search(search_space={"angle": Range(0.9, 1.1)})
    assert tuning.default_outside == ("angle",)
    assert tuning.trials[0].parameters == {"angle": 0.5}
    assert tuning.trials[1].parameters == {"angle": 0.9}
    assert all(0.9 <= trial.parameters["angle"] <= 1.1 for trial in tuning.trials[1:])


@pytest.mark.parametrize(("fixed", "trials"), [(0.5, 1), (0.7, 2)])
def test_where_every_value_is_fixed_there_is_nothing_more_to_try(fixed, trials):
    tuning = search(search_space={"angle": Range(fixed, fixed)})
    assert [trial.parameters["angle"] for trial in tuning.trials] == [0.5, 0.7][:trials]
    assert not tuning.stopped_early


def test_less_is_better_turns_the_ranking():
    turned = search(outcome=-users(8_000)["outcome"], sign=-1, trials=1)
    assert turned.trials[0].auuc == pytest.approx(-search(trials=1).trials[0].auuc, rel=0.05)


def test_time_that_runs_out_ends_the_search_and_it_is_said():
    tuning = search(seconds=1e-9)
    assert len(tuning.trials) == 1
    assert tuning.stopped_early


@pytest.mark.parametrize(("fold", "held_out"), [(np.zeros(8_000), [0]), (np.zeros(8_000), [3])])
def test_somebody_must_be_held_out_and_somebody_fitted(fold, held_out):
    with pytest.raises(InputError, match="of 8000 users"):
        search(fold=fold, held_out=held_out)


def test_a_learner_without_a_search_space_is_refused():
    with pytest.raises(InputError, match="TLearner has nothing to tune"):
        search(TLearner(LinearRegression()))
