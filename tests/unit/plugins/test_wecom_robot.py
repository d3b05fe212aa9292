"""The stand-in has to be as strict as WeCom, or the tests that use it prove nothing."""

import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from local_stack.wecom_robot import IMAGE_BYTES, SEND_PATH, Answer, Robot


def post(robot: Robot, message: Any, key: str | None = None) -> requests.Response:
    return requests.post(f"{robot.url}{SEND_PATH}", params={"key": key or robot.key}, json=message, timeout=5)


def errcode(robot: Robot, message: Any, key: str | None = None) -> int:
    response = post(robot, message, key)
    assert response.status_code == 200
    return response.json()["errcode"]


def text(content: str, kind: str = "text") -> dict[str, Any]:
    return {"msgtype": kind, kind: {"content": content}}


def image(picture: bytes, md5: str | None = None) -> dict[str, Any]:
    digest = md5 or hashlib.md5(picture, usedforsecurity=False).hexdigest()
    return {"msgtype": "image", "image": {"base64": base64.b64encode(picture).decode(), "md5": digest}}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (text("好" * 682), 0),
        (text("好" * 683), 40058),
        (text("x" * 4096, "markdown_v2"), 0),
        (text("x" * 4097, "markdown_v2"), 40058),
        (text("x" * 4097, "markdown"), 40058),
        (text(""), 40058),
        ({"msgtype": "text"}, 40058),
        ({"msgtype": "telegram", "telegram": {}}, 40008),
        ([], 40008),
        (image(b"picture"), 0),
        (image(b"picture", md5="0" * 32), 301019),
        (image(b"x" * (IMAGE_BYTES + 1)), 40009),
        ({"msgtype": "image", "image": {"base64": "***", "md5": ""}}, 40058),
    ],
)
def test_contents_are_judged_by_bytes_type_and_digest(message: Any, expected: int) -> None:
    with Robot() as robot:
        assert errcode(robot, message) == expected
        assert robot.messages == ([message] if expected == 0 else [])
        assert robot.refusals == ([] if expected == 0 else [expected])


def test_a_wrong_key_is_refused_with_http_200() -> None:
    with Robot(key="right") as robot:
        assert errcode(robot, text("hello"), key="wrong") == 93000
        assert robot.messages == []


def test_the_twenty_first_message_within_a_minute_is_refused_and_the_next_minute_is_open() -> None:
    now = [0.0]
    with Robot(clock=lambda: now[0]) as robot:
        assert [errcode(robot, text(str(i))) for i in range(21)] == [0] * 20 + [45009]
        now[0] = 60.0
        assert errcode(robot, text("later")) == 0


def test_scripted_answers_come_first_and_a_lost_reply_still_delivers() -> None:
    script = [Answer(errcode=-1), Answer(hang_up=True), Answer(body=b"<html>gateway</html>", status=502)]
    with Robot(answers=script) as robot:
        assert errcode(robot, text("busy")) == -1
        with pytest.raises(requests.ConnectionError):
            post(robot, text("lost"))
        assert post(robot, text("gateway")).status_code == 502
        assert errcode(robot, text("fine")) == 0
        assert [message["text"]["content"] for message in robot.messages] == ["lost", "fine"]


def test_the_command_writes_each_accepted_message_into_the_inbox(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "local_stack.wecom_robot", "--port", "0", "--inbox", str(tmp_path), "--key", "k"]
    root = Path(__file__).parents[3]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True, env=os.environ.copy()) as process:
        url = process.stdout.readline().split()[3].rstrip(",")
        for content in ("first", "second"):
            requests.post(f"{url}{SEND_PATH}?key=k", json=text(content), timeout=5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["0001.json", "0002.json"]
    assert [json.loads(file.read_text())["text"]["content"] for file in files] == ["first", "second"]
