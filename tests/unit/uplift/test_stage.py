from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from causal_tasks.errors import InputError
from causal_tasks.evaluation import auuc
from causal_tasks.experiment import Experiment
from causal_tasks.pipelines import MINE
from causal_tasks.pipelines.execution import run_stage
from causal_tasks.run_folder import RunFolder
from causal_tasks.settings import Settings
from causal_tasks.uplift import CANDIDATES, TLearner
from causal_tasks.uplift.outcome import outcome_baseline, user_outcome


def statement(**changes):
    stated = {
        "experiment_id": "music",
        "control": "off",
        "treatments": ["on"],
        "window": {"days": 7},
        "metrics": [{"name": "minutes", "role": "primary"}],
        "mining": {"candidates": ["t_lightgbm"], "seed": 3},
    }
    return Experiment.parse(stated | changes, source="test")


def settings(tmp_path):
    return Settings(lake=f"file://{tmp_path}", parallel_tasks=64)


def prepared(experiment, n=3_000, seed=0):
    """A ``users`` table in which x0 above 0 gains and city b loses; returns it with the true effects."""
    random = np.random.default_rng(seed)
    arm = random.integers(0, len(experiment.arms), n)
    city = pd.Categorical(random.choice(["a", "b", "c"], n), categories=["a", "b", "c"])
    x0 = random.normal(size=n).astype("float32")
    effect = 2.0 * (x0 > 0) - 2.0 * (city == "b")
    mean = 5 + random.normal(size=n) + effect * (arm > 0)
    users = pd.DataFrame(
        {
            "unit": np.arange(n) + 10,
            "arm": pd.Categorical.from_codes(arm, categories=list(experiment.arms)),
            "x0": x0,
            "city": city,
            "unused": "text",
            "y__minutes": mean,
            "num__rate": mean * 3,
            "den__rate": np.full(n, 3.0),
            "part": np.where(random.random(n) < 0.6, "discovery", "estimation"),
            "fold": (np.arange(n) % 5).astype("int8"),
        }
    )
    users.loc[::50, ["x0", "y__minutes"]] = np.nan
    return users, effect


def opened(tmp_path, experiment, users, items=("t_lightgbm",), used=("x0", "city")):
    """A run whose stages before ``train`` are committed; returns it with their manifests."""
    run = RunFolder.open(experiment, settings(tmp_path))
    outputs = {
        "prepare": lambda folder: {"users": _in_two_files(run, f"{folder}/users", users)},
        "validate": lambda folder: {
            "features": run.storage.write_json(f"{folder}/f.json", {"used": list(used), "dropped": {}}),
            "items": run.storage.write_json(f"{folder}/items.json", list(items)),
        },
    }
    manifests = []
    for stage, write in outputs.items():
        attempt = run.begin(stage, None, "0" * 8)
        attempt.commit(write(attempt.folder), {})
        manifests.append(run.manifest_uri(stage, None, "0" * 8))
    return run, manifests


def _in_two_files(run, folder, users):
    half = len(users) // 2
    for part, rows in enumerate((users.iloc[:half], users.iloc[half:])):
        run.storage.write_table(f"{folder}/part-{part}.parquet", rows)
    return folder


def output(run, result, name):
    return f"{run.uri}/{run.read_manifest(result.manifest).outputs[name].path}"


