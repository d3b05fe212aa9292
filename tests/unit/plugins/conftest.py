import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-home-"))

from causal_airflow import notify_task, stage_task
from causal_airflow.wecom.hook import WeComRobotHook

from local_stack.wecom_robot import Robot
from tests.unit.plugins.small_pipeline import BEHAVIOUR, CALLS, SMALL
from tests.unit.plugins.small_run import write_experiment

KEY = "canary-0b7c9f4e-key"
ConnectTo = Callable[..., WeComRobotHook]


@pytest.fixture
def robot() -> Iterator[Robot]:
    with Robot(key=KEY) as running:
        yield running


@pytest.fixture
def connect_to(monkeypatch: pytest.MonkeyPatch) -> ConnectTo:
    """Makes a hook for a robot's address, through a connection in the environment."""

    def connect(url: str, *, key: str = KEY, **changes: object) -> WeComRobotHook:
        connection = {"conn_type": "wecom", "host": url, "password": key, "extra": {"allow_http": True}} | changes
        monkeypatch.setenv("AIRFLOW_CONN_WECOM_DEFAULT", json.dumps(connection))
        return WeComRobotHook()

    return connect


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small pipeline in place of the main job, behaving well."""
    for module in (stage_task, notify_task):
        monkeypatch.setattr(module, "PIPELINES", {"small": SMALL})
    well = {"items": ["a", "b"], "alike": False, "fails": {}, "findings": "found_positive", "picture": False}
    for name, value in well.items():
        monkeypatch.setitem(BEHAVIOUR, name, value)
    CALLS.clear()


@pytest.fixture
def lake(small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lake that holds the finished experiment ``demo``."""
    monkeypatch.setenv("CAUSAL_LAKE", f"file://{tmp_path}")
    write_experiment(tmp_path)
    return tmp_path
