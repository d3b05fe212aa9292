"""Learners made from scikit-learn's regressors, which get features as a frame."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from causal_tasks.base_models import DesignMatrix, LightGBM, StoredDesign
from causal_tasks.errors import InputError
from causal_tasks.uplift import DRLearner, RLearner, SLearner, TLearner, XLearner

LEARNERS = [SLearner, TLearner, XLearner, RLearner, DRLearner]

every_learner = pytest.mark.parametrize("learner", LEARNERS)


def experiment(n=6_000, *, seed=0, shift=0.0):
    """Users whose effect is 1 + x0, and ``shift`` more for those in city b; x1 decides what they do anyway."""
    random = np.random.default_rng(seed)
    X = pd.DataFrame(random.normal(size=(n, 3)), columns=["x0", "x1", "x2"])
    X["city"] = pd.Categorical(random.choice(["a", "b"], n))
    effect = 1.0 + X["x0"].to_numpy() + shift * (X["city"] == "b").to_numpy()
    arm = random.integers(0, 2, n)
    outcome = 3.0 + 2.0 * X["x1"].to_numpy() + arm * effect + 0.5 * random.normal(size=n)
    return X, outcome, arm, effect


def encoded(regressor):
    """A pipeline that encodes the city, scales the rest, and passes on whatever the learner has added."""
    encode = make_column_transformer((OneHotEncoder(), ["city"]), remainder=StandardScaler())
    return make_pipeline(encode, regressor)


@pytest.mark.parametrize("learner", [TLearner, XLearner, RLearner, DRLearner])
def test_a_linear_effect_is_recovered_by_linear_models(learner):
    X, outcome, arm, _ = experiment()
    new, _, _, effect = experiment(seed=1)
    numbers = ["x0", "x1", "x2"]
    uplift = learner(Ridge()).fit(X[numbers], outcome, arm).predict(new[numbers])
    assert (uplift.dtype, uplift.shape) == (np.float32, (len(new),))
    np.testing.assert_allclose(uplift, effect, atol=0.15)


def test_the_effect_of_a_linear_model_with_the_treatment_as_a_feature_is_its_coefficient():
    X, outcome, arm, _ = experiment()
    numbers = X[["x0", "x1", "x2"]]
    uplift = SLearner(LinearRegression()).fit(numbers, outcome, arm).predict(numbers)
    design = np.column_stack([np.ones(len(X)), arm, numbers])
    coefficient = np.linalg.lstsq(design, outcome, rcond=None)[0][1]
    np.testing.assert_allclose(uplift, coefficient, atol=1e-5)


@pytest.mark.parametrize("learner", [TLearner, XLearner])
def test_linear_models_give_what_their_closed_form_does(learner):
    """Linear X and T agree: what X fits on imputed effects is the difference of T's planes."""
    X, outcome, arm, _ = experiment(800)
    numbers = X[["x0", "x1", "x2"]]
    design = np.column_stack([np.ones(len(X)), numbers])
    planes = [np.linalg.lstsq(design[arm == a], outcome[arm == a], rcond=None)[0] for a in (0, 1)]
    uplift = learner(LinearRegression()).fit(numbers, outcome, arm).predict(numbers)
    np.testing.assert_allclose(uplift, design @ (planes[1] - planes[0]), atol=1e-4)


@every_learner
def test_an_effect_is_recovered_by_trees_of_scikit_learn_with_missing_values_and_categories(learner):
    X, outcome, arm, _ = experiment(shift=3.0)
    new, _, _, effect = experiment(seed=1, shift=3.0)
    X, new = (frame.assign(x2=frame["x2"].where(frame["x2"] > -1)) for frame in (X, new))
    trees = HistGradientBoostingRegressor(max_iter=60, categorical_features="from_dtype", random_state=0)
    fitted = learner(trees).fit(X, outcome, arm)
    uplift = fitted.predict(new)
    assert spearmanr(uplift, effect).statistic > 0.93
    assert uplift.mean() == pytest.approx(effect.mean(), abs=0.15)
    assert fitted.uses_treatment()


@every_learner
def test_a_pipeline_with_an_encoder_is_a_base_model(learner):
    X, outcome, arm, _ = experiment(shift=3.0)
    new, _, _, effect = experiment(seed=1, shift=3.0)
    uplift = learner(encoded(LinearRegression())).fit(X, outcome, arm).predict(new)
    if learner is SLearner:
        np.testing.assert_allclose(uplift, uplift[0], atol=1e-4)
        assert uplift.mean() == pytest.approx(effect.mean(), abs=0.1)
    else:
        np.testing.assert_allclose(uplift, effect, atol=0.2)


