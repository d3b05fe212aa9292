import json

import numpy as np
import pandas as pd
import pytest

from causal_tasks.base_models import DesignMatrix, StoredDesign
from causal_tasks.errors import InputError
from causal_tasks.uplift.networks.encoding import Encoding


def table(n=1_000, seed=0):
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "plays": random.normal(50, 20, n).astype("float32"),
            "city": pd.Categorical(random.choice(["b", "a", "c"], n)),
            "age": np.where(random.random(n) < 0.3, np.nan, random.normal(30, 5, n)),
            "paying": random.random(n) < 0.5,
            "day": np.full(n, 20_000.25, dtype="float32"),
            "tier": pd.Categorical(random.choice([1, 2], n)),
        }
    )


def encoded(encoding, X):
    return encoding.encode(DesignMatrix.of(X))


def test_numbers_are_standardised_and_missing_ones_marked():
    X = table()
    encoding = Encoding.learn(DesignMatrix.of(X))
    numbers, levels = encoded(encoding, X)
    assert numbers.shape == (1_000, encoding.width) == (1_000, 5)
    for column in (0, 1, 2):
        assert numbers[:, column].mean() == pytest.approx(0, abs=1e-5)
    missing = X["age"].isna().to_numpy()
    assert numbers[~missing, 1].std() == pytest.approx(1, abs=1e-4)
    assert (numbers[missing, 1] == 0).all()
    np.testing.assert_array_equal(numbers[:, 4], missing)
    assert (numbers[:, 3] == 0).all(), "a constant column is no noise"
    assert encoding.cardinalities == (4, 3)
    np.testing.assert_array_equal(levels[:, 0], X["city"].map({"a": 1, "b": 2, "c": 3}))
    np.testing.assert_array_equal(levels[:, 1], X["tier"].map({1: 5, 2: 6}))


def test_only_the_rows_that_are_trained_on_decide():
    X = table()
    trained = np.arange(500)
    changed = X.copy()
    changed.loc[500:, "plays"] *= 1_000
    changed.loc[500:, "paying"] = True
    one, other = (Encoding.learn(DesignMatrix.of(frame).take(trained)) for frame in (X, changed))
    assert one.to_state() == other.to_state()


def test_a_number_far_from_all_others_is_cut_and_a_missing_one_without_example_is_the_mean():
    X = table()
    encoding = Encoding.learn(DesignMatrix.of(X))
    new = X.iloc[:3].assign(plays=[1e9, -1e9, np.nan])
    numbers = encoded(encoding, new).numbers
    assert numbers[:, 0].tolist() == [10, -10, 0]


def test_missing_levels_have_a_place_and_unknown_ones_are_refused():
    X = table()
    encoding = Encoding.learn(DesignMatrix.of(X))
    missing = X.iloc[:2].assign(city=pd.Categorical([None, "c"]), tier=pd.Categorical([2.0, np.nan]))
    assert encoded(encoding, missing).levels.tolist() == [[0, 6], [3, 4]]
    with pytest.raises(InputError, match=r"'city'.*'z'"):
        encoded(encoding, X.iloc[:1].assign(city=pd.Categorical(["z"])))
    with pytest.raises(InputError, match="lacks the columns"):
        encoded(encoding, X.drop(columns="plays"))


def test_columns_may_come_in_another_order_and_levels_too():
    X = table()
    encoding = Encoding.learn(DesignMatrix.of(X))
    other = X[X.columns[::-1]].assign(city=X["city"].cat.set_categories(["c", "b", "a"]))
    for one, two in zip(encoded(encoding, X), encoded(encoding, other), strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_file_is_encoded_like_a_frame(tmp_path):
    X = table(150_000).drop(columns="tier")
    X.to_parquet(tmp_path / "users.parquet", row_group_size=20_000)
    stored, held = StoredDesign(tmp_path / "users.parquet"), DesignMatrix.of(X)
    rows = np.flatnonzero(np.arange(len(X)) % 3)
    streamed, whole = Encoding.learn(stored.take(rows)), Encoding.learn(held.take(rows))
    np.testing.assert_allclose(streamed.mean, whole.mean, rtol=1e-12)
    np.testing.assert_allclose(streamed.scale, whole.scale, rtol=1e-12)
    np.testing.assert_allclose(streamed.mean[0], X["plays"].to_numpy(dtype=float)[rows].mean(), rtol=1e-10)
    np.testing.assert_allclose(streamed.scale[0], X["plays"].to_numpy(dtype=float)[rows].std(), rtol=1e-10)
    np.testing.assert_array_equal(streamed.missed, whole.missed)


def test_an_encoding_survives_json():
    X = table()
    encoding = Encoding.learn(DesignMatrix.of(X))
    again = Encoding.from_state(json.loads(json.dumps(encoding.to_state())))
    for one, two in zip(encoded(encoding, X), encoded(again, X), strict=True):
        np.testing.assert_array_equal(one, two)
