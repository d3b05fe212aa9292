"""Runs a benchmark's command so that it cleans up however it is ended."""

import signal
import sys
from collections.abc import Callable
from types import FrameType

import typer

from causal_tasks.errors import CausalTasksError


def run_command(command: Callable[..., None]) -> None:
    """Run a typer command; a known error prints its cause and remedy and exits with 1.

    A request to end (SIGTERM, SIGHUP) becomes an exception, so that processes and temporary files are removed.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        typer.run(command)
    except CausalTasksError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        raise SystemExit(1) from None


def _end(number: int, _: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit(128 + number)
