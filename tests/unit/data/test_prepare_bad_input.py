"""Every way in which tables can be wrong, and the sentence that says so."""

import datetime

import numpy as np
import pyarrow as pa
import pytest

from causal_tasks.errors import InputError, NotReadyError
from tests.unit.data.lake import Lake, assignments, daily, day, healthy

FIRST = "2026-03-03T10:00:00"


def metrics_with(values, kind=None):
    dates = [day("2026-03-04")] * 3 + [day("2026-03-19")]
    return pa.table({"user_id": [1, 2, 3, 4], "date": dates, "plays": pa.array(values, kind)})


def features_with(name, values):
    return pa.table({"user_id": [1, 2, 3, 4], "date": [day("2026-03-01")] * 4, name: values})


@pytest.mark.parametrize("table", ["assignments", "metrics", "features"])
def test_a_missing_table_is_named_with_its_address(tmp_path, table):
    with pytest.raises(
        InputError, match=rf"{table} table: no Parquet file at or under file://.*/tables/{table}; .*tables\.{table}"
    ):
        healthy(tmp_path, **{table: None}).prepare()


def test_a_file_that_is_no_parquet_is_named(tmp_path):
    lake = healthy(tmp_path)
    (tmp_path / "tables" / "metrics" / "broken.parquet").write_bytes(b"user_id,date,plays\n1,2026-03-03,4\n")
    with pytest.raises(InputError, match=r"metrics table: broken\.parquet is no valid Parquet file"):
        lake.prepare()


def test_an_empty_table_is_named(tmp_path):
    lake = healthy(tmp_path, metrics=metrics_with([1.0] * 4).slice(0, 0))
    with pytest.raises(InputError, match=r"metrics table: 1 files at .* but no row"):
        lake.prepare()


def test_a_column_of_text_where_numbers_belong_is_named_with_its_files(tmp_path):
    lake = healthy(tmp_path)
    lake.write("metrics", metrics_with(["1", "2", "3", "4"]), names=("late.parquet",))
    with pytest.raises(
        InputError, match=r"metrics table: column 'plays' is text in 1 of 2 files \(first: late\.parquet\); cast it"
    ):
        lake.prepare()


def test_a_missing_column_comes_with_the_name_that_was_meant(tmp_path):
    lake = healthy(tmp_path, metrics=metrics_with([1.0] * 4).rename_columns(["user_id", "date", "Plays"]))
    with pytest.raises(
        InputError, match=r"metrics table: column 'plays' is missing in 1 of 1 files .*did you mean 'Plays'\?"
    ):
        lake.prepare()


def test_another_experiment_in_the_table_is_named_instead(tmp_path):
    rows = assignments((1, "control", FIRST), (2, "treatment", FIRST), experiment="exp-2")
    with pytest.raises(InputError, match="no row of experiment 'exp-1'; it has 'exp-2'"):
        healthy(tmp_path, assignments=rows).prepare()


def test_at_most_five_other_experiments_are_named(tmp_path):
    lake = healthy(tmp_path, assignments=None)
    lake.write("assignments", *(assignments((1, "control", FIRST), experiment=f"e{i}") for i in range(7)))
    with pytest.raises(InputError, match="it has 'e0', 'e1', 'e2', 'e3', 'e4', …"):
        lake.prepare()


def test_a_table_without_experiment_column_is_read_where_the_experiment_says_so(tmp_path):
    rows = assignments((1, "control", FIRST), (2, "treatment", FIRST)).drop(["experiment_id"])
    lake = healthy(tmp_path, assignments=rows)
    with pytest.raises(InputError, match=r"column 'experiment_id' is missing .*set tables.experiment_column to null"):
        lake.prepare()
    assert len(lake.prepare({"tables": {"experiment_column": None}}).users) == 2


