"""In which order stage instances start, and with what."""

import json

import pytest

from benchmarks.processes import MeasurementError
from benchmarks.schedule import Instance, Plan
from causal_tasks.pipelines import Pipeline, Stage

PIPELINE = Pipeline(
    name="small",
    stages=(
        Stage("prepare", "m:f", code=1),
        Stage("validate", "m:f", code=1, needs=("prepare",)),
        Stage("train", "m:f", code=1, needs=("prepare", "validate"), over="validate"),
        Stage("report", "m:f", code=1, needs=("validate",), wants=("train",)),
    ),
    publishes={},
)


def end(plan: Plan, stage: str, item: str | None = None, items: list[str] | None = None) -> None:
    manifest = f"file:///run/{stage}/{item}"
    instance = Instance(stage, item)
    plan.answer(instance).write_text(json.dumps({"run": "file:///run", "manifest": manifest, "items": items}))
    plan.end(instance)


def start_all(plan: Plan, room: int = 9) -> list[str]:
    ready = plan.ready(room=room)
    for instance in ready:
        plan.start(instance)
    return [str(instance) for instance in ready]


def test_every_instance_starts_once_as_soon_as_all_that_it_reads_has_ended(tmp_path):
    plan = Plan(PIPELINE, "exp-1", 2, tmp_path)
    assert start_all(plan) == ["prepare"]
    assert start_all(plan) == []
    end(plan, "prepare")
    assert start_all(plan) == ["validate"]
    end(plan, "validate", items=["a", "b", "c"])
    assert start_all(plan, room=2) == ["train/a", "train/b"]
    end(plan, "train", "a")
    assert start_all(plan, room=1) == ["train/c"]
    end(plan, "train", "b")
    assert start_all(plan) == []
    end(plan, "train", "c")
    assert start_all(plan) == ["report"]
    assert not plan.finished
    end(plan, "report")
    assert plan.finished


def test_a_command_names_the_experiment_first_and_then_run_manifests_and_item(tmp_path):
    plan = Plan(PIPELINE, "exp-1", 2, tmp_path)
    opening = plan.start(Instance("prepare", None))
    where = ["--experiment", "exp-1", "--revision", "2", "--result", f"{tmp_path}/prepare.json"]
    assert opening[1:] == ["stage", "prepare", "--pipeline", "small", *where]
    end(plan, "prepare")
    end(plan, "validate", items=["a"])
    command = plan.start(Instance("train", "a"))
    inputs = ["--input", "file:///run/prepare/None", "--input", "file:///run/validate/None"]
    where = ["--run", "file:///run", *inputs, "--result", f"{tmp_path}/train-a.json", "--item", "a"]
    assert command[1:] == ["stage", "train", "--pipeline", "small", *where]


def test_a_stage_with_nothing_to_do_is_an_error(tmp_path):
    plan, instance = Plan(PIPELINE, "exp-1", 1, tmp_path), Instance("validate", None)
    plan.answer(instance).write_text("null")
    with pytest.raises(MeasurementError, match="validate had nothing to do"):
        plan.end(instance)
