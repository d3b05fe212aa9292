"""Average effects by regression on a machine-learned expectation of the outcome, with a slope for each arm."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from causal_tasks.effects.arguments import Floats, Mask, cluster_codes, finite, treated_mask
from causal_tasks.effects.effect import Effect, Influence, effect_from_influence
from causal_tasks.effects.means import mean_difference
from causal_tasks.effects.proxy import Covariates, read_proxy

if TYPE_CHECKING:
    from causal_tasks.base_models import BaseModel


def mlrate(
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
) -> Effect:
    """Coefficient of the arm T in least squares of the outcome on 1, T, g and T (g − mean g), where g is the proxy.

    Unlike CUPAC each arm has its own slope, which pays where arms are unequal and the effect depends on the proxy. The
    error is the sandwich, summed by cluster, and holds the noise of the mean of g: without it the interval would be
    that of the effect on these very users. ``relative`` is taken of the control mean as observed.

    Args:
        outcome: Shape (n,), any unit.
        treatment: Shape (n,), two arm labels.
        covariates: Shape (n,) or (n, p), as for :func:`~causal_tasks.effects.proxy.cross_fitted_proxy`.
        control: Label of the control arm; None: 0 or False.
        clusters: Shape (n,), groups that were randomised or repeat together; None: units are independent.
        level: Coverage of the intervals.
        proxy: Shape (n,), in place of covariates; fitted without the unit's own outcome.
        base_model: Unfitted model of the proxy; None: LightGBM.
        seed: Of the cross-fitting.

    Raises:
        InputError: Both or neither of covariates and proxy are given, the proxy is constant in an arm, a value is not
            finite, labels are not two, or an arm has fewer than two units or clusters.

    Source: Guo, Coey, Konutgan, Li, Schoener, Goldman (2021), algorithm 1.

    Examples:
        >>> mlrate([1.0, 2.0, 2.5, 3.0, 5.0, 6.5], [0, 0, 0, 1, 1, 1], proxy=[1.0, 2.0, 3.0, 1.0, 2.0, 3.0]).estimate
        3.0
    """
    values = finite(outcome, name="outcome")
    treated = treated_mask(treatment, control=control, rows=len(values))
    codes = cluster_codes(clusters, rows=len(values))
    expected = read_proxy(values, treated, covariates, proxy, clusters=codes, base_model=base_model, seed=seed)
    lines = [_line(values[arm], expected[arm]) for arm in (~treated, treated)]
    mean = expected.mean()
    at_mean = [intercept + slope * mean for intercept, slope in lines]
    effect = effect_from_influence(
        Influence.beside_control(_influence(values, treated, expected, lines), values, treated),
        estimate=float(at_mean[1] - at_mean[0]),
        control_mean=float(values[~treated].mean()),
        treated=treated,
        clusters=codes,
        level=level,
        method="mlrate",
    )
    return effect.beside(mean_difference(values, treated, clusters=codes, level=level))


def _line(values: Floats, proxy: Floats) -> tuple[float, float]:
    """Intercept and slope of least squares within an arm; with an interaction the two arms share nothing."""
    centred = proxy - proxy.mean()
    slope = float(centred @ values / (centred @ centred))
    return float(values.mean() - slope * proxy.mean()), slope


def _influence(values: Floats, treated: Mask, proxy: Floats, lines: list[tuple[float, float]]) -> Floats:
    """Of each unit on the difference between the arms' lines at the mean of the proxy, shape (n,)."""
    mean = proxy.mean()
    influence = (lines[1][1] - lines[0][1]) * (proxy - mean) / len(proxy)
    for arm, sign, (intercept, slope) in zip((~treated, treated), (-1, 1), lines, strict=True):
        inside = proxy[arm]
        centred = inside - inside.mean()
        leverage = 1 / len(inside) + (mean - inside.mean()) * centred / (centred @ centred)
        influence[arm] += sign * leverage * (values[arm] - intercept - slope * inside)
    return np.asarray(influence)
