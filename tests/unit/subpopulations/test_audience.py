"""Who fulfils a mined rule now: the newest row of each user, whatever the files look like."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from causal_tasks.data import members
from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment
from causal_tasks.run_folder import RunFolder
from causal_tasks.settings import Settings
from causal_tasks.subpopulations.audience import write_audience

STATEMENT = {
    "experiment_id": "music",
    "control": "off",
    "treatments": ["on"],
    "window": {"days": 7},
    "metrics": [{"name": "minutes", "role": "primary"}],
    "features": {"max_age": 5},
}
RULE = {
    "all": [
        {"feature": "age", "op": "<=", "value": 30.0, "missing": True},
        {"feature": "city", "op": "in", "value": ["a", "b"], "missing": False},
    ]
}
FIRST = date(2026, 9, 1)


def run_of(root, *, rule=RULE, result=True, slices=1, **changes):
    experiment = Experiment.parse(STATEMENT | changes, source="test")
    run = RunFolder.open(experiment, Settings(lake=f"file://{root}", slices=slices))
    if result:
        found = [{"id": "s1", "rule": rule, "grade": "confirmed"}]
        run.storage.write_json(f"{run.uri}/result.json", {"subpopulations": found})
    return run


def feature_rows(seed=0, *, users=500, days=10, text_ids=False):
    """Rows of users on some days, in no order; some have none, some repeat a day with other values."""
    random = np.random.default_rng(seed)
    n = users * 4
    unit = random.integers(0, users, n)
    return pd.DataFrame(
        {
            "user_id": [f"u{k:05d}" for k in unit] if text_ids else unit,
            "date": [FIRST + timedelta(days=int(d)) for d in random.integers(0, days, n)],
            "age": np.where(random.random(n) < 0.1, np.nan, random.integers(16, 60, n)),
            "city": random.choice(["a", "b", "c", None], n),
            "secret": random.random(n),
        }
    )


def write_features(root, frame, *, files=3):
    folder = root / "tables" / "features"
    folder.mkdir(parents=True)
    for number, part in enumerate(np.array_split(np.arange(len(frame)), files)):
        table = pa.Table.from_pandas(frame.iloc[part], preserve_index=False)
        pq.write_table(table, folder / f"{number}.parquet", row_group_size=200)


def expected(frame, *, last, max_age=5):
    """The definition, row by row."""
    recent = frame[(frame["date"] <= last) & (frame["date"] > last - timedelta(days=max_age))]
    newest = recent.loc[recent.groupby("user_id")["date"].transform("max") == recent["date"]]
    newest = newest.drop_duplicates("user_id")
    inside = ((newest["age"] <= 30) | newest["age"].isna()) & newest["city"].isin(["a", "b"])
    return sorted(newest.loc[inside, "user_id"]), len(newest)


def ids(audience):
    return pq.read_table(audience.uri.removeprefix("file://")).to_pydict()


@pytest.mark.parametrize("text_ids", [False, True])
@pytest.mark.parametrize("slices", [1, 4])
def test_members_are_those_of_the_definition(tmp_path, monkeypatch, text_ids, slices):
    monkeypatch.setattr(members, "_CHUNK_ROWS", 300)  # many chunks, many merges
    frame = feature_rows(text_ids=text_ids)
    write_features(tmp_path, frame)
    run = run_of(tmp_path, slices=slices)
    audience = write_audience(run, "s1", f"file://{tmp_path}/out.parquet")
    wanted, users = expected(frame, last=frame["date"].max())
    found = ids(audience)
    assert list(found) == ["user_id"]
    assert sorted(found["user_id"]) == wanted
    assert slices > 1 or found["user_id"] == wanted
    assert (audience.members, audience.users) == (len(wanted), users)
    assert audience.share == pytest.approx(len(wanted) / users)
    assert audience.as_of == frame["date"].max()
    assert 0 < audience.members < audience.users < 500


@pytest.mark.parametrize("day", [3, 6, 20])
def test_rows_after_the_day_and_rows_too_old_do_not_count(tmp_path, day):
    frame = feature_rows()
    write_features(tmp_path, frame)
    last = FIRST + timedelta(days=day)
    run = run_of(tmp_path)
    if day == 20:
        with pytest.raises(InputError, match="no row from"):
            write_audience(run, "s1", f"file://{tmp_path}/out.parquet", as_of=last)
        return
    audience = write_audience(run, "s1", f"file://{tmp_path}/out.parquet", as_of=last)
    wanted, users = expected(frame, last=last)
    assert (ids(audience)["user_id"], audience.users) == (wanted, users)


def test_whom_the_experiment_left_out_is_no_member(tmp_path):
    frame = feature_rows()
    write_features(tmp_path, frame)
    narrow = {"all": [{"feature": "age", "op": ">", "value": 25.0}]}
    everybody = write_audience(run_of(tmp_path), "s1", f"file://{tmp_path}/all.parquet")
    run = run_of(tmp_path, experiment_id="narrow", eligible=narrow)
    some = write_audience(run, "s1", f"file://{tmp_path}/some.parquet")
    assert some.members < everybody.members
    assert set(ids(some)["user_id"]) < set(ids(everybody)["user_id"])
    assert some.rule.features == ("age", "city")


def test_a_table_without_days_has_one_row_per_user(tmp_path):
    frame = feature_rows().drop_duplicates("user_id").drop(columns="date")
    write_features(tmp_path, frame)
    run = run_of(tmp_path)
    audience = write_audience(run, "s1", f"file://{tmp_path}/out.parquet")
    assert (audience.users, audience.as_of) == (len(frame), None)
    with pytest.raises(InputError, match="no days"):
        write_audience(run, "s1", f"file://{tmp_path}/other.parquet", as_of=FIRST)


@pytest.mark.parametrize("row_numbers", [False, True])
def test_a_dataset_is_judged_on_its_own_rows(tmp_path, row_numbers):
    frame = feature_rows().drop_duplicates("user_id").drop(columns="date").reset_index(drop=True)
    frame["arm"], frame["minutes"] = "on", 1.0
    frame.to_csv(tmp_path / "wide.csv", index=False)
    dataset = {"uri": f"file://{tmp_path}/wide.csv", "row_numbers": row_numbers}
    audience = write_audience(run_of(tmp_path, dataset=dataset, window=None), "s1", f"file://{tmp_path}/out.parquet")
    inside = ((frame["age"] <= 30) | frame["age"].isna()) & frame["city"].isin(["a", "b"])
    wanted = frame.index[inside] if row_numbers else sorted(frame.loc[inside, "user_id"])
    assert ids(audience)["user_id"] == list(wanted)


def test_a_file_that_is_there_is_not_replaced(tmp_path):
    write_features(tmp_path, feature_rows())
    run = run_of(tmp_path)
    taken = tmp_path / "out.parquet"
    taken.write_bytes(b"mine")
    with pytest.raises(InputError, match="exists"):
        write_audience(run, "s1", f"file://{taken}")
    assert taken.read_bytes() == b"mine"


def test_a_rule_that_the_table_cannot_answer_is_refused_by_name(tmp_path):
    write_features(tmp_path, feature_rows().drop(columns="city"))
    with pytest.raises(InputError, match="'city'"):
        write_audience(run_of(tmp_path), "s1", f"file://{tmp_path}/out.parquet")
    assert not (tmp_path / "out.parquet").exists()


def test_an_unknown_rule_and_an_unfinished_run_are_refused(tmp_path):
    write_features(tmp_path, feature_rows())
    with pytest.raises(InputError, match="no rule 's9'") as unknown:
        write_audience(run_of(tmp_path), "s9", f"file://{tmp_path}/out.parquet")
    assert "s1" in unknown.value.remedy
    unfinished = run_of(tmp_path, experiment_id="unfinished", result=False)
    with pytest.raises(InputError, match="no result"):
        write_audience(unfinished, "s1", f"file://{tmp_path}/out.parquet")
