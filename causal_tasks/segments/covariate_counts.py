"""What covariates are like, gathered a part at a time: moments of numbers, people by level of categories."""

from collections import Counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from causal_tasks.effects.covariates import EXTREME
from causal_tasks.errors import InputError
from causal_tasks.segments.covariate_rows import CovariateRows

Vector = NDArray[np.float64]


class NumberFacts(NamedTuple):
    """What is known of a column of numbers.

    Attributes:
        mean: Of the values that are not missing.
        low: Where a smaller value is cut.
        high: Where a larger value is cut.
        filled: Values that are not missing.
        nonzero: Values that are neither missing nor zero.
    """

    mean: float
    low: float
    high: float
    filled: int
    nonzero: int


class CovariateCounts:
    """Moments and counts of the people added so far.

    Args:
        rows: The first of them.

    Attributes:
        columns: Names of the covariates, in order.
        categories: Those of them that are categories.
        named: Whether they are those of a DataFrame.
        sparse: Whether they are those of a sparse matrix.
        people: How many have been added.
    """

    def __init__(self, rows: CovariateRows) -> None:
        self.columns, self.categories = rows.columns, rows.categories
        self.named, self.sparse = rows.is_named, rows.is_sparse
        self.people = 0
        self._numbers = [name for name in self.columns if name not in self.categories]
        self._moments = _Moments(len(self._numbers))
        self._missing = np.zeros(len(self._numbers), dtype=np.int64)
        self._levels: dict[str, Counter[str]] = {name: Counter() for name in self.columns if name in self.categories}
        self.add(rows)

    def add(self, rows: CovariateRows) -> None:
        """Count some more people.

        Raises:
            InputError: A column is a category that was a number before, or the other way round.
        """
        if rows.categories != self.categories:
            name = min(rows.categories ^ self.categories)
            raise InputError(
                f"covariate {name!r} is a category in some rows and a number in others",
                remedy="write it as text throughout, or as numbers",
            )
        self.people += len(rows)
        if rows.is_sparse:
            self._moments.add_stored(rows.held.data.astype(np.float64), rows.held.indices)
        elif self._numbers:
            for block in rows.blocks():
                values = block.numbers(self._numbers)
                self._missing += np.isnan(values).sum(axis=0)
                self._moments.add(values)
        for name, counted in self._levels.items():
            levels, codes = rows.levels(name), rows.codes(name)
            present = np.bincount(codes[codes >= 0], minlength=len(levels))
            for position in np.flatnonzero(present):
                counted[levels[position]] += int(present[position])

    def number(self, name: str) -> NumberFacts:
        """What is known of a column of numbers; NaN where it has no value.

        Values are cut at ``EXTREME`` standard deviations from their mean. Where most are zero, it is mean and standard
        deviation of the others that count, and zero is never cut: it is the absence of something, and what is rare is
        not extreme.
        """
        position = self._numbers.index(name)
        filled = self.people - int(self._missing[position])
        moments = self._moments
        nonzero, mean, squares = (float(m[position]) for m in (moments.count, moments.mean, moments.squares))
        if not filled:
            return NumberFacts(np.nan, np.nan, np.nan, 0, 0)
        zeros = filled - nonzero
        overall = mean * nonzero / filled
        if zeros > nonzero:
            reach = EXTREME * np.sqrt(squares / max(nonzero, 1.0))
            return NumberFacts(overall, min(mean - reach, 0.0), max(mean + reach, 0.0), filled, int(nonzero))
        reach = EXTREME * np.sqrt((squares + mean**2 * nonzero * zeros / filled) / filled)
        return NumberFacts(overall, overall - reach, overall + reach, filled, int(nonzero))

    def levels(self, name: str) -> list[tuple[str, int]]:
        """Levels of a category and their people, the most frequent first, equally frequent ones by name."""
        return sorted(self._levels[name].items(), key=lambda level: (-level[1], level[0]))

    def missing(self, name: str) -> int:
        """People without a value."""
        if name in self.categories:
            return self.people - self._levels[name].total()
        return int(self._missing[self._numbers.index(name)])


class _Moments:
    """Number, mean and sum of squared deviations of the values that are not zero, by column.

    Source of the update: Chan, Golub, LeVeque (1983), "Algorithms for computing the sample variance".
    """

    def __init__(self, columns: int) -> None:
        self.count, self.mean, self.squares = (np.zeros(columns) for _ in range(3))

    def add(self, values: Vector) -> None:
        """Values of shape (n, columns), NaN where missing."""
        counted = (values != 0) & ~np.isnan(values)
        count = counted.sum(axis=0).astype(np.float64)
        mean = np.where(counted, values, 0).sum(axis=0) / np.maximum(count, 1)
        self._merge(count, mean, (np.where(counted, values - mean, 0) ** 2).sum(axis=0))

    def add_stored(self, values: Vector, column: NDArray[np.integer]) -> None:
        """Values of a sparse matrix and the column of each, shape (stored,) both."""
        counted = values != 0
        values, column, columns = values[counted], column[counted], len(self.count)
        count = np.bincount(column, minlength=columns).astype(np.float64)
        mean = np.bincount(column, values, minlength=columns) / np.maximum(count, 1)
        squares = np.bincount(column, (values - mean[column]) ** 2, minlength=columns).astype(np.float64)
        self._merge(count, mean, squares)

    def _merge(self, count: Vector, mean: Vector, squares: Vector) -> None:
        total = np.maximum(self.count + count, 1)
        apart = mean - self.mean
        self.squares += squares + apart**2 * self.count * count / total
        self.mean += apart * count / total
        self.count += count
