"""Simulated experiments with creatives made for segments of people, whose response to every creative is known."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import expit, logit

from causal_tasks.errors import InputError

Vector = NDArray[np.float64]
Codes = NDArray[np.intp]
Rows = Any
"""Covariates, shape (n, p), float32: an array, or a ``scipy.sparse`` matrix in CSR form."""

BLOCKS = 20
"""Columns of text behind sparse covariates: each row has one non-zero in each of them."""

_CHUNK = 50_000
"""Rows that are drawn, or whose probabilities are computed, at a time."""


class _Population(Protocol):
    """Where covariates come from."""

    @property
    def mean(self) -> Vector:
        """Of every covariate, shape (p,)."""

    def deviation(self, coefficients: Vector) -> float:
        """Standard deviation over people of ``x @ coefficients``."""

    def draw(self, rows: int, random: np.random.Generator) -> Rows:
        """So many people."""


@dataclass(frozen=True, slots=True)
class _Normal:
    """Standard normal numbers, each pair of which has the same correlation, by a factor that all of them share."""

    covariates: int
    correlation: float

    @property
    def mean(self) -> Vector:
        return np.zeros(self.covariates)

    def deviation(self, coefficients: Vector) -> float:
        own, common = np.sum(coefficients**2), np.sum(coefficients) ** 2
        return float(np.sqrt((1 - self.correlation) * own + self.correlation * common))

    def draw(self, rows: int, random: np.random.Generator) -> Rows:
        X = np.empty((rows, self.covariates), dtype=np.float32)
        shared, own = (np.float32(np.sqrt(share)) for share in (self.correlation, 1 - self.correlation))
        for begin in range(0, rows, _CHUNK):
            block = X[begin : begin + _CHUNK]
            random.standard_normal(out=block, dtype=np.float32)
            block *= own
            block += shared * random.standard_normal((len(block), 1), dtype=np.float32)
        return X


@dataclass(frozen=True, slots=True)
class _Levels:
    """Indicators of the levels of ``BLOCKS`` columns of text; the l-th level of a column is 1 / l times as common."""

    covariates: int

    @property
    def _shares(self) -> Vector:
        """Of the levels of one column."""
        inverse = 1 / np.arange(1.0, self.covariates // BLOCKS + 1)
        shares: Vector = inverse / inverse.sum()
        return shares

    @property
    def mean(self) -> Vector:
        return np.tile(self._shares, BLOCKS)

    def deviation(self, coefficients: Vector) -> float:
        by_column, shares = coefficients.reshape(BLOCKS, -1), self._shares
        return float(np.sqrt(np.sum(by_column**2 @ shares - (by_column @ shares) ** 2)))

    def draw(self, rows: int, random: np.random.Generator) -> Rows:
        levels = self.covariates // BLOCKS
        upper = self._shares.cumsum()[:-1]
        indices = np.empty((rows, BLOCKS), dtype=np.int32)
        for begin in range(0, rows, _CHUNK):
            block = indices[begin : begin + _CHUNK]
            block[:] = np.searchsorted(upper, random.random(block.shape), side="right")
            block += np.arange(0, self.covariates, levels, dtype=np.int32)
        ones = np.ones(rows * BLOCKS, dtype=np.float32)
        begins = np.arange(0, rows * BLOCKS + 1, BLOCKS, dtype=np.int32)
        return csr_array((ones, indices.ravel(), begins), shape=(rows, self.covariates))


@dataclass(frozen=True, slots=True)
class CreativeProblem:
    """People who saw one creative each, drawn at random with equal probabilities, and the truth behind their response.

    The log-odds of a response of person i to creative k of segment j are
    ``intercept[k] + X[i] @ (gamma[j] + delta[k])``.

    Attributes:
        X: Covariates, shape (n, p), float32; CSR where sparse.
        creative: Position of the creative that was shown, shape (n,).
        response: 0 or 1, shape (n,).
        creatives: Names, K, by segment: ``message_1``, …
        segments: Names, m: ``segment_1``, …
        segment_of: Position of every creative's segment, shape (K,).
        gamma: What the creatives of a segment share, shape (m, p).
        delta: What a creative adds, shape (K, p); zeros where it agrees with its segment.
        intercept: Shape (K,).
    """

    X: Rows
    creative: Codes
    response: Vector
    creatives: tuple[str, ...]
    segments: tuple[str, ...]
    segment_of: Codes
    gamma: Vector
    delta: Vector
    intercept: Vector
    _population: _Population = field(repr=False)

    @property
    def segment(self) -> dict[str, str]:
        """Segment by creative, names."""
        return {name: self.segments[at] for name, at in zip(self.creatives, self.segment_of, strict=True)}

    def probabilities(self) -> Vector:
        """Of a response to every creative, shape (n, K)."""
        beta = (self.gamma[self.segment_of] + self.delta).T
        found = np.empty((self.X.shape[0], len(self.creatives)))
        for begin in range(0, len(found), _CHUNK):
            rows = slice(begin, begin + _CHUNK)
            found[rows] = expit(self.X[rows] @ beta + self.intercept)
        return found

    def segment_probabilities(self) -> Vector:
        """Of a response to a creative of every segment, each of which is equally likely, shape (n, m)."""
        mixed = np.zeros((len(self.creatives), len(self.segments)))
        mixed[np.arange(len(self.creatives)), self.segment_of] = 1 / np.bincount(self.segment_of)[self.segment_of]
        return self.probabilities() @ mixed

    def others(self, rows: int, *, seed: int) -> "CreativeProblem":
        """Other people, to whom the same truth applies.

        Args:
            rows: People, at least one.
            seed: Of who they are, what they see and whether they respond.

        Raises:
            InputError: ``rows`` is below one.
        """
        if rows < 1:
            raise InputError(f"a problem of {rows} people", remedy="ask for at least one")
        random = np.random.default_rng(seed)
        X = self._population.draw(rows, random)
        creative = random.integers(0, len(self.creatives), rows)
        beta = self.gamma[self.segment_of] + self.delta
        log_odds = self.intercept[creative]
        for begin in range(0, rows, _CHUNK):
            block = slice(begin, begin + _CHUNK)
            every = X[block] @ beta.T
            log_odds[block] += np.take_along_axis(every, creative[block, None], axis=1)[:, 0]
        response = (random.random(rows) < expit(log_odds)).astype(np.float64)
        return CreativeProblem(
            X,
            creative,
            response,
            self.creatives,
            self.segments,
            self.segment_of,
            self.gamma,
            self.delta,
            self.intercept,
            self._population,
        )


def creative_problem(
    rows: int,
    covariates: int,
    segments: int,
    creatives_per_segment: int | Sequence[int],
    *,
    shared: int = 8,
    apart: int = 0,
    strength: float = 0.6,
    departure: float = 0.6,
    appeal: float = 0.1,
    base_rate: float = 0.1,
    correlation: float = 0.2,
    sparse: bool = False,
    seed: int,
) -> CreativeProblem:
    """Draw a truth, and people who saw a creative each.

    Memory is that of the covariates, 4 bytes for each number of a dense problem, 160 for a row of a sparse one, and
    less than 200 MB besides.

    Args:
        rows: People, at least one.
        covariates: p; of a sparse problem a multiple of 20, the number of columns of text behind them.
        segments: m, at least one.
        creatives_per_segment: The same number for all of them, or one for each.
        shared: Covariates that decide on the response to a segment's creatives, other ones for each segment where p
            suffices, with equal coefficients of random sign.
        apart: Creatives of each segment, its last ones, that depart from what it shares; where a segment has no more
            creatives, all of them do.
        strength: Standard deviation over people of what a segment's creatives share, in log-odds; 0: nothing.
        departure: The same of what a creative that departs adds: as many covariates as ``shared``, drawn anew.
        appeal: Standard deviation over creatives of the intercept.
        base_rate: Probability of a response at mean covariates.
        correlation: Of each pair of covariates of a dense problem.
        sparse: Indicators of levels, 20 of each row are 1, in place of normal numbers.
        seed: Of all draws.

    Raises:
        InputError: An argument is out of range.
    """
    sizes = [creatives_per_segment] * segments if isinstance(creatives_per_segment, int) else creatives_per_segment
    _check(covariates, segments, sizes, shared=shared, apart=apart, sparse=sparse)
    _check_shares(base_rate, correlation)
    random = np.random.default_rng([seed, 0])  # the people come from the plain seed
    population: _Population = _Levels(covariates) if sparse else _Normal(covariates, correlation)
    segment_of = np.repeat(np.arange(segments), sizes)
    order = np.resize(random.permutation(covariates), segments * shared)
    gamma = np.array(
        [_coefficients(population, order[j * shared : (j + 1) * shared], strength, random) for j in range(segments)]
    )
    delta = np.zeros((len(segment_of), covariates))
    ends = np.cumsum(sizes)
    for k in np.flatnonzero(np.arange(len(segment_of)) >= (ends - apart)[segment_of]):
        delta[k] = _coefficients(population, random.permutation(covariates)[:shared], departure, random)
    intercept = logit(base_rate) + appeal * random.standard_normal(len(segment_of))
    intercept -= (gamma[segment_of] + delta) @ population.mean
    nobody = CreativeProblem(
        X=population.draw(0, random),
        creative=np.empty(0, dtype=np.intp),
        response=np.empty(0),
        creatives=tuple(f"message_{k}" for k in range(1, len(segment_of) + 1)),
        segments=tuple(f"segment_{j}" for j in range(1, segments + 1)),
        segment_of=segment_of,
        gamma=gamma,
        delta=delta,
        intercept=intercept,
        _population=population,
    )
    return nobody.others(rows, seed=seed)


def _coefficients(population: _Population, at: Codes, strength: float, random: np.random.Generator) -> Vector:
    """Of equal size and random sign at the covariates ``at``, so that the linear form has the deviation asked for."""
    coefficients = np.zeros(len(population.mean))
    coefficients[at] = random.choice([-1.0, 1.0], len(at))
    return coefficients * (strength / population.deviation(coefficients))


def _check(covariates: int, segments: int, sizes: Sequence[int], *, shared: int, apart: int, sparse: bool) -> None:
    if segments < 1 or len(sizes) != segments or min(sizes) < 1:
        raise InputError(
            f"{segments} segments with {list(sizes)} creatives", remedy="give each of at least one segment a creative"
        )
    if not 1 <= shared <= covariates:
        raise InputError(f"shared is {shared} of {covariates} covariates", remedy=f"choose 1 to {covariates}")
    if apart < 0:
        raise InputError(f"apart is {apart}", remedy="choose 0 (all creatives agree) or more")
    if sparse and covariates % BLOCKS:
        raise InputError(f"{covariates} sparse covariates", remedy=f"choose a multiple of {BLOCKS}")


def _check_shares(base_rate: float, correlation: float) -> None:
    if not 0 < base_rate < 1:
        raise InputError(f"base_rate {base_rate} is no probability", remedy="choose a number between 0 and 1")
    if not 0 <= correlation < 1:
        raise InputError(f"correlation is {correlation}", remedy="choose a number from 0 to below 1")