def test_an_unknown_arm_comes_with_the_known_one_that_was_meant(tmp_path):
    rows = assignments((1, "Control ", FIRST), (2, "treatment", FIRST), (3, "variant_b", FIRST))
    with pytest.raises(InputError) as caught:
        healthy(tmp_path, assignments=rows).prepare()
    assert "2 rows" in caught.value.message
    assert (
        "'Control ' (did you mean 'control'?), 'variant_b'; known are ['control', 'treatment']" in caught.value.message
    )


def test_an_arm_without_a_unit_is_named(tmp_path):
    rows = assignments((1, "control", FIRST), (2, "control", FIRST))
    with pytest.raises(InputError, match="no unit in arm 'treatment', only in 'control'"):
        healthy(tmp_path, assignments=rows).prepare()


def test_an_arm_that_loses_all_its_units_is_named(tmp_path):
    rows = assignments((1, "control", FIRST), (2, "treatment", "2026-03-18T10:00:00"))
    with pytest.raises(InputError, match="no unit is left to analyse in arm 'treatment'"):
        healthy(tmp_path, assignments=rows).prepare()


def test_no_unit_but_those_in_two_arms_is_said(tmp_path):
    later = "2026-03-03T11:00:00"
    rows = assignments((1, "control", FIRST), (1, "treatment", later), (2, "treatment", FIRST), (2, "control", later))
    with pytest.raises(InputError, match="every unit of experiment 'exp-1' was seen in two arms"):
        healthy(tmp_path, assignments=rows).prepare()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (pa.timestamp("us"), "'assigned_at' is a timestamp without a zone in 1 of 1"),
        (pa.string(), "'assigned_at' is text"),
    ],
)
def test_a_time_without_a_zone_is_refused(tmp_path, kind, message):
    rows = assignments((1, "control", FIRST), (2, "treatment", FIRST))
    naive = rows.set_column(3, "assigned_at", rows["assigned_at"].cast(kind))
    with pytest.raises(InputError, match=message):
        healthy(tmp_path, assignments=naive).prepare()


def test_a_missing_value_in_assignments_is_counted(tmp_path):
    rows = assignments((1, "control", FIRST), (2, "treatment", FIRST), (None, "control", FIRST))
    with pytest.raises(InputError, match="assignments table: column 'user_id' has no value in 1 of 3 rows"):
        healthy(tmp_path, assignments=rows).prepare()


@pytest.mark.parametrize("column", ["user_id", "date"])
@pytest.mark.parametrize("statistics", [True, False])
def test_a_missing_id_or_date_in_metrics_is_counted(tmp_path, column, statistics):
    lake = healthy(tmp_path, metrics=None)
    table = daily([(1, day("2026-03-03"), 1.0), (2, day("2026-03-19"), 1.0)], "plays")
    position = table.column_names.index(column)
    table = table.set_column(position, column, pa.array([None, table[column][1].as_py()], table[column].type))
    lake.write("metrics", table, write_statistics=statistics)
    with pytest.raises(InputError, match=f"metrics table: column '{column}' has no value in 1 of 2 rows"):
        lake.prepare()


def test_ids_of_two_types_are_named_with_their_tables(tmp_path):
    features = pa.table({"user_id": ["1"], "date": [day("2026-03-01")], "age": [3]})
    with pytest.raises(
        InputError, match="column 'user_id' is integer in assignments, integer in metrics, text in features"
    ):
        healthy(tmp_path, features=features).prepare()


def test_ids_of_two_types_within_one_table_are_refused(tmp_path):
    lake = healthy(tmp_path)
    lake.write(
        "metrics", pa.table({"user_id": ["1"], "date": [day("2026-03-03")], "plays": [1.0]}), names=("x.parquet",)
    )
    with pytest.raises(
        InputError, match=r"metrics table: column 'user_id' is text in 1 of 2 files \(first: x.parquet\)"
    ):
        lake.prepare()


