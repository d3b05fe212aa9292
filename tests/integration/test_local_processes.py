"""Whatever ends the supervisor, its servers end, and nobody else's process is touched."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import sqlalchemy

from causal_tasks.errors import ConfigurationError
from causal_tasks.storage import Storage
from local_stack import ports
from local_stack.database import Database, start_database
from local_stack.object_store import start_object_store
from local_stack.ports import GRPC_OFFSET, free_ports, require_free
from local_stack.processes import Processes, start_ticks
from local_stack.stack import REPOSITORY
from local_stack.supervision import is_supervised, stop, supervised

SUPERVISOR = """
import os, sys, time
from pathlib import Path
from local_stack.processes import SERVICES
from local_stack.supervision import supervised
with supervised(Path(sys.argv[1])) as processes:
    processes.start("store", ["sleep", "600"], env=os.environ)
    processes.start("service", ["bash", "-c", "sleep 600 & sleep 600"], env=os.environ, layer=SERVICES)
    print("ready", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def supervisor(tmp_path):
    """A supervisor in a process of its own, with two servers."""
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(tmp_path)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()
    stop(tmp_path)


def runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def survivors(processes: list[psutil.Process], *, within: float = 0) -> list[psutil.Process]:
    deadline = time.monotonic() + within
    while True:
        alive = [process for process in processes if runs(process)]
        if not alive or time.monotonic() >= deadline:
            return alive
        time.sleep(0.1)


def listening(processes: list[psutil.Process]) -> set[int]:
    return {c.laddr.port for p in processes for c in p.net_connections("tcp") if c.status == psutil.CONN_LISTEN}


def test_stopping_leaves_no_process_no_listening_port_and_no_socket_file(tmp_path):
    before = set(Path("/tmp").glob("seaweedfs-*.sock"))
    with supervised(tmp_path) as processes:
        start_object_store(processes, tmp_path / "object_store")
        start_database(processes, tmp_path / "database")
        servers = processes.living()
        served = listening(servers)
        assert len(served) >= 6
    assert survivors(servers) == []
    for port in served:
        require_free(port)
    assert set(Path("/tmp").glob("seaweedfs-*.sock")) <= before
    assert not is_supervised(tmp_path)


def test_servers_end_when_their_supervisor_is_killed(supervisor, tmp_path):
    servers = Processes(tmp_path).living()
    assert len(servers) >= 2
    supervisor.kill()
    assert survivors(servers, within=20) == []


def test_down_ends_what_a_killed_supervisor_and_its_killed_watchdog_left(supervisor, tmp_path):
    servers = Processes(tmp_path).living()
    (watchdog,) = [child for child in psutil.Process(supervisor.pid).children() if "watchdog" in str(child.cmdline())]
    watchdog.kill()
    supervisor.kill()
    supervisor.wait()
    assert len(survivors(servers)) == len(servers)
    stop(tmp_path)
    assert survivors(servers) == []


def test_down_from_another_process_ends_the_supervisor_too(supervisor, tmp_path):
    servers = Processes(tmp_path).living()
    assert stop(tmp_path)
    assert survivors(servers) == []
    assert supervisor.wait(timeout=5) != 0
    assert not stop(tmp_path)


def test_a_second_up_says_that_the_stack_is_already_up(supervisor, tmp_path):
    command = [sys.executable, "-m", "local_stack", "up", "--root", str(tmp_path)]
    second = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 1
    assert "already up" in second.stderr
    assert "make stop" in second.stderr
    assert survivors(Processes(tmp_path).living())


def test_data_survives_a_restart_even_after_a_kill(tmp_path):
    content = b"kept" * 100_000
    with supervised(tmp_path) as processes:
        Storage(start_object_store(processes, tmp_path / "object_store").settings).write_bytes("s3://lake/a", content)
        database = start_database(processes, tmp_path / "database")
        run_sql(database, "CREATE TABLE kept AS SELECT 42 AS answer")
        for server in processes.living():
            server.kill()
    with supervised(tmp_path) as processes:
        store = start_object_store(processes, tmp_path / "object_store")
        assert Storage(store.settings).read_bytes("s3://lake/a") == content
        database = start_database(processes, tmp_path / "database")
        assert run_sql(database, "SELECT answer FROM kept") == [(42,)]


def run_sql(database: Database, statement: str) -> list[tuple] | None:
    engine = sqlalchemy.create_engine(database.sqlalchemy_url)
    with engine.begin() as connection:
        answer = connection.execute(sqlalchemy.text(statement))
        rows = [tuple(row) for row in answer] if answer.returns_rows else None
    engine.dispose()
    return rows


def test_a_process_that_has_got_the_id_of_a_dead_server_is_never_signalled(tmp_path):
    processes = Processes(tmp_path)
    processes.start("server", ["sleep", "60"], env=os.environ)
    path = tmp_path / "processes" / "server.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"started": record["started"] - 1}))
    Processes(tmp_path).stop_all()
    assert start_ticks(record["pid"]) == record["started"]
    path.write_text(json.dumps(record))
    processes.stop_all()
    with pytest.raises(FileNotFoundError):
        start_ticks(record["pid"])


@pytest.mark.parametrize(
    ("script", "grace"),
    [
        ("sleep 60 & sleep 60 & wait", 30),
        ("trap '' TERM; sleep 60 & while true; do sleep 60; done", 1),
        ("set -m; sleep 60 & wait", 30),
    ],
    ids=["leaves workers behind", "ignores the signal", "gives workers their own group"],
)
def test_a_server_that_does_not_clean_up_is_killed_with_its_workers(tmp_path, script, grace):
    processes = Processes(tmp_path)
    processes.start("server", ["bash", "-c", script], env=os.environ, grace=grace)
    while len(processes.living()) < 2:
        time.sleep(0.02)
    servers = processes.living()
    processes.stop_all()
    assert survivors(servers) == []
    assert processes.living() == []


def test_a_stranger_who_answers_does_not_hide_that_the_server_has_died(tmp_path):
    processes = Processes(tmp_path)
    processes.start("server", ["bash", "-c", "echo address already in use; exit 3"], env=os.environ)
    while processes.living():
        time.sleep(0.02)
    with pytest.raises(ConfigurationError, match="status 3: address already in use"):
        processes.wait_until("server", lambda: True, seconds=5)
    processes.stop_all()


def test_a_server_that_never_gets_ready_is_reported_with_its_last_lines(tmp_path):
    processes = Processes(tmp_path)
    processes.start("server", ["bash", "-c", "echo waiting for nothing; sleep 60"], env=os.environ)
    with pytest.raises(ConfigurationError, match="not ready after 0 s: waiting for nothing"):
        processes.wait_until("server", lambda: False, seconds=0.3)
    processes.stop_all()


def test_a_taken_port_is_refused():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"port {port} is taken"):
            require_free(port)
    assert require_free(port) == port


def test_a_port_is_chosen_only_if_it_and_its_sibling_are_free(monkeypatch):
    lowest = free_ports(1)[0]
    monkeypatch.setattr(ports, "_LOWEST", lowest)
    monkeypatch.setattr(ports, "_HIGHEST", lowest + 3)
    with socket.create_server(("127.0.0.1", lowest + GRPC_OFFSET)):
        assert lowest not in free_ports(1)
        with pytest.raises(ConfigurationError, match="fewer than 3 free ports"):
            free_ports(3)
