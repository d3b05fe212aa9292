"""The record of an average effect, and the one way in which its uncertainty is computed."""

import math
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np

from causal_tasks.effects.arguments import Codes, Floats, Mask
from causal_tasks.effects.inference import two_sided_p_value, two_sided_quantile
from causal_tasks.errors import InputError

NEAR_ZERO = 4.0
"""Standard errors within which a control mean counts as zero, so that a quotient by it says nothing."""

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Effect:
    """An estimated average effect of treatment against control.

    Attributes:
        estimate: Treatment minus control, in the outcome's own unit.
        standard_error: Of ``estimate``, same unit.
        interval: Two-sided confidence interval, same unit.
        p_value: Two-sided, of no effect.
        relative: ``estimate`` / ``control_mean``; None where the control mean is within four standard errors of zero.
        relative_interval: Of ``relative``, by the delta method; where that is None, Fieller's, None if unbounded.
        control_mean: Mean (or ratio) of the control arm, not adjusted, in the outcome's own unit.
        n_control: Units in the control arm.
        n_treatment: Units in the treatment arm.
        level: Coverage of the intervals.
        method: Name of the estimator.
        notes: What a reader must know besides, as ``code`` or ``code: number``.
        variance_ratio: Variance of ``estimate`` / variance of the plain difference (in means, or of ratios) on the same
            users; None where this is that difference, or its variance is zero.
        variance_ratio_cupac: The same against CUPAC; None where CUPAC was not computed beside.
        equivalent_sample: Users that a plain difference in means would need for this standard error.
    """

    estimate: float
    standard_error: float
    interval: Interval
    p_value: float
    relative: float | None
    relative_interval: Interval | None
    control_mean: float
    n_control: int
    n_treatment: int
    level: float
    method: str
    notes: tuple[str, ...] = ()
    variance_ratio: float | None = None
    variance_ratio_cupac: float | None = None
    equivalent_sample: int | None = None

    def beside(self, plain: "Effect", cupac: "Effect | None" = None) -> "Effect":
        """This effect with its variance set against that of other estimators on the same users.

        Args:
            plain: The difference in means.
            cupac: CUPAC; None: not computed.
        """
        ratio = self.variance_ratio_to(plain)
        return replace(
            self,
            variance_ratio=ratio,
            variance_ratio_cupac=self.variance_ratio_to(cupac) if cupac else None,
            equivalent_sample=round((plain.n_control + plain.n_treatment) / ratio) if ratio else None,
        )

    def variance_ratio_to(self, other: "Effect") -> float | None:
        """Variance of this estimate / that of another; None where either is unknown, or the other is zero."""
        known = math.isfinite(self.standard_error) and math.isfinite(other.standard_error) and other.standard_error > 0
        return (self.standard_error / other.standard_error) ** 2 if known else None

    @classmethod
    def undefined(cls, method: str, *, n_control: int, n_treatment: int, level: float, notes: tuple[str, ...]) -> Self:
        """The record of an effect that these data do not define; ``notes`` say why."""
        nan = math.nan
        return cls(nan, nan, (nan, nan), nan, None, None, nan, n_control, n_treatment, level, method, notes)

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON values: tuples become lists, numbers that are not finite become None."""
        return {field.name: _json_value(getattr(self, field.name)) for field in fields(self)}


def _json_value(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_json_value(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@dataclass(frozen=True, slots=True)
class Influence:
    """What each unit contributes to an estimate and to the control mean: first-order, summing to zero in each arm.

    Attributes:
        estimate: Shape (n,), outcome units.
        control_mean: Shape (n,), outcome units, zero for treated units.
    """

    estimate: Floats
    control_mean: Floats

    @classmethod
    def of_difference(cls, values: Floats, treated: Mask, *, control_values: Floats | None = None) -> Self:
        """The influence on a difference in means of ``values``, shape (n,).

        Args:
            values: Shape (n,).
            treated: Shape (n,).
            control_values: Of which the control mean is taken, shape (n,); None: ``values``.
        """
        on_estimate = deviations_from_arm_means(values, treated)
        n_treatment = int(treated.sum())
        on_estimate /= np.where(treated, n_treatment, n_treatment - len(treated))
        if control_values is None:
            return cls(on_estimate, np.where(treated, 0.0, -on_estimate))
        return cls.beside_control(on_estimate, control_values, treated)

    @classmethod
    def beside_control(cls, estimate: Floats, control_values: Floats, treated: Mask) -> Self:
        """A known influence on the estimate, and that on the control mean of ``control_values``.

        Args:
            estimate: Shape (n,).
            control_values: Shape (n,).
            treated: Shape (n,).
        """
        control = control_values[~treated]
        on_control = np.zeros(len(treated))
        on_control[~treated] = (control - control.mean()) / len(control)
        return cls(estimate, on_control)


def deviations_from_arm_means(values: Floats, treated: Mask) -> Floats:
    """``values``, shape (n,) or (n, p), minus the mean of each unit's arm."""
    means = np.stack([values[~treated].mean(axis=0), values[treated].mean(axis=0)])
    deviations: Floats = values - means[treated.astype(np.intp)]
    return deviations


