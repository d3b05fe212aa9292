import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tests.unit.data.lake import Lake, assignments, daily, day, healthy

TEXT_ASSIGNMENTS = pa.schema([("user_id", pa.string())])
FIRST = "2026-03-03T10:00:00"


def plays(*rows):
    """Metric rows, and one far row that completes the metrics table."""
    return daily([*((unit, day(d), value) for unit, d, value in rows), (99, day("2026-03-19"), 0.0)], "plays")


def test_the_outcome_window_begins_on_the_day_of_exposure_and_ends_before_its_length(tmp_path):
    days = ["2026-02-28", "2026-03-01", "2026-03-02", "2026-03-03", "2026-03-05", "2026-03-06"]
    lake = healthy(tmp_path, metrics=plays(*((1, d, 10.0**i) for i, d in enumerate(days))))
    users = lake.prepare().users
    assert users.loc[1, "y__plays"] == 10**3 + 10**4
    assert users.loc[1, "pre__plays"] == 10 + 100


def test_a_window_from_the_next_day_leaves_the_day_of_exposure_out_of_both_windows(tmp_path):
    lake = healthy(tmp_path, metrics=plays((1, "2026-03-02", 1.0), (1, "2026-03-03", 10.0), (1, "2026-03-06", 100.0)))
    users = lake.prepare({"window": {"days": 3, "pre_days": 2, "timezone": "UTC", "first_day": "next"}}).users
    assert users.loc[1, ["y__plays", "pre__plays"]].tolist() == [100.0, 1.0]


def test_without_pre_days_there_is_no_column_of_a_pre_window(tmp_path):
    metrics = [{"name": "plays", "role": "primary"}, {"name": "rate", "numerator": "plays", "denominator": "plays"}]
    prepared = healthy(tmp_path).prepare({"window": {"days": 3, "pre_days": 0}, "metrics": metrics})
    assert [name for name in prepared.table.column_names if name.startswith("pre")] == []
    assert {"y__plays", "num__rate", "den__rate"} <= set(prepared.table.column_names)


def test_the_business_day_is_that_of_the_stated_time_zone(tmp_path):
    lake = healthy(tmp_path, assignments=assignments((1, "control", "2026-03-02T16:30:00"), (2, "treatment", FIRST)))
    assert lake.prepare().users.loc[1, "start"] == day("2026-03-02")
    shanghai = {"window": {"days": 3, "timezone": "Asia/Shanghai"}}
    assert lake.prepare(shanghai).users.loc[1, "start"] == day("2026-03-03")


def test_a_unit_seen_in_two_arms_is_dropped_and_counted_under_its_first_arm(tmp_path):
    rows = assignments(
        (1, "control", FIRST), (1, "treatment", "2026-03-05T23:59:59"),
        (2, "treatment", FIRST), (3, "control", FIRST), (4, "treatment", FIRST), (4, "control", "2026-03-04T00:00:00"),
    )  # fmt: skip
    prepared = healthy(tmp_path, assignments=rows).prepare()
    assert prepared.users.index.tolist() == [2, 3]
    assert prepared.waterfall["two_arms"]["dropped"] == {"control": 1, "treatment": 1}
    assert prepared.profile["transitions"] == {"control": {"treatment": 1}, "treatment": {"control": 1}}


def test_a_second_arm_after_the_outcome_window_does_not_count(tmp_path):
    rows = assignments((1, "control", FIRST), (1, "treatment", "2026-03-06T00:00:00"), (2, "treatment", FIRST))
    prepared = healthy(tmp_path, assignments=rows).prepare()
    assert prepared.users["arm"].to_dict() == {1: "control", 2: "treatment"}


def test_transitions_name_the_first_other_arm_of_several(tmp_path):
    rows = assignments(
        (1, "c", "2026-03-03T01:00:00"), (1, "a", "2026-03-03T03:00:00"), (1, "b", "2026-03-03T02:00:00"),
        (2, "a", FIRST), (3, "b", FIRST), (4, "c", FIRST),
    )  # fmt: skip
    prepared = healthy(tmp_path, assignments=rows).prepare({"control": "a", "treatments": ["b", "c"]})
    assert prepared.profile["transitions"]["c"] == {"a": 0, "b": 1}


