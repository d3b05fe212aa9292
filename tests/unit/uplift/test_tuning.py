import numpy as np
import pandas as pd
import pytest

from causal_tasks.base_models import LightGBM
from causal_tasks.errors import InputError
from causal_tasks.evaluation import auuc
from causal_tasks.pipelines import MINE
from causal_tasks.pipelines.execution import run_stage
from causal_tasks.storage import Storage
from causal_tasks.uplift import TLearner, tune
from tests.unit.uplift.learning_runs import json_of, opened, prepared, statement

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


@pytest.mark.parametrize("kept", [1, 4, TRIALS - 1])
def test_a_search_that_goes_on_ends_where_an_uninterrupted_one_does(tuning, kept):
    assert search(finished=tuning.trials[:kept]).trials == tuning.trials


def test_another_seed_tries_other_parameters(tuning):
    assert search(seed=6, trials=2).trials[1] != tuning.trials[1]


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


@pytest.fixture
def finalist(tmp_path):
    """A run in which ``t_lightgbm`` is to be tuned, and the manifests that ``tune`` reads."""

    def open_in(name):
        experiment = statement(mining={"candidates": ["t_lightgbm"], "trials": 6, "seed": 3})
        run, before = opened(tmp_path / name, experiment, prepared(experiment)[0])
        attempt = run.begin("shortlist", None, "0" * 8)
        attempt.commit({"items": run.storage.write_json(f"{attempt.folder}/i.json", ["t_lightgbm"])}, {})
        return run, [*before, run.manifest_uri("shortlist", None, "0" * 8)]

    return open_in


def test_a_stage_that_dies_after_some_trials_goes_on_and_finds_the_same(finalist, monkeypatch):
    whole_run, inputs = finalist("whole")
    whole = json_of(whole_run, run_stage(MINE, "tune", run=whole_run, inputs=inputs, item="t_lightgbm"), "tuning")

    run, inputs = finalist("killed")
    create = Storage.create_exclusively
    written = []

    def dies_at_the_fourth(storage, uri, data):
        if "/trials/" in uri:
            if len(written) == 3:
                raise KeyboardInterrupt
            written.append(uri)
        return create(storage, uri, data)

    with monkeypatch.context() as patched:
        patched.setattr(Storage, "create_exclusively", dies_at_the_fourth)
        with pytest.raises(KeyboardInterrupt):
            run_stage(MINE, "tune", run=run, inputs=inputs, item="t_lightgbm")
    monkeypatch.setattr(Storage, "create_exclusively", lambda *a: written.append(a[1]) or create(*a))
    resumed = json_of(run, run_stage(MINE, "tune", run=run, inputs=inputs, item="t_lightgbm"), "tuning")
    assert resumed == whole
    assert [uri.rsplit("/", 1)[1] for uri in written if "/trials/" in uri] == [f"{k:04d}.json" for k in range(6)]


def test_the_stage_fits_on_three_folds_and_scores_on_the_fourth(finalist):
    run, inputs = finalist("folds")
    tuning = json_of(run, run_stage(MINE, "tune", run=run, inputs=inputs, item="t_lightgbm"), "tuning")
    users, _ = prepared(statement())
    usable = users[(users["part"] == "discovery") & users["y__minutes"].notna()]
    assert tuning["rows"] == (usable["fold"] < 3).sum()
    assert tuning["scored"] == (usable["fold"] == 3).sum()
    assert tuning["trials"][0]["parameters"]["n_estimators"] == LightGBM().n_estimators
    assert [trial["number"] for trial in tuning["trials"]] == list(range(6))
    assert tuning["notes"] == []
