"""The features of a model: which columns it reads, and how a frame becomes what the libraries learn from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_tasks.errors import InputError

Level = str | int | float


@dataclass(frozen=True, slots=True)
class Features:
    """Columns that a model was fitted on.

    Attributes:
        levels: By column, in the order of the frame: levels that a row of ``fit`` had, or None for a number.
    """

    levels: Mapping[str, tuple[Level, ...] | None]

    @classmethod
    def of(cls, X: pd.DataFrame) -> Self:
        """The features that a model fitted on ``X`` has.

        Raises:
            InputError: There is no column, a name is no text or there twice, or levels are neither text nor numbers.
        """
        names = list(X.columns)
        twice = sorted({str(name) for name in X.columns[X.columns.duplicated()]})
        no_text = [name for name in names if not isinstance(name, str)]
        if not names or twice or no_text:
            raise InputError(
                f"X has {len(names)} columns; there twice: {twice}, not named by text: {no_text}",
                remedy="pass at least one column, and give each a name of its own that is text",
            )
        return cls({name: _seen_levels(name, X[name]) for name in names})

    @property
    def names(self) -> list[str]:
        """Names of all features, in order."""
        return list(self.levels)

    def read(self, X: pd.DataFrame) -> pd.DataFrame:
        """These features of ``X``: numbers as float32, categories with exactly the levels of ``fit``, in their order.

        Levels that no row of ``fit`` had become missing.

        Raises:
            InputError: A column is missing, is text, has become categorical or numeric, or holds infinite values.
        """
        absent = [name for name in self.levels if name not in X.columns]
        if absent:
            raise InputError(f"X lacks the columns {absent}", remedy="pass every column that the model was fitted on")
        return pd.DataFrame(dict(self._columns(X)), index=X.index, copy=False)

    def read_codes(self, X: pd.DataFrame) -> NDArray[np.float32]:
        """As ``read``, shape (n, p), with the position of a level in place of the level and NaN for missing."""
        frame = self.read(X)
        return np.column_stack(
            [frame[name].to_numpy() if levels is None else _codes(frame[name]) for name, levels in self.levels.items()]
        )

    def _columns(self, X: pd.DataFrame) -> Iterator[tuple[str, Any]]:
        for name, levels in self.levels.items():
            is_categorical = isinstance(X[name].dtype, pd.CategoricalDtype)
            if is_categorical != (levels is not None):
                raise InputError(
                    f"feature {name!r} is of type {X[name].dtype}, the model was fitted on "
                    f"{'a number' if levels is None else 'a category'}",
                    remedy="pass columns of the same kind as in fit",
                )
            yield name, _numbers(name, X[name]) if levels is None else _recoded(name, X[name], levels)


def _seen_levels(name: str, values: pd.Series) -> tuple[Level, ...] | None:
    """Levels that occur, in their order; None where the column is no category."""
    if not isinstance(values.dtype, pd.CategoricalDtype):
        return None
    codes = values.cat.codes.to_numpy()
    seen = tuple(values.cat.categories[np.unique(codes[codes >= 0])].tolist())
    _kind_of_levels(name, seen)
    return seen


def _kind_of_levels(name: str, levels: tuple[Any, ...]) -> type | None:
    """``str`` or ``float``, whichever they are; None where there are no levels."""
    kinds = {str if isinstance(level, str) else float if isinstance(level, int | float) else None for level in levels}
    if kinds - {str, float} or len(kinds) > 1:
        raise InputError(
            f"feature {name!r} has levels of type {', '.join(sorted({type(level).__name__ for level in levels}))}",
            remedy="make all of them text, or all of them numbers",
        )
    return kinds.pop() if kinds else None


def _numbers(name: str, values: pd.Series) -> NDArray[np.float32]:
    if not pd.api.types.is_numeric_dtype(values.dtype):
        raise InputError(
            f"feature {name!r} is of type {values.dtype}",
            remedy="cast it to a number or to a pandas category",
        )
    is_nullable = pd.api.types.is_extension_array_dtype(values.dtype)
    plain = values.to_numpy(dtype=np.float64, na_value=np.nan) if is_nullable else values.to_numpy()
    with np.errstate(over="ignore"):
        numbers: NDArray[np.float32] = plain.astype(np.float32, copy=False)
    if infinite := int(np.isinf(numbers).sum()):
        raise InputError(
            f"feature {name!r} holds {infinite} values that are infinite or too large for 32 bits",
            remedy="make them missing, or rescale the feature",
        )
    return numbers


def _recoded(name: str, values: pd.Series, levels: tuple[Level, ...]) -> pd.Series:
    """``values`` with the levels of ``fit``."""
    known, found = _kind_of_levels(name, levels), _kind_of_levels(name, tuple(values.cat.categories.tolist()))
    if known and found and known is not found:
        raise InputError(
            f"the levels of feature {name!r} are {'text' if found is str else 'numbers'}, in fit they were "
            f"{'text' if known is str else 'numbers'}",
            remedy="pass levels of the same type as in fit",
        )
    return values.cat.set_categories(list(levels))


def _codes(values: pd.Series) -> NDArray[np.float32]:
    codes = values.cat.codes.to_numpy()
    return np.where(codes < 0, np.float32(np.nan), codes.astype(np.float32))
