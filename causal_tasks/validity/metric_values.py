"""One number per unit of a metric, out of the columns that ``prepare`` wrote."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]


def values_of(users: pd.DataFrame, columns: Sequence[str]) -> Floats:
    """One value per unit of a metric, linearised where it is a ratio, NaN where it is missing; shape (n,).

    Args:
        users: Holds the columns.
        columns: One, or numerator and denominator.
    """
    return column_of(users, columns[0]) if len(columns) == 1 else _linearised(users, *columns)


def column_of(users: pd.DataFrame, name: str) -> Floats:
    """A numeric column as floats, shape (n,)."""
    return users[name].to_numpy(dtype=np.float64, na_value=np.nan)


def _linearised(users: pd.DataFrame, numerator: str, denominator: str) -> Floats:
    """What a unit adds to the numerator beyond the pooled ratio's share of its denominator, shape (n,)."""
    above, below = column_of(users, numerator), column_of(users, denominator)
    known = ~(np.isnan(above) | np.isnan(below))
    total = below[known].sum()
    if total == 0:
        return np.full(len(users), np.nan)
    linearised: Floats = above - above[known].sum() / total * below
    return linearised
