import gc
import json
from dataclasses import dataclass
from weakref import ref

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.exceptions import NotFittedError

from causal_tasks.base_models import DesignMatrix, LightGBM
from causal_tasks.errors import InputError
from causal_tasks.experiment import Mining
from causal_tasks.uplift import (
    CANDIDATES,
    SLearner,
    TLearner,
    XLearner,
    candidate,
    load_learner,
    predict_out_of_fold,
)


def experiment(n=12_000, *, effect=1.0, treatments=1, seed=0):
    """Users with numeric, categorical and missing features, and effects that two of them decide."""
    random = np.random.default_rng(seed)
    X = pd.DataFrame({f"x{i}": random.normal(size=n).astype("float32") for i in range(5)})
    X["city"] = pd.Categorical(random.choice(["a", "b", "c"], n), categories=["a", "b", "c"])
    X.loc[::6, "x1"] = np.nan
    first = effect * np.where(X["x1"].isna(), 1.0, np.where(X["city"] == "b", -1.0, 0.0))
    effects = np.column_stack([first, effect * (X["x0"] > 0)])[:, :treatments]
    arm = random.integers(0, treatments + 1, n)
    received = np.column_stack([np.zeros(n), effects])[np.arange(n), arm]
    outcome = X["x2"] + random.normal(size=n) * 0.5 + received
    return X, outcome.to_numpy(dtype=float), arm, effects


def fast(learner=TLearner, trees=60):
    return learner(LightGBM(n_estimators=trees, learning_rate=0.1, min_child_samples=50))


def test_a_planted_effect_is_recovered_on_users_it_has_not_seen():
    X, outcome, arm, _ = experiment()
    new, _, _, effects = experiment(seed=1)
    uplift = fast().fit(X, outcome, arm).predict(new)
    assert uplift.shape == (len(new),)
    assert spearmanr(uplift, effects[:, 0]).statistic > 0.8
    assert np.sqrt(np.mean((uplift - effects[:, 0]) ** 2)) < 0.3 * effects[:, 0].std()


def test_without_an_effect_predictions_stay_near_zero():
    X, outcome, arm, _ = experiment(effect=0.0)
    new = experiment(seed=1)[0]
    uplift = fast().fit(X, outcome, arm).predict(new)
    assert abs(uplift.mean()) < 0.05
    assert uplift.std() < 0.15 * outcome.std()


def test_treatments_come_in_the_order_of_their_labels_and_share_the_control_model():
    X, outcome, arm, effects = experiment(treatments=2)
    labels = np.array(["control", "z", "a"])[arm]
    learner = fast().fit(X, outcome, labels, control="control")
    assert learner.control_ == "control"
    assert learner.treatments_ == ["a", "z"]
    uplift = learner.predict(X)
    assert uplift.shape == (len(X), 2)
    for column, effect in ((0, effects[:, 1]), (1, effects[:, 0])):
        assert spearmanr(uplift[:, column], effect).statistic > 0.8
    outcomes = learner.predict_outcomes(X)
    np.testing.assert_array_equal(outcomes[:, 1:] - outcomes[:, [0]], uplift)


@pytest.mark.parametrize("learner", [TLearner, XLearner])
@pytest.mark.parametrize("shares", [{0: 0.5, 1: 0.3, 2: 0.2}, None], ids=["known", "unknown"])
def test_a_treatment_is_learned_as_if_the_other_ones_were_not_there(learner, shares):
    X, outcome, arm, _ = experiment(3_000, treatments=2)
    together = fast(learner, trees=20).fit(X, outcome, arm, propensity=shares).predict(X)
    for column, other in ((0, 2), (1, 1)):
        rows = arm != other
        known = shares and {label: share for label, share in shares.items() if label != other}
        # Of the same matrix, for bins come from all of its rows.
        its = DesignMatrix(X).take(np.flatnonzero(rows))
        alone = fast(learner, trees=20).fit(its, outcome[rows], arm[rows], propensity=known)
        np.testing.assert_array_equal(alone.predict(X), together[:, column])


