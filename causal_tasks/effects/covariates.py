"""What was known of the units before exposure, in one form: numbers and categories, missing values allowed."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from causal_tasks.errors import InputError

COMMON_SHARE = 0.01
"""Share of units from which on a level has a column of its own in a linear model."""

MAX_COLUMNS = 50
"""Columns that one category has in a linear model, at most."""

EXTREME = 5.0
"""Standard deviations at which a number is cut in a linear model: one unit must not tilt the line for all."""


def read_covariates(covariates: Any, *, rows: int) -> pd.DataFrame:
    """``covariates`` as columns of numbers and of pandas categories.

    Args:
        covariates: A DataFrame of n rows, or numbers of shape (n,) or (n, p). Text becomes a category.
        rows: How many units there must be.

    Raises:
        InputError: There are more or fewer rows, no column, a column twice, an infinite value, or a column of a kind
            that is neither number nor text.
    """
    frame = covariates if isinstance(covariates, pd.DataFrame) else _named(covariates)
    if len(frame) != rows:
        raise InputError(f"covariates have {len(frame)} rows, the treatment {rows}", remedy="pass one row per unit")
    if not len(frame.columns) or not frame.columns.is_unique:
        raise InputError(
            f"covariates have {len(frame.columns)} columns, {frame.columns.nunique()} of them with a name of their own",
            remedy="pass at least one column, and no name twice",
        )
    return pd.DataFrame({str(name): _column(str(name), frame[name]) for name in frame}, copy=False)


def varying(covariates: pd.DataFrame) -> list[str]:
    """Names of the columns with at least two different values, missing counted as one."""
    return [str(name) for name, values in covariates.items() if values.nunique(dropna=False) > 1]


class LinearTerms:
    """The columns of a linear model: standardised numbers, an indicator of missing ones, one of every common level.

    What they are is decided on the units given, without their treatment; other units get the same columns.

    Args:
        covariates: As ``read_covariates`` returns them.
    """

    def __init__(self, covariates: pd.DataFrame) -> None:
        self._numbers: dict[str, tuple[float, float]] = {}
        self._levels: dict[str, list[Any]] = {}
        self._missing: list[str] = []
        for name, values in covariates.items():
            missing = values.isna()
            if 0 < missing.sum() < len(values):
                self._missing.append(str(name))
            if isinstance(values.dtype, pd.CategoricalDtype):
                shares = values.value_counts() / len(values)
                self._levels[str(name)] = list(shares[shares >= COMMON_SHARE].index[:MAX_COLUMNS])
            elif (scale := float(values.std())) > 0:
                self._numbers[str(name)] = float(values.mean()), scale

    def matrix(self, covariates: pd.DataFrame) -> npt.NDArray[np.float32]:
        """Shape (n, columns), without missing values."""
        filled = np.empty((len(covariates), self._width), dtype=np.float32)
        for position, column in enumerate(self._columns(covariates)):
            filled[:, position] = column
        return filled

    @property
    def _width(self) -> int:
        return len(self._numbers) + sum(map(len, self._levels.values())) + len(self._missing)

    def _columns(self, covariates: pd.DataFrame) -> Iterator[Any]:
        for name, (mean, scale) in self._numbers.items():
            values = covariates[name].to_numpy(dtype=np.float64, na_value=np.nan)
            yield np.nan_to_num(np.clip((values - mean) / scale, -EXTREME, EXTREME))
        for name, levels in self._levels.items():
            codes = covariates[name].cat.codes.to_numpy()
            for position in covariates[name].cat.categories.get_indexer(pd.Index(levels)):
                # A level that these units do not have has position -1, which is also the code of a missing value.
                yield (codes == position) & (position >= 0)
        for name in self._missing:
            yield covariates[name].isna().to_numpy()


def _named(values: Any) -> pd.DataFrame:
    array = np.asarray(values)
    if array.ndim not in {1, 2}:
        raise InputError(f"covariates have shape {array.shape}", remedy="pass one row per unit")
    columns = array.reshape(len(array), -1)
    return pd.DataFrame(columns, columns=[f"x{position}" for position in range(columns.shape[1])], copy=False)


def _column(name: str, values: "pd.Series[Any]") -> Any:
    if isinstance(values.dtype, pd.CategoricalDtype):
        return values
    if pd.api.types.is_bool_dtype(values.dtype) or pd.api.types.is_numeric_dtype(values.dtype):
        return _finite_or_missing(name, values)
    if pd.api.types.is_string_dtype(values.dtype) or values.dtype == object:
        return values.astype("category")
    raise InputError(
        f"covariate {name!r} is of type {values.dtype}", remedy="cast it to a number, text or a pandas category"
    )


def _finite_or_missing(name: str, values: "pd.Series[Any]") -> "pd.Series[Any]":
    plain = isinstance(values.dtype, np.dtype) and values.dtype != bool
    numbers = values if plain else pd.Series(values.to_numpy(dtype=np.float64, na_value=np.nan), index=values.index)
    if infinite := int(np.isinf(numbers.to_numpy()).sum()):
        raise InputError(
            f"covariate {name!r} has {infinite} infinite values", remedy="make them missing, or rescale the column"
        )
    return numbers