def test_windows_must_end_before_the_day_of_the_end(tmp_path):
    rows = assignments((1, "control", FIRST), (2, "treatment", FIRST), (3, "control", "2026-03-04T10:00:00"))
    lake = healthy(tmp_path, assignments=rows)
    prepared = lake.prepare({"ended_at": "2026-03-06T23:00:00Z"})
    assert prepared.profile["cutoff"] == "2026-03-06"
    assert prepared.users.index.tolist() == [1, 2]
    assert prepared.waterfall["immature"]["dropped"] == {"control": 1, "treatment": 0}


def test_windows_may_run_past_the_end_where_the_experiment_says_so(tmp_path):
    lake = healthy(tmp_path)
    window = {"days": 3, "pre_days": 2, "past_end": True}
    prepared = lake.prepare({"ended_at": "2026-03-05T23:00:00Z", "window": window})
    assert prepared.profile["cutoff"] == "2026-03-20"
    assert len(prepared.users) == 4


def test_windows_must_end_within_the_metrics_table(tmp_path):
    rows = [(unit, day(d), 1.0) for unit in (1, 2, 3, 4) for d in ("2026-03-04", "2026-03-05")]
    prepared = healthy(tmp_path, metrics=daily(rows, "plays")).prepare()
    assert prepared.profile["cutoff"] == "2026-03-06"
    assert prepared.profile["last_metrics_day"] == "2026-03-05"


def test_units_are_dropped_for_one_reason_in_the_stated_order(tmp_path):
    rows = assignments(
        (1, "control", "2026-03-18T10:00:00"), (1, "treatment", "2026-03-18T11:00:00"),
        (2, "treatment", "2026-03-18T10:00:00"), (3, "control", "2026-03-18T10:00:00"),
        (4, "treatment", FIRST), (5, "control", FIRST),
    )  # fmt: skip
    features = daily([(u, day("2026-03-01"), age) for u, age in ((1, 1), (2, 1), (3, 50), (4, 50), (5, 50))], "age")
    rule = {"all": [{"feature": "age", "op": ">", "value": 18.0}]}
    statement = {"eligible": rule, "features": {"max_age": 30}}
    prepared = healthy(tmp_path, assignments=rows, features=features).prepare(statement)
    dropped = {step: prepared.waterfall[step]["dropped"] for step in ("two_arms", "not_eligible", "immature")}
    assert dropped == {
        "two_arms": {"control": 1, "treatment": 0},
        "not_eligible": {"control": 0, "treatment": 1},
        "immature": {"control": 1, "treatment": 0},
    }
    assert list(prepared.waterfall) == ["rows", "first_exposure", "two_arms", "not_eligible", "immature", "analysed"]
    assert prepared.waterfall["analysed"]["units"] == {"control": 1, "treatment": 1}
    assert prepared.users.index.tolist() == [4, 5]


def test_a_rule_may_read_a_feature_that_is_excluded(tmp_path):
    rule = {"all": [{"feature": "age", "op": "<=", "value": 20.0}]}
    prepared = healthy(tmp_path).prepare({"eligible": rule, "features": {"exclude": ["age"]}})
    assert prepared.users.index.tolist() == [1, 2]
    assert "age" not in prepared.users


@pytest.mark.parametrize(
    ("metric", "expected", "nothing"),
    [
        ({"aggregate": "sum"}, 5.0, 0.0),
        ({"aggregate": "mean"}, 2.5, np.nan),
        ({"aggregate": "last"}, 3.0, np.nan),
        ({"aggregate": "any"}, 1.0, 0.0),
        ({"aggregate": "sum", "when_missing": "drop"}, 5.0, np.nan),
        ({"aggregate": "mean", "when_missing": "zero"}, 2.5, 0.0),
    ],
)
def test_a_value_that_is_missing_counts_as_no_row(tmp_path, metric, expected, nothing):
    rows = plays(
        (1, "2026-03-03", 2.0), (1, "2026-03-04", 3.0), (1, "2026-03-05", float("nan")), (2, "2026-03-03", None)
    )
    users = healthy(tmp_path, metrics=rows).prepare({"metrics": [{"name": "plays", "role": "primary", **metric}]}).users
    np.testing.assert_equal(users["y__plays"].to_numpy()[:3], [expected, nothing, nothing])


def test_any_is_zero_where_all_values_are_zero(tmp_path):
    lake = healthy(tmp_path, metrics=plays((1, "2026-03-03", 0.0), (2, "2026-03-03", -1.0)))
    users = lake.prepare({"metrics": [{"name": "plays", "role": "primary", "aggregate": "any"}]}).users
    assert users["y__plays"].tolist() == [0.0, 1.0, 0.0, 0.0]


