import numpy as np
import pandas as pd
import pytest

from causal_tasks.errors import InputError
from causal_tasks.evaluation import auuc, compare
from causal_tasks.pipelines import MINE
from causal_tasks.pipelines.execution import run_stage
from causal_tasks.uplift import candidate, predict_out_of_fold
from tests.unit.uplift.learning_runs import compared, json_of, opened, output, predictions_of, prepared, statement

NAMES = ("t_lightgbm", "s_xgboost")


class Mined:
    """The learning stages of one experiment, run as far as asked."""

    def __init__(self, folder, experiment, users, items=NAMES, trainable=None):
        self.users, self.experiment = users, experiment
        self.run, before = opened(folder, experiment, users, items=items)
        self.trained = {name: self._stage("train", before, name) for name in trainable or items}
        self.inputs = [*before, *(result.manifest for result in self.trained.values())]
        self.shortlisted = self._stage("shortlist", self.inputs[1:])
        self.inputs.append(self.shortlisted.manifest)
        self.before = before

    def tune(self, name):
        return self._stage("tune", [*self.before, self.shortlisted.manifest], name)

    def select(self, *tuned):
        return self._stage("select", [*self.inputs, *(result.manifest for result in tuned)])

    def selection(self, result):
        return json_of(self.run, result, "selection")

    def _stage(self, stage, inputs, item=None):
        return run_stage(MINE, stage, run=self.run, inputs=inputs, item=item)


@pytest.fixture(scope="module")
def mined(tmp_path_factory):
    users, _ = prepared(statement())
    return Mined(tmp_path_factory.mktemp("mined"), statement(), users)


def force_best(mined, name, parameters):
    """A ``tune`` that has found these parameters."""
    attempt = mined.run.begin("tune", name, "1" * 8)
    trial = {"number": 1, "parameters": parameters, "auuc": 1.0}
    tuning = {"candidate": name, "trials": [], "best": trial, "rows": 1, "scored": 1, "notes": []}
    attempt.commit({"tuning": mined.run.storage.write_json(f"{attempt.folder}/t.json", tuning)}, {})
    return mined.run.manifest_uri("tune", name, "1" * 8)


def test_the_shortlist_ranks_by_the_mean_auuc_of_the_cards(mined):
    cards = {name: json_of(mined.run, mined.trained[name], "card") for name in NAMES}
    ranking = json_of(mined.run, mined.shortlisted, "ranking")
    assert [row["candidate"] for row in ranking] == sorted(
        NAMES, key=lambda name: -cards[name]["auuc"]["on"]["estimate"]
    )
    for row in ranking:
        assert row["auuc"] == pytest.approx(cards[row["candidate"]]["auuc"]["on"]["estimate"])
    assert mined.shortlisted.items == [row["candidate"] for row in ranking]


def test_only_the_best_are_finalists(tmp_path):
    users, _ = prepared(statement())
    one = statement(mining={"candidates": list(NAMES), "finalists": 1})
    mined = Mined(tmp_path, one, users)
    assert mined.shortlisted.items == [json_of(mined.run, mined.shortlisted, "ranking")[0]["candidate"]]


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
    digests = {mined.run.read_manifest(r.manifest).outputs["models"].digest for r in (selected, winner)}
    assert len(digests) == 1


def test_a_tuned_winner_predicts_what_a_plain_cross_fit_predicts(tmp_path):
    """Leaves of 30 users instead of 200 find more in 300 users an arm and fold."""
    mined = Mined(tmp_path, statement(), prepared(statement())[0], items=("t_lightgbm",))
    parameters = {"n_estimators": 200, "learning_rate": 0.1, "min_child_samples": 30}
    selected = run_stage(
        MINE, "select", run=mined.run, inputs=[*mined.inputs, force_best(mined, "t_lightgbm", parameters)]
    )
    selection = mined.selection(selected)
    assert selection["winner"] == "t_lightgbm.tuned"
    assert selection["board"][0]["tuned"]
    assert selection["board"][0]["parameters"]["n_estimators"] == 200
    users = mined.users
    discovery = (users["part"] == "discovery").to_numpy()
    known = users[discovery]
    fitted = predict_out_of_fold(
        candidate("t_lightgbm", random_state=3, parameters=parameters),
        known[["x0", "city"]],
        known["y__minutes"],
        known["arm"],
        known["fold"],
        control="off",
    )
    written = predictions_of(mined.run, selected)
    np.testing.assert_array_equal(written["mean__on"][discovery], fitted.outcomes["on"])
    estimation = fitted.predict_outcomes(users.loc[~discovery, ["x0", "city"]])
    np.testing.assert_array_equal(written["mean__off"][~discovery], estimation["off"])


def test_the_choice_is_clear_only_where_every_other_candidate_is_worse_beyond_chance(tmp_path):
    """With all effects at once a stump of one tree cannot keep up; against itself nothing is better than chance."""
    users, _ = prepared(statement())
    mined = Mined(tmp_path, statement(), users)
    board = mined.selection(mined.select())["board"]
    others = [row["difference_to_winner"]["interval"][1] for row in board[1:]]
    assert mined.selection(mined.select())["distinguishable"] == (max(others) < 0)
    weak = {"n_estimators": 1, "num_leaves": 2, "learning_rate": 0.001, "colsample_bytree": 0.1}
    alone = Mined(tmp_path / "alone", statement(), users, items=("t_lightgbm",))
    inputs = [*alone.inputs, force_best(alone, "t_lightgbm", weak)]
    selection = alone.selection(run_stage(MINE, "select", run=alone.run, inputs=inputs))
    assert selection["winner"] == "t_lightgbm"
    assert selection["board"][1]["difference_to_winner"]["interval"][1] < 0
    assert not selection["distinguishable"]


def test_a_finalist_whose_tuning_failed_enters_with_its_defaults_and_it_is_said(mined):
    tuned = mined.tune("t_lightgbm")
    selection = mined.selection(mined.select(tuned))
    assert selection["tuning_failed"] == {"s_xgboost": None}
    assert {row["candidate"] for row in selection["board"]} == set(NAMES)


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


def test_without_a_trained_candidate_there_is_no_shortlist(tmp_path):
    users, _ = prepared(statement())
    run, before = opened(tmp_path, statement(), users, items=("t_unknown",))
    with pytest.raises(InputError, match="is unknown"):
        run_stage(MINE, "train", run=run, inputs=before, item="t_unknown")
    with pytest.raises(InputError, match=r"lacks what it reads .*t_unknown"):
        run_stage(MINE, "shortlist", run=run, inputs=[before[1]])


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
