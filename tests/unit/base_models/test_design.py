"""What rows of one matrix share: numbers, bins and models, and nothing else."""

from collections import Counter

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causal_tasks.base_models import DesignMatrix, LightGBM, XGBoost, fit_model
from causal_tasks.base_models.features import Features
from causal_tasks.errors import InputError
from tests.unit.base_models.listeners import BOOSTED, MODELS, listeners, one_tree, quick

every_model = pytest.mark.parametrize("name", MODELS)


def users(n=3_000, seed=0):
    X, mean = listeners(n, seed)
    return X, mean + np.random.default_rng(seed + 1).normal(size=n)


@pytest.fixture
def counted(monkeypatch):
    """How often features were read, by what they were read from."""
    reads = Counter()
    read_codes = Features.read_codes

    def counting(self, X, rows=slice(None)):
        codes = read_codes(self, X, rows)
        reads[len(codes)] += 1
        return codes

    monkeypatch.setattr(Features, "read_codes", counting)
    return reads


@pytest.fixture
def trained(monkeypatch):
    """Names of the models whose trees were grown, in order."""
    grown = []
    for model in (LightGBM, XGBoost):
        train = model._train

        def counting(self, design, outcome, train=train):
            grown.append(type(self).__name__)
            return train(self, design, outcome)

        monkeypatch.setattr(model, "_train", counting)
    return grown


@every_model
def test_a_model_of_all_rows_is_bit_equal_to_one_of_the_frame_whatever_was_fitted_before(name):
    X, outcome = users()
    shared = DesignMatrix(X)
    some = np.arange(0, len(X), 3)
    for other in MODELS:
        quick(other).fit(shared.take(some), outcome[some])
    alone = quick(name).fit(X, outcome).predict(X)
    np.testing.assert_array_equal(quick(name).fit(shared, outcome).predict(shared), alone)
    every = shared.take(np.arange(len(X)))
    np.testing.assert_array_equal(quick(name).fit(every, outcome).predict(X), alone)


@every_model
def test_where_every_value_has_a_bin_of_its_own_shared_bins_change_nothing(name):
    random = np.random.default_rng(0)
    X = pd.DataFrame({f"x{i}": random.integers(0, 20, 4_000) for i in range(3)})
    X["city"] = pd.Categorical(random.choice(["a", "b", "c"], 4_000))
    outcome = X["x0"].to_numpy() + (X["city"] == "b").to_numpy() * 5 + random.normal(size=4_000)
    rows = np.flatnonzero(random.random(4_000) < 0.5)
    shared = quick(name, n_estimators=10).fit(DesignMatrix(X).take(rows), outcome[rows])
    unshared = quick(name, n_estimators=10).fit(X.iloc[rows], outcome[rows])
    np.testing.assert_allclose(shared.predict(X), unshared.predict(X), rtol=1e-5)


@every_model
def test_elsewhere_shared_bins_move_predictions_by_no_more_than_other_bins_do(name):
    X, outcome = users(6_000)
    rows = np.flatnonzero(np.random.default_rng(3).random(6_000) < 0.5)
    shared = quick(name).fit(DesignMatrix(X).take(rows), outcome[rows]).predict(X)
    unshared = quick(name).fit(X.iloc[rows], outcome[rows]).predict(X)
    other_bins = quick(name, max_bin=quick(name).max_bin - 7).fit(X.iloc[rows], outcome[rows]).predict(X)
    moved, explained = np.std(shared - unshared), np.std(other_bins - unshared)
    assert moved < 1.5 * explained
    assert moved < 0.15 * outcome.std()


@every_model
def test_the_whole_matrix_is_read_and_binned_once_for_all_that_is_taken_from_it(name, counted):
    X, outcome = users(1_000)
    design = DesignMatrix(X)
    for rows in (np.arange(500), np.arange(500, 1_000), np.arange(250, 750)):
        quick(name, n_estimators=2).fit(design.take(rows), outcome[rows])
    assert counted[1_000] == 1


@every_model
def test_a_chunk_is_read_once_for_all_models_that_predict_it(name, counted):
    X, outcome = users(1_000)
    models = [quick(name, n_estimators=2).fit(X, outcome + shift) for shift in (0, 1)]
    counted.clear()
    for chunk in DesignMatrix(X).chunks(400):
        for model in models:
            model.predict(chunk)
            model.predict(chunk)
    assert counted == {400: 2, 200: 1}


