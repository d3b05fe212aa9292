"""The whole thread through the real scheduler: files and requests in, runs and messages out."""

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from causal_tasks.data.simulate import simulate_experiment
from causal_tasks.errors import ConfigurationError
from causal_tasks.experiment import Mining
from causal_tasks.pipelines import MINE
from causal_tasks.storage import Storage
from local_stack.airflow_api import FINISHED_RUN

pytestmark = pytest.mark.stack

WATCHER, BACKFILLER = "watch_experiments", "backfill_experiments"
USERS = 4_000
DEAD = "t_nobody"
MINING = Mining(candidates=("t_lightgbm", "s_lightgbm", DEAD), finalists=1, trials=30, placebos=0)
"""Two candidates that share a task and one that cannot be trained; trials enough to be killed among them."""


@pytest.fixture(scope="module")
def airflow(stack):
    api = stack.airflow()
    deadline = time.monotonic() + 90
    while {MINE.name, WATCHER, BACKFILLER} - api.dags().keys():
        assert not api.import_errors()
        assert time.monotonic() < deadline
        time.sleep(1)
    api.request("PATCH", f"/dags/{WATCHER}", json={"is_paused": True})
    return api


@pytest.fixture(scope="module")
def storage(stack):
    return Storage(stack.settings)


def await_end(airflow, dag_id, run_id, *, seconds=420):
    deadline = time.monotonic() + seconds
    while (state := airflow.run_state(dag_id, run_id)) not in FINISHED_RUN:
        assert time.monotonic() < deadline, airflow.task_states(dag_id, run_id)
        time.sleep(1)
    return state


def watch(airflow):
    """One round of the watcher, as its schedule would start it; returns when what it started exists."""
    airflow.request("PATCH", f"/dags/{WATCHER}", json={"is_paused": False})
    try:
        assert await_end(airflow, WATCHER, airflow.trigger(WATCHER)) == "success"
    finally:
        airflow.request("PATCH", f"/dags/{WATCHER}", json={"is_paused": True})


def write_experiment(stack, storage, experiment, **changes):
    statement = experiment.model_dump(mode="json", by_alias=True) | changes
    storage.write_json(f"{stack.settings.lake}/experiments/{statement['experiment_id']}.json", statement)


def result_of(stack, storage, run):
    experiment_id, _, revision = run.rpartition(".")
    result = storage.read_json(f"{stack.settings.lake}/runs/{experiment_id}/{revision}/result.json")
    del result["run"]
    return result


def texts(stack):
    return [json.dumps(message, ensure_ascii=False) for message in stack.messages() if message["msgtype"] != "image"]


@pytest.fixture(scope="module")
def music(stack, storage, airflow):
    """A running experiment that turns finished, with a poisoned file beside it, and one round of the watcher."""
    experiment = simulate_experiment(
        stack.settings, experiment_id="music", users=USERS, status="running", mining=MINING
    )
    watch(airflow)
    assert "music.r1" not in airflow.runs(MINE.name)
    write_experiment(stack, storage, experiment, status="finished")
    storage.write_bytes(f"{stack.settings.lake}/experiments/broken.json", b'{"status": "finished", "control": ')
    watch(airflow)
    assert await_end(airflow, MINE.name, "music.r1") == "success"
    return experiment.model_copy(update={"status": "finished"})


def test_an_experiment_that_turns_finished_becomes_one_message(stack, airflow, music):
    about = [text for text in texts(stack) if "music.r1" in text]
    assert len(about) == 1
    assert "report.html" in about[0]
    assert airflow.task_states(MINE.name, "music.r1")["train[t_lightgbm, s_lightgbm]"] == "success"


def test_one_dead_candidate_leaves_the_run_green_and_the_report_says_which_and_why(stack, storage, airflow, music):
    assert airflow.task_states(MINE.name, "music.r1")[f"train[{DEAD}]"] == "failed"
    models = result_of(stack, storage, "music.r1")["models"]
    assert sorted(row["candidate"] for row in models["ranking"]) == ["s_lightgbm", "t_lightgbm"]
    assert f"'{DEAD}' is unknown" in models["failed"][DEAD]["message"]
    assert models["failed"][DEAD]["remedy"].startswith("use one of")