@pytest.mark.parametrize("kind", [pa.float64(), pa.uint64(), pa.binary()])
def test_ids_that_are_neither_integers_nor_text_are_refused(tmp_path, kind):
    values = pa.array([b"1"] * 4 if kind == pa.binary() else [1] * 4, kind)
    table = metrics_with([1.0] * 4).set_column(0, "user_id", values)
    with pytest.raises(
        InputError, match=rf"metrics table: column 'user_id' is {kind} in 1 of 1 files.*64-bit integers or as text"
    ):
        healthy(tmp_path, metrics=table).prepare()


@pytest.mark.parametrize(
    ("dates", "message"),
    [
        (["2026-03-19"] * 4, "column 'date' is text in 1 of 1 files"),
        (pa.array([datetime.datetime(2026, 3, 3, 9)] * 4), "holds times of day such as 2026-03-03 09:00:00"),
        (pa.array([datetime.datetime(2026, 3, 19)] * 4, pa.timestamp("us", tz="UTC")), "timestamp with a zone"),
    ],
)
def test_a_date_that_is_no_date_is_refused(tmp_path, dates, message):
    table = metrics_with([1.0] * 4).set_column(1, "date", pa.array(dates))
    with pytest.raises(InputError, match=message):
        healthy(tmp_path, metrics=table).prepare({"window": {"days": 1}})


def test_a_folder_that_is_no_date_is_refused(tmp_path):
    lake = healthy(tmp_path, metrics=None)
    lake.write("metrics", metrics_with([1.0] * 4).drop(["date"]), names=("date=19-03-2026/a.parquet",))
    with pytest.raises(InputError, match=r"metrics table: folder date='19-03-2026' .*is no date"):
        lake.prepare()


@pytest.mark.parametrize("table", ["metrics", "features"])
def test_infinite_values_are_named(tmp_path, table):
    wrong = {
        "metrics": daily([(1, day("2026-03-04"), np.inf), (1, day("2026-03-19"), -np.inf)], "plays"),
        "features": features_with("age", [1.0, -np.inf, 2.0, 3.0]),
    }
    with pytest.raises(
        InputError, match=rf"{table} table: column '(plays|age)' holds 1 infinite values \(in 000.parquet"
    ):
        healthy(tmp_path, **{table: wrong[table]}).prepare()


@pytest.mark.parametrize(
    "values", [[[1]] * 4, [datetime.datetime(2026, 1, 1)] * 4, [datetime.date(2026, 1, 1)] * 4, [{"a": 1}] * 4]
)
def test_a_feature_that_is_no_number_or_text_is_refused_with_the_remedy(tmp_path, values):
    with pytest.raises(InputError, match=r"features table: column 'since' is .* in 1 of 1 files.*features\.exclude"):
        healthy(tmp_path, features=features_with("since", values)).prepare()


def test_a_feature_that_is_a_number_in_one_file_and_text_in_another_is_refused(tmp_path):
    lake = healthy(tmp_path, features=features_with("age", [1, 2, 3, 4]))
    lake.write("features", features_with("age", list("abcd")), names=("b.parquet",))
    with pytest.raises(InputError, match=r"column 'age' is int64, but text in 1 of 2 files \(first: b.parquet\)"):
        lake.prepare()


@pytest.mark.parametrize("name", ["arm", "unit", "fold", "cluster", "y__plays", "pre__x", "den__x"])
def test_a_feature_may_not_bear_a_name_of_ours(tmp_path, name):
    with pytest.raises(InputError, match=f"features table: column '{name}' has a reserved"):
        healthy(tmp_path, features=features_with(name, [1, 2, 3, 4])).prepare()


@pytest.mark.parametrize("features", [{"include": ["Age"]}, {"exclude": ["Age"]}])
def test_a_feature_named_in_vain_is_named_with_the_one_that_was_meant(tmp_path, features):
    with pytest.raises(InputError, match=r"'Age', named in features\.(include|exclude), .*did you mean 'age'\?"):
        healthy(tmp_path).prepare({"features": features})


def test_no_feature_left_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no feature is left of \['age', 'city'\]"):
        healthy(tmp_path).prepare({"features": {"exclude": ["age", "city"]}})


