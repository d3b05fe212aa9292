"""Part ``peers``: one penalty, beside scikit-learn's lasso for each creative, and cvxpy with Clarabel."""

from benchmarks.creative_segments.solvers import Taken, ask
from benchmarks.document import ratio, seconds, table
from benchmarks.peers.segments import ALPHA, SHARE, STEPS

LASSO = ((10_000, 30), (100_000, 100), (100_000, 300), (1_000_000, 100))
"""People and covariates of the separate lassos."""

CONES = ((2_000, 30), (12_000, 60))
"""Of the joint model; Clarabel's memory ends it."""

OURS = ("separate", "segments")
NAMES = {
    "separate": "`SeparateCreatives`",
    "liblinear": "scikit-learn, liblinear",
    "saga": "scikit-learn, saga",
    "segments": "`CreativeSegments`",
    "clarabel": "cvxpy, Clarabel",
}


def section(_: int) -> str:
    """A table of the separate lassos, and one of the joint model."""
    lassos = [_compared(("separate", "liblinear", "saga"), *size) for size in LASSO]
    cones = [_compared(("segments", "clarabel"), *size) for size in CONES]
    versions = sorted({found[name].version for found in (*lassos, *cones) for name in found if name not in OURS})
    return "\n\n".join(
        [
            f"One thread each; peers: {', '.join(versions)}. Twelve creatives; standardised rows by creative are ready "
            f"before the clock starts. The penalty is {SHARE:.0%} of the one that leaves everything zero; this library "
            f"walks to it by {STEPS} penalties, each to a relative duality gap of 1e-8; scikit-learn goes there at "
            "once and stops by its own rules. `objective` is the summed loss with the penalty, relative to this "
            "library's.",
            "One lasso for each creative:",
            _table(LASSO, lassos),
            f"Segments, alpha {ALPHA}:",
            _table(CONES, cones),
        ]
    )


def _compared(solvers: tuple[str, ...], people: int, covariates: int) -> dict[str, Taken]:
    return {solver: ask(solver, people, covariates) for solver in solvers}


def _table(sizes: tuple[tuple[int, int], ...], found: list[dict[str, Taken]]) -> str:
    rows = []
    for (people, covariates), answers in zip(sizes, found, strict=True):
        ours = next(iter(answers.values()))
        for solver, taken in answers.items():
            rows.append(
                [
                    f"{people:,} x {covariates}: {NAMES[solver]}",
                    seconds(taken.seconds),
                    ratio(taken.cpu_seconds / ours.cpu_seconds),
                    f"{taken.peak_bytes / 1e6:,.0f}",
                    f"{taken.answer['objective'] / ours.answer['objective'] - 1:+.1e}",
                ]
            )
    return table(["people x covariates: solver", "wall s", "CPU / ours", "peak MB beyond the data", "objective"], rows)
