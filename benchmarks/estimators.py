"""One estimator answers once, in a process of its own, on users with heavy tails; prints what it took as JSON."""

import json
import time
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer

from causal_tasks.effects import (
    cross_fitted_proxy,
    cupac,
    cuped,
    difference_in_means,
    mlrate,
    ratio_student_t,
    student_t_effect,
)

COVARIATES = 30
DEGREES = 3
SEED = 11

_FEW = 400


def covariates_of(users: int) -> pd.DataFrame:
    """Standard normal numbers and one text feature, shape (users, 30)."""
    rng = np.random.default_rng(SEED)
    numbers = rng.standard_normal((users, COVARIATES - 1), dtype=np.float32)
    frame = pd.DataFrame(numbers, columns=[f"x{k:02d}" for k in range(COVARIATES - 1)], copy=False)
    frame["city"] = pd.Categorical.from_codes(rng.integers(0, 20, users), [f"city{k:02d}" for k in range(20)])
    return frame


def _outcomes(users: int) -> tuple[Any, Any, Any]:
    """Outcome, treatment, and the mean outcome that is known before exposure, each of shape (users,)."""
    rng = np.random.default_rng(SEED + 1)
    treatment = rng.integers(0, 2, users, dtype=np.int8)
    known = rng.standard_normal(users)
    return 10 + known + 0.05 * treatment + rng.standard_t(DEGREES, users), treatment, known


def _outcome_of(frame: pd.DataFrame) -> Any:
    rng = np.random.default_rng(SEED + 1)
    mean = np.abs(frame["x00"].to_numpy()) + frame["x01"].to_numpy() ** 2 + (frame["city"].cat.codes.to_numpy() < 5)
    return mean + rng.standard_t(DEGREES, len(frame))


def _on_outcomes(estimator: Callable[..., Any], **options: Any) -> Callable[[int], Callable[[], Any]]:
    """Prepares the data of an estimator that is handed what is known, and returns the call to be measured."""

    def prepared(users: int) -> Callable[[], Any]:
        outcome, treatment, known = _outcomes(users)
        beside = {"covariates": known} if estimator is cuped else {"proxy": known}
        return lambda: estimator(outcome, treatment, **({} if estimator is difference_in_means else beside), **options)

    return prepared


def _ratio(users: int) -> Callable[[], Any]:
    outcome, treatment, known = _outcomes(users)
    below = 1.0 + np.random.default_rng(SEED + 2).poisson(4, users)
    return lambda: ratio_student_t(outcome * below, below, treatment, proxy=known * below)


def _proxy(users: int) -> Callable[[], Any]:
    frame = covariates_of(users)
    outcome = _outcome_of(frame)
    return lambda: cross_fitted_proxy(outcome, frame)


ESTIMATORS: dict[str, Callable[[int], Callable[[], Any]]] = {
    "difference in means": _on_outcomes(difference_in_means),
    "CUPED, one covariate": _on_outcomes(cuped),
    "cross-fitted proxy of 30 features, one thread": _proxy,
    "CUPAC, proxy given": _on_outcomes(cupac),
    "MLRATE, proxy given": _on_outcomes(mlrate),
    "STATE, proxy given, degrees estimated": _on_outcomes(student_t_effect),
    "STATE, proxy given, degrees fixed": _on_outcomes(student_t_effect, degrees=10.0),
    "STATE on a ratio, proxy given": _ratio,
}
"""By name: makes the data of so many users, and returns the call to be measured."""


def main(
    estimator: Annotated[str, typer.Argument(help="A name in ESTIMATORS.")],
    users: Annotated[int, typer.Argument(help="In the experiment.")],
) -> None:
    """Answer."""
    # Libraries are imported where they are first used; that is no part of an answer.
    ESTIMATORS[estimator](_FEW)()
    call = ESTIMATORS[estimator](users)
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    typer.echo(json.dumps({"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}))


if __name__ == "__main__":
    typer.run(main)