def test_a_poisoned_file_turns_one_run_red_tells_the_group_and_harms_nobody(stack, airflow, music):
    (poisoned,) = [run for run in airflow.runs(MINE.name) if run.startswith("broken.invalid-")]
    assert await_end(airflow, MINE.name, poisoned) == "failed"
    watch(airflow)
    assert [run for run in airflow.runs(MINE.name) if run.startswith("broken.")] == [poisoned]
    (message,) = [text for text in texts(stack) if "broken" in text]
    assert "JSON" in message


def test_two_simultaneous_triggers_make_one_run(airflow, music):
    def trigger(_):
        try:
            return airflow.trigger(MINE.name, run_id="music.r2", conf={"experiment": "music", "revision": 2})
        except ConfigurationError as error:
            return str(error)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(trigger, range(4)))
    assert sorted(answer == "music.r2" for answer in answers) == [False, False, False, True]
    assert all("409" in answer for answer in answers if answer != "music.r2")


def test_every_stage_killed_once_gives_the_same_result(stack, storage, airflow, music):
    """Each task of music.r2 is killed by SIGKILL on its first try, tuning among its trials; Airflow tries again."""
    if "music.r2" not in airflow.runs(MINE.name):
        airflow.trigger(MINE.name, run_id="music.r2", conf={"experiment": "music", "revision": 2})
    stages = {stage.name for stage in MINE.stages}
    killed: set[str] = set()
    deadline = time.monotonic() + 480
    while (state := airflow.run_state(MINE.name, "music.r2")) not in FINISHED_RUN:
        assert time.monotonic() < deadline
        for task in airflow.tasks(MINE.name, "music.r2"):
            name = task["task_id"]
            first_try = task["state"] == "running" and task["pid"] and task["try_number"] == 1
            if first_try and name in stages - killed and (name != "tune" or trials_of(stack, storage, "music/r2")):
                os.kill(task["pid"], signal.SIGKILL)
                killed.add(name)
        time.sleep(0.1)
    assert state == "success"
    assert killed == stages
    first, second = result_of(stack, storage, "music.r1"), result_of(stack, storage, "music.r2")
    assert second["experiment"].pop("revision") == 2
    assert first["experiment"].pop("revision") == 1
    assert second == first


def test_a_cleared_run_adopts_its_work_keeps_its_result_and_tells_nobody_again(stack, storage, airflow, music):
    before, told = result_of(stack, storage, "music.r1"), len(stack.messages())
    airflow.clear(MINE.name, "music.r1", ["prepare"])
    assert await_end(airflow, MINE.name, "music.r1") == "success"
    assert result_of(stack, storage, "music.r1") == before
    assert len(stack.messages()) == told
    assert any("adopted" in line for line in airflow.log(MINE.name, "music.r1", "mine", attempt=2))


def trials_of(stack, storage, run):
    """Finished trials of the run's finalists that no committed stage has taken in yet, once there are several."""
    files = [file.path for file in storage.list_files(f"{stack.settings.lake}/runs/{run}/stages/tune")]
    trials = [path for path in files if "/trials/" in path]
    return trials if len(trials) >= 2 and not any(path.endswith("/stage.json") for path in files) else []


WRONG = {
    "unknown_arm": ({"treatments": ["nobody"]}, "nobody"),
    "no_column": ({"metrics": [{"name": "joy", "role": "primary"}]}, "joy"),
    "no_table": ({"tables": {"metrics": "s3://lake/tables/absent"}}, "absent"),
    "no_bucket": ({"tables": {"features": "s3://no-such-bucket/features"}}, "no-such-bucket"),
    "not_finished": ({"status": "running"}, "running"),
}
OWN = {"tables": {"experiment_column": None}}
"""Lets an experiment of another id read the assignments of this one."""
NO_EXPERIMENT = ["../secrets", "a/b", "nobody"]


