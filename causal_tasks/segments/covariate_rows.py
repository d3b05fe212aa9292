"""What is known of people in whatever form it comes: a table, an array or a sparse matrix, read a block at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from causal_tasks.effects.covariates import read_covariates
from causal_tasks.errors import InputError

Rows = NDArray[np.intp] | slice

BLOCK_ROWS = 2_048
"""Rows that are worked on at a time, so that intermediate arrays stay small."""

_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class CovariateRows:
    """Covariates of n people.

    Attributes:
        columns: Their names, in order.
        held: A DataFrame of numbers and pandas categories, an array or a sparse matrix of numbers, shape (n, columns).
    """

    columns: tuple[str, ...]
    held: Any

    @classmethod
    def of(cls, X: Any, *, names: Sequence[str] | None = None) -> Self:
        """``X`` as it is; text becomes a category.

        Args:
            X: A DataFrame, an array of shape (n, p) or (n,), or a sparse matrix of shape (n, p).
            names: Of the columns of an array or a sparse matrix; None: x0, x1, ….

        Raises:
            InputError: There is no row or no column, a name is there twice, a column is neither number nor text, or a
                value is infinite, too large for 32 bits, or missing in a sparse matrix.
        """
        if isinstance(X, pd.DataFrame):
            if names is not None:
                raise InputError("names are given for a DataFrame", remedy="rename its columns, and leave names out")
            held: Any = read_covariates(X, rows=len(X))
            rows = cls(tuple(held.columns), held)
        elif sparse.issparse(X):
            held = _canonical(X)
            rows = cls(_named(names, held.shape[1]), held)
            _require_no_gaps(held, rows.columns)
        else:
            held = np.asarray(X)
            if held.ndim not in {1, 2} or held.dtype.kind not in "bifu":
                raise InputError(
                    f"covariates have shape {held.shape} and type {held.dtype}",
                    remedy="pass one row of numbers per person, or a DataFrame where some are text",
                )
            held = held[:, None] if held.ndim == 1 else held
            rows = cls(_named(names, held.shape[1]), held)
            for block in rows.blocks():
                _require_numbers(block.held, rows.columns)
        if not len(rows) or not rows.columns:
            raise InputError(
                f"covariates have {len(rows)} rows and {len(rows.columns)} columns",
                remedy="pass at least one row and one column",
            )
        return rows

    def __len__(self) -> int:
        return int(self.held.shape[0])

    @property
    def is_sparse(self) -> bool:
        """Whether they are held as a sparse matrix."""
        return bool(sparse.issparse(self.held))

    @property
    def is_named(self) -> bool:
        """Whether whoever passed them named the columns: a DataFrame."""
        return isinstance(self.held, pd.DataFrame)

    @property
    def categories(self) -> frozenset[str]:
        """Names of the columns that are categories."""
        if not self.is_named:
            return frozenset()
        return frozenset(n for n, kind in self.held.dtypes.items() if isinstance(kind, pd.CategoricalDtype))

    def take(self, rows: Rows) -> Self:
        """Some of the people, in the order of ``rows``."""
        return replace(self, held=self.held.iloc[rows] if self.is_named else self.held[rows])

    def blocks(self, rows: Rows = slice(None)) -> Iterator[Self]:
        """Some of the people, in the order of ``rows``, :data:`BLOCK_ROWS` at a time."""
        chosen = range(len(self))[rows] if isinstance(rows, slice) else rows
        for begin in range(0, len(chosen), BLOCK_ROWS):
            part = chosen[begin : begin + BLOCK_ROWS]
            yield self.take(slice(part.start, part.stop, part.step) if isinstance(part, range) else part)

    def numbers(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Values of columns of numbers, NaN where missing, shape (n, columns)."""
        if self.is_named:
            values: NDArray[np.float64] = self.held[list(names)].to_numpy(dtype=np.float64)
            _require_numbers(values, names)
            return values
        # All of them, in order, is what is asked for unless columns without a value or in another order are passed.
        everything = tuple(names) == self.columns
        held = self.held if everything else self.held[:, [self.columns.index(name) for name in names]]
        return np.asarray(held.toarray() if self.is_sparse else held, dtype=np.float64)

    def levels(self, name: str) -> list[str]:
        """Levels that a category declares, as text."""
        return [level_text(level) for level in self.held[name].cat.categories.tolist()]

    def codes(self, name: str) -> NDArray[np.integer]:
        """Position of each person's level among ``levels``, -1 where it is missing, shape (n,)."""
        codes: NDArray[np.integer] = self.held[name].cat.codes.to_numpy()
        return codes


def level_text(level: Any) -> str:
    """A level as text; a whole number is written alike whether it is an integer or a float."""
    return str(int(level)) if isinstance(level, float) and level.is_integer() else str(level)


def _canonical(matrix: Any) -> sparse.csr_matrix:
    """In row order, every entry once; the matrix that was passed stays as it is."""
    if matrix.dtype.kind not in "bifu":
        raise InputError(f"covariates are a sparse matrix of type {matrix.dtype}", remedy="cast it to numbers")
    rows = sparse.csr_matrix(matrix)
    if not rows.has_canonical_format:
        rows = rows.copy()
        rows.sum_duplicates()
    return rows


def _named(names: Sequence[str] | None, columns: int) -> tuple[str, ...]:
    named = tuple(f"x{position}" for position in range(columns)) if names is None else tuple(names)
    if len(named) != columns or len(set(named)) != columns:
        raise InputError(
            f"there are {len(named)} names, {len(set(named))} of them different, for {columns} columns",
            remedy="name every column, and no two alike",
        )
    return named


def _require_numbers(values: NDArray[Any], names: Sequence[str]) -> None:
    """Check values of shape (n, columns), of which some may be missing."""
    with np.errstate(invalid="ignore"):
        too_large = np.abs(values) > _LARGEST
    if too_large.any():
        name = names[int(too_large.any(axis=0).argmax())]
        raise InputError(
            f"covariate {name!r} has values that are infinite or too large for 32 bits",
            remedy="make them missing, or rescale the column",
        )


def _require_no_gaps(matrix: sparse.csr_matrix, names: Sequence[str]) -> None:
    """Check the values that a sparse matrix stores."""
    with np.errstate(invalid="ignore"):
        wrong = ~(np.abs(matrix.data) <= _LARGEST)
    if wrong.any():
        position = int(wrong.argmax())
        raise InputError(
            f"covariate {names[matrix.indices[position]]!r} has the value {matrix.data[position]} in a sparse matrix",
            remedy="store finite numbers; what is not stored is zero, and a missing value needs a table or an array",
        )
