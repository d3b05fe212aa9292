"""The scripts of the containers, run for real."""

import importlib.util
import json
import os
import stat
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from cryptography.fernet import Fernet

from tests.unit.containers.conftest import REPOSITORY, write_variables

FOLDER = REPOSITORY / "docker"


def load(name: str):
    specification = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_variables_are_written_for_their_owner_alone_and_never_replaced(tmp_path):
    path = tmp_path / ".env"
    assert write_variables(path).returncode == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_text()
    assert write_variables(path).returncode != 0
    assert path.read_text() == before


def test_secrets_are_long_random_and_safe_in_addresses(tmp_path, variables):
    write_variables(tmp_path / "env")
    other = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines() if "=" in line)
    secrets = {name: value for name, value in variables.items() if name.endswith(("PASSWORD", "SECRET", "KEY"))}
    stated = {name: value for name, value in secrets.items() if name != "WECOM_KEY"}
    assert len(set(stated.values())) == len(stated) == 8
    for name, value in stated.items():
        assert value != other[name]
        assert len(value) >= (17 if name == "S3_KEY" else 40)
        assert set(value) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_="), name
    Fernet(variables["AIRFLOW_FERNET_KEY"])


@pytest.mark.parametrize(("tasks", "threads"), [("1", 3), ("2", 1), ("8", 1)])
def test_tasks_share_the_cores_of_their_container(tmp_path, tasks, threads):
    (tmp_path / "nproc").write_text("#!/bin/sh\necho 3\n")
    (tmp_path / "nproc").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "CAUSAL_PARALLEL_TASKS": tasks}
    command = [FOLDER / "entrypoint.sh", "sh", "-c", "echo $OMP_NUM_THREADS; exit 7"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (int(done.stdout), done.returncode) == (threads, 7)


STEPS = [
    "python create_bucket.py",
    "airflow db migrate",
    "airflow users create",
    "airflow pools import",
]


@pytest.mark.parametrize("failing", [None, 0, 1, 2, 3])
def test_init_makes_all_that_the_services_need_and_stops_at_the_first_failure(tmp_path, failing):
    log = tmp_path / "log"
    refused = STEPS[failing].split()[1] if failing is not None else "nothing"
    for program in ("python", "airflow"):
        script = f'#!/bin/sh\necho {program} "$@" >> {log}\ncase "$1" in *{refused}*) exit 1;; esac\n'
        (tmp_path / program).write_text(script)
        (tmp_path / program).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "AIRFLOW_ADMIN_PASSWORD": "secret"}
    done = subprocess.run([FOLDER / "init.sh"], env=environment, capture_output=True, check=False)
    ran = [line.replace(f"{FOLDER}/", "") for line in log.read_text().splitlines()]
    expected = STEPS if failing is None else STEPS[: failing + 1]
    assert len(ran) == len(expected)
    assert all(line.startswith(step) for line, step in zip(ran, expected, strict=True))
    assert bool(done.returncode) is (failing is not None)


class Health(BaseHTTPRequestHandler):
    """Answers as Airflow's API server does."""

    states: dict[str, str]

    def do_GET(self):
        content = json.dumps({name: {"status": state} for name, state in self.states.items()}).encode()
        self.send_response(200 if self.path == "/api/v2/monitor/health" else 404)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def healthcheck(monkeypatch):
    """The module, and the states that the API server reports."""
    states = dict.fromkeys(("metadatabase", "scheduler", "triggerer", "dag_processor"), "healthy")
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Health,), {"states": states})) as server:
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        module = load("healthcheck")
        monkeypatch.setattr(module, "API_SERVER", f"http://127.0.0.1:{server.server_address[1]}")
        yield module, states
        server.shutdown()


@pytest.mark.parametrize("service", ["api-server", "scheduler", "dag-processor", "triggerer"])
def test_a_service_is_healthy_while_its_own_heartbeat_is(healthcheck, service):
    module, states = healthcheck
    reported = module.REPORTED_AS[service]
    for other in states.keys() - {reported}:
        states[other] = "unhealthy"
    assert module.is_healthy(service)
    states[reported] = "unhealthy"
    assert not module.is_healthy(service)


def test_airflow_reports_the_services_under_the_names_that_the_check_looks_for():
    from airflow.api_fastapi.core_api.datamodels.monitor import HealthInfoResponse

    reported = set(load("healthcheck").REPORTED_AS.values())
    assert reported <= HealthInfoResponse.model_fields.keys()


def test_every_health_check_names_a_service_that_the_script_knows(airflow_services):
    known = load("healthcheck").REPORTED_AS.keys() | {"worker"}
    checks = {name: service["healthcheck"]["test"] for name, service in airflow_services.items() if name != "init"}
    assert {name: check[-1] for name, check in checks.items()} == {name: name.removeprefix("gpu-") for name in checks}
    assert {check[-1] for check in checks.values()} == known


def test_a_service_whose_api_server_is_gone_is_not_healthy():
    command = [sys.executable, FOLDER / "healthcheck.py", "scheduler"]
    environment = {"AIRFLOW_API_SERVER": "http://127.0.0.1:9", "PATH": os.environ["PATH"]}
    assert subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 1
