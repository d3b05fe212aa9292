"""Features as a regression tree reads them: numbers, with categories put in the order of their mean uplift."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_tasks.errors import InputError

RARE_LEVEL = 0.01
"""Share of users below which levels of a category are pooled: their mean uplift is mostly noise."""

Levels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Encoding:
    """The design matrix of the tree and how to read it back.

    Attributes:
        matrix: Shape (n, p), float32, missing values NaN; a category is the position of its group in ``groups``.
        names: The p features.
        groups: By categorical feature: groups of levels, lowest mean uplift first; every level is in one group.
        missing: Features with missing values.
    """

    matrix: NDArray[np.float32]
    names: tuple[str, ...]
    groups: Mapping[str, tuple[Levels, ...]]
    missing: frozenset[str]


def encode(features: pd.DataFrame, uplift: NDArray[np.float64]) -> Encoding:
    """Numbers for a regression tree on ``uplift``.

    For squared error the best split of a category into two sets is a cut in the order of its levels' means, so one
    ordinal column finds it.

    Args:
        features: n rows of numbers, booleans or text.
        uplift: Shape (n,).

    Raises:
        InputError: A column is neither numeric nor text, or holds an infinite number.

    Source: Fisher (1958); Breiman et al. (1984), theorem 4.5.
    """
    matrix = np.empty(features.shape, dtype=np.float32, order="F")
    groups = {}
    for position, name in enumerate(features.columns):
        column = features[name]
        if pd.api.types.is_numeric_dtype(column.dtype):
            matrix[:, position] = _numbers(name, column)
        else:
            categories = _as_category(name, column)
            groups[name] = _ordered_groups(categories, uplift)
            matrix[:, position] = _positions(categories, groups[name])
    names = tuple(str(name) for name in features.columns)
    missing = np.flatnonzero(np.isnan(matrix).any(axis=0))
    return Encoding(matrix, names, groups, frozenset(names[position] for position in missing))


def _numbers(name: str, column: "pd.Series[Any]") -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        numbers: NDArray[np.float32] = column.to_numpy(dtype=np.float32, na_value=np.nan)
    infinite = int(np.isinf(numbers).sum())
    if infinite:
        raise InputError(
            f"features: column {name!r} holds {infinite} values that are infinite or beyond 3.4e38",
            remedy="make them missing, or leave the column out by features.exclude",
        )
    return numbers


def _as_category(name: str, column: "pd.Series[Any]") -> "pd.Series[Any]":
    is_text = pd.api.types.is_string_dtype(column.dtype) or column.dtype == object
    categories = column.astype("category") if is_text else column
    if not isinstance(categories.dtype, pd.CategoricalDtype) or any(
        not isinstance(level, str) for level in categories.cat.categories
    ):
        raise InputError(
            f"features: column {name!r} of type {column.dtype} is neither numeric nor text",
            remedy="cast it to a number or to text, or leave it out by features.exclude",
        )
    return categories


def _ordered_groups(categories: "pd.Series[Any]", uplift: NDArray[np.float64]) -> tuple[Levels, ...]:
    levels = np.array(categories.cat.categories, dtype=object)
    codes = categories.cat.codes.to_numpy()
    known = codes >= 0
    users = np.bincount(codes[known], minlength=len(levels))
    total = np.bincount(codes[known], weights=uplift[known], minlength=len(levels))
    rare = users < RARE_LEVEL * len(codes)
    pooled = [(users[rare].sum(), total[rare].sum(), tuple(sorted(levels[rare])))] if rare.any() else []
    single = [(users[k], total[k], (levels[k],)) for k in np.flatnonzero(~rare)]
    # A pool in which nobody is has no mean; it goes where a random user would.
    average = uplift.mean() if len(uplift) else 0.0
    means = sorted((sums / n if n else average, members) for n, sums, members in pooled + single)
    return tuple(members for _, members in means)


def _positions(categories: "pd.Series[Any]", groups: tuple[Levels, ...]) -> NDArray[np.float32]:
    position = {level: index for index, members in enumerate(groups) for level in members}
    of_code = np.array([position[level] for level in categories.cat.categories] + [np.nan], dtype=np.float32)
    return of_code[categories.cat.codes.to_numpy()]