def test_a_metric_of_booleans_counts_days(tmp_path):
    rows = [(u, day(d), d != "2026-03-04") for u in (1, 2, 3, 4) for d in ("2026-03-03", "2026-03-04", "2026-03-19")]
    assert healthy(tmp_path, metrics=daily(rows, "plays")).prepare().users["y__plays"].tolist() == [1.0] * 4


def test_repeated_metric_rows_count_once_and_different_ones_of_a_day_add_up(tmp_path):
    rows = plays((1, "2026-03-03", 2.0), (1, "2026-03-03", 2.0), (1, "2026-03-03", 5.0), (1, "2026-03-04", 1.0))
    metrics = [
        {"name": "plays", "role": "primary"},
        {"name": "average", "column": "plays", "aggregate": "mean"},
        {"name": "latest", "column": "plays", "aggregate": "last"},
    ]
    prepared = healthy(tmp_path, metrics=rows).prepare({"metrics": metrics})
    assert prepared.users.loc[1, ["y__plays", "y__average", "y__latest"]].tolist() == [8.0, 4.0, 1.0]
    assert prepared.profile["duplicate_rows"]["metrics"] == 1
    assert prepared.profile["dropped_metrics_rows"] == {"outside_cohort_or_windows": 1, "repeated": 1}


def test_rows_that_differ_in_a_column_nobody_asked_for_are_not_repeated_rows(tmp_path):
    rows = daily(
        [
            (1, day("2026-03-03"), 2.0, "ios", [1]), (1, day("2026-03-03"), 2.0, "android", [1]),
            (1, day("2026-03-03"), 2.0, "android", [1]), (2, day("2026-03-19"), 2.0, None, []),
        ],
        "plays", "platform", "tags",
    )  # fmt: skip
    prepared = healthy(tmp_path, metrics=rows).prepare()
    assert prepared.users.loc[1, "y__plays"] == 4.0
    assert prepared.profile["duplicate_rows"]["metrics"] == 1


def test_repeated_assignment_rows_are_counted_and_harmless(tmp_path):
    rows = assignments((1, "control", FIRST), (1, "control", FIRST), (2, "treatment", FIRST))
    prepared = healthy(tmp_path, assignments=rows).prepare()
    assert prepared.profile["duplicate_rows"]["assignments"] == 1
    assert prepared.waterfall["rows"]["units"] == {"control": 2, "treatment": 1}
    assert prepared.waterfall["first_exposure"]["units"] == {"control": 1, "treatment": 1}


def test_caps_are_pooled_over_arms_and_bind_the_pre_window_too(tmp_path):
    units = range(1, 101)
    rows = [(u, "control" if u % 2 else "treatment", FIRST) for u in units]
    metrics = [(u, day("2026-03-03"), float(u)) for u in units] + [(u, day("2026-03-02"), 1000.0) for u in units]
    lake = healthy(
        tmp_path,
        assignments=assignments(*rows),
        metrics=daily([*metrics, (1, day("2026-03-19"), 0.0)], "plays"),
        features=daily([(u, day("2026-03-01"), u) for u in units], "age"),
    )
    prepared = lake.prepare({"metrics": [{"name": "plays", "role": "primary", "cap": {"quantile": 0.9}}]})
    bound = np.quantile(np.arange(1.0, 101.0), 0.9)
    cap = prepared.profile["caps"]["plays"]
    assert (cap["value"], cap["share_capped"], cap["share_of_nonzero"]) == (bound, 0.1, 0.1)
    for name, values in (("raw", np.arange(1.0, 101.0)), ("capped", np.minimum(np.arange(1.0, 101.0), bound))):
        for arm, of_arm in (("control", values[::2]), ("treatment", values[1::2])):
            expected = {"units": 50, "mean": of_arm.mean(), "standard_error": of_arm.std(ddof=1) / 50**0.5}
            assert cap[name][arm] == pytest.approx(expected)
    assert prepared.users["y__plays"].tolist() == np.minimum(np.arange(1.0, 101.0), bound).tolist()
    assert cap["pre_value"] == pytest.approx(bound * 2 / 3)
    assert (prepared.users["pre__plays"] == cap["pre_value"]).all()


