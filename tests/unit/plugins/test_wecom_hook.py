import logging
import socket
from collections.abc import Callable

import pytest
from causal_airflow.wecom import hook as hook_module
from causal_airflow.wecom.hook import (
    MessageRefusedError,
    RateLimitedError,
    ReplyLostError,
    RobotBusyError,
    RobotError,
    RobotUnreachableError,
    WeComRobotHook,
)

from causal_tasks.errors import ConfigurationError
from local_stack.wecom_robot import Answer, Robot
from tests.unit.plugins.conftest import KEY, ConnectTo

HELLO = {"msgtype": "text", "text": {"content": "hello"}}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_an_accepted_message_is_in_the_group_as_it_was_sent(robot: Robot, connect_to: ConnectTo) -> None:
    connect_to(robot.url).send(HELLO)
    assert robot.messages == [HELLO]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(errcode=-1), RobotBusyError),
        (Answer(errcode=12345), RobotBusyError),
        (Answer(body=b"<html>"), RobotBusyError),
        (Answer(body=b"[]"), RobotBusyError),
        (Answer(body=b"oops", status=502), RobotBusyError),
        (Answer(errcode=45009), RateLimitedError),
        (Answer(errcode=93000), MessageRefusedError),
        (Answer(errcode=40058), MessageRefusedError),
        (Answer(errcode=40008), MessageRefusedError),
        (Answer(body=b"no such page", status=404), MessageRefusedError),
        (Answer(hang_up=True), ReplyLostError),
    ],
)
def test_each_answer_means_what_the_errcode_table_says(
    answer: Answer, expected: type[RobotError], connect_to: ConnectTo
) -> None:
    with Robot(key=KEY, answers=[answer]) as robot:
        hook = connect_to(robot.url)
        with pytest.raises(RobotError) as caught:
            hook.send(HELLO)
    assert type(caught.value) is expected
    assert caught.value.remedy


def test_a_reply_after_the_timeout_is_lost(connect_to: ConnectTo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hook_module, "TIMEOUTS", (1.0, 0.2))
    with Robot(key=KEY, answers=[Answer(delay=30)]) as robot:
        with pytest.raises(ReplyLostError):
            connect_to(robot.url).send(HELLO)
        assert robot.messages == [HELLO]


def test_a_redirect_is_not_followed(connect_to: ConnectTo, robot: Robot) -> None:
    elsewhere = Robot(key=KEY, answers=[Answer(status=302, location=robot.url)])
    with elsewhere, pytest.raises(MessageRefusedError, match="302"):
        connect_to(elsewhere.url).send(HELLO)
    assert robot.messages == []


def test_a_refused_connection_and_an_unknown_host_mean_that_nothing_was_sent(connect_to: ConnectTo) -> None:
    with pytest.raises(RobotUnreachableError, match=r"127\.0\.0\.1"):
        connect_to(f"http://127.0.0.1:{free_port()}").send(HELLO)
    with pytest.raises(RobotUnreachableError, match=r"robot\.invalid"):
        connect_to("http://robot.invalid").send(HELLO)


def test_tls_that_fails_to_start_means_that_nothing_was_sent(connect_to: ConnectTo, robot: Robot) -> None:
    with pytest.raises(RobotUnreachableError):
        connect_to(robot.url.replace("http://", "https://")).send(HELLO)


def test_without_a_host_it_is_wecom_over_https(connect_to: ConnectTo) -> None:
    assert connect_to("", extra={}).host == "qyapi.weixin.qq.com"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"extra": {}}, "unencrypted"),
        ({"extra": {"allow_http": "yes"}}, "unencrypted"),
        ({"host": f"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={KEY}"}, "more than a scheme"),
        ({"host": "ftp://qyapi.weixin.qq.com"}, "more than a scheme"),
        ({"password": ""}, "no usable webhook key"),
        ({"password": f"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={KEY}"}, "no usable webhook key"),
    ],
)
def test_an_unsafe_connection_is_refused_without_naming_the_key(
    changes: dict[str, object], complaint: str, connect_to: ConnectTo
) -> None:
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        connect_to("http://127.0.0.1:1", **changes)
    assert KEY not in str(caught.value)


def failing_address(kind: str, robot: Robot) -> str:
    return {
        "refused": f"http://127.0.0.1:{free_port()}",
        "unknown": "http://robot.invalid",
        "tls": robot.url.replace("http://", "https://"),
        "answered": robot.url,
    }[kind]


def everything_about(error: BaseException) -> str:
    seen, chain = error, []
    while seen:
        chain += [repr(seen), str(seen), repr(getattr(seen, "__dict__", {}))]
        seen = seen.__cause__ or seen.__context__
    return "\n".join(chain)


@pytest.mark.parametrize("kind", ["refused", "unknown", "tls", "answered"])
@pytest.mark.parametrize("answer", [Answer(errcode=93000), Answer(hang_up=True), Answer(body=b"<html>"), Answer()])
def test_the_key_is_in_no_log_record_and_no_exception_whatever_happens(
    kind: str, answer: Answer, connect_to: ConnectTo, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with Robot(key=KEY, answers=[answer]) as robot:
        hook: WeComRobotHook = connect_to(failing_address(kind, robot))
        text = ""
        try:
            hook.send(HELLO)
        except RobotError as error:
            text = everything_about(error)
            logging.getLogger("task").exception("sending failed")
    assert KEY not in text
    assert KEY not in caplog.text


def test_the_canary_would_be_found_without_the_filter(
    robot: Robot, connect_to: Callable[..., WeComRobotHook], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    hook = connect_to(robot.url)
    logger = logging.getLogger("urllib3.connectionpool")
    filters, logger.filters = logger.filters, []
    try:
        hook.send(HELLO)
    finally:
        logger.filters = filters
    assert KEY in caplog.text
