"""Airflow as its REST interface shows it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

import requests

from causal_tasks.errors import ConfigurationError

FINISHED_RUN = frozenset({"success", "failed"})
_COMPONENTS = ("metadatabase", "scheduler", "dag_processor", "triggerer")


class AirflowApi:
    """A client that is logged in.

    Attributes:
        address: Of the web server.
    """

    def __init__(self, address: str, user: str, password: str) -> None:
        self.address = address
        self._login = {"username": user, "password": password}
        self._session = requests.Session()
        self._session.trust_env = False

    def unhealthy(self) -> list[str]:
        """The components that are not healthy; the status of the answer is 200 whatever they are.

        Raises:
            requests.RequestException: The server does not answer.
        """
        answer = self._session.get(f"{self.address}/api/v2/monitor/health", timeout=10)
        answer.raise_for_status()
        health: Mapping[str, Mapping[str, Any]] = answer.json()
        return [name for name in _COMPONENTS if health.get(name, {}).get("status") != "healthy"]

    def token(self) -> str:
        """A fresh bearer token, good for 24 hours."""
        answer = self._session.post(f"{self.address}/auth/token", json=self._login, timeout=30)
        answer.raise_for_status()
        token: str = answer.json()["access_token"]
        return token

    def request(self, method: str, path: str, **arguments: Any) -> Any:
        """The JSON that the server answers to ``method`` on ``/api/v2`` + ``path``; None where it answers nothing.

        Raises:
            ConfigurationError: The server refuses; the message holds its answer.
        """
        if "Authorization" not in self._session.headers:
            self._session.headers["Authorization"] = f"Bearer {self.token()}"
        answer = self._session.request(method, f"{self.address}/api/v2{path}", timeout=60, **arguments)
        if not answer.ok:
            raise ConfigurationError(
                f"Airflow answers {answer.status_code} to {method} {path}: {answer.text}",
                remedy="read the log of the web server",
            )
        return answer.json() if answer.content else None

    def import_pools(self, pools: Mapping[str, Mapping[str, Any]]) -> None:
        """Create pools, or bring them to this size."""
        entities = [{"name": name, **pool} for name, pool in pools.items()]
        action = {"action": "create", "entities": entities, "action_on_existence": "overwrite"}
        answer = self.request("PATCH", "/pools", json={"actions": [action]})
        if errors := answer["create"]["errors"]:
            raise ConfigurationError(f"Airflow refuses the pools: {errors}", remedy="correct docker/pools.json")

    def dags(self) -> dict[str, dict[str, Any]]:
        """The DAGs that have been parsed, by id."""
        return {dag["dag_id"]: dag for dag in self.request("GET", "/dags", params={"limit": 100})["dags"]}

    def import_errors(self) -> dict[str, str]:
        """Stack traces of the DAG files that cannot be parsed, by file."""
        errors = self.request("GET", "/importErrors")["import_errors"]
        return {error["filename"]: error["stack_trace"] for error in errors}

    def trigger(self, dag_id: str, *, run_id: str | None = None, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run; returns its id.

        Raises:
            ConfigurationError: There is such a run already (409), or a parameter is wrong (400).
        """
        body = {"logical_date": None, "conf": dict(conf or {})} | ({"dag_run_id": run_id} if run_id else {})
        started: str = self.request("POST", f"/dags/{dag_id}/dagRuns", json=body)["dag_run_id"]
        return started

    def runs(self, dag_id: str) -> dict[str, str]:
        """State by run id, newest first."""
        answer = self.request("GET", f"/dags/{dag_id}/dagRuns", params={"order_by": "-run_after", "limit": 100})
        return {run["dag_run_id"]: run["state"] for run in answer["dag_runs"]}

    def run_state(self, dag_id: str, run_id: str) -> str:
        """``queued``, ``running``, ``success`` or ``failed``."""
        state: str = self.request("GET", _run(dag_id, run_id))["state"]
        return state

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """The task instances of a run, as Airflow describes them."""
        path = f"{_run(dag_id, run_id)}/taskInstances"
        instances: list[dict[str, Any]] = self.request("GET", path, params={"limit": 100})["task_instances"]
        return instances

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """State by task; the instances of a mapped task are ``task[what it is mapped over]``."""
        return {task_name(task): task["state"] for task in self.tasks(dag_id, run_id)}

    def log(self, dag_id: str, run_id: str, task_id: str, *, attempt: int = 1, map_index: int = -1) -> list[str]:
        """The lines that one attempt at a task has logged."""
        path = f"{_run(dag_id, run_id)}/taskInstances/{task_id}/logs/{attempt}"
        params: dict[str, Any] = {"map_index": map_index, "full_content": True}
        answer = self.request("GET", path, params=params, headers={"Accept": "application/json"})
        return [_line(entry) for entry in answer["content"]]

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """A value that a task handed on."""
        path = f"{_run(dag_id, run_id)}/taskInstances/{task_id}/xcomEntries/{key}"
        return self.request("GET", path, params={"deserialize": False})["value"]

    def clear(self, dag_id: str, run_id: str, task_ids: Iterable[str], *, downstream: bool = True) -> None:
        """Make tasks, and those after them, run again."""
        body = {
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": list(task_ids),
            "only_failed": False,
            "include_downstream": downstream,
        }
        self.request("POST", f"/dags/{dag_id}/clearTaskInstances", json=body)

    def backfill(self, dag_id: str, begin: datetime, end: datetime) -> int:
        """Create the runs of a periodic DAG between two moments; returns the backfill's id."""
        body = {"dag_id": dag_id, "from_date": begin.isoformat(), "to_date": end.isoformat()}
        created: int = self.request("POST", "/backfills", json=body)["id"]
        return created


def task_name(task: Mapping[str, Any]) -> str:
    """How a task instance is called in messages."""
    if task["map_index"] < 0:
        return str(task["task_id"])
    return f"{task['task_id']}[{task['rendered_map_index'] or task['map_index']}]"


def _run(dag_id: str, run_id: str) -> str:
    return f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}"


def _line(entry: str | Mapping[str, Any]) -> str:
    if isinstance(entry, str):
        return entry
    causes = [f"{cause['exc_type']}: {cause['exc_value']}" for cause in entry.get("error_detail") or []]
    return " ".join([*(str(entry[field]) for field in ("timestamp", "level", "event") if entry.get(field)), *causes])
