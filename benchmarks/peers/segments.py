"""One solver, one simulated experiment: ``python -m benchmarks.peers.segments SOLVER PEOPLE COVARIATES [FILE]``.

Prints JSON. FILE is the Parquet file that ``write`` makes and ``mapped`` reads.
"""

import importlib.metadata
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any

import numpy as np

from benchmarks.peers.stopwatch import taken_by
from causal_tasks.data.creative_problems import CreativeProblem, creative_problem
from causal_tasks.segments import CreativeSegments, Exposures, SeparateCreatives, exposures_from_parquet

SEGMENTS, CREATIVES = 4, 3
ALPHA, LAMS, LOWEST = 0.1, 30, 0.01
"""Of the path; LOWEST is the last penalty's share of the first."""

SHARE = 0.1
"""The one penalty that peers are asked for, of the one that leaves everything zero."""

STEPS = 5
"""Penalties on the way to it; peers take none."""

_CHUNK = 100_000
_SAMPLE_SECONDS = 0.02
_KIB = 1024

Answer = Mapping[str, Any]


def simulated(people: int, covariates: int, *, sparse: bool = False) -> CreativeProblem:
    """Four segments of three creatives, one of which departs; a tenth of the people respond."""
    return creative_problem(people, covariates, SEGMENTS, CREATIVES, apart=1, sparse=sparse, seed=0)


def path(people: int, covariates: int, _: str) -> Callable[[], Answer]:
    """A path of penalties, from memory."""
    return _path_of(simulated(people, covariates))


def sparse_path(people: int, covariates: int, _: str) -> Callable[[], Answer]:
    """The same with sparse covariates."""
    return _path_of(simulated(people, covariates, sparse=True))


def gpu_path(people: int, covariates: int, _: str) -> Callable[[], Answer]:
    """``path`` on a GPU."""
    return _path_of(simulated(people, covariates), "cuda")


def gpu_sparse_path(people: int, covariates: int, _: str) -> Callable[[], Answer]:
    """``sparse_path`` on a GPU."""
    return _path_of(simulated(people, covariates, sparse=True), "cuda")


def write(people: int, covariates: int, file: str) -> Callable[[], Answer]:
    """The experiment of ``path``, in a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def work() -> Answer:
        truth, writer = simulated(1, covariates), None
        for begin in range(0, people, _CHUNK):
            some = truth.others(min(_CHUNK, people - begin), seed=begin)
            columns = {f"x{number}": some.X[:, number] for number in range(covariates)}
            rows = pa.table({"creative": np.array(some.creatives)[some.creative], "returned": some.response, **columns})
            writer = writer or pq.ParquetWriter(file, rows.schema, compression="none", use_dictionary=["creative"])
            writer.write_table(rows)
        if writer:
            writer.close()
        return {}

    return work


def mapped(_: int, covariates: int, file: str) -> Callable[[], Answer]:
    """A path of penalties from a Parquet file, by way of memory-mapped ones."""
    segment = simulated(1, covariates).segment

    def work() -> Answer:
        with TemporaryDirectory(dir=Path(file).parent) as folder, _anonymous_peak() as peak:
            began = time.perf_counter()
            exposures = exposures_from_parquet(
                file,
                response="returned",
                creative="creative",
                segment=segment,
                covariates=[f"x{number}" for number in range(covariates)],
                folder=Path(folder),
            )
            prepared = time.perf_counter() - began
            model = _path_model().fit_exposures(exposures)
            return _described(model) | {"prepared_seconds": prepared} | peak

    return work


def segments(people: int, covariates: int, _: str) -> Callable[[], Answer]:
    """One penalty."""
    exposures = _ready(simulated(people, covariates), np.float32)
    model = CreativeSegments(SHARE, ALPHA, relative=True, n_lams=STEPS)
    return lambda: _described(model.fit_exposures(exposures))


def separate(people: int, covariates: int, _: str) -> Callable[[], Answer]:
    """A lasso for each creative by itself, at one penalty."""
    exposures = _ready(simulated(people, covariates), np.float32)
    model = SeparateCreatives(SHARE, relative=True, n_lams=STEPS)
    return lambda: {"objective": model.fit_exposures(exposures).objective_}


def liblinear(people: int, covariates: int, _: str) -> Callable[[], Answer]:
    """The same by scikit-learn's coordinate descent, which penalises intercepts unless their column is large."""
    return _scikit_learn(simulated(people, covariates), {"solver": "liblinear", "intercept_scaling": 100.0})


def saga(people: int, covariates: int, _: str) -> Callable[[], Answer]:
    """The same by scikit-learn's stochastic gradients."""
    return _scikit_learn(simulated(people, covariates), {"solver": "saga", "max_iter": 1_000})


