"""From a running experiment to the product manager's message, through the real scheduler, with known truth."""

import os
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

# Before any OpenMP library loads, as in every process of the stack.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from rich.console import Console

from causal_tasks.data.simulate import simulate_experiment
from causal_tasks.errors import CausalTasksError
from causal_tasks.experiment import Experiment
from causal_tasks.pipelines.mine import MINE
from causal_tasks.storage import Storage
from local_stack.airflow_api import FINISHED_RUN, AirflowApi, task_name
from local_stack.comparison import compare_with_truth
from local_stack.stack import Stack

WATCHER = "watch_experiments"
_MINUTES = 15
_TELLING = frozenset({"running", "success", "failed", "skipped", "upstream_failed", "up_for_retry"})
_LOG_LINES = 25

console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 120)


class DemoError(CausalTasksError):
    """The demo did not come to its end."""


def run_demo(stack: Stack, root: Path, *, users: int) -> None:
    """Simulate an experiment, let it finish, have it mined, and print what came of it.

    Args:
        stack: A stack that is up and empty.
        root: Where the report is copied to.
        users: In the experiment.

    Raises:
        DemoError: A run failed, or took too long.
    """
    deadline = time.monotonic() + 60 * _MINUTES
    airflow, storage = stack.airflow(), Storage(stack.settings)
    _say(f"Airflow is up at {stack.address}; a music app tests 'autoplay the next album' on {users:,} users")
    experiment = simulate_experiment(stack.settings, users=users, status="running")
    _await_dags(airflow, deadline)
    _say(f"the experiment {experiment.experiment_id} ends: its file now says status finished")
    experiment = _finish(experiment, storage, stack.settings.lake)
    _say(f"{WATCHER} looks for experiments to mine (by itself it does so every five minutes)")
    _await_start(airflow, airflow.trigger(WATCHER), experiment.run_id, deadline)
    _follow(airflow, MINE.name, experiment.run_id, deadline)
    report = root / "report.html"
    run_uri = f"{stack.settings.lake}/runs/{experiment.experiment_id}/r{experiment.revision}"
    report.write_bytes(storage.read_bytes(f"{run_uri}/report.html"))
    console.rule("The message in the group")
    for message in stack.messages():
        console.print(_readable(message), markup=False)
    console.rule("Planted and found (minutes played per user and window)")
    console.print(compare_with_truth(experiment, stack.settings), soft_wrap=False)
    console.print(f"\nThe report: {report}")


def _say(text: str) -> None:
    console.print(f"{datetime.now():%H:%M:%S}  {text}", markup=False)


def _finish(experiment: Experiment, storage: Storage, lake: str) -> Experiment:
    finished = experiment.model_copy(update={"status": "finished"})
    storage.write_json(
        f"{lake}/experiments/{experiment.experiment_id}.json", finished.model_dump(mode="json", by_alias=True)
    )
    return finished


def _await_dags(airflow: AirflowApi, deadline: float) -> None:
    while missing := {MINE.name, WATCHER} - airflow.dags().keys():
        if errors := airflow.import_errors():
            raise DemoError("\n".join(f"{file}:\n{trace}" for file, trace in errors.items()))
        _pause(deadline, f"Airflow has not parsed {', '.join(sorted(missing))}")


def _await_start(airflow: AirflowApi, watcher_run: str, run_id: str, deadline: float) -> None:
    while run_id not in airflow.runs(MINE.name):
        if airflow.run_state(WATCHER, watcher_run) == "failed":
            raise DemoError(f"{WATCHER} failed\n{_failed_logs(airflow, WATCHER, watcher_run)}")
        _pause(deadline, f"{MINE.name} has no run {run_id}")
    _say(f"{MINE.name}: run {run_id} started")


def _follow(airflow: AirflowApi, dag_id: str, run_id: str, deadline: float) -> None:
    """Print each task's changes of state until the run has ended.

    Raises:
        DemoError: It failed, or took too long.
    """
    seen: dict[tuple[str, int], str | None] = {}
    while True:
        state = airflow.run_state(dag_id, run_id)
        for task in airflow.tasks(dag_id, run_id):
            instance = task["task_id"], task["map_index"]
            if task["state"] in _TELLING and seen.get(instance) != task["state"]:
                seconds = f" after {task['duration']:.1f} s" if task["end_date"] and task["duration"] else ""
                _say(f"{dag_id}: {task_name(task)} {task['state']}{seconds}")
            seen[instance] = task["state"]
        if state in FINISHED_RUN:
            break
        _pause(deadline, f"run {run_id} of {dag_id} is still {state}")
    if state == "failed":
        raise DemoError(f"run {run_id} of {dag_id} failed\n{_failed_logs(airflow, dag_id, run_id)}")


def _failed_logs(airflow: AirflowApi, dag_id: str, run_id: str) -> str:
    parts = []
    for task in airflow.tasks(dag_id, run_id):
        if task["state"] == "failed":
            lines = airflow.log(
                dag_id, run_id, task["task_id"], attempt=task["try_number"], map_index=task["map_index"]
            )
            parts.append("\n".join([f"--- {task_name(task)}, try {task['try_number']}", *lines[-_LOG_LINES:]]))
    return "\n".join(parts)


def _pause(deadline: float, waiting: str) -> None:
    if time.monotonic() > deadline:
        raise DemoError(f"{waiting} after {_MINUTES} minutes")
    time.sleep(1)


def _readable(message: dict[str, Any]) -> str:
    kind = message["msgtype"]
    if kind == "image":
        return f"[picture of {len(message['image']['base64']) * 3 // 4 // 1024} KB]"
    return str(message[kind]["content"])
