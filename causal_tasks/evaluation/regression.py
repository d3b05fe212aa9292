"""Weighted least squares with errors that hold whatever the noise of each user is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causal_tasks.errors import InputError
from causal_tasks.evaluation.estimate import LEVEL, Estimate
from causal_tasks.evaluation.ranking import Vector

COLLINEAR = 1e12
"""Condition number of the scaled normal equations from which on coefficients mean nothing."""

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Regression:
    """Coefficients and their uncertainty.

    Attributes:
        coefficients: Shape (p,).
        covariance: Shape (p, p).
    """

    coefficients: Vector
    covariance: Matrix

    def estimate(self, column: int, *, level: float = LEVEL) -> Estimate:
        """The coefficient of one column with a normal interval."""
        standard_error = float(np.sqrt(self.covariance[column, column]))
        return Estimate.of(float(self.coefficients[column]), standard_error, level=level)


def least_squares(
    outcome: Vector, design: Matrix, *, weight: Vector | None = None, clusters: NDArray[np.intp] | None = None
) -> Regression:
    """Regress an outcome on the columns of a design.

    Errors are HC3: they hold where the noise differs between users, and each residual is divided by 1 - leverage, so
    that they are not too small in small samples. With clusters, sums by cluster take the place of users (CR1).

    Args:
        outcome: Shape (n,).
        design: Shape (n, p), with a column of ones where there is an intercept.
        weight: Shape (n,), positive; None: all alike.
        clusters: Codes 0, 1, …, shape (n,); None: all users are independent.

    Raises:
        InputError: Columns are collinear, one user alone determines a coefficient, or all users are in one cluster.

    Source: MacKinnon, White (1985); Liang, Zeger (1986).
    """
    # Without a common scale a column of small unit looks like a rounding error.
    scale = np.sqrt(np.einsum("ij,ij->j", design, design) / len(design))
    if (scale == 0).any():
        raise InputError(f"column {int(np.argmin(scale))} of the design is zero", remedy="leave it out")
    scaled = design / scale
    weighted = scaled if weight is None else scaled * weight[:, np.newaxis]
    gram = weighted.T @ scaled
    if np.linalg.cond(gram) > COLLINEAR:
        raise InputError("columns of the design are collinear", remedy="leave one of them out")
    bread = np.linalg.inv(gram)
    coefficients = bread @ (weighted.T @ outcome)
    residual = outcome - scaled @ coefficients
    if clusters is None:
        leverage = np.einsum("ij,ij->i", weighted @ bread, scaled)
        meat = _hc3_meat(weighted, residual, leverage)
    else:
        meat = _cluster_meat(weighted * residual[:, np.newaxis], clusters)
    return Regression(coefficients / scale, bread @ meat @ bread / np.outer(scale, scale))


def _hc3_meat(weighted: Matrix, residual: Vector, leverage: Vector) -> Matrix:
    if leverage.max() > 1 - 1e-9:
        raise InputError("one user alone determines a coefficient", remedy="pass more users")
    scores = weighted * (residual / (1 - leverage))[:, np.newaxis]
    meat: Matrix = scores.T @ scores
    return meat


def _cluster_meat(scores: Matrix, clusters: NDArray[np.intp]) -> Matrix:
    n, columns = scores.shape
    independent = len(np.unique(clusters))
    if independent < 2:
        raise InputError(f"{independent} independent units show no uncertainty", remedy="pass at least two clusters")
    sums = np.stack([np.bincount(clusters, column) for column in scores.T])
    meat: Matrix = sums @ sums.T * (independent / (independent - 1) * (n - 1) / (n - columns))
    return meat
