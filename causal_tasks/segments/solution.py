"""Where the search for the coefficients of one segment has ended."""

from dataclasses import dataclass
from typing import Protocol

from causal_tasks.segments.certificate import Certificate, Point
from causal_tasks.segments.penalty import Penalty


@dataclass(frozen=True, slots=True)
class Solution:
    """Where a descent has ended.

    Attributes:
        point: Coefficients.
        certificate: Of them.
        passes: Over the rows: gradients of a descent, points that Newton steps try. Not counted are the certificates of
            a descent and the Gram matrices of Newton steps.
        converged: Whether the gap is within the tolerance.
    """

    point: Point
    certificate: Certificate
    passes: int
    converged: bool


class Minimiser(Protocol):
    """Finds the coefficients of one segment, for one penalty after the other."""

    def minimise(self, start: Point, penalty: Penalty, *, tol: float, max_passes: int) -> Solution:
        """From ``start`` until the duality gap is at most ``tol`` times the objective, or for ``max_passes``."""
        ...
