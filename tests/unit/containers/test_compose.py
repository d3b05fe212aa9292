"""docker-compose.yml: what starts, with which variables, and what it refuses to start without."""

import json
import re
import subprocess

import pytest
from causal_airflow.settings import Orchestration
from causal_airflow.wecom.hook import WeComRobotHook
from pydantic_settings import BaseSettings

from causal_tasks.settings import Settings
from tests.unit.containers.conftest import BINARIES, COMPOSE_FILE, REPOSITORY

POOLS = json.loads((REPOSITORY / "docker/pools.json").read_text())
SECRET = re.compile(r"\$\{(\w*(?:PASSWORD|SECRET|KEY)\w*)([^}]*)\}")
REQUIRED = sorted(set(re.findall(r"\$\{(\w+):?\?", COMPOSE_FILE.read_text())))


def test_the_file_follows_the_compose_specification():
    command = [BINARIES / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE_FILE]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_no_secret_has_a_default():
    secrets = dict.fromkeys(name for name, _ in SECRET.findall(COMPOSE_FILE.read_text()))
    assert len(secrets) >= 8
    defaults = [name for name, rest in SECRET.findall(COMPOSE_FILE.read_text()) if rest.lstrip(":").startswith("-")]
    assert defaults == []
    assert set(secrets) == set(REQUIRED)


@pytest.mark.parametrize("name", REQUIRED)
def test_it_refuses_to_start_without_a_secret_and_says_what_makes_it(render, variables, name):
    refused = render({key: value for key, value in variables.items() if key != name}, "minio")
    assert refused.returncode != 0
    assert name in refused.stderr
    assert "make up" in refused.stderr


@pytest.mark.parametrize("store", ["minio", "seaweedfs"])
def test_a_profile_chooses_one_object_store_that_all_find_under_the_same_address(render, variables, store):
    started = json.loads(render(variables, store).stdout)["services"]
    assert {"minio", "seaweedfs", "gpu-worker"} & set(started) == {store}
    (port,) = started[store]["ports"]
    assert port["host_ip"] == "127.0.0.1"
    assert started[store]["networks"]["default"]["aliases"] == ["object-store"]
    environment = started["worker"]["environment"]
    assert environment["CAUSAL_S3_ENDPOINT"] == f"http://object-store:{port['target']}"
    assert environment["CAUSAL_S3_PUBLIC_ENDPOINT"] == f"http://localhost:{port['published']}"


def test_a_store_of_ones_own_replaces_both(render, variables):
    own = {"CAUSAL_S3_ENDPOINT": "https://s3.example.com", "CAUSAL_S3_PUBLIC_ENDPOINT": "https://s3.example.com"}
    started = json.loads(render(variables | own).stdout)["services"]
    assert not {"minio", "seaweedfs"} & set(started)
    environment = started["worker"]["environment"]
    assert Settings.model_validate(stated(Settings, environment)).s3_endpoint == "https://s3.example.com"
    assert json.loads(environment["AIRFLOW_CONN_AWS_DEFAULT"])["extra"]["endpoint_url"] == "https://s3.example.com"


def stated(model: type[BaseSettings], environment: dict[str, str]) -> dict[str, str]:
    """The fields of a settings class that an environment sets."""
    return {
        name: environment[f"CAUSAL_{name.upper()}"]
        for name in model.model_fields
        if f"CAUSAL_{name.upper()}" in environment
    }


def test_every_variable_of_ours_is_a_setting_with_a_value_that_it_takes(airflow_services):
    known = {f"CAUSAL_{name.upper()}" for model in (Settings, Orchestration) for name in model.model_fields}
    for service in airflow_services.values():
        environment = service["environment"]
        assert {name for name in environment if name.startswith("CAUSAL_")} <= known
        for model in (Settings, Orchestration):
            model.model_validate(stated(model, environment))


def test_services_differ_only_where_a_worker_runs_stages(airflow_services):
    own = {
        "init": {"AIRFLOW_ADMIN_PASSWORD"},
        "gpu-worker": {"CAUSAL_RUNNER", "CAUSAL_RUNNER_PYTHON", "CAUSAL_PARALLEL_TASKS"},
    }
    common = airflow_services["scheduler"]["environment"]
    for name, service in airflow_services.items():
        different = {
            variable
            for variable in common.keys() | service["environment"].keys()
            if common.get(variable) != service["environment"].get(variable)
        }
        assert different == own.get(name, set()), name


