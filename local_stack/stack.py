"""The whole stack: PostgreSQL, S3, the group robot and Airflow, and what one needs to talk to them."""

import json
import os
import secrets
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from causal_tasks.errors import ConfigurationError
from causal_tasks.settings import Settings
from local_stack.airflow_api import AirflowApi
from local_stack.airflow_services import USER, Folders, Robot, airflow_environment, prepare_airflow, start_airflow
from local_stack.database import start_database
from local_stack.object_store import ObjectStore, start_object_store
from local_stack.ports import free_ports, require_free
from local_stack.processes import Processes
from local_stack.supervision import is_supervised, supervised

REPOSITORY = Path(__file__).resolve().parent.parent
STATE = REPOSITORY / ".local"


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack that is up.

    Attributes:
        address: Of the Airflow UI.
        user: Who may do everything there.
        password: Of ``user``.
        store: The S3 server.
        robot: The stand-in for the group robot.
        env: Variables of the Airflow processes.
    """

    address: str
    user: str
    password: str
    store: ObjectStore
    robot: Robot
    env: Mapping[str, str]

    @property
    def settings(self) -> Settings:
        """Settings whose lake is the stack's."""
        return self.store.settings

    def airflow(self) -> AirflowApi:
        """A client that is logged in to its Airflow."""
        return AirflowApi(self.address, self.user, self.password)

    def messages(self) -> list[dict[str, Any]]:
        """What the group robot has got, oldest first."""
        return [json.loads(path.read_text()) for path in sorted(self.robot.inbox.glob("*.json"))]

    def save(self, root: Path) -> None:
        """Write the state file, for other processes of the same user only."""
        path = root / "stack.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(self), default=str, indent=1))

    @classmethod
    def load(cls, root: Path = STATE) -> Self:
        """The stack that is up in a state folder.

        Raises:
            ConfigurationError: None is.
        """
        path = root / "stack.json"
        if not is_supervised(root) or not path.exists():
            raise ConfigurationError(f"no stack is up in {root}", remedy="python -m local_stack up")
        fields = json.loads(path.read_text())
        robot = fields["robot"]
        return cls(
            **fields
            | {
                "store": ObjectStore(**fields["store"]),
                "robot": Robot(robot["address"], robot["key"], Path(robot["inbox"])),
            }
        )


@contextmanager
def running_stack(
    root: Path = STATE,
    *,
    dags: Path = REPOSITORY / "dags",
    plugins: Path = REPOSITORY / "plugins",
    pools: Path = REPOSITORY / "docker" / "pools.json",
    port: int | None = None,
    fresh: bool = False,
) -> Iterator[Stack]:
    """A stack that is up while the block lasts, on what the state folder holds or on nothing.

    Args:
        root: State folder: data, logs and records of processes.
        dags: Folder of DAG files.
        plugins: Folder of Airflow plugins.
        pools: JSON file of pools, as ``airflow pools export`` writes it; those of pool ``cpu`` share the cores.
        port: Of the Airflow UI; None: any free one.
        fresh: Whether to begin with an empty lake, an empty database and an empty inbox.

    Raises:
        ConfigurationError: A stack is up there already, the port is taken, or a server did not start.
    """
    root = root.resolve()
    folders = Folders(root / "airflow", dags.resolve(), plugins.resolve(), REPOSITORY)
    pool_sizes = json.loads(pools.read_text())
    with supervised(root) as processes:
        if fresh:
            _remove_data(root)
        web_port = free_ports(1)[0] if port is None else require_free(port)
        store = start_object_store(processes, root / "object_store")
        database = start_database(processes, root / "database")
        robot = _start_robot(processes, root / "inbox")
        env = airflow_environment(
            folders, port=web_port, database=database, store=store, robot=robot, stages=pool_sizes["cpu"]["slots"]
        )
        stack = Stack(f"http://127.0.0.1:{web_port}", USER, secrets.token_urlsafe(12), store, robot, env)
        prepare_airflow(processes, folders, env, stack.password)
        airflow = stack.airflow()
        start_airflow(processes, folders, env, airflow)
        airflow.import_pools(pool_sizes)
        stack.save(root)
        try:
            yield stack
        finally:
            (root / "stack.json").unlink(missing_ok=True)


def _remove_data(root: Path) -> None:
    for name in ("object_store", "database", "inbox", "airflow", "logs"):
        if (root / name).exists():
            shutil.rmtree(root / name)


def _start_robot(processes: Processes, inbox: Path) -> Robot:
    port = free_ports(1)[0]
    robot = Robot(f"http://127.0.0.1:{port}", secrets.token_hex(16), inbox)
    inbox.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "local_stack.wecom_robot", "--port", str(port), "--inbox", str(inbox)]
    processes.start("wecom_robot", [*command, "--key", robot.key], env=os.environ, cwd=REPOSITORY)
    processes.wait_until("wecom_robot", lambda: _listens(port), seconds=30)
    return robot


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError:
        return False
    return True
