"""Linear regression with errors of Student's t distribution: its likelihood and the influence of each unit on it."""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from causal_tasks.effects.arguments import Floats
from causal_tasks.errors import InputError

LEAST_DEGREES, MOST_DEGREES = 0.5, 200.0
"""Between these the degrees of freedom are estimated; at 200 the distribution is normal for every purpose."""

PASSES = 300
TOLERANCE = 1e-10
"""Change of the mean log-likelihood, relative to its size or to 1, below which it has converged."""

_COLLAPSED = 1e-3
"""Scale, in usual deviations of the outcome from its median, below which it is on its way to zero."""

_REACH = 1e-3
"""Least distance, in the logarithm of the degrees of freedom, that a pass searches to either side."""


class ScaleCollapseError(InputError):
    """So many units lie exactly on one plane that the likelihood grows without bound as the scale goes to zero."""


@dataclass(frozen=True, slots=True)
class StudentT:
    """A fitted regression y = Z b + e with e ~ scale · t(degrees).

    Attributes:
        coefficients: b, shape (p,).
        scale: In the outcome's unit.
        degrees: Degrees of freedom.
        log_likelihoods: Mean log-likelihood of a unit after each pass, up to a constant; never falls.
        converged: Whether the last pass changed it by less than ``TOLERANCE``.
    """

    coefficients: Floats
    scale: float
    degrees: float
    log_likelihoods: tuple[float, ...]
    converged: bool

    def influence(self, outcome: Floats, design: Floats, column: int) -> tuple[Floats, Floats]:
        """How each unit moves one coefficient.

        Args:
            outcome: That it was fitted on, shape (n,).
            design: Likewise, shape (n, p).
            column: Of the coefficient.

        Returns:
            First-order influence on the coefficient, whose squares sum to its sandwich variance; and how much the
            coefficient grows where one is added to the unit's outcome. Both of shape (n,).
        """
        # In units of the scale: psi = (nu + 1) r / (nu + r^2), and its derivative.
        residual = self.residuals(outcome, design)
        squared = residual * residual
        heavy = self.degrees + squared
        slope = (self.degrees + 1) * (self.degrees - squared) / heavy**2
        hessian = (design.T * slope) @ design
        leverage = design @ np.linalg.inv(hessian)[column]
        return leverage * residual * (self.scale * (self.degrees + 1)) / heavy, leverage * slope

    def residuals(self, outcome: Floats, design: Floats) -> Floats:
        """Outcomes minus their fit in units of the scale, shape (n,); arguments as for ``influence``."""
        return np.asarray((outcome - design @ self.coefficients) / self.scale)


def fit_student_t(outcome: Floats, design: Floats, *, degrees: float | None = None) -> StudentT:
    """Maximise the t likelihood by ECME.

    Each pass weighs units by w = (nu + 1) / (nu + r^2 / s^2), solves weighted least squares for all coefficients at
    once, sets s^2 to the weighted mean of r^2, and then nu to what maximises the likelihood as observed. Dividing by
    the sum of the weights instead of n has the same fixed point and converges faster.

    Args:
        outcome: Shape (n,), finite.
        design: Shape (n, p), columns of similar scale, linearly independent.
        degrees: Degrees of freedom; None: estimated between 0.5 and 200.

    Raises:
        ScaleCollapseError: The scale goes to zero.

    Source: Liu, Rubin (1995), ECME; Kent, Tyler, Vardi (1994) for the weighted mean.
    """
    start = np.linalg.solve(design.T @ design, design.T @ outcome)
    residual = outcome - design @ start
    unit = _usual_deviation(outcome)
    if unit == 0:
        raise _collapse(outcome)
    residual /= unit
    passes = _Passes(residual, design, degrees)
    while passes.go_on():
        passes.advance()
        if passes.variance < _COLLAPSED**2:
            raise _collapse(outcome)
    return StudentT(
        coefficients=start + unit * passes.coefficients,
        scale=unit * float(np.sqrt(passes.variance)),
        degrees=passes.degrees,
        log_likelihoods=tuple(passes.history),
        converged=passes.converged,
    )


