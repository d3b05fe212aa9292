"""One table with one row per user in place of the three: what is written, and every way in which it can be wrong."""

import gzip
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment
from causal_tasks.pipelines import MINE
from causal_tasks.pipelines.execution import require_ready, run_stage
from causal_tasks.run_folder import RunFolder
from causal_tasks.settings import Settings
from tests.unit.data.lake import Lake, assignments, daily, day
from tests.unit.data.prepared import read_outputs


def frame(n=40, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "user_id": rng.permutation(n) + 100,
            "arm": np.resize(["control", "treatment"], n),
            "age": rng.integers(18, 60, n),
            "city": rng.choice(["北京", "上海", "a,b"], n),
            "vip": rng.random(n) < 0.5,
            "visit": np.resize([0, 0, 1], n),
            "spend": rng.gamma(2, 10, n).round(2),
        }
    )


class Wide:
    """A dataset on local disk, and what ``prepare`` makes of it."""

    def __init__(self, root):
        self.root, self.lake = root, Lake(root)

    def stated(self, name="users.parquet", /, **changes):
        return {
            "ended_at": None,
            "window": {},
            "dataset": {"uri": f"file://{self.root}/{name}", **changes.pop("dataset", {})},
            "metrics": [{"name": "visit", "aggregate": "any", "role": "primary"}, {"name": "spend"}],
            **changes,
        }

    def prepare(self, rows, **changes):
        """Write ``rows`` (a frame or a table) as one Parquet file and prepare it."""
        table = rows if isinstance(rows, pa.Table) else pa.Table.from_pandas(rows, preserve_index=False)
        pq.write_table(table, self.root / "users.parquet")
        return self.lake.prepare(self.stated(**changes))

    def prepare_csv(self, text, **changes):
        (self.root / "users.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
        return self.lake.prepare(self.stated("users.csv", **changes))


@pytest.fixture
def wide(tmp_path):
    return Wide(tmp_path)


def test_the_table_has_one_row_per_user_sorted_by_id_and_no_day(wide):
    rows = frame()
    table = wide.prepare(rows).table
    names = ["unit", "arm", "age", "city", "vip", "y__visit", "y__spend", "part", "fold"]
    assert table.column_names == names
    expected = rows.sort_values("user_id")
    assert table["unit"].to_pylist() == expected["user_id"].tolist()
    for name, column in {"arm": "arm", "age": "age", "city": "city", "y__visit": "visit", "y__spend": "spend"}.items():
        assert table[name].to_pylist() == expected[column].tolist()
    assert table["vip"].to_pylist() == expected["vip"].astype(int).tolist()
    assert (table.schema.field("vip").type, table.schema.field("y__visit").type) == (pa.int8(), pa.float64())
    assert table["city"].chunk(0).dictionary.to_pylist() == sorted(["北京", "上海", "a,b"])


def test_a_csv_file_compressed_or_not_and_parquet_files_say_the_same(wide, tmp_path):
    rows = frame()
    expected = wide.prepare(rows).files
    text = rows.to_csv(index=False)
    assert wide.prepare_csv(text).files == expected
    assert wide.prepare_csv("\ufeff" + text.replace("\n", "\r\n")).files == expected
    (tmp_path / "users.csv.gz").write_bytes(gzip.compress(text.encode()))
    assert wide.lake.prepare(wide.stated("users.csv.gz")).files == expected
    (tmp_path / "parts").mkdir()
    for part in range(4):
        rows[part * 10 : part * 10 + 10].to_parquet(tmp_path / "parts" / f"{part}.parquet", index=False)
    assert wide.lake.prepare(wide.stated("parts")).files == expected


def test_the_order_of_rows_changes_nothing(wide):
    rows = frame()
    assert wide.prepare(rows).files == wide.prepare(rows.sample(frac=1, random_state=1)).files


def test_the_three_tables_of_the_same_users_say_the_same_but_for_the_day(wide):
    rows = frame()
    one_day = [day("2026-03-03")] * len(rows)
    lake = Lake(wide.root)
    arms = zip(rows["user_id"], rows["arm"], ["2026-03-03T10:00:00"] * len(rows), strict=True)
    lake.write("assignments", assignments(*((int(unit), arm, at) for unit, arm, at in arms)))
    outcomes = zip(rows["user_id"], one_day, rows["visit"], rows["spend"], strict=True)
    lake.write("metrics", daily([*outcomes, (1, day("2026-03-19"), 0, 0.0)], "visit", "spend"))
    lake.write("features", pa.Table.from_pandas(rows[["user_id", "age", "city", "vip"]], preserve_index=False))
    metrics = [{"name": "visit", "aggregate": "any", "role": "primary"}, {"name": "spend"}]
    joined = lake.prepare({"window": {"days": 3, "pre_days": 0, "timezone": "UTC"}, "metrics": metrics})
    assert joined.table.drop(["start"]).equals(wide.prepare(rows).table)


def test_row_numbers_are_ids_and_rows_that_look_alike_are_kept(wide):
    rows = pd.concat([frame().drop(columns="user_id")] * 3)
    table = wide.prepare(rows, dataset={"row_numbers": True}).table
    assert table["unit"].to_pylist() == list(range(120))
    assert table["unit"].type == pa.int64()
    assert table["y__spend"].to_pylist() == rows["spend"].tolist()


def test_a_column_of_ids_is_no_feature_even_where_rows_are_numbered(wide):
    assert "user_id" not in wide.prepare(frame(), dataset={"row_numbers": True}).profile["features"]


def test_text_ids_are_sorted_as_text(wide):
    rows = frame().assign(user_id=[f"u{n}" for n in range(40)])
    assert wide.prepare(rows).table["unit"].to_pylist() == sorted(rows["user_id"])


@pytest.mark.parametrize("kind", ["int64", "bool", "category"])
def test_labels_that_are_no_text_are_compared_as_text(wide, kind):
    labels = {"int64": ("0", "1"), "bool": ("false", "true"), "category": ("0", "1")}[kind]
    numbers = np.resize([0, 1], 40)
    arm = pd.Series(numbers).astype(str).astype("category") if kind == "category" else numbers.astype(kind)
    users = wide.prepare(frame().assign(arm=arm), control=labels[0], treatments=[labels[1]]).users
    assert users["arm"].value_counts().to_dict() == dict.fromkeys(labels, 20)


def test_features_may_be_chosen_and_metrics_are_never_among_them(wide):
    features = {"include": ["vip", "age", "city"], "exclude": ["city"]}
    table = wide.prepare(frame(), features=features).table
    assert table.column_names[2:-2] == ["vip", "age", "y__visit", "y__spend"]
    with pytest.raises(InputError, match=r"dataset table: 'spend', named in features\.include, is no feature column"):
        wide.prepare(frame(), features={"include": ["spend"]})


def test_missing_outcomes_are_zero_or_stay_missing_as_the_metric_says(wide):
    rows = frame().assign(spend=[np.nan, *range(39)], visit=[1.0, np.nan, *[0.0] * 38])
    metrics = [
        {"name": "visit", "aggregate": "any", "role": "primary"},
        {"name": "spend"},
        {"name": "known_spend", "column": "spend", "when_missing": "drop"},
    ]
    users = wide.prepare(rows, metrics=metrics).users.loc[rows["user_id"]]
    assert users["y__visit"].tolist() == [1.0, *[0.0] * 39]
    assert users["y__spend"].tolist() == [0.0, *range(39)]
    assert users["y__known_spend"].tolist()[1:] == list(range(39))
    assert np.isnan(users["y__known_spend"].iloc[0])


def test_a_ratio_keeps_numerator_and_denominator_apart(wide):
    rows = frame().assign(clicks=np.arange(40), views=np.arange(40) + 1)
    metrics = [{"name": "ctr", "numerator": "clicks", "denominator": "views", "role": "primary"}]
    table = wide.prepare(rows, metrics=metrics).table
    assert table.column_names[-4:] == ["num__ctr", "den__ctr", "part", "fold"]
    assert [d - n for n, d in zip(*(table[c].to_pylist() for c in ("num__ctr", "den__ctr")), strict=True)] == [1] * 40
    assert not {"clicks", "views"} & set(table.column_names)


def test_caps_are_pooled_over_arms_and_reported(wide):
    metrics = [{"name": "spend", "role": "primary", "cap": {"value": 15.0}}]
    rows = frame()
    prepared = wide.prepare(rows, metrics=metrics, features={"exclude": ["visit"]})
    assert prepared.users["y__spend"].max() == 15
    cap = prepared.profile["caps"]["spend"]
    assert (cap["value"], cap["share_capped"]) == (15.0, float((rows["spend"] > 15).mean()))


def test_who_is_not_eligible_is_dropped_and_counted_by_arm(wide):
    rows = frame().assign(age=[17, 17, 17, *[30] * 36, None])
    rule = {"all": [{"feature": "age", "op": ">", "value": 18.0, "missing": True}]}
    prepared = wide.prepare(rows, eligible=rule)
    assert prepared.waterfall["not_eligible"]["dropped"] == {"control": 2, "treatment": 1}
    assert prepared.waterfall["analysed"]["units"] == {"control": 18, "treatment": 19}
    assert set(prepared.users.index) == set(rows["user_id"][3:])
    assert list(prepared.waterfall) == ["rows", "first_exposure", "not_eligible", "analysed"]


@pytest.mark.parametrize("name", ["spend", "arm", "nothing"])
def test_a_rule_may_read_only_what_was_known_before_exposure(wide, name):
    rule = {"all": [{"feature": name, "op": "present"}]}
    with pytest.raises(InputError, match=f"rule in eligible reads '{name}', which is no feature column"):
        wide.prepare(frame(), eligible=rule)


def test_a_rule_that_leaves_an_arm_empty_is_refused(wide):
    rows = frame().assign(city=np.resize(["x", "y"], 40))
    rule = {"all": [{"feature": "city", "op": "in", "value": ["x"]}]}
    with pytest.raises(InputError, match="no unit is left to analyse in arm 'treatment': 20 units do not fulfil"):
        wide.prepare(rows, eligible=rule)


def test_users_of_one_cluster_share_part_and_fold(wide):
    rows = frame(600).assign(school=np.arange(600) // 10)
    table = wide.prepare(rows, cluster="school").table
    assert table.column_names[:3] == ["unit", "arm", "cluster"]
    assert "school" not in table.column_names
    cells = table.to_pandas().groupby("cluster")[["part", "fold"]].nunique()
    assert (cells == 1).all().all()
    assert table.to_pandas()["part"].nunique() == 2


def test_the_profile_counts_rows_and_users_of_whom_nothing_is_known(wide):
    rows = frame().assign(age=[None, None, *range(38)], city=[None, *["x"] * 39], vip=[None, *[True] * 39])
    rows["spend"] = [*[1.0] * 39, np.nan]
    rows["visit"] = [*[1.0] * 39, np.nan]
    profile = wide.prepare(rows).profile
    assert profile["tables"] == {"dataset": {"files": 1, "rows": 40}}
    assert (profile["units_without_features"], profile["units_without_metrics"]) == (1, 1)
    assert (profile["features"]["age"]["missing"], profile["features"]["city"]["levels"]) == (0.05, 1)
    assert profile["cutoff"] is profile["last_metrics_day"] is None


def test_cells_of_a_csv_file_that_say_nothing_are_missing_in_text_too(wide):
    text = "user_id,arm,age,city,visit\n1,control,,NA,0\n2,treatment,\\N,,1\n3,control,30,x,NULL\n"
    users = wide.prepare_csv(text, metrics=[{"name": "visit", "aggregate": "any", "role": "primary"}]).users
    assert users["age"].isna().tolist() == [True, True, False]
    assert users["city"].isna().tolist() == [True, True, False]
    assert users["y__visit"].tolist() == [0, 1, 0]


def test_a_feature_without_any_value_is_kept_and_counted(wide):
    text = "user_id,arm,age,visit\n1,control,,0\n2,treatment,,1\n"
    prepared = wide.prepare_csv(text, metrics=[{"name": "visit", "aggregate": "any", "role": "primary"}])
    assert prepared.profile["features"] == {"age": {"kind": "numeric", "levels": 0, "missing": 1.0, "reasons": []}}
    with pytest.raises(InputError, match="column 'user_id' is null in 1 of 1 files"):
        wide.prepare_csv("user_id,arm,age,visit\n,control,,0\n,treatment,,1\n")


def test_a_column_of_a_csv_file_gets_the_type_that_holds_its_last_row(wide):
    ids = range(300_000)
    lines = [f"{n},{'control' if n % 2 else 'treatment'},{1.5 if n == ids[-1] else 1}," for n in ids]
    text = "\n".join(["user_id,arm,spend,age", *(line + "30" for line in lines)])
    table = wide.prepare_csv(text, metrics=[{"name": "spend", "role": "primary"}]).table
    assert table["y__spend"].to_pylist()[-2:] == [1.0, 1.5]


def refused(wide, rows, message, **changes):
    with pytest.raises(InputError, match=message):
        wide.prepare(rows, **changes)


def test_a_missing_column_comes_with_the_name_that_was_meant(wide):
    rows = frame().rename(columns={"user_id": "User_ID", "visit": "Visit", "arm": "group"})
    refused(wide, rows, r"column 'arm' is missing in 1 of 1 files .*correct dataset\.arm_column")
    rows = rows.rename(columns={"group": "arm"})
    refused(wide, rows, r"'user_id' is missing .*did you mean 'User_ID'\?.*set dataset\.row_numbers")
    refused(wide, rows.rename(columns={"User_ID": "user_id"}), r"'visit' is missing .*did you mean 'Visit'\?")
    refused(wide, frame(), r"column 'school' is missing .*correct cluster", cluster="school")


def test_repeated_ids_are_counted_with_an_example(wide):
    rows = pd.concat([frame(), frame()[:3]])
    refused(wide, rows, r"column 'user_id' repeats an id in 3 of 43 rows, such as \d+; write one row per user")


@pytest.mark.parametrize("column", ["user_id", "arm", "school"])
def test_whose_row_or_arm_or_cluster_is_missing_is_refused(wide, column):
    rows = frame().assign(school=range(40)).convert_dtypes()
    rows.loc[[4, 7], column] = None
    refused(wide, rows, f"dataset table: column '{column}' has no value in 2 of 40 rows", cluster="school")


def test_an_arm_that_the_experiment_does_not_name_is_refused(wide):
    rows = frame().assign(arm=np.resize(["control", "Treatment", "new", "treatment"], 40))
    message = (
        r"dataset table: 20 rows .* have an unknown arm: 'Treatment' \(did you mean 'treatment'\?\), 'new'; "
        r"known are \['control', 'treatment'\]; .*leave its rows out"
    )
    refused(wide, rows, message)
    refused(wide, frame().assign(arm="control"), "has no unit in arm 'treatment', only in 'control'")


def test_a_metric_of_text_is_refused(wide):
    refused(wide, frame().assign(spend="1 USD"), r"column 'spend' is text in 1 of 1 files .*cast it to a number")


@pytest.mark.parametrize("value", [2.0, -1.0, 0.5])
def test_a_share_of_users_is_made_of_zeros_and_ones(wide, value):
    rows = frame().assign(visit=[value, *[0.0] * 39])
    refused(wide, rows, f"column 'visit' holds {value:g}, but metric 'visit' has aggregate 'any'")


def test_a_share_of_users_may_be_boolean(wide):
    rows = frame()
    assert wide.prepare(rows.assign(visit=rows["visit"] == 1)).files == wide.prepare(rows).files


def test_an_infinite_value_is_refused_and_nan_is_missing(wide):
    refused(wide, frame().assign(spend=[np.inf, *[1.0] * 39]), "column 'spend' holds 1 infinite values")
    nan = pa.Table.from_pandas(frame()).set_column(2, "age", pa.array([np.nan, *[1.0] * 39]))
    assert wide.prepare(nan).profile["features"]["age"]["missing"] == 1 / 40


def test_a_feature_that_is_no_number_and_no_text_is_refused(wide):
    refused(wide, frame().assign(born=date(2000, 1, 1)), r"'born' is date32\[day\] .*list it under features\.exclude")
    refused(wide, frame().assign(part="x"), "column 'part' has a reserved name")


def test_a_number_too_long_to_be_exact_is_refused(wide):
    rows = frame().assign(hashed=2**62 + 1)
    refused(wide, rows, "column 'hashed' of users.parquet cannot be read as double .*write it as text")


def test_a_metric_cannot_be_the_arm(wide):
    metrics = [{"name": "arm", "role": "primary"}]
    refused(wide, frame(), "column 'arm' is both arm and a metric", metrics=metrics)


def test_a_fractional_id_is_refused(wide):
    refused(wide, frame().assign(user_id=np.arange(40) + 0.5), "column 'user_id' is double .*64-bit integers or as")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("user_id,arm,visit\n", "has column names, but no row"),
        ("", "is no valid CSV file .*Empty"),
        ("user_id,arm,visit\n1,control,0\n2,treatment\n", "is no valid CSV file .*Expected 3 columns, got 2"),
        ("user_id,arm,arm\n1,control,0\n", "has several columns 'arm'"),
        ("user_id,arm,city\n1,control,北京\n".encode("gbk"), "column 'city' of .* holds text that is not UTF-8"),
        ("用户,arm\n1,control\n".encode("gbk"), "is no valid CSV file .*can't decode .*in UTF-8"),
        ("user_id;arm;visit\n1;control;0\n", r"column 'arm' is missing .*\(it has user_id;arm;visit\)"),
    ],
)
def test_a_broken_csv_file_is_refused(wide, text, message):
    with pytest.raises(InputError, match=f"dataset table: .*{message}"):
        wide.prepare_csv(text)


