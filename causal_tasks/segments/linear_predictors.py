"""Linear predictors of people whom nothing was learned from."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from causal_tasks.segments.covariates import CovariateTerms

Vector = NDArray[np.float64]


def linear_predictors(
    X: Any, terms: CovariateTerms, coefficients: Vector, constants: Vector, *, centre: Vector, scale: Vector
) -> Vector:
    """The values constant + coefficients' x of several models, in bounded memory.

    Args:
        X: Covariates of n people.
        terms: Columns of the models.
        coefficients: Shape (q, p), of standardised columns.
        constants: Shape (q,).
        centre: Shape (p,).
        scale: Shape (p,).

    Returns:
        Shape (n, q).

    Raises:
        InputError: See ``CovariateTerms.read``.
    """
    slopes = coefficients / scale
    shifted = constants - slopes @ centre
    blocks = terms.read(X).blocks()
    return np.concatenate([terms.matrix(block, np.float64) @ slopes.T + shifted for block in blocks])
