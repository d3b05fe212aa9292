"""What a model learns: outcomes and the weights of their rows, checked."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_tasks.errors import InputError


@dataclass(frozen=True)
class Outcome:
    """Outcomes of the rows that a model is fitted on.

    Attributes:
        values: Shape (n,), finite.
        weight: Shape (n,), mean 1, so that penalties and leaf sizes count rows whatever the unit of the weights; None
            weighs every row alike.
    """

    values: NDArray[np.float64]
    weight: NDArray[np.float64] | None

    @classmethod
    def read(cls, outcome: ArrayLike, sample_weight: ArrayLike | None, *, rows: int) -> Self:
        """Outcomes and weights of ``rows`` rows.

        Raises:
            InputError: There is no row, lengths differ, an outcome is missing or infinite, a weight is negative,
                missing or infinite, or all are 0.
        """
        values = np.asarray(outcome, dtype=np.float64)
        if values.shape != (rows,) or not rows or not np.isfinite(values).all():
            raise InputError(
                f"outcome of shape {values.shape} for {rows} rows has "
                f"{int((~np.isfinite(values)).sum())} missing or infinite values",
                remedy="pass one finite outcome for each of at least one row",
            )
        if sample_weight is None:
            return cls(values, None)
        weight = np.asarray(sample_weight, dtype=np.float64)
        if weight.shape != (rows,) or not np.isfinite(weight).all() or weight.min() < 0 or not weight.any():
            raise InputError(
                f"sample_weight of shape {weight.shape} for {rows} rows has "
                f"{int((~(np.isfinite(weight) & (weight >= 0))).sum())} negative, missing or infinite values",
                remedy="pass one weight for each row, not all of them zero",
            )
        return cls(values, weight / weight.mean())

    @cached_property
    def mean(self) -> float:
        """Weighted mean."""
        return float(np.average(self.values, weights=self.weight))

    @cached_property
    def scale(self) -> float:
        """Weighted standard deviation; 1 where nothing varies."""
        spread = float(np.sqrt(np.average((self.values - self.mean) ** 2, weights=self.weight)))
        return spread or 1.0

    @cached_property
    def is_binary(self) -> bool:
        """Whether there are zeros and ones and nothing else, so that log loss has a finite optimum."""
        return bool(np.isin(self.values, (0.0, 1.0)).all()) and 0 < self.mean < 1

    @property
    def row_curvature(self) -> float:
        """Second derivative of the loss at the mean outcome for one row of weight 1.

        Libraries count penalties, and XGBoost leaf sizes, in sums of it: p(1 - p) for log loss and 1 for half the
        squared error. Times this, they count rows for either loss.
        """
        return self.mean * (1 - self.mean) if self.is_binary else 1.0
