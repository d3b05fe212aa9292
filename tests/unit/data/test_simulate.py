"""The simulated experiment against its own truth, recomputed from the raw tables with plain pandas."""

import json
import tracemalloc
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from scipy import stats

from causal_tasks.data.simulate import simulate_experiment
from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment
from causal_tasks.rule import Rule
from causal_tasks.settings import Settings

PRE, WINDOW, ENROLMENT = 14, 7, 10


def lake(folder: Path) -> Settings:
    return Settings(lake=f"file://{folder}")


def table(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(folder / "tables" / name)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def exposures_of(assignments: pd.DataFrame, zone: str) -> pd.DataFrame:
    """First exposure of every user, written without the library."""
    first = assignments.sort_values("assigned_at", kind="stable").drop_duplicates("user_id").set_index("user_id")
    first["start"] = first["assigned_at"].dt.tz_convert(zone).dt.tz_localize(None).dt.normalize()
    first["arms"] = assignments.groupby("user_id")["arm"].nunique()
    return first.sort_index()


@dataclass(frozen=True)
class World:
    """One simulated experiment, joined by hand."""

    experiment: Experiment
    truth: dict[str, Any]
    assignments: pd.DataFrame
    metrics: pd.DataFrame
    features: pd.DataFrame
    exposures: pd.DataFrame

    @classmethod
    def read(cls, folder: Path, experiment: Experiment) -> "World":
        truth = json.loads((folder / "truth" / f"{experiment.experiment_id}.json").read_text())
        assignments = table(folder, "assignments")
        metrics, features = table(folder, "metrics"), table(folder, "features")
        for frame in (metrics, features):
            frame["date"] = pd.to_datetime(frame["date"])
        exposures = exposures_of(assignments, experiment.window.timezone)
        return cls(experiment, truth, assignments, metrics, features, exposures)

    @cached_property
    def users(self) -> pd.DataFrame:
        """Users of one arm whose window fits, with their outcome, pre-period and newest earlier features."""
        end = pd.Timestamp(self.experiment.ended_on)
        fits = self.exposures["start"] + pd.Timedelta(days=self.experiment.window.days) <= end
        users = self.exposures[fits & (self.exposures["arms"] == 1)].copy()
        rows = self.metrics.merge(self.exposures["start"], left_on="user_id", right_index=True)
        since = (rows["date"] - rows["start"]).dt.days
        users["y"] = rows[since.between(0, WINDOW - 1)].groupby("user_id")["play_minutes"].sum()
        users["pre"] = rows[since.between(-PRE, -1)].groupby("user_id")["play_minutes"].sum()
        users = users.fillna({"y": 0.0, "pre": 0.0})
        earlier = self.features.merge(self.exposures["start"], left_on="user_id", right_index=True)
        earlier = (
            earlier[earlier["date"] < earlier["start"]].sort_values("date").drop_duplicates("user_id", keep="last")
        )
        return users.join(earlier.set_index("user_id").drop(columns=["date", "start"]))

    @property
    def planted(self) -> list[tuple[str, dict[str, Any]]]:
        return [(arm, one) for arm, found in self.truth["treatments"].items() for one in found["planted"]]


def compare(users: pd.DataFrame, treatment: str) -> tuple[float, float]:
    """Difference in mean outcome between a treatment and control, and its standard error."""
    treated, control = (users.loc[users["arm"] == arm, "y"] for arm in (treatment, "control"))
    return treated.mean() - control.mean(), np.sqrt(treated.var() / len(treated) + control.var() / len(control))


@pytest.fixture(scope="module")
def two_arms(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("two_arms")
    return World.read(folder, simulate_experiment(lake(folder), users=40_000, chunk_users=15_000))


@pytest.fixture(scope="module")
def without_effect(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("without_effect")
    return World.read(folder, simulate_experiment(lake(folder), users=40_000, chunk_users=15_000, effect=0))


@pytest.fixture(scope="module")
def five_arms(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("five_arms")
    return World.read(folder, simulate_experiment(lake(folder), users=40_000, treatments=4, seed=11))


# Truth


@pytest.mark.parametrize("name", ["two_arms", "five_arms"])
def test_the_raw_tables_show_every_true_effect(name: str, request: pytest.FixtureRequest) -> None:
    world = request.getfixturevalue(name)
    users = world.users
    for treatment, found in world.truth["treatments"].items():
        estimate, error = compare(users, treatment)
        assert abs(estimate - found["effect"]) < 4 * error
    for treatment, one in world.planted:
        inside = users[Rule.model_validate(one["rule"]).mask(users)]
        estimate, error = compare(inside, treatment)
        assert abs(estimate - one["effect"]) < 4 * error
        assert inside.loc[inside["arm"] == "control", "y"].mean() == pytest.approx(one["control_mean"], rel=0.1)
        assert len(inside) / len(users) == pytest.approx(one["share"], abs=0.003)


def test_planted_rules_stand_out_while_the_average_effect_does_not(two_arms: World) -> None:
    users = two_arms.users
    for treatment, one in two_arms.planted:
        estimate, error = compare(users[Rule.model_validate(one["rule"]).mask(users)], treatment)
        assert estimate / error > 6 if one["kind"] == "positive" else estimate / error < -6
    estimate, error = compare(users, "treatment")
    assert abs(estimate / error) < 1.96
    everybody = two_arms.truth["treatments"]["treatment"]
    assert abs(everybody["effect"]) < 0.005 * everybody["control_mean"]


def test_effects_follow_from_exposure_and_membership_alone(two_arms: World, without_effect: World) -> None:
    """The A/A twin of the same seed is every user's outcome without treatment."""
    one_arm = two_arms.exposures["arms"] == 1
    rows = two_arms.metrics.merge(without_effect.metrics, on=["user_id", "date"], suffixes=("", "_without"))
    assert len(rows) == len(two_arms.metrics) == len(without_effect.metrics)
    users = two_arms.users
    lift = pd.Series(0.0, users.index)
    for _, one in two_arms.planted:
        lift += one["relative_effect"] * Rule.model_validate(one["rule"]).mask(users)
    rows = rows.merge(two_arms.exposures.loc[one_arm, ["arm", "start"]], left_on="user_id", right_index=True)
    rows = rows.merge(lift.rename("lift"), left_on="user_id", right_index=True)
    treated = (rows["arm"] == "treatment") & (rows["date"] >= rows["start"])
    expected = rows["play_minutes_without"] * (1 + rows["lift"] * treated)
    assert (rows["play_minutes"] - expected).abs().max() < 0.02
    assert (rows["lift"].abs() * treated > 0).mean() > 0.05
    for column in ("active", "skips", "spend"):
        assert rows[column].equals(rows[f"{column}_without"])


def test_the_true_effect_is_the_mean_over_all_users_not_over_the_treated(
    two_arms: World, without_effect: World
) -> None:
    end = pd.Timestamp(two_arms.experiment.ended_on)
    outcome = without_effect.users["y"]
    features = two_arms.users
    for _, one in two_arms.planted:
        lift = sum(
            other["relative_effect"] * Rule.model_validate(other["rule"]).mask(features)
            for _, other in two_arms.planted
        )
        inside = Rule.model_validate(one["rule"]).mask(features)
        # Only users of two arms (0.3 %) are missing here, so the truth is met far more closely than by sampling.
        assert (outcome * lift)[inside].mean() == pytest.approx(one["effect"], rel=0.01)
    assert (two_arms.exposures["start"] + pd.Timedelta(days=WINDOW) <= end).sum() == two_arms.truth["counts"][
        "mature_users"
    ]


def test_without_effect_nothing_is_planted_and_nothing_is_seen(two_arms: World, without_effect: World) -> None:
    assert without_effect.truth["treatments"]["treatment"]["planted"] == []
    assert without_effect.truth["treatments"]["treatment"]["effect"] == 0
    users = without_effect.users
    estimate, error = compare(users, "treatment")
    assert abs(estimate) < 4 * error
    for _, one in two_arms.planted:
        estimate, error = compare(users[Rule.model_validate(one["rule"]).mask(users)], "treatment")
        assert abs(estimate) < 4 * error


def test_effects_grow_with_their_scale(tmp_path: Path) -> None:
    truths = []
    for scale in (1.0, 2.0):
        folder = tmp_path / str(scale)
        truths.append(World.read(folder, simulate_experiment(lake(folder), users=500, effect=scale)).planted)
    for (_, once), (_, twice) in zip(*truths, strict=True):
        assert twice["effect"] == pytest.approx(2 * once["effect"], abs=1e-5)


def test_every_treatment_has_its_own_rules_and_an_unremarkable_average(five_arms: World) -> None:
    rules = {json.dumps(one["rule"], sort_keys=True) for _, one in five_arms.planted}
    assert len(rules) == 8
    assert sorted(five_arms.truth["treatments"]) == [f"treatment_{n}" for n in (1, 2, 3, 4)]
    for found in five_arms.truth["treatments"].values():
        assert abs(found["effect"]) < 0.01 * found["control_mean"]
        positive, negative = found["planted"]
        assert (positive["kind"], positive["relative_effect"] > 0) == ("positive", True)
        assert 0.12 <= positive["share"] <= 0.20
        assert (negative["kind"], negative["relative_effect"] > 0) == ("negative", False)
        assert 0.10 <= negative["share"] <= 0.15


# Faults of real data


def test_planted_faults_are_all_in_the_tables(five_arms: World) -> None:
    counts, log = five_arms.truth["counts"], five_arms.assignments
    assert counts["users"] == log["user_id"].nunique() == 40_000
    assert counts["two_arm_users"] == (five_arms.exposures["arms"] == 2).sum() > 50
    assert counts["duplicate_rows"] == log.duplicated().sum() > 50
    assert counts["repeated_rows"] == (log.drop_duplicates().duplicated(["user_id", "arm"])).sum() > 50
    assert counts["late_rows"] == (five_arms.metrics["date"] >= pd.Timestamp(five_arms.experiment.ended_on)).sum() > 50
    late = five_arms.exposures["start"] + pd.Timedelta(days=WINDOW) > pd.Timestamp(five_arms.experiment.ended_on)
    assert counts["users"] - counts["mature_users"] == late.sum() > 50
    dates = five_arms.features.merge(five_arms.exposures["start"], left_on="user_id", right_index=True)
    known = dates.loc[dates["date"] < dates["start"], "user_id"].nunique()
    assert counts["users_without_features"] == counts["users"] - known > 50


def test_a_second_arm_comes_within_the_window_and_in_either_order(two_arms: World) -> None:
    switched = two_arms.assignments.merge(two_arms.exposures.query("arms == 2")["start"], on="user_id")
    day = switched["assigned_at"].dt.tz_convert("Asia/Shanghai").dt.tz_localize(None).dt.normalize()
    assert (day - switched["start"]).dt.days.max() < WINDOW
    first = two_arms.exposures.query("arms == 2")["arm"]
    assert stats.binomtest(int((first == "control").sum()), len(first)).pvalue > 1e-4


def test_arms_are_drawn_evenly(five_arms: World) -> None:
    assert stats.chisquare(five_arms.exposures["arm"].value_counts()).pvalue > 1e-4


def test_some_values_are_missing_and_some_columns_are_useless(two_arms: World) -> None:
    features = two_arms.features
    missing = features.isna().mean()
    assert missing["age"] == pytest.approx(0.05, abs=0.01)
    assert missing["device"] == pytest.approx(0.03, abs=0.01)
    assert set(missing[missing > 0].index) == {"age", "device", "gender"}
    assert features["country"].nunique() == 1
    newest = features.drop_duplicates("user_id")
    assert newest["install_id"].nunique() == len(newest)


# Behaviour


def test_weekends_are_busier(two_arms: World) -> None:
    before = two_arms.metrics[two_arms.metrics["date"] < pd.Timestamp(2026, 9, 7)]
    by_day = before.groupby("date")["play_minutes"].agg(["size", "mean"])
    weekend = by_day.index.dayofweek >= 5
    assert by_day.loc[weekend, "size"].min() > by_day.loc[~weekend, "size"].max()
    assert by_day.loc[weekend, "mean"].min() > by_day.loc[~weekend, "mean"].max()


def test_users_churn_after_their_exposure(two_arms: World) -> None:
    rows = two_arms.metrics.merge(two_arms.exposures["start"], left_on="user_id", right_index=True)
    by_day = (rows["date"] - rows["start"]).dt.days.value_counts()
    assert by_day[14] < 0.9 * by_day[-7]


def test_outcomes_are_zero_inflated_heavy_tailed_and_foretold_by_the_past(two_arms: World) -> None:
    users = two_arms.users
    assert 0.02 < (users["y"] == 0).mean() < 0.2
    assert stats.skew(users["y"]) > 2
    assert users["y"].quantile(0.999) > 5 * users["y"].mean()
    assert np.corrcoef(users["y"], users["pre"])[0, 1] > 0.7
    assert 0.005 < (two_arms.metrics["spend"] > 0).mean() < 0.05


def test_metrics_are_rounded_as_a_warehouse_would(two_arms: World) -> None:
    for column in ("play_minutes", "spend"):
        values = two_arms.metrics[column]
        assert (values == values.round(2)).all()
        assert values.min() == 0
    assert (two_arms.metrics["active"] == (two_arms.metrics["play_minutes"] > 0)).mean() > 0.999
    assert not two_arms.metrics.duplicated(["user_id", "date"]).any()


@pytest.mark.parametrize(
    ("zone", "first_day"),
    [
        ("Asia/Shanghai", date(2026, 9, 7)),
        ("America/New_York", date(2027, 3, 8)),  # the 14th has 23 hours
        ("America/New_York", date(2026, 10, 26)),  # the 1st of November has 25
    ],
)
def test_business_days_are_those_of_the_time_zone(zone: str, first_day: date, tmp_path: Path) -> None:
    experiment = simulate_experiment(lake(tmp_path), users=3_000, timezone=zone, started_at=first_day)
    world = World.read(tmp_path, experiment)
    assert experiment.started_at == datetime(first_day.year, first_day.month, first_day.day, tzinfo=ZoneInfo(zone))
    offsets = (world.exposures["start"] - pd.Timestamp(first_day)).dt.days
    assert offsets.min() == 0
    assert offsets.max() == ENROLMENT + WINDOW - 2
    assert world.exposures["assigned_at"].between(experiment.started_at, experiment.ended_at).all()
    seen = world.exposures.reset_index().merge(
        world.metrics, left_on=["user_id", "start"], right_on=["user_id", "date"]
    )
    assert len(seen) == 3_000  # everybody opens the app on the day of exposure


# Files


def test_equal_arguments_write_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        simulate_experiment(lake(tmp_path / name), users=1_500, chunk_users=1_000)
    simulate_experiment(lake(tmp_path / "c"), users=1_500, chunk_users=1_000, seed=8)
    first, second, other = (contents(tmp_path / name) for name in ("a", "b", "c"))
    assert first == second
    assert first.keys() == other.keys()
    assert all(first[name] != other[name] for name in first if name.endswith(".parquet"))


def test_a_chunk_does_not_depend_on_those_before_or_after_it(tmp_path: Path) -> None:
    simulate_experiment(lake(tmp_path / "small"), users=2_000, chunk_users=1_000)
    simulate_experiment(lake(tmp_path / "large"), users=3_000, chunk_users=1_000)
    small, large = contents(tmp_path / "small"), contents(tmp_path / "large")
    parts = [name for name in small if name.endswith(".parquet")]
    assert len(parts) == 6
    assert all(small[name] == large[name] for name in parts)


def test_memory_does_not_grow_with_the_number_of_users(tmp_path: Path) -> None:
    def peak(users: int) -> int:
        tracemalloc.start()
        simulate_experiment(lake(tmp_path / str(users)), users=users, chunk_users=500)
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    simulate_experiment(lake(tmp_path / "first"), users=500)  # fills caches
    assert peak(3_000) < 1.2 * peak(1_000)


def test_text_ids_name_the_same_users_as_numbers(tmp_path: Path) -> None:
    simulate_experiment(lake(tmp_path / "int"), users=1_000)
    simulate_experiment(lake(tmp_path / "string"), users=1_000, user_ids="string")
    for name in ("assignments", "metrics", "features"):
        numbers, texts = table(tmp_path / "int", name), table(tmp_path / "string", name)
        assert numbers["user_id"].dtype == np.int64
        assert texts["user_id"].str.fullmatch(r"u\d{16}").all()
        assert texts["user_id"].str[1:].astype(np.int64).equals(numbers["user_id"])
        assert texts.drop(columns="user_id").equals(numbers.drop(columns="user_id"))


def test_columns_have_the_types_that_the_contract_asks_for(tmp_path: Path) -> None:
    simulate_experiment(lake(tmp_path), users=500)
    types = {
        (name, field.name): str(field.type)
        for name in ("assignments", "metrics", "features")
        for field in pq.read_schema(tmp_path / f"tables/{name}/part-music_autoplay-00000.parquet")
    }
    assert types["assignments", "assigned_at"] == "timestamp[us, tz=UTC]"
    assert types["metrics", "date"] == types["features", "date"] == "date32[day]"
    assert {types[name, "user_id"] for name in ("assignments", "metrics", "features")} == {"int64"}
    assert types["features", "is_new"] == "bool"
    assert types["features", "city_tier"] == "string"


def test_experiments_share_a_lake_without_sharing_users_or_files(tmp_path: Path) -> None:
    simulate_experiment(lake(tmp_path), users=1_000, chunk_users=500, experiment_id="a")
    before = contents(tmp_path)
    simulate_experiment(lake(tmp_path), users=1_000, chunk_users=500, experiment_id="a-00000")
    after = contents(tmp_path)
    assert before.items() <= after.items()
    assert len(after) == 2 * len(before)
    log = table(tmp_path, "assignments")
    assert log.groupby("experiment_id")["user_id"].nunique().to_dict() == {"a": 1_000, "a-00000": 1_000}
    assert log["user_id"].nunique() == 2_000


def test_simulating_again_replaces_every_file_of_that_experiment_alone(tmp_path: Path) -> None:
    simulate_experiment(lake(tmp_path / "mixed"), users=1_500, chunk_users=500)
    simulate_experiment(lake(tmp_path / "mixed"), users=300, chunk_users=500, experiment_id="music_autoplay-2")
    simulate_experiment(lake(tmp_path / "mixed"), users=500, chunk_users=500)
    simulate_experiment(lake(tmp_path / "clean"), users=300, chunk_users=500, experiment_id="music_autoplay-2")
    simulate_experiment(lake(tmp_path / "clean"), users=500, chunk_users=500)
    assert contents(tmp_path / "mixed") == contents(tmp_path / "clean")


def test_an_experiment_that_was_not_simulated_is_left_alone(tmp_path: Path) -> None:
    simulate_experiment(lake(tmp_path), users=100)
    (tmp_path / "truth" / "music_autoplay.json").unlink()
    before = contents(tmp_path)
    with pytest.raises(InputError, match="was not simulated"):
        simulate_experiment(lake(tmp_path), users=50)
    assert contents(tmp_path) == before


def test_the_experiment_file_is_written_last(tmp_path: Path) -> None:
    simulate_experiment(lake(tmp_path), users=1_000, chunk_users=500)
    by_age = sorted((path for path in tmp_path.rglob("*") if path.is_file()), key=lambda path: path.stat().st_mtime_ns)
    assert by_age[-1].relative_to(tmp_path) == Path("experiments/music_autoplay.json")


def test_the_experiment_file_states_the_experiment_and_names_everything_in_both_languages(tmp_path: Path) -> None:
    experiment = simulate_experiment(lake(tmp_path), users=200, treatments=("next", "radio"), status="running")
    stated = json.loads((tmp_path / "experiments" / "music_autoplay.json").read_text())
    assert Experiment.parse(stated, source="file") == experiment
    assert experiment.arms == ("control", "next", "radio")
    assert experiment.status == "running"
    assert experiment.primary.name == "play_minutes"
    columns = set(table(tmp_path, "features").columns) - {"user_id", "date"}
    assert set(experiment.features.dictionary) == columns
    assert {m.name for m in experiment.metrics} == set(table(tmp_path, "metrics").columns) - {"user_id", "date"}
    for text in [m.display for m in experiment.metrics] + [f.display for f in experiment.features.dictionary.values()]:
        assert text.zh
        assert text.en
        assert text.zh != text.en


def test_a_window_of_one_day_has_no_late_users(tmp_path: Path) -> None:
    experiment = simulate_experiment(lake(tmp_path), users=300, window_days=1, pre_days=0, enrolment_days=1)
    world = World.read(tmp_path, experiment)
    assert world.truth["counts"]["mature_users"] == 300
    assert world.metrics["date"].min() == pd.Timestamp(2026, 9, 7)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"users": 0}, "users is 0"),
        ({"chunk_users": 0}, "chunk_users is 0"),
        ({"enrolment_days": 0}, "enrolment_days is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"effect": 2.5}, "effect 2.5 is out of range"),
        ({"effect": -1}, "effect -1 is out of range"),
        ({"effect": float("nan")}, "effect nan is out of range"),
        ({"treatments": 5}, "at most"),
        ({"treatments": 0}, "treatments"),
        ({"treatments": "treatment"}, "give a list"),
        ({"treatments": ("b", "b")}, "repeat a label"),
        ({"treatments": ("control",)}, "repeat a label"),
        ({"experiment_id": "../a"}, "is no id"),
        ({"window_days": 0}, "window.days"),
        ({"pre_days": -1}, "window.pre_days"),
        ({"timezone": "Mars/Phobos"}, "is no time zone"),
        ({"started_at": datetime(2026, 9, 7, 8, tzinfo=ZoneInfo("UTC"))}, "is the moment"),
    ],
)
def test_impossible_arguments_are_refused_before_anything_is_written(
    arguments: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        simulate_experiment(lake(tmp_path), **{"users": 100} | arguments)
    assert contents(tmp_path) == {}
