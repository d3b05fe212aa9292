"""A pipeline of the same shape as the main job, small enough to run in a blink."""

import time
from typing import Any

from causal_tasks.errors import InputError, StorageError
from causal_tasks.pipelines.declaration import Pipeline, Resources, Stage
from causal_tasks.run_folder import StageContext

CALLS: list[str] = []
BEHAVIOUR: dict[str, Any] = {"items": ["a", "b"], "alike": False, "fails": {}, "findings": "found_positive"}


def _begin(context: StageContext, stage: str) -> None:
    name = f"{stage}/{context.item}" if context.item else stage
    CALLS.append(name)
    if error := BEHAVIOUR["fails"].get(name):
        raise error


def key(item: str) -> str:
    return "all" if BEHAVIOUR["alike"] else item


def prepare(context: StageContext) -> dict[str, str]:
    _begin(context, "prepare")
    return {"users": context.write_json("users.json", [1, 2, 3])}


def validate(context: StageContext) -> dict[str, str]:
    _begin(context, "validate")
    return {"items": context.write_json("items.json", BEHAVIOUR["items"])}


def measure(context: StageContext) -> dict[str, str]:
    _begin(context, "measure")
    return {"effects": context.write_json("effects.json", [])}


def train(context: StageContext) -> dict[str, str]:
    _begin(context, "train")
    return {"card": context.write_json("card.json", {"candidate": context.item})}


def shortlist(context: StageContext) -> dict[str, str]:
    _begin(context, "shortlist")
    trained = [manifest.item for manifest in context.inputs["train"]]
    return {"items": context.write_json("items.json", trained)}


def tune(context: StageContext) -> dict[str, str]:
    _begin(context, "tune")
    return {"tuning": context.write_json("tuning.json", {"candidate": context.item})}


def select(context: StageContext) -> dict[str, str]:
    _begin(context, "select")
    trained, tuned = ([manifest.item for manifest in context.inputs[stage]] for stage in ("train", "tune"))
    selection = {"trained": trained, "tuned": tuned, "failed": sorted(context.failures)}
    return {
        "selection": context.write_json("selection.json", selection),
        "items": context.write_json("items.json", ["seed_1", "permuted_1"]),
    }


def replicate(context: StageContext) -> dict[str, str]:
    _begin(context, "replicate")
    return {"predictions": context.write_json("predictions.json", [])}


def mine(context: StageContext) -> dict[str, str]:
    _begin(context, "mine")
    return {"subpopulations": context.write_json("subpopulations.json", [])}


def report(context: StageContext) -> dict[str, str]:
    _begin(context, "report")
    result = {
        "verdict": {"code": BEHAVIOUR["findings"]},
        "language": context.experiment.delivery.languages[0],
        "run": {"at": time.time()},
    }
    outputs = {
        "result": context.write_json("result.json", result),
        "report": context.write_bytes("report.html", b"<html>"),
    }
    if BEHAVIOUR.get("picture"):
        outputs["picture"] = context.write_bytes("picture.png", b"png")
    return outputs


def messages(
    result: dict[str, Any], language: str, link: str, *, updated: bool, picture: bytes | None
) -> list[dict[str, Any]]:
    """What the group is told; the wording of real results is tested with the report."""
    content = f"{result['verdict']['code']} {language} {link}" + (" updated" if updated else "")
    image = [{"msgtype": "text", "text": {"content": "picture"}}] if picture else []
    return [{"msgtype": "markdown_v2", "markdown_v2": {"content": content}}, *image]


KEY = f"{__name__}:key"


def _stage(name: str, **declared: Any) -> Stage:
    return Stage(name=name, run=f"{__name__}:{name}", code=1, **declared)


SMALL = Pipeline(
    name="small",
    stages=(
        _stage("prepare", reads=("window",), resources=Resources(minutes=60, gpu=True)),
        _stage("validate", needs=("prepare",)),
        _stage("measure", needs=("prepare", "validate")),
        _stage("train", needs=("prepare", "validate"), over="validate", batched_by=KEY, resources=Resources(gpu=True)),
        _stage("shortlist", needs=("validate", "train"), survives_failures=True),
        _stage("tune", needs=("prepare", "validate", "shortlist"), over="shortlist"),
        _stage(
            "select",
            needs=("prepare", "validate", "train", "shortlist"),
            wants=("tune",),
            survives_failures=True,
        ),
        _stage("replicate", needs=("prepare", "validate", "select"), over="select", batched_by=KEY),
        _stage("mine", needs=("prepare", "validate", "select"), wants=("replicate",), survives_failures=True),
        _stage(
            "report",
            reads=("delivery",),
            needs=("prepare", "validate", "measure"),
            wants=("train", "shortlist", "tune", "select", "replicate", "mine"),
            survives_failures=True,
        ),
    ),
    publishes={"result.json": "result", "report.html": "report"},
    messages=f"{__name__}:messages",
    announces="small",
)

WRONG_INPUT = InputError("column 'arm' is missing", remedy="add it")
STORE_BUSY = StorageError("the store is busy", remedy="try again later")
