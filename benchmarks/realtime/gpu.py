"""Part ``gpu``: the preference model on a GPU and on the processors beside it."""

import os
from time import perf_counter

import numpy as np
import numpy.typing as npt

from benchmarks.document import ratio, seconds, table
from causal_tasks.dynamic import LongTermUplift

ROWS, FEATURES, EPOCHS = 2_000_000, 12, 3


def rows(n: int = ROWS) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64], npt.NDArray[np.intp]]:
    """Features, outcomes of 0 and 1 and arms of as many users as a tenth of Criteo's and more, 85 of 100 treated."""
    random = np.random.default_rng(0)
    X = random.random((n, FEATURES), dtype=np.float32)
    treated = (random.random(n) < 0.85).astype(np.intp)
    chance = 0.02 + 0.04 * X[:, 0] + 0.02 * X[:, 1] * treated
    return X, (random.random(n) < chance).astype(np.float64), treated


def fitted(device: str, jobs: int) -> tuple[float, LongTermUplift]:
    """Seconds of a fit of a few epochs, and what it fitted."""
    X, outcome, arm = rows()
    model = LongTermUplift(max_epochs=EPOCHS, patience=EPOCHS, device=device, n_jobs=jobs)
    model.fit(X[:20_000], outcome[:20_000], arm[:20_000])  # what is loaded and compiled once is not measured
    begin = perf_counter()
    model.fit(X, outcome, arm)
    return perf_counter() - begin, model


def section(_: int) -> str:
    """The table, and how the fits compare."""
    import torch

    cores = len(os.sched_getaffinity(0))
    found = {"cpu": fitted("cpu", cores), "cuda": fitted("cuda", cores)}
    names = {"cpu": f"{cores} cores beside it", "cuda": torch.cuda.get_device_name()}
    told = [
        [names[device], seconds(spent), f"{model.training_.losses[-1]:.6f}"] for device, (spent, model) in found.items()
    ]
    faster = ratio(found["cpu"][0] / found["cuda"][0])
    return "\n\n".join(
        [
            f"{ROWS:,} users with {FEATURES} features and two arms, {EPOCHS} epochs of batches of 4,096, checking and "
            "bucketing on the processor included.",
            table(["", "seconds", "loss on held-out users"], told),
            f"The GPU is {faster} times as fast as the processor beside it.",
        ]
    )
