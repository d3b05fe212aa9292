import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from causal_airflow.wecom.delivery import SPACING, Claim, deliver, send_patiently
from causal_airflow.wecom.hook import MessageRefusedError, RateLimitedError, RobotBusyError, WeComRobotHook

from causal_tasks.errors import StorageError
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage, json_bytes
from local_stack.wecom_robot import Answer, Robot
from tests.unit.plugins.conftest import KEY, ConnectTo

MESSAGES: list[dict[str, Any]] = [
    {"msgtype": "markdown_v2", "markdown_v2": {"content": "# result"}},
    {"msgtype": "text", "text": {"content": "please look"}},
]


@pytest.fixture
def storage() -> Storage:
    return Storage(Settings(lake="file:///unused"))


@pytest.fixture
def claim(tmp_path: Path) -> str:
    return f"file://{tmp_path}/notify/abc.json"


class Clock:
    """Counts seconds instead of waiting for them."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    @property
    def now(self) -> float:
        return sum(self.waits)


def states(claim: str) -> dict[str, str]:
    folder = Path(claim.removeprefix("file://")).parent
    return {file.name: json.loads(file.read_text())["state"] for file in sorted(folder.glob("*.json"))}


def test_messages_arrive_in_order_spaced_and_are_recorded_as_sent(
    storage: Storage, claim: str, robot: Robot, connect_to: ConnectTo
) -> None:
    clock = Clock()
    hook = connect_to(robot.url)
    outcome = deliver(MESSAGES, claim=claim, dag_run="x.r1", storage=storage, send=hook.send, sleep=clock.sleep)
    assert outcome == ["sent", "sent"]
    assert robot.messages == MESSAGES
    assert clock.waits == [SPACING, SPACING]
    assert states(claim) == {"abc.2.json": "sent", "abc.json": "sent"}


def test_a_second_delivery_of_the_same_result_sends_nothing(
    storage: Storage, claim: str, robot: Robot, connect_to: ConnectTo
) -> None:
    hook = connect_to(robot.url)
    for run in ("x.r1", "manual__1"):
        outcome = deliver(MESSAGES, claim=claim, dag_run=run, storage=storage, send=hook.send, sleep=Clock().sleep)
        assert outcome == ["sent", "sent"]
    assert robot.messages == MESSAGES


def test_of_sixteen_concurrent_deliveries_one_sends(
    storage: Storage, claim: str, robot: Robot, connect_to: ConnectTo
) -> None:
    hook, barrier = connect_to(robot.url), Barrier(16)

    def attempt(number: int) -> None:
        barrier.wait()
        run = f"run-{number}"
        deliver(MESSAGES[:1], claim=claim, dag_run=run, storage=storage, send=hook.send, sleep=Clock().sleep)

    threads = [Thread(target=attempt, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert robot.messages == MESSAGES[:1]


def test_a_lost_reply_is_ambiguous_visible_and_never_repeated(
    storage: Storage, claim: str, connect_to: ConnectTo, caplog: pytest.LogCaptureFixture
) -> None:
    with Robot(key=KEY, answers=[Answer(hang_up=True)]) as robot:
        hook = connect_to(robot.url)
        for _ in range(2):
            outcome = deliver(
                MESSAGES, claim=claim, dag_run="x.r1", storage=storage, send=hook.send, sleep=Clock().sleep
            )
            assert outcome == ["ambiguous", "sent"]
        assert robot.messages == MESSAGES
    assert states(claim)["abc.json"] == "ambiguous"
    assert sum(record.levelno == logging.WARNING for record in caplog.records) == 2


def test_a_busy_robot_gets_three_tries_and_a_rate_limited_one_a_minute_each(connect_to: ConnectTo) -> None:
    with Robot(key=KEY, answers=[Answer(errcode=-1), Answer(errcode=45009)]) as robot:
        clock = Clock()
        send_patiently(MESSAGES[0], connect_to(robot.url).send, sleep=clock.sleep)
        assert robot.messages == MESSAGES[:1]
        assert clock.waits == [3, 5, 60]
    with Robot(key=KEY, answers=[Answer(errcode=-1)] * 4) as robot:
        with pytest.raises(RobotBusyError):
            send_patiently(MESSAGES[0], connect_to(robot.url).send, sleep=Clock().sleep)
        assert robot.refusals == [-1] * 3


def test_a_burst_larger_than_the_limit_arrives_whole(storage: Storage, tmp_path: Path, connect_to: ConnectTo) -> None:
    clock = Clock()
    with Robot(key=KEY, per_minute=2, clock=lambda: clock.now) as robot:
        hook = connect_to(robot.url)
        for number in range(5):
            uri = f"file://{tmp_path}/notify/{number}.json"
            deliver(MESSAGES[1:], claim=uri, dag_run="x", storage=storage, send=hook.send, sleep=clock.sleep)
        assert robot.messages == MESSAGES[1:] * 5
        assert 45009 in robot.refusals


def test_a_refused_message_gives_its_claim_back_and_a_later_attempt_goes_on_from_there(
    storage: Storage, claim: str, connect_to: ConnectTo
) -> None:
    with Robot(key=KEY, answers=[Answer(), Answer(errcode=93000)]) as robot:
        hook = connect_to(robot.url)
        with pytest.raises(MessageRefusedError):
            deliver(MESSAGES, claim=claim, dag_run="x.r1", storage=storage, send=hook.send, sleep=Clock().sleep)
        assert robot.refusals == [93000]
        assert states(claim) == {"abc.json": "sent"}
        deliver(MESSAGES, claim=claim, dag_run="x.r1", storage=storage, send=hook.send, sleep=Clock().sleep)
        assert robot.messages == MESSAGES


def test_a_sender_killed_while_sending_leaves_an_ambiguous_message(
    storage: Storage, claim: str, robot: Robot, connect_to: ConnectTo
) -> None:
    hook = connect_to(robot.url)

    def killed(message: dict[str, Any]) -> None:
        hook.send(message)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deliver(MESSAGES, claim=claim, dag_run="x.r1", storage=storage, send=killed, sleep=Clock().sleep)
    assert states(claim) == {"abc.json": "sending"}
    outcome = deliver(MESSAGES, claim=claim, dag_run="x.r1", storage=storage, send=hook.send, sleep=Clock().sleep)
    assert outcome == ["ambiguous", "sent"]
    assert robot.messages == MESSAGES


@pytest.mark.parametrize(("minutes", "expected"), [(1, "sending"), (16, "ambiguous")])
def test_a_claim_of_another_run_is_left_alone_until_it_is_old(
    minutes: int, expected: str, storage: Storage, claim: str, robot: Robot, connect_to: ConnectTo
) -> None:
    at = datetime.now(UTC) - timedelta(minutes=minutes)
    other = Claim(state="sending", attempt="a", dag_run="other", msgtype="text", at=at)
    storage.write_bytes(claim, json_bytes(other.model_dump(mode="json")))
    send = connect_to(robot.url).send
    outcome = deliver(MESSAGES[:1], claim=claim, dag_run="x", storage=storage, send=send, sleep=Clock().sleep)
    assert outcome == [expected]
    assert states(claim) == {"abc.json": expected}
    assert robot.messages == []


def test_an_outcome_that_cannot_be_recorded_is_no_reason_to_send_again(
    storage: Storage,
    claim: str,
    robot: Robot,
    connect_to: ConnectTo,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def busy(storage: Storage, uri: str, data: bytes) -> str:
        raise StorageError(f"{uri}: the store is busy")

    send = connect_to(robot.url).send
    with monkeypatch.context() as broken:
        broken.setattr(Storage, "write_bytes", busy)
        outcome = deliver(MESSAGES[:1], claim=claim, dag_run="x", storage=storage, send=send, sleep=Clock().sleep)
    assert outcome == ["sent"]
    assert "still says 'sending'" in caplog.text
    outcome = deliver(MESSAGES[:1], claim=claim, dag_run="x", storage=storage, send=send, sleep=Clock().sleep)
    assert outcome == ["ambiguous"]
    assert robot.messages == MESSAGES[:1]


def test_a_rate_limit_that_lasts_is_reported_as_such(connect_to: ConnectTo) -> None:
    with Robot(key=KEY, per_minute=0) as robot:
        hook: WeComRobotHook = connect_to(robot.url)
        with pytest.raises(RateLimitedError):
            send_patiently(MESSAGES[0], hook.send, sleep=Clock().sleep)