def test_the_cap_of_the_pre_window_is_the_same_per_day_for_sums_and_the_same_for_means(tmp_path):
    rows = [(u, day(d), 100.0) for u in (1, 2, 3, 4) for d in ("2026-03-01", "2026-03-02", "2026-03-03", "2026-03-19")]
    cap = {"value": 6.0}
    metrics = [
        {"name": "plays", "role": "primary", "cap": cap},
        {"name": "average", "column": "plays", "aggregate": "mean", "cap": cap},
    ]
    users = healthy(tmp_path, metrics=daily(rows, "plays")).prepare({"metrics": metrics}).users
    assert users.loc[1, ["y__plays", "pre__plays", "y__average", "pre__average"]].tolist() == [6.0, 4.0, 6.0, 6.0]


def test_a_cap_leaves_missing_values_missing(tmp_path):
    metric = {"name": "plays", "role": "primary", "when_missing": "drop", "cap": {"value": 2.5}}
    prepared = healthy(tmp_path, metrics=plays((1, "2026-03-03", 9.0), (2, "2026-03-03", 1.0))).prepare(
        {"metrics": [metric]}
    )
    np.testing.assert_equal(prepared.users["y__plays"].to_numpy(), [2.5, 1.0, np.nan, np.nan])
    cap = prepared.profile["caps"]["plays"]
    assert (cap["value"], cap["share_capped"]) == (2.5, 0.5)
    assert cap["raw"]["control"] == {"units": 1, "mean": 9.0, "standard_error": None}


@pytest.mark.parametrize(("snapshot", "age"), [("before", 2), ("assignment_day", 3)])
def test_features_are_those_of_the_newest_day_that_the_snapshot_allows(tmp_path, snapshot, age):
    rows = [(u, day(f"2026-03-0{d}"), d) for u in (1, 2, 3, 4) for d in (1, 2, 3, 4)]
    prepared = healthy(tmp_path, features=daily(rows, "age")).prepare(
        {"window": {"days": 3, "timezone": "UTC", "snapshot": snapshot}}
    )
    assert prepared.users["age"].tolist() == [age] * 4


def test_a_feature_row_older_than_max_age_is_not_used_and_its_unit_stays(tmp_path):
    rows = daily([(1, day("2026-02-26"), 1.0), (2, day("2026-02-27"), 2.0), (3, day("2026-03-01"), 3.0)], "age")
    prepared = healthy(tmp_path, features=rows).prepare({"features": {"max_age": 4}})
    np.testing.assert_equal(prepared.users["age"].to_numpy(), [np.nan, 2.0, 3.0, np.nan])
    assert prepared.profile["units_without_features"] == 2
    assert prepared.profile["features"]["age"] == {"kind": "numeric", "levels": 2, "missing": 0.5, "reasons": []}


def test_a_newer_row_without_a_value_hides_an_older_value(tmp_path):
    rows = [(u, day("2026-03-01"), 1.0) for u in (1, 2)] + [(1, day("2026-03-02"), None)]
    users = healthy(tmp_path, features=daily(rows, "age")).prepare().users
    np.testing.assert_equal(users["age"].to_numpy()[:2], [np.nan, 1.0])


def test_a_features_table_without_dates_is_static(tmp_path):
    features = pa.table({"user_id": [4, 1, 1], "age": [40, 10, 10]})
    prepared = healthy(tmp_path, features=features).prepare()
    np.testing.assert_equal(prepared.users["age"].to_numpy(), [10.0, np.nan, np.nan, 40.0])
    assert prepared.profile["duplicate_rows"]["features"] == 1


def test_units_without_a_row_in_the_outcome_window_are_counted(tmp_path):
    prepared = healthy(tmp_path, metrics=plays((1, "2026-03-03", 1.0), (2, "2026-03-02", 1.0))).prepare()
    assert prepared.profile["units_without_metrics"] == 3


def test_text_ids_give_the_same_users_as_integers(tmp_path):
    by_number = healthy(tmp_path / "numbers").prepare()
    lake = Lake(tmp_path / "texts")
    for name in ("assignments", "metrics", "features"):
        table = pa.parquet.read_table(tmp_path / "numbers" / "tables" / name)
        lake.write(name, table.set_column(0, "user_id", table["user_id"].cast(pa.string()).dictionary_encode()))
    by_text = lake.prepare()
    assert by_text.table["unit"].to_pylist() == ["1", "2", "3", "4"]
    assert by_text.table.drop(["unit"]).equals(by_number.table.drop(["unit"]))