def effect_from_influence(
    influence: Influence,
    *,
    estimate: float,
    control_mean: float,
    treated: Mask,
    clusters: Codes,
    level: float,
    method: str,
    notes: tuple[str, ...] = (),
) -> Effect:
    """The effect whose uncertainty follows from summing influence by cluster.

    With every unit its own cluster this is Welch's test. Otherwise cluster sums take the place of units, whether a
    cluster lies in one arm or in both. The t distribution has Welch-Satterthwaite degrees of freedom.

    Args:
        influence: Of each unit, on ``estimate`` and ``control_mean``.
        estimate: Treatment minus control.
        control_mean: What ``estimate`` is related to.
        treated: Shape (n,).
        clusters: Codes 0, 1, …, shape (n,).
        level: Coverage of the intervals.
        method: Name of the estimator.
        notes: What a reader must know besides.

    Raises:
        InputError: ``level`` is no share, or an arm consists of one cluster.
    """
    covariance, degrees = influence_covariance(influence, treated, clusters)
    standard_error = math.sqrt(covariance[0, 0])
    quantile = two_sided_quantile(level, degrees)
    half = quantile * standard_error
    n_treatment = int(treated.sum())
    relative, relative_interval = _relative(estimate, control_mean, covariance, quantile)
    return Effect(
        estimate=estimate,
        standard_error=standard_error,
        interval=(estimate - half, estimate + half),
        p_value=two_sided_p_value(estimate, standard_error, degrees),
        relative=relative,
        relative_interval=relative_interval,
        control_mean=control_mean,
        n_control=len(treated) - n_treatment,
        n_treatment=n_treatment,
        level=level,
        method=method,
        notes=notes,
    )


def influence_covariance(influence: Influence, treated: Mask, clusters: Codes) -> tuple[Floats, float]:
    """Covariance of estimate and control mean, shape (2, 2), and degrees of freedom of the estimate.

    Args:
        influence: Of each unit.
        treated: Shape (n,).
        clusters: Codes 0, 1, …, shape (n,).

    Raises:
        InputError: An arm consists of one cluster.
    """
    shape = (int(clusters.max()) + 1, 2)
    cell = 2 * clusters + treated

    def summed(weights: Floats | None = None) -> Floats:
        return np.bincount(cell, weights, minlength=2 * shape[0]).reshape(shape).astype(np.float64, copy=False)

    in_arm = (summed() > 0).sum(axis=0)
    for arm, independent in zip(("control", "treatment"), in_arm, strict=True):
        if independent < 2:
            raise InputError(
                f"all units of the {arm} arm are in one cluster",
                remedy="a standard error needs at least two clusters in each arm",
            )
    # Scaling sums, not variances, by G / (G - 1) keeps the matrix positive where a cluster lies in both arms.
    correction = np.sqrt(in_arm / (in_arm - 1))
    by_cell = summed(influence.estimate) * correction
    on_estimate, on_control = by_cell.sum(axis=1), summed(influence.control_mean)[:, 0] * correction[0]
    shared = (on_estimate * on_control).sum()
    covariance = np.array([[(on_estimate**2).sum(), shared], [shared, (on_control**2).sum()]])
    by_arm = (by_cell**2).sum(axis=0)
    spread = float((by_arm**2 / (in_arm - 1)).sum())
    welch = float(by_arm.sum()) ** 2 / spread if spread > 0 else math.inf
    return covariance, min(welch, shape[0] - 1)


def _relative(
    estimate: float, control_mean: float, covariance: Floats, quantile: float
) -> tuple[float | None, Interval | None]:
    variance, shared, control_variance = covariance[0, 0], covariance[0, 1], covariance[1, 1]
    if abs(control_mean) <= NEAR_ZERO * math.sqrt(control_variance):
        return None, _fieller(estimate, control_mean, covariance, quantile)
    ratio = estimate / control_mean
    # Delta method: influence on R = estimate / mean is (influence on the estimate - R x influence on the mean) / mean.
    spread = max(0.0, variance - 2 * ratio * shared + ratio**2 * control_variance)
    half = quantile * math.sqrt(spread) / abs(control_mean)
    return ratio, (ratio - half, ratio + half)


def _fieller(estimate: float, control_mean: float, covariance: Floats, quantile: float) -> Interval | None:
    """All R for which estimate - R x control mean is not significantly different from zero (Fieller 1954)."""
    squared = quantile**2
    a = control_mean**2 - squared * covariance[1, 1]
    b = estimate * control_mean - squared * covariance[0, 1]
    c = estimate**2 - squared * covariance[0, 0]
    if a <= 0:
        return None
    root = math.sqrt(max(0.0, b * b - a * c))
    return float((b - root) / a), float((b + root) / a)
