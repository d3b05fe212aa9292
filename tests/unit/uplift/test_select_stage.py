from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from causal_tasks.errors import InputError
from causal_tasks.evaluation import auuc, compare
from causal_tasks.pipelines import MINE
from causal_tasks.pipelines.execution import run_stage
from causal_tasks.uplift import candidate, load_learner, predict_out_of_fold
from causal_tasks.uplift.outcome import user_outcome
from tests.unit.uplift.learning_runs import (
    DOWN,
    RATE,
    Mined,
    committed,
    compared,
    json_of,
    opened,
    output,
    predictions_of,
    prepared,
    statement,
)

NAMES = ("t_lightgbm", "s_xgboost")
MINUTES = {"name": "minutes", "role": "primary"}


def digests(run, result):
    """Of the models, by which files that are equal byte for byte are equal."""
    return run.read_manifest(result.manifest).outputs["models"].digest


@pytest.fixture(scope="module")
def mined(tmp_path_factory):
    users, _ = prepared(statement())
    return Mined(tmp_path_factory.mktemp("mined"), statement(), users, items=NAMES)


def test_the_board_compares_pairs_on_the_comparison_fold_of_discovery_only(mined):
    board = mined.selection(mined.select())["board"]
    rows = compared(mined.users)
    outcome, arm = mined.users["y__minutes"][rows], mined.users["arm"][rows]
    uplift = {name: predictions_of(mined.run, mined.trained[name])["uplift__on"][rows] for name in NAMES}
    assert [row["entrant"] for row in board] == [row["candidate"] for row in board]
    for row in board:
        assert row["auuc"] == pytest.approx(auuc(outcome, uplift[row["entrant"]], arm, control="off"))
        assert row["interval"][0] < row["auuc"] < row["interval"][1]
        assert not row["tuned"]
    best, worse = board
    assert best["difference_to_winner"] is None
    expected = compare(outcome, uplift[worse["entrant"]], uplift[best["entrant"]], arm, control="off", seed=3)
    assert worse["difference_to_winner"]["estimate"] == pytest.approx(expected.estimate)
    assert worse["difference_to_winner"]["interval"] == pytest.approx(list(expected.interval))


def test_a_winner_with_default_parameters_is_handed_on_byte_for_byte(mined):
    selected = mined.select()
    winner = mined.trained[mined.selection(selected)["winner"]]
    storage = mined.run.storage
    assert storage.read_bytes(output(mined.run, selected, "predictions")) == storage.read_bytes(
        output(mined.run, winner, "predictions")
    )
    assert digests(mined.run, selected) == digests(mined.run, winner)


@pytest.mark.parametrize("metric", [MINUTES, DOWN, RATE], ids=["up", "down", "ratio"])
def test_a_tuned_winner_predicts_what_a_plain_cross_fit_predicts(tmp_path, metric):
    """Where the default leaves of 200 users are too large, leaves of 30 find more."""
    experiment = statement(metrics=[metric])
    mined = Mined(tmp_path, experiment, prepared(experiment, n=1_800)[0], items=("x_lightgbm",))
    parameters = {"n_estimators": 200, "learning_rate": 0.1, "min_child_samples": 30}
    selected = mined.select(mined.tuned_to("x_lightgbm", parameters))
    best, default = mined.selection(selected)["board"]
    assert mined.selection(selected)["winner"] == best["entrant"] == "x_lightgbm.tuned"
    assert (best["tuned"], default["tuned"]) == (True, False)
    assert best["parameters"] == default["parameters"] | parameters

    users = mined.users
    outcome = user_outcome(users, experiment.primary, control="off")
    discovery = (users["part"] == "discovery").to_numpy()
    fitted = predict_out_of_fold(
        candidate("x_lightgbm", random_state=3, parameters=parameters),
        users.loc[discovery, ["x0", "city"]],
        outcome[discovery],
        users["arm"][discovery].astype("str"),
        users["fold"][discovery],
        control="off",
        propensity={"off": 0.5, "on": 0.5},
    )
    written = predictions_of(mined.run, selected)
    unseen = fitted.predict_outcomes(users.loc[~discovery, ["x0", "city"]])
    for arm in experiment.arms:
        np.testing.assert_array_equal(written[f"mean__{arm}"][discovery], fitted.outcomes[arm])
        np.testing.assert_array_equal(written[f"mean__{arm}"][~discovery], unseen[arm])
    sign = -1 if metric is DOWN else 1
    np.testing.assert_array_equal(written["uplift__on"], sign * (written["mean__on"] - written["mean__off"]))
    rows = discovery & (users["fold"] == 4).to_numpy() & ~np.isnan(outcome)
    expected = auuc(sign * outcome[rows], written["uplift__on"][rows], users["arm"][rows], control="off")
    assert best["auuc"] == pytest.approx(expected)
    models = Path(output(mined.run, selected, "models").removeprefix("file://"))
    for fold, learner in fitted.learners.items():
        saved = load_learner(models / f"fold-{fold}")
        rows = discovery & (users["fold"] == fold).to_numpy()
        X = users.loc[rows, ["x0", "city"]]
        np.testing.assert_array_equal(saved.predict_outcomes(X), learner.predict_outcomes(X))


