"""Minimises a penalised loss by gradients, each of which costs one pass over the rows."""

from collections.abc import Iterator

from causal_tasks.segments.certificate import Point, certify
from causal_tasks.segments.penalty import Penalty
from causal_tasks.segments.rows import SegmentRows
from causal_tasks.segments.solution import Solution
from causal_tasks.segments.steps import State, Steps

FIRST_CHECK = 5
"""Passes before the first certificate; every further one after a quarter more."""

SINGLE_GAP, SINGLE_PASSES = 1e-6, 300
"""Relative gap reached, or passes made, after which a descent over rows in single precision goes on in double."""


class Descent:
    """For one penalty after the other.

    Args:
        rows: Of the segment.
    """

    def __init__(self, rows: SegmentRows) -> None:
        self._rows, self._in_double = rows, rows.in_double()
        self._steps: Steps | None = None

    def minimise(self, start: Point, penalty: Penalty, *, tol: float, max_passes: int) -> Solution:
        """From ``start`` until the duality gap is at most ``tol`` times the objective, or for ``max_passes``."""
        state, passes = State.at(self._rows, start), 0
        if self._steps is None:
            mean_weight = float(self._rows.likelihood.weight(state.sweep.means).mean())
            self._steps = Steps(self._rows.largest_eigenvalues(), mean_weight)
        for check in _checks(max_passes):
            for _ in range(check - passes):
                state = self._steps.step(state, penalty)
            passes = check
            certificate = certify(self._rows, state.point, penalty)
            if certificate.within(tol):
                return Solution(state.point, certificate, passes, converged=True)
            if state.smooth is not self._in_double and (certificate.within(SINGLE_GAP) or passes >= SINGLE_PASSES):
                state = State.at(self._in_double, state.point)
        return Solution(state.point, certificate, passes, converged=False)


def _checks(limit: int) -> Iterator[int]:
    at = FIRST_CHECK
    while at < limit:
        yield at
        at += max(FIRST_CHECK, at // 4)
    yield limit
