"""What ``prepare`` records for the checks: forms of ids, other experiments, the day of exposure, who was not eligible."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from causal_tasks.data import other_experiments
from causal_tasks.data.id_formats import IdFormats
from causal_tasks.validity.arms import Arms
from causal_tasks.validity.assignment_checks import assignment_checks
from tests.unit.data.lake import Lake, assignments, daily, day, healthy

FIRST = "2026-03-03T10:00:00"


def formats(ids, has_rows):
    counted = IdFormats()
    for part in np.array_split(np.arange(len(ids)), 3):
        counted.add(pa.array([ids[i] for i in part], pa.large_string()), np.array([has_rows[i] for i in part]))
    return counted


def test_a_form_of_ids_without_any_row_is_counted_by_kinds_and_number_of_characters():
    users = [f"u{n:06d}" for n in range(200)]
    devices = [f"{n:032X}"[:-1] + "F" for n in range(40)]
    counted = formats([*users, *devices], [*[True] * 200, *[False] * 40])
    assert counted.unknown == {"[A-Z0-9]{32}": 40}


def test_a_form_with_some_rows_or_with_few_units_is_no_finding():
    users = [f"u{n}" for n in range(10, 99)]
    assert formats([*users, *["x" * 9] * 29], [*[True] * 89, *[False] * 29]).unknown == {}
    assert formats(users, [True, *[False] * 88]).unknown == {}


def test_where_no_id_has_rows_or_all_are_integers_nothing_is_said_about_forms():
    users = [f"u{n:06d}" for n in range(200)]
    assert formats(users, [False] * 200).unknown == {}
    integers = IdFormats()
    integers.add(pa.array([1, 2, 3]), np.array([True, False, False]))
    assert not integers.seen


def test_units_named_by_their_device_are_found_among_users(tmp_path):
    ids = [*(f"u{n:05d}" for n in range(60)), *(f"{n:08x}-dev" for n in range(40))]
    schema = pa.schema([("user_id", pa.string()), ("assigned_at", pa.timestamp("us", tz="UTC"))])
    rows = assignments(*((unit, ("control", "treatment")[k % 2], FIRST) for k, unit in enumerate(ids)), schema=schema)
    known = ids[:60]
    lake = healthy(
        tmp_path,
        assignments=rows,
        metrics=daily([(u, day(d), 1.0) for u in known for d in ("2026-03-04", "2026-03-19")], "plays"),
        features=daily([(u, day("2026-03-01"), 1) for u in ids], "age"),
    )
    found = lake.prepare().profile["unknown_id_formats"]
    assert found == {"metrics": {"[a-z0-9-]{12}": 40}, "features": {}}


def test_ids_that_are_integers_have_no_form(tmp_path):
    assert healthy(tmp_path).prepare().profile["unknown_id_formats"] == {}


def overlapping(tmp_path, *others, names=()):
    ours = assignments(*((u, "control" if u % 2 else "treatment", FIRST) for u in range(1, 9)))
    features = daily([(u, day("2026-03-01"), u) for u in range(1, 9)], "age")
    lake = healthy(tmp_path, assignments=None, features=features)
    files = [ours, *others]
    if names:
        files = [file.drop(["experiment_id"]) for file in files]
    lake.write("assignments", *files, names=names)
    return lake


@pytest.mark.parametrize("names", [(), ("experiment_id=exp-1/a.parquet", "experiment_id=b/b.parquet")])
def test_our_units_in_another_experiment_are_counted_once_by_our_arm(tmp_path, names):
    other = assignments(
        (1, "x", FIRST), (1, "x", FIRST), (1, "y", "2026-03-09T00:00:00"), (3, "x", FIRST), (2, "y", FIRST),
        (99, "x", FIRST), (None, "x", FIRST), (4, "x", "2026-03-20T04:00:00"), experiment="b",
    )  # fmt: skip
    profile = overlapping(tmp_path, other, names=names).prepare().profile
    assert profile["other_experiments"] == {"b": {"control": 2, "treatment": 1}}


def test_only_the_twenty_largest_other_experiments_are_kept(tmp_path):
    others = [assignments(*((u, "x", FIRST) for u in range(1, 2 + k % 7)), experiment=f"e{k:02d}") for k in range(30)]
    found = overlapping(tmp_path, *others).prepare().profile["other_experiments"]
    sizes = [sum(units.values()) for units in found.values()]
    assert len(found) == 20
    assert min(sizes) >= 3


def test_a_table_of_one_experiment_or_of_too_many_rows_tells_nothing_about_others(tmp_path, monkeypatch):
    alone = healthy(tmp_path / "alone")
    assert alone.prepare().profile["other_experiments"] == {}
    assert alone.prepare({"tables": {"experiment_column": None}}).profile["other_experiments"] is None
    monkeypatch.setattr(other_experiments, "MOST_ROWS", 3)
    assert alone.prepare().profile["other_experiments"] is None


@pytest.mark.parametrize(("zone", "elapsed"), [("UTC", (10 + 22) / 48), ("Asia/Shanghai", (18 + 6) / 48)])
def test_the_day_of_exposure_is_measured_in_the_business_zone_at_first_exposure(tmp_path, zone, elapsed):
    rows = assignments(
        (1, "control", FIRST), (1, "control", "2026-03-03T23:00:00"), (2, "treatment", "2026-03-02T22:00:00")
    )
    prepared = healthy(tmp_path, assignments=rows).prepare({"window": {"days": 3, "timezone": zone}})
    assert prepared.profile["exposure_day_elapsed"] == pytest.approx(elapsed)


def robots(tmp_path, robot_share_of_treatment):
    """400 units, a tenth of the control's robots: a rate that one rule for both arms cuts off."""
    rng = np.random.default_rng(0)
    arms = np.resize(["control", "treatment"], 400)
    share = np.where(arms == "control", 0.1, robot_share_of_treatment)
    clicks = np.where(rng.random(400) < share, 5000, 20)
    return healthy(
        tmp_path,
        assignments=assignments(*((u, arm, FIRST) for u, arm in enumerate(arms.tolist(), start=1))),
        metrics=daily([(u, day(d), 1.0) for u in range(1, 401) for d in ("2026-03-04", "2026-03-19")], "plays"),
        features=daily([(u, day("2026-03-01"), int(c)) for u, c in enumerate(clicks, start=1)], "clicks_per_day"),
    ), pd.Series(clicks > 1000).groupby(arms).sum().to_dict()


