import sys
from types import SimpleNamespace

import dask.config
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causal_tasks import frames
from causal_tasks.errors import ConfigurationError
from causal_tasks.settings import Settings


@given(st.integers(1, 500), st.integers(1, 60))
def test_slices_cover_every_row_once_and_are_at_most_as_many_as_asked_for(rows, count):
    found = frames.slices(rows, count)
    assert [position for part in found for position in part] == list(range(rows))
    assert len(found) <= count
    assert max(map(len, found)) <= -(-rows // count)


def test_one_slice_is_everything():
    assert frames.slices(10, 1) == [range(10)]


def load(chunk, *, table):
    return frames.on_device(table.slice(chunk.start, len(chunk)), "cpu")


def test_gather_puts_every_row_into_its_range_in_order_of_its_key():
    rng = np.random.default_rng(0)
    table = pa.table({"key": rng.permutation(1000), "value": rng.random(1000)})
    with frames.connect(Settings()) as engine:
        meta = frames.on_device(table.schema.empty_table(), "cpu")
        rows = frames.read(frames.slices(1000, 7), load, meta=meta, table=engine.share(table))
        gathered = frames.gather(rows, key="key", bounds=[0, 100, 450, 1000])
        assert gathered.map_partitions(len).compute().tolist() == [100, 350, 550]
        found = engine.compute(gathered)
    expected = table.to_pandas().sort_values("key").set_index("key")
    pd.testing.assert_frame_equal(found, expected)


def total(left, right, *, factor):
    return pd.DataFrame({"total": [factor * (left["key"].sum() + right["key"].sum())]})


def test_partitions_are_mapped_together():
    table = pa.table({"key": range(6)})
    with frames.connect(Settings()) as engine:
        meta = frames.on_device(table.schema.empty_table(), "cpu")
        rows = frames.read(frames.slices(6, 2), load, meta=meta, table=table)
        found = engine.compute(frames.map_together(total, rows, rows, factor=10))
    assert found["total"].tolist() == [60, 240]


def test_the_engine_uses_the_threads_of_the_settings_and_leaves_no_trace():
    settings = Settings(parallel_tasks=1000)
    before = dask.config.get("scheduler", None)
    with frames.connect(settings) as engine:
        assert (engine.device, engine.threads, engine.client) == ("cpu", 1, None)
        assert dask.config.get("num_workers") == 1
        assert dask.config.get("dataframe.shuffle.method") == "tasks"
    assert dask.config.get("scheduler", None) == before


def test_a_cluster_that_does_not_answer_is_a_fault_of_the_configuration():
    # Its settings must be there before one of them is changed and changed back.
    import distributed  # noqa: F401

    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(
            ConfigurationError, match=r"no Dask scheduler answers at 'tcp://127\.0\.0\.1:9'; .*CAUSAL_CLUSTER"
        ),
        frames.connect(Settings(cluster="tcp://127.0.0.1:9")),
    ):
        pass


def test_a_missing_gpu_is_told_before_any_work(monkeypatch):
    monkeypatch.setitem(sys.modules, "cudf", None)
    with (
        pytest.raises(ConfigurationError, match="cudf is not installed; set CAUSAL_DEVICE=cpu"),
        frames.connect(Settings(device="cuda")),
    ):
        pass


def test_an_installed_cudf_without_a_driver_is_told_too(monkeypatch):
    """Importing cudf succeeds without a GPU, the first use fails with an error of its own."""

    def without_driver(values):
        raise RuntimeError("no CUDA-capable device is detected")

    monkeypatch.setitem(sys.modules, "cudf", SimpleNamespace(Series=without_driver))
    with pytest.raises(ConfigurationError, match=r"no GPU works here \(RuntimeError: no CUDA-capable device"):
        frames.require_gpu()