def test_a_tuned_finalist_that_loses_leaves_the_winner_as_it_was_trained(tmp_path):
    """A stump of one tree cannot keep up; that tuning made a candidate worse says nothing about other candidates."""
    mined = Mined(tmp_path, statement(), prepared(statement())[0], items=("t_lightgbm",))
    weak = {"n_estimators": 1, "num_leaves": 2, "learning_rate": 0.001, "colsample_bytree": 0.1}
    selected = mined.select(mined.tuned_to("t_lightgbm", weak))
    selection = mined.selection(selected)
    assert selection["winner"] == "t_lightgbm"
    assert selection["board"][1]["difference_to_winner"]["interval"][1] < 0
    assert not selection["distinguishable"]
    assert digests(mined.run, selected) == digests(mined.run, mined.trained["t_lightgbm"])


def selected_from(tmp_path, noise):
    """The selection among candidates that predict the true effect and noise of that standard deviation."""
    users, effect = prepared(statement())
    run, before = opened(tmp_path, statement(), users, items=tuple(noise))
    random = np.random.default_rng(1)
    manifests = []
    learner = candidate("t_lightgbm").fit(users[["x0", "city"]], effect, users["arm"].astype("str"), control="off")
    for name, deviation in noise.items():
        attempt = run.begin("train", name, "1" * 8)
        uplift = effect + deviation * random.normal(size=len(users))
        learner.save(Path(f"{attempt.folder}/models/fold-0".removeprefix("file://")))
        outputs = {
            "card": run.storage.write_json(f"{attempt.folder}/card.json", {"parameters": {}}),
            "predictions": run.storage.write_table(f"{attempt.folder}/p.parquet", pd.DataFrame({"uplift__on": uplift})),
            "models": f"{attempt.folder}/models",
        }
        attempt.commit(outputs, {})
        manifests.append(run.manifest_uri("train", name, "1" * 8))
    manifests.append(committed(run, "shortlist", None, items=list(noise)))
    return json_of(run, run_stage(MINE, "select", run=run, inputs=[*before, *manifests]), "selection")


@pytest.mark.parametrize(
    ("noise", "distinguishable"),
    [
        ({"t_lightgbm": 0.0, "s_xgboost": 20.0, "x_xgboost": 20.0}, True),
        ({"t_lightgbm": 0.0, "s_xgboost": 20.0, "x_xgboost": 0.01}, False),
        ({"t_lightgbm": 0.0}, False),
    ],
    ids=["all others are worse", "one is as good", "there is no other"],
)
def test_the_choice_is_clear_only_where_every_other_candidate_is_worse_beyond_chance(tmp_path, noise, distinguishable):
    selection = selected_from(tmp_path, noise)
    board = selection["board"]
    assert len(board) == len(noise)
    assert [row["auuc"] for row in board] == sorted((row["auuc"] for row in board), reverse=True)
    assert all(row["difference_to_winner"]["estimate"] <= 0 for row in board[1:])
    assert selection["distinguishable"] == distinguishable


