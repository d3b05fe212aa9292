"""``python -m benchmarks.realtime``: what preference and interest bring on a simulated platform, the truth being known.

Every part replaces its own section of ``docs/realtime-measured.md``.
"""

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.document import circumstances, write_section
from benchmarks.interruption import run_command

PAGE = Path(__file__).resolve().parents[2] / "docs" / "realtime-measured.md"
PARTS = ("policy", "interest", "ablations", "accuracy", "rollout", "published")
"""Modules of this package; each has ``section(seeds: int) -> str``. ``gpu`` is one more, where there is a GPU."""


def main(
    part: Annotated[list[str] | None, typer.Option(help="Part to measure; repeat. Default: all but gpu.")] = None,
    seeds: Annotated[int, typer.Option(help="Independent repetitions, paired between methods.", min=2)] = 6,
) -> None:
    """Measure the parts and write their sections."""
    for name in part or PARTS:
        module = import_module(f"benchmarks.realtime.{name}")
        write_section(PAGE, name, f"{circumstances('benchmarks.realtime')}\n\n{module.section(seeds)}")
        print(f"{name}: {PAGE}")


if __name__ == "__main__":
    run_command(main)
