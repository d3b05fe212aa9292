"""What every base model learns from outcomes, weights and seeds."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from causal_tasks.errors import InputError
from tests.unit.base_models.listeners import BOOSTED, MODELS, listeners, one_tree, quick

every_model = pytest.mark.parametrize("name", MODELS)


@every_model
def test_the_mean_is_learned_through_missing_values_and_categories(name):
    X, mean = listeners()
    noise = np.random.default_rng(1).normal(size=len(X))
    new, new_mean = listeners(seed=2)
    predicted = quick(name).fit(X, mean + noise).predict(new)
    assert predicted.dtype == np.float32
    assert np.sqrt(np.mean((predicted - new_mean) ** 2)) < 0.25 * new_mean.std()


@every_model
def test_outcomes_of_0_and_1_are_predicted_as_calibrated_probabilities(name):
    X, mean = listeners(20_000)
    probability = 1 / (1 + np.exp(1 - mean))
    outcome = np.random.default_rng(1).random(len(X)) < probability
    predicted = quick(name, min_child_samples=100).fit(X, outcome).predict(X)
    assert -1e-6 < predicted.min() < predicted.max() < 1 + 1e-6
    for tenth in np.array_split(np.argsort(predicted, kind="stable"), 10):
        assert predicted[tenth].mean() == pytest.approx(probability[tenth].mean(), abs=0.05)
    assert predicted.mean() == pytest.approx(outcome.mean(), abs=0.005)


@pytest.mark.parametrize("name", BOOSTED)
def test_the_defaults_find_what_doubles_a_rare_outcome(name):
    X, _ = listeners(30_000)
    probability = np.where(X["new"] == 1, 0.02, 0.01)
    outcome = np.random.default_rng(3).random(len(X)) < probability
    predicted = type(quick(name))().fit(X, outcome).predict(X)
    assert predicted[X["new"] == 1].mean() / predicted[X["new"] == 0].mean() > 1.5
    assert predicted.mean() == pytest.approx(outcome.mean(), rel=0.05)


@every_model
@pytest.mark.parametrize("kind", ["continuous", "rare and binary"])
def test_no_leaf_has_fewer_rows_than_asked_for(name, kind):
    random = np.random.default_rng(0)
    X = pd.DataFrame({"x": random.normal(size=4_000)})
    high = X["x"] > np.sort(X["x"])[-100]
    outcome = (
        high * 5.0 + random.normal(size=4_000) if kind == "continuous" else random.random(4_000) < 0.01 + 0.2 * high
    )
    leaves = one_tree(name, splits=3, min_child_samples=250).fit(X, outcome).predict(X)
    sizes = np.unique(leaves, return_counts=True)[1]
    assert len(sizes) > 1
    assert 250 <= sizes.min() < 500


@every_model
def test_a_leaf_predicts_the_mean_of_its_rows(name):
    X = pd.DataFrame({"x": [0.0] * 30 + [1.0] * 70})
    outcome = np.random.default_rng(0).gamma(1.0, size=100) + 10.0 * X["x"].to_numpy()
    predicted = one_tree(name, splits=1).fit(X, outcome).predict(X)
    expected = np.where(X["x"] == 0, outcome[:30].mean(), outcome[30:].mean())
    np.testing.assert_allclose(predicted, expected, rtol=1e-6)


@pytest.mark.parametrize("name", BOOSTED)
@pytest.mark.parametrize("kind", ["continuous", "rare and binary"])
def test_the_penalty_counts_as_rows_of_mean_outcome_in_every_leaf(name, kind):
    random = np.random.default_rng(0)
    X = pd.DataFrame({"x": np.arange(4_000) % 4 == 0})
    outcome = (random.random(4_000) < 0.02 + 0.02 * X["x"]) if kind == "rare and binary" else random.normal(size=4_000)
    total, mean = outcome[X["x"]].sum(), outcome.mean()
    predicted = one_tree(name, splits=1, reg_lambda=500.0).fit(X, outcome).predict(X)[0]
    step = (total - 1_000 * mean) / (1_000 + 500)
    if kind == "rare and binary":
        odds = mean / (1 - mean) * np.exp(step / (mean * (1 - mean)))
        assert predicted == pytest.approx(odds / (1 + odds), rel=1e-5)
    else:
        assert predicted == pytest.approx(mean + step, rel=1e-5)


@every_model
def test_four_rows_are_a_leaf_however_rare_the_outcome(name):
    X = pd.DataFrame({"x": np.arange(40_000) % 10_000 == 0})
    model = one_tree(name, splits=1, min_child_samples=3).fit(X, X["x"])
    assert model.used_features() == {"x"}


@every_model
@pytest.mark.parametrize("seed", range(3))
def test_a_few_hundred_rows_with_a_handful_of_ones_are_fitted(name, seed):
    """Where splits gain nothing LightGBM tries to part a leaf from no rows, and gives up."""
    random = np.random.default_rng(seed)
    often = random.random(500) < 0.3
    X = pd.DataFrame({"x0": np.where(often, 20.0, random.uniform(12, 20, 500))})
    rare = random.random(500) < 0.2
    X["x1"] = np.where(rare, random.integers(14, 50, 500), 13.0)
    outcome = random.random(500) < np.where(rare, 0.12, 0.003)
    predicted = type(quick(name))(min_child_samples=20).fit(X, outcome).predict(X)
    assert predicted.mean() == pytest.approx(outcome.mean(), abs=0.01)
    assert predicted[rare].mean() > predicted[~rare].mean()


@every_model
@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_the_unit_of_the_outcome_does_not_change_what_is_learned(name, unit):
    X, mean = listeners(2_000)
    outcome = mean + np.random.default_rng(1).normal(size=len(X))
    predicted = quick(name, n_estimators=5).fit(X, outcome).predict(X)
    scaled = quick(name, n_estimators=5).fit(X, outcome * unit).predict(X)
    np.testing.assert_allclose(scaled / unit, predicted, rtol=1e-3, atol=1e-3)


@every_model
@pytest.mark.parametrize("value", [7.1, 0.0, 1.0])
def test_a_constant_outcome_is_predicted_exactly(name, value):
    X, _ = listeners(500)
    model = quick(name).fit(X, np.full(500, value))
    np.testing.assert_array_equal(model.predict(X), np.float32(value))
    assert model.used_features() == frozenset()


@every_model
def test_one_row_is_enough_to_predict_its_outcome(name):
    X, _ = listeners(50)
    assert quick(name).fit(X.iloc[[4]], [2.5]).predict(X).tolist() == [2.5] * 50


@every_model
def test_weights_count_like_repeated_rows(name):
    random = np.random.default_rng(0)
    X = pd.DataFrame({"x": random.integers(0, 8, 400), "city": pd.Categorical(random.choice(["a", "b"], 400))})
    outcome = X["x"].to_numpy() * np.where(X["city"] == "a", 1.0, -1.0) + random.normal(size=400)
    weight = random.integers(0, 4, 400)
    rows = np.repeat(np.arange(400), weight)
    weighted = one_tree(name, splits=2).fit(X, outcome, sample_weight=weight).predict(X)
    repeated = one_tree(name, splits=2).fit(X.iloc[rows], outcome[rows]).predict(X)
    plain = one_tree(name, splits=2).fit(X, outcome).predict(X)
    np.testing.assert_allclose(weighted, repeated, rtol=1e-5)
    assert np.abs(weighted - plain).max() > 0.01


@every_model
@pytest.mark.parametrize("binary", [False, True])
def test_only_the_ratios_of_weights_count(name, binary):
    X, mean = listeners(2_000)
    random = np.random.default_rng(1)
    outcome = random.random(2_000) < 0.3 if binary else mean + random.normal(size=2_000)
    weight = random.uniform(0.5, 2.0, 2_000)
    one, eight = (
        quick(name, n_estimators=5).fit(X, outcome, sample_weight=weight * unit).predict(X) for unit in (1, 8)
    )
    np.testing.assert_array_equal(one, eight)


@every_model
@pytest.mark.parametrize("outcome", [[1.0, np.nan, 2.0], [1.0, np.inf, 2.0], [1.0, 2.0], []])
def test_outcomes_that_cannot_be_learned_are_refused(name, outcome):
    with pytest.raises(InputError, match="outcome of shape"):
        quick(name).fit(pd.DataFrame({"x": [1.0, 2.0, 3.0]}), outcome)


@pytest.mark.parametrize("weight", [[1.0, np.nan, 2.0], [1.0, -1.0, 2.0], [1.0, 2.0], [0.0, 0.0, 0.0]])
def test_weights_that_mean_nothing_are_refused(weight):
    with pytest.raises(InputError, match="sample_weight of shape"):
        quick("XGBoost").fit(pd.DataFrame({"x": [1.0, 2.0, 3.0]}), [1.0, 2.0, 3.0], sample_weight=weight)


@every_model
def test_a_parameter_that_the_library_refuses_is_named(name):
    X, mean = listeners(200)
    wrong = {"num_leaves": 1} if name == "LightGBM" else {"max_depth": -1}
    with pytest.raises(InputError, match=rf"{name} cannot fit this data: .*{next(iter(wrong))}"):
        quick(name, **wrong).fit(X, mean)


@every_model
@pytest.mark.parametrize("binary", [False, True])
def test_the_model_is_the_same_bit_by_bit_whatever_the_number_of_threads(name, binary, tmp_path):
    X, mean = listeners(20_000)
    X["mirrored"] = -X["minutes"]
    random = np.random.default_rng(1)
    outcome = random.random(len(X)) < 0.3 if binary else mean + np.exp(2 * random.normal(size=len(X)))
    weight, saved = random.uniform(0.5, 2.0, len(X)), []
    for jobs in (1, 2, 3):
        model = quick(name, n_jobs=jobs, n_estimators=8).fit(X, outcome, sample_weight=weight)
        model.save(tmp_path / "model")
        saved.append((_trees(name, tmp_path / "model"), model.predict(X).tobytes()))
    assert saved[0] == saved[1] == saved[2]


def _trees(name, path):
    """What was saved, without the number of threads, which LightGBM writes down."""
    content = path.read_bytes()
    return content.partition(b"parameters:")[0] if name == "LightGBM" else content


@every_model
def test_another_seed_gives_another_model(name):
    X, mean = listeners(2_000)
    share = {"colsample_bynode" if name == "RandomForest" else "colsample_bytree": 0.5}
    one, two = (quick(name, random_state=seed, **share).fit(X, mean).predict(X) for seed in (0, 1))
    assert (one != two).any()


@every_model
def test_a_clone_has_the_parameters_and_nothing_learned(name):
    X, mean = listeners(500)
    fitted = quick(name, n_estimators=7).fit(X, mean)
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert copy.get_params()["n_estimators"] == 7
    with pytest.raises(NotFittedError):
        copy.predict(X)
    assert copy.set_params(n_estimators=9).n_estimators == 9
    assert fitted.n_estimators == 7
