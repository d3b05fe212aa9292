"""Matrices of terms in files: written a few rows at a time at any place, then mapped into memory."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy import sparse

Codes = NDArray[np.intp]

_INT32_MAX = int(np.iinfo(np.int32).max)


class MappedMatrix(Protocol):
    """The rows of some groups of people, those of a group beside each other; each group is written in order."""

    def write(self, group: int, cells: Any) -> None:
        """The next rows of a group, an array or a CSR matrix."""
        ...

    def mapped(self) -> Any:
        """All rows, once they have been written."""
        ...


class DenseFile:
    """An array of shape (n, p) in one file, ``NAME.npy``.

    Args:
        path: Without the ending.
        rows: Of each group.
        width: p.
        dtype: Of the array.
    """

    def __init__(self, path: Path, *, rows: Codes, width: int, dtype: DTypeLike) -> None:
        self._file = _NpyFile(path.with_name(f"{path.name}.npy"), (int(rows.sum()), width), dtype)
        self._next = _starts(rows)

    def write(self, group: int, cells: NDArray[np.floating]) -> None:
        """See ``MappedMatrix``."""
        self._file.write(int(self._next[group]), cells)
        self._next[group] += len(cells)

    def mapped(self) -> Any:
        """See ``MappedMatrix``."""
        return self._file.mapped()


class SparseFiles:
    """A CSR matrix of shape (n, p) in two files, ``NAME-data.npy`` and ``NAME-indices.npy``; ends of rows in memory.

    Args:
        path: Without what follows the name.
        rows: Of each group.
        stored: Cells that are stored of each group.
        width: p.
        dtype: Of the matrix.
    """

    def __init__(self, path: Path, *, rows: Codes, stored: Codes, width: int, dtype: DTypeLike) -> None:
        size = int(stored.sum())
        # scipy copies indices that are narrower than the ends of rows: out of the file, into memory.
        self._integer = np.int32 if size <= _INT32_MAX else np.int64
        self._data = _NpyFile(path.with_name(f"{path.name}-data.npy"), (size,), dtype)
        self._indices = _NpyFile(path.with_name(f"{path.name}-indices.npy"), (size,), self._integer)
        self._lengths = np.zeros(int(rows.sum()), dtype=self._integer)
        self._next_row, self._next_cell, self._width = _starts(rows), _starts(stored), width

    def write(self, group: int, cells: sparse.csr_matrix) -> None:
        """See ``MappedMatrix``."""
        row, cell = int(self._next_row[group]), int(self._next_cell[group])
        self._data.write(cell, cells.data)
        self._indices.write(cell, cells.indices)
        self._lengths[row : row + cells.shape[0]] = np.diff(cells.indptr)
        self._next_row[group] += cells.shape[0]
        self._next_cell[group] += cells.nnz

    def mapped(self) -> sparse.csr_matrix:
        """See ``MappedMatrix``."""
        ends = np.concatenate([[0], np.cumsum(self._lengths, dtype=self._integer)], dtype=self._integer)
        cells = (self._data.mapped(), self._indices.mapped(), ends)
        return sparse.csr_matrix(cells, shape=(len(self._lengths), self._width), copy=False)


class _NpyFile:
    """A new ``.npy`` file that is written at any row; not by way of a map, whose pages would count as memory in use."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        self._path, self._dtype = path, np.dtype(dtype)
        self._file = path.open("xb")
        header = {"descr": self._dtype.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, header)
        self._begin = self._file.tell()
        self._row_bytes = self._dtype.itemsize * int(np.prod(shape[1:], dtype=np.int64))
        self._empty = 0 in shape

    def write(self, row: int, values: NDArray[Any]) -> None:
        """Rows from ``row`` on."""
        self._file.seek(self._begin + row * self._row_bytes)
        self._file.write(np.ascontiguousarray(values, dtype=self._dtype).data)

    def mapped(self) -> NDArray[Any]:
        """The whole array, read only."""
        self._file.close()
        # An empty file cannot be mapped.
        return np.asarray(np.load(self._path, mmap_mode=None if self._empty else "r"))


def _starts(sizes: Codes) -> Codes:
    return np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.intp)