def clarabel(people: int, covariates: int, _: str) -> Callable[[], Answer]:
    """``segments`` as a cone programme of the original form, in which people differ by beta and penalties by gamma."""
    import cvxpy

    exposures = _ready(simulated(people, covariates), np.float64)
    lam = CreativeSegments(SHARE, ALPHA, relative=True, n_lams=1, tol=1e-3).fit_exposures(exposures).lam_

    def work() -> Answer:
        terms = []
        for at in range(SEGMENTS):
            gamma, its = cvxpy.Variable(covariates), exposures.creatives.of_segment(at)
            terms.append(lam * ALPHA * cvxpy.norm1(gamma))
            for k in its:
                shown, beta, constant = exposures.people[k], cvxpy.Variable(covariates), cvxpy.Variable()
                eta = constant + shown.matrix @ beta
                terms.append(cvxpy.sum(cvxpy.logistic(eta)) - shown.response @ eta)
                terms.append(lam * (1 - ALPHA) / len(its) * cvxpy.norm2(beta - gamma))
        programme = cvxpy.Problem(cvxpy.Minimize(sum(terms)))
        return {"objective": float(programme.solve(cvxpy.CLARABEL)), "status": programme.status}

    return work


def _scikit_learn(problem: CreativeProblem, parameters: Mapping[str, Any]) -> Callable[[], Answer]:
    from sklearn.linear_model import LogisticRegression

    ready = _ready(problem, np.float32)
    lams = SeparateCreatives(SHARE, relative=True, n_lams=1, tol=1e-3).fit_exposures(ready).lams_

    def work() -> Answer:
        objective = 0.0
        for shown, lam in zip(ready.people, lams, strict=True):
            model = LogisticRegression(l1_ratio=1.0, C=1 / lam, random_state=0, **parameters)
            model.fit(shown.matrix, shown.response)
            eta = shown.matrix.astype(np.float64) @ model.coef_[0] + model.intercept_[0]
            loss = np.logaddexp(0, eta).sum() - shown.response @ eta
            objective += float(loss + lam * np.abs(model.coef_).sum())
        return {"objective": objective}

    return work


def _path_of(problem: CreativeProblem, device: str = "cpu") -> Callable[[], Answer]:
    exposed = _exposed(problem)
    return lambda: _described(_path_model(device).fit(**exposed))


def _path_model(device: str = "cpu") -> CreativeSegments:
    threads = len(os.sched_getaffinity(0))
    return CreativeSegments(LOWEST, ALPHA, relative=True, n_lams=LAMS, device=device, n_jobs=threads)


def _exposed(problem: CreativeProblem) -> dict[str, Any]:
    shown = np.array(problem.creatives)[problem.creative]
    return {"X": problem.X, "response": problem.response, "creative": shown, "segment": problem.segment}


def _ready(problem: CreativeProblem, dtype: type) -> Exposures:
    return Exposures.checked(**_exposed(problem), dtype=dtype)


def _described(model: CreativeSegments) -> dict[str, Any]:
    gaps = model.path_["duality_gap"] / model.path_["objective"]
    return {
        "objective": model.objective_,
        "largest_gap": float(gaps.max()),
        "passes": int(model.path_["iterations"].sum() / SEGMENTS),
        "most_passes": int(model.path_["iterations"].max() / SEGMENTS),
        "converged": bool(model.converged_),
    }


@contextmanager
def _anonymous_peak() -> Iterator[dict[str, int]]:
    """The most memory held meanwhile that no file stands behind, known once the block has ended."""
    found, ended = {"anonymous_bytes": 0}, Event()

    def watch() -> None:
        while not ended.wait(_SAMPLE_SECONDS):
            found["anonymous_bytes"] = max(found["anonymous_bytes"], _anonymous())

    watcher = Thread(target=watch)
    watcher.start()
    try:
        yield found
    finally:
        ended.set()
        watcher.join()


def _anonymous() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * _KIB for line in lines if line.startswith("RssAnon:"))


SOLVERS = {
    solver.__name__: solver
    for solver in (
        path,
        sparse_path,
        gpu_path,
        gpu_sparse_path,
        write,
        mapped,
        segments,
        separate,
        liblinear,
        saga,
        clarabel,
    )
}
VERSIONS = {"liblinear": "scikit-learn", "saga": "scikit-learn", "clarabel": "cvxpy"}


def main() -> None:
    """Solve one problem and print what that took as one line of JSON."""
    solver, people, covariates, file = [*sys.argv[1:], ""][:4]
    taken = taken_by(SOLVERS[solver](int(people), int(covariates), file))
    package = VERSIONS.get(solver, "causal-tasks")
    print(json.dumps(taken | {"version": f"{package} {importlib.metadata.version(package)}"}))


if __name__ == "__main__":
    main()
