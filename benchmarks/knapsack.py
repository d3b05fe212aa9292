"""``python -m benchmarks.knapsack``: how long a budget takes to spend, up to ten million units, beside HiGHS."""

import json
import math
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.document import PAGE, circumstances, gigabytes, ratio, seconds, table, write_section
from benchmarks.evaluation import ROOT, Answer
from benchmarks.interruption import run_command
from benchmarks.processes import measure

NAMES = {
    "lagrangian": "`allocate`",
    "budget_path": "`budget_path`, all budgets",
    "limits": "`allocate` with two capacities and two guardrails",
    "highs_lp": "HiGHS, linear programme (`scipy.optimize.linprog`)",
    "scipy_milp": "HiGHS, branch and bound (`scipy.optimize.milp`)",
}
SIZES = {
    "lagrangian": (1_000, 10_000, 100_000, 1_000_000, 10_000_000),
    "budget_path": (10_000, 100_000, 1_000_000),
    "limits": (10_000, 100_000, 1_000_000),
    "highs_lp": (1_000, 10_000, 100_000),
    "scipy_milp": (1_000, 10_000),
}
"""Units that each is asked about."""

GROWTH = (100_000, 1_000_000, 10_000_000)
"""Sizes between which the growth of ``allocate`` is told."""


def ask(solver: str, units: int, patience: float) -> tuple[Answer, int]:
    """What a solver takes, in a process of its own with one thread, and the most memory that the process held.

    Raises:
        MeasurementError: It failed.
    """
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "benchmarks.peers.knapsack", solver, str(units), str(patience)]
    usage, output = measure(command, environment)
    found = Answer(**json.loads(output.splitlines()[-1]))
    print(f"{units:,} units: {solver} {found.seconds:.2f} s", file=sys.stderr, flush=True)
    return found, usage.peak_bytes


def main(
    largest: Annotated[int, typer.Option(help="Leave out problems of more units.")] = 10_000_000,
    patience: Annotated[float, typer.Option(help="Seconds after which HiGHS gives up.")] = 300.0,
    page: Annotated[Path, typer.Option(help="Markdown file with the markers of section 'knapsack'.")] = PAGE,
) -> None:
    """Spend budgets on random units with five arms, and write what it took into the page."""
    head = circumstances("benchmarks.knapsack")
    answers = {
        (solver, units): ask(solver, units, patience)
        for solver, sizes in SIZES.items()
        for units in sizes
        if units <= largest
    }
    lines = []
    for (solver, units), (found, held) in answers.items():
        ours = answers["lagrangian", units][0]
        given_up = math.isnan(found.answer)
        lines.append(
            [
                f"{NAMES[solver]}, {units:,}",
                f"> {patience:.0f}" if given_up else seconds(found.seconds),
                ("> " if given_up else "") + seconds(found.cpu_seconds),
                gigabytes(found.peak_bytes),
                gigabytes(held),
                ("> " if given_up else "") + ratio(found.cpu_seconds / ours.cpu_seconds),
                "" if given_up or solver == "limits" else f"{found.answer / ours.answer - 1:+.1e}",
            ]
        )
    header = [
        "units",
        "wall s",
        "CPU s",
        "peak GB beyond the data",
        "peak GB",
        "CPU / `allocate`",
        "value over `allocate`",
    ]
    parts = [head, table(header, lines)]
    taken = {units: answers["lagrangian", units][0].cpu_seconds for units in GROWTH if units <= largest}
    parts += [
        f"From {few:,} to {many:,} units the CPU time of `allocate` grows {ratio(taken[many] / taken[few])} times."
        for few, many in zip(taken, list(taken)[1:], strict=False)
    ]
    content = "\n\n".join(parts)
    print(content)
    write_section(page, "knapsack", content)


if __name__ == "__main__":
    run_command(main)
