"""STATE on a ratio of two totals, by linearisation."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from causal_tasks.effects.arguments import Floats
from causal_tasks.effects.effect import Effect, Influence
from causal_tasks.effects.means import explained
from causal_tasks.effects.proxy import Covariates, read_proxy
from causal_tasks.effects.ratio import Totals
from causal_tasks.effects.student_t import ARM, arm_design, hausman, require_degrees, warnings_of
from causal_tasks.effects.t_regression import fit_student_t

if TYPE_CHECKING:
    from causal_tasks.base_models import BaseModel


def ratio_student_t(
    numerator: npt.ArrayLike,
    denominator: npt.ArrayLike,
    treatment: npt.ArrayLike,
    covariates: Covariates | None = None,
    *,
    control: Any = None,
    clusters: npt.ArrayLike | None = None,
    level: float = 0.95,
    proxy: npt.ArrayLike | None = None,
    base_model: "BaseModel | None" = None,
    seed: int = 0,
    degrees: float | None = None,
) -> Effect:
    """STATE's effect on L = numerator − R · denominator, divided by the treated's mean denominator.

    R is the control arm's ratio, so that a difference in means of L would give exactly the difference of the ratios.
    The standard error holds the noise of R and of the mean denominator. Notes and limits are those of
    :func:`~causal_tasks.effects.student_t.student_t_effect`, with CUPAC on L beside.

    Args:
        numerator: Shape (n,), any unit.
        denominator: Shape (n,), any unit; zero for single units is fine.
        treatment: Shape (n,), two arm labels.
        covariates: Shape (n,) or (n, p), as for :func:`~causal_tasks.effects.proxy.cross_fitted_proxy`; None with a
            ``proxy``, or to adjust for nothing.
        control: Label of the control arm; None: 0 or False.
        clusters: Shape (n,), groups that were randomised or repeat together; None: units are independent.
        level: Coverage of the intervals.
        proxy: Shape (n,), in place of covariates: what is expected of L, see
            :func:`~causal_tasks.effects.ratio.linearised`.
        base_model: Unfitted model of the proxy; None: LightGBM.
        seed: Of the cross-fitting.
        degrees: Degrees of freedom; None: estimated between 0.5 and 200.

    Raises:
        InputError: As for ``student_t_effect``, or an arm's denominators sum to zero.

    Source: Zhou, Sun, Li, Fan, Jiang, Zheng, Li (2024); linearisation: Budylin, Drutsa, Katsev, Tsoy (2018).
    """
    totals = Totals.read(numerator, denominator, treatment, control=control, clusters=clusters)
    require_degrees(degrees)
    values, treated = totals.linearised, totals.treated
    expected = None
    if covariates is not None or proxy is not None:
        expected = read_proxy(
            values, treated, covariates, proxy, clusters=totals.clusters, base_model=base_model, seed=seed
        )
    design = arm_design(treated, expected)
    fit = fit_student_t(values, design, degrees=degrees)
    on_arm, per_outcome = fit.influence(values, design, ARM)
    by_ratio = -float(per_outcome @ totals.below)
    robust = _divided(totals, values, _OnLinearised(float(fit.coefficients[ARM]), on_arm, by_ratio))
    squares = _divided(totals, values, _least_squares(totals, values, expected))
    distance = hausman(
        robust.estimate - squares.estimate,
        robust.influence.estimate - squares.influence.estimate,
        treated,
        totals.clusters,
    )
    effect = totals.effect(
        robust.influence,
        estimate=robust.estimate,
        level=level,
        method="ratio_student_t",
        notes=warnings_of(fit, values, design, distance),
    )
    cupac = totals.effect(squares.influence, estimate=squares.estimate, level=level, method="cupac")
    return effect.beside(totals.difference(level=level), None if expected is None else cupac)


class _OnLinearised(NamedTuple):
    """An effect on the linearised outcome.

    Attributes:
        estimate: In the numerator's unit.
        influence: Of each unit, with the control arm's ratio taken as known, shape (n,).
        by_ratio: What it grows by where that ratio grows by one.
    """

    estimate: float
    influence: Floats
    by_ratio: float


class _OnRatio(NamedTuple):
    """An effect on the ratio and the influence of each unit on it."""

    estimate: float
    influence: Influence


def _least_squares(totals: Totals, values: Floats, proxy: Floats | None) -> _OnLinearised:
    """CUPAC on the linearised outcome; without a proxy the difference in means."""
    treated, below = totals.treated, totals.below
    if proxy is not None:
        values = values - explained(values, treated, proxy)
        below = below - explained(below, treated, proxy)
    return _OnLinearised(
        estimate=float(values[treated].mean() - values[~treated].mean()),
        influence=Influence.of_difference(values, treated).estimate,
        by_ratio=float(below[~treated].mean() - below[treated].mean()),
    )


def _divided(totals: Totals, values: Floats, effect: _OnLinearised) -> _OnRatio:
    """The effect per denominator of the treated, by the delta method in it, the ratio and the mean denominator."""
    treated, (control_below, treatment_below) = totals.treated, totals.means_below
    on_ratio = np.where(treated, 0.0, values) / (int((~treated).sum()) * control_below)
    on_below = np.where(treated, totals.below - treatment_below, 0.0) / int(treated.sum())
    estimate = effect.estimate / treatment_below
    influence = (effect.influence + effect.by_ratio * on_ratio - estimate * on_below) / treatment_below
    return _OnRatio(float(estimate), Influence(influence, on_ratio))
