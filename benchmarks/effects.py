"""``python -m benchmarks.effects``: how long average effects take and how much memory, estimator by estimator."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.document import PAGE, circumstances, gigabytes, seconds, table, write_section
from benchmarks.estimators import ESTIMATORS
from benchmarks.interruption import run_command
from benchmarks.processes import measure


@dataclass(frozen=True, slots=True)
class Timing:
    """One answer of one estimator.

    Attributes:
        seconds: Wall time of the call, without imports and without making the data.
        cpu_seconds: Of the same span, all threads.
        peak_bytes: Of the whole process, imports and data included.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int


def time_estimators(users: int, *, repeats: int) -> dict[str, Timing]:
    """The best of some answers of every estimator, each in a process of its own, in turns.

    Args:
        users: In the experiment.
        repeats: Answers per estimator.

    Raises:
        MeasurementError: An estimator failed.
    """
    best: dict[str, Timing] = {}
    for number in range(repeats):
        for name in ESTIMATORS:
            timing = _answer(name, users)
            print(f"{users:,} users, {number + 1} of {repeats}: {name} {timing.seconds:.2f} s", file=sys.stderr)
            best[name] = min(best.get(name, timing), timing, key=lambda timing: timing.seconds)
    return best


def timing_table(users: int, best: Mapping[str, Timing]) -> str:
    """A Markdown table of what every estimator took."""
    rows = [[name, seconds(t.seconds), seconds(t.cpu_seconds), gigabytes(t.peak_bytes)] for name, t in best.items()]
    return table([f"{users:,} users", "wall s", "CPU s", "peak GB"], rows)


def _answer(name: str, users: int) -> Timing:
    command = [sys.executable, "-m", "benchmarks.estimators", name, str(users)]
    usage, output = measure(command, os.environ | {"OMP_WAIT_POLICY": "PASSIVE"})
    taken = json.loads(output)
    return Timing(taken["seconds"], taken["cpu_seconds"], usage.peak_bytes)


def main(
    users: Annotated[list[int] | None, typer.Option(help="Size; repeat. Default: 100000 and 1000000.")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Answers per estimator; the best one counts.")] = 3,
    page: Annotated[Path, typer.Option(help="Markdown file with the markers of section 'effects'.")] = PAGE,
) -> None:
    """Measure the estimators of average effects, and write the figures into the page."""
    parts = [circumstances("benchmarks.effects")]
    parts += [timing_table(size, time_estimators(size, repeats=repeats)) for size in users or [100_000, 1_000_000]]
    content = "\n\n".join(parts)
    print(content)
    write_section(page, "effects", content)


if __name__ == "__main__":
    run_command(main)
