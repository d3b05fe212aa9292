"""How far coefficients can be from the optimum: a duality gap in double precision.

Any dual point that is feasible bounds the optimum from below. It is made of the residuals: corrected, by multiples of
the weights A'' so that no expected response leaves its range, until they are orthogonal to what is not penalised, then
scaled until they obey the bounds of the penalty.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causal_tasks.segments.penalty import Penalty
from causal_tasks.segments.rows import Residuals, SegmentRows

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Point:
    """Coefficients of one segment of K creatives.

    Attributes:
        intercept: b, shape (K,).
        shared: gamma, shape (p,).
        apart: delta, shape (K, p).
    """

    intercept: Vector
    shared: Vector
    apart: Vector

    @property
    def beta(self) -> Vector:
        """What acts on a creative's people: gamma + delta, shape (K, p)."""
        return self.shared + self.apart

    def less(self, other: "Point") -> "Point":
        """The way from the other point to this one."""
        return Point(self.intercept - other.intercept, self.shared - other.shared, self.apart - other.apart)

    def moved(self, last: "Point", momentum: float) -> "Point":
        """Beyond this point by ``momentum`` times the way from the last one."""
        return Point(
            self.intercept + momentum * (self.intercept - last.intercept),
            self.shared + momentum * (self.shared - last.shared),
            self.apart + momentum * (self.apart - last.apart),
        )


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a point is worth.

    Attributes:
        objective: Summed loss, which is half the deviance, plus penalty.
        gap: The optimum is at most this far below the objective.
        products: X_k' theta of the dual point before scaling, shape (K, p).
    """

    objective: float
    gap: float
    products: Vector

    def within(self, tol: float) -> bool:
        """Whether the gap is at most ``tol`` times the objective."""
        return self.gap <= tol * abs(self.objective)


def certify(rows: SegmentRows, point: Point, penalty: Penalty) -> Certificate:
    """The objective at ``point`` and its duality gap.

    Source: Fenchel duality; for the construction Ndiaye, Fercoq, Gramfort, Salmon (2017), "Gap safe screening rules for
    sparsity enforcing penalties".
    """
    return certificate_of(rows, point, penalty, rows.residuals(point.intercept, point.beta))


def certificate_of(rows: SegmentRows, point: Point, penalty: Penalty, residuals: Residuals) -> Certificate:
    """``certify`` where the residuals at ``point`` are known."""
    objective = residuals.loss + penalty.value(point.shared, point.apart)
    residuals = _orthogonal(rows, residuals, penalty)
    scale = 1 / max(1.0, penalty.excess(residuals.products))
    # What the bounds forbid can only be told apart from rounding by leaving the range, which ``dual`` notices.
    return Certificate(objective, objective - rows.dual(residuals, scale), residuals.products)


def _orthogonal(rows: SegmentRows, residuals: Residuals, penalty: Penalty) -> Residuals:
    """Residuals orthogonal to the intercepts and to every coefficient that the penalty leaves free."""
    if penalty.apart == 0:
        fitted = _fitted_by_creative(rows, residuals)
    elif penalty.shared == 0:
        fitted = _fitted_together(rows, residuals)
    else:
        return rows.project(residuals, residuals.theta_sum / residuals.weight_sum, None)
    return rows.project(residuals, *fitted)


def _fitted_by_creative(rows: SegmentRows, residuals: Residuals) -> tuple[Vector, Vector]:
    """Weighted regression of theta / weight on an intercept and the covariates, for every creative by itself."""
    sides = np.concatenate([residuals.theta_sum[:, None], residuals.products], axis=1)
    fitted = np.array([_solve(gram, side) for gram, side in zip(rows.gram(residuals), sides, strict=True)])
    return fitted[:, 0], fitted[:, 1:]


def _fitted_together(rows: SegmentRows, residuals: Residuals) -> tuple[Vector, Vector]:
    """The same with an intercept for every creative and coefficients that all share."""
    grams, creatives = rows.gram(residuals), len(residuals.theta_sum)
    gram = np.block(
        [[np.diag(grams[:, 0, 0]), grams[:, 0, 1:]], [grams[:, 1:, 0].T, grams[:, 1:, 1:].sum(axis=0)]],
    )
    fitted = _solve(gram, np.concatenate([residuals.theta_sum, residuals.products.sum(axis=0)]))
    return fitted[:creatives], np.broadcast_to(fitted[creatives:], residuals.products.shape)


def _solve(gram: Vector, side: Vector) -> Vector:
    # On one scale: else what is cut off as rounding depends on the units of covariates that are not standardised.
    sizes = np.sqrt(np.diagonal(gram))
    scale = np.where(sizes > 0, sizes, 1.0)
    fitted = np.linalg.lstsq(gram / np.outer(scale, scale), side / scale, rcond=None)[0]
    return np.asarray(fitted / scale, dtype=np.float64)
