"""The images: what goes into them, and whether everything that is called in them is there."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.unit.containers.conftest import BINARIES, REPOSITORY

DOCKERFILES = sorted((REPOSITORY / "docker").glob("*.Dockerfile"))
SCRIPTS = sorted((REPOSITORY / "docker").glob("*.sh"))
COPY = re.compile(r"^COPY (?!--from)(.+) (\S+)$", re.MULTILINE)
HOME = "/opt/airflow"


def copied(dockerfile: Path) -> dict[str, str]:
    """Where each source file or folder of the build context lands."""
    found = {}
    for sources, target in COPY.findall(dockerfile.read_text()):
        for source in sources.split():
            found[source] = f"{target}{Path(source).name}" if target.endswith("/") else target
    return found


def test_the_linters_of_dockerfiles_and_shell_scripts_find_nothing():
    assert len(DOCKERFILES) == 2
    assert len(SCRIPTS) >= 4
    for command in ([BINARIES / "hadolint", *DOCKERFILES], [BINARIES / "shellcheck", *SCRIPTS]):
        checked = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.stem)
def test_an_image_runs_as_an_ordinary_user(dockerfile):
    *_, user = re.findall(r"^USER (\S+)$", dockerfile.read_text(), re.MULTILINE)
    assert int(user.split(":")[0]) > 0


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.stem)
def test_what_is_copied_exists_and_is_not_ignored(dockerfile):
    rules = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert rules[0] == "*"
    let_in = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    sources = copied(dockerfile)
    assert sources
    for source in sources:
        assert (REPOSITORY / source).exists(), source
        assert source.split("/", 1)[0] in let_in, source


def test_every_script_that_a_service_calls_is_in_its_image(airflow_services):
    (image,) = [path for path in DOCKERFILES if path.stem == "airflow"]
    inside = {target: REPOSITORY / source for source, target in copied(image).items()}
    (entrypoint,) = re.findall(r'^ENTRYPOINT \["(.+)"\]$', image.read_text(), re.MULTILINE)
    called = {entrypoint}
    for service in airflow_services.values():
        words = [*service["command"], *service.get("healthcheck", {}).get("test", [])]
        called |= {word for word in words if word.startswith("/")}
    init = (REPOSITORY / "docker/init.sh").read_text()
    called |= {f"{HOME}/docker/{name}" for name in re.findall(r'"\$folder/(.+?)"', init)}
    assert len(called) == 5
    for path in called:
        assert path in inside, path
        if path.endswith(".sh"):
            assert os.access(inside[path], os.X_OK), path


def test_airflow_finds_dags_and_plugins_where_they_are_copied_to():
    (image,) = [path for path in DOCKERFILES if path.stem == "airflow"]
    assert f"AIRFLOW_HOME={HOME}" in image.read_text()
    targets = copied(image)
    assert (targets["dags"], targets["plugins"]) == (f"{HOME}/dags", f"{HOME}/plugins")
    assert f"PYTHONPATH={targets['plugins']}" in image.read_text()


def test_the_gpu_image_builds_the_lightgbm_of_its_lock_and_nothing_else():
    dockerfile = (REPOSITORY / "docker/gpu.Dockerfile").read_text()
    (script,) = re.findall(r"sed -n '(.+?)' /tmp/gpu.txt", dockerfile)
    lock = REPOSITORY / "requirements/gpu.txt"
    first, *rest = subprocess.check_output(["sed", "-n", script, lock], text=True).splitlines()
    assert re.fullmatch(r"lightgbm==\S+ \\", first)
    assert rest
    assert all(line.strip().startswith("--hash=sha256:") for line in rest)
    assert not rest[-1].endswith("\\")


def test_lightgbm_is_built_with_the_cuda_that_the_lock_brings():
    dockerfile = (REPOSITORY / "docker/gpu.Dockerfile").read_text()
    (built,) = re.findall(r"nvidia/cuda:(\d+\.\d+)\.", dockerfile)
    (locked,) = re.findall(
        r"^cuda-toolkit==(\d+\.\d+)\.", (REPOSITORY / "requirements/gpu.txt").read_text(), re.MULTILINE
    )
    assert built == locked
