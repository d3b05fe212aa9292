"""Who are the users predicted to gain most, and who least? Classification analysis (CLAN).

Source: Chernozhukov, Demirer, Duflo, Fernández-Val (2025), section 3.3.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from causal_tasks.effects.inference import two_sided_quantile
from causal_tasks.errors import InputError
from causal_tasks.evaluation.estimate import LEVEL
from causal_tasks.evaluation.groups import Groups
from causal_tasks.evaluation.ranking import Vector

MIN_LEVEL_SHARE = 0.01
"""Share of users below which a level of a category is left out."""

TOP_AND_BOTTOM = (0, -1)
MISSING = ("missing_top", "missing_bottom")
COLUMNS = [
    "feature",
    "level",
    "top",
    "bottom",
    "difference",
    "standard_error",
    "low",
    "high",
    "standardized",
    *MISSING,
]


def characteristics(
    features: pd.DataFrame,
    uplift: ArrayLike,
    *,
    groups: int = 5,
    clusters: ArrayLike | None = None,
    level: float = LEVEL,
) -> pd.DataFrame:
    """Means of features among the users predicted to gain most against those predicted to gain least.

    Args:
        features: n rows of numbers, booleans or categories; missing values are left out of means.
        uplift: Shape (n,), predicted.
        groups: The first of so many groups of equal size is held against the last.
        clusters: Shape (n,), units that are not independent.
        level: Of the intervals.

    Returns:
        One row for each number or boolean, with ``level`` None, and for each level of a category that at least 1 % of
        users have: ``feature, level, top, bottom, difference, standard_error, low, high, standardized``, and
        ``missing_top``, ``missing_bottom``, shares of users without a value. For a level means are shares among the
        users with a value; ``standardized`` is the difference in standard deviations over all users. A feature of
        which either group has fewer than two values is left out.

    Raises:
        InputError: Lengths differ, a feature holds infinite numbers, or as for ``group_effects``.
    """
    cut = Groups.of(uplift, groups, clusters=clusters)
    if len(features) != len(np.asarray(uplift)):
        raise InputError(
            f"features have {len(features)} rows, uplift {len(np.asarray(uplift))}", remedy="pass one row per user"
        )
    quantile = two_sided_quantile(level)
    rows: list[dict[str, Any]] = []
    for name, column in features.items():
        missing = dict(zip(MISSING, cut.means(column.isna(), parts=TOP_AND_BOTTOM).values.tolist(), strict=True))
        if min(cut.independent(column.notna(), parts=TOP_AND_BOTTOM)) < 2:
            continue
        for value, numbers in _numbers(str(name), column):
            rows.append({"feature": str(name), "level": value} | _contrast(cut, numbers, quantile) | missing)
    table = pd.DataFrame(rows, columns=COLUMNS)
    # A column of text would turn None into NaN.
    return table.assign(level=pd.Series([row["level"] for row in rows], dtype=object))


def _contrast(cut: Groups, numbers: Vector, quantile: float) -> dict[str, Any]:
    means = cut.means(numbers, parts=TOP_AND_BOTTOM)
    difference, standard_error = means.difference(0, 1)
    spread = float(np.nanstd(numbers))
    return {
        "top": float(means.values[0]),
        "bottom": float(means.values[1]),
        "difference": difference,
        "standard_error": standard_error,
        "low": difference - quantile * standard_error,
        "high": difference + quantile * standard_error,
        "standardized": difference / spread if spread > 0 else 0.0,
    }


def _numbers(name: str, column: "pd.Series[Any]") -> Iterator[tuple[str | None, Vector]]:
    """The feature as numbers, missing ones NaN; for a category the membership of each level, the commonest first."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        numbers: Vector = column.to_numpy(dtype=np.float64, na_value=np.nan)
        infinite = int(np.isinf(numbers).sum())
        if infinite:
            raise InputError(
                f"features: column {name!r} holds {infinite} infinite values",
                remedy="make them missing, or leave the column out by features.exclude",
            )
        yield None, numbers
        return
    codes, levels = pd.factorize(column)
    share = np.bincount(codes[codes >= 0], minlength=len(levels)) / max(len(codes), 1)
    for position in np.argsort(-share, kind="stable"):
        if share[position] >= MIN_LEVEL_SHARE:
            yield str(levels[position]), np.where(codes < 0, np.nan, codes == position)