def test_the_connections_that_the_plugins_name_by_default_are_there(airflow_services, variables):
    environment = airflow_services["worker"]["environment"]
    named = {Orchestration().aws_connection: "aws", WeComRobotHook.default_conn_name: "wecom"}
    found = {
        name: json.loads(value)
        for variable, value in environment.items()
        if (name := variable.lower().removeprefix("airflow_conn_")) != variable.lower()
    }
    assert {name: connection["conn_type"] for name, connection in found.items()} == named
    assert found["aws_default"]["login"] == variables["S3_KEY"]
    assert found["aws_default"]["password"] == variables["S3_SECRET"]
    assert environment["AIRFLOW__LOGGING__REMOTE_LOG_CONN_ID"] in found


def option(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]


def test_workers_take_both_queues_and_as_many_tasks_as_the_pools_have_slots(airflow_services):
    commands = {name: airflow_services[name]["command"] for name in ("worker", "gpu-worker")}
    assert {name: option(command, "--queues") for name, command in commands.items()} == {
        "worker": "default",
        "gpu-worker": "gpu",
    }
    light = POOLS["wecom"]["slots"] + 1  # and one task of pool default
    assert int(option(commands["worker"], "--concurrency")) == POOLS["cpu"]["slots"] + light
    assert int(option(commands["gpu-worker"], "--concurrency")) == POOLS["gpu"]["slots"]
    sharing = {name: airflow_services[name]["environment"]["CAUSAL_PARALLEL_TASKS"] for name in commands}
    assert sharing == {"worker": str(POOLS["cpu"]["slots"]), "gpu-worker": str(POOLS["gpu"]["slots"])}


def test_the_gpu_worker_has_a_gpu_and_runs_stages_in_the_environment_beside_airflow(airflow_services):
    worker = airflow_services["gpu-worker"]
    (device,) = worker["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]
    assert worker["build"]["additional_contexts"] == {"airflow": "service:worker"}
    dockerfile = (REPOSITORY / worker["build"]["dockerfile"]).read_text()
    folder = worker["environment"]["CAUSAL_RUNNER_PYTHON"].removesuffix("/bin/python")
    assert f"python3.12 -m venv {folder}\n" in dockerfile
    assert f"COPY --from=environment {folder} {folder}\n" in dockerfile


def test_nothing_starts_before_what_it_needs(airflow_services):
    def conditions(name: str) -> dict[str, str]:
        return {needed: how["condition"] for needed, how in airflow_services[name]["depends_on"].items()}

    stores = dict.fromkeys(("postgres", "redis", "minio", "seaweedfs"), "service_healthy")
    assert conditions("init") == stores
    assert conditions("api-server") == {"init": "service_completed_successfully"}
    for name in airflow_services.keys() - {"init", "api-server"}:
        assert conditions(name) == {"api-server": "service_healthy"}


def test_every_server_is_watched_and_none_is_open_to_the_network(services):
    assert [name for name, service in services.items() if "healthcheck" not in service] == ["init"]
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert {port["host_ip"] for port in published} == {"127.0.0.1"}


def test_the_server_of_decisions_reaches_the_lake_and_holds_no_secret_of_airflow(services):
    serve = services["serve"]
    assert serve["environment"].keys() == {
        name for name in services["worker"]["environment"] if name.startswith(("CAUSAL_LAKE", "CAUSAL_S3_"))
    }
    assert serve["image"] == services["worker"]["image"]
    assert {needed: how["condition"] for needed, how in serve["depends_on"].items()} == {
        "init": "service_completed_successfully"
    }
    (port,) = serve["ports"]
    assert f"--port={port['target']}" in serve["command"]
    assert f":{port['target']}/metrics" in serve["healthcheck"]["test"][-1]


def test_services_that_are_built_here_have_no_rights_of_root(services):
    for service in (service for service in services.values() if "build" in service):
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "user" not in service
