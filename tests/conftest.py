"""Real servers and real data for the tests that need them: started once, ended whatever happens."""

import os
import shutil
from pathlib import Path

# Before any OpenMP library loads: threads that spin while they wait slow down fits that share cores up to 80 times.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import pytest

TEST_DAGS = Path(__file__).parent / "integration" / "dags"


@pytest.fixture(scope="session")
def object_store(tmp_path_factory):
    """Settings whose lake is the bucket of a real S3 server."""
    from local_stack.object_store import start_object_store
    from local_stack.supervision import supervised

    root = tmp_path_factory.mktemp("object_store")
    with supervised(root) as processes:
        yield start_object_store(processes, root / "data").settings


@pytest.fixture(scope="session")
def stack(tmp_path_factory):
    """A real PostgreSQL, S3 server, group robot and Airflow with the product's DAGs and those of the tests."""
    from local_stack.processes import Processes
    from local_stack.stack import REPOSITORY, running_stack

    root = tmp_path_factory.mktemp("stack")
    dags = root / "dags"
    shutil.copytree(REPOSITORY / "dags", dags, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(TEST_DAGS, dags, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    with running_stack(root, dags=dags) as running:
        yield running
        servers = Processes(root).living()
    assert [server for server in servers if server.is_running()] == [], "servers outlived their stack"


@pytest.fixture(scope="session")
def test_data():
    """Folder of the public data sets."""
    folder = os.environ.get("CAUSAL_TEST_DATA")
    if not folder:
        pytest.skip("CAUSAL_TEST_DATA is not set: docs/data.md names the public data sets")
    if not Path(folder).is_dir():
        pytest.fail(f"CAUSAL_TEST_DATA={folder} is no folder")
    return Path(folder)