def trained(tmp_path, experiment, users, **options):
    run, manifests = opened(tmp_path, experiment, users, **options)
    return run, manifests, run_stage(MINE, "train", run=run, inputs=manifests, item="t_lightgbm")


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The plain experiment, trained: users, true effects, run, manifests before, result."""
    users, effect = prepared(statement())
    return users, effect, *trained(tmp_path_factory.mktemp("plain"), statement(), users)


def test_train_predicts_every_user_in_the_order_of_users(plain):
    users, effect, run, _, result = plain
    predictions = run.storage.read_table(output(run, result, "predictions"))
    assert predictions.columns.tolist() == ["unit", "uplift__on", "mean__off", "mean__on"]
    assert predictions["unit"].tolist() == users["unit"].tolist()
    assert (predictions.dtypes.iloc[1:] == np.float32).all()
    np.testing.assert_allclose(predictions["uplift__on"], predictions["mean__on"] - predictions["mean__off"], atol=1e-6)
    known = users["x0"].notna().to_numpy()
    for part in ("discovery", "estimation"):
        rows = known & (users["part"] == part).to_numpy()
        assert spearmanr(predictions["uplift__on"][rows], effect[rows]).statistic > 0.8


def test_the_saved_model_of_a_fold_gives_that_folds_predictions(plain):
    users, _, run, _, result = plain
    predictions = run.storage.read_table(output(run, result, "predictions"))
    models = Path(output(run, result, "models").removeprefix("file://"))
    learners = [TLearner.load(models / f"fold-{fold}") for fold in range(5)]
    discovery = (users["part"] == "discovery").to_numpy()
    X = users[["x0", "city"]]
    for fold, learner in enumerate(learners):
        rows = discovery & (users["fold"] == fold).to_numpy()
        np.testing.assert_array_equal(predictions["uplift__on"][rows], learner.predict(X[rows]))
    mean = np.mean([learner.predict(X[~discovery]) for learner in learners], axis=0)
    np.testing.assert_allclose(predictions["uplift__on"][~discovery], mean, atol=1e-5)


def test_estimation_users_are_never_learned_from(plain, tmp_path):
    users, _, run, _, result = plain
    poisoned = users.copy()
    poisoned.loc[poisoned["part"] == "estimation", "y__minutes"] = 1e9
    other_run, _, other_result = trained(tmp_path, statement(), poisoned)
    pd.testing.assert_frame_equal(
        other_run.storage.read_table(output(other_run, other_result, "predictions")),
        run.storage.read_table(output(run, result, "predictions")),
    )


def test_the_card_holds_the_out_of_fold_auuc_and_nothing_of_the_estimation_part(plain):
    users, _, run, _, result = plain
    card = run.storage.read_json(output(run, result, "card"))
    predictions = run.storage.read_table(output(run, result, "predictions"))
    rows = ((users["part"] == "discovery") & users["y__minutes"].notna()).to_numpy()
    expected = auuc(users["y__minutes"][rows], predictions["uplift__on"][rows], users["arm"][rows], control="off")
    assert card["auuc"]["on"]["estimate"] == pytest.approx(expected)
    low, high = card["auuc"]["on"]["interval"]
    assert low < expected < high
    assert (card["candidate"], card["learner"], card["base_model"]) == ("t_lightgbm", "TLearner", "LightGBM")
    assert card["rows"] == rows.sum()
    assert card["features"] == ["x0", "city"]
    assert "n_jobs" not in card["parameters"]
    assert card["notes"] == []


def test_a_metric_of_which_less_is_better_turns_the_uplift_but_not_the_means(plain, tmp_path):
    users, _, run, _, result = plain
    down = statement(metrics=[{"name": "minutes", "role": "primary", "direction": "down"}])
    other, _, down_result = trained(tmp_path, down, users)
    first = run.storage.read_table(output(run, result, "predictions"))
    second = other.storage.read_table(output(other, down_result, "predictions"))
    np.testing.assert_array_equal(second["uplift__on"], -first["uplift__on"])
    np.testing.assert_array_equal(second["mean__on"], first["mean__on"])
    card = other.storage.read_json(output(other, down_result, "card"))
    rows = ((users["part"] == "discovery") & users["y__minutes"].notna()).to_numpy()
    expected = auuc(-users["y__minutes"][rows], second["uplift__on"][rows], users["arm"][rows], control="off")
    assert card["auuc"]["on"]["estimate"] == pytest.approx(expected)


def test_a_ratio_is_learned_in_its_own_unit(tmp_path):
    """Three days each: the ratio of minutes to days is the mean, so its linearised form is minutes minus control's."""
    ratio = {"name": "rate", "numerator": "minutes", "denominator": "days", "role": "primary"}
    users, effect = prepared(statement())
    run, _, result = trained(tmp_path, statement(metrics=[ratio]), users)
    predictions = run.storage.read_table(output(run, result, "predictions"))
    assert spearmanr(predictions["uplift__on"], effect).statistic > 0.7
    assert predictions["uplift__on"].std() == pytest.approx(effect.std(), rel=0.35)
    reference = ((users["part"] == "discovery") & (users["arm"] == "off")).to_numpy()
    assert predictions["mean__off"][reference].mean() == pytest.approx(0, abs=0.1)


