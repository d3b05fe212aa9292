"""R and DR learners: what they learn from, repeat, keep, share and refuse."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor

from causal_tasks.base_models import BASE_MODELS, DesignMatrix, LightGBM, StoredDesign, XGBoost
from causal_tasks.base_models.fitting import deciding
from causal_tasks.errors import InputError
from causal_tasks.experiment import Mining
from causal_tasks.uplift import CANDIDATES, DRLearner, RLearner, candidate, load_learner
from tests.unit.uplift.test_learner_formulas import GroupMeans, data
from tests.unit.uplift.test_recovery import experiment

BOTH = pytest.mark.parametrize("learner", [RLearner, DRLearner])
THREE_ARMS = {0: 0.5, 1: 0.3, 2: 0.2}


@pytest.mark.parametrize("base_model", BASE_MODELS.values())
@BOTH
def test_effects_on_a_rare_or_binary_outcome_may_be_negative(learner, base_model):
    """Scores of an outcome of 0 and 1 are any numbers: no model of them may stay within 0 and 1."""
    random = np.random.default_rng(0)
    X = pd.DataFrame({"group": random.integers(0, 2, 8_000).astype("float32")})
    arm = (random.random(8_000) < 0.3).astype(int)
    rate = np.where(X["group"] == 1, 0.6 - 0.4 * arm, 0.05 + 0.1 * arm)
    converts = (random.random(8_000) < rate).astype(float)
    fitted = learner(base_model(min_child_samples=50)).fit(X, converts, arm, propensity={0: 0.7, 1: 0.3})
    cells = pd.DataFrame({"group": np.array([0, 1], "float32")})
    np.testing.assert_allclose(fitted.predict(cells), [0.1, -0.4], atol=0.05)
    np.testing.assert_allclose(fitted.predict_outcomes(cells), [[0.05, 0.15], [0.6, 0.2]], atol=0.05)


@BOTH
def test_any_regressor_learns_with_missing_values(learner):
    random = np.random.default_rng(0)
    X = random.normal(size=(4_000, 2))
    X[::4, 0] = np.nan
    arm = random.integers(0, 2, 4_000)
    effect = np.isnan(X[:, 0]) * 1.0
    outcome = np.nan_to_num(X[:, 0]) + arm * effect + random.normal(size=4_000)
    base_model = HistGradientBoostingRegressor(max_iter=30, max_leaf_nodes=6, min_samples_leaf=100)
    uplift = learner(base_model, folds=2).fit(X, outcome, arm).predict(X)
    assert uplift[effect == 1].mean() == pytest.approx(1, abs=0.15)
    assert uplift[effect == 0].mean() == pytest.approx(0, abs=0.15)


def small(treatments=1):
    shares = (0.6, 0.4) if treatments == 1 else (0.4, 0.35, 0.25)
    X, outcome, arm, _ = experiment(effect=1.0, shares=shares)
    return X[:2_000], outcome[:2_000], arm[:2_000]


@BOTH
def test_a_fit_is_repeated_bit_by_bit_and_its_folds_follow_the_seed(learner):
    X, outcome, arm = small()
    base_model = LightGBM(n_estimators=10, random_state=3)

    def fitted(**arguments):
        return learner(clone(base_model), **arguments).fit(X, outcome, arm).predict(X)

    first = fitted()
    np.testing.assert_array_equal(first, fitted())
    np.testing.assert_array_equal(first, fitted(random_state=3))
    assert not np.array_equal(first, fitted(random_state=4))
    assert not np.array_equal(first, fitted(folds=2))


@pytest.mark.parametrize("known", [True, False])
@BOTH
def test_a_saved_learner_predicts_the_same_and_knows_its_folds(learner, known, tmp_path):
    X, outcome, arm = small(treatments=2)
    labels = np.array(["control", "女装", "b"])[arm]
    shares = {"control": 0.4, "女装": 0.35, "b": 0.25} if known else None
    fitted = learner(XGBoost(n_estimators=5, max_depth=2), folds=2, random_state=9)
    fitted.fit(X, outcome, labels, control="control", propensity=shares).save(tmp_path)
    loaded = load_learner(tmp_path)
    assert type(loaded) is learner
    assert (loaded.folds, loaded.random_state, loaded.base_model.max_depth) == (2, 9, 2)
    assert loaded.propensity_estimated_ != known
    np.testing.assert_array_equal(loaded.predict_outcomes(X), fitted.predict_outcomes(X))
    assert json.loads((tmp_path / "model.json").read_text())["parameters"] == fitted.parameters


def test_only_the_nuisances_that_predictions_need_are_saved(tmp_path):
    X, outcome, arm = small(treatments=2)
    for learner, known, models in (
        (DRLearner, None, {"outcome-0.fold-0", "outcome-0.fold-1", "effect-1", "effect-2"}),
        (
            RLearner,
            THREE_ARMS,
            {"mean-1.fold-0", "mean-1.fold-1", "mean-2.fold-0", "mean-2.fold-1", "effect-1", "effect-2"},
        ),
    ):
        folder = tmp_path / learner.__name__
        fitted = learner(XGBoost(n_estimators=2), folds=2).fit(X, outcome, arm, propensity=known)
        assert set(fitted.models_) == models
        fitted.save(folder)
        assert {path.name for path in folder.iterdir()} == {"model.json", *(f"{name}.ubj" for name in models)}


@BOTH
def test_parameters_name_the_learners_own_and_those_of_its_base_model_apart(learner):
    unfitted = learner(XGBoost(random_state=1, max_depth=4), folds=2, random_state=5)
    assert unfitted.parameters == deciding(unfitted.base_model.get_params()) | {"folds": 2, "folds_random_state": 5}
    changed = unfitted.with_parameters({"folds": 4, "folds_random_state": 6, "random_state": 7, "max_depth": 2})
    assert (changed.folds, changed.random_state) == (4, 6)
    assert (changed.base_model.random_state, changed.base_model.max_depth) == (7, 2)
    assert (unfitted.folds, unfitted.base_model.max_depth) == (2, 4)
    assert learner(XGBoost()).with_parameters(unfitted.parameters).parameters == unfitted.parameters


@pytest.fixture
def fits(monkeypatch):
    """How many models XGBoost has fitted."""
    calls = []
    train = XGBoost._train
    monkeypatch.setattr(XGBoost, "_train", lambda self, *arguments: calls.append(1) or train(self, *arguments))
    return calls


def test_learners_of_the_same_matrix_fit_no_model_twice(fits):
    X, outcome, arm = small()
    design, base_model = DesignMatrix(X), XGBoost(n_estimators=2)
    RLearner(base_model).fit(design, outcome, arm)
    assert len(fits) == 3 + 3 + 1
    RLearner(base_model).fit(design, outcome, arm)
    assert len(fits) == 7
    # The propensities are those of R.
    DRLearner(base_model).fit(design, outcome, arm)
    assert len(fits) == 7 + 2 * 3 + 1


@pytest.mark.parametrize(
    ("learner", "known", "count"),
    [
        (RLearner, True, 2 * (3 + 1)),
        (RLearner, False, 2 * (6 + 1)),
        (DRLearner, True, 9 + 2),
        (DRLearner, False, 18 + 2),
    ],
)
def test_arms_share_what_they_can(fits, learner, known, count):
    X, outcome, arm = small(treatments=2)
    learner(XGBoost(n_estimators=2)).fit(X, outcome, arm, propensity=THREE_ARMS if known else None)
    assert len(fits) == count


@BOTH
def test_features_in_a_file_teach_the_same(learner, tmp_path):
    X, outcome, arm = small()
    pq.write_table(pa.Table.from_pandas(X), tmp_path / "X.parquet")
    stored = StoredDesign(tmp_path / "X.parquet")
    one, other = (
        learner(XGBoost(n_estimators=20), folds=2).fit(design, outcome, arm).predict(X) for design in (X, stored)
    )
    assert np.corrcoef(one, other)[0, 1] > 0.98
    assert one.mean() == pytest.approx(other.mean(), abs=0.02)


@BOTH
def test_folds_that_cannot_be_drawn_are_refused(learner):
    X, outcome, arm = data(n=40)
    with pytest.raises(InputError, match="folds is 1; use a whole number"):
        learner(GroupMeans(), folds=1).fit(X, outcome, arm)
    with pytest.raises(InputError, match=r"all .* users of arm 1 are in one fold"):
        learner(GroupMeans()).fit(X, outcome, arm, clusters=np.where(arm == 1, 40, np.arange(40)))


def test_experiments_can_name_them_and_do_not_unless_they_say_so():
    for name in ("r_lightgbm", "r_xgboost", "r_random_forest", "dr_lightgbm", "dr_xgboost", "dr_random_forest"):
        assert name in CANDIDATES
        assert name not in Mining().candidates
        assert Mining(candidates=(name,)).candidates == (name,)
    named = candidate("dr_xgboost", random_state=2, parameters={"folds": 2, "max_depth": 2})
    assert (type(named), named.folds, named.base_model.max_depth) == (DRLearner, 2, 2)
    with pytest.raises(InputError, match=r"r_lightgbm: .*'leaves'.*use some of colsample_bytree, "):
        candidate("r_lightgbm", parameters={"leaves": 3})
