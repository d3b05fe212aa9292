"""Event study: the difference between two arms period by period, and whether they ran in parallel before the start."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import fdtrc

from causal_tasks.effects.arguments import Codes, Floats, Mask, cluster_codes, finite, treated_mask
from causal_tasks.effects.effect import Effect, Interval
from causal_tasks.effects.inference import two_sided_quantile
from causal_tasks.effects.means import difference_in_means
from causal_tasks.errors import InputError

Days = tuple[int, int]
"""First and last day of a period, counted from the day of the start."""

_CERTAIN = 1e-10
"""Variance, as a share of one difference's, below which a combination of differences is known without error."""

_ROUNDING = 1e-6
"""Standard errors of one difference within which such a combination is zero but for rounding."""


@dataclass(frozen=True, slots=True)
class PeriodDifference:
    """Treatment minus control in one period, minus the same in the reference period.

    Attributes:
        first_day: Of the period, counted from the day of the start.
        last_day: Likewise.
        estimate: In the unit of the periods.
        standard_error: Of ``estimate``; 0 in the reference period.
        interval: Two-sided confidence interval.
        reference: Whether this is the reference period, the last one before the start.
    """

    first_day: int
    last_day: int
    estimate: float
    standard_error: float
    interval: Interval
    reference: bool


@dataclass(frozen=True, slots=True)
class PreTrend:
    """Whether the arms ran in parallel before the start.

    Attributes:
        p_value: Of all differences before the start being zero; NaN where there are too few clusters to tell.
        statistic: Wald's, chi-squared with ``degrees`` where clusters are many; infinite where a difference is certain.
        degrees: How many independent differences were tested.
        slope: Treatment minus control of the linear trend before the start, per day.
    """

    p_value: float
    statistic: float
    degrees: int
    slope: Effect

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON values; a number that is not finite is None."""
        slope = self.slope.to_dict()
        return {
            "p_value": self.p_value if math.isfinite(self.p_value) else None,
            "statistic": self.statistic if math.isfinite(self.statistic) else None,
            "degrees": self.degrees,
            "slope": {key: slope[key] for key in ("estimate", "standard_error", "interval", "p_value")},
        }


@dataclass(frozen=True, slots=True)
class EventStudy:
    """Differences between two arms around the start.

    Attributes:
        periods: In the order of their days.
        covariance: Of their estimates, shape (P, P).
        pre_trend: None where no period but the reference lies before the start.
        n_control: Units in the control arm.
        n_treatment: Units in the treatment arm.
        level: Coverage of the intervals.
    """

    periods: tuple[PeriodDifference, ...]
    covariance: Floats
    pre_trend: PreTrend | None
    n_control: int
    n_treatment: int
    level: float

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON values, without the covariance, for periods that hold means per day."""
        return {
            "per": "user and day",
            "periods": [asdict(period) | {"interval": list(period.interval)} for period in self.periods],
            "pre_trend": None if self.pre_trend is None else self.pre_trend.to_dict(),
            "n_control": self.n_control,
            "n_treatment": self.n_treatment,
        }


