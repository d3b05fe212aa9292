"""Puts the terms of people on one scale, however they are held."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Vector = NDArray[np.float64]

_ROUNDING = 1e-12
"""Deviation of a column, relative to its mean, that rounding alone can give."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Of columns over some people.

    Attributes:
        count: People.
        mean: Shape (p,).
        squares: Sum of squared deviations from the mean, shape (p,).
    """

    count: int
    mean: Vector
    squares: Vector

    @classmethod
    def of(cls, blocks: Iterator[Any]) -> Self:
        """Of people read in blocks, dense or CSR."""
        return cls.pooled([cls._of_block(block) for block in blocks])

    @classmethod
    def _of_block(cls, block: Any) -> Self:
        people, width = block.shape
        mean = np.asarray(block.mean(axis=0), dtype=np.float64).ravel()
        if not sparse.issparse(block):
            return cls(people, mean, ((block - mean) ** 2).sum(axis=0))
        stored = np.bincount(block.indices, minlength=width)
        squares = np.bincount(block.indices, (block.data - mean[block.indices]) ** 2, minlength=width)
        return cls(people, mean, squares + (people - stored) * mean**2)

    @classmethod
    def pooled(cls, parts: Sequence[Self]) -> Self:
        """Of the people of all parts."""
        counts = np.array([part.count for part in parts])
        means, squares = (
            np.array(values) for values in zip(*((part.mean, part.squares) for part in parts), strict=True)
        )
        mean = counts @ means / counts.sum()
        return cls(int(counts.sum()), mean, squares.sum(axis=0) + counts @ (means - mean) ** 2)

    @property
    def deviation(self) -> Vector:
        """Standard deviation, 1 where a column is constant, shape (p,)."""
        deviation = np.sqrt(self.squares / self.count)
        return np.asarray(np.where(deviation > _ROUNDING * np.abs(self.mean), deviation, 1.0))


@dataclass(frozen=True, slots=True)
class Scaling:
    """What is taken from every column, and what it is divided by then.

    Attributes:
        centre: Shape (p,).
        scale: Shape (p,).
    """

    centre: Vector
    scale: Vector

    @classmethod
    def none(cls, width: int) -> Self:
        """That leaves columns as they are."""
        return cls(np.zeros(width), np.ones(width))

    @classmethod
    def standard(cls, moments: Moments) -> Self:
        """That gives mean 0 and variance 1.

        Both are ``rounded``, so that they do not depend on the order in which people are added up.
        """
        return cls(rounded(moments.mean), rounded(moments.deviation))

    @property
    def shift(self) -> Vector:
        """What is still to be taken from sparse columns, shape (p,)."""
        return self.centre / self.scale

    def applied(self, block: Any) -> Any:
        """Some rows in double precision, scaled; an array is centred, a CSR matrix is not."""
        if not sparse.issparse(block):
            return (block - self.centre) / self.scale
        values = block.data / self.scale[block.indices]
        return sparse.csr_matrix((values, block.indices, block.indptr), shape=block.shape)


def rounded(values: Vector) -> Vector:
    """Numbers to the 24 binary digits that single precision has, but with the range of double precision."""
    mantissa, exponent = np.frexp(values)
    return np.asarray(np.ldexp(np.round(np.ldexp(mantissa, 24)), exponent - 24))
