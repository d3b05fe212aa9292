"""Rows of a segment that torch reads, on a GPU, where they lie from the first pass to the last.

A pass works on all people at once, but for the products with covariates: they are taken piece by piece, so that what is
stored in single precision is summed, and for certificates computed, in double precision within bounded memory.
Sparse rows are held twice, by row and by column: torch multiplies by neither's transpose.
"""

import warnings
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from causal_tasks.segments.host_rows import POWER_ITERATIONS, ROUNDING
from causal_tasks.segments.likelihood import Likelihood
from causal_tasks.segments.row_blocks import Part, blocks_of
from causal_tasks.segments.rows import MODEL_SHARE, Coefficients, Residuals, Sweep
from causal_tasks.uplift.networks.fitted import require_device

PIECE_BYTES = 2**26
"""Of the covariates of a piece, about."""

GRAM_COLUMNS = 128
"""Of the Gram matrices that are computed at a time."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some rows of one creative.

    Attributes:
        creative: Position among the segment's.
        rows: Where its people are among all of the segment.
        matrix: Shape (rows, p), strided or CSR.
        transposed: The same, transposed.
    """

    creative: int
    rows: slice
    matrix: torch.Tensor
    transposed: torch.Tensor

    @property
    def cells(self) -> int:
        """Numbers that are stored."""
        return (self.matrix if self.matrix.layout is torch.strided else self.matrix.values()).numel()

    def both(self, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
        """Matrix and transposed in another precision."""
        matrix = self.matrix.to(dtype)
        return matrix, matrix.T if matrix.layout is torch.strided else self.transposed.to(dtype)

    def columns(self, chosen: torch.Tensor) -> "Piece":
        """The same people with these covariates alone."""
        if self.matrix.layout is torch.strided:
            matrix = self.matrix[:, chosen]
            return Piece(self.creative, self.rows, matrix, matrix.T)
        place = torch.full((self.matrix.shape[1],), -1, device=chosen.device)
        place[chosen] = torch.arange(len(chosen), device=chosen.device)
        covariate = place[self.matrix.col_indices().long()]
        kept = covariate >= 0
        cells = (_line(self.matrix)[kept], covariate[kept], self.matrix.values()[kept])
        return Piece(self.creative, self.rows, *_sparse(*cells, people=self.matrix.shape[0], covariates=len(chosen)))


class TorchRows:
    """See ``SegmentRows``.

    Args:
        parts: By creative.
        likelihood: Of the responses.
        shift: Shape (p,), taken from every row of the matrices; None: zero.
        device: That holds them.

    Raises:
        ConfigurationError: There is no GPU where one is asked for.
    """

    def __init__(
        self,
        parts: Sequence[Sequence[Part]],
        likelihood: Likelihood,
        shift: Coefficients | None = None,
        *,
        device: str,
    ) -> None:
        require_device(device)
        self.likelihood = likelihood
        self.counts = np.array([sum(len(response) for _, response in part) for part in parts], dtype=np.intp)
        self._shift, self._device = shift, device
        blocks = list(blocks_of(parts, PIECE_BYTES))
        self._pieces = [Piece(block.creative, block.rows, *_held(block.matrix, device)) for block in blocks]
        self.width = int(blocks[0].matrix.shape[1])
        self._dtype = self._pieces[0].matrix.dtype
        self._response = self._double(np.concatenate([block.response for block in blocks]))
        self._creative = torch.as_tensor(np.repeat(np.arange(len(parts)), self.counts), device=device)

    @property
    def model_pays(self) -> bool:
        """See ``SegmentRows``."""
        cells = sum(piece.cells for piece in self._pieces)
        return bool(len(self.counts) * (1 + self.width) ** 2 <= MODEL_SHARE * cells)

    def null_intercepts(self) -> Coefficients:
        """See ``SegmentRows``."""
        return self.likelihood.link(self._sums(self._response) / self.counts)

    def start(self, intercept: Coefficients, beta: Coefficients) -> Sweep:
        """See ``SegmentRows``."""
        nothing = torch.zeros(len(self._response), dtype=self._dtype, device=self._device)
        return self.sweep(Sweep(nothing, nothing, nothing, beta, intercept, 0.0, 0.0), intercept, beta, 0.0)

    def sweep(self, last: Sweep, intercept: Coefficients, beta: Coefficients, momentum: float) -> Sweep:
        """See ``SegmentRows``."""
        likelihood = self.likelihood
        logits = self._predictors(intercept, beta, self._dtype)
        ahead = logits + momentum * (logits - last.logits)
        means = likelihood.mean(ahead, torch)
        slope, gradient = self._products(means - self._response.to(self._dtype))
        weight = torch.maximum(likelihood.weight(last.means), likelihood.weight(likelihood.mean(logits, torch)))
        curvature, size = (
            float((weight * values**2).sum(dtype=torch.float64)) for values in (logits - last.ahead, logits)
        )
        rounding = size * (ROUNDING * torch.finfo(self._dtype).eps) ** 2
        return Sweep(logits, ahead, means, gradient, slope, curvature, rounding)

    def loss(self, intercept: Coefficients, beta: Coefficients) -> float:
        """See ``SegmentRows``."""
        eta = self._predictors(intercept, beta, torch.float64)
        return float(self.likelihood.loss(eta, self._response, torch).sum())

    def residuals(self, intercept: Coefficients, beta: Coefficients) -> Residuals:
        """See ``SegmentRows``."""
        theta, weight = torch.empty_like(self._response), torch.empty_like(self._response)
        constants, slopes = self._constants(intercept, beta), self._double(beta)
        products, loss = self._zeros(2, len(self.counts), self.width), 0.0
        for piece in self._pieces:
            (matrix, transposed), rows = piece.both(torch.float64), piece.rows
            eta = matrix @ slopes[piece.creative] + float(constants[piece.creative])
            mean, response = self.likelihood.mean(eta, torch), self._response[rows]
            theta[rows], weight[rows] = response - mean, self.likelihood.weight(mean)
            products[:, piece.creative] += (transposed @ torch.stack([theta[rows], weight[rows]], dim=1)).T
            loss += float(self.likelihood.loss(eta, response, torch).sum())
        theta_sum, weight_sum = self._sums(theta), self._sums(weight)
        of_theta, of_weight = products.cpu().numpy()
        return Residuals(
            loss=loss,
            theta=theta,
            weight=weight,
            theta_sum=theta_sum,
            weight_sum=weight_sum,
            products=self._shifted(of_theta, theta_sum),
            weighted=self._shifted(of_weight, weight_sum),
        )

    def project(self, residuals: Residuals, intercept: Coefficients, beta: Coefficients | None) -> Residuals:
        """See ``SegmentRows``."""
        if beta is None:
            theta = residuals.theta - residuals.weight * self._by_person(intercept)
            products = residuals.products - intercept[:, None] * residuals.weighted
            return replace(residuals, theta=theta, theta_sum=self._sums(theta), products=products)
        theta, found = torch.empty_like(residuals.theta), self._zeros(len(self.counts), self.width)
        constants, slopes = self._constants(intercept, beta), self._double(beta)
        for piece in self._pieces:
            (matrix, transposed), rows = piece.both(torch.float64), piece.rows
            fitted = matrix @ slopes[piece.creative] + float(constants[piece.creative])
            theta[rows] = residuals.theta[rows] - residuals.weight[rows] * fitted
            found[piece.creative] += transposed @ theta[rows]
        theta_sum = self._sums(theta)
        products = self._shifted(found.cpu().numpy(), theta_sum)
        return replace(residuals, theta=theta, theta_sum=theta_sum, products=products)

    def dual(self, residuals: Residuals, scale: float) -> float:
        """See ``SegmentRows``."""
        expected = self._response - scale * residuals.theta
        if not self.likelihood.allows(expected):
            return -np.inf
        return float(self.likelihood.dual(expected, self._response, torch).sum())

    def gram(self, residuals: Residuals) -> Coefficients:
        """See ``SegmentRows``."""
        basis = torch.eye(self.width, dtype=torch.float64, device=self._device)
        shift = self._double(np.zeros(self.width) if self._shift is None else self._shift)
        grams = self._zeros(len(self.counts), 1 + self.width, 1 + self.width)
        for piece in self._pieces:
            (matrix, transposed), own = piece.both(torch.float64), grams[piece.creative]
            weight = residuals.weight[piece.rows, None]
            own[0, 0] += weight.sum()
            for start in range(0, self.width, GRAM_COLUMNS):
                some = slice(start, start + GRAM_COLUMNS)
                weighted = weight * (matrix @ basis[:, some] - shift[some])
                sums = weighted.sum(dim=0)
                own[0, 1:][some] += sums
                own[1:, 0][some] += sums
                own[1:, 1:][:, some] += transposed @ weighted - shift[:, None] * sums
        return np.asarray(grams.cpu().numpy())

    def largest_eigenvalues(self) -> tuple[float, Coefficients]:
        """See ``SegmentRows``."""
        return float(self._largest(together=True)[0]), self._largest(together=False)

    def columns(self, chosen: NDArray[np.intp]) -> Self:
        """See ``SegmentRows``."""
        places, subset = torch.as_tensor(chosen, device=self._device), copy(self)
        vars(subset).update(
            width=len(chosen),
            _shift=None if self._shift is None else self._shift[chosen],
            _pieces=[piece.columns(places) for piece in self._pieces],
        )
        return subset

    def in_double(self) -> Self:
        """See ``SegmentRows``."""
        same = copy(self)
        vars(same).update(_dtype=torch.float64)
        return same

    def _predictors(self, intercept: Coefficients, beta: Coefficients, dtype: torch.dtype) -> torch.Tensor:
        eta = self._by_person(self._constants(intercept, beta)).to(dtype)
        slopes = self._double(beta).to(dtype)
        for piece in self._pieces:
            eta[piece.rows] += piece.matrix.to(dtype) @ slopes[piece.creative]
        return eta

    def _products(self, values: torch.Tensor) -> tuple[Coefficients, Coefficients]:
        """Sums over the people of every creative, and sums of products with their covariates."""
        products = self._zeros(len(self.counts), self.width)
        for piece in self._pieces:
            products[piece.creative] += piece.transposed.to(self._dtype) @ values[piece.rows]
        sums = self._sums(values)
        return sums, self._shifted(products.cpu().numpy(), sums)

    def _largest(self, *, together: bool) -> Coefficients:
        """By the power method, from below: of each creative, or of the covariates of all."""
        directions = np.tile(np.ones(1 + self.width) + np.arange(1 + self.width) % 7, (len(self.counts), 1))
        for _ in range(POWER_ITERATIONS):
            directions[:, 0] *= not together
            values = self._predictors(directions[:, 0], directions[:, 1:], self._dtype)
            directions = np.column_stack(self._products(values))
            if together:
                directions[:, 0] = 0
                directions[:] = directions.sum(axis=0)
            sizes = np.linalg.norm(directions, axis=1)
            directions /= np.where(sizes > 0, sizes, 1)[:, None]
        return np.asarray(sizes)

    def _constants(self, intercept: Coefficients, beta: Coefficients) -> Coefficients:
        return intercept if self._shift is None else intercept - beta @ self._shift

    def _shifted(self, products: Coefficients, sums: Coefficients) -> Coefficients:
        return products if self._shift is None else products - sums[:, None] * self._shift

    def _by_person(self, values: Coefficients) -> torch.Tensor:
        return self._double(values)[self._creative]

    def _sums(self, values: torch.Tensor) -> Coefficients:
        # By part: adding at indices takes a GPU's threads in any order.
        ends = np.cumsum(self.counts)
        parts = [
            values[end - count : end].sum(dtype=torch.float64) for end, count in zip(ends, self.counts, strict=True)
        ]
        return np.asarray(torch.stack(parts).cpu().numpy())

    def _double(self, values: Coefficients) -> torch.Tensor:
        return torch.as_tensor(values, dtype=torch.float64, device=self._device)

    def _zeros(self, *shape: int) -> torch.Tensor:
        return torch.zeros(shape, dtype=torch.float64, device=self._device)


def _held(matrix: Any, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """A matrix and its transpose on a device."""
    if not sparse.issparse(matrix):
        # A copy: a file's pages are read-only, which torch does not know.
        strided = torch.tensor(matrix, device=device)
        return strided, strided.T
    person = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    cells = (torch.tensor(values, device=device) for values in (person, matrix.indices, matrix.data))
    people, covariates = matrix.shape
    return _sparse(*cells, people=people, covariates=covariates)


def _sparse(
    person: torch.Tensor, covariate: torch.Tensor, value: torch.Tensor, *, people: int, covariates: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """A matrix and its transpose from cells in order of people."""
    order = covariate.argsort(stable=True)
    matrix = _csr(person, covariate, value, (people, covariates))
    return matrix, _csr(covariate[order], person[order], value[order], (covariates, people))


def _csr(line: torch.Tensor, across: torch.Tensor, value: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    ends = torch.zeros(shape[0] + 1, dtype=torch.int32, device=line.device)
    ends[1:] = line.bincount(minlength=shape[0]).cumsum(dim=0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(ends, across.int(), value, shape, check_invariants=False)


def _line(matrix: torch.Tensor) -> torch.Tensor:
    """Row of every cell of a CSR matrix."""
    lengths = matrix.crow_indices().diff()
    return torch.arange(len(lengths), device=matrix.device).repeat_interleave(lengths)