@pytest.mark.parametrize("content", [b"user_id,arm\n1,control\n", gzip.compress(b"user_id,arm\n" * 999)[:-20]])
def test_a_broken_compressed_file_is_refused(wide, content):
    (wide.root / "users.csv.gz").write_bytes(content)
    with pytest.raises(InputError, match=r"users\.csv\.gz is no valid CSV file"):
        wide.lake.prepare(wide.stated("users.csv.gz"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.csv", r"there is no file file://.*none\.csv"),
        ("none.parquet", r"no Parquet file at or under .*point dataset\.uri of the experiment"),
        ("notes.txt", r"the name of .*notes\.txt tells no format; let it end in \.csv, \.csv\.gz or \.parquet"),
    ],
)
def test_a_file_that_is_not_there_or_of_no_known_format_is_named(wide, name, message):
    (wide.root / "notes.txt").write_text("hello")
    with pytest.raises(InputError, match=message):
        wide.lake.prepare(wide.stated(name))


def test_a_dataset_needs_no_end_and_is_ready_at_once(wide):
    assert wide.lake.context(wide.stated()).experiment.ended_at is None
    require_ready(wide.lake.context(wide.stated()).experiment, now=datetime(1980, 1, 1, tzinfo=UTC))
    with pytest.raises(InputError, match="a finished experiment needs ended_at"):
        wide.lake.context({"ended_at": None})


