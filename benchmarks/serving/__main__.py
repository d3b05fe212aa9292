"""``python -m benchmarks.serving``: latency of decisions at a rate, beside a bare FastAPI server, and of the lookup."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import psutil
import typer

from benchmarks.document import circumstances, table, write_section
from benchmarks.environment import stage_environment
from benchmarks.processes import MeasurementError
from benchmarks.serving.load import Load, load_at_rate, load_without_pause
from benchmarks.serving.lookups import compare_lookups
from benchmarks.serving.workload import FEED, encoded, random_requests, stored_day, user_ids
from causal_tasks.dynamic.serving.manifest import publish
from causal_tasks.settings import Settings
from local_stack.ports import free_ports

PAGE = Path(__file__).resolve().parents[2] / "docs" / "serving.md"

_DAY = date(2026, 10, 30)
_BODIES = 5_000
_START_SECONDS = 120
_WARM_SECONDS = 3.0
_LIMIT_SECONDS = 8.0


def main(
    rate: Annotated[float, typer.Option(help="Requests a second.", min=1)] = 200,
    seconds: Annotated[float, typer.Option(help="Of each load.", min=2)] = 30,
    users: Annotated[int, typer.Option(help="In the lookup.", min=1000)] = 1_000_000,
    write: Annotated[bool, typer.Option(help="Write the tables into docs/serving.md.")] = False,
) -> None:
    """Measure a real server process under load, and print tables."""
    with TemporaryDirectory(prefix="benchmark-serving-") as name:
        settings = Settings(lake=f"file://{name}/lake")
        ids = user_ids(users)
        _say(f"publishing scores of {users:,} users")
        publish(stored_day(_DAY, ids, settings, seed=0), settings)
        requests = encoded(random_requests(_BODIES, ids, seed=1))
        rows = [
            *_reference_rows(requests, settings, rate=rate, seconds=seconds),
            *_server_rows(ids, requests, settings, rate=rate, seconds=seconds),
        ]
        _say("comparing lookups")
        lookups = compare_lookups(Path(name), ids)
    header = [
        f"{rate:g} requests/s, {seconds:g} s",
        "p50 ms",
        "p90 ms",
        "p99 ms",
        "max ms",
        "client p99 ms",
        "CPU ms each",
        "answers/s",
        "RSS MB",
    ]
    text = f"{circumstances('benchmarks.serving')}\n\n{table(header, rows)}\n\n{lookups}"
    print(text)
    if write:
        write_section(PAGE, "serving", text)


def _reference_rows(
    requests: Sequence[bytes], settings: Settings, *, rate: float, seconds: float
) -> Iterator[list[str]]:
    options = ["--log-level", "warning", "--no-access-log", "--timeout-keep-alive", "75"]
    command = ["-m", "uvicorn", "benchmarks.serving.reference:app", *options, "--port"]
    with _server(command, settings) as (port, process):
        yield _steady("FastAPI that decides nothing", port, process, requests, rate=rate, seconds=seconds)
        yield _limit("the same, as fast as it answers", port, process, requests)


def _server_rows(
    ids: Sequence[str], requests: Sequence[bytes], settings: Settings, *, rate: float, seconds: float
) -> Iterator[list[str]]:
    command = ["-m", "causal_tasks", "serve", FEED.feed_id, "--poll", "1", "--port"]
    with _server(command, settings) as (port, process):
        yield _steady("`causal-tasks serve`", port, process, requests, rate=rate, seconds=seconds)
        following = stored_day(_DAY + timedelta(days=1), ids, settings, seed=1)
        swap = threading.Timer(seconds / 2, publish, [following, settings])
        swap.start()
        yield _steady("the same, a new day takes over midway", port, process, requests, rate=rate, seconds=seconds)
        swap.join()
        _require_day(port, following.date)
        yield _limit("the same, as fast as it answers", port, process, requests)


@contextmanager
def _server(command: Sequence[str], settings: Settings) -> Iterator[tuple[int, psutil.Process]]:
    """A server process that is healthy; it is asked to end, and must."""
    (port,) = free_ports(1)
    environment = stage_environment(settings, parallel=2)
    process = subprocess.Popen([sys.executable, *command, str(port)], env=environment)
    try:
        _await_health(port, process)
        yield port, psutil.Process(process.pid)
        process.send_signal(signal.SIGTERM)
        if process.wait(_START_SECONDS) not in {0, -signal.SIGTERM}:
            raise MeasurementError(f"{command} ended with {process.returncode}", remedy="read what it printed")
    finally:
        process.kill()
        process.wait()


def _await_health(port: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if _health(port)[0] == 200:
                return
        except ConnectionError:
            pass
        time.sleep(0.1)
    raise MeasurementError("the server does not start", remedy="read what it printed")


def _health(port: int) -> tuple[int, dict]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/health")
    answer = connection.getresponse()
    content = json.loads(answer.read())
    connection.close()
    return answer.status, content


def _require_day(port: int, day: date) -> None:
    """The load went on while another day took over, or the row would say something else."""
    if (found := _health(port)[1]["date"]) != str(day):
        raise MeasurementError(f"{found} serves, not {day}", remedy="measure for longer")


def _steady(
    name: str, port: int, process: psutil.Process, requests: Sequence[bytes], *, rate: float, seconds: float
) -> list[str]:
    load_at_rate(port, requests, rate=rate, seconds=_WARM_SECONDS)
    _say(f"{name}: {rate:g} requests a second for {seconds:g} s")
    return _row(name, lambda: load_at_rate(port, requests, rate=rate, seconds=seconds), process)


def _limit(name: str, port: int, process: psutil.Process, requests: Sequence[bytes]) -> list[str]:
    _say(f"{name}: for {_LIMIT_SECONDS:g} s")
    return _row(name, lambda: load_without_pause(port, requests, seconds=_LIMIT_SECONDS), process)


def _row(name: str, put_load: Callable[[], Load], process: psutil.Process) -> list[str]:
    before = process.cpu_times()
    load = put_load()
    after = process.cpu_times()
    if load.failures:
        raise MeasurementError(
            f"{name}: {load.failures} answers were no decision", remedy="read what the server printed"
        )
    latencies = [f"{load.quantile(share):.2f}" for share in (0.5, 0.9, 0.99, 1)]
    lag = f"{np.quantile(load.lag, 0.99) * 1e3:.2f}"
    rate = f"{len(load.latency) / load.seconds:.0f}"
    cpu = (after.user + after.system - before.user - before.system) / len(load.latency)
    return [name, *latencies, lag, f"{cpu * 1e3:.2f}", rate, f"{process.memory_info().rss / 1e6:.0f}"]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    typer.run(main)
