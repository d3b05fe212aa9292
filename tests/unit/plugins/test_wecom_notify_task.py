"""What the group hears at the end of a run, through a real robot and the real message texts of a failure."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, TriggerRule
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from causal_airflow import notify_task as notify_task_module
from causal_airflow.notify_task import NotifyOperator, notify_task
from causal_airflow.wecom import delivery
from causal_airflow.wecom.hook import RobotUnreachableError

from causal_tasks.errors import ConfigurationError
from causal_tasks.storage import Storage
from local_stack.wecom_robot import Answer, Robot
from tests.unit.plugins.airflow_run import AirflowRun
from tests.unit.plugins.conftest import KEY, ConnectTo
from tests.unit.plugins.small_pipeline import BEHAVIOUR, SMALL, STORE_BUSY, WRONG_INPUT
from tests.unit.plugins.small_run import operator, run_until, started, wire, write_experiment


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SPACING", "_BUSY_WAIT", "_RATE_WAIT"):
        monkeypatch.setattr(delivery, name, 0.0)


def notify(run: AirflowRun) -> Any:
    return run.execute(NotifyOperator(task_id="notify", pipeline="small"))


def contents(robot: Robot) -> list[str]:
    return [message[message["msgtype"]]["content"] for message in robot.messages]


def claims(lake: Path, folder: str) -> list[str]:
    return [json.loads(file.read_text())["state"] for file in sorted((lake / folder).glob("*.json"))]


def failed_at(stage: str, error: BaseException, run: AirflowRun) -> AirflowRun:
    BEHAVIOUR["fails"] = {stage: error}
    with pytest.raises((AirflowFailException, type(error))):
        run_until(run, stage)
    return run


def test_a_result_is_told_once_however_often_the_task_runs(lake: Path, robot: Robot, connect_to: ConnectTo) -> None:
    connect_to(robot.url)
    run, by_hand = started(), started()
    by_hand.run_id = "manual__1"
    for one in (run, by_hand):
        run_until(one, "report")
        assert notify(one) == ["sent"]
        assert notify(one) == ["sent"]
    assert contents(robot) == [f"found_positive zh file://{lake}/runs/demo/r1/report.html"]
    assert claims(lake, "runs/demo/r1/notify") == ["sent"]


def test_a_changed_result_of_the_same_revision_is_told_as_an_update(
    lake: Path, robot: Robot, connect_to: ConnectTo
) -> None:
    connect_to(robot.url)
    run = started()
    run_until(run, "report")
    notify(run)
    BEHAVIOUR["findings"] = "nothing_found"
    again = started(languages=["en"])
    run_until(again, "report")
    notify(again)
    assert [content.split()[0] + content.split()[-1] for content in contents(robot)] == [
        f"found_positivefile://{lake}/runs/demo/r1/report.html",
        "nothing_foundupdated",
    ]


def test_the_picture_follows_the_text(lake: Path, robot: Robot, connect_to: ConnectTo) -> None:
    connect_to(robot.url)
    BEHAVIOUR["picture"] = True
    run = started()
    run_until(run, "report")
    assert notify(run) == ["sent", "sent"]
    assert contents(robot)[1] == "picture"


def test_the_language_and_the_robot_come_from_the_experiment_as_it_is_now(
    lake: Path, robot: Robot, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_until(started(), "report")
    write_experiment(lake, delivery={"languages": ["en", "zh"], "wecom": "wecom_growth"})
    connection = {"conn_type": "wecom", "host": robot.url, "password": KEY, "extra": {"allow_http": True}}
    monkeypatch.setenv("AIRFLOW_CONN_WECOM_GROWTH", json.dumps(connection))
    run = started()
    run_until(run, "report")
    notify(run)
    assert contents(robot)[0].startswith("found_positive en ")


def test_notify_off_sends_nothing(lake: Path) -> None:
    run = started(notify=False)
    run_until(run, "report")
    with pytest.raises(AirflowSkipException, match="notify off"):
        notify(run)


def test_a_run_without_result_and_failure_has_nothing_to_tell(lake: Path) -> None:
    with pytest.raises(AirflowSkipException, match="nothing to tell"):
        notify(started())


def test_a_lost_reply_is_kept_as_ambiguous_in_the_task_and_in_the_lake(lake: Path, connect_to: ConnectTo) -> None:
    with Robot(key=KEY, answers=[Answer(hang_up=True)]) as robot:
        connect_to(robot.url)
        run = started()
        run_until(run, "report")
        assert notify(run) == ["ambiguous"]
        assert notify(run) == ["ambiguous"]
        assert len(robot.messages) == 1
    assert claims(lake, "runs/demo/r1/notify") == ["ambiguous"]


def test_a_wrong_input_is_told_with_message_remedy_and_link(lake: Path, robot: Robot, connect_to: ConnectTo) -> None:
    connect_to(robot.url)
    run = failed_at("validate", WRONG_INPUT, started(languages=["en"]))
    assert notify(run) == ["sent"]
    (content,) = contents(robot)
    for part in ("demo", "validate", "arm", "is missing", "add it", "/dags/small/runs/demo.r1"):
        assert part in content
    assert claims(lake, "notify/failures") == ["sent"]


def test_the_same_failure_is_told_once_and_a_new_one_again(lake: Path, robot: Robot, connect_to: ConnectTo) -> None:
    connect_to(robot.url)
    run = failed_at("validate", WRONG_INPUT, started())
    notify(run)
    notify(run)
    assert len(robot.messages) == 1
    failed_at("validate", STORE_BUSY, run)
    notify(run)
    assert len(robot.messages) == 2


def test_failures_of_mapped_tasks_are_named_by_candidate_and_killed_ones_by_their_lack_of_a_record(
    lake: Path, robot: Robot, connect_to: ConnectTo
) -> None:
    connect_to(robot.url)
    run = started(languages=["en"])
    run_until(run, "measure")
    BEHAVIOUR["fails"] = {"train/a": WRONG_INPUT}
    with pytest.raises(AirflowFailException):
        run.execute(operator("train", "a"), 0)
    run.states["train", 1] = "failed"
    with pytest.raises(AirflowFailException):
        run.execute(operator("shortlist"))
    failures = notify_task_module.failures_of(SMALL, run.context("notify", -1))
    assert list(failures) == ["train/a", "train/b", "shortlist"]
    assert failures["train/b"] is None
    assert failures["train/a"]["message"] == "column 'arm' is missing"
    notify(run)
    (content,) = contents(robot)
    assert "train/a" in content
    assert "train/b" in content


def test_a_mapped_task_that_failed_before_it_was_expanded_is_named_by_its_stage(lake: Path) -> None:
    run = started()
    run.states["train", -1] = "failed"
    assert notify_task_module.failures_of(SMALL, run.context("notify", -1)) == {"train": None}


def test_a_file_that_states_no_experiment_is_told_to_the_default_robot_by_its_name(
    lake: Path, robot: Robot, connect_to: ConnectTo
) -> None:
    connect_to(robot.url)
    (lake / "experiments/broken.json").write_text("{")
    run = started(experiment=f"file://{lake}/experiments/broken.json")
    with pytest.raises(AirflowFailException):
        run_until(run, "prepare")
    assert notify(run) == ["sent"]
    assert "broken" in contents(robot)[0]


def test_a_failure_is_told_even_where_the_store_takes_no_claim(
    lake: Path, robot: Robot, connect_to: ConnectTo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    connect_to(robot.url)
    run = failed_at("prepare", STORE_BUSY, started())

    def refuse(storage: Storage, uri: str, data: bytes) -> bool:
        raise ConfigurationError(f"{uri}: access refused", remedy="check the key")

    monkeypatch.setattr(Storage, "create_exclusively", refuse)
    assert notify(run) == ["sent"]
    assert len(robot.messages) == 1
    assert "sent without a claim" in capsys.readouterr().out


def test_an_unreachable_robot_fails_the_task_naming_the_host_only_and_is_tried_again(
    lake: Path, connect_to: ConnectTo, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    connect_to("http://robot.invalid")
    run = started()
    run_until(run, "report")
    with pytest.raises(RobotUnreachableError, match=r"no connection to robot\.invalid") as caught:
        notify(run)
    assert KEY not in f"{caught.getrepr(style='long')}{caplog.text}{capsys.readouterr()}"
    assert claims(lake, "runs/demo/r1/notify") == []


@pytest.mark.parametrize("answer", [93000, 40058, 40008])
def test_a_refusal_fails_the_task_for_good(answer: int, lake: Path, connect_to: ConnectTo) -> None:
    run = started()
    run_until(run, "report")
    with Robot(key=KEY, answers=[Answer(errcode=answer)]) as robot:
        connect_to(robot.url)
        with pytest.raises(AirflowFailException, match=str(answer)):
            notify(run)
        assert robot.refusals == [answer]


def test_a_missing_connection_says_what_to_create(lake: Path) -> None:
    run = started()
    run_until(run, "report")
    with pytest.raises(AirflowFailException, match=r"'wecom_default'.*create it"):
        notify(run)


def test_it_is_a_teardown_after_every_stage_and_alone_in_its_pool() -> None:
    with DAG("small", schedule=None):
        tasks = wire(SMALL)
        task = notify_task(SMALL, tasks)
    assert task.is_teardown
    assert not task.on_failure_fail_dagrun
    assert task.upstream_task_ids == set(tasks)
    assert (task.pool, task.trigger_rule) == ("wecom", TriggerRule.ALL_DONE_SETUP_SUCCESS)
