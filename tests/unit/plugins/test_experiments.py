"""What the watcher starts: every ready experiment once, the oldest first, whatever else lies in the folder."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from causal_airflow import experiments
from causal_airflow.experiments import experiments_ended_between, unmined_experiments

from causal_tasks.errors import StorageError
from causal_tasks.experiment import Experiment
from causal_tasks.lake import begun_uri
from causal_tasks.pipelines import ALLOCATE, MINE, SEGMENT, Pipeline
from causal_tasks.run_folder import RunFolder
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage
from tests.unit.plugins.small_run import EXPERIMENT

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Lake:
    def __init__(self, folder: Path) -> None:
        self.folder = folder / "experiments"
        self.folder.mkdir()
        self.settings = Settings(lake=f"file://{folder}")

    def put(self, file: str, **changes: Any) -> str:
        content = EXPERIMENT | {"experiment_id": file.split(".", maxsplit=1)[0]} | changes
        return self.put_text(file, json.dumps(content))

    def put_text(self, file: str, content: str) -> str:
        (self.folder / file).write_text(content, encoding="utf-8")
        return f"file://{self.folder / file}"

    def found(self, now: datetime = NOW) -> list[tuple[str, str]]:
        return [(f["trigger_run_id"], f["conf"]["experiment"]) for f in unmined_experiments(self.settings, now=now)]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def ended(days_before: float) -> str:
    return (NOW - timedelta(days=days_before)).isoformat()


def test_ready_experiments_come_oldest_end_first_under_their_own_id(lake: Lake) -> None:
    newer = lake.put("any_name.yaml", experiment_id="newer", revision=2, ended_at=ended(2))
    older = lake.put("older.json", ended_at=ended(30))
    assert lake.found() == [("older.r1", older), ("newer.r2", newer)]


def test_an_experiment_whose_dataset_has_no_days_is_ready_at_once_and_in_no_days_backfill(lake: Lake) -> None:
    older = lake.put("older.json", ended_at=ended(30))
    wide = lake.put("wide.json", dataset={"uri": "s3://lake/users.csv"}, window={}, ended_at=None)
    assert lake.found() == [("wide.r1", wide), ("older.r1", older)]
    triggers = experiments_ended_between(lake.settings, NOW - timedelta(days=900), NOW, now=NOW)
    assert [found["trigger_run_id"] for found in triggers] == ["older.r1"]


def test_running_unsettled_and_begun_experiments_are_left_alone(lake: Lake) -> None:
    lake.put("running.json", status="running", ended_at=None)
    lake.put("half_written.json", status="running", metrics=[])
    lake.put("unsettled.json", ended_at=ended(1), settle_hours=26)
    lake.put("begun.json", ended_at=ended(30))
    begun = Experiment.model_validate(EXPERIMENT | {"experiment_id": "begun", "ended_at": ended(30)})
    RunFolder.open(begun, lake.settings)
    assert lake.found() == []
    assert [run_id for run_id, _ in lake.found(NOW + timedelta(hours=2))] == ["unsettled.r1"]


@pytest.mark.parametrize("other", [ALLOCATE, SEGMENT], ids=lambda pipeline: pipeline.name)
def test_an_experiment_that_another_job_ran_first_is_mined_all_the_same(other: Pipeline, lake: Lake) -> None:
    spent = lake.put("spent.json", ended_at=ended(30))
    run = RunFolder.open(
        Experiment.model_validate(EXPERIMENT | {"experiment_id": "spent", "ended_at": ended(30)}), lake.settings
    )
    run.storage.write_bytes(begun_uri(run.uri, other.name), b"")
    assert lake.found() == [("spent.r1", spent)]
    run.storage.write_bytes(begun_uri(run.uri, MINE.name), b"")
    assert lake.found() == []


def test_an_experiment_that_an_earlier_version_mined_is_not_mined_again_after_its_budget_was_spent(lake: Lake) -> None:
    lake.put("mined.json", ended_at=ended(30))
    run = RunFolder.open(
        Experiment.model_validate(EXPERIMENT | {"experiment_id": "mined", "ended_at": ended(30)}), lake.settings
    )
    run.storage.write_json(f"{run.uri}/{MINE.record}", {})
    run.storage.write_bytes(begun_uri(run.uri, ALLOCATE.name), b"")
    assert lake.found() == []


def test_an_experiment_is_ready_the_moment_its_late_data_has_settled(lake: Lake) -> None:
    lake.put("demo.json", ended_at=ended(1), settle_hours=24)
    assert lake.found(NOW - timedelta(seconds=1)) == []
    assert len(lake.found(NOW)) == 1


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("broken.json", "{"),
        ("binary.json", "\x00"),
        ("list.yaml", "[1, 2]"),
        ("wrong.json", json.dumps(EXPERIMENT | {"metrics": []})),
        ("ended.json", json.dumps(EXPERIMENT | {"status": "ended"})),
        ("endless.json", json.dumps(EXPERIMENT | {"ended_at": None})),
    ],
)
def test_a_poisoned_file_starts_one_run_that_names_it_and_blocks_nobody(file: str, content: str, lake: Lake) -> None:
    uri = lake.put_text(file, content)
    good = lake.put("zz_good.json", ended_at=ended(30))
    (first, poisoned), (run_id, named) = lake.found(), lake.found()[1]
    assert first == ("zz_good.r1", good)
    assert poisoned == (run_id, named)
    stem = file.split(".", maxsplit=1)[0]
    assert named == uri
    assert run_id.startswith(f"{stem}.invalid-")
    assert len(run_id) == len(f"{stem}.invalid-") + 8


def test_a_corrected_poisoned_file_is_told_apart_by_its_content(lake: Lake) -> None:
    lake.put_text("broken.json", "{")
    (first,) = lake.found()
    lake.put_text("broken.json", "{{")
    (second,) = lake.found()
    assert first[0] != second[0]
    lake.put("broken.json", ended_at=ended(30))
    assert [run_id for run_id, _ in lake.found()] == ["broken.r1"]


def test_any_file_name_makes_a_run_id_that_airflow_accepts(lake: Lake) -> None:
    lake.put_text("实验 {{ 1/1 }}?.json".replace("/", "-"), "{")
    ((run_id, _),) = lake.found()
    assert run_id.isascii()
    assert not set(run_id) & set(" /{}?")


def test_other_files_and_folders_do_not_count(lake: Lake) -> None:
    lake.put_text("readme.md", "# experiments")
    lake.put_text(".hidden.json", "{")
    (lake.folder / "archive").mkdir()
    lake.put("archive/old.json", experiment_id="old", ended_at=ended(30))
    assert lake.found() == []


def test_a_lake_without_experiments_has_nothing_to_mine(tmp_path: Path) -> None:
    assert unmined_experiments(Settings(lake=f"file://{tmp_path}/empty"), now=NOW) == []


def test_of_two_files_that_state_the_same_run_the_first_is_started_and_the_other_named(
    lake: Lake, caplog: pytest.LogCaptureFixture
) -> None:
    first = lake.put("a.json", experiment_id="same", ended_at=ended(30))
    second = lake.put("b.json", experiment_id="same", ended_at=ended(30))
    assert lake.found() == [("same.r1", first)]
    assert second in caplog.text


def test_the_oldest_go_first_where_more_wait_than_one_round_takes(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(experiments, "AT_MOST", 2)
    lake.put_text("broken.json", "{")
    for day in (10, 30, 20):
        lake.put(f"d{day}.json", ended_at=ended(day))
    assert [run_id for run_id, _ in lake.found()] == ["d30.r1", "d20.r1"]
    assert "4 experiments wait" in caplog.text


def test_a_file_that_the_store_does_not_hand_out_is_left_for_the_next_round(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stuck = lake.put("stuck.json", ended_at=ended(40))
    lake.put("good.json", ended_at=ended(30))
    read_bytes = Storage.read_bytes

    def sometimes(storage: Storage, uri: str) -> bytes:
        if uri == stuck:
            raise StorageError(f"{uri}: no answer")
        return read_bytes(storage, uri)

    monkeypatch.setattr(Storage, "read_bytes", sometimes)
    assert [run_id for run_id, _ in lake.found()] == ["good.r1"]
    assert f"{stuck}: no answer" in caplog.text
    (lake.folder / "good.json").unlink()
    with pytest.raises(StorageError):
        lake.found()


def test_a_period_takes_what_ended_in_it_mined_or_not(lake: Lake) -> None:
    day = datetime(2026, 2, 1, tzinfo=UTC)
    for name, moment in {
        "before": day - timedelta(seconds=1),
        "first": day,
        "last": day + timedelta(days=1, seconds=-1),
        "after": day + timedelta(days=1),
    }.items():
        lake.put(f"{name}.json", ended_at=moment.isoformat())
    lake.put_text("broken.json", "{")
    begun = EXPERIMENT | {"experiment_id": "first", "ended_at": day.isoformat()}
    RunFolder.open(Experiment.model_validate(begun), lake.settings)
    found = experiments_ended_between(lake.settings, day, day + timedelta(days=1), now=NOW)
    assert [trigger["trigger_run_id"] for trigger in found] == ["first.r1", "last.r1"]


def test_a_period_leaves_out_what_has_not_settled(lake: Lake) -> None:
    lake.put("demo.json", ended_at=ended(0.5))
    assert experiments_ended_between(lake.settings, NOW - timedelta(days=1), NOW, now=NOW) == []
