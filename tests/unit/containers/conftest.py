"""The compose file as Docker Compose itself reads it, with variables as ``make up`` writes them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[3]
COMPOSE_FILE = REPOSITORY / "docker-compose.yml"
BINARIES = Path(sys.executable).parent

Render = Callable[..., subprocess.CompletedProcess[str]]


def write_variables(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([REPOSITORY / "docker/make-env.sh", path], capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def variables(tmp_path_factory) -> dict[str, str]:
    """The variables of a file that ``make-env.sh`` has written."""
    path = tmp_path_factory.mktemp("containers") / "env"
    assert write_variables(path).returncode == 0
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


@pytest.fixture(scope="session")
def render() -> Render:
    """``render(variables, *profiles)``: what the real Compose makes of the file."""

    def run(variables: Mapping[str, str], *profiles: str) -> subprocess.CompletedProcess[str]:
        command = [BINARIES / "docker-compose", "-f", COMPOSE_FILE, "--env-file", os.devnull]
        return subprocess.run(
            [*command, "config", "--format", "json"],
            env={"PATH": os.environ["PATH"], **variables, "COMPOSE_PROFILES": ",".join(profiles)},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def services(render: Render, variables: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Every service, those of all profiles included."""
    rendered = render(variables, "*")
    assert rendered.returncode == 0, rendered.stderr
    found: dict[str, dict[str, Any]] = json.loads(rendered.stdout)["services"]
    return found


@pytest.fixture(scope="session")
def airflow_services(services: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The services that are built here and are part of Airflow."""
    return {name: service for name, service in services.items() if "build" in service and name != "serve"}
