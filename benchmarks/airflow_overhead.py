"""What the scheduler adds: a DAG run in the real Airflow against the same stages in the same slots without it."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from benchmarks.document import seconds, table
from benchmarks.processes import MeasurementError
from benchmarks.schedule import run_schedule
from benchmarks.workload import write_workload
from causal_tasks.experiment import Mining
from causal_tasks.pipelines import MINE
from local_stack.airflow_api import FINISHED_RUN, AirflowApi
from local_stack.object_store import start_object_store
from local_stack.stack import REPOSITORY, running_stack
from local_stack.supervision import supervised

_WATCHER = "watch_experiments"
_MINUTES = 60


@dataclass(frozen=True, slots=True)
class DagRun:
    """A run of the DAG.

    Attributes:
        seconds: From its start to its end, as Airflow recorded them.
        task_seconds: Durations of its tasks, added up.
    """

    seconds: float
    task_seconds: float


def measure_overhead(root: Path, *, users: int, mining: Mining, say: Callable[[str], None]) -> str:
    """Mine the same experiment with and without Airflow, from the same S3 server; returns a Markdown table.

    Args:
        root: State folder of the stack; must not exist.
        users: In the experiment.
        mining: Candidates, finalists and trials.
        say: Gets a line for every step.

    Raises:
        MeasurementError: A run failed, or took too long.
    """
    slots = json.loads((REPOSITORY / "docker" / "pools.json").read_text())["cpu"]["slots"]
    with running_stack(root, fresh=True) as stack:
        say(f"Airflow is up at {stack.address}")
        airflow = stack.airflow()
        _await_dags(airflow)
        # It would find the experiment, too, perhaps while its tables are being written.
        airflow.request("PATCH", f"/dags/{_WATCHER}", json={"is_paused": True})
        experiment = write_workload(stack.settings, users=users, mining=mining)
        dag_run = _run_dag(airflow, experiment.experiment_id, experiment.run_id, say)
    with supervised(root) as processes:
        store = start_object_store(processes, root / "object_store")
        schedule = run_schedule(
            MINE, store.settings, experiment_id=experiment.experiment_id, revision=2, parallel=slots, say=say
        )
    stage_seconds = sum(usage.seconds for usage in schedule.usage.values())
    rows = [
        ["DAG run", seconds(dag_run.seconds), seconds(dag_run.task_seconds)],
        ["same stages, same slots, no Airflow", seconds(schedule.seconds), seconds(stage_seconds)],
        ["overhead", f"{1 - schedule.seconds / dag_run.seconds:.1%} of the DAG run", ""],
    ]
    return table([f"{users:,} users, {slots} slots", "wall s", "sum over tasks, s"], rows)


def _await_dags(airflow: AirflowApi) -> None:
    deadline = time.monotonic() + 60 * _MINUTES
    while {MINE.name, _WATCHER} - airflow.dags().keys():
        if errors := airflow.import_errors():
            raise MeasurementError("\n".join(errors.values()), remedy="mend the DAG files")
        _pause(deadline, "Airflow has not parsed its DAGs")


def _run_dag(airflow: AirflowApi, experiment_id: str, run_id: str, say: Callable[[str], None]) -> DagRun:
    airflow.trigger(MINE.name, run_id=run_id, conf={"experiment": experiment_id, "notify": False})
    deadline = time.monotonic() + 60 * _MINUTES
    while (state := airflow.run_state(MINE.name, run_id)) not in FINISHED_RUN:
        _pause(deadline, f"the DAG run {run_id} is still {state}")
    states = airflow.task_states(MINE.name, run_id)
    failed = [task for task, state in states.items() if state in {"failed", "upstream_failed"}]
    if state == "failed" or failed:
        raise MeasurementError(
            f"the DAG run {run_id}: {', '.join(failed)} failed", remedy="measure with --keep, read the logs"
        )
    run = airflow.request("GET", f"/dags/{MINE.name}/dagRuns/{quote(run_id, safe='')}")
    wall = (_moment(run["end_date"]) - _moment(run["start_date"])).total_seconds()
    task_seconds = sum(task["duration"] or 0 for task in airflow.tasks(MINE.name, run_id))
    say(f"DAG run: {wall:.1f} s for {len(states)} tasks")
    return DagRun(wall, task_seconds)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _pause(deadline: float, waiting: str) -> None:
    if time.monotonic() > deadline:
        raise MeasurementError(f"{waiting} after {_MINUTES} minutes", remedy="read the logs of Airflow")
    time.sleep(1)
