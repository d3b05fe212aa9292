"""Starts the small pipeline and takes it through its stages, as a scheduler would."""

import json
from pathlib import Path
from typing import Any

from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException
from causal_airflow.stage_task import StageOperator, stage_task

from causal_tasks.pipelines.declaration import Pipeline
from tests.unit.plugins.airflow_run import AirflowRun
from tests.unit.plugins.small_pipeline import SMALL

EXPERIMENT: dict[str, Any] = {
    "experiment_id": "demo",
    "status": "finished",
    "ended_at": "2026-01-31T00:00:00+08:00",
    "control": "control",
    "treatments": ["strategy"],
    "window": {"days": 7},
    "metrics": [{"name": "minutes", "role": "primary"}],
}


def write_experiment(lake: Path, **changes: Any) -> None:
    (lake / "experiments").mkdir(exist_ok=True)
    (lake / "experiments" / "demo.json").write_text(json.dumps(EXPERIMENT | changes))


def started(**params: Any) -> AirflowRun:
    return AirflowRun({"experiment": "demo", "revision": None, "notify": True, "languages": None} | params)


def operator(name: str, *items: str, **arguments: Any) -> StageOperator:
    with DAG("small", schedule=None):
        tasks = wire(SMALL)
    task = tasks[name]
    return StageOperator(
        task_id=name,
        pipeline="small",
        items=items or (None,),
        trigger_rule=task.trigger_rule,
        outlets=task.outlets,
        **arguments,
    )


def wire(pipeline: Pipeline) -> dict[str, Any]:
    tasks: dict[str, Any] = {}
    for stage in pipeline.stages:
        tasks[stage.name] = stage_task(pipeline, stage, tasks)
    return tasks


def run_until(run: AirflowRun, last: str) -> None:
    for stage in SMALL.stages:
        if stage.over:
            for index, batch in enumerate(run.xcoms[stage.over, -1, "return_value"]):
                try:
                    run.execute(operator(stage.name, *batch), index)
                except AirflowFailException:
                    continue
        else:
            run.execute(operator(stage.name))
        if stage.name == last:
            return
