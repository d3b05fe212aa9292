import numpy as np
import pytest

from causal_tasks.base_models import DesignMatrix, LightGBM
from causal_tasks.errors import InputError
from causal_tasks.evaluation import auuc
from causal_tasks.pipelines import MINE
from causal_tasks.pipelines.execution import run_stage
from causal_tasks.storage import Storage
from causal_tasks.uplift import XLearner, candidate
from causal_tasks.uplift.outcome import user_outcome
from tests.unit.uplift.learning_runs import DOWN, RATE, committed, json_of, opened, prepared, statement

NAME = "x_lightgbm"
TRIALS = 6


def finalist(folder, *, trials=TRIALS, users=None, **changes):
    """A run in which ``NAME`` is to be tuned; returns it with the manifests that ``tune`` reads."""
    mining = {"candidates": [NAME], "trials": trials, "seed": 3} | changes.pop("mining", {})
    experiment = statement(mining=mining, **changes)
    users = prepared(experiment)[0] if users is None else users
    run, before = opened(folder, experiment, users, items=(NAME,))
    return run, [*before, committed(run, "shortlist", None, items=[NAME])]


def tuned(run, inputs):
    return json_of(run, run_stage(MINE, "tune", run=run, inputs=inputs, item=NAME), "tuning")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return tuned(*finalist(tmp_path_factory.mktemp("whole")))


@pytest.mark.parametrize("survives", range(1, TRIALS))
def test_a_stage_that_dies_after_some_trials_goes_on_and_finds_the_same(tmp_path, monkeypatch, whole, survives):
    run, inputs = finalist(tmp_path)
    create = Storage.create_exclusively
    written = []

    def counts(storage, uri, data):
        if "/trials/" in uri:
            written.append(uri)
        return create(storage, uri, data)

    def dies(storage, uri, data):
        if "/trials/" in uri and len(written) == survives:
            raise KeyboardInterrupt
        return counts(storage, uri, data)

    monkeypatch.setattr(Storage, "create_exclusively", dies)
    with pytest.raises(KeyboardInterrupt):
        tuned(run, inputs)
    monkeypatch.setattr(Storage, "create_exclusively", counts)
    assert tuned(run, inputs) == whole
    assert [uri.rsplit("/", 1)[1] for uri in written] == [f"{number}.json" for number in range(TRIALS)]


def test_of_two_attempts_the_second_takes_over_what_the_first_has_written(tmp_path, monkeypatch):
    """Another attempt writes trial 1 just before this one does: both then go on from the same trial."""
    run, inputs = finalist(tmp_path, trials=2)
    create = Storage.create_exclusively
    other = {
        "number": 1,
        "state": "complete",
        "parameters": {"num_leaves": 9},
        "rung_auucs": [8.0, 9.0],
        "fold_auucs": {"3": 9.0},
        "auuc": 9.0,
    }

    def comes_second(storage, uri, data):
        if uri.endswith("/trials/1.json"):
            storage.write_json(uri, other)
        return create(storage, uri, data)

    monkeypatch.setattr(Storage, "create_exclusively", comes_second)
    tuning = tuned(run, inputs)
    assert tuning["trials"][1] == other
    assert tuning["best"] == {"number": 1, "parameters": {"num_leaves": 9}, "auuc": 9.0}


def test_the_stage_fits_on_three_folds_and_scores_on_the_fourth(whole):
    users, _ = prepared(statement())
    usable = users[(users["part"] == "discovery") & users["y__minutes"].notna()]
    assert whole["candidate"] == NAME
    assert whole["rows"] == (usable["fold"] < 3).sum()
    assert whole["scored"] == (usable["fold"] == 3).sum()
    assert whole["trials"][0]["parameters"]["n_estimators"] == LightGBM().n_estimators
    assert whole["rungs"] == [whole["rows"]]
    assert [trial["number"] for trial in whole["trials"]] == list(range(TRIALS))
    assert all(trial["fold_auucs"] == {"3": trial["auuc"]} for trial in whole["trials"])
    assert whole["notes"] == []


@pytest.mark.parametrize("count", [2, 4])
def test_several_folds_are_held_out_in_turn_and_each_score_is_kept(tmp_path, whole, count):
    run, inputs = finalist(tmp_path, trials=1, mining={"tuning_folds": count})
    tuning = tuned(run, inputs)
    (trial,) = tuning["trials"]
    assert list(trial["fold_auucs"]) == ["0", "1", "2", "3"][-count:]
    assert trial["fold_auucs"]["3"] == whole["trials"][0]["auuc"]
    assert trial["auuc"] == pytest.approx(np.mean(list(trial["fold_auucs"].values())))
    assert tuning["scored"] > whole["scored"] * (count - 0.5)


