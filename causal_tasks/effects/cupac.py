"""Average effects adjusted by a machine-learned expectation of the outcome."""

from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from causal_tasks.effects.arguments import cluster_codes, finite, treated_mask
from causal_tasks.effects.effect import Effect
from causal_tasks.effects.means import adjusted_difference, explained
from causal_tasks.effects.proxy import Covariates, read_proxy

if TYPE_CHECKING:
    from causal_tasks.base_models import BaseModel


def cupac(
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
    """Difference in means after removing what a cross-fitted model expects of each unit.

    CUPED with one covariate, the proxy: one coefficient for both arms, so that a poor model costs nothing but its
    gain. ``relative`` is taken of the control mean as observed.

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

    Source: Tang, Huang, Kastelman, Bauman (2020).

    Examples:
        >>> effect = cupac([1.0, 2.0, 3.0, 5.0], [0, 0, 1, 1], proxy=[1.0, 2.0, 1.0, 2.0])
        >>> effect.estimate, effect.method
        (2.5, 'cupac')
    """
    values = finite(outcome, name="outcome")
    treated = treated_mask(treatment, control=control, rows=len(values))
    codes = cluster_codes(clusters, rows=len(values))
    expected = read_proxy(values, treated, covariates, proxy, clusters=codes, base_model=base_model, seed=seed)
    adjusted = values - explained(values, treated, expected)
    return adjusted_difference(values, adjusted, treated, clusters=codes, level=level, method="cupac")