def test_the_drivers_are_the_features_that_the_effect_depends_on(mined):
    ranked = json_of(mined.run, mined.select(), "drivers")
    assert list(ranked) == ["on"]
    assert {row["feature"] for row in ranked["on"]} == {"x0", "city"}
    for row in ranked["on"]:
        assert 0 < row["interval"][0] < row["importance"] < row["interval"][1]


def test_the_winner_is_to_be_fitted_again_with_other_seeds_and_where_nothing_can_be_found(mined):
    assert json_of(mined.run, mined.select(), "items") == [
        "seed_1",
        "seed_2",
        "pre_period",
        "permuted_1",
        "permuted_2",
    ]


def test_finalists_whose_tuning_failed_enter_with_their_defaults_and_it_is_said(tmp_path):
    """Fold 3 without outcomes: nothing to score trials on. One finalist leaves a record, one was killed."""
    users, _ = prepared(statement())
    users.loc[users["fold"] == 3, "y__minutes"] = np.nan
    mined = Mined(tmp_path, statement(), users, items=NAMES)
    with pytest.raises(InputError, match="fold 3 holds 0 of"):
        mined.tune("t_lightgbm")
    selection = mined.selection(mined.select())
    assert selection["tuning_failed"]["t_lightgbm"]["remedy"] == "hold out some users and fit the others"
    assert selection["tuning_failed"]["s_xgboost"] is None
    assert {row["entrant"] for row in selection["board"]} == set(NAMES)


def test_only_finalists_that_were_tuned_enter_twice(mined):
    selection = mined.selection(mined.select(mined.tune("t_lightgbm")))
    assert selection["tuning_failed"] == {"s_xgboost": None}
    assert {row["entrant"] for row in selection["board"]} <= {*NAMES, "t_lightgbm.tuned"}
    assert {row["entrant"] for row in selection["board"]} >= set(NAMES)


def test_candidates_that_died_are_named_with_or_without_a_reason(tmp_path):
    users, _ = prepared(statement())
    run, before = opened(tmp_path, statement(), users, items=("t_lightgbm", "t_killed", "t_unknown"))
    trained = run_stage(MINE, "train", run=run, inputs=before, item="t_lightgbm")
    with pytest.raises(InputError, match="'t_unknown' is unknown"):
        run_stage(MINE, "train", run=run, inputs=before, item="t_unknown")
    shortlisted = run_stage(MINE, "shortlist", run=run, inputs=[before[1], trained.manifest])
    failed = json_of(run, shortlisted, "failed")
    assert failed["t_killed"] is None
    assert failed["t_unknown"]["remedy"].startswith("use one of")
    selected = run_stage(MINE, "select", run=run, inputs=[*before, trained.manifest, shortlisted.manifest])
    assert json_of(run, selected, "selection")["failed"] == failed


def test_several_treatments_are_scored_by_their_mean(tmp_path):
    experiment = statement(treatments=["z", "a"])
    users, _ = prepared(experiment)
    mined = Mined(tmp_path, experiment, users, items=("t_lightgbm",))
    row = mined.selection(mined.select())["board"][0]
    rows = compared(users)
    uplift = predictions_of(mined.run, mined.trained["t_lightgbm"])[["uplift__z", "uplift__a"]].to_numpy()[rows]
    codes = np.array([experiment.arms.index(label) for label in users["arm"]])[rows]
    assert row["auuc"] == pytest.approx(auuc(users["y__minutes"][rows], uplift, codes))


def test_users_randomised_together_widen_the_interval(tmp_path):
    users, _ = prepared(statement())
    copies = pd.concat([users] * 4).sort_values("unit", kind="stable").reset_index(drop=True)
    copies["cluster"] = copies["unit"].astype("str")
    widths = []
    for name, experiment in (("single", statement()), ("cluster", statement(cluster="household"))):
        mined = Mined(tmp_path / name, experiment, copies, items=("t_lightgbm",))
        widths.append(mined.selection(mined.select())["board"][0]["standard_error"])
    assert widths[1] > 1.5 * widths[0]