def test_types_of_the_written_table(tmp_path):
    features = pa.table(
        {
            "user_id": [1, 2], "date": [day("2026-03-01")] * 2, "small": pa.array([1, None], pa.int16()),
            "large": pa.array([2**40, None], pa.int64()), "single": pa.array([0.5, None], pa.float32()),
            "double": [0.1, None], "money": pa.array([1, None], pa.decimal128(9, 2)), "vip": [True, None],
            "city": pa.array(["z", None]).dictionary_encode(),
        }
    )  # fmt: skip
    schema = healthy(tmp_path, features=features).prepare().table.schema
    text = pa.dictionary(pa.int32(), pa.string())
    assert [(field.name, field.type) for field in schema] == [
        ("unit", pa.int64()), ("arm", pa.string()), ("start", pa.date32()), ("small", pa.float32()),
        ("large", pa.float64()), ("single", pa.float32()), ("double", pa.float64()), ("money", pa.float64()),
        ("vip", pa.int8()), ("city", text), ("y__plays", pa.float64()), ("pre__plays", pa.float64()),
        *((f"period__{k}", pa.float64()) for k in range(5)), ("part", pa.string()), ("fold", pa.int8()),
    ]  # fmt: skip


def test_units_of_a_cluster_share_part_and_fold(tmp_path):
    rows = assignments(*((u, "control" if u % 2 else "treatment", FIRST) for u in range(1, 41)))
    rows = rows.append_column("city_id", pa.array([u // 4 for u in range(1, 41)]))
    users = healthy(tmp_path, assignments=rows).prepare({"cluster": "city_id"}).users
    assert users["cluster"].tolist() == [u // 4 for u in range(1, 41)]
    assert (users.groupby("cluster")[["part", "fold"]].nunique() == 1).all().all()
    assert users.groupby(["part", "fold"]).ngroups > 3


def test_dates_and_experiments_may_be_folder_names(tmp_path):
    plain = healthy(tmp_path / "plain").prepare()
    lake = Lake(tmp_path / "folders")
    source = tmp_path / "plain" / "tables"
    rows = pa.parquet.read_table(source / "assignments").drop(["experiment_id"])
    lake.write("assignments", rows, rows, names=("experiment_id=exp-1/a.parquet", "experiment_id=007/a.parquet"))
    for name in ("metrics", "features"):
        table = pa.parquet.read_table(source / name)
        for d in set(table["date"].to_pylist()):
            lake.write(
                name, table.filter(pa.compute.equal(table["date"], d)).drop(["date"]), names=(f"date={d}/a.parquet",)
            )
    assert lake.prepare().table.equals(plain.table)


def test_dates_may_be_timestamps_at_midnight(tmp_path):
    plain = healthy(tmp_path / "plain")
    lake = Lake(tmp_path / "timestamps")
    for name in ("assignments", "metrics", "features"):
        table = pa.parquet.read_table(plain.root / "tables" / name)
        if "date" in table.column_names:
            table = table.set_column(1, "date", table["date"].cast(pa.timestamp("ns")))
        lake.write(name, table)
    assert lake.prepare().table.equals(plain.prepare().table)


def test_tables_are_found_where_the_experiment_says(tmp_path):
    lake = healthy(tmp_path)
    (tmp_path / "tables" / "metrics" / "000.parquet").rename(tmp_path / "elsewhere.parquet")
    prepared = lake.prepare({"tables": {"metrics": f"file://{tmp_path}/elsewhere.parquet"}})
    assert prepared.profile["tables"]["metrics"] == {"files": 1, "rows": 12}


def test_outputs_are_json_without_nan(tmp_path):
    prepared = healthy(tmp_path).prepare()
    assert json.loads(json.dumps(prepared.profile, allow_nan=False)) == prepared.profile


def test_categories_are_sorted_and_the_same_whether_read_whole_or_by_part(tmp_path, monkeypatch):
    monkeypatch.setattr("causal_tasks.data.users.PART_ROWS", 2)
    rows = [(u, day("2026-03-01"), city) for u, city in zip((1, 2, 3, 4), "zbza", strict=True)]
    prepared = healthy(tmp_path, features=daily(rows, "city")).prepare()
    assert list(prepared.files) == ["part-00000.parquet", "part-00001.parquet"]
    assert prepared.users["city"].tolist() == ["z", "b", "z", "a"]
    for name in prepared.files:
        assert pd.read_parquet(prepared.folder / name)["city"].cat.categories.tolist() == ["a", "b", "z"]
