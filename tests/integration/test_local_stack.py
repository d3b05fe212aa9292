"""The real stack, as every test that needs Airflow gets it."""

import os
import stat
import subprocess
import sys
import time

import pytest
import requests

from causal_tasks.errors import ConfigurationError
from causal_tasks.storage import Storage
from local_stack.airflow_api import FINISHED_RUN, AirflowApi
from local_stack.stack import REPOSITORY, Stack

pytestmark = pytest.mark.stack

PROBE, FAILURE = "local_stack_probe", "local_stack_failure"


@pytest.fixture(scope="module")
def airflow(stack) -> AirflowApi:
    api = stack.airflow()
    wait_until(lambda: {PROBE, FAILURE} <= api.dags().keys())
    return api


def wait_until(condition, seconds=90):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.3)


@pytest.fixture(scope="module")
def probe(airflow):
    """Id of a finished run of a DAG with a mapped task."""
    run = airflow.trigger(PROBE, run_id="probe.r1")
    wait_until(lambda: airflow.run_state(PROBE, run) in FINISHED_RUN)
    return run


def test_every_component_is_healthy_and_every_dag_file_can_be_parsed(airflow):
    assert airflow.unhealthy() == []
    assert airflow.import_errors() == {}


def test_a_run_passes_through_scheduler_pool_and_mapped_tasks(airflow, probe):
    assert airflow.run_state(PROBE, probe) == "success"
    assert airflow.task_states(PROBE, probe) == {"variables": "success", "echo[0]": "success", "echo[1]": "success"}


def test_tasks_know_the_lake_and_threads_that_wait_do_not_spin(airflow, probe):
    assert airflow.xcom(PROBE, probe, "variables") == ["CAUSAL_LAKE=s3://lake", "OMP_WAIT_POLICY=PASSIVE"]


def test_logs_are_kept_in_the_object_store_and_read_back(airflow, probe, stack):
    storage, folder = Storage(stack.settings), f"s3://lake/airflow-logs/dag_id={PROBE}"
    wait_until(lambda: len(storage.list_files(folder, suffix=".log")) == 3)  # a worker uploads after it has reported
    assert any("the probe speaks" in line for line in airflow.log(PROBE, probe, "variables"))


def test_a_run_id_is_taken_once(airflow, probe):
    with pytest.raises(ConfigurationError, match="409"):
        airflow.trigger(PROBE, run_id=probe)


def test_cleared_tasks_run_again(airflow, probe):
    airflow.clear(PROBE, probe, ["variables"], downstream=False)
    tries = {task["task_id"]: task["try_number"] for task in airflow.tasks(PROBE, probe)}
    wait_until(lambda: airflow.run_state(PROBE, probe) == "success")
    again = {task["task_id"]: task["try_number"] for task in airflow.tasks(PROBE, probe)}
    assert again == tries | {"variables": 2}


def test_the_log_of_a_failed_task_tells_the_error(airflow):
    run = airflow.trigger(FAILURE)
    wait_until(lambda: airflow.run_state(FAILURE, run) in FINISHED_RUN)
    assert airflow.task_states(FAILURE, run) == {"fail": "failed"}
    wait_until(lambda: any("ValueError: planted failure" in line for line in airflow.log(FAILURE, run, "fail")))


def test_the_pools_of_the_repository_exist(airflow):
    pools = {pool["name"]: pool["slots"] for pool in airflow.request("GET", "/pools")["pools"]}
    assert {"cpu", "gpu", "wecom"} <= pools.keys()
    assert pools["wecom"] == 1


def test_nobody_gets_in_without_the_password(stack):
    assert requests.get(f"{stack.address}/api/v2/dags", timeout=30).status_code == 401
    with pytest.raises(requests.HTTPError):
        AirflowApi(stack.address, stack.user, "guessed").token()


def test_another_process_finds_the_stack_in_a_file_that_only_the_user_reads(stack):
    root = stack.robot.inbox.parent
    assert Stack.load(root) == stack
    assert stat.S_IMODE((root / "stack.json").stat().st_mode) == 0o600
    status = subprocess.run(
        [sys.executable, "-m", "local_stack", "status", "--root", str(root)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert stack.address in status.stdout
    assert "all of Airflow is healthy" in status.stdout


def test_the_settings_of_the_callers_shell_do_not_reach_airflow(stack):
    assert {"AIRFLOW_HOME", "AIRFLOW__CORE__EXECUTOR", "CAUSAL_LAKE"} <= stack.env.keys()
    assert "CAUSAL_TEST_DATA" not in stack.env
    assert stack.env["AIRFLOW_HOME"] != os.environ.get("AIRFLOW_HOME")


def test_the_robot_takes_messages_with_its_key_only(stack):
    address = f"{stack.robot.address}/cgi-bin/webhook/send"
    before = len(stack.messages())
    message = {"msgtype": "text", "text": {"content": "a greeting of the tests"}}
    assert requests.post(address, params={"key": "wrong"}, json=message, timeout=10).json()["errcode"] == 93000
    assert requests.post(address, params={"key": stack.robot.key}, json=message, timeout=10).json()["errcode"] == 0
    assert stack.messages()[before:] == [message]
