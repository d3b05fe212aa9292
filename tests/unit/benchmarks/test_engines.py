"""The engines that are compared answer the same question."""

import importlib
import json
import sys

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from benchmarks.engines import ENGINES
from benchmarks.engines.question import ask
from benchmarks.environment import stage_environment
from benchmarks.equality import differing_columns
from benchmarks.join_profile import profile_join
from benchmarks.processes import measure
from benchmarks.workload import write_workload
from causal_tasks.settings import Settings


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return Settings(lake=f"file://{tmp_path_factory.mktemp('lake')}")


@pytest.fixture(scope="module")
def question(settings):
    return ask(write_workload(settings, users=800), settings)


@pytest.fixture(scope="module")
def ours(question):
    module = importlib.import_module(ENGINES["causal_tasks"])
    return module.to_arrow(module.join(question))


def test_the_experiment_has_thirty_features_and_twenty_eight_days(question, ours):
    assert len(question.features) == 30
    assert question.experiment.window.days + question.experiment.window.pre_days == 28
    assert ours.num_columns == 3 + 30 + 2 * len(question.experiment.metrics)
    assert 700 < ours.num_rows < 800
    noise = ours["noise_01"].drop_null()
    assert abs(pc.mean(noise).as_py()) < 4 / len(noise) ** 0.5


@pytest.mark.parametrize("engine", ["duckdb", "polars"])
def test_a_peer_gives_the_same_rows(engine, question, ours, tmp_path):
    pytest.importorskip(engine, reason=f"{engine} is not installed: extra bench brings it")
    module = importlib.import_module(ENGINES[engine])
    assert differing_columns(ours, module.to_arrow(module.join(question)), key="unit") == []
    module.write(question, tmp_path / "answer.parquet")
    written = pq.read_table(tmp_path / "answer.parquet")
    assert written["unit"].to_pylist() == sorted(ours["unit"].to_pylist())
    assert differing_columns(ours, written, key="unit") == []


def test_the_whole_stage_gives_the_same_rows_but_for_the_capped_metric(question, ours, tmp_path):
    importlib.import_module(ENGINES["causal_tasks"]).write(question, tmp_path / "users")
    assert set(differing_columns(ours, pq.read_table(tmp_path / "users"), key="unit")) <= {"y__spend", "pre__spend"}


def test_an_engine_in_a_process_of_its_own_says_what_it_took(question, settings, tmp_path, ours):
    target = tmp_path / "answer.parquet"
    command = [sys.executable, "-m", "benchmarks.engines", "duckdb", "join", question.experiment.experiment_id]
    usage, output = measure([*command, "--target", str(target)], stage_environment(settings, parallel=1))
    taken = json.loads(output)
    assert 0 < taken["seconds"] < usage.seconds
    assert differing_columns(ours, pq.read_table(target), key="unit") == []


def test_every_phase_of_the_profiled_join_takes_time(question):
    taken = profile_join(question)
    assert len(taken) == 7
    assert min(taken.values()) > 0
