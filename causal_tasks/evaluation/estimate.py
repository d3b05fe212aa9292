"""The record of any estimated number and its uncertainty."""

import math
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy.special import ndtr

from causal_tasks.effects.inference import two_sided_p_value, two_sided_quantile
from causal_tasks.errors import InputError

LEVEL = 0.95

POWER = 0.8
"""Probability of seeing an effect for which a detectable effect or a sample size is given."""

Vector = NDArray[np.float64]


class Estimate(BaseModel):
    """A number with its uncertainty, in outcome units unless said otherwise.

    Attributes:
        estimate: The number.
        standard_error: Of ``estimate``.
        interval: Two-sided, normal, 95 % unless said otherwise.
        p_value: Two-sided, of zero.
    """

    model_config = ConfigDict(frozen=True)

    estimate: float
    standard_error: float
    interval: tuple[float, float]
    p_value: float

    @classmethod
    def of(cls, estimate: float, standard_error: float, *, level: float = LEVEL) -> Self:
        """The record of a number that is normal around the truth with a known standard error.

        Raises:
            InputError: ``level`` is no share.
        """
        half = two_sided_quantile(level) * standard_error
        return cls(
            estimate=estimate,
            standard_error=standard_error,
            interval=(estimate - half, estimate + half),
            p_value=two_sided_p_value(estimate, standard_error),
        )

    @property
    def one_sided_p_value(self) -> float:
        """Of the number being zero or below; without any uncertainty 0 where it is above, else 1."""
        if self.standard_error == 0:
            return 0.0 if self.estimate > 0 else 1.0
        return float(ndtr(-self.estimate / self.standard_error))


def mean_estimate(values: Vector, *, clusters: NDArray[np.intp] | None = None, level: float = LEVEL) -> Estimate:
    """The mean of independent values, or of values that are independent between clusters.

    Args:
        values: Shape (n,).
        clusters: Codes 0, 1, …, shape (n,); None: every value by itself.
        level: Of the interval.

    Raises:
        InputError: There are fewer than two values or clusters, or ``level`` is no share.
    """
    mean = float(values.mean()) if len(values) else math.nan
    deviations = values - mean
    sums = deviations if clusters is None else np.bincount(clusters, deviations)
    independent = len(values) if clusters is None else len(np.unique(clusters))
    if independent < 2:
        raise InputError(f"{independent} independent units show no uncertainty", remedy="pass at least two")
    variance = float(sums @ sums) * independent / (independent - 1)
    return Estimate.of(mean, math.sqrt(variance) / len(values), level=level)
