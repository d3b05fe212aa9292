"""The locks of the images: complete, consistent with each other, and free of what does not belong there."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.unit.containers.conftest import REPOSITORY

FOLDER = REPOSITORY / "requirements"
IMAGES = ("docker", "gpu")
INSTALLED = packages_distributions()
GPU_ONLY = {"cudf": "cudf-cu13", "dask_cuda": "dask-cuda", "dask_cudf": "dask-cudf-cu13"}


def locked(name: str) -> dict[str, str]:
    """Versions by package."""
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", (FOLDER / f"{name}.txt").read_text(), re.MULTILINE))


def imported(folder: Path) -> set[str]:
    """Top-level names of the packages that the modules of a folder import, wherever in a module."""

    def names(tree: ast.AST) -> Iterator[str]:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield str(node.module)

    modules = [ast.parse(path.read_text()) for path in folder.rglob("*.py")]
    own = {"causal_tasks", "causal_airflow"}
    return {name.split(".")[0] for tree in modules for name in names(tree)} - own - set(sys.stdlib_module_names)


def provided(module: str, lock: dict[str, str]) -> bool:
    packages = [GPU_ONLY[module]] if module in GPU_ONLY else INSTALLED[module]
    return any(re.sub(r"[-_.]+", "-", package).lower() in lock for package in packages)


@pytest.mark.parametrize("image", IMAGES)
def test_every_requirement_has_a_version_and_hashes_and_none_names_an_index(image):
    text = (FOLDER / f"{image}.txt").read_text()
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links", text)
    blocks = re.split(r"\n(?=[a-z0-9])", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).strip())
    assert len(blocks) == len(locked(image)) > 80
    assert [block for block in blocks if "--hash=sha256:" not in block] == []


def test_the_gpu_environment_holds_no_preview_of_a_package():
    assert [name for name, version in locked("gpu").items() if Version(version).is_prerelease] == []


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_has_the_versions_that_the_tests_run_with(image):
    tested, inside = locked("cpu"), locked(image)
    assert {name: version for name, version in inside.items() if tested.get(name, version) != version} == {}


def test_airflow_can_import_all_that_stages_plugins_and_dags_import():
    # torch has a file of its own, because its builds for processors and for GPUs are called the same.
    lock = locked("docker") | locked("torch")
    wanted = set.union(*(imported(REPOSITORY / folder) for folder in ("causal_tasks", "plugins", "dags", "docker")))
    assert {"airflow", "lightgbm", "requests", "xgboost"} <= wanted - GPU_ONLY.keys()
    missing = {module for module in wanted - GPU_ONLY.keys() if module != "celery" and not provided(module, lock)}
    assert missing == set()
    assert "celery" in lock


def test_the_gpu_environment_can_import_all_that_stages_import():
    lock = locked("gpu") | {"xgboost-cpu": "stands for xgboost, which the tests do not have"}
    missing = {module for module in imported(REPOSITORY / "causal_tasks") if not provided(module, lock)}
    assert missing == {"fastapi", "starlette", "uvicorn"}, "which no stage imports, but the server of decisions"


def test_the_airflow_image_brings_nothing_for_hardware_that_it_cannot_use():
    found = [name for name in locked("docker") if name.startswith(("nvidia-", "cuda-", "cupy", "cudf", "triton"))]
    assert found == []


def test_the_gpu_environment_keeps_the_pins_of_rapids_and_has_no_airflow():
    lock = locked("gpu")
    assert lock["dask"] == lock["distributed"] == "2026.7.1"
    assert lock["pandas"].startswith("3.0.")
    assert lock["xgboost"].startswith("3.4.")
    assert {lock[name][:5] for name in ("cudf-cu13", "dask-cudf-cu13", "dask-cuda")} == {"26.10"}
    assert [name for name in lock if name.startswith("apache-airflow")] == []


@pytest.mark.parametrize("image", IMAGES)
def test_one_xgboost_and_one_cuda_share_an_environment(image):
    lock = locked(image)
    assert len({"xgboost", "xgboost-cpu", "xgboost-cu12"} & lock.keys()) == 1
    assert [name for name in lock if name.endswith("-cu12")] == []


def test_the_resolver_is_told_what_the_installed_torch_needs():
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    (torch,) = settings["tool"]["uv"]["dependency-metadata"]
    stated = {str(Requirement(text)) for text in torch["requires-dist"]}
    needed = {text for text in map(Requirement, requires("torch") or []) if text.marker is None}
    assert {Requirement(text).name for text in stated} == {requirement.name for requirement in needed}
    assert f"torch=={torch['version']}" in (FOLDER / "torch.txt").read_text().split()