@pytest.mark.parametrize(("share", "status"), [(0.1, "pass"), (0.4, "fail")])
def test_robots_are_dropped_from_both_arms_by_one_rule_counted_and_tested_by_arm(tmp_path, share, status):
    lake, by_arm = robots(tmp_path, share)
    rule = {"all": [{"feature": "clicks_per_day", "op": "<=", "value": 1000.0, "missing": True}]}
    prepared = lake.prepare({"eligible": rule})
    assert prepared.waterfall["not_eligible"]["dropped"] == by_arm
    assert prepared.users["clicks_per_day"].max() == 20
    experiment = lake.context({"eligible": rule}).experiment
    users = prepared.users.reset_index()
    checks = assignment_checks(
        list(prepared.waterfall.values()), prepared.profile, users, Arms.of(users, experiment.arms), experiment
    )
    (check,) = [check for check in checks if check.code == "sample_ratio_analysed"]
    assert check.status == status
    assert check.value == check.details["p_values"]["not_eligible"]


def test_missing_values_of_a_dataset_that_count_as_zero_are_counted_by_arm(tmp_path):
    rows = pd.DataFrame(
        {
            "user_id": range(6),
            "arm": ["control", "treatment"] * 3,
            "age": range(6),
            "spend": [1.0, None, 2.0, None, None, 3.0],
            "clicks": [1.0, 1.0, None, 1.0, 1.0, 1.0],
            "views": [2.0, None, 2.0, 2.0, 2.0, 2.0],
        }
    )
    rows.to_parquet(tmp_path / "wide.parquet", index=False)
    metrics = [
        {"name": "spend", "role": "primary"},
        {"name": "kept", "column": "spend", "when_missing": "drop"},
        {"name": "ctr", "numerator": "clicks", "denominator": "views"},
    ]
    statement = {"metrics": metrics, "dataset": {"uri": f"file://{tmp_path}/wide.parquet"}, "window": {"days": 1}}
    filled = Lake(tmp_path).prepare(statement | {"window": None}).profile["filled_outcomes"]
    assert filled == {"spend": {"control": 1, "treatment": 2}, "ctr": {"control": 1, "treatment": 1}}
