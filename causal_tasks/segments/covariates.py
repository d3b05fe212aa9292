"""The columns of a linear model of the response: numbers, and one indicator of every common level."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy import sparse

from causal_tasks.base_models import Features
from causal_tasks.data.contracts import suggestion
from causal_tasks.effects.covariates import COMMON_SHARE, MAX_COLUMNS
from causal_tasks.errors import InputError
from causal_tasks.segments.covariate_columns import CategoryColumn, Column, NumberColumn, Term, learned_column
from causal_tasks.segments.covariate_counts import CovariateCounts
from causal_tasks.segments.covariate_rows import CovariateRows, Rows

Matrix: TypeAlias = NDArray[np.float32] | NDArray[np.float64] | sparse.csr_matrix

SPARSE_SHARE = 0.1
"""Share of entries other than zero up to which a sparse matrix is used: it then takes a fifth of the memory."""

_EVERYBODY = slice(None)


@dataclass(frozen=True, slots=True)
class CovariateTerms:
    """The terms of a linear model, decided on the people that it is fitted on; other people get the same.

    A number is itself, cut at five standard deviations from its mean (one person must not tilt the line for all; where
    most values are zero, from the mean of the others, see ``CovariateCounts.number``), and its mean where it is
    missing. A category has an indicator of every common level; any other level, also one that is new, is none of them.
    Where values were missing there is an indicator of that. Of two indicators of which always one is 1 only the rarer
    level's is kept, and of a constant category none: their coefficients would not be determined.

    Attributes:
        columns: Those with terms, in order.
        names: Names of all columns of ``fit``, in order; those without a term may be left out later.
        named: Whether a DataFrame named the columns; else later ones are told by their position.
        sparse: Whether ``matrix`` gives sparse matrices: fitted on one, or few entries are other than zero.
    """

    columns: tuple[Column, ...]
    names: tuple[str, ...]
    named: bool
    sparse: bool

    @classmethod
    def fit(
        cls,
        X: Any,
        *,
        names: Sequence[str] | None = None,
        common_share: float = COMMON_SHARE,
        max_levels: int = MAX_COLUMNS,
    ) -> Self:
        """The terms of a model that is fitted on ``X``.

        Args:
            X: A DataFrame of numbers, booleans, text and pandas categories or an array of numbers of shape (n, p), in
                both of which values may be missing, or a sparse matrix of numbers.
            names: Of the columns of an array or a sparse matrix; None: x0, x1, ….
            common_share: Share of the people from which on a level has an indicator.
            max_levels: Indicators of one category, at most: of its most frequent levels.

        Raises:
            InputError: No covariate tells people apart, or see ``CovariateRows.of``.

        Examples:
            >>> import pandas as pd
            >>> people = pd.DataFrame({"age": [20.0, None, 40.0], "plan": ["free", "paid", "free"]})
            >>> terms = CovariateTerms.fit(people)
            >>> [str(term) for term in terms.terms]
            ['age', 'age missing', 'plan = paid']
            >>> terms.matrix(people).tolist()
            [[20.0, 0.0, 0.0], [30.0, 1.0, 1.0], [40.0, 0.0, 0.0]]
        """
        counts = CovariateCounts(CovariateRows.of(X, names=names))
        return cls.of_counts(counts, common_share=common_share, max_levels=max_levels)

    @classmethod
    def of_counts(
        cls, counts: CovariateCounts, *, common_share: float = COMMON_SHARE, max_levels: int = MAX_COLUMNS
    ) -> Self:
        """The terms of a model that is fitted on people who have been counted; arguments and errors as for ``fit``."""
        columns, entries = [], 0
        for name in counts.columns:
            column, other_than_zero = learned_column(counts, name, common_share=common_share, max_levels=max_levels)
            entries += other_than_zero
            if column:
                columns.append(column)
        if not columns:
            raise InputError(
                f"none of the {len(counts.columns)} covariates has a value or a common level that tells people apart",
                remedy="pass others",
            )
        width = sum(len(column.terms) for column in columns)
        few = entries <= SPARSE_SHARE * counts.people * width
        return cls(tuple(columns), counts.columns, counts.named, counts.sparse or few)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """The terms that ``to_json`` gave."""
        columns = tuple(
            CategoryColumn(column["name"], tuple(column["levels"]), tuple(column["others"]), column["missing"])
            if "levels" in column
            else NumberColumn(**column)
            for column in stored["columns"]
        )
        return cls(columns, tuple(stored["names"]), stored["named"], stored["sparse"])

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return asdict(self)

    @property
    def terms(self) -> tuple[Term, ...]:
        """One for each column of ``matrix``, those of a covariate beside each other."""
        return tuple(term for column in self.columns for term in column.terms)

    @property
    def features(self) -> Features:
        """The columns that must be passed, with all levels that there were in ``fit``, as text."""
        return Features(
            {
                column.name: tuple(sorted(column.levels + column.others))
                if isinstance(column, CategoryColumn)
                else None
                for column in self.columns
            }
        )

    def matrix(self, X: Any, dtype: DTypeLike = np.float32, *, rows: Rows = _EVERYBODY) -> Matrix:
        """The terms of people, in the covariates' own units, shape (n, terms): a C-contiguous array or a CSR matrix.

        Args:
            X: As for ``fit``, columns of a DataFrame in any order; or what ``read`` made of it.
            dtype: Of the result: float32 or float64.
            rows: Which people, in which order.

        Raises:
            InputError: See ``read``.
        """
        held = X if isinstance(X, CovariateRows) else self.read(X)
        layout = _Layout.of(self.columns, held)
        if self.sparse and held.is_sparse and layout.is_one_to_one(held):
            return layout.cut(held.take(rows).held, dtype)
        blocks = (layout.block(part) for part in held.blocks(rows))
        if self.sparse:
            return sparse.vstack([block.as_csr(dtype) for block in blocks], format="csr")
        people = len(range(len(held))[rows]) if isinstance(rows, slice) else len(rows)
        matrix = np.zeros((people, layout.width), dtype=dtype)
        begin = 0
        for block in blocks:
            block.write_to(matrix[begin : begin + len(block.numbers)])
            begin += len(block.numbers)
        return matrix

    def read(self, X: Any) -> CovariateRows:
        """``X``, held against the columns of ``fit``: for ``matrix``, where it is asked for parts of the same people.

        Raises:
            InputError: A column is missing, unknown, or has become a category or a number, or see
                ``CovariateRows.of``.
        """
        held = CovariateRows.of(X)
        if not held.is_named and not self.named:
            if len(held.columns) != len(self.names):
                raise InputError(
                    f"covariates have {len(held.columns)} columns, there were {len(self.names)} in fit",
                    remedy="pass the same columns in the same order",
                )
            return CovariateRows(self.names, held.held)
        needed = {column.name for column in self.columns}
        if absent := sorted(needed - {*held.columns}):
            raise InputError(f"covariates lack the columns {absent}", remedy="pass every column of fit, by its name")
        if unknown := sorted({*held.columns} - {*self.names}):
            raise InputError(
                f"covariates have columns {unknown} that were not there in fit{suggestion(unknown[0], self.names)}",
                remedy="leave them out, or fit anew",
            )
        for column in self.columns:
            if isinstance(column, CategoryColumn) != (column.name in held.categories):
                is_now, was = ("number", "category") if isinstance(column, CategoryColumn) else ("category", "number")
                raise InputError(
                    f"covariate {column.name!r} is a {is_now}, it was a {was} in fit",
                    remedy=f"pass it as {'text' if was == 'category' else 'numbers'}",
                )
        return held


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where everything that is read goes.

    Attributes:
        numbers: Names of the columns of numbers, q of them.
        number_at: Their positions among the terms, shape (q,).
        missing_at: Positions of their indicators of missing values, -1 where there is none, shape (q,).
        mean: What stands for a missing value, shape (q,).
        low: Smallest values, shape (q,).
        high: Largest values, shape (q,).
        term_of_code: By category: the term of every code, -1 for none, that of a missing value last.
        width: Number of terms.
    """

    numbers: tuple[str, ...]
    number_at: NDArray[np.intp]
    missing_at: NDArray[np.intp]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    term_of_code: Mapping[str, NDArray[np.intp]]
    width: int

    @classmethod
    def of(cls, columns: Sequence[Column], held: CovariateRows) -> Self:
        numbers: list[tuple[NumberColumn, int]] = []
        term_of_code, position = {}, 0
        for column in columns:
            if isinstance(column, NumberColumn):
                numbers.append((column, position))
            else:
                term = {level: position + number for number, level in enumerate(column.levels)}
                missing = position + len(column.levels) if column.missing else -1
                terms = [*(term.get(level, -1) for level in held.levels(column.name)), missing]
                term_of_code[column.name] = np.array(terms, dtype=np.intp)
            position += len(column.terms)
        return cls(
            tuple(column.name for column, _ in numbers),
            np.array([at for _, at in numbers], dtype=np.intp),
            np.array([at + 1 if column.missing else -1 for column, at in numbers], dtype=np.intp),
            np.array([column.mean for column, _ in numbers]),
            np.array([column.low for column, _ in numbers]),
            np.array([column.high for column, _ in numbers]),
            term_of_code,
            position,
        )

    def is_one_to_one(self, held: CovariateRows) -> bool:
        """Whether the terms are the columns that are held."""
        return self.width == len(self.numbers) and self.numbers == held.columns

    def cut(self, matrix: sparse.csr_matrix, dtype: DTypeLike) -> sparse.csr_matrix:
        """The matrix itself, extreme values cut; zero stays zero."""
        values = np.clip(matrix.data, self.low[matrix.indices], self.high[matrix.indices]).astype(dtype)
        return sparse.csr_matrix((values, matrix.indices, matrix.indptr), shape=matrix.shape)

    def block(self, held: CovariateRows) -> "_Block":
        """The terms of a few people."""
        values = held.numbers(self.numbers) if self.numbers else np.empty((len(held), 0))
        missing = np.isnan(values)
        numbers = np.clip(values, self.low, self.high)
        people, column = np.nonzero(missing)
        numbers[people, column] = self.mean[column]
        told = self.missing_at[column] >= 0
        rows, columns = [people[told]], [self.missing_at[column[told]]]
        for name, term_of_code in self.term_of_code.items():
            term = term_of_code[held.codes(name)]
            rows.append(np.flatnonzero(term >= 0))
            columns.append(term[rows[-1]])
        return _Block(numbers, self.number_at, np.concatenate(rows), np.concatenate(columns), self.width)


@dataclass(frozen=True, slots=True)
class _Block:
    """The terms of a few people.

    Attributes:
        numbers: Shape (n, q).
        number_at: Positions of the numbers among the terms, shape (q,).
        rows: Of the indicators that are 1.
        columns: Likewise.
        width: Number of terms.
    """

    numbers: NDArray[np.float64]
    number_at: NDArray[np.intp]
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    width: int

    def write_to(self, matrix: NDArray[Any]) -> None:
        """Into an array of zeros of shape (n, width)."""
        matrix[:, self.number_at] = self.numbers
        matrix[self.rows, self.columns] = 1

    def as_csr(self, dtype: DTypeLike) -> sparse.csr_matrix:
        """Shape (n, width)."""
        rows, columns = np.nonzero(self.numbers)
        values = np.concatenate([self.numbers[rows, columns], np.ones(len(self.rows))]).astype(dtype)
        at = np.concatenate([rows, self.rows]), np.concatenate([self.number_at[columns], self.columns])
        return sparse.csr_matrix((values, at), shape=(len(self.numbers), self.width))
