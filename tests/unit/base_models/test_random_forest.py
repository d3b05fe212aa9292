"""The forest that XGBoost grows against closed forms and scikit-learn's."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestRegressor

from causal_tasks.base_models import RandomForest
from tests.unit.base_models.listeners import listeners


def _problem(n, seed):
    random = np.random.default_rng(seed)
    X = pd.DataFrame(random.normal(size=(n, 6)), columns=[f"x{i}" for i in range(6)])
    mean = X["x0"] + np.sin(2 * X["x1"]) + X["x2"] * X["x3"] + (X["x4"] > 1)
    return X, mean.to_numpy(), mean.to_numpy() + random.normal(size=n)


def test_it_predicts_as_well_as_the_forest_of_scikit_learn():
    X, _, outcome = _problem(4_000, seed=0)
    new, mean, _ = _problem(4_000, seed=1)
    size = {"n_estimators": 50, "max_depth": 10, "random_state": 0}
    ours = RandomForest(**size, min_child_samples=5).fit(X, outcome).predict(new)
    theirs = (
        RandomForestRegressor(**size, min_samples_leaf=5, max_features=0.5, max_samples=0.7, n_jobs=1)
        .fit(X, outcome)
        .predict(new)
    )
    ours_off, theirs_off = (np.sqrt(np.mean((predicted - mean) ** 2)) for predicted in (ours, theirs))
    assert ours_off < 1.05 * theirs_off
    assert np.corrcoef(ours, theirs)[0, 1] > 0.97


def test_its_mean_prediction_is_the_mean_outcome():
    X, mean = listeners(5_000)
    outcome = 50 + mean + 3 * np.random.default_rng(0).normal(size=5_000)
    predicted = RandomForest().fit(X, outcome).predict(X)
    assert predicted.mean() == pytest.approx(outcome.mean(), abs=0.02 * outcome.std())


def test_every_tree_sees_other_rows_and_the_forest_is_their_mean():
    X = pd.DataFrame({"x": np.zeros(1_000), "half": np.arange(1_000) % 2})
    outcome = X["half"] + np.random.default_rng(0).normal(size=1_000)
    forest = RandomForest(n_estimators=40, max_depth=1, colsample_bynode=1.0).fit(X, outcome)
    trees = forest.booster_.trees_to_dataframe()
    rows = trees[trees["Node"] == 0]["Cover"]
    leaves = trees[trees["Feature"] == "Leaf"].groupby("Node")["Gain"]
    assert rows.mean() == pytest.approx(632, abs=10)
    assert leaves.nunique().min() > 30
    predicted = forest.predict(X)[:2]
    np.testing.assert_allclose(predicted, outcome.mean() + leaves.sum() * outcome.std(ddof=0), rtol=1e-4)


def test_a_rare_outcome_is_predicted_by_plain_means():
    X = pd.DataFrame({"new": np.arange(4_000) % 2})
    outcome = np.zeros(4_000)
    outcome[:120:2], outcome[1:41:2] = 1.0, 1.0
    forest = RandomForest(n_estimators=1, subsample=1.0, colsample_bynode=1.0).fit(X, outcome)
    np.testing.assert_allclose(forest.predict(X)[:2], [60 / 2_000, 20 / 2_000], rtol=1e-5)
