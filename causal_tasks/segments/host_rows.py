"""Rows of a segment that processors read: numpy arrays, memory-mapped or not, or sparse ones.

Rows are read in blocks that fit into a core's cache and used for the linear predictor and for the gradient before the
next block is read: a step of the solver costs one pass over memory. Threads share the blocks; sums over blocks are
taken in their order, so that the number of threads changes nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from causal_tasks.segments.likelihood import Likelihood
from causal_tasks.segments.row_blocks import Block, Part, blocks_of, rows_of, stored_bytes
from causal_tasks.segments.rows import MODEL_SHARE, Coefficients, Residuals, Sweep

BLOCK_BYTES = 2**21
"""Of the covariates of a block: what a core's cache holds."""

THREAD_BYTES = 4 * BLOCK_BYTES
"""Of covariates that are worth a thread: with fewer it takes longer to start than to work."""

GRAM_BYTES = 2**24
"""Of the columns that are multiplied at a time: with its zeros a block of sparse rows may be larger than memory."""

SAMPLED_BLOCKS = 8
"""Of each creative, from which the size of its largest eigenvalue is told."""

POWER_ITERATIONS = 20

ROUNDING = 16
"""Units in the last place by which a linear predictor may be off."""

T = TypeVar("T")


class HostRows:
    """See ``SegmentRows``.

    Args:
        parts: By creative.
        likelihood: Of the responses.
        shift: Shape (p,), taken from every row of the matrices; None: zero.
        threads: That share the blocks.
        arithmetic: Precision of sweeps; None: that of the matrices.
    """

    def __init__(
        self,
        parts: Sequence[Sequence[Part]],
        likelihood: Likelihood,
        shift: Coefficients | None = None,
        *,
        threads: int = 1,
        arithmetic: type[np.float64] | None = None,
    ) -> None:
        self.likelihood = likelihood
        self.counts = np.array([sum(len(response) for _, response in part) for part in parts], dtype=np.intp)
        first = next(matrix for part in parts for matrix, _ in part)
        self.width = int(first.shape[1])
        self._parts, self._shift = parts, shift
        stored = sum(stored_bytes(matrix) for part in parts for matrix, _ in part)
        self._cells = sum(
            matrix.nnz if sparse.issparse(matrix) else matrix.size for part in parts for matrix, _ in part
        )
        self._threads = max(1, min(threads, stored // THREAD_BYTES))
        self._dtype = np.dtype(first.dtype if arithmetic is None else arithmetic)
        self._blocks = list(blocks_of(parts, BLOCK_BYTES))
        self._creative = np.array([block.creative for block in self._blocks])

    @property
    def model_pays(self) -> bool:
        """See ``SegmentRows``."""
        return bool(len(self.counts) * (1 + self.width) ** 2 <= MODEL_SHARE * self._cells)

    def null_intercepts(self) -> Coefficients:
        """See ``SegmentRows``."""
        return self.likelihood.link(self._by_creative([block.response.sum() for block in self._blocks]) / self.counts)

    def start(self, intercept: Coefficients, beta: Coefficients) -> Sweep:
        """See ``SegmentRows``."""
        nothing = np.zeros(int(self.counts.sum()), dtype=self._dtype)
        return self.sweep(Sweep(nothing, nothing, nothing, beta, intercept, 0.0, 0.0), intercept, beta, 0.0)

    def sweep(self, last: Sweep, intercept: Coefficients, beta: Coefficients, momentum: float) -> Sweep:
        """See ``SegmentRows``."""
        logits, ahead, means = (np.empty(len(last.logits), dtype=self._dtype) for _ in range(3))
        constants, slopes = self._constants(intercept, beta).astype(self._dtype), beta.astype(self._dtype)
        step, likelihood = self._dtype.type(momentum), self.likelihood

        def visit(block: Block) -> tuple[Any, ...]:
            creative, rows = block.creative, block.rows
            matrix = block.matrix.astype(self._dtype, copy=False)
            here = matrix @ slopes[creative] + constants[creative]
            there = here + step * (here - last.logits[rows])
            mean = likelihood.mean(there)
            logits[rows], ahead[rows], means[rows] = here, there, mean
            residual = mean - block.response.astype(self._dtype, copy=False)
            change = here - last.ahead[rows]
            weight = np.maximum(likelihood.weight(last.means[rows]), likelihood.weight(likelihood.mean(here)))
            sums = (residual.sum(dtype=np.float64), (weight * change) @ change, (weight * here) @ here)
            return matrix.T @ residual, *map(float, sums)

        products, slope_parts, curvatures, sizes = zip(*self._visit(visit), strict=True)
        slope = self._by_creative(slope_parts)
        gradient = self._shifted(self._by_creative(products), slope)
        rounding = sum(sizes) * (ROUNDING * float(np.finfo(self._dtype).eps)) ** 2
        return Sweep(logits, ahead, means, gradient, slope, float(sum(curvatures)), rounding)

    def loss(self, intercept: Coefficients, beta: Coefficients) -> float:
        """See ``SegmentRows``."""
        constants = self._constants(intercept, beta)

        def visit(block: Block) -> float:
            eta = block.matrix.astype(np.float64, copy=False) @ beta[block.creative] + constants[block.creative]
            return float(self.likelihood.loss(eta, block.response).sum())

        return float(sum(self._visit(visit)))

    def residuals(self, intercept: Coefficients, beta: Coefficients) -> Residuals:
        """See ``SegmentRows``."""
        theta, weight = (np.empty(int(self.counts.sum())) for _ in range(2))
        constants, likelihood = self._constants(intercept, beta), self.likelihood

        def visit(block: Block) -> tuple[float, Coefficients]:
            matrix, response = block.matrix.astype(np.float64, copy=False), block.response
            eta = matrix @ beta[block.creative] + constants[block.creative]
            mean = likelihood.mean(eta)
            both = np.stack([response - mean, likelihood.weight(mean)])
            theta[block.rows], weight[block.rows] = both
            return float(likelihood.loss(eta, response).sum()), (matrix.T @ both.T).T

        losses, products = zip(*self._visit(visit), strict=True)
        theta_sum, weight_sum = self._sums(theta), self._sums(weight)
        by_creative = self._by_creative(products)
        return Residuals(
            loss=float(sum(losses)),
            theta=theta,
            weight=weight,
            theta_sum=theta_sum,
            weight_sum=weight_sum,
            products=self._shifted(by_creative[:, 0], theta_sum),
            weighted=self._shifted(by_creative[:, 1], weight_sum),
        )

    def project(self, residuals: Residuals, intercept: Coefficients, beta: Coefficients | None) -> Residuals:
        """See ``SegmentRows``."""
        if beta is None:
            fitted = np.repeat(intercept, self.counts)
            products = residuals.products - intercept[:, None] * residuals.weighted
            theta = residuals.theta - fitted * residuals.weight
            return replace(residuals, theta=theta, theta_sum=self._sums(theta), products=products)
        theta, constants = np.empty_like(residuals.theta), self._constants(intercept, beta)

        def visit(block: Block) -> Coefficients:
            matrix, rows = block.matrix.astype(np.float64, copy=False), block.rows
            fitted = matrix @ beta[block.creative] + constants[block.creative]
            theta[rows] = residuals.theta[rows] - residuals.weight[rows] * fitted
            return np.asarray(matrix.T @ theta[rows])

        products = self._by_creative(self._visit(visit))
        theta_sum = self._sums(theta)
        return replace(residuals, theta=theta, theta_sum=theta_sum, products=self._shifted(products, theta_sum))

    def dual(self, residuals: Residuals, scale: float) -> float:
        """See ``SegmentRows``."""
        total = 0.0
        for block in self._blocks:
            response = block.response
            expected = response - scale * residuals.theta[block.rows]
            if not self.likelihood.allows(expected):
                return -np.inf
            total += float(self.likelihood.dual(expected, response).sum())
        return total

    def gram(self, residuals: Residuals) -> Coefficients:
        """See ``SegmentRows``."""

        def of_creative(creative: int) -> Coefficients:
            gram = np.zeros((1 + self.width,) * 2)
            for at in np.flatnonzero(self._creative == creative):
                weight = residuals.weight[self._blocks[at].rows, None]
                for rows, columns in self._with_intercept(self._blocks[at]):
                    np.multiply(columns, np.sqrt(weight[rows]), out=columns)
                    gram += columns.T @ columns
            return gram

        # A thread for each creative, not for blocks: sums must not depend on the number of threads.
        return np.array(self._in_threads(of_creative, range(len(self.counts))))

    def largest_eigenvalues(self) -> tuple[float, Coefficients]:
        """See ``SegmentRows``; from a sample of the rows."""
        creatives = range(len(self.counts))
        sampled = [self._sampled(creative) for creative in creatives]
        single = [_largest_eigenvalue(partial(self._product, its), 1 + self.width) for its in sampled]

        def together(direction: Coefficients) -> Coefficients:
            whole = np.concatenate([[0.0], direction])
            return np.asarray(np.sum([self._product(its, whole)[1:] for its in sampled], axis=0))

        return _largest_eigenvalue(together, self.width), np.array(single)

    def columns(self, chosen: NDArray[np.intp]) -> Self:
        """See ``SegmentRows``."""
        parts = [[(matrix[:, chosen], response) for matrix, response in part] for part in self._parts]
        shift = None if self._shift is None else self._shift[chosen]
        return type(self)(parts, self.likelihood, shift, threads=self._threads)

    def in_double(self) -> Self:
        """See ``SegmentRows``."""
        if self._dtype == np.float64:
            return self
        return type(self)(self._parts, self.likelihood, self._shift, threads=self._threads, arithmetic=np.float64)

    def _constants(self, intercept: Coefficients, beta: Coefficients) -> Coefficients:
        return intercept if self._shift is None else intercept - beta @ self._shift

    def _shifted(self, products: Coefficients, sums: Coefficients) -> Coefficients:
        return products if self._shift is None else products - sums[:, None] * self._shift

    def _sampled(self, creative: int) -> list[tuple[Block, float]]:
        """Some blocks of a creative, evenly spaced, and how many of its rows each row of them stands for."""
        own = np.flatnonzero(self._creative == creative)
        blocks = [self._blocks[at] for at in own[:: -(-len(own) // SAMPLED_BLOCKS)]]
        stands_for = float(self.counts[creative] / sum(len(block.response) for block in blocks))
        return [(block, stands_for) for block in blocks]

    def _product(self, sampled: Sequence[tuple[Block, float]], direction: Coefficients) -> Coefficients:
        """[1, X]' [1, X] direction over some blocks, shape (1 + p,)."""
        constant = float(self._constants(direction[:1], direction[None, 1:])[0])
        total = np.zeros(1 + self.width)
        for block, stands_for in sampled:
            fitted = stands_for * (block.matrix @ direction[1:] + constant)
            total[0] += fitted.sum()
            total[1:] += block.matrix.T @ fitted
        total[1:] = self._shifted(total[None, 1:], total[:1])[0]
        return total

    def _with_intercept(self, block: Block) -> Iterator[tuple[slice, Coefficients]]:
        """[1, X] of a few rows at a time, and where they are in the block."""
        step = max(1, GRAM_BYTES // (8 * (1 + self.width)))
        for start in range(0, len(block.response), step):
            rows = slice(start, min(start + step, len(block.response)))
            matrix = rows_of(block.matrix, rows.start, rows.stop)
            dense = matrix.toarray() if sparse.issparse(matrix) else matrix
            columns = np.concatenate([np.ones((len(dense), 1)), dense], axis=1)
            if self._shift is not None:
                columns[:, 1:] -= self._shift
            yield rows, columns

    def _by_creative(self, values: Sequence[Any]) -> Coefficients:
        total = np.zeros((len(self.counts), *np.shape(values[0])))
        np.add.at(total, self._creative, np.array(values, dtype=np.float64))
        return total

    def _sums(self, values: Coefficients) -> Coefficients:
        return np.array([part.sum() for part in np.split(values, np.cumsum(self.counts)[:-1])])

    def _visit(self, visit: Callable[[Block], T]) -> list[T]:
        def visit_share(share: NDArray[np.intp]) -> list[T]:
            # A step that was too long may overflow, and is taken back; threads start with settings of their own.
            with np.errstate(over="ignore", invalid="ignore"):
                return [visit(self._blocks[at]) for at in share]

        shares = np.array_split(np.arange(len(self._blocks)), self._threads)
        return [result for results in self._in_threads(visit_share, shares) for result in results]

    def _in_threads(self, work: Callable[[Any], T], shares: Iterable[Any]) -> list[T]:
        if self._threads == 1:
            return [work(share) for share in shares]
        with ThreadPoolExecutor(self._threads) as pool:
            return list(pool.map(work, shares))


def _largest_eigenvalue(product: Callable[[Coefficients], Coefficients], width: int) -> float:
    """By the power method, from below."""
    direction, size = np.ones(width) + np.arange(width) % 7, 0.0
    for _ in range(POWER_ITERATIONS):
        direction = product(direction)
        size = float(np.linalg.norm(direction))
        if size == 0:
            break
        direction /= size
    return size
