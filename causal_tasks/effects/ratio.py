"""Average effects on a ratio of two totals, such as clicks per session."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from causal_tasks.effects.arguments import Codes, Floats, Mask, cluster_codes, finite, treated_mask
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
    return Totals.read(numerator, denominator, treatment, control=control, clusters=clusters).difference(level=level)


def linearised(numerator: Floats, denominator: Floats, in_control: Mask) -> Floats:
    """Each unit's numerator minus the control arm's ratio times its denominator: of mean zero in the control arm.

    Args:
        numerator: Shape (n,), finite.
        denominator: Shape (n,), finite.
        in_control: Shape (n,); their denominators do not sum to zero.

    Returns:
        Shape (n,), in the numerator's unit.

    Source: Budylin, Drutsa, Katsev, Tsoy (2018).
    """
    ratio = numerator[in_control].mean() / denominator[in_control].mean()
    return np.asarray(numerator - ratio * denominator)


@dataclass(frozen=True, slots=True)
class Totals:
    """Arguments of an estimator of a difference in ratios, checked.

    Attributes:
        above: Numerators, shape (n,).
        below: Denominators, shape (n,).
        treated: Shape (n,).
        clusters: Codes 0, 1, …, shape (n,).
        means_below: Mean denominator of control and treatment, shape (2,), not zero.
        ratios: Of control and treatment, shape (2,).
    """

    above: Floats
    below: Floats
    treated: Mask
    clusters: Codes
    means_below: Floats
    ratios: Floats

    @classmethod
    def read(
        cls,
        numerator: npt.ArrayLike,
        denominator: npt.ArrayLike,
        treatment: npt.ArrayLike,
        *,
        control: Any,
        clusters: npt.ArrayLike | None,
    ) -> Self:
        """The arguments, as for :func:`ratio_of_means`.

        Raises:
            InputError: As there, but for clusters.
        """
        above, below = finite(numerator, name="numerator"), finite(denominator, name="denominator")
        if len(below) != len(above):
            raise InputError(
                f"denominator has {len(below)} rows, the numerator {len(above)}", remedy="pass one row per unit in both"
            )
        treated = treated_mask(treatment, control=control, rows=len(above))
        means_below = _means(below, treated)
        if (means_below == 0).any():
            arm = "control" if means_below[0] == 0 else "treatment"
            raise InputError(f"the denominators of the {arm} arm sum to zero", remedy="check the denominator's column")
        codes = cluster_codes(clusters, rows=len(above))
        return cls(above, below, treated, codes, means_below, _means(above, treated) / means_below)

    @property
    def linearised(self) -> Floats:
        """See :func:`linearised`, shape (n,)."""
        return linearised(self.above, self.below, ~self.treated)

    def difference(self, *, level: float) -> Effect:
        """The difference of the ratios by the delta method."""
        arm = self.treated.astype(np.intp)
        influence = (self.above - self.ratios[arm] * self.below) / self.means_below[arm]
        return self.effect(
            Influence.of_difference(influence, self.treated),
            estimate=float(self.ratios[1] - self.ratios[0]),
            level=level,
            method="ratio_of_means",
        )

    def effect(
        self, influence: Influence, *, estimate: float, level: float, method: str, notes: tuple[str, ...] = ()
    ) -> Effect:
        """An effect on the ratio, related to the control arm's ratio; see ``effect_from_influence``."""
        return effect_from_influence(
            influence,
            estimate=estimate,
            control_mean=float(self.ratios[0]),
            treated=self.treated,
            clusters=self.clusters,
            level=level,
            method=method,
            notes=notes,
        )


def _means(values: Floats, treated: Mask) -> Floats:
    """Of control and treatment, shape (2,)."""
    return np.array([values[~treated].mean(), values[treated].mean()])
