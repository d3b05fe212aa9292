from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from causal_tasks.errors import InputError
from causal_tasks.evaluation import auuc
from causal_tasks.run_folder import RunFolder
from causal_tasks.uplift import TLearner
from causal_tasks.uplift.outcome import outcome_baseline, user_outcome
from tests.unit.uplift.learning_runs import DOWN, RATE, json_of, output, prepared, settings, statement, trained


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
    down = statement(metrics=[DOWN])
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
    users, effect = prepared(statement())
    run, _, result = trained(tmp_path, statement(metrics=[RATE]), users)
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


def test_three_arms_get_one_uplift_each(tmp_path):
    experiment = statement(treatments=["z", "a"])
    users, _ = prepared(experiment)
    users = users[(users["arm"] != "z") | (np.arange(len(users)) % 2 == 0)]
    run, _, result = trained(tmp_path, experiment, users)
    predictions = run.storage.read_table(output(run, result, "predictions"))
    assert predictions.columns.tolist() == ["unit", "uplift__z", "uplift__a", "mean__off", "mean__z", "mean__a"]
    card = run.storage.read_json(output(run, result, "card"))
    assert sorted(card["auuc"]) == ["a", "z"]
    assert card["notes"] == []


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
        (lambda users: users.assign(x0=1.0, city=pd.Categorical(["q"] * len(users))), "constant prediction"),
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


def test_the_guards_hold_what_was_predicted_against_what_was_measured(plain):
    users, _, run, _, result = plain
    guard = json_of(run, result, "card")["guards"]["on"]
    rows = ((users["part"] == "discovery") & users["y__minutes"].notna()).to_numpy()
    uplift = run.storage.read_table(output(run, result, "predictions"))["uplift__on"].to_numpy()[rows]
    assert guard["mean"] == pytest.approx(uplift.mean(), rel=1e-5)
    assert guard["spread"] == pytest.approx(uplift.std(), rel=1e-5)
    outcome, on = users["y__minutes"][rows], users["arm"][rows] == "on"
    assert guard["measured"]["estimate"] == pytest.approx(outcome[on].mean() - outcome[~on].mean())
    assert guard["agrees"]
    assert guard["treatment_used"]


def test_a_model_whose_mean_effect_is_off_is_dropped_with_both_numbers(tmp_path):
    """R believes the shares that the experiment states; here they are wrong."""
    experiment = statement(shares={"off": 0.9, "on": 0.1})
    users, _ = prepared(experiment)
    users.loc[users["arm"] == "on", "y__minutes"] += 2.0
    with pytest.raises(InputError, match=r"r_lightgbm: treatment 'on': its mean effect is .*, the measured one 2\."):
        trained(tmp_path, experiment, users, item="r_lightgbm", items=("r_lightgbm",))


def test_a_large_effect_that_is_shrunk_a_little_is_no_fault(tmp_path):
    users, _ = prepared(statement())
    users.loc[(users["part"] == "discovery") & (users["arm"] == "on"), "y__minutes"] += 50.0
    run, _, result = trained(tmp_path, statement(), users, item="s_lightgbm", items=("s_lightgbm",))
    guard = json_of(run, result, "card")["guards"]["on"]
    assert guard["mean"] < guard["measured"]["interval"][0]
    assert guard["agrees"]


def test_a_model_of_one_fold_that_overlooks_the_treatment_is_dropped(tmp_path):
    """Outcomes differ in fold 0 alone: the model that leaves it out sees nothing to split on."""
    users, effect = prepared(statement())
    inside = (users["fold"] == 0).to_numpy()
    users["y__minutes"] = 5.0 + inside * (4.0 * (users["arm"] == "on") + effect)
    with pytest.raises(InputError, match="at least one fold does not tell the arms apart"):
        trained(tmp_path, statement(), users, item="s_lightgbm", items=("s_lightgbm",))


def test_an_s_learner_does_not_mind_a_small_arm(tmp_path):
    users, _ = prepared(statement(), n=12_000)
    users = users[(users["arm"] != "on") | (np.arange(len(users)) % 6 == 0)]
    run, _, result = trained(tmp_path, statement(), users, item="s_lightgbm", items=("s_lightgbm",))
    assert "small_arm" not in json_of(run, result, "card")["notes"]


@pytest.mark.parametrize(("randomized", "notes"), [(True, []), (False, ["propensity_estimated"])])
def test_x_models_the_propensity_only_where_the_design_does_not_tell_it(tmp_path, randomized, notes):
    users, _ = prepared(statement())
    experiment = statement(randomized=randomized)
    run, _, result = trained(tmp_path, experiment, users, item="x_lightgbm", items=("x_lightgbm",))
    assert json_of(run, result, "card")["notes"] == notes