def test_a_rule_that_reads_an_unknown_feature_is_refused(tmp_path):
    rule = {"all": [{"feature": "wealth", "op": ">", "value": 1.0}]}
    with pytest.raises(InputError, match="rule in eligible reads 'wealth', which is no feature column"):
        healthy(tmp_path).prepare({"eligible": rule})


def test_a_rule_that_compares_text_with_a_number_is_refused(tmp_path):
    rule = {"all": [{"feature": "city", "op": ">", "value": 1.0}]}
    with pytest.raises(InputError, match="'city' is categorical, but the rule in eligible tests it with '>'"):
        healthy(tmp_path).prepare({"eligible": rule})


def test_a_rule_that_nobody_fulfils_is_said(tmp_path):
    rule = {"all": [{"feature": "age", "op": ">", "value": 1000.0}]}
    with pytest.raises(InputError, match=r"no unit is left .* 4 units do not fulfil eligible"):
        healthy(tmp_path).prepare({"eligible": rule})


def test_no_mature_unit_names_the_cutoff_and_the_day_that_was_needed(tmp_path):
    with pytest.raises(InputError) as caught:
        healthy(tmp_path).prepare({"ended_at": "2026-03-05T12:00:00Z"})
    assert "earliest begins on 2026-03-03 and needs all days before 2026-03-06" in caught.value.message
    assert "before 2026-03-05" in caught.value.message
    assert "window.past_end" in caught.value.remedy


def test_an_experiment_without_end_is_not_ready(tmp_path):
    with pytest.raises(NotReadyError, match="has no ended_at"):
        healthy(tmp_path).prepare({"status": "running", "ended_at": None})


def test_metrics_of_other_ids_are_refused(tmp_path):
    rows = daily([(u, day(d), 1.0) for u in (901, 902) for d in ("2026-03-03", "2026-03-19")], "plays")
    with pytest.raises(
        InputError, match=r"metrics table: no row belongs to any of the 4 units .*compare its ids .*such as 1"
    ):
        healthy(tmp_path, metrics=rows).prepare()


def test_features_of_other_ids_are_refused(tmp_path):
    rows = daily([(u, day("2026-03-01"), 1.0) for u in (901, 902)], "age")
    with pytest.raises(InputError, match=r"features table: none of the 4 units has a row .*features.max_age"):
        healthy(tmp_path, features=rows).prepare()


def test_features_that_are_all_too_old_are_refused(tmp_path):
    rows = daily([(u, day("2026-01-01"), 1.0) for u in (1, 2, 3, 4)], "age")
    with pytest.raises(
        InputError, match=r"features table: no row from 2026-02-01 to 2026-03-02.*raise features\.max_age"
    ):
        healthy(tmp_path, features=rows).prepare()


def test_two_different_feature_rows_of_one_day_are_refused(tmp_path):
    rows = daily([(u, day("2026-03-01"), value) for u in (1, 2) for value in (1.0, u)], "age")
    with pytest.raises(InputError, match="features table: 1 units have different rows on the same day, such as 2"):
        healthy(tmp_path, features=rows).prepare()


def test_a_cap_of_a_metric_without_values_is_refused(tmp_path):
    metric = {"name": "plays", "role": "primary", "when_missing": "drop", "cap": {"quantile": 0.9}}
    lake = healthy(
        tmp_path, metrics=daily([(u, day(d), None) for u in (1, 2) for d in ("2026-03-03", "2026-03-19")], "plays")
    )
    with pytest.raises(InputError, match="metric 'plays' is to be capped, but no unit has a value"):
        lake.prepare({"metrics": [metric]})


def test_a_lake_of_an_unknown_kind_is_refused(tmp_path):
    lake: Lake = healthy(tmp_path)
    with pytest.raises(InputError, match="is no address of a file"):
        lake.prepare({"tables": {"metrics": "hdfs://somewhere/metrics"}})
