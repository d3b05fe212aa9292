"""Average effects on a ratio of two totals, such as clicks per session."""

from typing import Any

import numpy as np
import numpy.typing as npt

from causal_tasks.effects.arguments import cluster_codes, finite, treated_mask
from causal_tasks.effects.effect import Effect, Influence, effect_from_influence
from causal_tasks.errors import InputError


def ratio_of_means(
    numerator: npt.ArrayLike,
    denominator: npt.ArrayLike,
    treatment: npt.ArrayLike,
    *,
    control: Any = None,
    clusters: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> Effect:
    """Ratio of the treated arm's totals minus ratio of the control arm's.

    Args:
        numerator: Shape (n,), any unit.
        denominator: Shape (n,), any unit; zero for single units is fine.
        treatment: Shape (n,), two arm labels.
        control: Label of the control arm; None: 0 or False.
        clusters: Shape (n,), groups that were randomised or repeat together; None: units are independent.
        level: Coverage of the intervals.

    Raises:
        InputError: An arm's denominators sum to zero, a value is not finite, labels are not two, or an arm has fewer
            than two units or clusters.

    Source: Delta method; Deng, Knoblich, Lu (2018), section 3.

    Examples:
        >>> effect = ratio_of_means([1.0, 2.0, 3.0, 3.0], [2.0, 4.0, 2.0, 4.0], [0, 0, 1, 1])
        >>> effect.estimate, effect.control_mean, effect.relative
        (0.5, 0.5, 1.0)
    """
    above = finite(numerator, name="numerator")
    below = finite(denominator, name="denominator")
    if len(below) != len(above):
        raise InputError(
            f"denominator has {len(below)} rows, the numerator {len(above)}", remedy="pass one row per unit in both"
        )
    treated = treated_mask(treatment, control=control, rows=len(above))
    mean_below = np.array([below[~treated].mean(), below[treated].mean()])
    if (mean_below == 0).any():
        arm = "control" if mean_below[0] == 0 else "treatment"
        raise InputError(f"the denominators of the {arm} arm sum to zero", remedy="check the denominator's column")
    ratios = np.array([above[~treated].mean(), above[treated].mean()]) / mean_below
    arm_code = treated.astype(np.intp)
    linearised = (above - ratios[arm_code] * below) / mean_below[arm_code]
    return effect_from_influence(
        Influence.of_difference(linearised, treated),
        estimate=float(ratios[1] - ratios[0]),
        control_mean=float(ratios[0]),
        treated=treated,
        clusters=cluster_codes(clusters, rows=len(treated)),
        level=level,
        method="ratio_of_means",
    )
