"""STATE: average effects for heavy tails, by regression with errors of Student's t distribution."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from causal_tasks.effects.arguments import Codes, Floats, Mask, cluster_codes, finite, treated_mask
from causal_tasks.effects.effect import Effect, Influence, effect_from_influence, influence_covariance
from causal_tasks.effects.means import adjusted_difference, explained, mean_difference
from causal_tasks.effects.proxy import Covariates, read_proxy
from causal_tasks.effects.t_regression import StudentT, fit_student_t
from causal_tasks.errors import InputError

if TYPE_CHECKING:
    from causal_tasks.base_models import BaseModel

MOST_REPEATED = 0.20
"""Share of units with one and the same value above which the outcome is not that of a t distribution."""

SKEWED, SKEWED_ERRORS = 0.2, 4.0
"""Mean residual, in scales and in standard errors, above which errors are not symmetric."""

HAUSMAN_LIMIT = 2.0
"""Standard errors between STATE and CUPAC above which they do not estimate the same."""

ARM = 1
"""Column of the arm in the design."""


def student_t_effect(
    outcome: npt.ArrayLike,
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
    """By how much the treatment shifts the outcome, given the proxy, where errors have a t distribution (STATE).

    The model is y = a0 + a1 T + a2 g + e with e ~ scale · t(degrees); a1 is the effect. Far values count less, so the
    variance is a fraction of CUPAC's where tails are heavy: (nu + 3)(nu − 2) / (nu (nu + 1)) with nu degrees of
    freedom, a half at 3, all of it for normal errors. **It is a shift of location, and the average effect only where
    errors have the same symmetric shape in both arms.** An effect on few users, a multiplied outcome or many zeros
    break that. So CUPAC is always computed beside (without covariates and proxy: the difference in means), and
    ``notes`` tell:

    - ``degrees: 3.10``: of freedom, estimated or fixed; 200 is normal.
    - ``hausman: -0.52``: (STATE − CUPAC) / its standard error.
    - ``repeated_value: 0.91``: share of units with one value, where over 20 %.
    - ``not_average_effect``: a distance over 2, or the repeated value, says that this is no average effect: read CUPAC.
    - ``skewed: 1.20``: mean residual in scales, where over 0.2 and over four standard errors: an effect that multiplies
      would be missed, though CUPAC may be too noisy to show it.
    - ``unconverged``: 300 passes were not enough.

    ``relative`` is taken of the control mean as observed. The standard error is the sandwich, summed by cluster.

    Args:
        outcome: Shape (n,), any unit.
        treatment: Shape (n,), two arm labels.
        covariates: Shape (n,) or (n, p), as for :func:`~causal_tasks.effects.proxy.cross_fitted_proxy`; None with a
            ``proxy``, or to adjust for nothing.
        control: Label of the control arm; None: 0 or False.
        clusters: Shape (n,), groups that were randomised or repeat together; None: units are independent.
        level: Coverage of the intervals.
        proxy: Shape (n,), in place of covariates; fitted without the unit's own outcome.
        base_model: Unfitted model of the proxy; None: LightGBM.
        seed: Of the cross-fitting.
        degrees: Degrees of freedom; None: estimated between 0.5 and 200.

    Raises:
        InputError: The scale goes to zero because most units have one value, covariates and proxy are both given, the
            proxy is constant in an arm, a value is not finite, labels are not two, or an arm has fewer than two units
            or clusters.

    Source: Zhou, Sun, Li, Fan, Jiang, Zheng, Li (2024), STATE; Hausman (1978) for the comparison.

    Examples:
        >>> effect = student_t_effect([1.0, 2.0, 3.0, 4.0, 90.0, 3.0, 4.0, 5.0, 6.0, 7.0], [0] * 5 + [1] * 5)
        >>> round(effect.estimate, 1), effect.method
        (2.5, 'student_t')
    """
    values = finite(outcome, name="outcome")
    treated = treated_mask(treatment, control=control, rows=len(values))
    codes = cluster_codes(clusters, rows=len(values))
    require_degrees(degrees)
    if covariates is None and proxy is None:
        expected, adjusted = None, values
    else:
        expected = read_proxy(values, treated, covariates, proxy, clusters=codes, base_model=base_model, seed=seed)
        adjusted = values - explained(values, treated, expected)
    plain = mean_difference(values, treated, clusters=codes, level=level)
    cupac = adjusted_difference(values, adjusted, treated, clusters=codes, level=level, method="cupac")
    design = arm_design(treated, expected)
    fit = fit_student_t(values, design, degrees=degrees)
    on_arm, _ = fit.influence(values, design, ARM)
    difference = on_arm - Influence.of_difference(adjusted, treated).estimate
    gap = float(fit.coefficients[ARM]) - cupac.estimate
    effect = effect_from_influence(
        Influence.beside_control(on_arm, values, treated),
        estimate=float(fit.coefficients[ARM]),
        control_mean=plain.control_mean,
        treated=treated,
        clusters=codes,
        level=level,
        method="student_t",
        notes=warnings_of(fit, values, design, hausman(gap, difference, treated, codes)),
    )
    return effect.beside(plain, cupac if expected is not None else None)


def arm_design(treated: Mask, proxy: Floats | None) -> Floats:
    """Columns 1, arm and, where there is a proxy, the standardised proxy, shape (n, 2) or (n, 3)."""
    columns = [np.ones(len(treated)), treated.astype(np.float64)]
    if proxy is not None:
        columns.append((proxy - proxy.mean()) / proxy.std())
    return np.column_stack(columns)


def hausman(gap: float, difference: Floats, treated: Mask, clusters: Codes) -> float:
    """How far two estimators of the same effect are apart, in standard errors of that.

    Args:
        gap: One estimate minus the other.
        difference: The same of each unit's influence, shape (n,).
        treated: Shape (n,).
        clusters: Codes 0, 1, …, shape (n,).
    """
    covariance, _ = influence_covariance(Influence(difference, np.zeros_like(difference)), treated, clusters)
    standard_error = math.sqrt(covariance[0, 0])
    return gap / standard_error if standard_error > 0 else 0.0


def warnings_of(fit: StudentT, values: Floats, design: Floats, distance: float) -> tuple[str, ...]:
    """What must be known of an effect by a t distribution, as notes.

    Args:
        fit: Of the regression.
        values: That it was fitted on, shape (n,).
        design: Likewise, shape (n, p).
        distance: From CUPAC, in standard errors.
    """
    repeated = float(np.unique(values, return_counts=True)[1].max() / len(values))
    notes = [f"degrees: {fit.degrees:.2f}", f"hausman: {distance:z.2f}"]
    if repeated > MOST_REPEATED:
        notes.append(f"repeated_value: {repeated:.2f}")
    if repeated > MOST_REPEATED or abs(distance) > HAUSMAN_LIMIT:
        notes.append("not_average_effect")
    residuals = fit.residuals(values, design)
    skew = float(residuals.mean())
    if abs(skew) > max(SKEWED, SKEWED_ERRORS * float(residuals.std()) / math.sqrt(len(residuals))):
        notes.append(f"skewed: {skew:.2f}")
    if not fit.converged:
        notes.append("unconverged")
    return tuple(notes)


def require_degrees(degrees: float | None) -> None:
    """Check the degrees of freedom that a caller fixed.

    Raises:
        InputError: They are not positive.
    """
    if degrees is not None and not (math.isfinite(degrees) and degrees > 0):
        raise InputError(f"degrees is {degrees}", remedy="use a positive number, or None to estimate it")
