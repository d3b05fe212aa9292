"""The features of a model: which columns it reads, and how a frame becomes what the libraries learn from."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_tasks.errors import InputError

Level = str | int | float

_EVERY_ROW = slice(None)
_SHOWN = 3
"""Values that an error lists."""


@dataclass(frozen=True, slots=True)
class Features:
    """Columns that a model was fitted on.

    Attributes:
        levels: By column, in the order of the frame: levels that a row had, sorted, or None for a number.
        unseen: By categorical column: levels that its type declared and no row had; they count as missing.
    """

    levels: Mapping[str, tuple[Level, ...] | None]
    unseen: Mapping[str, tuple[Level, ...]] = field(default_factory=dict)

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
        declared = {name: _declared_levels(name, X[name]) for name in names}
        return cls(
            {name: None if found is None else found[0] for name, found in declared.items()},
            {name: found[1] for name, found in declared.items() if found is not None and found[1]},
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The features that ``to_json`` wrote."""
        stored = json.loads(text)
        return cls(
            {name: None if found is None else tuple(found) for name, found in stored["levels"].items()},
            {name: tuple(found) for name, found in stored["unseen"].items()},
        )

    def to_json(self) -> str:
        """Names and levels as JSON text."""
        return json.dumps({"levels": dict(self.levels), "unseen": dict(self.unseen)}, ensure_ascii=False)

    @property
    def names(self) -> list[str]:
        """Names of all features, in order."""
        return list(self.levels)

    @property
    def categorical(self) -> list[int]:
        """Positions of the categorical features."""
        return [position for position, levels in enumerate(self.levels.values()) if levels is not None]

    def preceded_by(self, numbers: Iterable[str]) -> Self:
        """These features after some numeric ones."""
        return type(self)(dict.fromkeys(numbers) | dict(self.levels), self.unseen)

    def read_codes(self, X: pd.DataFrame, rows: NDArray[np.intp] | slice = _EVERY_ROW) -> NDArray[np.float32]:
        """These features of some rows of ``X``, by position, as numbers, shape (n, p).

        In place of a level stands its position, NaN where it is missing or no row of ``fit`` had it.

        Raises:
            InputError: A column is missing, is text, has become categorical or numeric, holds infinite values, or
                has a level that was not there in ``fit``.
        """
        absent = [name for name in self.levels if name not in X.columns]
        if absent:
            raise InputError(f"X lacks the columns {absent}", remedy="pass every column that the model was fitted on")
        codes = np.empty((len(X.index[rows]), len(self.levels)), dtype=np.float32)
        for position, (name, levels) in enumerate(self.levels.items()):
            values = as_category(X[name].iloc[rows])
            is_categorical = isinstance(values.dtype, pd.CategoricalDtype)
            if is_categorical != (levels is not None):
                raise InputError(
                    f"feature {name!r} is of type {values.dtype}, the model was fitted on "
                    f"{'a number' if levels is None else 'a category'}",
                    remedy="pass columns of the same kind as in fit",
                )
            codes[:, position] = _numbers(name, values) if levels is None else self._level_codes(name, values)
        return codes

    def without_new_levels(self, X: pd.DataFrame) -> pd.DataFrame:
        """``X`` with levels that were not there in ``fit`` made missing."""
        known = {
            name: as_category(X[name]).cat.set_categories([*levels, *self.unseen.get(name, ())])
            for name, levels in self.levels.items()
            if levels is not None
        }
        return X.assign(**known)

    def require_known(self, name: str, values: pd.Series) -> None:
        """Refuse values of a categorical feature that were not there in ``fit``.

        Raises:
            InputError: There are some, or they are text where they were numbers.
        """
        levels, found = self.levels[name] or (), tuple(values.cat.categories.tolist())
        known_kind, kind = _kind_of_levels(name, levels), _kind_of_levels(name, found)
        if known_kind and kind and known_kind is not kind:
            raise InputError(
                f"the levels of feature {name!r} are {'text' if kind is str else 'numbers'}, in fit they were "
                f"{'text' if known_kind is str else 'numbers'}",
                remedy="pass levels of the same type as in fit",
            )
        declared = {*levels, *self.unseen.get(name, ())}
        new = [position for position, level in enumerate(found) if level not in declared]
        rows = np.bincount(values.cat.codes.to_numpy() + 1, minlength=len(found) + 1)[1:]
        if strangers := [found[position] for position in new if rows[position]]:
            shown = ", ".join(map(repr, strangers[:_SHOWN])) + (", …" if len(strangers) > _SHOWN else "")
            raise InputError(
                f"feature {name!r} has {len(strangers)} levels that were not there in fit ({shown}) in "
                f"{int(sum(rows[position] for position in new))} rows",
                remedy="make them missing or a level of fit, or fit the model anew",
            )

    def _level_codes(self, name: str, values: pd.Series) -> NDArray[np.float32]:
        self.require_known(name, values)
        levels = pd.Index(self.levels[name] or (), dtype=object)
        known = levels.get_indexer(pd.Index(values.cat.categories.tolist(), dtype=object)).astype(np.float32)
        # The last entry answers code -1, a missing value.
        by_code = np.append(np.where(known < 0, np.float32(np.nan), known), np.float32(np.nan))
        codes: NDArray[np.float32] = by_code[values.cat.codes.to_numpy()]
        return codes


def as_category(values: pd.Series) -> pd.Series:
    """``values``, an Arrow dictionary as the pandas category that it stands for."""
    if isinstance(values.dtype, pd.ArrowDtype) and "dictionary" in str(values.dtype.pyarrow_dtype):
        # What Arrow gives back has an index of its own, which is not that of the values.
        category: pd.Series = values.array.__arrow_array__().to_pandas().set_axis(values.index)
        return category
    return values


def _declared_levels(name: str, values: pd.Series) -> tuple[tuple[Level, ...], tuple[Level, ...]] | None:
    """Levels that occur, sorted, and those that do not; None where the column is no category."""
    values = as_category(values)
    if not isinstance(values.dtype, pd.CategoricalDtype):
        return None
    levels = tuple(values.cat.categories.tolist())
    _kind_of_levels(name, levels)
    rows = np.bincount(values.cat.codes.to_numpy() + 1, minlength=len(levels) + 1)[1:]
    # XGBoost takes levels that are smaller than a leaf in their order, which a dictionary owes to the order of rows.
    seen = tuple(sorted(level for level, count in zip(levels, rows, strict=True) if count))
    return seen, tuple(level for level, count in zip(levels, rows, strict=True) if not count)


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
    if not pd.api.types.is_numeric_dtype(values.dtype) or pd.api.types.is_complex_dtype(values.dtype):
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
