"""Repetitions of a measurement, one process per core at a time."""

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

Found = TypeVar("Found")
Case = TypeVar("Case")


def repeated(measure: Callable[[Case, int], Found], cases: Sequence[Case], seeds: int) -> list[list[Found]]:
    """What ``measure`` finds in every case by every seed; progress is told on standard error."""
    # Threads of the linear algebra would compete with the other process.
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), mp_context=get_context("spawn")) as pool:
        waiting = [[pool.submit(measure, case, seed) for seed in range(seeds)] for case in cases]
        found = []
        for case, results in zip(cases, waiting, strict=True):
            found.append([result.result() for result in results])
            print(case, file=sys.stderr, flush=True)
        return found
