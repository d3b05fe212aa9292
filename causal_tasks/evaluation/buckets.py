"""What happened to the users of each stretch of the ranking."""

from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from causal_tasks.effects.inference import two_sided_quantile
from causal_tasks.errors import InputError
from causal_tasks.evaluation.ranking import Ranking, only_ranking


def uplift_curve(
    outcome: ArrayLike,
    uplift: ArrayLike,
    treatment: ArrayLike,
    *,
    control: Any = None,
    buckets: int = 100,
    level: float = 0.95,
) -> pd.DataFrame:
    """Observed means by bucket of predicted uplift: the histogram behind the curves.

    Args:
        outcome: Shape (n,), more is better.
        uplift: Shape (n,).
        treatment: Shape (n,), labels of two arms.
        control: Label of the control arm; None: 0.
        buckets: Number of buckets of equal size; users with equal scores stay together, so some may stay empty.
        level: Of the intervals (normal, Welch).

    Returns:
        One row for each bucket that has users, 1 the highest predicted: ``bucket, n_control, n_treatment,
        mean_control, mean_treatment, predicted, difference, standard_error, low, high``; NaN where an arm has too few
        users to tell.

    Raises:
        InputError: As for ``auuc``, there are several treatments, ``buckets`` is not positive, or ``level`` is
            no share.
    """
    if buckets < 1:
        raise InputError(f"buckets is {buckets}", remedy="use 1 or more")
    ranking = only_ranking(outcome, uplift, treatment, control=control)
    bucket = ranking.bucket(buckets)
    arms = [_moments(bucket[arm], ranking.outcome[arm], buckets) for arm in (~ranking.treated, ranking.treated)]
    (n_control, mean_control, error_control), (n_treatment, mean_treatment, error_treatment) = arms
    standard_error = np.sqrt(error_control + error_treatment)
    half = two_sided_quantile(level) * standard_error
    difference = mean_treatment - mean_control
    table = pd.DataFrame(
        {
            "bucket": np.arange(1, buckets + 1),
            "n_control": n_control,
            "n_treatment": n_treatment,
            "mean_control": mean_control,
            "mean_treatment": mean_treatment,
            "predicted": _moments(bucket, ranking.uplift, buckets)[1],
            "difference": difference,
            "standard_error": standard_error,
            "low": difference - half,
            "high": difference + half,
        }
    )
    return table[(n_control + n_treatment) > 0].reset_index(drop=True)


def uplift_at(
    outcome: ArrayLike,
    uplift: ArrayLike,
    treatment: ArrayLike,
    *,
    share: float,
    strategy: Literal["overall", "by_group"] = "overall",
    control: Any = None,
) -> float:
    """Treatment mean minus control mean among the users ranked highest.

    The number of users is rounded down. Of a block of equal scores that is only partly inside, every user counts
    with the fraction that is inside, so the order of rows does not matter.

    Args:
        outcome: Shape (n,), more is better.
        uplift: Shape (n,).
        treatment: Shape (n,), labels of two arms.
        share: Of users, above 0 and up to 1.
        strategy: ``overall`` takes the top share of all users, ``by_group`` the top share of each arm by itself.
        control: Label of the control arm; None: 0.

    Returns:
        Outcome units per user in the top.

    Raises:
        InputError: As for ``auuc``, the share or strategy is unknown, or the top has no user of one arm.
    """
    return difference_at(only_ranking(outcome, uplift, treatment, control=control), share, strategy)


def difference_at(ranking: Ranking, share: float, strategy: Literal["overall", "by_group"]) -> float:
    """``uplift_at`` of users who are ranked already."""
    if not 0 < share <= 1:
        raise InputError(f"share is {share}", remedy="use a number above 0 and up to 1")
    if strategy == "overall":
        users = np.full(2, _rounded_down(share * len(ranking.outcome)))
        counted: tuple[Any, Any] = (ranking.ends, ranking.ends)
    elif strategy == "by_group":
        counted = (ranking.weight_treatment, ranking.weight_control)
        users = np.array([_rounded_down(share * total[-1]) for total in counted])
    else:
        raise InputError(f"strategy {strategy!r} is unknown", remedy="use overall or by_group")
    n_treatment, sum_treatment = _down_to(users[0], counted[0], (ranking.weight_treatment, ranking.sum_treatment))
    n_control, sum_control = _down_to(users[1], counted[1], (ranking.weight_control, ranking.sum_control))
    if n_treatment == 0 or n_control == 0:
        raise InputError(
            f"the top {share:g} holds {n_treatment:g} treated and {n_control:g} control users",
            remedy="use a larger share",
        )
    return float(sum_treatment / n_treatment - sum_control / n_control)


def _rounded_down(users: float) -> int:
    return int(np.floor(users + 1e-9))


def _down_to(users: int, counted: Any, running: tuple[Any, Any]) -> tuple[float, float]:
    return float(np.interp(users, counted, running[0])), float(np.interp(users, counted, running[1]))


def _moments(
    bucket: NDArray[np.intp], values: Any, buckets: int
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """Users, mean, and squared standard error of the mean by bucket; NaN where they cannot be told."""
    n = np.bincount(bucket, minlength=buckets)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.bincount(bucket, values, buckets) / n
        centred = np.bincount(bucket, (values - mean[bucket]) ** 2, buckets)
        squared_error = np.where(n > 1, centred / (n - 1) / n, np.nan)
    return n, mean, squared_error