def test_the_parameters_of_a_pipeline_can_be_set_from_outside():
    learner = TLearner(encoded(Ridge()))
    changed = learner.with_parameters({"ridge__alpha": 7.0})
    assert changed.base_model.named_steps["ridge"].alpha == 7.0
    assert learner.base_model.named_steps["ridge"].alpha == 1.0
    assert learner.search_space == {}
    assert learner.device == "cpu"


def test_a_model_that_cannot_tell_what_it_uses_is_asked_for_its_predictions():
    X, outcome, arm, _ = experiment(500)

    class Mean(BaseEstimator):
        def fit(self, X, y):
            self.mean_ = y.mean()
            return self

        def predict(self, X):
            return np.full(len(X), self.mean_)

    assert not SLearner(Mean()).fit(X, outcome, arm).uses_treatment()
    assert SLearner(encoded(LinearRegression())).fit(X, outcome, arm).uses_treatment()


@pytest.mark.parametrize("learner", [SLearner, TLearner, XLearner])
def test_weights_reach_a_regressor_that_takes_them(learner):
    X, outcome, arm, _ = experiment(800)
    numbers = X[["x0", "x1", "x2"]]
    weight = np.random.default_rng(2).integers(0, 4, len(X))
    rows = np.repeat(np.arange(len(X)), weight)
    shares = {0: 0.5, 1: 0.5}
    weighted = learner(LinearRegression()).fit(numbers, outcome, arm, sample_weight=weight, propensity=shares)
    repeated = learner(LinearRegression()).fit(numbers.iloc[rows], outcome[rows], arm[rows], propensity=shares)
    np.testing.assert_allclose(weighted.predict(numbers), repeated.predict(numbers), atol=1e-4)


@pytest.mark.parametrize("routing", [False, True])
def test_weights_reach_the_last_step_of_a_pipeline(routing):
    X, outcome, arm, _ = experiment(800)
    numbers, weight = X[["x0", "x1", "x2"]], np.random.default_rng(2).uniform(0.1, 5.0, len(X))
    last = LinearRegression()
    with config_context(enable_metadata_routing=routing):
        steps = make_pipeline(FunctionTransformer(), last.set_fit_request(sample_weight=True) if routing else last)
        by_pipeline = TLearner(steps).fit(numbers, outcome, arm, sample_weight=weight).predict(numbers)
    alone = TLearner(LinearRegression()).fit(numbers, outcome, arm, sample_weight=weight).predict(numbers)
    np.testing.assert_array_equal(by_pipeline, alone)


def test_a_regressor_that_takes_no_weights_says_so_itself():
    X, outcome, arm, _ = experiment(200)

    class NoWeights(LinearRegression):
        def fit(self, X, y):
            return super().fit(X, y)

    numbers = X[["x0", "x1"]]
    assert TLearner(NoWeights()).fit(numbers, outcome, arm).predict(numbers).shape == (200,)
    with pytest.raises(TypeError, match="sample_weight"):
        TLearner(NoWeights()).fit(numbers, outcome, arm, sample_weight=np.ones(200))


def test_the_base_model_that_was_passed_stays_unfitted():
    X, outcome, arm, _ = experiment(200)
    base = Ridge()
    TLearner(base).fit(X[["x0", "x1"]], outcome, arm)
    assert not hasattr(base, "coef_")


@every_learner
def test_saving_says_why_it_cannot_and_leaves_no_model_behind(learner, tmp_path):
    X, outcome, arm, _ = experiment(200)
    fitted = learner(Ridge()).fit(X[["x0", "x1"]], outcome, arm)
    with pytest.raises(
        InputError, match=r"models of Ridge have no file format that holds no code; use one of .*LightGBM"
    ):
        fitted.save(tmp_path / "model")
    assert not list(tmp_path.rglob("*.json"))


def test_a_file_is_refused_by_a_model_that_cannot_read_it_in_parts(tmp_path):
    X, outcome, arm, _ = experiment(200)
    X.to_parquet(tmp_path / "features.parquet")
    for base_model in (Ridge(), LightGBM()):
        name = type(base_model).__name__
        with pytest.raises(InputError, match=rf"{name} cannot learn from a file; use XGBoost or RandomForest"):
            TLearner(base_model).fit(StoredDesign(tmp_path / "features.parquet"), outcome, arm)


@every_learner
def test_a_fitted_learner_predicts_a_file_as_it_does_a_frame(learner, tmp_path):
    X, outcome, arm, _ = experiment(400)
    X.to_parquet(tmp_path / "features.parquet")
    fitted = learner(encoded(Ridge())).fit(DesignMatrix(X), outcome, arm)
    stored = StoredDesign(tmp_path / "features.parquet")
    np.testing.assert_array_equal(fitted.predict(stored), fitted.predict(X))
    rows = np.arange(0, 400, 7)
    np.testing.assert_array_equal(fitted.predict(stored.take(rows)), fitted.predict(X.iloc[rows]))
