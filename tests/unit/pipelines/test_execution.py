"""Stages run once per fingerprint, pass failures on, and are skipped where there is nothing to do."""

import json
import sys
import types

import pytest

from causal_tasks.errors import InputError, NotReadyError
from causal_tasks.experiment import Experiment
from causal_tasks.pipelines import MINE, Pipeline, Stage
from causal_tasks.pipelines.execution import load_experiment, require_ready, run_pipeline, run_stage
from causal_tasks.run_folder import RunFolder
from causal_tasks.settings import Settings
from tests.unit.test_experiment import SHORTEST


@pytest.fixture
def settings(tmp_path):
    return Settings(lake=f"file://{tmp_path}")


@pytest.fixture
def run(settings):
    return RunFolder.open(Experiment.model_validate(SHORTEST), settings)


@pytest.fixture
def calls(monkeypatch):
    """A small diamond of real stages: list -> double[item] -> total -> publish."""
    made = []
    module = types.ModuleType("diamond")

    def listing(context):
        made.append("list")
        return {"items": context.write_json("items.json", module.candidates)}

    def double(context):
        made.append(f"double {context.item}")
        if context.item == "bad":
            raise InputError("bad luck", remedy="try a good one")
        return {"number": context.write_json("number.json", 2 * int(context.item))}

    def total(context):
        made.append("total")
        numbers = [context.read_json("double", "number", m.item) for m in context.inputs["double"]]
        failed = {key: failure.message for key, failure in context.failures.items()}
        return {"total": context.write_json("total.json", {"sum": sum(numbers), "failed": failed})}

    def publish(context):
        made.append("publish")
        return {"result": context.write_json("result.json", sorted(context.inputs["total"] and ["total"]))}

    for function in (listing, double, total, publish):
        setattr(module, function.__name__, function)
    module.candidates = ["1", "2"]
    monkeypatch.setitem(sys.modules, "diamond", module)
    return types.SimpleNamespace(made=made, module=module)


DIAMOND = Pipeline(
    name="diamond",
    stages=(
        Stage(name="list", run="diamond:listing", code=1, reads=("window",)),
        Stage(name="double", run="diamond:double", code=1, needs=("list",), over="list"),
        Stage(name="total", run="diamond:total", code=1, needs=("list", "double"), survives_failures=True),
        Stage(name="publish", run="diamond:publish", code=1, needs=("list",), wants=("total",)),
    ),
    publishes={"result.json": "result"},
)


def test_a_second_run_adopts_everything_and_calls_nothing(run, calls):
    first = run_pipeline(DIAMOND, run)
    assert calls.made == ["list", "double 1", "double 2", "total", "publish"]
    second = run_pipeline(DIAMOND, run)
    assert len(calls.made) == 5
    assert (second.manifest, second.adopted, first.adopted) == (first.manifest, True, False)


def test_a_failed_item_is_reported_to_the_stage_that_survives_it(run, calls):
    calls.module.candidates = ["1", "bad"]
    run_pipeline(DIAMOND, run)
    (total,) = [f for f in run.storage.list_files(f"{run.uri}/stages/total") if f.path.endswith("total.json")]
    assert run.storage.read_json(f"{run.uri}/stages/total/{total.path}") == {
        "sum": 2,
        "failed": {"double/bad": "bad luck"},
    }


def test_when_every_item_fails_the_run_fails_with_their_reason(run, calls):
    calls.module.candidates = ["bad"]
    with pytest.raises(InputError, match="bad luck"):
        run_pipeline(DIAMOND, run)
    assert "publish" not in calls.made


def test_without_items_what_depends_on_them_is_skipped_and_the_report_still_comes(run, calls):
    calls.module.candidates = []
    run_pipeline(DIAMOND, run)
    assert calls.made == ["list", "publish"]
    assert run.storage.read_json(f"{run.uri}/result.json") == []


def test_a_stage_asked_alone_skips_itself_when_it_was_mapped_over_nothing(run, calls):
    calls.module.candidates = []
    listing = run_stage(DIAMOND, "list", run=run)
    assert run_stage(DIAMOND, "total", run=run, inputs=[listing.manifest]) is None


