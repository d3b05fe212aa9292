"""Whether two arms are alike in what was known before exposure."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from causal_tasks.effects.arguments import Codes, Floats, Mask, finite, treated_mask
from causal_tasks.effects.covariates import read_covariates
from causal_tasks.errors import InputError

MISSING = "missing"
"""Level that stands for units without a value."""


def standardized_mean_differences(
    covariates: Any,
    treatment: npt.ArrayLike,
    *,
    control: Any = None,
    weights: npt.ArrayLike | None = None,
) -> pd.DataFrame:
    """How far the arms' means lie apart, in standard deviations, for every covariate and level.

    The standard deviation is the root of the mean of both arms' variances, always that of the units without weights,
    so that numbers before and after matching share one yardstick. Where neither arm varies it is that of all units.
    Numbers are compared among units that have one; missing values are compared as a level of their own.

    Args:
        covariates: DataFrame of n rows, or numbers of shape (n, p); missing values and categories allowed.
        treatment: Shape (n,), two arm labels.
        control: Label of the control arm; None: 0 or False.
        weights: Shape (n,), not negative, such as ``Matching.weights``; None weighs every unit alike.

    Returns:
        One row for each number, level and missing indicator, in the order of columns: ``feature``, ``level`` (None for
        a number, ``missing`` for units without a value), ``difference``: treatment minus control, 0 where a number is
        known in one arm only.

    Raises:
        InputError: Rows differ, labels are not two, a value is infinite, or an arm has no weight.

    Source: Austin (2009); Stuart (2010), section 4.1: below 0.1 counts as balanced.

    Examples:
        >>> standardized_mean_differences([30.0, 40.0, 40.0, 50.0], [0, 0, 1, 1])["difference"].tolist()
        [2.0]
    """
    rows = len(np.asarray(treatment))
    treated = treated_mask(treatment, control=control, rows=rows)
    frame = read_covariates(covariates, rows=rows)
    weight = _weights(weights, treated)
    compared = [(name, *row) for name, values in frame.items() for row in _compared(values, treated, weight)]
    names, levels, differences = zip(*compared, strict=True)
    return pd.DataFrame(
        {"feature": names, "level": pd.Series(levels, dtype=object), "difference": np.array(differences)}
    )


def _weights(weights: npt.ArrayLike | None, treated: Mask) -> Floats | None:
    if weights is None:
        return None
    values = finite(weights, name="weights")
    if len(values) != len(treated) or (values < 0).any():
        raise InputError(
            f"weights has {len(values)} rows for {len(treated)} units, the least is {values.min(initial=0):g}",
            remedy="pass one weight per unit, none negative",
        )
    for arm, name in ((treated, "treatment"), (~treated, "control")):
        if not values[arm].any():
            raise InputError(f"weights: every unit of the {name} arm has weight 0", remedy="nobody was matched")
    return values


def _compared(values: "pd.Series[Any]", treated: Mask, weight: Floats | None) -> Iterator[tuple[str | None, float]]:
    """Level and difference of everything that a covariate is compared by."""
    missing = values.isna().to_numpy()
    if isinstance(values.dtype, pd.CategoricalDtype):
        codes = values.cat.codes.to_numpy().astype(np.intp)
        names = [*map(str, values.cat.categories), MISSING]
        codes[missing] = len(names) - 1
        differences = _share_differences(codes, len(names), treated, weight)
        present = np.bincount(codes, minlength=len(names)) > 0
        yield from ((names[position], float(differences[position])) for position in np.flatnonzero(present))
        return
    if not missing.all():
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
        yield None, _mean_difference(numbers[~missing], treated[~missing], None if weight is None else weight[~missing])
    if missing.any():
        yield MISSING, float(_share_differences(missing.astype(np.intp), 2, treated, weight)[1])


def _share_differences(codes: Codes, levels: int, treated: Mask, weight: Floats | None) -> Floats:
    """Standardised difference in the share of each level, shape (levels,)."""
    plain = [_shares(codes[arm], levels, None) for arm in (~treated, treated)]
    spread = np.sqrt(sum(share * (1 - share) for share in plain) / 2)
    overall = _shares(codes, levels, None)
    spread = np.where(spread > 0, spread, np.sqrt(overall * (1 - overall)))
    control, treatment = (
        plain if weight is None else [_shares(codes[arm], levels, weight[arm]) for arm in (~treated, treated)]
    )
    difference: Floats = np.divide(treatment - control, spread, out=np.zeros(levels), where=spread > 0)
    return difference


def _shares(codes: Codes, levels: int, weight: Floats | None) -> Floats:
    counts = np.bincount(codes, weight, minlength=levels)
    shares: Floats = counts / counts.sum()
    return shares


def _mean_difference(values: Floats, treated: Mask, weight: Floats | None) -> float:
    """Standardised difference in means of values of which none is missing; 0 where an arm has none."""
    arms = (~treated, treated)
    totals = [float(arm.sum() if weight is None else weight[arm].sum()) for arm in arms]
    if min(totals) == 0:
        return 0.0
    spread = math.sqrt(float(np.mean([values[arm].var() for arm in arms]))) or float(values.std())
    counted = values if weight is None else values * weight
    control, treatment = (float(counted[arm].sum()) / total for arm, total in zip(arms, totals, strict=True))
    return (treatment - control) / spread if spread else 0.0
