"""Runs a command in a session of its own and measures it: wall and CPU seconds, and peak memory of its processes.

Peak memory is resident memory (RSS), shared libraries included: the larger of the greatest sum over the processes
alive at one moment, looked at every 50 ms, and the high-water mark that the kernel keeps for each single process. It
is exact for a command that runs in one process, as every stage does.
"""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from causal_tasks.errors import CausalTasksError

SAMPLE_SECONDS = 0.05

_KIB = 1024
_TAIL = 2_000


class MeasurementError(CausalTasksError):
    """A measured command failed, so there is nothing to report."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a command took.

    Attributes:
        seconds: Wall time from start to end.
        cpu_seconds: User and system time of its processes.
        peak_bytes: See the module.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int


class MeasuredProcess:
    """A command that runs.

    Args:
        command: Program and arguments.
        environment: All of its variables.

    Attributes:
        pid: Of its first process, which leads its session.
        output: What it wrote to its standard output; complete once it has ended.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.output = ""
        self._command = command
        self._folder = TemporaryDirectory(prefix="benchmark-output-")
        self._peak = 0
        self._began = time.perf_counter()
        # Files, because a pipe that nobody reads would stop it.
        with self._file("stdout").open("wb") as output, self._file("stderr").open("wb") as errors:
            self._process = subprocess.Popen(
                command,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )
        self.pid = self._process.pid

    def poll(self) -> Usage | None:
        """Look at it once; None while it runs.

        Raises:
            MeasurementError: It has failed.
        """
        self._peak = max(self._peak, _memory(self.pid))
        pid, status, used = os.wait4(self.pid, os.WNOHANG)
        if not pid:
            return None
        seconds = time.perf_counter() - self._began
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self.output = self._file("stdout").read_text()
        if self._process.returncode:
            errors = self._file("stderr").read_text(errors="replace")
            raise MeasurementError(
                f"{' '.join(self._command)} ended with status {self._process.returncode}: {errors[-_TAIL:].strip()}",
                remedy="mend the cause, then measure again",
            )
        return Usage(seconds, used.ru_utime + used.ru_stime, self._peak)

    def close(self) -> None:
        """Kill it, and all that it started, where it still runs; remove its files."""
        if self._process.returncode is None:
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()
        self._folder.cleanup()

    def _file(self, stream: str) -> Path:
        return Path(self._folder.name, stream)


def measure(command: Sequence[str], environment: Mapping[str, str]) -> tuple[Usage, str]:
    """Run a command to its end; returns what it took and what it wrote to its standard output.

    Raises:
        MeasurementError: It failed.
    """
    process = MeasuredProcess(command, environment)
    try:
        while (usage := process.poll()) is None:
            time.sleep(SAMPLE_SECONDS)
        return usage, process.output
    finally:
        process.close()


def _memory(pid: int) -> int:
    """Bytes of a process and its descendants, or the most that one of them has ever held; 0 where it has ended."""
    try:
        process = psutil.Process(pid)
        marks = [_resident(member.pid) for member in (process, *process.children(recursive=True))]
    except psutil.NoSuchProcess:
        return 0
    return max(sum(now for now, _ in marks), *(highest for _, highest in marks))


def _resident(pid: int) -> tuple[int, int]:
    """Resident bytes of one process, now and at most; zeros where it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0, 0
    sizes = {
        name: int(value.split()[0]) * _KIB
        for name, _, value in (line.partition(":") for line in lines)
        if name in {"VmRSS", "VmHWM"}
    }
    return sizes.get("VmRSS", 0), sizes.get("VmHWM", 0)
