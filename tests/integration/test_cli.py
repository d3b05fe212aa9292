"""The command line as a person uses it: real processes, real files."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from causal_tasks.pipelines import MINE
from causal_tasks.pipelines.batches import batches
from causal_tasks.settings import Settings

PROGRAM = str(Path(sys.executable).with_name("causal-tasks"))


def causal_tasks(*arguments, lake=None, check=True, **environment):
    environment = os.environ | environment | ({"CAUSAL_LAKE": f"file://{lake}"} if lake else {})
    done = subprocess.run([PROGRAM, *map(str, arguments)], env=environment, capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    lake = tmp_path_factory.mktemp("lake")
    light = ("--candidate", "t_lightgbm", "--candidate", "x_xgboost", "--candidate", "s_lightgbm", "--trials", 4)
    causal_tasks("simulate", "--users", 8000, "--experiment-id", "music", "--seed", 3, *light, lake=lake)
    stated = lake / "experiments/music.json"
    statement = json.loads(stated.read_text())
    statement["mining"]["placebos"] = 0
    stated.write_text(json.dumps(statement))
    return lake


@pytest.fixture(scope="module")
def result(lake):
    causal_tasks("run", "music", lake=lake)
    return without_run(lake / "runs/music/r1/result.json")


def without_run(path):
    result = json.loads(path.read_text())
    del result["run"]
    return result


def test_run_finds_the_planted_subpopulations_and_writes_the_report(lake, result):
    kinds = {row["kind"] for row in result["subpopulations"]}
    assert "positive" in kinds
    assert (lake / "runs/music/r1/report.html").stat().st_size > 10_000


def test_run_prints_the_verdict_and_where_the_report_is(lake, result):
    printed = causal_tasks("run", "music", lake=lake).stdout
    assert result["verdict"]["headline"]["zh"] in printed.replace("\n", "")
    assert "runs/music/r1/report.html" in printed


def test_message_prints_what_the_group_gets(lake, result):
    printed = causal_tasks("message", "music", lake=lake).stdout
    assert "report.html" in printed


def test_an_unknown_experiment_ends_with_2_and_one_clear_sentence(lake):
    done = causal_tasks("run", "nobody", lake=lake, check=False)
    assert done.returncode == 2
    assert "experiments/nobody.json" in done.stderr.replace("\n", "")
    assert "Traceback" not in done.stderr


def test_a_store_that_does_not_answer_ends_with_1(tmp_path):
    done = causal_tasks(
        "run", "music", check=False, CAUSAL_LAKE="s3://lake", AWS_ENDPOINT_URL="http://127.0.0.1:9",
        AWS_ACCESS_KEY_ID="k", AWS_SECRET_ACCESS_KEY="s",
    )  # fmt: skip
    assert done.returncode == 1
    assert "no answer" in done.stderr


def test_doctor_finds_a_healthy_machine_and_a_missing_store(lake):
    assert causal_tasks("doctor", lake=lake, check=False).returncode == 0
    broken = causal_tasks(
        "doctor", check=False, CAUSAL_LAKE="s3://lake", AWS_ENDPOINT_URL="http://127.0.0.1:9",
        AWS_ACCESS_KEY_ID="k", AWS_SECRET_ACCESS_KEY="s",
    )  # fmt: skip
    assert broken.returncode == 1


def stage_command(name, run, manifests, items):
    command = [PROGRAM, "stage", name]
    command += ["--run", run] if run else ["--experiment", "music"]
    command += [part for uri in manifests for part in ("--input", uri)]
    return command + [part for item in items for part in ("--item", item)]


def test_a_stage_killed_at_any_moment_and_run_again_gives_the_same_result(lake, result, tmp_path):
    """Every batch is started, killed by SIGKILL, earlier or later, and started again in the same run folder."""
    delays = itertools.cycle([1.2, 2.4])
    for name in ("tables", "experiments"):
        (tmp_path / name).symlink_to(lake / name)
    environment = os.environ | {"CAUSAL_LAKE": f"file://{tmp_path}"}
    done: dict[str, list[dict]] = {}
    killed = 0
    for stage in MINE.stages:
        manifests = [entry["manifest"] for need in stage.inputs for entry in done[need]]
        run = done["prepare"][0]["run"] if done else None
        done[stage.name] = []
        for batch in batches(stage, done[stage.over][0]["items"], Settings()) if stage.over else [[]]:
            command = stage_command(stage.name, run, manifests, batch)
            victim = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(next(delays))
            victim.send_signal(signal.SIGKILL)
            killed += victim.wait() == -signal.SIGKILL
            again = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            assert again.returncode == 0, again.stderr
            results = [json.loads(line) for line in again.stdout.splitlines() if line.startswith('{"run"')]
            assert [entry["item"] for entry in results] == (batch or [None])
            done[stage.name] += results
    assert killed > 0
    assert without_run(tmp_path / "runs/music/r1/result.json") == result
