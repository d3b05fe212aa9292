"""How every base model reads a frame: kinds of columns, levels, missing values."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from causal_tasks.errors import InputError
from tests.unit.base_models.listeners import MODELS, listeners, one_tree, quick

ARROW_CATEGORY = pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string()))

every_model = pytest.mark.parametrize("name", MODELS)


@every_model
def test_a_level_that_was_not_there_in_fit_is_refused_with_its_name(name):
    X, mean = listeners(500)
    model = quick(name, n_estimators=2).fit(X, mean)
    strange = X.assign(city=pd.Categorical(["nowhere", "a"] * 250))
    with pytest.raises(InputError, match=r"'city' has 1 levels that were not there in fit \('nowhere'\) in 250 rows"):
        model.predict(strange)


@every_model
def test_a_new_level_that_no_row_has_is_no_obstacle(name):
    X, mean = listeners(500)
    model = quick(name, n_estimators=2).fit(X, mean)
    declared = X.assign(city=X["city"].cat.add_categories(["nowhere"]))
    np.testing.assert_array_equal(model.predict(declared), model.predict(X))


@every_model
def test_arrow_dictionaries_are_categories(name):
    X, mean = listeners(500)
    texts = pa.array([None if pd.isna(city) else city for city in X["city"].astype(object)])
    arrow = X.assign(city=pd.Series(pd.array(texts.dictionary_encode(), dtype=ARROW_CATEGORY)))
    model = quick(name, n_estimators=5)
    np.testing.assert_array_equal(
        model.fit(arrow, mean).predict(arrow), quick(name, n_estimators=5).fit(X, mean).predict(X)
    )


@every_model
def test_a_level_that_was_declared_but_never_seen_counts_as_missing(name):
    X, mean = listeners()
    declared = X.assign(city=X["city"].cat.set_categories(["z", "a", "b", "c", "d", "e"]))
    model = quick(name).fit(declared, mean)
    unseen = declared.assign(city=pd.Categorical(["z"] * len(X)))
    missing = declared.assign(city=pd.Categorical([None] * len(X), categories=["a"]))
    np.testing.assert_array_equal(model.predict(unseen), model.predict(missing))
    np.testing.assert_array_equal(model.predict(X), quick(name).fit(X, mean).predict(X))


@every_model
def test_levels_are_matched_by_name_not_by_position(name):
    X, mean = listeners()
    model = quick(name).fit(X, mean)
    reordered = X.assign(city=X["city"].cat.set_categories(["e", "new", "d", "c", "b", "a"]))
    np.testing.assert_array_equal(model.predict(reordered[reordered.columns[::-1]]), model.predict(X))


@every_model
def test_a_part_of_the_users_with_fewer_levels_is_predicted_as_within_all(name):
    X, mean = listeners()
    model = quick(name).fit(X, mean)
    rows = (X["city"] == "d").to_numpy()
    part = X[rows].assign(city=X["city"][rows].cat.remove_unused_categories())
    np.testing.assert_array_equal(model.predict(part), model.predict(X)[rows])


@every_model
def test_a_category_alone_is_enough_to_tell_users_apart(name):
    city = pd.Categorical(np.tile(["a", "b", "c", "d"], 200), categories=["d", "b", "c", "a"])
    outcome = np.tile([0.0, 1.0, 0.0, 1.0], 200) * 3.0 + 1.0
    X = pd.DataFrame({"city": city})
    # Not 1 and 4: LightGBM shrinks the leaves of a categorical split.
    predicted = one_tree(name, splits=3).fit(X, outcome).predict(X).reshape(-1, 4)[0]
    assert max(predicted[0], predicted[2]) < 2.0
    assert min(predicted[1], predicted[3]) > 3.0


@every_model
def test_numbers_as_levels_are_levels(name):
    X = pd.DataFrame({"plan": pd.Categorical(np.tile([10, 20, 30], 100))})
    outcome = np.tile([5.0, 1.0, 5.0], 100)
    model = quick(name).fit(X, outcome)
    swapped = X.assign(plan=X["plan"].cat.set_categories([30, 20, 10]))
    np.testing.assert_array_equal(model.predict(swapped), model.predict(X))
    assert model.predict(X)[0] > 4.0
    assert model.predict(X)[1] < 2.0


@every_model
def test_columns_without_any_value_are_no_obstacle(name):
    X, mean = listeners(1_000)
    empty = X.assign(nothing=np.nan, nowhere=pd.Categorical([None] * len(X)))
    model = quick(name).fit(empty, mean)
    assert not {"nothing", "nowhere"} & model.used_features()


@every_model
def test_no_rows_are_predicted_by_no_values(name):
    X, mean = listeners(200)
    predicted = quick(name).fit(X, mean).predict(X.iloc[:0])
    assert (predicted.shape, predicted.dtype) == ((0,), np.float32)


@every_model
def test_the_frame_that_was_passed_is_left_as_it_was(name):
    X, mean = listeners(500)
    before = X.copy(deep=True)
    quick(name).fit(X, mean).predict(X)
    pd.testing.assert_frame_equal(X, before)


@every_model
def test_used_features_are_those_that_a_tree_splits_on(name):
    X, _ = listeners()
    decided = one_tree(name, splits=1).fit(X, X["时长[日] <7>"].to_numpy() ** 3)
    assert decided.used_features() == {"时长[日] <7>"}
    by_category = one_tree(name, splits=1).fit(X, X["city"].isin(["b", "d"]).to_numpy() + 0.5)
    assert by_category.used_features() == {"city"}


@every_model
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X.drop(columns="new"), r"lacks the columns \['new'\]"),
        (lambda X: X.assign(city=0.0), "feature 'city' is of type float64, the model was fitted on a category"),
        (lambda X: X.assign(new=X["new"].astype("category")), "feature 'new' is of type category, .* on a number"),
        (lambda X: X.assign(new="text"), "feature 'new' is of type str"),
        (lambda X: X.assign(minutes=np.inf), "feature 'minutes' holds 500 values that are infinite"),
        (lambda X: X.assign(minutes=1e39), "feature 'minutes' holds 500 values .* too large"),
        (
            lambda X: X.assign(city=pd.Categorical(np.arange(500) % 3)),
            "levels of feature 'city' are numbers, in fit they were text",
        ),
        (
            lambda X: X.assign(city=pd.Categorical(["a", 1] * 250)),
            "feature 'city' has levels of type int, str",
        ),
    ],
)
def test_a_frame_of_another_shape_is_refused_in_predict(name, change, message):
    X, mean = listeners(500)
    model = quick(name, n_estimators=2).fit(X, mean)
    with pytest.raises(InputError, match=message):
        model.predict(change(X))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (pd.DataFrame(index=range(3)), "X has 0 columns"),
        (pd.DataFrame([[1, 2]] * 3, columns=["a", "a"]), r"there twice: \['a'\]"),
        (pd.DataFrame([[1, 2]] * 3), r"not named by text: \[0, 1\]"),
        (pd.DataFrame({"a": ["x", "y", "z"]}), "feature 'a' is of type str"),
        (pd.DataFrame({"a": pd.date_range("2026-01-01", periods=3)}), "feature 'a' is of type datetime64"),
        (pd.DataFrame({"a": pd.Categorical(pd.date_range("2026-01-01", periods=3))}), "levels of type Timestamp"),
        (pd.DataFrame({"a": [1.0, -np.inf, np.nan]}), "feature 'a' holds 1 values that are infinite"),
    ],
)
def test_a_frame_that_cannot_be_learned_from_is_refused_in_fit(X, message):
    with pytest.raises(InputError, match=message):
        quick("XGBoost").fit(X, [1.0, 2.0, 3.0])