@pytest.mark.parametrize("name", BOOSTED)
def test_a_model_that_was_fitted_before_is_not_fitted_again(name, trained):
    X, outcome = users(600)
    design, rows = DesignMatrix(X), np.arange(0, 600, 2)
    first = fit_model(quick(name), design.take(rows), outcome[rows])
    assert fit_model(quick(name), design.take(rows.copy()), outcome[rows].copy()) is first
    assert fit_model(quick(name, n_jobs=2), design.take(rows), outcome[rows]) is first
    assert trained == [name]


@pytest.mark.parametrize("name", BOOSTED)
@pytest.mark.parametrize(
    "change", ["parameter", "outcome", "rows", "weight", "column", "column's values", "column's name", "matrix"]
)
def test_a_model_is_fitted_anew_for_anything_else(name, change, trained):
    X, outcome = users(600)
    design, rows = DesignMatrix(X), np.arange(300)
    column = np.arange(300) % 2
    base = quick(name, n_estimators=3)
    first = fit_model(base, design.take(rows).with_columns({"t": column}), outcome[rows])
    taken, learned, weight = design.take(rows).with_columns({"t": column}), outcome[rows], None
    if change == "parameter":
        base = quick(name, n_estimators=4)
    elif change == "outcome":
        learned = np.append(outcome[:299], 0.0)
    elif change == "rows":
        taken = design.take(rows + 1).with_columns({"t": column})
    elif change == "weight":
        weight = np.ones(300)
    elif change == "column":
        taken = design.take(rows)
    elif change == "column's values":
        taken = design.take(rows).with_columns({"t": 1 - column})
    elif change == "column's name":
        taken = design.take(rows).with_columns({"other": column})
    else:
        taken = DesignMatrix(X).take(rows).with_columns({"t": column})
    again = fit_model(base, taken, learned, weight)
    assert again is not first
    assert again.feature_names_in_.tolist() == taken.columns
    assert trained == [name, name]


def test_a_digest_tells_rows_outcomes_and_weights_apart():
    design = DesignMatrix(pd.DataFrame({"x": np.arange(6.0)}))
    one, two = np.arange(3.0), np.arange(3.0) + 1
    rows = design.take(np.array([0, 1, 2]))
    digests = [
        rows.digest(),
        rows.digest(one),
        rows.digest(two),
        rows.digest(one, one),
        rows.digest(one, None),
        rows.digest(None, one),
        design.take(np.array([1, 2, 3])).digest(one),
        design.digest(one),
    ]
    assert len(set(digests)) == len(digests)
    assert rows.digest(one) == design.take(np.array([0, 1, 2])).digest(one.copy())
    assert design.digest(one) == design.take(np.arange(6)).digest(one)


def test_a_digest_tells_outcomes_of_other_types_apart():
    design = DesignMatrix(pd.DataFrame({"x": [1.0, 2.0]}))
    assert design.digest(np.array([0, 0], dtype=np.float32)) != design.digest(np.array([0], dtype=np.float64))


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_taking_from_what_was_taken_and_reading_in_parts_gives_the_rows_of_the_frame(data):
    X, _ = listeners(40)
    positions = sorted(data.draw(st.sets(st.integers(0, 39), min_size=1)))
    inner = sorted(data.draw(st.sets(st.integers(0, len(positions) - 1), min_size=1)))
    part = data.draw(st.integers(1, 45))
    expected = X.iloc[positions].iloc[inner]
    taken = DesignMatrix(X).take(np.array(positions)).take(np.array(inner))
    assert len(taken) == len(expected)
    pd.testing.assert_frame_equal(taken.frame, expected)
    numbers = Features.of(X).read_codes(expected)
    np.testing.assert_array_equal(taken.codes, numbers)
    np.testing.assert_array_equal(np.concatenate([chunk.codes for chunk in taken.chunks(part)]), numbers)
    extra = taken.with_columns({"t": np.arange(len(inner))})
    batches = list(extra.batches(part))
    np.testing.assert_array_equal(np.concatenate([at for at, _ in batches]), np.arange(len(inner)))
    assert max(len(frame) for _, frame in batches) <= part
    read = pd.concat([frame for _, frame in batches])
    np.testing.assert_array_equal(read["t"], np.arange(len(inner)))
    pd.testing.assert_frame_equal(read.drop(columns="t"), expected)


