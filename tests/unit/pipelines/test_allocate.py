"""The declaration of the job that spends a budget, beside the one that mines the same experiment."""

import json
from pathlib import Path

import pytest

from causal_tasks.data.coupon_experiment import simulate_coupons
from causal_tasks.experiment import Experiment
from causal_tasks.pipelines import ALLOCATE, MINE, PIPELINES
from causal_tasks.pipelines.execution import run_pipeline, run_stage
from causal_tasks.pipelines.inputs import fingerprint
from causal_tasks.run_folder import RunFolder
from causal_tasks.settings import Settings
from tests.unit.allocation.budget_runs import budgeting, statement


def test_both_jobs_prepare_and_check_an_experiment_by_the_same_stages():
    for name in ("prepare", "validate"):
        assert ALLOCATE[name] is MINE[name]


def test_what_the_jobs_leave_in_a_run_folder_has_names_of_its_own():
    shared = {stage.name for stage in MINE.stages} & {stage.name for stage in ALLOCATE.stages}
    assert shared == {"prepare", "validate"}
    for names in ([p.record for p in PIPELINES.values()], [p.claims for p in PIPELINES.values()]):
        assert len(set(names)) == len(names)
    assert not set(MINE.publishes) & set(ALLOCATE.publishes)


@pytest.mark.parametrize("pipeline", PIPELINES.values(), ids=PIPELINES)
def test_every_stage_comes_after_its_inputs_reads_stated_fields_and_has_a_function(pipeline):
    before = set()
    for stage in pipeline.stages:
        assert set(stage.inputs) <= before
        assert set(stage.reads) <= set(Experiment.model_fields)
        assert callable(stage.function())
        before.add(stage.name)
    assert callable(pipeline.tell())
    assert {pipeline.published("result"), pipeline.published("report")} == set(pipeline.publishes)


def test_a_budget_may_change_within_a_revision_and_changes_no_stage_that_both_share(tmp_path):
    settings = Settings(lake=f"file://{tmp_path}")
    first = RunFolder.open(statement(), settings)
    second = RunFolder.open(statement(budgeting=budgeting(budgets=[9.0])), settings)
    assert second.experiment.budgeting.budgets == (9.0,)

    def print_of(stage, run):
        return fingerprint(ALLOCATE[stage], run, None, [], {})

    for stage in ("prepare", "validate"):
        assert print_of(stage, first) == print_of(stage, second)
    for stage in ("plan", "fit", "choose", "evaluate", "report_allocation"):
        assert print_of(stage, first) != print_of(stage, second)


def test_changed_logs_make_another_fit(tmp_path):
    (tmp_path / "logs.parquet").write_bytes(b"first")
    experiment = statement(budgeting=budgeting(logs={"uri": f"file://{tmp_path}/logs.parquet"}))
    run = RunFolder.open(experiment, Settings(lake=f"file://{tmp_path}/lake"))
    before = {stage: fingerprint(ALLOCATE[stage], run, "m", [], {}) for stage in ("plan", "fit")}
    (tmp_path / "logs.parquet").write_bytes(b"second")
    after = {stage: fingerprint(ALLOCATE[stage], run, "m", [], {}) for stage in ("plan", "fit")}
    assert before["fit"] != after["fit"]
    assert before["plan"] == after["plan"]


def test_each_job_marks_that_it_has_begun(tmp_path):
    settings = Settings(lake=f"file://{tmp_path}")
    run = RunFolder.open(simulate_coupons(settings, users=300, arms=2), settings)
    run_stage(ALLOCATE, "prepare", run=run)
    assert [path.name for path in (tmp_path / "runs/coupons/r1/begun").iterdir()] == ["allocate_budget"]
    adopted = run_stage(MINE, "prepare", run=run)
    assert adopted is not None
    assert adopted.adopted
    assert {path.name for path in (tmp_path / "runs/coupons/r1/begun").iterdir()} == {MINE.name, ALLOCATE.name}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """An experiment too small to be trusted, whose budget is to be spent."""
    settings = Settings(lake=f"file://{tmp_path_factory.mktemp('lake')}", parallel_tasks=64)
    methods = ("two_stage_t_lightgbm",)
    run = RunFolder.open(simulate_coupons(settings, users=900, arms=3, methods=methods), settings)
    run_pipeline(ALLOCATE, run)
    return run


def files(run):
    """Content of everything at the root of a run folder, by name."""
    root = Path(run.uri.removeprefix("file://"))
    return {path.name: path.read_bytes() for path in root.iterdir() if path.is_file()}


def stages(run):
    return {path.name for path in Path(f"{run.uri.removeprefix('file://')}/stages").iterdir()}


def test_an_experiment_too_small_to_be_trusted_gets_a_report_and_no_allocation(small):
    told = json.loads(files(small)["allocation.json"])
    assert told["verdict"] == {"code": "not_possible", "reason": "arm_size"}
    assert (told["methods"]["chosen"], told["overall"], told["curve"]) == (None, None, {})
    assert told["users"]["allocated"] is told["run"]["allocation"] is None
    assert stages(small) == {"prepare", "validate", "plan", "report_allocation"}


def test_mining_beside_it_adopts_what_was_prepared_and_disturbs_nothing(small):
    before, seen = files(small), {}

    def watch(stage, _item, outcome):
        if outcome and outcome.result:
            seen[stage] = outcome.result.adopted

    run_pipeline(MINE, small, progress=watch)
    assert {stage for stage, adopted in seen.items() if adopted} == {"prepare", "validate"}
    after = files(small)
    assert {name: after[name] for name in before} == before
    assert after.keys() - before.keys() == {"result.json", "report.html", "run.json"}
    assert "plan" not in json.loads(after["run.json"])["manifests"]
    assert "measure" not in json.loads(after["allocation-run.json"])["manifests"]
