"""Airflow's four processes, configured by environment variables alone."""

import base64
import json
import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import requests

from local_stack.airflow_api import AirflowApi
from local_stack.database import Database
from local_stack.object_store import BUCKET, ObjectStore
from local_stack.ports import free_ports
from local_stack.processes import SERVICES, Processes

USER = "admin"
_FOREIGN_SETTINGS = ("AIRFLOW_", "AIRFLOW__", "AWS_", "CAUSAL_", "PYTHONPATH", "OMP_")
_START_SECONDS = 240
_LIGHT_TASKS = 2
"""Tasks beside the stages that wait more than they compute: finding experiments, telling the group."""


@dataclass(frozen=True, slots=True)
class Folders:
    """Where Airflow finds things.

    Attributes:
        home: Its state.
        dags: DAG files.
        plugins: Plugins, also importable by name.
        repository: Root of the source tree.
    """

    home: Path
    dags: Path
    plugins: Path
    repository: Path


@dataclass(frozen=True, slots=True)
class Robot:
    """The stand-in for the group robot.

    Attributes:
        address: Where it listens.
        key: What its webhook address ends in.
        inbox: Folder with one JSON file per message.
    """

    address: str
    key: str
    inbox: Path

    @property
    def airflow_connection(self) -> str:
        """The Airflow connection that leads to it, as JSON."""
        return json.dumps(
            {"conn_type": "wecom", "host": self.address, "password": self.key, "extra": {"allow_http": True}}
        )


def airflow_environment(
    folders: Folders, *, port: int, database: Database, store: ObjectStore, robot: Robot, stages: int
) -> dict[str, str]:
    """Every variable of the Airflow processes and of the tasks that they start.

    Args:
        folders: Where Airflow finds things.
        port: Of the web server.
        database: Its metadata.
        store: The lake, and the tasks' logs.
        robot: Whom it tells.
        stages: Stages that share the cores at the same time.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN_SETTINGS)}
    return (
        inherited
        | _core(folders, port, database, stages)
        | _intervals()
        | _connections(store, robot)
        | _tasks(folders, stages)
    )


def _core(folders: Folders, port: int, database: Database, stages: int) -> dict[str, str]:
    worker_logs, trigger_logs = free_ports(2)
    address = f"http://127.0.0.1:{port}"
    return {
        "AIRFLOW_HOME": str(folders.home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folders.dags),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(folders.plugins),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": str(stages + _LIGHT_TASKS),
        "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folders.home / "passwords.json"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(48),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database.sqlalchemy_url,
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(worker_logs),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(trigger_logs),
        "AIRFLOW__LOGGING__REMOTE_LOGGING": "True",
        "AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER": f"s3://{BUCKET}/airflow-logs",
        "AIRFLOW__LOGGING__REMOTE_LOG_CONN_ID": "aws_default",
    }


def _intervals() -> dict[str, str]:
    return {
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "30",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
        # A worker that lingers after its task has deferred makes the scheduler fail the resumed task.
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        # The default of 5 s is too short where fits keep every core busy.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "30",
    }


def _connections(store: ObjectStore, robot: Robot) -> dict[str, str]:
    return {
        "AIRFLOW_CONN_AWS_DEFAULT": store.airflow_connection,
        "AIRFLOW_CONN_WECOM_DEFAULT": robot.airflow_connection,
    }


def _tasks(folders: Folders, stages: int) -> dict[str, str]:
    cores = len(os.sched_getaffinity(0))
    return {
        "CAUSAL_LAKE": f"s3://{BUCKET}",
        "CAUSAL_PARALLEL_TASKS": str(stages),
        "CAUSAL_RETRY_DELAY_SECONDS": "2",
        "OMP_NUM_THREADS": str(max(1, cores // stages)),
        # Threads that spin while they wait slow down fits that share cores up to 80 times.
        "OMP_WAIT_POLICY": "PASSIVE",
        "PYTHONPATH": os.pathsep.join(map(str, (folders.plugins, folders.repository))),
        "NO_PROXY": "127.0.0.1,localhost",
    }


def prepare_airflow(processes: Processes, folders: Folders, env: Mapping[str, str], password: str) -> None:
    """Create or migrate the database, and set the password.

    Raises:
        ConfigurationError: The migration failed.
    """
    folders.home.mkdir(parents=True, exist_ok=True)
    passwords = folders.home / "passwords.json"
    passwords.touch(mode=0o600)
    passwords.write_text(json.dumps({USER: password}))
    processes.run("migrate_database", [_airflow(), "db", "migrate"], env=env, cwd=folders.home)


def start_airflow(processes: Processes, folders: Folders, env: Mapping[str, str], api: AirflowApi) -> None:
    """Start the four processes; returns once all of them are healthy.

    Raises:
        ConfigurationError: One of them ended, or did not become healthy in time.
    """

    def healthy(component: str) -> bool:
        try:
            return component not in api.unhealthy()
        except requests.RequestException:
            return False

    def start(component: str) -> None:
        command = [str(_airflow()), component]
        processes.start(f"airflow-{component}", command, env=env, cwd=folders.home, layer=SERVICES)

    def wait(component: str, reported_as: str) -> None:
        processes.wait_until(f"airflow-{component}", lambda: healthy(reported_as), seconds=_START_SECONDS)

    for component in ("api-server", "dag-processor", "triggerer"):
        start(component)
    wait("api-server", "metadatabase")
    # The scheduler last: a worker whose first call finds no execution API fails its task for good.
    start("scheduler")
    for component in ("scheduler", "dag-processor", "triggerer"):
        wait(component, component.replace("-", "_"))
    processes.require_all_alive()


def _airflow() -> Path:
    return Path(sys.executable).parent / "airflow"
