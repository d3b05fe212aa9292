"""Honest evidence on rules: effects on users who took no part in finding them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from causal_tasks.effects.arguments import cluster_codes
from causal_tasks.effects.effect import NEAR_ZERO
from causal_tasks.effects.inference import two_sided_quantile
from causal_tasks.evaluation.estimate import LEVEL, POWER, Estimate
from causal_tasks.evaluation.scores import dr_scores, mean_scores
from causal_tasks.subpopulations.ratio import Denominator

Vector = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the estimation users say about one rule.

    Attributes:
        share: Of users covered, both arms together.
        n_control: Control users covered.
        n_treatment: Treated users covered.
        independent_per_arm: Users covered, or their clusters, in the arm that has fewer of them.
        rarer_outcomes: For an outcome of 0 and 1: how often the rarer of the two occurs in the arm where that is less;
            None for other outcomes.
        control_mean: Outcome, or ratio, that the covered users would have without treatment.
        effect: Average effect inside, of a ratio the effect on the covered users' own; None where an arm has fewer than
            two users or clusters, or a ratio's mean denominator in it is not above zero by four standard errors.
        rest: The same outside; None as above.
        contrast: Inside minus outside; None where either is.
        relative: ``effect`` / ``control_mean``; None where the mean is within four standard errors of zero.
    """

    share: float
    n_control: int
    n_treatment: int
    independent_per_arm: int
    rarer_outcomes: int | None
    control_mean: float | None
    effect: Estimate | None
    rest: Estimate | None
    contrast: Estimate | None
    relative: float | None


@dataclass(frozen=True, slots=True)
class _Mean:
    """The mean of scores over a group, or a ratio of two; ``influence``, shape (n,), is zero outside it."""

    value: float
    influence: Vector

    def minus(self, other: "_Mean | None") -> "_Mean | None":
        return None if other is None else _Mean(self.value - other.value, self.influence - other.influence)


