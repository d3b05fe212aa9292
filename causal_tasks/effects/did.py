"""Difference in differences: how much more the treated changed over the start of the treatment than the control did."""

from typing import Any

import numpy as np
import numpy.typing as npt

from causal_tasks.effects.arguments import Codes, Floats, Mask, cluster_codes, finite, require_rows, treated_mask
from causal_tasks.effects.effect import Effect, Influence, effect_from_influence
from causal_tasks.effects.means import adjusted_difference
from causal_tasks.errors import InputError

METHOD = "difference_in_differences"


def difference_in_differences(
    outcome: npt.ArrayLike,
    treatment: npt.ArrayLike,
    pre_outcome: npt.ArrayLike,
    *,
    weights: npt.ArrayLike | None = None,
    control: Any = None,
    clusters: npt.ArrayLike | None = None,
    level: float = 0.95,
) -> Effect:
    """Mean change of the treated minus mean change of the control, from before to after the start.

    What differed between the arms before, and would have gone on to, cancels. What remains is the effect, provided
    that without treatment both arms would have changed alike. With two periods this is least squares with an effect
    for every unit and every period, and errors summed by unit. ``relative`` is taken of the control mean of
    ``outcome``.

    Args:
        outcome: Shape (n,), any unit, after the start.
        treatment: Shape (n,), two arm labels.
        pre_outcome: Shape (n,), the same units before the start, on the same scale: per day, or sums over windows of
            equal length. A sum over 14 days is twice one over 7 before anything has happened.
        weights: Shape (n,), not negative, such as those of matching; taken as given. A unit of weight 0 is left out.
            None: all units weigh the same.
        control: Label of the control arm; None: 0 or False.
        clusters: Shape (n,), groups that were treated or repeat together; None: units are independent.
        level: Coverage of the intervals.

    Raises:
        InputError: A value is not finite, a weight is negative, labels are not two, or an arm has fewer than two units
            or clusters that count.

    Source: Angrist, Pischke (2009), section 5.2; errors by unit: Bertrand, Duflo, Mullainathan (2004).

    Examples:
        >>> effect = difference_in_differences([5.0, 6.0, 9.0, 12.0], [0, 0, 1, 1], [4.0, 6.0, 5.0, 7.0])
        >>> effect.estimate, effect.control_mean
        (4.0, 5.5)
    """
    after, before = finite(outcome, name="outcome"), finite(pre_outcome, name="pre_outcome")
    require_rows(len(before), name="pre_outcome", rows=len(after))
    treated = treated_mask(treatment, control=control, rows=len(after))
    codes = cluster_codes(clusters, rows=len(after))
    if weights is None:
        return adjusted_difference(after, after - before, treated, clusters=codes, level=level, method=METHOD)
    weight = _checked_weights(weights, rows=len(after))
    counts = weight > 0
    return _weighted_difference(
        after[counts],
        (after - before)[counts],
        _two_in_each_arm(treated[counts]),
        weight[counts],
        clusters=np.unique(codes[counts], return_inverse=True)[1],
        level=level,
    )


def _weighted_difference(
    after: Floats, change: Floats, treated: Mask, weight: Floats, *, clusters: Codes, level: float
) -> Effect:
    arm = treated.astype(np.intp)
    share = weight / _sums_by_arm(weight, treated)[arm]
    mean_change = _sums_by_arm(share * change, treated)
    control_mean = float(_sums_by_arm(share * after, treated)[0])
    on_estimate = share * (change - mean_change[arm]) * np.where(treated, 1.0, -1.0)
    on_control_mean = np.where(treated, 0.0, share * (after - control_mean))
    return effect_from_influence(
        Influence(on_estimate, on_control_mean),
        estimate=float(mean_change[1] - mean_change[0]),
        control_mean=control_mean,
        treated=treated,
        clusters=clusters,
        level=level,
        method=METHOD,
    )


def _sums_by_arm(values: Floats, treated: Mask) -> Floats:
    """Of control and treatment, shape (2,)."""
    return np.array([values[~treated].sum(), values[treated].sum()])


def _checked_weights(weights: npt.ArrayLike, *, rows: int) -> Floats:
    found = finite(weights, name="weights")
    require_rows(len(found), name="weights", rows=rows)
    if (found < 0).any():
        raise InputError(
            f"weights has {int((found < 0).sum())} negative of {rows} values", remedy="pass weights of 0 or more"
        )
    return found


def _two_in_each_arm(treated: Mask) -> Mask:
    smallest = min(int(treated.sum()), int((~treated).sum()))
    if smallest < 2:
        raise InputError(
            f"an arm has {smallest} unit(s) of positive weight",
            remedy="a comparison needs at least two units in each arm",
        )
    return treated
