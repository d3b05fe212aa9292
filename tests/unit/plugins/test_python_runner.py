"""Stages in another environment's interpreter."""

import json
import os
import signal
import stat
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from airflow.sdk.exceptions import AirflowFailException
from causal_airflow import stage_task
from causal_airflow.runners import StageKilledError, run_in_python, stop_children

from causal_tasks.data.simulate import simulate_experiment
from causal_tasks.errors import ConfigurationError, InputError
from causal_tasks.pipelines import MINE
from causal_tasks.pipelines.execution import Outcome, run_stage
from causal_tasks.run_folder import Failure, RunFolder
from causal_tasks.settings import Settings
from tests.unit.plugins.airflow_run import AirflowRun
from tests.unit.plugins.second_environment import make_environment


@pytest.fixture(scope="session")
def other_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_environment(tmp_path_factory.mktemp("second") / "environment")


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    settings = Settings(lake=f"file://{tmp_path / 'lake'}")
    return RunFolder.open(simulate_experiment(settings, users=300, experiment_id="small"), settings)


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Any:
    def chosen(python: Path) -> None:
        monkeypatch.setenv("CAUSAL_RUNNER", "python")
        monkeypatch.setenv("CAUSAL_RUNNER_PYTHON", str(python))

    return chosen


def program(path: Path, body: str) -> Path:
    """A stand-in for an interpreter: it tells its version as asked, then does as told."""
    path.write_text(f'#!/bin/sh\nif [ "$1" = -c ]; then echo 0.1.0; exit; fi\n{body}\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_the_other_environment_has_the_library_and_no_airflow(other_python: Path) -> None:
    tried = subprocess.run(
        [other_python, "-c", "import causal_tasks, xgboost; import airflow"], capture_output=True, check=False
    )
    assert b"No module named 'airflow'" in tried.stderr


def test_a_stage_does_there_what_it_does_here(run: RunFolder, other_python: Path, use: Any, tmp_path: Path) -> None:
    use(other_python)
    (there_done,) = run_in_python(MINE, "prepare", run=run)
    assert there_done.result is not None
    there = run.read_manifest(there_done.result.manifest)
    settings = Settings(lake=f"file://{tmp_path / 'lake'}")
    experiment = run.experiment.model_copy(update={"revision": 2})
    here_run = RunFolder.open(experiment, settings)
    here = run_stage(MINE, "prepare", run=here_run)
    assert here is not None
    assert there.digests == here_run.read_manifest(here.manifest).digests


def test_a_dag_run_hands_its_presentation_and_its_errors_through(
    run: RunFolder, other_python: Path, use: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The metrics table is taken away, so that the stage fails there; the task must fail for good here."""
    use(other_python)
    lake = tmp_path / "lake"
    monkeypatch.setenv("CAUSAL_LAKE", f"file://{lake}")
    (lake / "tables/metrics").rename(lake / "tables/elsewhere")
    dag_run = AirflowRun({"experiment": "small", "revision": None, "notify": False, "languages": ["en"]})
    task = stage_task.StageOperator(task_id="prepare", pipeline=MINE.name)
    with pytest.raises(AirflowFailException, match="metrics"):
        dag_run.execute(task)
    (failure,) = dag_run.xcoms["prepare", -1, "failure"]
    assert failure["error"] == "InputError"
    assert failure["remedy"]
    assert run.last_failure("prepare", None).message == failure["message"]  # type: ignore[union-attr]


def test_a_killed_process_is_told_as_such_and_tried_again(run: RunFolder, use: Any, tmp_path: Path) -> None:
    use(program(tmp_path / "python", "kill -9 $$"))
    with pytest.raises(StageKilledError, match="killed by SIGKILL"):
        run_in_python(MINE, "prepare", run=run)


def test_a_process_that_leaves_no_record_is_quoted(run: RunFolder, use: Any, tmp_path: Path) -> None:
    use(program(tmp_path / "python", "echo the disk is on fire; exit 3"))
    with pytest.raises(RuntimeError, match="status 3:\nthe disk is on fire"):
        run_in_python(MINE, "prepare", run=run)


def test_a_stage_that_fails_before_its_first_attempt_fails_for_good_and_says_why(
    run: RunFolder, other_python: Path, use: Any
) -> None:
    """Such as the shortlist where every candidate has died: there is no record in the run folder."""
    use(other_python)
    (outcome,) = run_in_python(MINE, "measure", run=run)
    assert isinstance(outcome.error, InputError)
    assert "lacks what it reads" in outcome.error.message
    assert outcome.error.remedy == "mend the cause, then clear those tasks"
    assert run.last_failure("measure", None) is None


def test_a_stage_leaves_no_process_behind(run: RunFolder, use: Any, tmp_path: Path) -> None:
    use(program(tmp_path / "python", f"sleep 300 >/dev/null 2>&1 & echo $! > {tmp_path}/child; exit 3"))
    with pytest.raises(RuntimeError, match="status 3"):
        run_in_python(MINE, "prepare", run=run)
    await_death(int((tmp_path / "child").read_text()))


def await_death(pid: int) -> None:
    deadline = time.monotonic() + 10
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_an_older_failure_is_not_taken_for_this_one(run: RunFolder, use: Any, tmp_path: Path) -> None:
    run.begin("prepare", None, "0" * 8).fail(InputError("of yesterday"))
    use(program(tmp_path / "python", "exit 1"))
    with pytest.raises(RuntimeError, match="status 1"):
        run_in_python(MINE, "prepare", run=run)


def test_ending_the_task_ends_the_process_and_all_that_it_started(run: RunFolder, use: Any, tmp_path: Path) -> None:
    use(program(tmp_path / "python", f"sleep 300 & echo $! > {tmp_path}/child; wait"))

    ended = threading.Event()

    def end() -> None:
        while not (tmp_path / "child").exists() or not (tmp_path / "child").read_text().strip():
            time.sleep(0.02)
        # The process may have come this far before the runner knows of it.
        while not ended.is_set():
            stop_children()
            time.sleep(0.02)

    ending = threading.Thread(target=end, daemon=True)
    ending.start()
    with pytest.raises(StageKilledError, match="SIGTERM"):
        run_in_python(MINE, "prepare", run=run)
    ended.set()
    ending.join()
    grandchild = int((tmp_path / "child").read_text())
    assert not psutil.pid_exists(grandchild) or psutil.Process(grandchild).status() == psutil.STATUS_ZOMBIE


def test_the_process_dies_with_the_task_even_where_that_is_killed(run: RunFolder, use: Any, tmp_path: Path) -> None:
    use(program(tmp_path / "python", f"echo $$ > {tmp_path}/child; exec sleep 300"))
    task = os.fork()
    if task == 0:
        run_in_python(MINE, "prepare", run=run)
        os._exit(0)
    while not (tmp_path / "child").exists() or not (tmp_path / "child").read_text().strip():
        time.sleep(0.02)
    os.kill(task, signal.SIGKILL)
    os.waitpid(task, 0)
    await_death(int((tmp_path / "child").read_text()))


def test_secrets_and_airflows_own_variables_stay_out_of_arguments_and_environment(
    tmp_path: Path, use: Any, monkeypatch: pytest.MonkeyPatch, run: RunFolder
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WECOM_DEFAULT", "canary-of-airflow")
    monkeypatch.setenv("PYTHONPATH", "/canary/of/python")
    secret = "canary-of-the-store"
    run.settings = run.settings.model_copy(
        update=dict(Settings(s3_key="key", s3_secret=secret)) | {"lake": run.settings.lake}
    )
    use(program(tmp_path / "python", f'env > {tmp_path}/environment; echo "$@" > {tmp_path}/arguments; exit 1'))
    with pytest.raises(RuntimeError):
        run_in_python(MINE, "prepare", run=run)
    environment, arguments = (tmp_path / name for name in ("environment", "arguments"))
    assert secret not in arguments.read_text()
    seen = environment.read_text()
    assert secret in seen
    assert "canary-of-airflow" not in seen
    assert "/canary/of/python" not in seen
    assert "OMP_WAIT_POLICY=PASSIVE" in seen


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda folder: folder / "absent", "which is no program"),
        (
            lambda folder: program(folder / "python", "") and _of_version(folder / "other", "9.9"),
            "has causal-tasks 9.9",
        ),
        (lambda folder: _of_version(folder / "other", ""), "has no causal-tasks"),
    ],
)
def test_an_environment_that_cannot_run_stages_is_refused_with_the_remedy(
    make: Any, complaint: str, tmp_path: Path, use: Any, run: RunFolder
) -> None:
    use(make(tmp_path))
    with pytest.raises(ConfigurationError, match=complaint):
        run_in_python(MINE, "prepare", run=run)


def _of_version(path: Path, version: str) -> Path:
    path.write_text(f"#!/bin/sh\necho '{version}'\n")
    path.chmod(0o755)
    return path


def test_nothing_to_do_comes_back_as_none(run: RunFolder, use: Any, tmp_path: Path) -> None:
    writes = 'while [ "$1" != --result ]; do shift; done; echo null > "$2"'
    use(program(tmp_path / "python", writes))
    assert run_in_python(MINE, "select", run=run) == [Outcome(None)]


def test_the_command_line_writes_the_result_where_it_is_told(run: RunFolder, use: Any, tmp_path: Path) -> None:
    manifest = "file:///lake/stage.json"
    line = json.dumps({"run": run.uri, "manifest": manifest, "items": ["a"], "adopted": True})
    writes = f'while [ "$1" != --result ]; do shift; done; echo noise; echo \'{line}\' > "$2"'
    use(program(tmp_path / "python", writes))
    (outcome,) = run_in_python(MINE, "validate", run=run)
    assert outcome.result is not None
    result = outcome.result
    assert (result.manifest, result.items, result.adopted) == (manifest, ["a"], True)


def test_every_item_of_a_batch_is_told_by_the_other_process(run: RunFolder, other_python: Path, use: Any) -> None:
    """``train`` lacks its input, so that each item fails; what each outcome says is what it would say here."""
    use(other_python)
    told: list[Any] = []
    outcomes = run_in_python(
        MINE, "train", run=run, items=["s_lightgbm", "t_lightgbm"], progress=lambda *heard: told.append(heard)
    )
    assert [outcome.item for outcome in outcomes] == ["s_lightgbm", "t_lightgbm"]
    assert all(isinstance(outcome.error, InputError) for outcome in outcomes)
    assert told == [("train", outcome.item, outcome) for outcome in outcomes]


def test_items_that_a_process_finished_before_it_was_killed_are_told(run: RunFolder, use: Any, tmp_path: Path) -> None:
    line = json.dumps({"run": run.uri, "manifest": "file:///lake/stage.json", "item": "a"})
    failure = Failure.of(InputError("bad luck"), stage="train", item="b").model_dump_json()
    writes = f"""while [ "$1" != --result ]; do shift; done; printf '%s\n%s\n{{"run' '{line}' '{failure}' > "$2"; kill -9 $$"""
    use(program(tmp_path / "python", writes))
    told: list[Any] = []
    with pytest.raises(StageKilledError):
        run_in_python(
            MINE, "train", run=run, items=["a", "b", "c"], progress=lambda _stage, _item, outcome: told.append(outcome)
        )
    assert [outcome.item for outcome in told] == ["a", "b"]
    assert told[0].result.manifest == "file:///lake/stage.json"
    assert told[1].error.message == "bad luck"


def test_a_process_that_leaves_out_an_item_is_not_believed(run: RunFolder, use: Any, tmp_path: Path) -> None:
    use(program(tmp_path / "python", 'while [ "$1" != --result ]; do shift; done; echo null > "$2"'))
    with pytest.raises(RuntimeError, match="status 0"):
        run_in_python(MINE, "train", run=run, items=["a", "b"])
