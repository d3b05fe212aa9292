"""A path of solutions of one segment from the strongest penalty to weaker ones, warm-started and screened."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causal_tasks.segments.certificate import Point, Vector, certify
from causal_tasks.segments.descent import Descent
from causal_tasks.segments.newton import Newton
from causal_tasks.segments.penalty import Penalty
from causal_tasks.segments.rows import SegmentRows
from causal_tasks.segments.solution import Minimiser, Solution

FEW_COLUMNS = 0.25
"""Share of the covariates up to which those that survive the screening are copied to be worked on alone."""

BOUNDARY = 1e-9
"""By which products may exceed a bound that they are meant to touch."""

LAST_STEP = 1e-3
"""Share of the largest penalty from which a path goes to no penalty at all."""

POOLED_TOLERANCE = 1e-9
"""Relative gap, at most, of the fit without penalty from which the largest penalty is told where alpha is 0."""


@dataclass(frozen=True, slots=True)
class PenaltyForm:
    """How one number, lambda, becomes a penalty.

    Attributes:
        alpha: Share of the penalty on what creatives share.
        tied: Whether creatives cannot depart from what they share: a plain lasso.
    """

    alpha: float
    tied: bool = False

    def at(self, lam: float, creatives: int) -> Penalty:
        """The penalty of a segment of so many creatives."""
        return Penalty.lasso(lam) if self.tied else Penalty.of(lam, self.alpha, creatives)


class SegmentPath:
    """Solutions of one segment.

    Args:
        rows: Of its people.
        form: Of the penalty.
        tol: Relative duality gap to reach.
        max_passes: Over the rows for one penalty.
        screening: Whether covariates and creatives that the strong rules tell to be zero are left out at first.

    Attributes:
        start: Where nothing has departed.
        largest_lam: The smallest lambda at which nothing departs from there: all coefficients are zero, for alpha 0 all
            deltas. 0 where lambda penalises nothing that could depart, which is so at alpha 1.

    Source: Tibshirani et al. (2012), "Strong rules for discarding predictors in lasso-type problems".
    """

    def __init__(
        self, rows: SegmentRows, form: PenaltyForm, *, tol: float, max_passes: int, screening: bool = True
    ) -> None:
        self._rows, self._form, self._tol, self._max_passes = rows, form, tol, max_passes
        self._screening = screening
        self._minimiser: Minimiser | None = None
        self._few: _FewColumns | None = None
        self.start = self._starting_point()
        unit = form.at(1.0, len(rows.counts))
        self._products = certify(rows, self.start, unit).products
        self.largest_lam = unit.excess(self._products)

    def solve(self, lams: Sequence[float] | Vector) -> Iterator[Solution]:
        """The solutions at these penalties, in this order: falling, for a warm start to be near."""
        point, products = self.start, self._products
        last = self._form.at(self.largest_lam, len(self._rows.counts))
        for lam in lams:
            penalty = self._form.at(float(lam), len(self._rows.counts))
            solution = self._unmoved(point, penalty, products) or self._solved(point, penalty, products, last)
            yield solution
            point, products, last = solution.point, solution.certificate.products, penalty

    def _starting_point(self) -> Point:
        creatives = len(self._rows.counts)
        zero = np.zeros((creatives, self._rows.width))
        null = self._rows.null_intercepts()
        point = Point(null, zero[0], zero)
        if self._form.alpha > 0 or self._form.tied:
            return point
        # Nothing penalises what creatives share: the path starts where they share everything.
        pooled = Penalty(0.0, np.inf)
        return self._descended(point, pooled, min(self._tol, POOLED_TOLERANCE)).point

    def _unmoved(self, point: Point, penalty: Penalty, products: Vector) -> Solution | None:
        """The point itself where it is optimal for this penalty too, as at the start for every large one."""
        if penalty.excess(products) > 1 + BOUNDARY:
            return None
        certificate = certify(self._rows, point, penalty)
        return Solution(point, certificate, 0, converged=True) if certificate.within(self._tol) else None

    def _solved(self, point: Point, penalty: Penalty, products: Vector, last: Penalty) -> Solution:
        if not self._screening or penalty.shared in {0, np.inf}:
            return self._descended(point, penalty, self._tol)
        # |gradient| moves by at most the change of the bound between two penalties, nearly always.
        apart = np.linalg.norm(products, axis=1) >= 2 * penalty.apart - last.apart
        if penalty.apart < np.inf and (apart.any() or point.apart.any()):
            return self._descended(point, penalty, self._tol)
        likely = (np.abs(products.sum(axis=0)) >= 2 * penalty.shared - last.shared) | (point.shared != 0)
        return self._solved_on_few(point, penalty, likely)

    def _solved_on_few(self, point: Point, penalty: Penalty, chosen: NDArray[np.bool_]) -> Solution:
        """Without what is likely to be zero; then, where that was wrong, with it."""
        passes = 0
        while True:
            if self._few is not None and not chosen[~self._few.chosen].any():
                chosen = self._few.chosen
            elif chosen.sum() <= FEW_COLUMNS * len(chosen):
                self._few = _FewColumns.of(self._rows, chosen)
            else:
                return self._descended(point, penalty, self._tol, passes)
            found = self._few.minimiser.minimise(
                self._few.cut(point),
                Penalty(penalty.shared, np.inf),
                tol=self._tol / 2,
                max_passes=self._max_passes - passes,
            )
            point, passes = self._few.whole(found.point, point), passes + found.passes
            certificate = certify(self._rows, point, penalty)
            if certificate.within(self._tol) or passes >= self._max_passes:
                return Solution(point, certificate, passes, certificate.within(self._tol))
            if (np.linalg.norm(certificate.products, axis=1) > penalty.apart).any():
                return self._descended(point, penalty, self._tol, passes)
            missed = (np.abs(certificate.products.sum(axis=0)) > penalty.shared) & ~chosen
            if not missed.any():
                return self._descended(point, penalty, self._tol, passes)
            chosen = chosen | missed

    def _descended(self, point: Point, penalty: Penalty, tol: float, passes: int = 0) -> Solution:
        # Where few covariates do not suffice they hardly do further down, and their copy takes memory.
        self._few = None
        if self._minimiser is None:
            self._minimiser = minimiser_of(self._rows)
        found = self._minimiser.minimise(point, penalty, tol=tol, max_passes=max(self._max_passes - passes, 1))
        return Solution(found.point, found.certificate, found.passes + passes, found.converged)


@dataclass(frozen=True, slots=True)
class _FewColumns:
    """Some covariates by themselves, creatives alike.

    Attributes:
        chosen: Which, shape (p,).
        minimiser: On them.
    """

    chosen: NDArray[np.bool_]
    minimiser: Minimiser

    @classmethod
    def of(cls, rows: SegmentRows, chosen: NDArray[np.bool_]) -> "_FewColumns":
        return cls(chosen, minimiser_of(rows.columns(np.flatnonzero(chosen))))

    def cut(self, point: Point) -> Point:
        return Point(point.intercept, point.shared[self.chosen], point.apart[:, self.chosen])

    def whole(self, found: Point, like: Point) -> Point:
        shared = np.zeros_like(like.shared)
        shared[self.chosen] = found.shared
        return Point(found.intercept, shared, np.zeros_like(like.apart))


def minimiser_of(rows: SegmentRows) -> Minimiser:
    """What needs less time for these rows."""
    return Newton(rows) if rows.model_pays else Descent(rows)


def penalties(largest: float, ratio: float, number: int) -> Vector:
    """``number`` values falling evenly on a log scale from ``largest`` to ``ratio`` times it."""
    return largest * np.geomspace(1, ratio, number) if number > 1 else np.array([largest * ratio])


def penalties_to(lam: float, largest: float, number: int) -> Vector:
    """``number`` values falling from ``largest`` to ``lam``; ``lam`` alone where that is no smaller."""
    if lam >= largest:
        return np.array([lam])
    if lam > 0 or number == 1:
        return penalties(largest, lam / largest, number)
    return np.append(penalties(largest, LAST_STEP, number - 1), 0.0)
