"""The same input gives the same bytes, however the work was cut."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from tests.unit.data.lake import Lake, day

UNITS = 400
STATEMENT = {
    "metrics": [
        {"name": "plays", "role": "primary", "cap": {"quantile": 0.95}},
        {"name": "average", "column": "plays", "aggregate": "mean"},
        {"name": "latest", "column": "plays", "aggregate": "last"},
    ],
    "window": {"days": 5, "pre_days": 8},
}


@pytest.fixture(scope="module")
def tables():
    """Daily rows whose values do not add up the same in every order, some repeated, in random order."""
    rng = np.random.default_rng(5)
    ids = np.array([f"u{number:05d}" for number in rng.permutation(UNITS)])
    start = np.datetime64("2026-03-05T03:00", "us") + rng.integers(0, 4, UNITS) * np.timedelta64(1, "D")
    owner = rng.integers(0, UNITS, 9000)
    dates = [day("2026-02-25") + timedelta(days=int(d)) for d in rng.integers(0, 23, 9000)]
    metrics = pa.table({"user_id": ids[owner], "date": dates, "plays": rng.lognormal(0, 8, 9000)})
    known = rng.integers(0, UNITS - 20, 3000)
    by_unit_and_day = {
        (int(u), int(d)): f for u, d, f in zip(known, rng.integers(0, 9, 3000), rng.random(3000), strict=True)
    }
    features = pa.table(
        {
            "user_id": [ids[u] for u, _ in by_unit_and_day],
            "date": [day("2026-02-25") + timedelta(days=d) for _, d in by_unit_and_day],
            "score": list(by_unit_and_day.values()),
            "city": [f"c{u % 7}" for u, _ in by_unit_and_day],
        }
    )
    return {
        "assignments": pa.table(
            {
                "user_id": ids,
                "experiment_id": ["exp-1"] * UNITS,
                "arm": rng.choice(["control", "treatment"], UNITS),
                "assigned_at": pa.array(start).cast(pa.timestamp("us", tz="UTC")),
            }
        ),
        "metrics": pa.concat_tables([metrics, metrics.slice(0, 500)]),
        "features": features,
    }


@pytest.fixture(scope="module")
def reference(tables, tmp_path_factory):
    lake = Lake(tmp_path_factory.mktemp("reference"))
    for name, table in tables.items():
        lake.write(name, table)
    return lake, lake.prepare(STATEMENT)


@pytest.mark.parametrize("slices", [2, 7])
def test_slices_change_no_byte(reference, slices):
    lake, whole = reference
    cut = lake.prepare(STATEMENT, slices=slices)
    assert cut.files == whole.files
    assert cut.profile == whole.profile
    assert cut.waterfall == whole.waterfall


def test_the_order_and_cut_of_the_files_changes_no_byte(reference, tables, tmp_path):
    _, whole = reference
    lake = Lake(tmp_path)
    rng = np.random.default_rng(1)
    for name, table in tables.items():
        shuffled = table.take(rng.permutation(table.num_rows))
        size = -(-table.num_rows // 5)
        lake.write(name, *(shuffled.slice(i, size) for i in range(0, table.num_rows, size)), row_group_size=300)
    cut = lake.prepare(STATEMENT)
    assert cut.files == whole.files
    changed = {key for key in whole.profile if cut.profile[key] != whole.profile[key]}
    assert changed == {"tables"}, "only the number of files may differ"


def test_partitions_and_chunks_change_no_byte(reference, monkeypatch):
    lake, whole = reference
    monkeypatch.setattr("causal_tasks.data.joining._UNITS_PER_PARTITION", 30)
    monkeypatch.setattr("causal_tasks.data.joining._MOST_CHUNK_ROWS", 100)
    assert lake.prepare(STATEMENT).files == whole.files


def test_a_cluster_changes_no_byte(reference):
    from distributed import LocalCluster

    lake, whole = reference
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as cluster:
        assert lake.prepare(STATEMENT, cluster=cluster.scheduler_address).files == whole.files


def test_float_sums_are_exact_to_the_last_digit_of_the_sum_in_order_of_days(reference, tables):
    """Guards the promise above: with these values another order of addition would show."""
    values = tables["metrics"]["plays"].to_numpy()
    assert np.sum(values) != np.sum(values[np.random.default_rng(0).permutation(len(values))])
    assert reference[1].profile["duplicate_rows"]["metrics"] > 0