def test_the_experiment_names_sampler_and_ranges(tmp_path, whole):
    ranges = {"lightgbm": {"num_leaves": {"low": 4, "high": 5}, "n_estimators": {"low": 50, "high": 50}}}
    run, inputs = finalist(tmp_path, trials=7, mining={"sampler": "gp", "search_spaces": ranges})
    tuning = tuned(run, inputs)
    assert tuning["trials"][0] == whole["trials"][0]
    assert {trial["parameters"]["n_estimators"] for trial in tuning["trials"][1:]} == {50}
    assert {trial["parameters"]["num_leaves"] for trial in tuning["trials"][1:]} <= {4, 5}
    assert tuning["notes"] == ["default_outside_space"]
    assert tuned(*finalist(tmp_path / "tpe", trials=7, mining={"search_spaces": ranges}))["trials"] != tuning["trials"]


def test_a_range_for_what_there_is_not_ends_the_stage_before_it_begins(tmp_path):
    run, inputs = finalist(tmp_path, mining={"search_spaces": {"lightgbm": {"leaves": {"low": 4, "high": 5}}}})
    with pytest.raises(InputError, match=r"mining.search_spaces.lightgbm.leaves: no such parameter"):
        tuned(run, inputs)
    assert run.last_failure("tune", NAME).remedy.startswith("use one of n_estimators, ")


def test_whole_clusters_are_told_to_the_learner(tmp_path, monkeypatch):
    """A learner that splits the users itself must not divide a cluster."""
    users, _ = prepared(statement())
    users["cluster"] = [f"c{k // 3}" for k in range(len(users))]
    fit, told = XLearner.fit, []

    def fit_told(self, *arguments, clusters=None, **options):
        told.append(clusters)
        return fit(self, *arguments, clusters=clusters, **options)

    monkeypatch.setattr(XLearner, "fit", fit_told)
    tuned(*finalist(tmp_path, trials=1, users=users, cluster="team"))
    usable = (users["part"] == "discovery") & users["y__minutes"].notna() & (users["fold"] < 3)
    assert list(told[0]) == list(users.loc[usable, "cluster"])


@pytest.mark.parametrize(
    "changes",
    [
        {"shares": {"off": 0.3, "on": 0.7}},
        {"randomized": False},
        {"treatments": ["z", "a"]},
        {"metrics": [DOWN]},
        {"metrics": [RATE]},
    ],
    ids=["known shares", "observational", "two treatments", "down", "ratio"],
)
def test_the_score_is_the_mean_auuc_of_the_fourth_fold_on_the_benefit_scale(tmp_path, changes):
    run, inputs = finalist(tmp_path, trials=1, **changes)
    score = tuned(run, inputs)["best"]["auuc"]
    experiment = run.experiment
    users = prepared(experiment)[0]
    outcome = user_outcome(users, experiment.primary, control="off")
    usable = (users["part"] == "discovery").to_numpy() & ~np.isnan(outcome)
    fitted, scored = usable & (users["fold"] < 3).to_numpy(), usable & (users["fold"] == 3).to_numpy()
    # Bins come from the users of all four folds.
    design = DesignMatrix(users.loc[fitted | scored, ["x0", "city"]])
    learner = candidate(NAME, random_state=3).fit(
        design.take(np.flatnonzero(fitted[fitted | scored])),
        outcome[fitted],
        users["arm"][fitted].astype("str"),
        control="off",
        propensity=experiment.expected_shares if experiment.randomized else None,
    )
    uplift = learner.predict(users.loc[scored, ["x0", "city"]])
    sign = -1 if experiment.primary.direction == "down" else 1
    expected = auuc(sign * outcome[scored], sign * uplift, users["arm"][scored].astype("str"), control="off")
    assert score == pytest.approx(expected)


def test_a_fold_without_outcomes_cannot_be_scored_and_the_reason_is_recorded(tmp_path):
    users, _ = prepared(statement())
    users.loc[users["fold"] == 3, "y__minutes"] = np.nan
    run, inputs = finalist(tmp_path, users=users)
    with pytest.raises(InputError, match="fold 3 holds 0 of"):
        tuned(run, inputs)
    assert run.last_failure("tune", NAME).remedy == "hold out some users and fit the others"