@dataclass(frozen=True, slots=True)
class Scores:
    """Doubly robust scores of the users in control and one treatment, none of whom any model or rule has seen.

    Attributes:
        effect: Shape (n,), Gamma.
        control: Shape (n,), scores of the outcome without treatment.
        treated: Shape (n,).
        outcome: Shape (n,).
        binary: Whether every outcome is 0 or 1.
        clusters: Shape (n,), codes 0, 1, … of units that are not independent; None: all are.
        denominator: Of an outcome that is a ratio, linearised; None: it is none.
    """

    effect: Vector
    control: Vector
    treated: Mask
    outcome: Vector
    binary: bool
    clusters: NDArray[np.intp] | None
    denominator: Denominator | None = None

    @classmethod
    def of(
        cls,
        outcome: Vector,
        treated: Mask,
        mean_control: ArrayLike,
        mean_treatment: ArrayLike,
        propensity: ArrayLike,
        *,
        clusters: Any = None,
        denominator: Vector | None = None,
    ) -> Self:
        """Scores from outcomes and outcome models; arguments are those of ``dr_scores``.

        ``denominator``, shape (n,), is ``Ratio.relative_denominator`` of an outcome that is a linearised ratio.

        Raises:
            InputError: A user has no cluster, or as for ``dr_scores``.
        """
        return cls(
            effect=dr_scores(outcome, treated, mean_control, mean_treatment, propensity),
            control=mean_scores(outcome, ~treated, mean_control, 1 - np.asarray(propensity)),
            treated=treated,
            outcome=outcome,
            binary=bool(np.isin(outcome, (0, 1)).all()),
            clusters=None if clusters is None else cluster_codes(clusters, rows=len(outcome)),
            denominator=None if denominator is None else Denominator.of(denominator, treated, propensity),
        )

    def assess(self, inside: Mask, *, baseline: float = 0.0) -> Evidence:
        """The evidence on the users in ``inside``, shape (n,).

        Of a ratio N/D the effect on a group is R(treatment) - R(control), R the group's mean score of N over that of D:
        its own ratio, whatever that of all users is.

        Args:
            inside: Who is covered by the rule.
            baseline: Added to the control mean: the ratio around which a ratio was linearised.

        Source: Delta method; Deng, Knoblich, Lu (2018), section 3.
        """
        n_treatment = int((inside & self.treated).sum())
        within, outside = self._effect(inside), self._effect(~inside)
        control = self._level(self.control, ~self.treated, inside)
        contrast = within.minus(outside) if within else None
        return Evidence(
            share=float(inside.mean()) if len(inside) else 0.0,
            n_control=int(inside.sum()) - n_treatment,
            n_treatment=n_treatment,
            independent_per_arm=self._independent_per_arm(inside),
            rarer_outcomes=self._rarer_outcomes(inside) if self.binary else None,
            control_mean=None if control is None else baseline + control.value,
            effect=self._estimate(within),
            rest=self._estimate(outside),
            contrast=self._estimate(contrast),
            relative=self._relative(within, control, baseline),
        )

    def detectable(self, shares: Sequence[float]) -> dict[float, float | None]:
        """The smallest effect that a subpopulation of each share would show with 80 % power at the 5 % level.

        The standard error of a mean over a share s of users is that over all of them divided by the root of s, so
        the residual variance of both arms, the design and clusters are all counted.

        Returns:
            By share, outcome units; None where the average effect has no standard error.

        Source: Lachin (1981), equation 1.
        """
        everybody = self._estimate(self._effect(np.ones(len(self.effect), dtype=bool)))
        if everybody is None:
            return dict.fromkeys(shares)
        multiple = two_sided_quantile(LEVEL) + float(ndtri(POWER))
        return {share: multiple * everybody.standard_error / math.sqrt(share) for share in shares}

    def _effect(self, group: Mask) -> _Mean | None:
        if self.denominator is None:
            return self._mean(self.effect, group)
        treatment = self._level(self.effect + self.control, self.treated, group)
        return treatment.minus(self._level(self.control, ~self.treated, group)) if treatment else None

    def _level(self, scores: Vector, received: Mask, group: Mask) -> _Mean | None:
        """The outcome of ``group`` in one arm; of a ratio, what its own exceeds the one linearised around by.

        With scores of (N - r D) / d, their mean over that of D / d is R - r.
        """
        above = self._mean(scores, group)
        if above is None or self.denominator is None:
            return above
        below = self._mean(self.denominator.scores(group, received), group)
        if below is None or below.value <= NEAR_ZERO * self._standard_error(below.influence):
            return None
        ratio = above.value / below.value
        return _Mean(ratio, (above.influence - ratio * below.influence) / below.value)

    def _mean(self, scores: Vector, group: Mask) -> _Mean | None:
        """The mean over ``group``; None where an arm has fewer than two independent units in it."""
        if self._independent_per_arm(group) < 2:
            return None
        independent = self._independent(group)
        value = float(scores[group].mean())
        # Scaling influence, not variances, by G / (G - 1) lets the same sum serve means and differences of means.
        correction = math.sqrt(independent / (independent - 1)) / int(group.sum())
        return _Mean(value, np.where(group, (scores - value) * correction, 0.0))

    def _independent_per_arm(self, group: Mask) -> int:
        return min(self._independent(group & self.treated), self._independent(group & ~self.treated))

    def _independent(self, group: Mask) -> int:
        return int(group.sum()) if self.clusters is None else len(np.unique(self.clusters[group]))

    def _standard_error(self, influence: Vector) -> float:
        sums = influence if self.clusters is None else np.bincount(self.clusters, influence)
        return math.sqrt(float(sums @ sums))

    def _estimate(self, mean: _Mean | None) -> Estimate | None:
        if mean is None:
            return None
        return Estimate.of(mean.value, self._standard_error(mean.influence))

    def _relative(self, effect: _Mean | None, control: _Mean | None, baseline: float) -> float | None:
        if effect is None or control is None:
            return None
        control_mean = baseline + control.value
        near_zero = abs(control_mean) <= NEAR_ZERO * self._standard_error(control.influence)
        return None if near_zero else effect.value / control_mean

    def _rarer_outcomes(self, inside: Mask) -> int:
        arms = (self.outcome[inside & self.treated], self.outcome[inside & ~self.treated])
        return min(int(min(arm.sum(), len(arm) - arm.sum())) for arm in arms)
