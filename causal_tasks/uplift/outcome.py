"""The primary metric as one number per user, which learners fit and rankings are scored on."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_tasks.errors import InputError
from causal_tasks.experiment import Metric


def outcome_columns(metric: Metric) -> tuple[str, ...]:
    """Columns of ``users`` that ``user_outcome`` reads, besides ``arm`` and ``part``."""
    return (f"num__{metric.name}", f"den__{metric.name}") if metric.is_ratio else (f"y__{metric.name}",)


def user_outcome(users: pd.DataFrame, metric: Metric, *, control: Any) -> NDArray[np.float64]:
    """One value per user in the metric's own unit, shape (n,); NaN where the user has none.

    A ratio N/D becomes (N - r D) / mean(D) with r and mean(D) of the discovery part's control users: a mean
    difference of it is, to first order, the difference of ratios.

    Args:
        users: As ``prepare`` writes it.
        metric: One of the experiment's metrics.
        control: Label of the control arm.

    Raises:
        InputError: The control users of the discovery part have no denominator.

    Source: Budylin, Drutsa, Katsev, Tsoy (2018), linearisation.
    """
    values = [users[column].to_numpy(dtype=np.float64, na_value=np.nan) for column in outcome_columns(metric)]
    if not metric.is_ratio:
        return values[0]
    numerator, denominator = values
    known = ~np.isnan(numerator) & ~np.isnan(denominator)
    reference = known & ((users["part"] == "discovery") & (users["arm"] == control)).to_numpy(dtype=bool)
    total = float(denominator[reference].sum())
    if total <= 0:
        raise InputError(
            f"users: den__{metric.name} sums to {total:g} over the control users of the discovery part",
            remedy="check the denominator column of the metric",
        )
    ratio = float(numerator[reference].sum()) / total
    return (numerator - ratio * denominator) / (total / int(reference.sum()))