@pytest.fixture(scope="module")
def wrong_runs(stack, storage, airflow, music):
    """Run id by what is wrong, all started at once."""
    runs = {}
    for experiment_id, (changes, _) in WRONG.items():
        tables = OWN["tables"] | changes.get("tables", {})
        write_experiment(stack, storage, music, **changes | {"experiment_id": experiment_id, "tables": tables})
        runs[experiment_id] = airflow.trigger(
            MINE.name, run_id=f"{experiment_id}.r1", conf={"experiment": experiment_id}
        )
    write_experiment(stack, storage, music, experiment_id="all_dead", mining={"candidates": [DEAD, "x_nobody"]}, **OWN)
    runs["all_dead"] = airflow.trigger(MINE.name, run_id="all_dead.r1", conf={"experiment": "all_dead"})
    for name in NO_EXPERIMENT:
        runs[name] = airflow.trigger(MINE.name, conf={"experiment": name, "notify": False})
    return runs


@pytest.mark.parametrize("experiment_id", WRONG)
def test_wrong_input_turns_the_run_red_at_once_and_tells_the_group_why(stack, airflow, wrong_runs, experiment_id):
    run = wrong_runs[experiment_id]
    assert await_end(airflow, MINE.name, run) == "failed"
    tasks = {task["task_id"]: task for task in airflow.tasks(MINE.name, run)}
    assert (tasks["prepare"]["state"], tasks["prepare"]["try_number"]) == ("failed", 1)
    assert tasks["notify"]["state"] == "success"
    (message,) = [text for text in texts(stack) if experiment_id in text]
    assert WRONG[experiment_id][1] in message


@pytest.mark.parametrize("name", NO_EXPERIMENT)
def test_an_id_that_names_no_experiment_turns_the_run_red(airflow, wrong_runs, name):
    assert await_end(airflow, MINE.name, wrong_runs[name]) == "failed"


def test_where_every_candidate_dies_the_run_is_red_and_the_group_learns_why(stack, airflow, wrong_runs):
    assert await_end(airflow, MINE.name, wrong_runs["all_dead"]) == "failed"
    states = airflow.task_states(MINE.name, wrong_runs["all_dead"])
    assert (states["shortlist"], states["select"], states["report"]) == ("failed", "skipped", "upstream_failed")
    (message,) = [text for text in texts(stack) if "all_dead" in text]
    assert DEAD in message
    assert "x_nobody" in message


def test_a_parameter_of_the_wrong_type_is_refused_before_anything_runs(airflow):
    with pytest.raises(ConfigurationError, match="400"):
        airflow.trigger(MINE.name, conf={"experiment": "music", "revision": "two"})


def test_a_backfill_over_three_experiments_twice_makes_three_runs_and_three_messages(stack, storage, airflow, music):
    ended = datetime(2026, 3, 10, 12, tzinfo=UTC)
    names = [f"small_{day}" for day in range(3)]
    for day, name in enumerate(names):
        simulate_experiment(
            stack.settings,
            experiment_id=name,
            users=300,
            status="running",
            started_at=datetime(2026, 2, 10).date() + timedelta(days=day),
        )
        statement = storage.read_json(f"{stack.settings.lake}/experiments/{name}.json")
        moved = {"status": "finished", "ended_at": (ended + timedelta(days=day)).isoformat()}
        storage.write_json(f"{stack.settings.lake}/experiments/{name}.json", statement | moved)
    for _ in range(2):
        backfill = airflow.backfill(BACKFILLER, ended - timedelta(days=1), ended + timedelta(days=3))
        await_backfill(airflow, backfill)
    runs = {run for run in airflow.runs(MINE.name) if run.startswith("small_")}
    assert runs == {f"{name}.r1" for name in names}
    assert {await_end(airflow, MINE.name, run) for run in runs} == {"success"}
    assert sorted(name for text in texts(stack) for name in names if name in text) == names


def await_backfill(airflow, backfill):
    deadline = time.monotonic() + 180
    while not airflow.request("GET", f"/backfills/{backfill}")["completed_at"]:
        assert time.monotonic() < deadline
        time.sleep(1)
