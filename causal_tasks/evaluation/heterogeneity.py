"""Do effects differ between users, and do predictions tell how? BLP, GATES and calibration on users no model has seen.

``scores`` are doubly robust scores (``dr_scores``), ``uplift`` is what the model predicts for the same users.

Source: Chernozhukov, Demirer, Duflo, Fernández-Val (2025), "Fisher-Schultz lecture: generic machine learning inference
on heterogeneous treatment effects in randomized experiments".
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from causal_tasks.effects.arguments import cluster_codes, finite, probabilities
from causal_tasks.errors import InputError
from causal_tasks.evaluation.estimate import LEVEL, Estimate
from causal_tasks.evaluation.groups import Groups
from causal_tasks.evaluation.ranking import Vector
from causal_tasks.evaluation.regression import least_squares
from causal_tasks.evaluation.scores import treated_users

R2_GROUPS = 5
ZERO = 1e-9
"""What counts as zero, as a multiple of how large the values are that it is computed from."""


@dataclass(frozen=True, slots=True)
class BestLinearPredictor:
    """The straight line in predicted uplift that comes closest to the true effects.

    Attributes:
        average: The average effect, outcome units per user.
        heterogeneity: How much the effect rises where predicted uplift rises by one: 0 where predictions say nothing
            about effects, 1 where their spread is right. Its ``one_sided_p_value`` tests that effects differ.
    """

    average: Estimate
    heterogeneity: Estimate


@dataclass(frozen=True, slots=True)
class GroupEffects:
    """Sorted group average effects (GATES).

    Attributes:
        table: One row for each group, 1 the predicted best: ``group, n, predicted, estimate, standard_error, low,
            high``, outcome units per user; ``n`` is rounded where a border runs through equal predictions.
        top_minus_bottom: First group minus last.
        monotone: Whether no group has a larger effect than the one before it.
    """

    table: pd.DataFrame
    top_minus_bottom: Estimate
    monotone: bool


@dataclass(frozen=True, slots=True)
class Calibration:
    """Do predictions have the right size?

    Attributes:
        average: Measured average effect as a multiple of the predicted one: 1 is right. None where the mean prediction
            is zero.
        spread: Measured spread of effects as a multiple of the predicted one: 1 is right, below 1 predictions are
            too extreme. Its ``one_sided_p_value`` tests that effects differ.
        r2: 1 - error of the predicted group effects / error of giving every group the average effect: 1 is perfect,
            0 no better than one effect for all, negative worse. None where all group effects are equal.
        points: One row for each group of users, the predicted best first: ``predicted, observed, standard_error, n``.
    """

    average: Estimate | None
    spread: Estimate
    r2: float | None
    points: pd.DataFrame


def best_linear_predictor(
    outcome: ArrayLike,
    uplift: ArrayLike,
    treatment: ArrayLike,
    *,
    mean_control: ArrayLike,
    propensity: ArrayLike,
    clusters: ArrayLike | None = None,
    level: float = LEVEL,
) -> BestLinearPredictor:
    """Regress Y on 1, m0(X), W - e and (W - e) (S - mean S) with weights 1 / (e (1 - e)).

    Args:
        outcome: Shape (n,), Y, more is better.
        uplift: Shape (n,), S, predicted.
        treatment: Shape (n,), W: 0 for control and 1 for treatment.
        mean_control: Shape (n,), m0: predicted outcome under control; only makes it more precise.
        propensity: e: probability of treatment, a number or shape (n,).
        clusters: Shape (n,), units that are not independent.
        level: Of the intervals.

    Returns:
        Coefficients of W - e and of (W - e) (S - mean S), with HC3 errors, or those of cluster sums.

    Raises:
        InputError: All predictions are equal, lengths differ, a value is not finite, a treatment is neither 0 nor 1,
            a probability is not between 0 and 1, or ``level`` is no share.

    Source: Chernozhukov et al. (2025), section 3.1.
    """
    experiment = _Experiment.of(outcome, uplift, treatment, propensity)
    baseline = experiment.predicted_mean(mean_control, name="mean_control")
    e = experiment.propensity
    columns = [experiment.moved, experiment.moved * experiment.spread, np.ones_like(experiment.outcome)]
    if np.ptp(baseline) > 0:
        columns.append(baseline - baseline.mean())
    fit = least_squares(
        # A shift is the intercept's affair; of an outcome that is constant it leaves nothing, not even rounding errors.
        experiment.outcome - experiment.outcome[0],
        np.column_stack(columns),
        weight=1 / (e * (1 - e)) if e.ndim else None,
        clusters=_codes(clusters, len(baseline)),
    )
    return BestLinearPredictor(average=fit.estimate(0, level=level), heterogeneity=fit.estimate(1, level=level))


def group_effects(
    scores: ArrayLike,
    uplift: ArrayLike,
    *,
    groups: int = 5,
    clusters: ArrayLike | None = None,
    level: float = LEVEL,
    joint: bool = False,
    seed: int = 0,
) -> GroupEffects:
    """Average effects of groups of equal size by predicted uplift.

    A block of equal predictions that lies across a border is shared: each of its users counts in both groups with the
    fraction that is inside, which is what breaking ties at random gives on average.

    Args:
        scores: Shape (n,), ``dr_scores``.
        uplift: Shape (n,), predicted.
        groups: Number of groups.
        clusters: Shape (n,), units that are not independent.
        level: Of the intervals.
        joint: Widen the intervals of the groups so that all hold together with probability ``level``.
        seed: Of the draws behind joint intervals.

    Raises:
        InputError: Lengths differ, a value is not finite, there are fewer than two users or clusters in a group, or
            ``level`` is no share.
    """
    values, predicted = _scored(scores, uplift)
    cut = Groups.of(predicted, groups, clusters=clusters)
    observed = cut.means(values)
    half = observed.half_widths(level, joint=joint, seed=seed)
    table = pd.DataFrame(
        {
            "group": np.arange(1, groups + 1),
            "n": cut.sizes,
            "predicted": cut.means(predicted).values,
            "estimate": observed.values,
            "standard_error": observed.standard_errors,
            "low": observed.values - half,
            "high": observed.values + half,
        }
    )
    return GroupEffects(
        table=table,
        top_minus_bottom=Estimate.of(*observed.difference(0, groups - 1), level=level),
        monotone=bool((np.diff(observed.values) <= 0).all()),
    )


def calibration(
    scores: ArrayLike,
    uplift: ArrayLike,
    *,
    outcome: ArrayLike,
    treatment: ArrayLike,
    mean_control: ArrayLike,
    mean_treatment: ArrayLike,
    propensity: ArrayLike,
    clusters: ArrayLike | None = None,
    points: int = 20,
    level: float = LEVEL,
) -> Calibration:
    """Hold predicted uplift against measured effects: regress Y - m(X) on (W - e) mean S and (W - e) (S - mean S).

    Args:
        scores: Shape (n,), ``dr_scores``: for points and R².
        uplift: Shape (n,), S, predicted.
        outcome: Shape (n,), Y.
        treatment: Shape (n,), W: 0 for control and 1 for treatment.
        mean_control: Shape (n,), m0: predicted outcome under control; m = (1 - e) m0 + e m1.
        mean_treatment: Shape (n,), m1: the same under treatment.
        propensity: e: probability of treatment, a number or shape (n,).
        clusters: Shape (n,), units that are not independent.
        points: Number of groups of users in ``points``.
        level: Of the intervals.

    Returns:
        Coefficients with HC3 errors, or those of cluster sums; R² over five groups of equal size; the points.

    Raises:
        InputError: All predictions are equal, there are fewer than two users in a group, or as for
            ``best_linear_predictor``.

    Source: Athey, Tibshirani, Wager (2019) for the regression; Dwivedi et al. (2020) for R².
    """
    values, predicted = _scored(scores, uplift)
    experiment = _Experiment.of(outcome, predicted, treatment, propensity)
    m0 = experiment.predicted_mean(mean_control, name="mean_control")
    m1 = experiment.predicted_mean(mean_treatment, name="mean_treatment")
    mean = float(predicted.mean())
    columns = [experiment.moved * experiment.spread]
    if abs(mean) > ZERO * float(experiment.spread.std()):
        columns.append(experiment.moved * mean)
    fit = least_squares(
        experiment.outcome - m0 - experiment.propensity * (m1 - m0),
        np.column_stack(columns),
        clusters=_codes(clusters, len(m0)),
    )
    return Calibration(
        average=fit.estimate(1, level=level) if len(columns) == 2 else None,
        spread=fit.estimate(0, level=level),
        r2=_r2(values, predicted),
        points=_points(values, predicted, points, clusters),
    )


def _points(scores: Vector, uplift: Vector, points: int, clusters: ArrayLike | None) -> pd.DataFrame:
    cut = Groups.of(uplift, points, clusters=clusters)
    observed = cut.means(scores)
    return pd.DataFrame(
        {
            "predicted": cut.means(uplift).values,
            "observed": observed.values,
            "standard_error": observed.standard_errors,
            "n": cut.sizes,
        }
    )


def _r2(scores: Vector, uplift: Vector) -> float | None:
    cut = Groups.of(uplift, R2_GROUPS)
    observed, predicted = cut.means(scores).values, cut.means(uplift).values
    of_one_effect = float(np.abs(observed - scores.mean()).mean())
    if of_one_effect <= ZERO * float(np.abs(scores).mean()):
        return None
    return 1 - float(np.abs(observed - predicted).mean()) / of_one_effect


@dataclass(frozen=True, slots=True)
class _Experiment:
    """Y, S - mean S, W - e and e: shape (n,) each, e () where it is the same for all."""

    outcome: Vector
    spread: Vector
    moved: Vector
    propensity: Vector

    @classmethod
    def of(cls, outcome: ArrayLike, uplift: ArrayLike, treatment: ArrayLike, propensity: ArrayLike) -> Self:
        observed, predicted = finite(outcome, name="outcome"), finite(uplift, name="uplift")
        treated = treated_users(treatment)
        _require_rows(len(observed), uplift=len(predicted), treatment=len(treated))
        if not len(predicted) or np.ptp(predicted) == 0:
            raise InputError("uplift is the same for every user", remedy="use a model that tells users apart")
        e = probabilities(propensity, rows=len(observed))
        return cls(observed, predicted - predicted.mean(), treated - e, e)

    def predicted_mean(self, values: ArrayLike, *, name: str) -> Vector:
        found = finite(values, name=name)
        _require_rows(len(self.outcome), **{name: len(found)})
        return found


def _scored(scores: ArrayLike, uplift: ArrayLike) -> tuple[Vector, Vector]:
    values, predicted = finite(scores, name="scores"), finite(uplift, name="uplift")
    _require_rows(len(values), uplift=len(predicted))
    return values, predicted


def _codes(clusters: ArrayLike | None, rows: int) -> NDArray[np.intp] | None:
    return None if clusters is None else cluster_codes(clusters, rows=rows)


def _require_rows(rows: int, **found: int) -> None:
    for name, number in found.items():
        if number != rows:
            raise InputError(f"{name} has {number} rows, expected {rows}", remedy="pass one value for every user")