def test_a_linearised_ratio_has_the_difference_of_ratios_as_mean_difference():
    random = np.random.default_rng(0)
    n = 200_000
    arm = np.where(random.random(n) < 0.5, "on", "off")
    days = random.integers(1, 8, n)
    users = pd.DataFrame(
        {
            "arm": arm,
            "part": np.where(np.arange(n) % 2, "discovery", "estimation"),
            "num__rate": days * (2.0 + 0.1 * (arm == "on")) + random.normal(size=n),
            "den__rate": days,
        }
    )
    experiment = statement(metrics=[{"name": "rate", "numerator": "a", "denominator": "b", "role": "primary"}])
    values = user_outcome(users, experiment.primary, control="off")
    assert values[arm == "on"].mean() - values[arm == "off"].mean() == pytest.approx(0.1, abs=0.01)
    discovery_control = (arm == "off") & (users["part"] == "discovery")
    assert values[discovery_control].mean() == pytest.approx(0, abs=1e-12)
    totals = users.loc[discovery_control, ["num__rate", "den__rate"]].sum()
    baseline = outcome_baseline(users, experiment.primary, control="off")
    assert baseline == pytest.approx(totals["num__rate"] / totals["den__rate"])
    with pytest.raises(InputError, match="den__rate sums to 0"):
        user_outcome(users.assign(den__rate=0), experiment.primary, control="off")


def test_three_arms_get_one_uplift_each_and_a_small_one_is_noted(tmp_path):
    experiment = statement(treatments=["z", "a"])
    users, _ = prepared(experiment)
    users = users[(users["arm"] != "z") | (np.arange(len(users)) % 2 == 0)]
    run, manifests, result = trained(tmp_path, experiment, users)
    predictions = run.storage.read_table(output(run, result, "predictions"))
    assert predictions.columns.tolist() == ["unit", "uplift__z", "uplift__a", "mean__off", "mean__z", "mean__a"]
    card = run.storage.read_json(output(run, result, "card"))
    assert sorted(card["auuc"]) == ["a", "z"]
    assert card["notes"] == []
    selected = run_stage(MINE, "select", run=run, inputs=[*manifests, result.manifest])
    board = run.storage.read_json(output(run, selected, "selection"))["board"]
    rows = ((users["part"] == "discovery") & (users["fold"] == 4) & users["y__minutes"].notna()).to_numpy()
    codes = np.array([experiment.arms.index(label) for label in users["arm"]])
    uplift = predictions[["uplift__z", "uplift__a"]].to_numpy()
    assert board[0]["auuc"] == pytest.approx(auuc(users["y__minutes"][rows], uplift[rows], codes[rows]))


def test_an_arm_below_a_fifth_is_noted(tmp_path):
    users, _ = prepared(statement())
    users = users[(users["arm"] != "on") | (np.arange(len(users)) % 6 == 0)]
    run, _, result = trained(tmp_path, statement(), users)
    assert run.storage.read_json(output(run, result, "card"))["notes"] == ["small_arm"]


def test_training_again_gives_the_same_files(plain, tmp_path):
    users, _, run, _, result = plain
    again, _, result_again = trained(tmp_path, statement(), users)
    for name in ("predictions", "models"):
        digests = {r.read_manifest(x.manifest).outputs[name].digest for r, x in ((run, result), (again, result_again))}
        assert len(digests) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda users: users.assign(city="a"), "feature 'city' is of type"),
        (lambda users: users.assign(x0=1.0, city=users["city"].cat.set_categories(["q"])), "constant prediction"),
        (lambda users: users[users["arm"] == "off"], "no discovery user is in arm 'on'"),
        (lambda users: users.assign(arm=users["arm"].cat.rename_categories({"off": "?"})), "not in the experiment"),
    ],
)
def test_a_candidate_that_cannot_be_trained_fails_with_its_reason(tmp_path, change, message):
    users, _ = prepared(statement())
    with pytest.raises(InputError, match=message):
        trained(tmp_path, statement(), change(users))
    run = RunFolder.open(statement(), settings(tmp_path))
    assert run.last_failure("train", "t_lightgbm").error == "InputError"


