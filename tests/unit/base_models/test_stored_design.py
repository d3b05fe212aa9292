"""Features in a file: read in parts, learned from without ever being in memory as a whole."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causal_tasks.base_models import DesignMatrix, StoredDesign, fit_model, predict_mean
from causal_tasks.errors import InputError
from causal_tasks.uplift import SLearner, TLearner, XLearner
from tests.unit.base_models.listeners import listeners, quick

ROWS_OF_A_GROUP = 700

from_files = pytest.mark.parametrize("name", ["XGBoost", "RandomForest"])


def users(n=3_000, seed=0):
    X, mean = listeners(n, seed)
    return X, mean + np.random.default_rng(seed + 1).normal(size=n)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """The users of ``users()`` in a file of several row groups, besides a column that is no feature."""
    X, _ = users()
    path = tmp_path_factory.mktemp("stored") / "features.parquet"
    X.assign(user_id=[f"u{row}" for row in range(len(X))]).to_parquet(path, row_group_size=ROWS_OF_A_GROUP, index=False)
    return StoredDesign(path, list(X.columns))


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """Chunks end within row groups, and row groups within chunks."""
    for method in (StoredDesign.chunks, StoredDesign.batches):
        monkeypatch.setattr(method, "__defaults__", (500,))


def table(path, **columns):
    pq.write_table(pa.table(columns), path)
    return StoredDesign(path)


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_parts_of_what_was_taken_are_the_rows_of_the_frame(stored, data):
    X, _ = users()
    positions = sorted(data.draw(st.sets(st.integers(0, len(X) - 1), min_size=1, max_size=60)))
    inner = sorted(data.draw(st.sets(st.integers(0, len(positions) - 1), min_size=1)))
    part = data.draw(st.integers(100, 1_000))
    taken = stored.take(np.array(positions)).take(np.array(inner))
    batches = list(taken.batches(part))
    assert len(taken) == len(inner)
    np.testing.assert_array_equal(np.concatenate([at for at, _ in batches]), np.arange(len(inner)))
    codes = np.concatenate([stored.features.read_codes(frame) for _, frame in batches])
    np.testing.assert_array_equal(codes, DesignMatrix(X).take(np.array(positions)).take(np.array(inner)).codes)


def test_its_features_are_those_of_the_frame(stored):
    X, _ = users()
    assert (len(stored), stored.columns) == (len(X), list(X.columns))
    assert stored.features == DesignMatrix(X).features
    assert stored.take(np.arange(3)).features == stored.features


def test_levels_that_come_late_in_the_file_are_levels(tmp_path):
    late = pa.chunked_array([pa.array([text] * 3).dictionary_encode() for text in ("z", "a", "m")])
    pq.write_table(pa.table({"city": late}), tmp_path / "late.parquet", row_group_size=3)
    assert StoredDesign(tmp_path / "late.parquet").features.levels == {"city": ("a", "m", "z")}


def test_columns_are_added_before_the_others_for_these_rows_only(stored):
    X, _ = users()
    rows = np.arange(0, len(X), 2)
    extended = stored.take(rows).with_columns({"t": rows})
    assert extended.columns == extended.features.names == ["t", *X.columns]
    read = pd.concat([frame for _, frame in extended.batches()])
    assert read.columns.tolist() == extended.columns
    np.testing.assert_array_equal(read["t"], rows)
    np.testing.assert_array_equal(np.concatenate([chunk.frame["t"] for chunk in extended.chunks()]), rows)
    assert stored.columns == list(X.columns)


@pytest.mark.parametrize("positions", [[1, 0], [1, 1]])
def test_rows_out_of_order_or_twice_are_refused(stored, positions):
    with pytest.raises(InputError, match="positions are not increasing"):
        stored.take(np.array(positions))


def test_a_column_that_is_not_in_the_file_is_named(stored, tmp_path):
    pq.write_table(pa.table({"a": [1.0], "b": [2.0]}), tmp_path / "x.parquet")
    with pytest.raises(InputError, match=r"the file has no columns \['c'\]; name some of a, b"):
        StoredDesign(tmp_path / "x.parquet", ["a", "c"])


def test_booleans_and_whole_numbers_may_be_missing(tmp_path):
    design = table(tmp_path / "x.parquet", flag=pa.array([True, None, False]), count=pa.array([1, None, 3]))
    (chunk,) = design.chunks()
    np.testing.assert_array_equal(chunk.codes, [[1, 1], [np.nan, np.nan], [0, 3]])


def test_columns_without_any_value_are_known(tmp_path):
    design = table(
        tmp_path / "x.parquet",
        some=pa.array([None, None, None, 3.0]),
        none=pa.array([None] * 4, pa.float64()),
        nan=pa.array([np.nan] * 4),
        city=pa.array([None] * 4, pa.dictionary(pa.int32(), pa.string())),
    )
    assert design.empty_columns == ["none", "nan", "city"]
    assert design.take(np.array([0])).empty_columns == ["none", "nan", "city"]
    with pytest.raises(InputError, match=r"the features \['none', 'nan', 'city'\] have no value"):
        TLearner(quick("XGBoost")).fit(design, [1.0, 2.0, 3.0, 4.0], [0, 0, 1, 1])


@from_files
def test_a_model_from_a_file_predicts_close_to_one_from_memory(name, stored):
    X, outcome = users()
    new, mean = listeners(2_000, seed=5)
    assert new["city"].isna().any()
    assert new["minutes"].isna().any()
    from_file = quick(name).fit(stored, outcome)
    from_memory = quick(name).fit(X, outcome)
    assert from_file.features_ == from_memory.features_
    assert np.std(from_file.predict(new) - from_memory.predict(new)) < 0.1 * mean.std()
    assert np.sqrt(np.mean((from_file.predict(new) - mean) ** 2)) < 0.3 * mean.std()


@from_files
def test_where_every_value_has_a_bin_of_its_own_a_file_gives_the_same_model(name, tmp_path):
    random = np.random.default_rng(0)
    X = pd.DataFrame({"x": random.integers(0, 20, 3_000).astype(float), "city": random.choice(["a", "b", "c"], 3_000)})
    X["city"] = X["city"].astype("category")
    X.loc[::5, "x"] = np.nan
    X.loc[1::7, "city"] = None
    outcome = X["x"].fillna(30.0).to_numpy() + (X["city"] == "b") * 9.0 + random.normal(size=3_000)
    X.to_parquet(tmp_path / "x.parquet", row_group_size=ROWS_OF_A_GROUP)
    # A forest draws rows per batch.
    all_rows = {"subsample": 1.0} if name == "RandomForest" else {}
    from_file = quick(name, **all_rows).fit(StoredDesign(tmp_path / "x.parquet"), outcome)
    from_memory = quick(name, **all_rows).fit(X, outcome)
    np.testing.assert_allclose(from_file.predict(X), from_memory.predict(X), rtol=1e-4, atol=1e-4)


@from_files
def test_weights_and_rows_go_with_their_outcomes(name, stored):
    X, outcome = users()
    rows = np.flatnonzero(np.random.default_rng(2).random(len(X)) < 0.6)
    weight = np.random.default_rng(3).uniform(0.5, 2.0, len(rows))
    weight[outcome[rows] > 3] *= 10
    from_file = quick(name).fit(stored.take(rows), outcome[rows], sample_weight=weight)
    from_memory = quick(name).fit(X.iloc[rows], outcome[rows], sample_weight=weight)
    unweighted = quick(name).fit(X.iloc[rows], outcome[rows])
    assert np.std(from_file.predict(X) - from_memory.predict(X)) < 0.1 * outcome.std()
    assert np.mean(from_file.predict(X) - unweighted.predict(X)) > 0.3


@from_files
def test_a_file_is_predicted_as_the_frame_it_holds(name, stored):
    X, outcome = users()
    model = quick(name, n_estimators=5).fit(X, outcome)
    np.testing.assert_array_equal(model.predict(stored), model.predict(X))
    rows = np.arange(0, len(X), 11)
    np.testing.assert_array_equal(predict_mean(model, stored.take(rows)), model.predict(X.iloc[rows]))


@from_files
@pytest.mark.parametrize("learner", [SLearner, TLearner, XLearner])
def test_learners_learn_from_files(name, learner, stored):
    X, outcome = users()
    arm = np.random.default_rng(4).integers(0, 2, len(X))
    outcome = outcome + arm * 3.0 * (X["new"] == 1).to_numpy()
    from_file = learner(quick(name)).fit(stored, outcome, arm, propensity={0: 0.5, 1: 0.5})
    from_memory = learner(quick(name)).fit(X, outcome, arm, propensity={0: 0.5, 1: 0.5})
    np.testing.assert_array_equal(from_file.feature_names_in_, from_memory.feature_names_in_)
    for uplift in (from_file.predict(stored), from_memory.predict(X)):
        assert uplift[X["new"] == 1].mean() - uplift[X["new"] == 0].mean() == pytest.approx(3.0, abs=0.5)


def test_lightgbm_refuses_a_file_in_words(stored):
    _, outcome = users()
    with pytest.raises(InputError, match="LightGBM cannot learn from a file; use XGBoost or RandomForest"):
        fit_model(quick("LightGBM"), stored, outcome)
    X, outcome = users(500)
    np.testing.assert_array_equal(
        quick("LightGBM").fit(X, outcome).predict(stored), quick("LightGBM").fit(X, outcome).predict(users()[0])
    )


_GROWTH = """
import sys
import numpy as np
from causal_tasks.base_models import StoredDesign, XGBoost

def peak():
    return next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))

model, few = XGBoost(n_estimators=1, max_bin=16), np.arange(20_000)
model.fit(StoredDesign(sys.argv[1]).take(few), few)
before = peak()
design = StoredDesign(sys.argv[1])
model.fit(design, np.arange(len(design)))
print(peak() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak is read from /proc")
def test_memory_stays_bounded_by_parts_of_a_file_and_not_by_its_length(tmp_path):
    values = np.random.default_rng(0).normal(size=(40, 20_000))
    part = pa.table(list(values), names=[f"x{column}" for column in range(40)])
    with pq.ParquetWriter(tmp_path / "x.parquet", part.schema) as file:
        for _ in range(20):
            file.write_table(part)
    command = [sys.executable, "-c", _GROWTH, str(tmp_path / "x.parquet")]
    grown = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    megabytes = 20 * values.nbytes / 2**20
    assert grown < 0.5 * megabytes
