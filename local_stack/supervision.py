"""One supervisor for a state folder: whoever holds its lock. However it ends, its servers end with it."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import psutil

from causal_tasks.errors import ConfigurationError
from local_stack.processes import GRACE_SECONDS, Processes, start_ticks

_STOP_SECONDS = 4 * GRACE_SECONDS


@contextmanager
def supervised(root: Path) -> Iterator[Processes]:
    """Supervise a state folder: the servers started within end when the block does, or when this process dies.

    Raises:
        ConfigurationError: Another process supervises it.
    """
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("a+") as lock:
        _take(lock, root)
        processes = Processes(root)
        processes.stop_all()
        watchdog = _start_watchdog(root, lock)
        try:
            yield processes
        finally:
            processes.stop_all()
            watchdog.terminate()
            watchdog.wait()


def stop(root: Path) -> bool:
    """Stop everything that belongs to a state folder, whoever started it; returns whether it was supervised.

    Raises:
        ConfigurationError: The supervisor does not end.
    """
    if not root.is_dir():
        return False
    with (root / "lock").open("a+") as lock:
        was_supervised = not _try(lock)
        if was_supervised:
            _end_supervisor(lock, root)
        Processes(root).stop_all()
    return was_supervised


def is_supervised(root: Path) -> bool:
    """Whether a process supervises the state folder, or is ending its servers."""
    if not (root / "lock").exists():
        return False
    with (root / "lock").open("a+") as lock:
        return not _try(lock)


def _take(lock: IO[str], root: Path) -> None:
    if not _try(lock):
        raise ConfigurationError(
            f"the stack in {root} is already up",
            remedy="python -m local_stack status shows where; make stop ends it",
        )
    lock.seek(0)
    lock.truncate()
    json.dump({"pid": os.getpid(), "started": start_ticks(os.getpid())}, lock)
    lock.flush()


def _try(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _start_watchdog(root: Path, lock: IO[str]) -> subprocess.Popen[bytes]:
    repository = Path(__file__).resolve().parent.parent
    return subprocess.Popen(
        [sys.executable, "-m", "local_stack.watchdog", str(root.resolve()), str(os.getpid())],
        cwd=repository,
        pass_fds=[lock.fileno()],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )


def _end_supervisor(lock: IO[str], root: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        _signal_supervisor(lock, number)
        deadline = time.monotonic() + _STOP_SECONDS
        while time.monotonic() < deadline:
            if _try(lock):
                return
            time.sleep(0.1)
    raise ConfigurationError(f"the supervisor of {root} does not end", remedy=f"read {root / 'logs'}")


def _signal_supervisor(lock: IO[str], number: int) -> None:
    lock.seek(0)
    supervisor = json.loads(lock.read())
    with suppress(psutil.NoSuchProcess, FileNotFoundError):
        process = psutil.Process(supervisor["pid"])
        if start_ticks(process.pid) == supervisor["started"]:
            process.send_signal(number)
