"""Accelerated proximal gradient: block steps, adaptive step lengths, restarts."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from causal_tasks.segments.certificate import Point, Vector
from causal_tasks.segments.penalty import Penalty
from causal_tasks.segments.rows import Sweep

LONGER_STEP, SLACK = 0.9, 0.5
"""Where the curvature met is below SLACK of what the step length allows for, steps grow by 1 / LONGER_STEP."""

SHORTER_STEP, FAR_SHORTER_STEP = 1.2, 10.0
"""Margin over the curvature met when a step was too long, and the most by which steps shrink at a time."""


class Smooth(Protocol):
    """A convex function of intercepts and slopes, of which one gradient follows the other."""

    def start(self, intercept: Vector, beta: Vector) -> Sweep:
        """See ``SegmentRows``."""
        ...

    def sweep(self, last: Sweep, intercept: Vector, beta: Vector, momentum: float) -> Sweep:
        """See ``SegmentRows``."""
        ...


@dataclass(frozen=True, slots=True)
class State:
    """Between two steps.

    Attributes:
        smooth: What is minimised together with a penalty.
        point: Coefficients.
        ahead: Where the gradient was taken.
        sweep: What was seen there.
        inertia: t of the acceleration.
    """

    smooth: Smooth
    point: Point
    ahead: Point
    sweep: Sweep
    inertia: float

    @classmethod
    def at(cls, smooth: Smooth, point: Point) -> "State":
        """Before the first step."""
        return cls(smooth, point, point, smooth.start(point.intercept, point.beta), 1.0)


class Steps:
    """Proximal gradient steps on gamma, the deltas and the intercepts.

    With beta_k = gamma + delta_k the penalty is separable in gamma and the deltas, so that a gradient step followed by
    soft and block thresholding is exact. Step lengths are inverse to bounds on the curvature by block, times a factor
    that follows the curvature met: the global bound of a logistic loss, 1/4, is far too careful for rare responses.

    Args:
        eigenvalues: See ``SegmentRows.largest_eigenvalues``.
        factor: Of the curvature, to begin with.

    Source: Beck, Teboulle (2009), "A fast iterative shrinkage-thresholding algorithm"; O'Donoghue, Candes (2015),
    "Adaptive restart for accelerated gradient schemes", section 3.2, the gradient scheme.
    """

    def __init__(self, eigenvalues: tuple[float, Vector], factor: float) -> None:
        together, single = eigenvalues
        # |X (g + d)|^2 <= 2 |X g|^2 + 2 |X d|^2; the floor is for covariates that are all zero.
        self._shared_bound, self._apart_bounds = 2 * max(together, 1e-12), 2 * single
        self._factor = factor

    def step(self, state: State, penalty: Penalty) -> State:
        """One step further."""
        while True:
            point = self._proximal(state, penalty)
            way = point.less(state.ahead)
            restart = self._scalar_product(way, point.less(state.point)) < 0
            momentum_next = (1 + np.sqrt(1 + 4 * state.inertia**2)) / 2
            inertia, momentum = (1.0, 0.0) if restart else (momentum_next, (state.inertia - 1) / momentum_next)
            sweep = state.smooth.sweep(state.sweep, point.intercept, point.beta, momentum)
            allowed = self._factor * self._scalar_product(way, way)
            if sweep.curvature <= max(allowed, sweep.rounding) or allowed == 0:
                break
            # Where a step was so long that means overflowed, the curvature met is no number.
            self._factor *= float(np.nanmin([SHORTER_STEP * sweep.curvature / allowed, FAR_SHORTER_STEP]))
        if sweep.rounding < sweep.curvature < SLACK * allowed:
            self._factor *= LONGER_STEP
        return State(state.smooth, point, point.moved(state.point, momentum), sweep, inertia)

    def length(self, one: Point, other: Point) -> float:
        """Squared distance in the metric of the step lengths at factor 1."""
        way = one.less(other)
        return self._scalar_product(way, way)

    def _proximal(self, state: State, penalty: Penalty) -> Point:
        steps = 1 / (self._factor * self._apart_bounds)
        step = 1 / (self._factor * self._shared_bound)
        ahead, gradient = state.ahead, state.sweep.gradient
        return Point(
            ahead.intercept - state.sweep.slope * steps,
            penalty.shrink_shared(ahead.shared - gradient.sum(axis=0) * step, step),
            penalty.shrink_apart(ahead.apart - gradient * steps[:, None], steps),
        )

    def _scalar_product(self, one: Point, other: Point) -> float:
        apart = one.intercept * other.intercept + (one.apart * other.apart).sum(axis=1)
        return float(self._shared_bound * (one.shared @ other.shared) + self._apart_bounds @ apart)