def test_a_stage_whose_inputs_all_failed_names_the_failures(run, calls):
    calls.module.candidates = ["bad"]
    listing = run_stage(DIAMOND, "list", run=run)
    with pytest.raises(InputError, match="bad luck"):
        run_stage(DIAMOND, "double", run=run, inputs=[listing.manifest], item="bad")
    with pytest.raises(InputError, match="double/bad: bad luck"):
        run_stage(DIAMOND, "total", run=run, inputs=[listing.manifest])


def test_an_error_that_cannot_be_recorded_is_still_the_one_that_is_raised(run, calls, monkeypatch):
    calls.module.candidates = ["bad"]
    listing = run_stage(DIAMOND, "list", run=run)

    def refuse(*_):
        raise OSError("disk full")

    monkeypatch.setattr(type(run.storage), "write_json", refuse)
    with pytest.raises(InputError, match="bad luck") as caught:
        run_stage(DIAMOND, "double", run=run, inputs=[listing.manifest], item="bad")
    assert any("disk full" in note for note in caught.value.__notes__)


def test_an_input_that_changed_makes_a_new_folder_and_replaces_nothing(run, calls):
    run_pipeline(DIAMOND, run)
    before = {file.path for file in run.storage.list_files(f"{run.uri}/stages")}
    calls.module.candidates = ["1", "2", "3"]
    newer = Pipeline(
        "diamond", (Stage(name="list", run="diamond:listing", code=2), *DIAMOND.stages[1:]), DIAMOND.publishes
    )
    run_pipeline(newer, run)
    assert before < {file.path for file in run.storage.list_files(f"{run.uri}/stages")}
    assert calls.made.count("double 1") == 2


def test_run_json_names_the_manifests_of_the_result(run, calls):
    run_pipeline(DIAMOND, run)
    record = run.storage.read_json(f"{run.uri}/run.json")
    assert {"list", "total", "publish"} <= set(record["manifests"])
    assert all(run.storage.exists(f"{run.uri}/{path}") for path in record["manifests"].values())


def test_the_declared_stages_exist_and_read_only_stages_before_them():
    names = [stage.name for stage in MINE.stages]
    for position, stage in enumerate(MINE.stages):
        assert callable(stage.function())
        assert set(stage.inputs) <= set(names[:position])
        assert set(stage.reads) <= set(Experiment.model_fields)
        assert stage.over is None or stage.over in stage.needs


def test_declaring_the_graph_imports_no_heavy_package():
    import subprocess

    code = "import causal_tasks.pipelines, sys, json; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout)
    assert not {"pandas", "numpy", "dask", "lightgbm", "sklearn", "airflow", "s3fs"} & set(loaded)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "neither JSON nor YAML"),
        (b"\xff\xfe\x00", "neither JSON nor YAML"),
        (b"[]", "experiment"),
        (b"{}", "control"),
    ],
)
def test_an_experiment_file_that_cannot_be_read_is_refused_with_its_address(run, settings, tmp_path, content, message):
    run.storage.write_bytes(f"{settings.lake}/experiments/broken.json", content)
    with pytest.raises(InputError, match=message) as caught:
        load_experiment("broken", settings)
    assert "broken.json" in str(caught.value)


def test_an_absent_experiment_file_is_named(settings):
    with pytest.raises(InputError, match=r"experiments/absent\.json"):
        load_experiment("absent", settings)


def test_the_revision_may_be_raised_by_the_caller(run, settings):
    run.storage.write_json(f"{settings.lake}/experiments/music_autoplay.json", SHORTEST)
    assert load_experiment("music_autoplay", settings, revision=3).revision == 3


def test_a_running_or_unsettled_experiment_is_not_mined():
    with pytest.raises(NotReadyError, match="running"):
        require_ready(Experiment.model_validate(SHORTEST))
    finished = Experiment.model_validate(SHORTEST | {"status": "finished", "ended_at": "2026-09-30T00:00:00Z"})
    with pytest.raises(NotReadyError, match="settles until"):
        require_ready(finished, now=finished.ended_at)
    require_ready(finished, now=finished.ready_at())
