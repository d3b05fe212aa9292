"""A feed's tables: what is read of them, from which files, and what is refused with which words."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from causal_tasks.dynamic.user_columns import as_features, segments_of
from causal_tasks.errors import InputError
from tests.unit.dynamic.feed_tables import MONDAY, SmallLake

TUESDAY = MONDAY + timedelta(days=1)


@pytest.fixture
def lake(tmp_path):
    return SmallLake(tmp_path)


def refused(read, *words):
    with pytest.raises(InputError) as error:
        read()
    for word in words:
        assert word in str(error.value)
    assert error.value.remedy


def test_draws_of_the_days_asked_for_are_read_from_one_folder(lake):
    lake.write_draws(MONDAY - timedelta(days=7), [1], ["control"])
    lake.write_draws(MONDAY, [1, 2], ["more_long", "control"])
    drawn = lake.tables().assignments(MONDAY, TUESDAY)
    assert drawn.to_dict("list") == {"user_id": [1, 2], "arm": ["more_long", "control"], "date": [MONDAY, MONDAY]}


def test_an_unknown_arm_and_two_draws_of_a_day_are_refused(lake):
    lake.write_draws(MONDAY, [1], ["more_medium"])
    refused(lambda: lake.tables().assignments(MONDAY, MONDAY), "assignments table", "'more_medium'", "treatments")
    lake.write_draws(MONDAY, [1, 1], ["control", "more_long"])
    refused(lambda: lake.tables().assignments(MONDAY, MONDAY), "1 rows repeat", "user_id 1")


def test_no_draw_at_all_is_refused_with_the_days_and_the_address(lake):
    lake.write_draws(MONDAY, [1], ["control"])
    tomorrow = MONDAY + timedelta(days=30)
    refused(lambda: lake.tables().assignments(tomorrow, tomorrow), "2026-11-04", "/tables/assignments")


def test_users_are_those_of_the_morning_and_only_those_asked_for(lake):
    lake.write_users(MONDAY, [3, 4, 5], device=["a", None, "b"])
    lake.write_users(TUESDAY, [6])
    rows = lake.tables().users(MONDAY, ["age", "device"], units=pa.array([5, 3, 9]))
    assert rows["user_id"].to_pylist() == [3, 5]
    X = as_features(rows, ["age", "device"])
    assert X["age"].tolist() == [0.0, 2.0]
    assert X["device"].dtype == "category"
    refused(lambda: lake.tables().users(MONDAY + timedelta(days=2), ["age"]), "users table", "2026-10-07")


def test_features_are_all_columns_but_unit_and_date_unless_stated(lake):
    lake.write_users(MONDAY, [1], date=["x"], device=["a"])
    assert lake.tables().features(MONDAY) == ["age", "device"]
    assert lake.tables(features=["device"]).features(MONDAY) == ["device"]


def test_a_feature_that_is_missing_is_named_with_what_to_do_in_a_feed(lake):
    lake.write_users(MONDAY, [1])
    refused(lambda: lake.tables().users(MONDAY, ["income"]), "'income'", "features of the feed")


def test_segments_are_labels_whatever_the_column_holds(lake):
    lake.write_users(MONDAY, [1, 2], level=[1, 2], tier=["a", None])
    for segment, labels in (("level", ["1", "2"]), ("tier", ["a", "missing"])):
        tables = lake.tables(segment=segment)
        assert segments_of(tables.users(MONDAY, [segment]), tables.feed).tolist() == labels
    tables = lake.tables()
    assert segments_of(tables.users(MONDAY, []), tables.feed).tolist() == ["all", "all"]


def test_metrics_are_summed_over_days_and_a_missing_value_counts_as_zero(lake):
    lake.write_metrics(MONDAY, 2, ["a", "b"], watch_seconds=[1.0, None], views=[True, False])
    lake.write("metrics", MONDAY + timedelta(days=2), {"user_id": ["b"], "watch_seconds": [5], "views": [True]})
    sums = lake.tables().sums(["watch_seconds", "views"], MONDAY, MONDAY + timedelta(days=2))
    assert sums.sort_index().to_dict("index") == {
        "a": {"watch_seconds": 2.0, "views": 2.0},
        "b": {"watch_seconds": 5.0, "views": 1.0},
    }


def test_a_day_without_metrics_and_two_rows_of_a_day_are_refused(lake):
    lake.write_metrics(MONDAY, 1, [1], watch_seconds=[1.0])
    refused(lambda: lake.tables().sums(["watch_seconds"], MONDAY, TUESDAY), "metrics table", "2026-10-06")
    lake.write_metrics(MONDAY, 1, [1, 1], watch_seconds=[1.0, 2.0])
    refused(lambda: lake.tables().sums(["watch_seconds"], MONDAY, MONDAY), "2 rows of one day")


def test_a_metric_that_is_nan_is_missing_and_one_that_is_infinite_is_refused(lake):
    def write(day, value):
        rows = pa.table({"user_id": [1], "watch_seconds": pa.array([value], pa.float64())})
        content = pa.BufferOutputStream()
        pq.write_table(rows, content)
        address = f"{lake.uri}/tables/metrics/date={day}/part-0.parquet"
        lake.storage.write_bytes(address, content.getvalue().to_pybytes())

    write(MONDAY, 3.0)
    write(TUESDAY, np.nan)
    assert lake.tables().sums(["watch_seconds"], MONDAY, TUESDAY)["watch_seconds"].tolist() == [3.0]
    write(TUESDAY, np.inf)
    refused(lambda: lake.tables().sums(["watch_seconds"], MONDAY, TUESDAY), "'watch_seconds' is infinite in 1 rows")


def test_sums_of_some_units_still_need_every_day_and_two_rows_of_others_do_not_count(lake):
    lake.write_metrics(MONDAY, 1, [1, 2, 2], watch_seconds=[1.0, 2.0, 3.0])
    lake.write_metrics(TUESDAY, 1, [2], watch_seconds=[9.0])
    tables = lake.tables()
    assert tables.sums(["watch_seconds"], MONDAY, TUESDAY, units=pa.array([1]))["watch_seconds"].to_dict() == {1: 1.0}
    assert tables.sums(["watch_seconds"], MONDAY, TUESDAY, units=pa.array([7])).empty
    refused(
        lambda: tables.sums(["watch_seconds"], MONDAY, MONDAY + timedelta(days=2), units=pa.array([1])), "2026-10-07"
    )


def test_a_metric_that_is_no_number_is_named(lake):
    lake.write_metrics(MONDAY, 1, [1], watch_seconds=["long"])
    refused(lambda: lake.tables().sums(["watch_seconds"], MONDAY, MONDAY), "'watch_seconds' is text")


def test_requests_of_a_day_keep_their_lists_and_a_day_without_any_is_none(lake):
    lake.write_requests(MONDAY, [1, 2], ["control", "more_long"])
    rows = lake.tables().requests(MONDAY, shown=True)
    assert rows["candidates"].tolist() == [[10.0, 30.0, 90.0]] * 2
    assert "shown_played" not in lake.tables().requests(MONDAY, shown=False)
    assert lake.tables().requests(TUESDAY, shown=True) is None
    assert lake.tables().count_requests(MONDAY, TUESDAY) == 2


def test_a_request_without_an_id_is_refused(lake):
    lake.write_requests(MONDAY, [1, 2], ["control"] * 2, request_id=["x", None])
    refused(lambda: lake.tables().requests(MONDAY, shown=False), "'request_id' has no value in 1 of 2 rows")


def test_requests_that_are_not_wanted_are_dropped_chunk_by_chunk(lake, monkeypatch):
    seen = []

    def wanted(rows):
        seen.append(len(rows))
        return rows["user_id"].to_numpy() > 2

    monkeypatch.setattr("causal_tasks.dynamic.tables._ROWS", 2)
    for part, ids in enumerate(([1, 2], [3, 4])):
        columns = {"request_id": [f"{user}" for user in ids]}
        lake.write_requests(MONDAY, ids, ["control"] * 2, name=f"part-{part}", **columns)
    assert lake.tables().requests(MONDAY, shown=False, wanted=wanted)["user_id"].tolist() == [3, 4]
    assert seen == [2, 2]


def test_requests_in_one_folder_are_told_apart_by_their_date(lake):
    for day, ids in ((MONDAY, [1]), (TUESDAY, [2, 3])):
        lake.write_requests(day, ids, ["control"] * len(ids), date=pd.array([day] * len(ids), dtype="date32[pyarrow]"))
    addresses = dict(lake.feed().tables) | {"requests": f"{lake.uri}/tables/requests"}
    tables = lake.tables(tables=addresses)
    assert tables.requests(TUESDAY, shown=False)["user_id"].tolist() == [2, 3]
    assert tables.count_requests(MONDAY, TUESDAY) == 3


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("candidates", [10.0], "'candidates' is double"),
        ("hour", ["noon"], "'hour' is text"),
        ("arm", [3], "'arm' is int64"),
        ("watch_seconds", ["9"], "'watch_seconds' is text"),
    ],
)
def test_a_column_of_requests_of_the_wrong_type_is_named(lake, column, values, words):
    lake.write_requests(MONDAY, [1], ["control"], **{column: values})
    refused(lambda: lake.tables().requests(MONDAY, shown=True), "requests table", words)


def test_a_request_that_is_there_twice_is_refused(lake):
    lake.write_requests(MONDAY, [1, 2], ["control"] * 2, request_id=["x", "x"])
    refused(lambda: lake.tables().requests(MONDAY, shown=False), "request_id 'x'")


def test_ids_that_are_text_in_one_table_and_numbers_in_another_never_match_and_are_refused(lake):
    lake.write_users(MONDAY, [1])
    lake.write_draws(MONDAY, ["1"], ["control"])
    tables = lake.tables()
    tables.assignments(MONDAY, MONDAY)
    refused(lambda: tables.users(MONDAY, ["age"]), "'user_id' is text in assignments, integer in users")


def test_a_day_whose_file_has_no_row_is_a_day_without_rows(lake):
    empty = pa.table({"user_id": pa.array([], pa.int64()), "age": pa.array([], pa.float64())}).to_pandas()
    lake.write("users", MONDAY, empty)
    refused(lambda: lake.tables().users(MONDAY, ["age"]), "users table: no row from 2026-10-05")
    assert np.size(empty) == 0
