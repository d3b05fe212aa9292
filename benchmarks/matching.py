"""``python -m benchmarks.matching``: matching on the propensity against causalml, and at a million users."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.document import PAGE, circumstances, ratio, seconds, table, write_section
from benchmarks.evaluation import OURS, PEERS, ROOT, Answer
from benchmarks.interruption import run_command
from benchmarks.processes import measure

PEER = "causalml"
TASKS = {
    "pairs": ("pairs without replacement, propensity given", "pairs"),
    "balance": ("standardised mean differences of 20 covariates", "largest"),
    "propensity": ("propensity of 20 covariates", "log loss"),
    "buckets": ("20 buckets, propensity given", "treated matched"),
    "matching_nearest": ("nearest neighbours with balance, overlap and error", "treated matched"),
    "matching_buckets": ("20 buckets with balance, overlap and error", "treated matched"),
}
"""What is asked and what is answered, by name of the task in ``benchmarks.peers.matching``."""

COMPARED = ("pairs", "balance", "propensity")
"""Tasks that the peer answers too."""


def ask(library: str, task: str, users: int) -> Answer:
    """One answer, in a process of its own with one thread.

    Raises:
        MeasurementError: The library failed.
    """
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONWARNINGS": "ignore",
        "PYTHONPATH": str(ROOT),
    }
    python = sys.executable if library == OURS else str(PEERS)
    command = [python, "-m", "benchmarks.peers.matching", library, task, str(users)]
    found = Answer(**json.loads(measure(command, environment)[1].splitlines()[-1]))
    print(f"{users:,} users: {TASKS[task][0]}, {library} {found.cpu_seconds:.2f} CPU s", file=sys.stderr, flush=True)
    return found


def rows(task: str, answers: Mapping[str, Answer]) -> Iterator[list[str]]:
    """The answers as lines of the table."""
    ours = answers[OURS]
    for library, found in answers.items():
        name, answered = TASKS[task]
        number = f"{found.answer:,.0f}" if found.answer > 10 else f"{found.answer:.4f}"
        yield [
            f"{name}: {library}",
            seconds(found.seconds),
            f"{found.cpu_seconds:.3f}",
            f"{found.peak_bytes / 1e6:,.0f}",
            ratio(found.cpu_seconds / ours.cpu_seconds),
            f"{number} {answered}",
        ]


def main(
    users: Annotated[int, typer.Option(help="For both libraries.")] = 100_000,
    large: Annotated[int, typer.Option(help="For this library alone.")] = 1_000_000,
    page: Annotated[Path, typer.Option(help="Markdown file with the markers of section 'matching'.")] = PAGE,
) -> None:
    """Match simulated users and write what it took into the page; without ``make peers`` this library alone."""
    head = circumstances("benchmarks.matching")
    libraries = (OURS, PEER) if PEERS.exists() else (OURS,)
    answers = {
        task: {name: ask(name, task, users) for name in (libraries if task in COMPARED else (OURS,))} for task in TASKS
    }
    header = [f"{users:,} users", "wall s", "CPU s", "peak MB", "CPU / ours", "answer"]
    lines = [line for task, found in answers.items() for line in rows(task, found)]
    peer = answers["pairs"].get(PEER)
    parts = [f"{head}\nPeer: {PEER} {peer.version}." if peer else head, table(header, lines)]
    alone = {task: {OURS: ask(OURS, task, large)} for task in TASKS}
    lines = [[*line[:4], line[5]] for task, found in alone.items() for line in rows(task, found)]
    parts.append(table([f"{large:,} users", *header[1:4], header[5]], lines))
    content = "\n\n".join(parts)
    print(content)
    write_section(page, "matching", content)


if __name__ == "__main__":
    run_command(main)