@pytest.mark.parametrize("learner", [SLearner, TLearner, XLearner])
@pytest.mark.parametrize(
    ("labels", "control", "arms"),
    [
        ([False, True], None, (False, True)),
        ([7, 3], 7, (7, 3)),
        (["z", "a"], "z", ("z", "a")),
        (pd.Categorical(["z", "a"]), "z", ("z", "a")),
    ],
    ids=["booleans", "numbers", "text", "categories"],
)
def test_arms_may_be_of_any_kind_and_keep_it_when_saved(learner, labels, control, arms, tmp_path):
    X, outcome, arm, _ = experiment(2_000)
    by_code = fast(learner, trees=5).fit(X, outcome, arm, propensity={0: 0.8, 1: 0.2})
    treatment = labels.take(arm) if isinstance(labels, pd.Categorical) else np.array(labels)[arm]
    named = fast(learner, trees=5).fit(
        X, outcome, treatment, control=control, propensity=dict(zip(arms, (0.8, 0.2), strict=True))
    )
    np.testing.assert_array_equal(named.predict_outcomes(X), by_code.predict_outcomes(X))
    named.save(tmp_path)
    loaded = load_learner(tmp_path)
    assert loaded.arms_ == named.arms_ == arms
    assert type(loaded.control_) is type(arms[0])
    np.testing.assert_array_equal(loaded.predict_outcomes(X), named.predict_outcomes(X))


def test_swapping_the_arms_turns_the_sign():
    X, outcome, arm, _ = experiment(2_000)
    np.testing.assert_array_equal(fast().fit(X, outcome, 1 - arm).predict(X), -fast().fit(X, outcome, arm).predict(X))


def test_a_weight_of_a_user_reaches_the_models():
    X, outcome, arm, _ = experiment(4_000)
    shifted = np.concatenate([outcome, outcome + 100 * arm])
    weight = np.repeat([1.0, 1e-9], len(outcome))
    learner = fast().fit(pd.concat([X, X]), shifted, np.tile(arm, 2), sample_weight=weight)
    assert abs(learner.predict(X).mean()) < 1


def test_a_saved_learner_predicts_the_same(tmp_path):
    X, outcome, arm, _ = experiment(2_000, treatments=2)
    labels = np.array(["对照/组", "b", "C-1"])[arm]
    learner = fast().fit(X, outcome, labels, control="对照/组")
    learner.save(tmp_path / "fold-0")
    loaded = TLearner.load(tmp_path / "fold-0")
    np.testing.assert_array_equal(loaded.predict_outcomes(X), learner.predict_outcomes(X))
    assert loaded.arms_ == ("对照/组", "C-1", "b")
    assert loaded.base_model.get_params() == learner.base_model.get_params()
    assert sorted(file.name for file in (tmp_path / "fold-0").iterdir()) == [
        "model.json",
        "outcome-0.txt",
        "outcome-1.txt",
        "outcome-2.txt",
    ]


def test_a_folder_of_an_unknown_model_is_refused(tmp_path):
    X, outcome, arm, _ = experiment(500)
    fast().fit(X, outcome, arm).save(tmp_path)
    description = json.loads((tmp_path / "model.json").read_text())
    description["state"]["base_model"] = "CatBoost"
    (tmp_path / "model.json").write_text(json.dumps(description))
    with pytest.raises(InputError, match="was made from CatBoost"):
        TLearner.load(tmp_path)


def test_a_folder_of_another_learner_is_refused(tmp_path):
    X, outcome, arm, _ = experiment(500)
    fast(XLearner, trees=2).fit(X, outcome, arm).save(tmp_path)
    with pytest.raises(InputError, match="holds a XLearner, not a TLearner"):
        TLearner.load(tmp_path)
    description = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps(description | {"learner": "ULearner"}))
    with pytest.raises(InputError, match="holds a ULearner; load one of SLearner, TLearner"):
        load_learner(tmp_path)