class _Passes:
    """The state of ECME on a standardised outcome, in arrays that are written anew by every pass."""

    def __init__(self, outcome: Floats, design: Floats, degrees: float | None) -> None:
        self.fixed = degrees is not None
        self.coefficients = np.zeros(design.shape[1])
        self.variance = 1.0
        self.history: list[float] = []
        self._outcome = outcome
        # One row per column of the design, the outcome last: long rows are what numpy is fast on.
        self._rows = np.vstack([design.T, outcome])
        self._weighted = np.empty_like(self._rows)
        self._residual = outcome.copy()
        self._squared = outcome * outcome
        self._reach = np.inf
        self.degrees = 1.0 if degrees is None else degrees
        if degrees is None:
            self._search_degrees()

    @property
    def converged(self) -> bool:
        if len(self.history) < 2:
            return False
        before, now = self.history[-2:]
        return abs(now - before) <= TOLERANCE * max(1.0, abs(now))

    def go_on(self) -> bool:
        return not self.converged and len(self.history) < PASSES

    def advance(self) -> None:
        """One pass: expectation, coefficients and variance, degrees of freedom."""
        weight = (self.degrees + 1) / (self.degrees + self._squared)
        np.multiply(self._rows, weight, out=self._weighted)
        gram = self._weighted[:-1] @ self._rows.T
        try:
            self.coefficients = np.linalg.solve(gram[:, :-1], gram[:, -1])
        except np.linalg.LinAlgError:
            # All units that still have any weight lie in one point.
            self.variance = 0.0
            return
        np.matmul(self.coefficients, self._rows[:-1], out=self._residual)
        np.subtract(self._outcome, self._residual, out=self._residual)
        np.multiply(self._residual, self._residual, out=self._squared)
        self.variance = float(weight @ self._squared / weight.sum())
        if self.variance < _COLLAPSED**2:
            return
        self._squared /= self.variance
        if not self.fixed:
            self._search_degrees()
        self.history.append(_log_likelihood(self._squared, self.degrees) - 0.5 * float(np.log(self.variance)))

    def _search_degrees(self) -> None:
        """Take the degrees of freedom of the highest likelihood nearby, where it is higher than now."""
        from scipy.optimize import minimize_scalar

        now = np.log(self.degrees)
        found = minimize_scalar(
            lambda logarithm: -_log_likelihood(self._squared, float(np.exp(logarithm))),
            bounds=(
                max(np.log(LEAST_DEGREES), now - self._reach),
                min(np.log(MOST_DEGREES), now + self._reach),
            ),
            method="bounded",
        )
        if -found.fun > _log_likelihood(self._squared, self.degrees):
            self.degrees = float(np.exp(found.x))
        self._reach = max(_REACH, 4 * abs(found.x - now))


def _usual_deviation(outcome: Floats) -> float:
    """Median distance from the median of the units that are not exactly there; 0 where all of them are.

    Unlike a standard deviation it is not what one gross error makes it, and unlike the usual median distance it is not
    zero where most units have one value.
    """
    distance = np.abs(outcome - np.median(outcome))
    distance = distance[distance > 0]
    return float(np.median(distance)) if len(distance) else 0.0


def _log_likelihood(squared: Floats, degrees: float) -> float:
    """Mean over units, of residuals in units of the scale, up to a constant."""
    normaliser = gammaln((degrees + 1) / 2) - gammaln(degrees / 2) - 0.5 * np.log(degrees)
    tails = squared / degrees
    tails += 1
    return float(normaliser - (degrees + 1) / 2 * np.log(tails, out=tails).mean())


def _collapse(outcome: Floats) -> ScaleCollapseError:
    _, counts = np.unique(outcome, return_counts=True)
    return ScaleCollapseError(
        "the scale of the t distribution goes to zero, because most units are fitted exactly: "
        f"{counts.max() / len(outcome):.0%} of them have one value",
        remedy="read the difference in means or CUPAC, or fix degrees to a higher number",
    )