def event_study(
    periods: npt.ArrayLike,
    treatment: npt.ArrayLike,
    *,
    before: int,
    days: Sequence[Days] | None = None,
    control: Any = None,
    clusters: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> EventStudy:
    """Treatment minus control of every period, relative to the last one before the start.

    These are the coefficients of period by treatment in least squares with an effect for every unit and period. Before
    the start they estimate zero if the arms run in parallel; their joint test is Wald's, with Hotelling's correction
    for few clusters. A test that finds nothing is no proof: it may lack the users to.

    Args:
        periods: Shape (n, P), the outcome of every unit in every period, on one scale, such as means per day.
        treatment: Shape (n,), two arm labels.
        before: How many of the periods lie before the start.
        days: First and last day of every period; None: periods are the days ``-before, …, P - before - 1``.
        control: Label of the control arm; None: 0 or False.
        clusters: Shape (n,), groups that were treated or repeat together; None: units are independent.
        level: Coverage of the intervals.

    Raises:
        InputError: A value is not finite, no period lies before the start or none after it, ``days`` are not one pair
            for each, labels are not two, or an arm has fewer than two units or clusters.

    Source: Roth (2022), section I; Hotelling (1931) for the joint test.

    Examples:
        >>> study = event_study([[1, 1, 2], [2, 2, 2], [1, 3, 7], [3, 4, 6]], [0, 0, 1, 1], before=2)
        >>> [period.estimate for period in study.periods]
        [-1.5, 0.0, 2.5]
    """
    values = finite(periods, name="periods", dimensions=(2,))
    spans = _checked_days(values, before, days)
    treated = treated_mask(treatment, control=control, rows=len(values))
    codes = None if clusters is None else cluster_codes(clusters, rows=len(values))
    control_changes, treatment_changes = (
        _Changes.of(values[members], before - 1, None if codes is None else codes[members], arm=arm)
        for arm, members in (("control", ~treated), ("treatment", treated))
    )
    estimates = treatment_changes.mean - control_changes.mean
    covariance, degrees = _covariance(control_changes, treatment_changes)
    errors = np.sqrt(np.diag(covariance))
    return EventStudy(
        periods=tuple(
            _difference(span, estimates[p], errors[p], degrees[p], level=level, reference=p == before - 1)
            for p, span in enumerate(spans)
        ),
        covariance=covariance,
        pre_trend=None
        if before == 1
        else PreTrend(
            *_joint_test(estimates[: before - 1], covariance[: before - 1, : before - 1], degrees[: before - 1].min()),
            slope=_slope(values[:, :before], spans[:before], treated, codes, level),
        ),
        n_control=int((~treated).sum()),
        n_treatment=int(treated.sum()),
        level=level,
    )


def _checked_days(values: Floats, before: int, days: Sequence[Days] | None) -> Sequence[Days]:
    count = values.shape[1]
    if not 1 <= before < count:
        raise InputError(
            f"before is {before} of {count} periods", remedy="pass at least one period before the start and one after"
        )
    spans = [(day, day) for day in range(-before, count - before)] if days is None else days
    if len(spans) != count:
        raise InputError(f"days has {len(spans)} entries for {count} periods", remedy="pass one pair for each period")
    return spans


def _difference(
    days: Days, estimate: float, error: float, degrees: float, *, level: float, reference: bool
) -> PeriodDifference:
    half = two_sided_quantile(level, degrees) * error
    bounds = float(estimate - half), float(estimate + half)
    return PeriodDifference(*days, float(estimate), float(error), bounds, reference)


@dataclass(frozen=True, slots=True)
class _Changes:
    """How one arm changed since the reference period.

    Attributes:
        mean: Shape (P,).
        influence: What each of G clusters contributes to the mean, times sqrt(G / (G - 1)), shape (G, P).
        clusters: Their codes, ascending, shape (G,); None where every unit is its own.
    """

    mean: Floats
    influence: Floats
    clusters: Codes | None

    @classmethod
    def of(cls, values: Floats, reference: int, clusters: Codes | None, *, arm: str) -> "_Changes":
        changes = values - values[:, [reference]]
        mean = changes.mean(axis=0)
        changes -= mean
        changes /= len(changes)
        found = None
        if clusters is not None:
            found, codes = np.unique(clusters, return_inverse=True)
            changes = np.column_stack([np.bincount(codes, column) for column in changes.T])
        count = len(changes)
        if count < 2:
            raise InputError(
                f"all units of the {arm} arm are in one cluster",
                remedy="a standard error needs at least two clusters in each arm",
            )
        changes *= math.sqrt(count / (count - 1))
        return cls(mean, changes, found)


def _covariance(control: _Changes, treatment: _Changes) -> tuple[Floats, Floats]:
    """Covariance of differences in mean change, shape (P, P), and degrees of freedom of each as ``Effect`` has them."""
    counts = np.array([[len(control.influence)], [len(treatment.influence)]])
    if control.clusters is None or treatment.clusters is None:
        independent = int(counts.sum())
        covariance = control.influence.T @ control.influence + treatment.influence.T @ treatment.influence
    else:
        # A cluster may lie in both arms.
        independent = int(max(control.clusters[-1], treatment.clusters[-1])) + 1
        influence = np.zeros((independent, len(control.mean)))
        influence[treatment.clusters] = treatment.influence
        influence[control.clusters] -= control.influence
        covariance = influence.T @ influence
    variances = np.stack([np.einsum("ij,ij->j", arm.influence, arm.influence) for arm in (control, treatment)])
    spread = (variances**2 / (counts - 1)).sum(axis=0)
    welch = np.divide(variances.sum(axis=0) ** 2, spread, out=np.full_like(spread, np.inf), where=spread > 0)
    return covariance, np.minimum(welch, independent - 1)


def _joint_test(differences: Floats, covariance: Floats, degrees: float) -> tuple[float, float, int]:
    """The p-value of all ``differences`` being zero, Wald's statistic, and how many differences it tests.

    Differences that follow from others, as in periods without any activity, count once; what has no variance at all is
    either zero or certainly not.

    Args:
        differences: Shape (q,).
        covariance: Of them, shape (q, q).
        degrees: With which the covariance was estimated.
    """
    scale = np.sqrt(np.diag(covariance))
    scale = np.where(scale > 0, scale, scale.max() or 1.0)
    spread, directions = np.linalg.eigh(covariance / np.outer(scale, scale))
    projected = directions.T @ (differences / scale)
    known = spread > _CERTAIN
    rank = int(known.sum())
    if len(differences) > degrees:
        return math.nan, math.nan, rank
    if (np.abs(projected[~known]) > _ROUNDING).any():
        return 0.0, math.inf, rank
    if not rank:
        return 1.0, 0.0, rank
    statistic = float((projected[known] ** 2 / spread[known]).sum())
    left = degrees - rank + 1
    return float(fdtrc(rank, left, statistic * left / (degrees * rank))), statistic, rank


def _slope(values: Floats, days: Sequence[Days], treated: Mask, clusters: Codes | None, level: float) -> Effect:
    """The difference in means of the units' own least-squares slopes."""
    middle = np.mean(days, axis=1)
    centred = middle - middle.mean()
    return difference_in_means(values @ (centred / (centred**2).sum()), treated, clusters=clusters, level=level)