@pytest.mark.parametrize("learner", [SLearner, TLearner, XLearner])
def test_a_learner_that_is_not_fitted_neither_predicts_nor_saves(learner, tmp_path):
    with pytest.raises(NotFittedError):
        fast(learner).predict(experiment(10)[0])
    with pytest.raises(NotFittedError):
        fast(learner).save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_model_of_a_newer_library_is_refused(tmp_path):
    X, outcome, arm, _ = experiment(500)
    fast().fit(X, outcome, arm).save(tmp_path)
    description = json.loads((tmp_path / "model.json").read_text())
    description["library"]["version"] = "99.1.0"
    (tmp_path / "model.json").write_text(json.dumps(description))
    with pytest.raises(InputError, match=r"saved with lightgbm 99\.1\.0"):
        TLearner.load(tmp_path)


def test_two_fits_write_the_same_bytes(tmp_path):
    X, outcome, arm, _ = experiment(2_000)
    for name in ("one", "two"):
        fast().fit(X, outcome, arm).save(tmp_path / name)
    files = [{f.name: f.read_bytes() for f in (tmp_path / name).iterdir()} for name in ("one", "two")]
    assert files[0] == files[1]


def test_a_clone_shares_no_model_with_its_original():
    learner = fast()
    copy = clone(learner)
    assert copy.get_params()["base_model__n_estimators"] == 60
    copy.set_params(base_model__n_estimators=3)
    assert learner.base_model.n_estimators == 60
    X, outcome, arm, _ = experiment(500)
    learner.fit(X, outcome, arm)
    assert not hasattr(learner.base_model, "booster_")
    assert repr(learner).startswith("TLearner(base_model=LightGBM(")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"treatment": np.zeros(500)}, "every row is in the control arm"),
        ({"treatment": np.array(["a", "b"] * 250)}, "no label among"),
        ({"outcome": np.zeros(499)}, r"have \[499, 500\] rows"),
        ({"outcome": np.full(500, np.nan)}, "missing or infinite"),
    ],
)
def test_data_that_cannot_be_learned_from_is_refused(change, message):
    X, outcome, arm, _ = experiment(500)
    with pytest.raises(InputError, match=message):
        fast().fit(**({"X": X, "outcome": outcome, "treatment": arm} | change))


def test_an_arm_called_like_the_position_of_another_keeps_a_model_of_its_own(tmp_path):
    X, outcome, arm, _ = experiment(2_000)
    learner = fast().fit(X, outcome, np.where(arm == 1, "arm-0", "对照"), control="对照")
    learner.save(tmp_path)
    assert np.array_equal(TLearner.load(tmp_path).predict_outcomes(X), learner.predict_outcomes(X))


def test_every_named_candidate_is_a_learner_with_the_given_seed_and_threads():
    for name in CANDIDATES:
        unfitted = candidate(name, n_jobs=3, random_state=7)
        inner = getattr(unfitted, "base_model", unfitted)
        assert (inner.n_jobs, inner.random_state) == (3, 7)


def test_a_candidates_parameters_replace_those_of_its_base_model():
    parameters = candidate("s_xgboost", parameters={"max_depth": 2}).get_params()
    default = candidate("s_xgboost").get_params()
    assert {name for name in default if repr(parameters[name]) != repr(default[name])} == {
        "base_model",
        "base_model__max_depth",
    }
    with pytest.raises(InputError, match=r"x_random_forest: .*'learning_rate'"):
        candidate("x_random_forest", parameters={"learning_rate": 0.1})


def test_an_unknown_candidate_is_refused_with_the_known_names():
    with pytest.raises(InputError, match=r"'t_catboost' is unknown; use one of t_lightgbm"):
        candidate("t_catboost")


