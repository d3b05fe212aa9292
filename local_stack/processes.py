"""Servers that are started in sessions of their own, remembered on disk, and stopped without leaving anything.

Every server has a record, ``processes/<name>.json``: whoever finds it, the supervisor or a later command, can stop the
server. The record holds the start time beside the process id, so a recycled id is never signalled.
"""

import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from causal_tasks.errors import ConfigurationError

GRACE_SECONDS = 30
FOUNDATIONS, SERVICES = 0, 1
"""Layers: services are stopped before the foundations that they use."""


@dataclass(frozen=True, slots=True)
class Record:
    """A server that was started.

    Attributes:
        name: Of the server, and of its log.
        pid: Of its first process, which leads its session.
        started: When that process was created, in clock ticks since boot: no change of the clock moves it.
        layer: Higher layers stop first.
        stop_signal: Asks it to stop in good order.
        grace: Seconds after which it is killed.
        leftovers: Files that it does not remove when it stops.
    """

    name: str
    pid: int
    started: int
    layer: int
    stop_signal: int
    grace: int
    leftovers: tuple[str, ...] = ()


class Processes:
    """The servers of one state folder.

    Attributes:
        logs: Folder with ``<name>.log`` of every server.
    """

    def __init__(self, root: Path) -> None:
        self.logs = root / "logs"
        self._records = root / "processes"
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def start(
        self,
        name: str,
        command: Sequence[str | os.PathLike[str]],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        layer: int = FOUNDATIONS,
        stop_signal: signal.Signals = signal.SIGTERM,
        grace: int = GRACE_SECONDS,
        leftovers: Sequence[str] = (),
    ) -> None:
        """Start a server; its output is appended to its log."""
        self.logs.mkdir(parents=True, exist_ok=True)
        self._records.mkdir(exist_ok=True)
        with (self.logs / f"{name}.log").open("ab") as log:
            child = subprocess.Popen(
                [os.fspath(part) for part in command],
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        record = Record(name, child.pid, start_ticks(child.pid), layer, stop_signal.value, grace, tuple(leftovers))
        path = self._records / f"{name}.json"
        path.with_suffix(".new").write_text(json.dumps(asdict(record)))
        path.with_suffix(".new").replace(path)
        self._children[name] = child

    def run(
        self, name: str, command: Sequence[str | os.PathLike[str]], *, env: Mapping[str, str], cwd: Path | None = None
    ) -> None:
        """Run a command to its end.

        Raises:
            ConfigurationError: It failed; the message ends with its last lines.
        """
        self.start(name, command, env=env, cwd=cwd)
        code = self._children[name].wait()
        self._forget(name)
        if code != 0:
            raise ConfigurationError(f"{name} ended with status {code}: {self.tail(name)}", remedy=self._see(name))

    def wait_until(self, name: str, ready: Callable[[], bool], *, seconds: float) -> None:
        """Wait until a server is ready.

        Raises:
            ConfigurationError: It ended, or was not ready in time.
        """
        deadline = time.monotonic() + seconds
        while True:
            # Asked before and after: a stranger on the same port must not answer for a server that has died.
            self.require_alive(name)
            if ready():
                self.require_alive(name)
                return
            if time.monotonic() > deadline:
                raise ConfigurationError(
                    f"{name} was not ready after {seconds:.0f} s: {self.tail(name)}", remedy=self._see(name)
                )
            time.sleep(0.1)

    def require_alive(self, name: str) -> None:
        """Make sure that a server still runs.

        Raises:
            ConfigurationError: It has ended.
        """
        code = self._children[name].poll()
        if code is not None:
            raise ConfigurationError(f"{name} ended with status {code}: {self.tail(name)}", remedy=self._see(name))

    def require_all_alive(self) -> None:
        """Make sure that every server still runs.

        Raises:
            ConfigurationError: One of them has ended.
        """
        for name in self._children:
            self.require_alive(name)

    def living(self) -> list[psutil.Process]:
        """Every living process of the recorded servers, whoever started them."""
        return [process for record in self._recorded() for process in _session(record)]

    def tail(self, name: str, lines: int = 15) -> str:
        """The last lines of a server's log."""
        return "\n".join((self.logs / f"{name}.log").read_text(errors="replace").splitlines()[-lines:])

    def stop_all(self) -> None:
        """Stop every recorded server, whoever started it, upper layers first; kill what does not end in time."""
        if not self._records.is_dir():
            return
        with _exclusively(self._records / "stopping"):
            records = self._recorded()
            for layer in sorted({record.layer for record in records}, reverse=True):
                self._stop([record for record in records if record.layer == layer])
        for child in self._children.values():
            child.wait()
        self._children.clear()

    def _stop(self, records: Sequence[Record]) -> None:
        members = {record.name: _session(record) for record in records}
        leaders = {record: [p for p in members[record.name] if p.pid == record.pid] for record in records}
        for record in records:
            for leader in leaders[record]:
                _signal(leader, record.stop_signal)
        begun = time.monotonic()
        for record in records:
            _wait(leaders[record], record.grace - (time.monotonic() - begun))
        # A killed server may have started more since, and one that ended well may have left workers behind.
        remaining = {p for record in records for p in (*members[record.name], *_session(record)) if _runs(p)}
        for process in remaining:
            _signal(process, signal.SIGKILL)
        _wait(remaining, GRACE_SECONDS)
        for record in records:
            for path in record.leftovers:
                Path(path).unlink(missing_ok=True)
            self._forget(record.name)

    def _forget(self, name: str) -> None:
        (self._records / f"{name}.json").unlink(missing_ok=True)
        child = self._children.pop(name, None)
        if child:
            child.wait()

    def _recorded(self) -> list[Record]:
        records = [json.loads(path.read_text()) for path in sorted(self._records.glob("*.json"))]
        return [Record(**fields | {"leftovers": tuple(fields["leftovers"])}) for fields in records]

    def _see(self, name: str) -> str:
        return f"read {self.logs / f'{name}.log'}"


def start_ticks(pid: int) -> int:
    """When a process was created, in clock ticks since boot.

    Raises:
        FileNotFoundError: There is no such process.
    """
    fields_after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields_after_name[19])


def _session(record: Record) -> list[psutil.Process]:
    """The living processes of a server: those in the session that its first process opened, and their descendants.

    Linux gives no process an id that a living session still bears, so a session without its first process is ours
    unless another process with that id has been seen to lead it.
    """
    members: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            if process.pid == record.pid and start_ticks(process.pid) != record.started:
                return []
            if os.getsid(process.pid) == record.pid and start_ticks(process.pid) >= record.started:
                members += [process, *process.children(recursive=True)]
        except (psutil.NoSuchProcess, ProcessLookupError, FileNotFoundError):
            continue
    return [process for process in dict.fromkeys(members) if _runs(process)]


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _signal(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def _wait(processes: Iterable[psutil.Process], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while any(_runs(process) for process in processes) and time.monotonic() < deadline:
        time.sleep(0.05)


@contextmanager
def _exclusively(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
