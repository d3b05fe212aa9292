"""The primary metric as one number per user, which learners fit and rankings are scored on."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_tasks.data.columns import outcome_columns
from causal_tasks.errors import InputError
from causal_tasks.experiment import Metric

Vector = NDArray[np.float64]


class _ControlRatio(NamedTuple):
    """What a ratio is linearised around: the control users of the discovery part."""

    ratio: float
    mean_denominator: float


def user_outcome(users: pd.DataFrame, metric: Metric, *, control: Any) -> Vector:
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
    values = _values(users, metric)
    if not metric.is_ratio:
        return values[0]
    numerator, denominator = values
    around = _control_ratio(users, metric, control)
    return (numerator - around.ratio * denominator) / around.mean_denominator


def outcome_baseline(users: pd.DataFrame, metric: Metric, *, control: Any) -> float:
    """What a mean of ``user_outcome`` lacks to be on the metric's own level: r of a ratio, else 0.

    Arguments are those of ``user_outcome``.

    Raises:
        InputError: As for ``user_outcome``.
    """
    return _control_ratio(users, metric, control).ratio if metric.is_ratio else 0.0


def _values(users: pd.DataFrame, metric: Metric) -> list[Vector]:
    return [users[column].to_numpy(dtype=np.float64, na_value=np.nan) for column in outcome_columns(metric)]


def _control_ratio(users: pd.DataFrame, metric: Metric, control: Any) -> _ControlRatio:
    numerator, denominator = _values(users, metric)
    known = ~np.isnan(numerator) & ~np.isnan(denominator)
    reference = known & ((users["part"] == "discovery") & (users["arm"] == control)).to_numpy(dtype=bool)
    total = float(denominator[reference].sum())
    if total <= 0:
        raise InputError(
            f"users: den__{metric.name} sums to {total:g} over the control users of the discovery part",
            remedy="check the denominator column of the metric",
        )
    return _ControlRatio(float(numerator[reference].sum()) / total, total / int(reference.sum()))
