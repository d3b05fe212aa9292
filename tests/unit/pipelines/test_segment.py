"""The declaration of the job that learns segments, beside the others that work on the same experiment."""

import json
from pathlib import Path

import pytest

from causal_tasks.data.creative_experiment import simulate_creatives
from causal_tasks.pipelines import ALLOCATE, MINE, SEGMENT
from causal_tasks.pipelines.execution import run_pipeline
from causal_tasks.pipelines.inputs import fingerprint
from causal_tasks.run_folder import RunFolder
from causal_tasks.settings import Settings
from tests.unit.segments.stages.segment_runs import segmenting, statement


def test_the_jobs_share_what_is_prepared_and_checked_and_nothing_else():
    for name in ("prepare", "validate"):
        assert SEGMENT[name] is MINE[name]
    for other in (MINE, ALLOCATE):
        shared = {stage.name for stage in SEGMENT.stages} & {stage.name for stage in other.stages}
        assert shared == {"prepare", "validate"}
        assert not set(SEGMENT.publishes) & set(other.publishes)


def test_segmenting_may_change_within_a_revision_and_changes_no_stage_that_the_jobs_share(tmp_path):
    settings = Settings(lake=f"file://{tmp_path}")
    first = RunFolder.open(statement(), settings)
    second = RunFolder.open(statement(segmenting=segmenting(alphas=[0.2])), settings)
    assert second.experiment.segmenting.alphas == (0.2,)
    for stage in SEGMENT.stages:
        before, after = (fingerprint(stage, run, None, [], {}) for run in (first, second))
        assert (before == after) == (stage.name in {"prepare", "validate"})


def test_the_order_in_which_segments_are_written_changes_nothing(tmp_path):
    segments = {"young": ["fresh"], "old": ["classic", "vinyl"]}
    turned = statement(segmenting=segmenting(segments=segments))
    assert list(turned.segmenting.segments) == list(statement().segmenting.segments) == ["old", "young"]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """An experiment too small to be trusted, of which segments are to be learned."""
    settings = Settings(lake=f"file://{tmp_path_factory.mktemp('lake')}", parallel_tasks=64)
    run = RunFolder.open(simulate_creatives(settings, users=900), settings)
    run_pipeline(SEGMENT, run)
    return run


def files(run):
    """Content of everything at the root of a run folder, by name."""
    root = Path(run.uri.removeprefix("file://"))
    return {path.name: path.read_bytes() for path in root.iterdir() if path.is_file()}


def test_an_experiment_too_small_to_be_trusted_gets_a_report_and_no_segments(small):
    told = json.loads(files(small)["segments.json"])
    assert told["verdict"] == {"code": "not_possible", "reason": "arm_size"}
    assert (told["model"], told["policies"], told["matrix"]) == (None, None, [])
    assert told["users"]["assigned"] is told["run"]["assignments"] is None
    stages = {path.name for path in Path(f"{small.uri.removeprefix('file://')}/stages").iterdir()}
    assert stages == {"prepare", "validate", "plan_segments", "report_segments"}


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
    assert "plan_segments" not in json.loads(after["run.json"])["manifests"]
    assert "measure" not in json.loads(after["segments-run.json"])["manifests"]
