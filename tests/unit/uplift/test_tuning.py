import numpy as np
import pandas as pd
import pytest

from causal_tasks.base_models import LightGBM
from causal_tasks.errors import InputError
from causal_tasks.evaluation import auuc
from causal_tasks.uplift import TLearner, tune

TRIALS = 9


def problem(n=2_000, seed=0):
    random = np.random.default_rng(seed)
    X = pd.DataFrame({f"x{k}": random.normal(size=n) for k in range(3)})
    treatment = random.integers(0, 2, n)
    outcome = X["x0"] + (X["x1"] > 0) * treatment + random.normal(size=n)
    return {"X": X, "outcome": outcome, "treatment": treatment, "validation": np.arange(n) % 4 == 0}


def search(**arguments):
    learner = TLearner(LightGBM(n_estimators=60, min_child_samples=50))
    return tune(learner, **({"trials": TRIALS, "seed": 5} | problem() | arguments))


@pytest.fixture(scope="module")
def tuning():
    return search()


def test_the_first_trial_has_the_learners_own_parameters(tuning):
    first = tuning.trials[0]
    assert first.parameters.keys() == LightGBM.search_space.keys()
    assert first.parameters["n_estimators"] == 60
    assert first.parameters["learning_rate"] == LightGBM().learning_rate
    assert first.state == "complete"


def test_a_score_is_the_auuc_of_the_validation_users(tuning):
    given = problem()
    rows = ~given["validation"]
    best = tuning.best
    model = TLearner(LightGBM(**best.parameters)).fit(
        given["X"][rows], given["outcome"][rows], given["treatment"][rows]
    )
    held_out = given["validation"]
    expected = auuc(given["outcome"][held_out], model.predict(given["X"][held_out]), given["treatment"][held_out])
    assert best.auuc == pytest.approx(expected)
    assert (tuning.rows, tuning.scored) == (1_500, 500)


def test_every_parameter_stays_in_its_range(tuning):
    for trial in tuning.trials:
        for name, value in trial.parameters.items():
            bounds = LightGBM.search_space[name]
            assert bounds.low <= value <= bounds.high


def test_the_best_is_the_highest_score_among_complete_trials(tuning):
    complete = [trial for trial in tuning.trials if trial.state == "complete"]
    assert tuning.best.auuc == max(trial.auuc for trial in complete)
    assert all(trial.auuc is None for trial in tuning.trials if trial.state == "pruned")
    assert len({tuple(trial.parameters.values()) for trial in tuning.trials}) == TRIALS


def test_a_trial_is_pruned_below_the_median_of_earlier_complete_ones():
    tuning = search(trials=14, **problem(n=12_000))
    pruned = [trial for trial in tuning.trials if trial.state == "pruned"]
    assert pruned
    for trial in tuning.trials[1:]:
        earlier = [t.quarter_auuc for t in tuning.trials[: trial.number] if t.state == "complete"]
        assert (trial.state == "pruned") == (len(earlier) >= 5 and trial.quarter_auuc < np.median(earlier))


@pytest.mark.parametrize("kept", range(1, TRIALS))
def test_a_search_that_goes_on_ends_where_an_uninterrupted_one_does(tuning, kept):
    assert search(finished=tuning.trials[:kept]).trials == tuning.trials


@pytest.mark.parametrize("seed", [6, 20_261_125, 2**40])
def test_another_seed_tries_other_parameters(tuning, seed):
    assert search(seed=seed, trials=2).trials[1] != tuning.trials[1]


def test_a_learner_that_begins_outside_of_the_search_is_refused():
    with pytest.raises(InputError, match="LightGBM: n_estimators is 10, tuning tries 50 to 400"):
        tune(TLearner(LightGBM(n_estimators=10)), **problem())


def test_less_is_better_turns_the_ranking(tuning):
    turned = search(outcome=-problem()["outcome"], sign=-1, trials=1)
    assert turned.trials[0].auuc == pytest.approx(tuning.trials[0].auuc, rel=0.05)


def test_more_users_than_a_trial_may_fit_are_sampled():
    tuning = search(max_rows=600, trials=1)
    assert (tuning.rows, tuning.scored) == (600, 500)


def test_time_that_runs_out_ends_the_search_and_it_is_said():
    tuning = search(seconds=1e-9)
    assert len(tuning.trials) == 1
    assert tuning.stopped_early


@pytest.mark.parametrize("held_out", [np.zeros(2_000, bool), np.ones(2_000, bool)])
def test_somebody_must_be_held_out_and_somebody_fitted(held_out):
    with pytest.raises(InputError, match="of 2000 users"):
        search(validation=held_out)
