import pyarrow as pa
import pytest

from causal_tasks.data.contracts import (
    TEXT_ID,
    identity_schema,
    kind_of,
    meant_label,
    require_same_ids,
)
from causal_tasks.data.feature_contracts import feature_column
from causal_tasks.data.tables import open_table, read_pieces
from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment
from causal_tasks.lake import source_uris
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage
from tests.unit.data.lake import STATEMENT, Lake, daily, day


@pytest.fixture
def table_of(tmp_path):
    """Write files of a table and open it."""

    def written(*files, **options):
        lake = Lake(tmp_path)
        lake.write("metrics", *files, **options)
        return open_table(Storage(Settings()), f"file://{tmp_path}/tables/metrics", "metrics")

    return written


def rows_of(*days):
    return daily([(number, day(d)) for number, d in enumerate(days)])


def test_a_table_lies_in_the_lake_unless_the_experiment_says_otherwise():
    stated = Experiment.model_validate({**STATEMENT, "tables": {"features": "s3://other/features"}})
    settings = Settings(lake="s3://lake/")
    assert source_uris(stated, settings) == {
        "assignments": "s3://lake/tables/assignments",
        "metrics": "s3://lake/tables/metrics",
        "features": "s3://other/features",
    }


@pytest.mark.parametrize(
    ("stored", "kind"),
    [
        (pa.int8(), "integer"), (pa.uint64(), "integer"), (pa.float32(), "number"), (pa.decimal128(5, 2), "number"),
        (pa.bool_(), "boolean"), (pa.large_string(), "text"), (pa.dictionary(pa.int8(), pa.string()), "text"),
        (pa.date32(), "date"), (pa.timestamp("ns", "UTC"), "timestamp"), (pa.null(), "empty"),
        (pa.list_(pa.int8()), "other"), (pa.binary(), "other"), (pa.time32("s"), "other"),
    ],
)  # fmt: skip
def test_every_stored_type_has_a_kind(stored, kind):
    assert kind_of(stored) == kind


@pytest.mark.parametrize(
    ("types", "read"),
    [
        ((pa.int8(), pa.float32()), pa.float32()),
        ((pa.int8(), pa.int32()), pa.float64()),
        ((pa.float32(), pa.null()), pa.float32()),
        ((pa.float32(), pa.float64()), pa.float64()),
        ((pa.string(), pa.dictionary(pa.int8(), pa.string())), TEXT_ID),
    ],
)
def test_files_of_different_but_fitting_types_share_one(table_of, types, read):
    table = table_of(*(pa.table({"x": pa.array([None], kind)}) for kind in types))
    assert feature_column(table, "x").read == read


def test_booleans_do_not_mix_with_numbers(table_of):
    table = table_of(pa.table({"x": [True]}), pa.table({"x": [3]}))
    with pytest.raises(InputError, match=r"column 'x' is boolean, but int64 in 1 of 2 files \(first: 001\.parquet\)"):
        feature_column(table, "x")


def test_ids_of_one_type_pass():
    require_same_ids({"assignments": TEXT_ID, "metrics": TEXT_ID}, "user_id")


@pytest.mark.parametrize(
    ("found", "meant"),
    [(" Control", "control"), ("CONTROL", "control"), ("contrl", "control"), ("b", None)],
)
def test_the_label_that_was_meant_is_found(found, meant):
    assert meant_label(found, ["control", "treatment"]) == meant


@pytest.mark.parametrize("statistics", [True, False])
@pytest.mark.parametrize("kind", [pa.date32(), pa.date64(), pa.timestamp("ms")])
def test_the_last_day_is_found_with_and_without_statistics(table_of, statistics, kind):
    rows = rows_of("2026-03-05", "2026-03-17", "2026-03-02")
    table = table_of(rows.set_column(1, "date", rows["date"].cast(kind)), write_statistics=statistics, row_group_size=1)
    assert table.last_day("date") == day("2026-03-17")


def test_row_groups_without_a_day_that_matters_are_left_out(table_of):
    files = rows_of("2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04"), rows_of("2026-04-01")
    table = table_of(*files, row_group_size=1)
    cut = table.between("date", day("2026-03-02"), day("2026-03-03"))
    assert [(file.name, file.row_groups) for file in cut.files] == [("000.parquet", (1, 2))]
    assert (table.rows, cut.rows) == (5, 2)


def test_row_groups_without_statistics_are_kept(table_of):
    table = table_of(rows_of("2026-03-01", "2026-03-09"), row_group_size=1, write_statistics=False)
    assert table.between("date", day("2026-05-01"), day("2026-05-02")).rows == 2


def test_chunks_hold_every_row_group_once_and_are_large_enough(table_of):
    table = table_of(*(rows_of(*["2026-03-01"] * rows) for rows in (3, 1, 1, 4)), row_group_size=2)
    chunks = table.chunks(3)
    read = [read_pieces(c, pa.schema([("user_id", pa.int64())]), filesystem=table.filesystem) for c in chunks]
    assert [part.num_rows for part in read] == [3, 4, 2]
    assert pa.concat_tables(read)["user_id"].to_pylist() == [0, 1, 2, 0, 0, 0, 1, 2, 3]


def test_rows_of_other_days_stay_in_the_file(table_of):
    table = table_of(rows_of("2026-03-01", "2026-03-02", "2026-03-03"))
    schema = pa.schema([("date", pa.date32()), ("user_id", pa.int64())])
    between = ("date", day("2026-03-02"), day("2026-03-02"))
    read = read_pieces(table.chunks(10)[0], schema, filesystem=table.filesystem, days=between)
    assert read.to_pylist() == [{"date": day("2026-03-02"), "user_id": 1}]


def test_what_else_tells_rows_apart_is_in_every_file_or_in_the_folders(table_of):
    table = table_of(
        pa.table({"user_id": [1], "platform": ["a"], "new": [1]}),
        pa.table({"user_id": [1], "platform": ["a"]}),
        names=("region=eu/a.parquet", "region=us/b.parquet"),
    )
    assert identity_schema(table, {"user_id"}).names == ["platform", "region"]
