"""A feed's day as tasks: what is skipped, what is final, and what the group hears once."""

import json
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from causal_airflow import feed_day
from causal_airflow.feed_day import DayNotifyOperator, DayStageOperator
from causal_airflow.wecom import delivery

from causal_tasks.dynamic.day import FeedDay, load_feed
from causal_tasks.errors import InputError, StorageError
from causal_tasks.feed import Feed
from causal_tasks.lake import feed_uri
from causal_tasks.pipelines.daily import DAILY, DayStageResult
from causal_tasks.settings import Settings
from causal_tasks.stage_files import Attempt
from causal_tasks.storage import Storage
from local_stack.wecom_robot import Robot
from tests.unit.dynamic.feed_tables import statement
from tests.unit.plugins.conftest import ConnectTo

DAY = date(2026, 10, 31)


def messages(
    result: dict[str, Any], language: str, link: str, *, news: tuple[str, ...], picture: bytes | None
) -> list[dict[str, Any]]:
    content = f"{result['verdict']['code']} {language} {' '.join(news)} {link} {picture}"
    return [{"msgtype": "markdown_v2", "markdown_v2": {"content": content}}]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A lake with one feed; the robot is not waited for."""
    lake = Settings(lake=f"file://{tmp_path}")
    monkeypatch.setenv("CAUSAL_LAKE", lake.lake)
    monkeypatch.setattr(delivery, "SPACING", 0.0)
    monkeypatch.setattr(feed_day, "DAILY", replace(DAILY, messages=f"{__name__}:messages"))
    state(lake)
    return lake


def state(settings: Settings, **changes: Any) -> Feed:
    feed = Feed.parse(statement(settings.lake, **changes), source="test")
    Storage(settings).write_json(feed_uri("videos", settings), feed.model_dump(mode="json"))
    return feed


def context(*, run_id: str = "scheduled__1", reported: bool = True, day: date | None = DAY) -> Any:
    begins = datetime(day.year, day.month, day.day) if day else None

    def pull(*, task_ids: str, map_indexes: int) -> dict[str, Any] | None:
        assert (task_ids, map_indexes) == ("day.report", 0)
        return {"stage": "report"} if reported else None

    ti = SimpleNamespace(task_id="day.notify", map_index=0, xcom_pull=pull)
    return {"data_interval_start": begins, "run_id": run_id, "ti": ti}


def finish(settings: Settings, *, code: str = "pays", published: bool = True, day: date = DAY) -> FeedDay:
    """Leave what a finished day leaves."""
    found = FeedDay.open(load_feed("videos", settings), day, settings)
    if found.manifest("report") is None:
        attempt = Attempt(found.instance("report", code=1, inputs=[]))
        attempt.commit({"report": found.storage.write_bytes(f"{attempt.folder}/report.html", b"<p>")}, {})
    result = {"verdict": {"code": code}, "drift": {"rows": []}, "guards": [], "run": {"published": published}}
    found.storage.write_json(f"{found.uri}/result.json", result)
    return found


def do(name: str, context: Any) -> Any:
    return DayStageOperator(task_id=name, feed="videos").execute(context)


def notify(context: Any) -> Any:
    return DayNotifyOperator(task_id="notify", feed="videos").execute(context)


def told(robot: Robot) -> list[str]:
    return [message["markdown_v2"]["content"] for message in robot.messages]


def test_a_task_does_its_stage_of_the_day_with_which_the_interval_begins(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[date, str]] = []

    def run(day: FeedDay, name: str) -> DayStageResult:
        asked.append((day.date, name))
        return DayStageResult(stage=name, manifest="m", seconds=1.0, adopted=False)

    monkeypatch.setattr(feed_day, "run_day_stage", run)
    assert do("day.learn", context())["stage"] == "learn"
    assert asked == [(DAY, "learn")]


@pytest.mark.parametrize(
    ("error", "raised"),
    [(InputError("wrong", remedy="mend it"), AirflowFailException), (StorageError("busy"), StorageError)],
)
def test_only_what_may_pass_is_tried_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, error: Exception, raised: type[Exception]
) -> None:
    def fail(day: FeedDay, name: str) -> DayStageResult:
        raise error

    monkeypatch.setattr(feed_day, "run_day_stage", fail)
    with pytest.raises(raised, match=str(error)):
        do("learn", context())


def test_a_paused_feed_is_skipped_and_a_run_without_a_day_says_what_to_do(settings: Settings) -> None:
    with pytest.raises(AirflowFailException, match="create a backfill"):
        do("learn", context(day=None))
    state(settings, status="paused")
    with pytest.raises(AirflowSkipException, match="paused"):
        do("learn", context())


def test_a_changed_statement_is_final_and_names_the_remedy(settings: Settings) -> None:
    finish(settings)
    state(settings, learning={"days": 7})
    with pytest.raises(AirflowFailException, match="raise revision"):
        do("learn", context())


def test_the_first_day_is_told_once_however_often_and_by_whichever_run(
    settings: Settings, robot: Robot, connect_to: ConnectTo
) -> None:
    connect_to(robot.url)
    day = finish(settings)
    for run_id in ("scheduled__1", "scheduled__1", "backfill__2"):
        assert notify(context(run_id=run_id)) == ["sent"]
    assert told(robot) == [f"pays zh first {day.uri}/report.html None"]
    (claim,) = (Path(day.uri.removeprefix("file://")) / "notify").glob("*.json")
    assert json.loads(claim.read_text())["state"] == "sent"


def test_a_day_without_news_is_not_told_and_one_with_another_verdict_is(
    settings: Settings, robot: Robot, connect_to: ConnectTo
) -> None:
    connect_to(robot.url)
    finish(settings, day=date(2026, 10, 30))
    finish(settings)
    with pytest.raises(AirflowSkipException, match="nothing new"):
        notify(context())
    finish(settings, code="harms")
    assert notify(context()) == ["sent"]
    assert [text.split()[:3] for text in told(robot)] == [["harms", "zh", "verdict_changed"]]


def test_nothing_is_told_of_a_day_without_a_report_or_that_is_not_served(settings: Settings) -> None:
    with pytest.raises(AirflowSkipException, match="no report"):
        notify(context(reported=False))
    finish(settings, published=False)
    with pytest.raises(AirflowSkipException, match="nothing new"):
        notify(context())


def test_without_a_robot_the_message_fails_for_good(settings: Settings) -> None:
    finish(settings)
    with pytest.raises(AirflowFailException, match="wecom_default"):
        notify(context())
