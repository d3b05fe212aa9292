import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from causal_tasks.base_models import BASE_MODELS, LightGBM
from causal_tasks.errors import ConfigurationError, InputError


def users(n=4_000, seed=0):
    """Three kinds of column, one of each with missing values, and the mean they decide."""
    random = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "minutes": random.normal(size=n).astype("float32"),
            "时长[日]": random.normal(size=n),
            "new": random.integers(0, 2, n).astype("int8"),
            "city": pd.Categorical(random.choice(["a", "b", "c"], n), categories=["a", "b", "c"]),
        }
    )
    X.loc[::5, "minutes"] = np.nan
    X.loc[3::7, "city"] = None
    mean = np.where(X["minutes"].isna(), 3.0, X["minutes"]) + 2.0 * (X["city"] == "b") + X["new"]
    return X, mean.to_numpy(dtype=float)


def test_the_mean_is_learned_through_missing_values_and_categories():
    X, mean = users()
    noise = np.random.default_rng(1).normal(size=len(X))
    new, new_mean = users(seed=2)
    predicted = LightGBM(learning_rate=0.2).fit(X, mean + noise).predict(new)
    assert predicted.dtype == np.float32
    assert np.sqrt(np.mean((predicted - new_mean) ** 2)) < 0.25 * new_mean.std()


def test_outcomes_of_0_and_1_are_predicted_as_probabilities():
    X, mean = users()
    probability = 1 / (1 + np.exp(-mean))
    outcome = np.random.default_rng(1).random(len(X)) < probability
    predicted = LightGBM(learning_rate=0.2).fit(X, outcome).predict(X)
    assert 0 < predicted.min() < predicted.max() < 1
    assert predicted.mean() == pytest.approx(probability.mean(), abs=0.02)


def test_a_level_never_seen_counts_as_missing():
    X, mean = users()
    model = LightGBM(learning_rate=0.2).fit(X, mean)
    unseen = X.assign(city=pd.Categorical(["nowhere"] * len(X)))
    missing = X.assign(city=pd.Categorical([None] * len(X), categories=["a", "b", "c"]))
    np.testing.assert_array_equal(model.predict(unseen), model.predict(missing))


def test_levels_are_matched_by_name_not_by_position():
    X, mean = users()
    model = LightGBM(learning_rate=0.2).fit(X, mean)
    reordered = X.assign(city=X["city"].cat.set_categories(["c", "b", "a"]))
    np.testing.assert_array_equal(model.predict(reordered[reordered.columns[::-1]]), model.predict(X))


def test_weights_count_like_repeated_rows():
    X, mean = users(800)
    weight = np.random.default_rng(0).integers(1, 4, len(X))
    rows = np.repeat(np.arange(len(X)), weight)
    settings = {"n_estimators": 5, "min_child_samples": 1, "num_leaves": 4, "colsample_bytree": 1.0}
    weighted = LightGBM(**settings).fit(X, mean, sample_weight=weight).predict(X)
    repeated = LightGBM(**settings).fit(X.iloc[rows], mean[rows]).predict(X)
    assert np.corrcoef(weighted, repeated)[0, 1] > 0.99
    assert weighted.mean() == pytest.approx(repeated.mean(), abs=0.02)


def test_the_same_data_and_parameters_give_the_same_bytes(tmp_path):
    X, mean = users()
    for name in ("one", "two"):
        LightGBM(n_estimators=20).fit(X, mean).save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_predictions_do_not_depend_on_the_number_of_threads():
    X, mean = users(20_000)
    outcome = mean + np.random.default_rng(1).normal(size=len(X))
    one, three = (LightGBM(n_estimators=30, n_jobs=jobs).fit(X, outcome).predict(X) for jobs in (1, 3))
    np.testing.assert_array_equal(one, three)


def test_another_seed_gives_another_model():
    X, mean = users()
    one, two = (LightGBM(n_estimators=20, random_state=seed).fit(X, mean).predict(X) for seed in (0, 1))
    assert (one != two).any()


def test_a_saved_model_predicts_the_same_and_knows_its_features(tmp_path):
    X, mean = users()
    model = LightGBM(n_estimators=20).fit(X, mean)
    model.save(tmp_path / "model.txt")
    loaded = LightGBM(n_estimators=20).load(tmp_path / "model.txt")
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert loaded.feature_names_in_.tolist() == list(X.columns)
    assert (tmp_path / "model.txt").read_text(encoding="utf-8").startswith("tree\n")


def test_a_clone_has_the_parameters_and_nothing_learned():
    X, mean = users(500)
    fitted = LightGBM(n_estimators=7, num_leaves=4).fit(X, mean)
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert copy.get_params()["n_estimators"] == 7
    assert not hasattr(copy, "booster_")
    assert copy.set_params(num_leaves=9).num_leaves == 9
    assert fitted.num_leaves == 4


def test_the_registry_names_every_class_as_it_is_called():
    assert all(model.__name__ == name for name, model in BASE_MODELS.items())


def test_the_frame_that_was_passed_is_left_as_it_was():
    X, mean = users(500)
    before = X.copy(deep=True)
    LightGBM(n_estimators=2).fit(X, mean).predict(X)
    pd.testing.assert_frame_equal(X, before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X.drop(columns="new"), r"lacks the columns \['new'\]"),
        (lambda X: X.assign(city=0.0), r"categorical columns \[\], the model was fitted with 1"),
        (lambda X: X.assign(new="text"), "feature 'new' is of type"),
    ],
)
def test_a_frame_of_another_shape_is_refused_in_predict(change, message):
    X, mean = users(500)
    model = LightGBM(n_estimators=2).fit(X, mean)
    with pytest.raises(InputError, match=message):
        model.predict(change(X))


@pytest.mark.parametrize("outcome", [[1.0, np.nan, 2.0], [1.0, np.inf, 2.0], [1.0, 2.0], []])
def test_outcomes_that_cannot_be_learned_are_refused(outcome):
    with pytest.raises(InputError, match="outcome of shape"):
        LightGBM().fit(pd.DataFrame({"x": [1.0, 2.0, 3.0]}), outcome)


def test_a_gpu_that_lightgbm_cannot_use_is_no_silent_cpu_run():
    import lightgbm

    X, mean = users(500)
    model = LightGBM(device="cuda")
    try:
        lightgbm.train({"device_type": "cuda", "verbosity": -1}, lightgbm.Dataset(X[["new"]], mean), 1)
    except lightgbm.basic.LightGBMError:
        with pytest.raises(ConfigurationError, match="cannot train on the GPU"):
            model.fit(X, mean)
    else:
        pytest.skip("this LightGBM can use a GPU")
