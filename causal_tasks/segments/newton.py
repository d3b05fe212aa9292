"""Minimises a penalised loss by a quadratic model of it, so that few passes over the rows are needed.

Where covariates are correlated a gradient method needs hundreds of passes. The model needs X_k' W X_k of every
creative, p^2 numbers, and is minimised by the same steps without touching a row. Its weights W are those of some
earlier point: they change little along a path, and are taken anew where a model has predicted badly.
"""

from dataclasses import dataclass

import numpy as np

from causal_tasks.segments.certificate import Certificate, Point, Vector, certificate_of
from causal_tasks.segments.penalty import Penalty
from causal_tasks.segments.rows import Residuals, SegmentRows, Sweep
from causal_tasks.segments.solution import Solution
from causal_tasks.segments.steps import State, Steps

INNER_ACCURACY, INNER_STEPS = 1e-2, 2_000
"""The model counts as minimised where steps have shrunk to this share of the first one, or after so many."""

SLOW = 0.3
"""Share of the gap that is left after a step, above which the model is made anew."""

SHORTEST = 2.0**-30
"""Share of the way to the model's minimum that is tried before giving up."""

ROUNDING = 1e-13
"""Relative change of an objective that rounding alone can make."""


@dataclass(frozen=True, slots=True)
class QuadraticModel:
    """The second-order model of the summed loss around a point, see ``Smooth``.

    Attributes:
        grams: [1, X_k]' W [1, X_k], shape (K, 1 + p, 1 + p).
        centre: [b_k, beta_k] of the point, shape (K, 1 + p).
        gradient: There, shape (K, 1 + p).
    """

    grams: Vector
    centre: Vector
    gradient: Vector

    def start(self, intercept: Vector, beta: Vector) -> Sweep:
        """See ``SegmentRows``."""
        return self._sweep(self._both(intercept, beta), None, 0.0)

    def sweep(self, last: Sweep, intercept: Vector, beta: Vector, momentum: float) -> Sweep:
        """See ``SegmentRows``."""
        return self._sweep(self._both(intercept, beta), last, momentum)

    def _both(self, intercept: Vector, beta: Vector) -> Vector:
        """Coefficients and their products with the Gram matrices, which are as linear: shape (2, K, 1 + p)."""
        coefficients = np.concatenate([intercept[:, None], beta], axis=1) - self.centre
        return np.stack([coefficients, (self.grams @ coefficients[:, :, None])[:, :, 0]])

    def _sweep(self, here: Vector, last: Sweep | None, momentum: float) -> Sweep:
        ahead = here if last is None else here + momentum * (here - last.logits)
        change = np.zeros_like(here) if last is None else here - last.ahead
        gradient = self.gradient + ahead[1]
        curvature = float((change[0] * change[1]).sum())
        rounding = ROUNDING * float(np.abs(here[0] * here[1]).sum())
        return Sweep(here, ahead, None, gradient[:, 1:], gradient[:, 0], curvature, rounding)


class Newton:
    """For one penalty after the other.

    Args:
        rows: Of the segment.

    Source: Lee, Sun, Saunders (2014), "Proximal Newton-type methods for minimizing composite functions".
    """

    def __init__(self, rows: SegmentRows) -> None:
        self._rows = rows
        self._curvature: _Curvature | None = None

    def minimise(self, start: Point, penalty: Penalty, *, tol: float, max_passes: int) -> Solution:
        """From ``start`` until the duality gap is at most ``tol`` times the objective, or for ``max_passes``."""
        at, passes, share = _Seen.at(self._rows, start, penalty), 1, 1.0
        is_new = self._curvature is None
        curvature = self._curvature or _Curvature.at(self._rows, at)
        while not at.certificate.within(tol) and passes < max_passes and share >= SHORTEST:
            target = curvature.model_minimum(at, penalty)
            point = target if share == 1 else at.point.moved(target, -share)
            tried, passes = _Seen.at(self._rows, point, penalty), passes + 1
            if tried.is_no_worse(at):
                is_slow = tried.certificate.gap >= SLOW * at.certificate.gap
                at, share, is_new = tried, 1.0, is_slow
                if is_slow:
                    curvature = _Curvature.at(self._rows, at)
            elif is_new:
                share /= 2
            else:
                curvature, is_new = _Curvature.at(self._rows, at), True
        self._curvature = curvature
        return Solution(at.point, at.certificate, passes, at.certificate.within(tol))


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a pass over the rows has told of a point.

    Attributes:
        point: Coefficients.
        residuals: At them.
        certificate: Of them.
    """

    point: Point
    residuals: Residuals
    certificate: Certificate

    @classmethod
    def at(cls, rows: SegmentRows, point: Point, penalty: Penalty) -> "_Seen":
        residuals = rows.residuals(point.intercept, point.beta)
        return cls(point, residuals, certificate_of(rows, point, penalty, residuals))

    def is_no_worse(self, other: "_Seen") -> bool:
        objective = other.certificate.objective
        return self.certificate.objective <= objective + ROUNDING * abs(objective)


@dataclass(frozen=True, slots=True)
class _Curvature:
    """Of the loss, at the weights of some point.

    Attributes:
        grams: [1, X_k]' W [1, X_k], shape (K, 1 + p, 1 + p).
        eigenvalues: See ``SegmentRows.largest_eigenvalues``.
    """

    grams: Vector
    eigenvalues: tuple[float, Vector]

    @classmethod
    def at(cls, rows: SegmentRows, seen: _Seen) -> "_Curvature":
        grams = rows.gram(seen.residuals)
        together, single = np.linalg.eigvalsh(grams[:, 1:, 1:].sum(axis=0)), np.linalg.eigvalsh(grams)
        return cls(grams, (float(together.max(initial=0)), np.asarray(single[:, -1], dtype=np.float64)))

    def model_minimum(self, seen: _Seen, penalty: Penalty) -> Point:
        """Where the quadratic model around a point is least together with the penalty."""
        steps, state = Steps(self.eigenvalues, 1.0), State.at(self._model(seen), seen.point)
        first = 0.0
        for _ in range(INNER_STEPS):
            ahead, state = state.ahead, steps.step(state, penalty)
            length = steps.length(state.point, ahead)
            first = max(first, length)
            if length <= INNER_ACCURACY**2 * first:
                break
        return state.point

    def _model(self, seen: _Seen) -> QuadraticModel:
        centre = np.concatenate([seen.point.intercept[:, None], seen.point.beta], axis=1)
        gradient = -np.concatenate([seen.residuals.theta_sum[:, None], seen.residuals.products], axis=1)
        return QuadraticModel(self.grams, centre, gradient)
