"""How many users a comparison of two equal arms needs, what it can see, and how long users take to come."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from causal_tasks.effects.arguments import Floats, Mask, cluster_codes, finite
from causal_tasks.effects.inference import two_sided_quantile
from causal_tasks.errors import InputError
from causal_tasks.evaluation.estimate import LEVEL, POWER


@dataclass(frozen=True, slots=True)
class Noise:
    """What of a metric's variance a comparison of two arms is up against.

    Attributes:
        control: Variance of an independent user in control, in the metric's unit squared: divided by the number of
            users it gives the variance of their mean, clusters counted.
        treatment: The same under treatment.
        explained: Share of the variance that the pre-window explains, and that is no longer in the other two: the
            squared correlation of CUPED.
    """

    control: float
    treatment: float
    explained: float = 0.0

    @classmethod
    def of(
        cls, outcome: ArrayLike, treated: Mask, *, before: ArrayLike | None = None, clusters: ArrayLike | None = None
    ) -> Self:
        """The noise of an outcome, less what the same metric before exposure explains of it.

        Args:
            outcome: Shape (n,).
            treated: Shape (n,).
            before: Shape (n,), the metric before exposure, NaN where a user has none; None: there is no pre-window.
            clusters: Shape (n,), units that are not independent; None: all are.

        Raises:
            InputError: An arm has fewer than two users or clusters, or a value is missing.
        """
        codes = cluster_codes(clusters, rows=len(treated))
        plain = _within_arms(finite(outcome, name="outcome"), treated)
        control, treatment = (_variance(plain[arm], codes[arm]) for arm in (~treated, treated))
        if before is None:
            return cls(control, treatment)
        residual = plain - _explained_part(plain, np.asarray(before, dtype=np.float64), treated)
        left, left_treatment = (_variance(residual[arm], codes[arm]) for arm in (~treated, treated))
        total = control + treatment
        # Where clusters make the adjusted sum the larger one, the plain one counts: nobody has to adjust.
        if left + left_treatment >= total:
            return cls(control, treatment)
        return cls(left, left_treatment, explained=1 - (left + left_treatment) / total)

    @property
    def of_difference(self) -> float:
        """Variance of a difference of two arms' means, times the users in each."""
        return self.control + self.treatment


def _within_arms(values: Floats, treated: Mask) -> Floats:
    """Deviations from the mean of each user's own arm."""
    if min(treated.sum(), (~treated).sum()) < 2:
        raise InputError(
            f"an arm has {int(min(treated.sum(), (~treated).sum()))} user(s)",
            remedy="a variance needs at least two users in each arm",
        )
    deviations = values.copy()
    for arm in (treated, ~treated):
        deviations[arm] -= values[arm].mean()
    return deviations


def _explained_part(outcome: Floats, before: Floats, treated: Mask) -> Floats:
    """What a line through the metric before exposure says of ``outcome``, both as deviations from their arm's mean."""
    known = ~np.isnan(before)
    if not known.any():
        return np.zeros(len(outcome))
    deviations = _within_arms(np.where(known, before, before[known].mean()), treated)
    squares = float(deviations @ deviations)
    return deviations * (float(deviations @ outcome) / squares if squares > 0 else 0.0)


def _variance(deviations: Floats, clusters: NDArray[np.intp]) -> float:
    """Users times the variance of their mean; without clusters the sample variance."""
    sums = np.bincount(clusters, deviations)
    independent = len(np.unique(clusters))
    if independent < 2:
        raise InputError("all users of an arm are in one cluster", remedy="a variance needs at least two clusters")
    return float(sums @ sums) * independent / (independent - 1) / len(deviations)


def users_per_arm(effect: float, noise: Noise, *, level: float = LEVEL, power: float = POWER) -> int:
    """Users in each of two equal arms from which on an effect is told from zero with the given power.

    n = (z_level + z_power)^2 (s_1^2 + s_0^2) (1 - rho^2) / d^2, rounded up.

    A difference *between* two halves of the users has twice the standard error of their common effect; where it is
    half as large as that effect, it needs 16 times the users (Gelman 2018).

    Args:
        effect: d, in the metric's unit.
        noise: (s_1^2 + s_0^2) (1 - rho^2).
        level: Coverage of the two-sided interval that must exclude zero.
        power: Probability that it does.

    Raises:
        InputError: The effect is zero.

    Source: Lachin (1981), equation 1.

    Examples:
        >>> users_per_arm(0.1, Noise(1.0, 1.0))
        1570
    """
    if effect == 0:
        raise InputError("an effect of 0 cannot be told from zero by any number of users", remedy="give the claim")
    return math.ceil(_multiple(level, power) ** 2 * noise.of_difference / effect**2)


def detectable_effect(users: int, noise: Noise, *, level: float = LEVEL, power: float = POWER) -> float:
    """The smallest effect that two arms of ``users`` each tell from zero with the given power: the above for d."""
    return _multiple(level, power) * math.sqrt(noise.of_difference / users)


def _multiple(level: float, power: float) -> float:
    return two_sided_quantile(level) + float(ndtri(power))


def days_to_enrol(users_by_day: NDArray[np.intp], needed: int) -> int | None:
    """Days until ``needed`` users have come, if they come as they did before.

    Users come once: the frequent ones in the first days, the others later. So the days that were seen count as they
    were, and after them users come at the mean rate of their second half.

    Args:
        users_by_day: Users who came first on each day, shape (days,), at least one day.
        needed: In both arms together.

    Returns:
        None where nobody came in the second half, and the first is not enough.
    """
    reached = np.cumsum(users_by_day)
    if reached[-1] >= needed:
        return int(np.searchsorted(reached, needed)) + 1
    rate = float(users_by_day[len(users_by_day) // 2 :].mean())
    return len(users_by_day) + math.ceil((needed - int(reached[-1])) / rate) if rate > 0 else None
