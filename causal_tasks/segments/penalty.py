"""The penalty on what creatives of a segment share and on what sets each apart, and its proximal operator."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

COLLAPSE = 0.5
"""alpha from which on nothing is ever shared: the dual bound on what is shared then follows from the other one."""


@dataclass(frozen=True, slots=True)
class Penalty:
    """shared x ||gamma||_1 + apart x sum_k ||delta_k||_2.

    Attributes:
        shared: Infinite: gamma is zero.
        apart: Infinite: every delta is zero.
    """

    shared: float
    apart: float

    @classmethod
    def of(cls, lam: float, alpha: float, creatives: int) -> Self:
        """The penalty lambda [(1 - alpha) / K sum_k ||delta_k||_2 + alpha ||gamma||_1] for a segment of K creatives."""
        return cls(np.inf if alpha >= COLLAPSE else lam * alpha, lam * (1 - alpha) / creatives)

    @classmethod
    def lasso(cls, lam: float) -> Self:
        """The penalty lambda ||gamma||_1 where nothing sets the creatives apart."""
        return cls(lam, np.inf)

    def value(self, shared: Vector, apart: Vector) -> float:
        """Of gamma, shape (p,), and of the deltas, shape (K, p)."""
        norms = float(np.linalg.norm(apart, axis=1).sum())
        return _product(self.shared, float(np.abs(shared).sum())) + _product(self.apart, norms)

    def excess(self, products: Vector) -> float:
        """By how much X_k' theta, shape (K, p), exceed what a dual point may have: at most 1 is feasible.

        Where a bound is zero the products have to be zero, which is not asked here.
        """
        ratios = [0.0]
        if 0 < self.shared < np.inf:
            ratios.append(float(np.abs(products.sum(axis=0)).max(initial=0)) / self.shared)
        if 0 < self.apart < np.inf:
            ratios.append(float(np.linalg.norm(products, axis=1).max()) / self.apart)
        return max(ratios)

    def shrink_shared(self, values: Vector, step: float) -> Vector:
        """The proximal operator of the first term at step length ``step``: soft thresholding."""
        if self.shared == np.inf:
            return np.zeros_like(values)
        return np.sign(values) * np.maximum(np.abs(values) - self.shared * step, 0)

    def shrink_apart(self, values: Vector, steps: Vector) -> Vector:
        """The proximal operator of the second term, one step length for each row of ``values``: block thresholding."""
        if self.apart == np.inf:
            return np.zeros_like(values)
        norms = np.linalg.norm(values, axis=1)
        kept = np.maximum(1 - self.apart * steps / np.where(norms > 0, norms, 1), 0)
        return kept[:, None] * values


def _product(weight: float, size: float) -> float:
    # What an infinite weight is on is zero by construction.
    return 0.0 if size == 0 else weight * size