def test_columns_are_added_before_the_others_for_these_rows_only():
    X, _ = listeners(10)
    design = DesignMatrix(X)
    extended = design.take(np.array([2, 5])).with_columns({"treatment:1": [True, False], "treatment:2": [0, 1]})
    assert extended.columns == ["treatment:1", "treatment:2", *X.columns]
    assert extended.frame.columns.tolist() == extended.features.names == extended.columns
    np.testing.assert_array_equal(extended.codes[:, :2], [[1, 0], [0, 1]])
    assert design.columns == list(X.columns)
    assert extended.without_columns().columns == list(X.columns)
    assert extended.with_columns({"other": [1, 2]}).columns == ["other", *X.columns]
    with pytest.raises(InputError, match="cannot be taken once columns were added"):
        extended.take(np.array([0]))


@every_model
def test_a_model_with_an_added_column_is_that_of_the_frame_with_it(name):
    X, outcome = users(2_000)
    added = np.arange(2_000) % 2
    outcome = outcome + 3.0 * added
    frame = pd.concat([pd.DataFrame({"t": added.astype(np.float32)}), X], axis="columns")
    extended = quick(name).fit(DesignMatrix(X).with_columns({"t": added}), outcome)
    assert "t" in extended.used_features()
    np.testing.assert_array_equal(extended.predict(frame), quick(name).fit(frame, outcome).predict(frame))


@pytest.mark.parametrize("positions", [[1, 0], [1, 1], [0, 2, 1]])
def test_rows_out_of_order_or_twice_are_refused(positions):
    with pytest.raises(InputError, match="positions are not increasing; sort them"):
        DesignMatrix(listeners(5)[0]).take(np.array(positions))


@every_model
def test_a_model_of_rows_that_lack_a_level_knows_the_levels_of_the_matrix(name):
    X, outcome = users(1_500)
    rows = np.flatnonzero((X["city"] != "e").to_numpy())
    model = quick(name).fit(DesignMatrix(X).take(rows), outcome[rows])
    assert np.isfinite(model.predict(X)).all()
    part = X.iloc[rows].assign(city=X["city"].iloc[rows].cat.remove_unused_categories())
    alone = quick(name).fit(part, outcome[rows])
    with pytest.raises(InputError, match=r"'city' has 1 levels that were not there in fit \('e'\)"):
        alone.predict(X)


@every_model
def test_the_order_in_which_levels_are_declared_decides_nothing(name):
    X, outcome = users(800)
    reordered = X.assign(city=X["city"].cat.reorder_categories(["e", "b", "a", "d", "c"]))
    model = quick(name, n_estimators=5, min_child_samples=150).fit(reordered, outcome)
    expected = quick(name, n_estimators=5, min_child_samples=150).fit(X, outcome)
    np.testing.assert_array_equal(model.predict(X), expected.predict(X))


@every_model
def test_a_matrix_of_arrow_columns_is_that_of_pandas_columns(name):
    X, outcome = users(800)
    city = pa.array([None if pd.isna(city) else city for city in X["city"].astype(object)]).dictionary_encode()
    category, number = pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string())), pd.ArrowDtype(pa.float32())
    arrow = X.assign(city=pd.array(city, dtype=category), minutes=X["minutes"].astype(number))
    design, rows = DesignMatrix(arrow), np.arange(0, 800, 2)
    assert design.features == DesignMatrix(X).features
    np.testing.assert_array_equal(design.codes, DesignMatrix(X).codes)
    model = quick(name, n_estimators=5).fit(design.take(rows), outcome[rows])
    expected = quick(name, n_estimators=5).fit(DesignMatrix(X).take(rows), outcome[rows])
    np.testing.assert_array_equal(model.predict(X), expected.predict(arrow))


@pytest.mark.parametrize("name", ["XGBoost", "RandomForest"])
@pytest.mark.parametrize("level", ["a", "m", "z"])
def test_a_level_too_rare_for_the_sample_of_which_bins_are_made_has_a_bin_of_its_own(name, level, monkeypatch):
    monkeypatch.setattr("causal_tasks.base_models.xgboost_bins.BINNED_FROM", 60)
    n = 3_000
    drawn = np.random.default_rng(0).choice(n, 60, replace=False)
    rare = np.setdiff1d(np.arange(n), drawn)[::300]
    city = np.random.default_rng(1).choice(["b", "n", "y"], n)
    city[rare] = level
    X = pd.DataFrame({"city": pd.Categorical(city)})
    outcome = np.where(city == "b", 1.0, np.where(city == "n", 2.0, 3.0))
    outcome[rare] = 50.0
    predicted = one_tree(name, splits=3).fit(DesignMatrix(X), outcome).predict(X)
    np.testing.assert_allclose(predicted, outcome, rtol=1e-5)


