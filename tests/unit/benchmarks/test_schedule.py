"""In which order tasks start, and with what."""

import json
from pathlib import Path

import pytest

from benchmarks.processes import MeasurementError
from benchmarks.schedule import Plan, Task
from causal_tasks.pipelines import Pipeline, Stage
from causal_tasks.settings import Settings

PIPELINE = Pipeline(
    name="small",
    stages=(
        Stage("prepare", "m:f", code=1),
        Stage("validate", "m:f", code=1, needs=("prepare",)),
        Stage(
            "train", "m:f", code=1, needs=("prepare", "validate"), over="validate", batched_by=f"{__name__}:base_model"
        ),
        Stage("report", "m:f", code=1, needs=("validate",), wants=("train",)),
    ),
    publishes={},
)


def base_model(item: str) -> str:
    return item.rpartition("_")[2]


def plan_of(folder: Path, *, parallel: int = 1) -> Plan:
    return Plan(PIPELINE, "exp-1", 2, folder, Settings(parallel_tasks=parallel))


def end(plan: Plan, task: Task, items: list[str] | None = None) -> None:
    lines = [
        json.dumps({"run": "file:///run", "manifest": f"file:///run/{task.stage}/{item}", "items": items})
        for item in task.items or (None,)
    ]
    plan.answer(task).write_text("".join(f"{line}\n" for line in lines))
    plan.end(task)


def start_all(plan: Plan, room: int = 9) -> list[str]:
    ready = plan.ready(room=room)
    for task in ready:
        plan.start(task)
    return [str(task) for task in ready]


def test_every_task_starts_once_as_soon_as_all_that_it_reads_has_ended(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, parallel=3)
    assert start_all(plan) == ["prepare"]
    assert start_all(plan) == []
    end(plan, Task("prepare"))
    assert start_all(plan) == ["validate"]
    end(plan, Task("validate"), items=["a", "b", "c"])
    assert start_all(plan, room=2) == ["train: a", "train: b"]
    end(plan, Task("train", ("a",)))
    assert start_all(plan, room=1) == ["train: c"]
    end(plan, Task("train", ("b",)))
    assert start_all(plan) == []
    end(plan, Task("train", ("c",)))
    assert start_all(plan) == ["report"]
    assert not plan.finished
    end(plan, Task("report"))
    assert plan.finished


def test_items_share_a_task_where_they_do_in_a_run_and_later_tasks_read_them_all(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    for stage, items in (("prepare", None), ("validate", ["t_a", "t_b", "x_a"])):
        plan.start(Task(stage))
        end(plan, Task(stage), items)
    together = Task("train", ("t_a", "x_a"))
    assert plan.ready(room=9) == [together, Task("train", ("t_b",))]
    assert plan.start(together)[-4:] == ["--item", "t_a", "--item", "x_a"]
    end(plan, together)
    plan.start(Task("train", ("t_b",)))
    end(plan, Task("train", ("t_b",)))
    command = plan.start(Task("report"))
    assert [word for word in command if "/train/" in word] == [f"file:///run/train/{i}" for i in ("t_a", "x_a", "t_b")]


def test_a_command_names_the_experiment_first_and_then_run_manifests_and_item(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    opening = plan.start(Task("prepare"))
    where = ["--experiment", "exp-1", "--revision", "2", "--result", f"{tmp_path}/prepare.jsonl"]
    assert opening[1:] == ["stage", "prepare", "--pipeline", "small", *where]
    end(plan, Task("prepare"))
    end(plan, Task("validate"), items=["a"])
    command = plan.start(Task("train", ("a",)))
    inputs = ["--input", "file:///run/prepare/None", "--input", "file:///run/validate/None"]
    where = ["--run", "file:///run", *inputs, "--result", f"{tmp_path}/train-a.jsonl", "--item", "a"]
    assert command[1:] == ["stage", "train", "--pipeline", "small", *where]


def test_a_stage_with_nothing_to_do_is_an_error(tmp_path: Path) -> None:
    plan, task = plan_of(tmp_path), Task("validate")
    plan.answer(task).write_text("null\n")
    with pytest.raises(MeasurementError, match="validate had nothing to do"):
        plan.end(task)
