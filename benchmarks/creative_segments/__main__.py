"""``python -m benchmarks.creative_segments``: how fast segments are learned, what is recovered, what assigning brings.

Every part replaces its own section of ``docs/segments-measured.md``.
"""

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.document import measure_parts
from benchmarks.interruption import run_command

PAGE = Path(__file__).resolve().parents[2] / "docs" / "segments-measured.md"
PARTS = ("speed", "sparse", "peers", "recovery", "choice", "real")
"""Modules of this package; each has ``section(seeds: int) -> str``. ``gpu`` is one more, where there is a GPU."""


def main(
    part: Annotated[list[str] | None, typer.Option(help="Part to measure; repeat. Default: all but gpu.")] = None,
    seeds: Annotated[int, typer.Option(help="Independent repetitions, paired between methods.", min=2)] = 8,
) -> None:
    """Measure the parts and write their sections."""
    measure_parts("benchmarks.creative_segments", PAGE, part or PARTS, seeds)


if __name__ == "__main__":
    run_command(main)