def test_what_a_dataset_cannot_tell_is_not_checked_and_the_rest_is(wide):
    rows = frame(4000).assign(visit=np.random.default_rng(1).integers(0, 2, 4000))
    rows.to_parquet(wide.root / "users.parquet", index=False)
    experiment = Experiment.model_validate(wide.lake.context(wide.stated()).experiment.model_dump(by_alias=True))
    run = RunFolder.open(experiment, Settings(lake=f"file://{wide.root}"))
    prepared = run_stage(MINE, "prepare", run=run)
    validated = run_stage(MINE, "validate", run=run, inputs=[prepared.manifest])
    measured = run_stage(MINE, "measure", run=run, inputs=[prepared.manifest, validated.manifest])
    found = read_outputs(run, validated)
    codes = {check["code"] for check in found["checks"]}
    assert codes.isdisjoint({"contamination", "contamination_symmetry", "maturity", "duplicates", "pre_period"})
    assert codes >= {"sample_ratio", "feature_coverage", "metric_coverage", "arm_size", "constant_feature"}
    assert found["verdict"] == {"status": "valid", "mining": True, "reason": None}
    effect = read_outputs(run, measured)["effects"][0]["effect"]
    means = rows.groupby("arm")["visit"].mean()
    assert effect["estimate"] == pytest.approx(means["treatment"] - means["control"], abs=1e-12)
    assert effect["method"] == "difference_in_means"