@pytest.fixture
def second_candidate(monkeypatch):
    """A worse learner: so strongly shrunken that little is left but noise."""
    from causal_tasks.base_models import LightGBM

    def weak(**execution):
        return TLearner(LightGBM(n_estimators=1, num_leaves=2, colsample_bytree=0.1, **execution))

    monkeypatch.setattr("causal_tasks.uplift.candidates.CANDIDATES", {**CANDIDATES, "t_weak": weak})


def test_select_puts_the_best_first_and_hands_on_its_predictions(tmp_path, second_candidate):
    users, _ = prepared(statement())
    items = ("t_weak", "t_lightgbm", "t_broken")
    run, manifests = opened(tmp_path, statement(), users, items=items)
    results = {name: run_stage(MINE, "train", run=run, inputs=manifests, item=name) for name in items[:2]}
    with pytest.raises(InputError, match="'t_broken' is unknown"):
        run_stage(MINE, "train", run=run, inputs=manifests, item="t_broken")
    inputs = [*manifests, *(result.manifest for result in results.values())]
    selected = run_stage(MINE, "select", run=run, inputs=inputs)

    selection = run.storage.read_json(output(run, selected, "selection"))
    assert selection["winner"] == "t_lightgbm"
    assert [row["candidate"] for row in selection["board"]] == ["t_lightgbm", "t_weak"]
    best, worse = selection["board"]
    assert best["difference_to_winner"] is None
    assert worse["difference_to_winner"]["estimate"] == pytest.approx(worse["auuc"] - best["auuc"])
    assert worse["difference_to_winner"]["interval"][1] < 0
    assert selection["failed"]["t_broken"]["error"] == "InputError"
    assert selection["failed"]["t_broken"]["remedy"].startswith("use one of")
    assert run.storage.read_bytes(output(run, selected, "predictions")) == run.storage.read_bytes(
        output(run, results["t_lightgbm"], "predictions")
    )


def test_the_board_is_the_comparison_fold_of_discovery_only(plain):
    users, _, run, manifests, result = plain
    selected = run_stage(MINE, "select", run=run, inputs=[*manifests, result.manifest])
    predictions = run.storage.read_table(output(run, result, "predictions"))
    rows = ((users["part"] == "discovery") & (users["fold"] == 4) & users["y__minutes"].notna()).to_numpy()
    expected = auuc(users["y__minutes"][rows], predictions["uplift__on"][rows], users["arm"][rows], control="off")
    row = run.storage.read_json(output(run, selected, "selection"))["board"][0]
    assert row["auuc"] == pytest.approx(expected)
    assert row["interval"][0] < expected < row["interval"][1]
    assert row["device"] == "cpu"


def test_a_candidate_that_was_killed_is_reported_without_a_reason(tmp_path):
    users, _ = prepared(statement())
    run, manifests = opened(tmp_path, statement(), users, items=("t_lightgbm", "t_killed"))
    result = run_stage(MINE, "train", run=run, inputs=manifests, item="t_lightgbm")
    selected = run_stage(MINE, "select", run=run, inputs=[*manifests, result.manifest])
    assert run.storage.read_json(output(run, selected, "selection"))["failed"] == {"t_killed": None}


def test_users_randomised_together_widen_the_interval(tmp_path):
    users, _ = prepared(statement())
    copies = pd.concat([users] * 4).sort_values("unit", kind="stable").reset_index(drop=True)
    copies["cluster"] = copies["unit"].astype("str")
    widths = []
    for name, experiment in (("single", statement()), ("cluster", statement(cluster="household"))):
        run, manifests, result = trained(tmp_path / name, experiment, copies)
        selected = run_stage(MINE, "select", run=run, inputs=[*manifests, result.manifest])
        widths.append(run.storage.read_json(output(run, selected, "selection"))["board"][0]["standard_error"])
    assert widths[1] > 1.5 * widths[0]
