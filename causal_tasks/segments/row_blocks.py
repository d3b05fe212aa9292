"""Rows cut into blocks, each of one creative, without a copy."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Part = tuple[Any, NDArray[np.float64]]
"""Some people of one creative: a matrix of shape (n, p), dense or CSR, and their responses, shape (n,)."""


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows of one creative.

    Attributes:
        creative: Position among the segment's.
        rows: Where its people are among all of the segment.
        matrix: Shape (rows, p).
        response: Shape (rows,).
    """

    creative: int
    rows: slice
    matrix: Any
    response: NDArray[np.float64]


def blocks_of(parts: Sequence[Sequence[Part]], size: int) -> Iterator[Block]:
    """Views of the rows, in their order, each of about ``size`` bytes."""
    first = 0
    for creative, part in enumerate(parts):
        for matrix, response in part:
            step = _block_rows(matrix, size)
            for start in range(0, len(response), step):
                stop = min(start + step, len(response))
                block = rows_of(matrix, start, stop)
                rows = slice(first + start, first + stop)
                yield Block(creative, rows, block, response[start:stop])
            first += len(response)


def _block_rows(matrix: Any, size: int) -> int:
    rows = max(matrix.shape[0], 1)
    return max(256, int(size * rows / max(stored_bytes(matrix), rows * matrix.dtype.itemsize)))


def stored_bytes(matrix: Any) -> int:
    """Of its values, and of the positions of sparse ones."""
    cells = 2 * matrix.nnz if sparse.issparse(matrix) else matrix.shape[0] * matrix.shape[1]
    return int(cells * matrix.dtype.itemsize)


def rows_of(matrix: Any, start: int, stop: int) -> Any:
    """A view of some rows; scipy's own slicing would copy them."""
    if not sparse.issparse(matrix):
        return np.asarray(matrix)[start:stop]
    ends = matrix.indptr[start : stop + 1]
    cells = slice(int(ends[0]), int(ends[-1]))
    values = (matrix.data[cells], matrix.indices[cells], (ends - ends[0]).astype(matrix.indices.dtype))
    return sparse.csr_matrix(values, shape=(stop - start, matrix.shape[1]), copy=False)
