"""``python -m benchmarks.evaluation``: scores of a ranking against causalml, scikit-uplift and EconML in one run."""

import json
import math
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.document import PAGE, circumstances, ratio, seconds, table, write_section
from benchmarks.interruption import run_command
from benchmarks.processes import MeasurementError, measure
from causal_tasks.errors import InputError

OURS = "causal_tasks"
ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / ".venv-peers" / "bin" / "python"

TASKS = {
    "auuc_as_causalml": ("AUUC, causalml's definition", (OURS, "causalml")),
    "auuc_as_sklift": ("AUUC, scikit-uplift's definition", (OURS, "sklift")),
    "qini_as_causalml": ("Qini, causalml's definition", (OURS, "causalml")),
    "qini_as_sklift": ("Qini, scikit-uplift's definition", (OURS, "sklift")),
    "auuc_interval": ("standard error of AUUC", (OURS, "causalml")),
    "autoc_error": ("standard error of AUTOC", (OURS, "causalml")),
    "autoc_and_band": ("standard error of AUTOC, and TOC curve with its band", (OURS, "econml")),
    "gain_band": ("gain curve with its band", (OURS,)),
}
"""What is asked of whom, by name of the task in ``benchmarks.peers.ranking``."""

LARGE = ("auuc_interval", "autoc_error", "gain_band")
"""Tasks that are asked of this library at a larger size too."""

EQUAL = ("auuc_as_causalml", "auuc_as_sklift", "qini_as_causalml", "qini_as_sklift")
"""Tasks with one right answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of one library.

    Attributes:
        seconds: Wall time.
        cpu_seconds: All threads.
        peak_bytes: Memory beyond what the process held with data and imports.
        answer: A number.
        version: Of the library.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    answer: float
    version: str


def ask(library: str, task: str, users: int) -> Answer:
    """One answer, in a process of its own with one thread.

    Raises:
        MeasurementError: The library failed.
    """
    python = sys.executable if library == OURS else str(PEERS)
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONWARNINGS": "ignore",
        "PYTHONPATH": str(ROOT),
    }
    command = [python, "-m", "benchmarks.peers.ranking", library, task, str(users)]
    return Answer(**json.loads(measure(command, environment)[1].splitlines()[-1]))


def compare(task: str, users: int) -> dict[str, Answer]:
    """The answers of all libraries to one task.

    Raises:
        MeasurementError: A library failed, or answers to a question with one right answer differ.
    """
    answers = {}
    for library in TASKS[task][1]:
        answers[library] = ask(library, task, users)
        _say(f"{users:,} users: {TASKS[task][0]}, {library} {answers[library].cpu_seconds:.2f} CPU s")
    expected = answers[OURS].answer
    wrong = [name for name, found in answers.items() if not math.isclose(found.answer, expected, rel_tol=1e-6)]
    if task in EQUAL and wrong:
        raise MeasurementError(
            f"{', '.join(wrong)}: {task} differs from ours", remedy="find out which of them is wrong"
        )
    return answers


def rows(task: str, answers: Mapping[str, Answer]) -> Iterator[list[str]]:
    """The answers as lines of the table."""
    ours = answers[OURS]
    for library, found in answers.items():
        yield [
            f"{TASKS[task][0]}: {library}",
            seconds(found.seconds),
            seconds(found.cpu_seconds),
            f"{found.peak_bytes / 1e6:,.0f}",
            ratio(found.cpu_seconds / ours.cpu_seconds),
            ratio(found.peak_bytes / ours.peak_bytes),
            f"{found.answer:.5f}",
        ]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(
    users: Annotated[int, typer.Option(help="For all libraries.")] = 1_000_000,
    large: Annotated[int, typer.Option(help="For this library alone; 0: leave out.")] = 10_000_000,
    page: Annotated[Path, typer.Option(help="Markdown file with the markers of section 'evaluation'.")] = PAGE,
) -> None:
    """Compare scores of rankings with those of the peers, and write the figures into the page."""
    if not PEERS.exists():
        raise InputError(f"{PEERS} does not exist", remedy="make peers")
    head = circumstances("benchmarks.evaluation")
    header = [f"{users:,} users", "wall s", "CPU s", "peak MB", "CPU / ours", "peak / ours", "answer"]
    compared = {task: compare(task, users) for task in TASKS}
    versions = {library: found.version for answers in compared.values() for library, found in answers.items()}
    lines = [line for task, answers in compared.items() for line in rows(task, answers)]
    peers = ", ".join(f"{library} {version}" for library, version in versions.items() if library != OURS)
    parts = [f"{head}\nPeers: {peers}.", table(header, lines)]
    if large:
        alone = {task: {OURS: ask(OURS, task, large)} for task in LARGE}
        lines = [line[:4] for task, answers in alone.items() for line in rows(task, answers)]
        parts.append(table([f"{large:,} users", *header[1:4]], lines))
    content = "\n\n".join(parts)
    print(content)
    write_section(page, "evaluation", content)


if __name__ == "__main__":
    run_command(main)
