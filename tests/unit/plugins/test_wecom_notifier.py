import json

import pytest
from airflow.sdk import DAG
from causal_airflow.wecom import delivery
from causal_airflow.wecom.hook import RobotError
from causal_airflow.wecom.notifier import TEXT_BYTES, WeComNotifier, fitting_text
from hypothesis import given
from hypothesis import strategies as st

from local_stack.wecom_robot import Answer, Robot, content_errcode
from tests.unit.plugins.conftest import KEY, ConnectTo


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "SPACING", 0.0)


def call(notifier: WeComNotifier, **context: object) -> None:
    notifier({"dag": DAG("watch", schedule=None), **context})


def test_the_rendered_text_is_in_the_group(robot: Robot, connect_to: ConnectTo) -> None:
    connect_to(robot.url)
    call(WeComNotifier("{{ run_id }} failed: {{ exception }}"), run_id="r1", exception=ValueError("boom"))
    assert robot.messages == [{"msgtype": "text", "text": {"content": "r1 failed: boom"}}]


def test_a_refusal_is_raised_for_airflow_to_log(connect_to: ConnectTo) -> None:
    with Robot(key=KEY, answers=[Answer(errcode=93000)]) as robot:
        connect_to(robot.url)
        with pytest.raises(RobotError, match="93000"):
            call(WeComNotifier("text"))


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=3000))
def test_every_text_fits_is_cut_between_characters_and_pings_nobody(text: str) -> None:
    fitting = fitting_text(text)
    assert 0 < len(fitting.encode()) <= TEXT_BYTES
    assert "<@" not in fitting
    if len(text.replace("<@", "< @").encode()) <= TEXT_BYTES:
        assert fitting == text.replace("<@", "< @")


def test_a_long_chinese_text_is_accepted_after_the_cut() -> None:
    payload = {"msgtype": "text", "text": {"content": fitting_text("补跑失败" * 1000)}}
    assert content_errcode(json.dumps(payload).encode()) == 0