@pytest.mark.parametrize("name", ["XGBoost", "RandomForest"])
def test_numbers_beyond_the_sample_of_which_bins_are_made_belong_to_the_outermost_bins(name, monkeypatch):
    monkeypatch.setattr("causal_tasks.base_models.xgboost_bins.BINNED_FROM", 500)
    X, outcome = users(4_000)
    X.loc[X.index[:3], "minutes"] = [-1e6, 1e6, 1e7]
    model = quick(name).fit(X, outcome)
    few_bins = model.predict(X)
    monkeypatch.setattr("causal_tasks.base_models.xgboost_bins.BINNED_FROM", 100_000)
    all_bins = quick(name).fit(X, outcome).predict(X)
    assert np.std(few_bins - all_bins) < 0.2 * np.std(all_bins)
    low, lowest, high, highest = model.predict(X.iloc[[9] * 4].assign(minutes=[-4.0, -1e7, 4.0, 1e7]))
    assert low == lowest != high == highest


def test_an_array_has_columns_named_by_position():
    assert DesignMatrix.of(np.zeros((2, 3))).columns == ["x0", "x1", "x2"]
    assert DesignMatrix.of([[True, False]]).codes.tolist() == [[1.0, 0.0]]
    design = DesignMatrix(listeners(5)[0])
    assert DesignMatrix.of(design) is design


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros(3), "Expected 2D array, got 1D array instead"),
        (np.zeros((2, 2, 2)), "Found array with dim 3"),
        (np.zeros((2, 0)), r"0 feature\(s\)"),
        (np.zeros((2, 2), dtype=complex), "Complex data not supported"),
        (np.array([["a", "b"]]), "not compatible with arrays of bytes/strings"),
    ],
)
def test_what_is_no_table_of_real_numbers_is_refused(X, message):
    with pytest.raises(InputError, match=rf"(?s)X: .*{message}.*pass one row per user and one numeric column"):
        DesignMatrix.of(X)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("rows", [slice(None), slice(100, None)], ids=["all rows", "some rows"])
def test_weights_of_one_fit_do_not_reach_the_next(name, rows):
    X, mean = listeners(2_000)
    positions = np.arange(len(X))[rows]
    design = DesignMatrix(X).take(positions)
    outcome, weight = mean[positions], np.random.default_rng(0).exponential(size=len(positions))

    def predictions(seed, weight):
        model = quick(name, random_state=seed).fit(design, outcome, sample_weight=weight)
        return model.predict(design)

    before = predictions(1, None)
    assert (predictions(1, weight) != before).any()
    np.testing.assert_array_equal(predictions(1, None), before)


@every_model
def test_columns_are_matched_by_name_in_whatever_order(name):
    X, outcome = users(800)
    model = quick(name).fit(X, outcome)
    np.testing.assert_array_equal(model.predict(X[X.columns[::-1]]), model.predict(X))
    np.testing.assert_array_equal(model.predict(DesignMatrix(X[X.columns[::-1]])), model.predict(X))


def test_a_dictionary_of_arrow_keeps_its_rows_whatever_they_are_called():
    category = pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string()))
    X = pd.DataFrame(
        {"city": pd.array(pa.array(["b", "a", None]).dictionary_encode(), dtype=category)}, index=[7, 8, 9]
    )
    np.testing.assert_array_equal(DesignMatrix(X).codes, [[1], [0], [np.nan]])
    np.testing.assert_array_equal(DesignMatrix(X).take(np.array([1, 2])).codes, [[0], [np.nan]])


@every_model
def test_bins_of_an_added_column_are_those_of_its_own_values(name):
    X, _ = users(1_000)
    design, fine = DesignMatrix(X), np.random.default_rng(0).normal(size=1_000)
    outcome = 3.0 * np.sin(3.0 * fine)
    quick(name).fit(design.with_columns({"t": fine > 0}), outcome)
    model = quick(name).fit(design.with_columns({"t": fine}), outcome)
    alone = quick(name).fit(DesignMatrix(X).with_columns({"t": fine}), outcome)
    extended = design.with_columns({"t": fine})
    np.testing.assert_array_equal(model.predict(extended), alone.predict(extended))


@every_model
def test_numbers_that_a_search_draws_are_those_of_python(name):
    X, outcome = users(600)
    drawn = {"n_estimators": np.int64(4), "max_bin": np.int64(16)}
    model = fit_model(quick(name, **drawn), DesignMatrix(X), outcome)
    expected = fit_model(quick(name, n_estimators=4, max_bin=16), DesignMatrix(X), outcome)
    np.testing.assert_array_equal(model.predict(X), expected.predict(X))
