"""What a solver asks of the people who were shown the creatives of one segment."""

from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from causal_tasks.segments.likelihood import Likelihood

Coefficients = NDArray[np.float64]


MODEL_SHARE = 0.25
"""Numbers in the Gram matrices, as a share of those in the rows, up to which they are worth computing."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """What one step leaves for the next. Vectors over people belong to the class that made them.

    Attributes:
        logits: Linear predictors at the coefficients, shape (n,).
        ahead: Linear predictors at the extrapolated coefficients, shape (n,).
        means: Expected responses there, shape (n,).
        gradient: Of the summed loss there by beta, shape (K, p).
        slope: Of the summed loss there by intercept, shape (K,).
        curvature: Sum over people of A'' times the squared change of the linear predictor from where the previous
            gradient was taken to the coefficients.
        rounding: What the curvature may come to by rounding alone.
    """

    logits: Any
    ahead: Any
    means: Any
    gradient: Coefficients
    slope: Coefficients
    curvature: float
    rounding: float


@dataclass(frozen=True, slots=True)
class Residuals:
    """What is left of the responses at some coefficients, in double precision.

    Attributes:
        loss: Summed.
        theta: y - mean, less what ``project`` has taken from it, shape (n,).
        weight: A'', shape (n,).
        theta_sum: Of each creative, shape (K,).
        weight_sum: Likewise.
        products: X_k' theta, shape (K, p).
        weighted: X_k' weight, shape (K, p).
    """

    loss: float
    theta: Any
    weight: Any
    theta_sum: Coefficients
    weight_sum: Coefficients
    products: Coefficients
    weighted: Coefficients


class SegmentRows(Protocol):
    """The people who were shown the K creatives of one segment, p covariates each."""

    likelihood: Likelihood
    counts: NDArray[np.intp]
    width: int

    @property
    def model_pays(self) -> bool:
        """Whether steps on Gram matrices cost less than the passes over the rows that they save."""
        ...

    def null_intercepts(self) -> Coefficients:
        """Intercepts at which the expected response to every creative is its mean response, shape (K,)."""
        ...

    def start(self, intercept: Coefficients, beta: Coefficients) -> Sweep:
        """The first sweep: nothing extrapolated."""
        ...

    def sweep(self, last: Sweep, intercept: Coefficients, beta: Coefficients, momentum: float) -> Sweep:
        """Linear predictors at these coefficients, and the gradient at what extrapolates them from the last ones.

        Args:
            last: The sweep before.
            intercept: Shape (K,).
            beta: Shape (K, p).
            momentum: How far, in steps, beyond these coefficients the next gradient is taken.
        """
        ...

    def loss(self, intercept: Coefficients, beta: Coefficients) -> float:
        """Summed, in double precision."""
        ...

    def residuals(self, intercept: Coefficients, beta: Coefficients) -> Residuals:
        """In double precision, whatever the rows are stored in."""
        ...

    def project(self, residuals: Residuals, intercept: Coefficients, beta: Coefficients | None) -> Residuals:
        """Take weight x (intercept + x' beta) from theta; beta None: zero, for which no row is read."""
        ...

    def dual(self, residuals: Residuals, scale: float) -> float:
        """The dual objective at scale x theta; minus infinity where that leaves the family's range."""
        ...

    def gram(self, residuals: Residuals) -> Coefficients:
        """[1, X_k]' W [1, X_k] of each creative, shape (K, 1 + p, 1 + p)."""
        ...

    def largest_eigenvalues(self) -> tuple[float, Coefficients]:
        """About those of sum_k X_k' X_k, and of every [1, X_k]' [1, X_k], shape (K,)."""
        ...

    def columns(self, chosen: NDArray[np.intp]) -> Self:
        """The same people with these covariates alone."""
        ...

    def in_double(self) -> Self:
        """The same people, swept in double precision whatever the rows are stored in."""
        ...
