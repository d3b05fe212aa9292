"""Asks a solver of ``benchmarks.peers.segments`` in a process of its own."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.evaluation import ROOT
from benchmarks.processes import measure


@dataclass(frozen=True, slots=True)
class Taken:
    """What a solver took, and its answer.

    Attributes:
        seconds: Wall time; data and imports were there before.
        cpu_seconds: All threads.
        peak_bytes: Memory beyond what the process held with data and imports.
        held_bytes: The most memory that the process held, data and imports included.
        answer: By name.
        version: Of the library.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    held_bytes: int
    answer: Mapping[str, Any]
    version: str


def ask(solver: str, people: int, covariates: int, file: Path | None = None) -> Taken:
    """What a solver takes; threads of the linear algebra are off, as they are in the library's own passes.

    Raises:
        MeasurementError: It failed.
    """
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "PYTHONWARNINGS": "ignore",
    }
    command = [sys.executable, "-m", "benchmarks.peers.segments", solver, str(people), str(covariates)]
    usage, output = measure([*command, *([str(file)] if file else [])], environment)
    taken = Taken(**json.loads(output.splitlines()[-1]), held_bytes=usage.peak_bytes)
    print(f"{solver}, {people:,} x {covariates:,}: {taken.seconds:.1f} s", file=sys.stderr, flush=True)
    return taken
