"""``python -m benchmarks.allocation``: which share of a budget's possible gain each method finds; the truth is known.

Every part replaces its own section of ``docs/allocation-measured.md``.
"""

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.document import measure_parts
from benchmarks.interruption import run_command

PAGE = Path(__file__).resolve().parents[2] / "docs" / "allocation-measured.md"
PARTS = ("solver", "decision_factor", "decision_focused", "bilevel", "clusters", "estimators", "choice", "real_data")
"""Modules of this package; each has ``section(seeds: int) -> str``."""


def main(
    part: Annotated[list[str] | None, typer.Option(help="Part to measure; repeat. Default: all.")] = None,
    seeds: Annotated[int, typer.Option(help="Independent repetitions, paired between methods.", min=2)] = 8,
) -> None:
    """Measure the parts and write their sections."""
    measure_parts("benchmarks.allocation", PAGE, part or PARTS, seeds)


if __name__ == "__main__":
    run_command(main)
