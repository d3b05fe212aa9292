"""Average effects by comparing the means of two arms, plain or adjusted for what was known before exposure."""

from typing import Any

import numpy as np
import numpy.typing as npt

from causal_tasks.effects.arguments import Codes, Floats, Mask, cluster_codes, finite, treated_mask
from causal_tasks.effects.effect import Effect, Influence, deviations_from_arm_means, effect_from_influence
from causal_tasks.errors import InputError


def difference_in_means(
    outcome: npt.ArrayLike,
    treatment: npt.ArrayLike,
    *,
    control: Any = None,
    clusters: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> Effect:
    """Mean of the treated minus mean of the control, without assuming equal variances.

    Args:
        outcome: Shape (n,), any unit.
        treatment: Shape (n,), two arm labels.
        control: Label of the control arm; None: 0 or False.
        clusters: Shape (n,), groups that were randomised or repeat together; None: units are independent.
        level: Coverage of the intervals.

    Raises:
        InputError: A value is not finite, labels are not two, or an arm has fewer than two units or clusters.

    Source: Welch (1947); with clusters, sums of influence by cluster (Liang and Zeger 1986).

    Examples:
        >>> effect = difference_in_means([1.0, 2.0, 3.0, 4.0, 5.0, 9.0], [0, 0, 0, 1, 1, 1])
        >>> effect.estimate, effect.control_mean
        (4.0, 2.0)
        >>> [round(bound, 2) for bound in effect.interval]
        [-1.74, 9.74]
    """
    values = finite(outcome, name="outcome")
    treated = treated_mask(treatment, control=control, rows=len(values))
    return mean_difference(values, treated, clusters=cluster_codes(clusters, rows=len(treated)), level=level)


def cuped(
    outcome: npt.ArrayLike,
    treatment: npt.ArrayLike,
    covariates: npt.ArrayLike,
    *,
    control: Any = None,
    clusters: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> Effect:
    """Difference in means after removing what pre-exposure covariates explain.

    The coefficients are those of least squares on the covariates and the arm, pooled over both arms, so that adding a
    constant effect adds exactly that constant. ``relative`` is taken of the control mean as observed.

    Args:
        outcome: Shape (n,), any unit.
        treatment: Shape (n,), two arm labels.
        covariates: Shape (n,) or (n, p), measured before exposure.
        control: Label of the control arm; None: 0 or False.
        clusters: Shape (n,), groups that were randomised or repeat together; None: units are independent.
        level: Coverage of the intervals.

    Raises:
        InputError: A covariate is constant, there are too many of them, a value is not finite, labels are not two, or
            an arm has fewer than two units or clusters.

    Source: Deng, Xu, Kohavi, Walker (2013), equation 4.

    Examples:
        >>> cuped([1.0, 2.0, 3.0, 5.0], [0, 0, 1, 1], [1.0, 2.0, 1.0, 2.0]).estimate
        2.5
    """
    values = finite(outcome, name="outcome")
    treated = treated_mask(treatment, control=control, rows=len(values))
    known = finite(covariates, name="covariates", dimensions=(1, 2))
    return adjusted_difference(
        values,
        values - explained(values, treated, known),
        treated,
        clusters=cluster_codes(clusters, rows=len(treated)),
        level=level,
        method="cuped",
    )


def mean_difference(values: Floats, treated: Mask, *, clusters: Codes, level: float) -> Effect:
    """As :func:`difference_in_means`, of arguments that have been checked."""
    control_mean = float(values[~treated].mean())
    return effect_from_influence(
        Influence.of_difference(values, treated),
        estimate=float(values[treated].mean()) - control_mean,
        control_mean=control_mean,
        treated=treated,
        clusters=clusters,
        level=level,
        method="difference_in_means",
    )


def adjusted_difference(
    values: Floats, adjusted: Floats, treated: Mask, *, clusters: Codes, level: float, method: str
) -> Effect:
    """Difference in means of adjusted outcomes, beside the plain one.

    Args:
        values: Outcomes as observed, shape (n,).
        adjusted: The same without what is explained, shape (n,).
        treated: Shape (n,).
        clusters: Codes 0, 1, …, shape (n,).
        level: Coverage of the intervals.
        method: Name of the estimator.
    """
    effect = effect_from_influence(
        Influence.of_difference(adjusted, treated, control_values=values),
        estimate=float(adjusted[treated].mean() - adjusted[~treated].mean()),
        control_mean=float(values[~treated].mean()),
        treated=treated,
        clusters=clusters,
        level=level,
        method=method,
    )
    return effect.beside(mean_difference(values, treated, clusters=clusters, level=level))


def explained(values: Floats, treated: Mask, covariates: Floats) -> Floats:
    """What covariates predict of ``values`` beyond their pooled mean, with one coefficient for both arms, shape (n,).

    Args:
        values: Shape (n,).
        treated: Shape (n,).
        covariates: Shape (n,) or (n, p).

    Raises:
        InputError: A covariate is constant within each arm, there are too many, or rows differ.
    """
    covariates = covariates.reshape(len(covariates), -1)
    rows, columns = covariates.shape
    if rows != len(values):
        raise InputError(f"covariates have {rows} rows, the outcome {len(values)}", remedy="pass one row per unit")
    if columns + 2 >= rows:
        raise InputError(f"{columns} covariates for {rows} units", remedy="pass fewer covariates")
    for column in range(columns):
        arms = covariates[treated, column], covariates[~treated, column]
        if all(np.ptp(arm) == 0 for arm in arms):
            raise InputError(f"covariate {column} is constant within each arm", remedy="leave it out")
    within = deviations_from_arm_means(covariates, treated)
    # Without a common scale lstsq takes a covariate of small unit for a rounding error.
    scale = within.std(axis=0)
    theta = np.linalg.lstsq(within / scale, deviations_from_arm_means(values, treated))[0] / scale
    beyond_mean: Floats = (covariates - covariates.mean(axis=0)) @ theta
    return beyond_mean