def test_out_of_fold_predictions_come_from_the_model_that_has_not_seen_the_user():
    X, outcome, arm, _ = experiment(3_000)
    fold = np.arange(len(X)) % 3
    crossed = predict_out_of_fold(fast(), X, outcome, arm, fold)
    others = DesignMatrix(X).take(np.flatnonzero(fold != 0))
    without_first = fast().fit(others, outcome[fold != 0], arm[fold != 0])
    np.testing.assert_array_equal(crossed.outcomes[fold == 0], without_first.predict_outcomes(X[fold == 0]))
    assert sorted(crossed.learners) == [0, 1, 2]


def test_a_users_own_outcome_never_moves_its_own_prediction():
    X, outcome, arm, _ = experiment(1_000)
    fold = np.arange(len(X)) % 2
    changed = np.where(fold == 0, outcome + 1_000, outcome)
    before, after = (predict_out_of_fold(fast(), X, y, arm, fold).outcomes for y in (outcome, changed))
    np.testing.assert_array_equal(before[fold == 0], after[fold == 0])
    assert (after[fold == 1] - before[fold == 1]).to_numpy().min() > 500


def test_users_without_an_outcome_are_predicted_but_not_learned_from():
    X, outcome, arm, _ = experiment(2_000)
    fold = np.arange(len(X)) % 2
    unknown = np.arange(len(X)) % 10 == 0
    crossed = predict_out_of_fold(fast(), X, np.where(unknown, np.nan, outcome), arm, fold)
    known = DesignMatrix(X).take(np.flatnonzero(~unknown))
    without = predict_out_of_fold(fast(), known, outcome[~unknown], arm[~unknown], fold[~unknown])
    np.testing.assert_array_equal(crossed.outcomes[~unknown], without.outcomes)
    assert np.isfinite(crossed.outcomes.to_numpy()).all()


def test_users_of_no_fold_get_the_mean_of_all_models():
    X, outcome, arm, _ = experiment(2_000)
    new = experiment(50, seed=1)[0]
    crossed = predict_out_of_fold(fast(), X, outcome, arm, np.arange(len(X)) % 2)
    both = [crossed.learners[fold].predict_outcomes(new) for fold in (0, 1)]
    np.testing.assert_allclose(crossed.predict_outcomes(new), np.mean(both, axis=0), rtol=1e-6)


def test_a_single_fold_is_refused():
    X, outcome, arm, _ = experiment(500)
    with pytest.raises(InputError, match=r"only fold is \[3\]"):
        predict_out_of_fold(fast(), X, outcome, arm, np.full(500, 3))


def test_an_experiment_trains_s_t_and_x_with_every_base_model_and_the_networks_unless_it_says_otherwise():
    trained = Mining().candidates
    assert len(trained) == 11
    assert set(trained) == {name for name in CANDIDATES if not name.startswith(("r_", "dr_"))}


def test_what_a_model_predicted_does_not_keep_the_model():
    X, outcome, arm, _ = experiment(600)
    asked = DesignMatrix(X)
    learner = fast(trees=2).fit(X, outcome, arm)
    kept = ref(learner.models_["outcome-0"])
    learner.predict(asked)
    del learner
    gc.collect()
    assert kept() is None


def test_models_that_count_as_equal_predict_for_themselves():
    @dataclass
    class Mean(RegressorMixin, BaseEstimator):
        """Equal to all others, and not hashable, as a dataclass is."""

        def fit(self, X, y):
            self.mean_ = np.mean(y)
            return self

        def predict(self, X):
            return np.full(len(X), self.mean_)

    X, outcome, arm, _ = experiment(600)
    predicted = TLearner(Mean()).fit(X, outcome, arm).predict_outcomes(DesignMatrix(X))
    np.testing.assert_allclose(predicted[0], [outcome[arm == 0].mean(), outcome[arm == 1].mean()], rtol=1e-6)
