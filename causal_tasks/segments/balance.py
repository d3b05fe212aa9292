"""Whether creatives were shown at random: people shown different ones are alike in what was known of them before."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from causal_tasks.segments.covariate_columns import Term
from causal_tasks.segments.covariates import Matrix

LEVEL = 0.001
"""Probability, at most, of flagging creatives that were shown at random."""

MOST_NAMED = 10

BLOCK_VALUES = 2**22
"""Covariates read at a time, so that memory-mapped rows take little of it."""

Vector = NDArray[np.float64]


class UnbalancedExposureWarning(UserWarning):
    """Creatives were not shown at random: what is learned may be differences between people, not between creatives."""


@dataclass(frozen=True, slots=True)
class Imbalance:
    """How people shown one creative differ from all others in one covariate.

    Attributes:
        term: The covariate.
        creative: The creative.
        difference: Mean of those shown it minus that of the others, in standard deviations among everybody.
        p_value: Two-sided, adjusted for everything that was compared.
    """

    term: Term
    creative: str
    difference: float
    p_value: float


@dataclass(frozen=True, slots=True)
class ExposureBalance:
    """Whether creatives can have been shown at random.

    Attributes:
        p_value: Of people shown different creatives being alike in every covariate.
        flagged: Whether that is below the level asked for.
        largest_difference: Largest absolute difference in standard deviations, of whatever covariate and creative.
        largest: What is least likely by chance, first.
    """

    p_value: float
    flagged: bool
    largest_difference: float
    largest: tuple[Imbalance, ...]


@dataclass(frozen=True, slots=True)
class ColumnMoments:
    """What is compared of every column; a constant added to a column changes nothing of it.

    Attributes:
        counts: People shown each creative, shape (K,).
        means: Among these, shape (K, p).
        deviation: Standard deviation among everybody, shape (p,).
        low: Smallest value, shape (p,).
        high: Largest value, shape (p,).
    """

    counts: NDArray[np.intp]
    means: Vector
    deviation: Vector
    low: Vector
    high: Vector

    @classmethod
    def of(cls, rows: Sequence[Matrix]) -> Self:
        """One pass over the people shown each creative, shape (n_k, p) each."""
        counts = np.array([matrix.shape[0] for matrix in rows], dtype=np.intp)
        width = int(rows[0].shape[1])
        sums, squares = np.zeros((len(rows), width)), np.zeros(width)
        low, high = np.full(width, np.inf), np.full(width, -np.inf)
        for creative, block in _blocks(rows):
            total, square, least, most = _summed(block)
            sums[creative] += total
            squares += square
            low, high = np.minimum(low, least), np.maximum(high, most)
        variance = squares / counts.sum() - (sums.sum(axis=0) / counts.sum()) ** 2
        # Where all values are one number, rounding leaves a little.
        deviation = np.where(high > low, np.sqrt(np.maximum(variance, 0)), 0.0)
        return cls(counts, sums / counts[:, None], deviation, low, high)


def exposure_balance(
    moments: ColumnMoments,
    *,
    creatives: Sequence[str],
    terms: Sequence[Term],
    level: float = LEVEL,
    most_named: int = MOST_NAMED,
) -> ExposureBalance:
    """Whether people shown different creatives are as alike as chance makes them.

    The mean of every covariate among those shown a creative is compared with that of all others. The p-value is
    Bennett's bound on the probability of so large an excess if chance alone decides who is shown what, with the shares
    observed. It knows the range of the covariate and so holds for few people and for indicators of rare levels, where
    the normal and the chi-squared distribution promise too little; where these are good, a difference must be somewhat
    larger to be flagged. Bonferroni's factor allows for all that is compared. Where whole clusters were shown a
    creative, people are not independent, and the p-value is too small.

    Args:
        moments: Of K creatives and p columns.
        creatives: Names, K of them.
        terms: What the columns are, p of them.
        level: p-value below which exposure is flagged.
        most_named: Length of ``largest``, at most.

    Source: Bennett (1962), "Probability inequalities for the sum of independent random variables".
    """
    n, counts = int(moments.counts.sum()), moments.counts.astype(np.float64)[:, None]
    varying = moments.deviation > 0
    if len(counts) < 2 or not varying.any():
        return ExposureBalance(1.0, flagged=False, largest_difference=0.0, largest=())
    scale = np.where(varying, moments.deviation, 1.0)
    overall = moments.counts @ moments.means / n
    centred, low, high = ((values - overall) / scale * varying for values in (moments.means, moments.low, moments.high))
    share = counts / n
    excess = counts * centred
    # One person adds (1{shown} - share) x to the excess; it is bounded on the side to which the excess lies.
    bound = np.where(
        excess > 0, np.maximum((1 - share) * high, -share * low), np.maximum(-(1 - share) * low, share * high)
    )
    log_tail = _log_bennett(np.abs(excess), n * share * (1 - share), bound)
    compared = 2 * len(counts) * int(varying.sum())
    p_value = np.minimum(compared * np.exp(log_tail), 1.0)
    difference = centred / (1 - share)
    first = np.argsort(log_tail, axis=None, kind="stable")[:most_named]
    largest = tuple(
        Imbalance(terms[j], creatives[k], float(difference[k, j]), float(p_value[k, j]))
        for k, j in zip(*np.unravel_index(first, log_tail.shape), strict=True)
        if varying[j]
    )
    least = float(p_value.min())
    return ExposureBalance(least, least < level, float(np.abs(difference).max()), largest)


def _log_bennett(excess: Vector, variance: Vector, bound: Vector) -> Vector:
    """Logarithm of Bennett's bound on the probability that a sum is at least ``excess`` above its mean.

    Args:
        excess: Zero or more.
        variance: Of the sum.
        bound: Of every summand.
    """
    u = bound * excess / variance
    large = np.maximum(u, 1e-4)
    shape = np.where(u < large, 1 / 2 - u / 6, ((1 + large) * np.log1p(large) - large) / large**2)
    return np.asarray(-(excess**2) / variance * shape)


def _blocks(rows: Sequence[Matrix]) -> Iterator[tuple[int, Any]]:
    """Position of a creative and some of its rows."""
    for creative, matrix in enumerate(rows):
        step = max(1, BLOCK_VALUES // matrix.shape[1])
        for start in range(0, matrix.shape[0], step):
            yield creative, matrix[start : start + step]


def _summed(block: Any) -> tuple[Vector, Vector, Vector, Vector]:
    """Sum, sum of squares, least and largest of every column, shape (p,) each."""
    if sparse.issparse(block):
        values = block.astype(np.float64)
        least, most = (np.asarray(extreme(axis=0).todense()).ravel() for extreme in (values.min, values.max))
        return _column_sums(values), _column_sums(values.multiply(values)), least, most
    values = np.asarray(block, dtype=np.float64)
    return values.sum(axis=0), np.einsum("ij,ij->j", values, values), values.min(axis=0), values.max(axis=0)


def _column_sums(matrix: Any) -> Vector:
    return np.asarray(matrix.sum(axis=0)).ravel()
