"""How sure is a score, and is one ranking better than another?"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from causal_tasks.effects.inference import two_sided_quantile
from causal_tasks.evaluation.curves import area_above_random, area_under_gain
from causal_tasks.evaluation.ranking import Ranking, Vector, rankings
from causal_tasks.evaluation.resampling import Resampling


@dataclass(frozen=True, slots=True)
class ScoredValue:
    """A score with its uncertainty.

    Attributes:
        estimate: Outcome units per user.
        standard_error: Of ``estimate``, same unit.
        interval: Two-sided normal confidence interval, same unit.
    """

    estimate: float
    standard_error: float
    interval: tuple[float, float]

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON values."""
        return {
            "estimate": self.estimate,
            "standard_error": self.standard_error,
            "interval": list(self.interval),
        }


def auuc_interval(
    outcome: ArrayLike,
    uplift: ArrayLike,
    treatment: ArrayLike,
    *,
    control: Any = None,
    propensity: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> ScoredValue:
    """AUUC per user with its uncertainty; the ranking is taken as given.

    Args:
        outcome: Shape (n,), more is better.
        uplift: Shape (n,), or (n, K) for K treatments in the order of their sorted labels: then the mean over them.
        treatment: Shape (n,), arm labels.
        control: Label of the control arm; None: 0.
        propensity: Probability of treatment, a number or shape (n,).
        clusters: Shape (n,), units randomised together.
        level: Of the interval.
        seed: Of the resampling.

    Raises:
        InputError: As for ``auuc``, ``level`` is no share, or a user has no cluster.
    """
    found = list(rankings(outcome, uplift, treatment, control=control, propensity=propensity))
    resampling = Resampling.of(len(np.asarray(outcome)), clusters=clusters, seed=seed)
    return _scored(_mean(found, area_under_gain), _mean(found, resampling.areas), level)


def qini_interval(
    outcome: ArrayLike,
    uplift: ArrayLike,
    treatment: ArrayLike,
    *,
    control: Any = None,
    propensity: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> ScoredValue:
    """Qini per user with its uncertainty: an interval above 0 means better than random.

    Arguments are those of ``auuc_interval``.

    Raises:
        InputError: As for ``auuc_interval``.
    """
    found = list(rankings(outcome, uplift, treatment, control=control, propensity=propensity))
    resampling = Resampling.of(len(np.asarray(outcome)), clusters=clusters, seed=seed)
    return _scored(_mean(found, area_above_random), _mean(found, resampling.areas_above_random), level)


def compare(
    outcome: ArrayLike,
    uplift_a: ArrayLike,
    uplift_b: ArrayLike,
    treatment: ArrayLike,
    *,
    control: Any = None,
    propensity: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> ScoredValue:
    """AUUC per user of ranking a minus that of ranking b, on the same users and in the same draws.

    Args:
        outcome: Shape (n,), more is better.
        uplift_a: Shape (n,) or (n, K).
        uplift_b: Same shape.
        treatment: Shape (n,), arm labels.
        control: Label of the control arm; None: 0.
        propensity: Probability of treatment, a number or shape (n,).
        clusters: Shape (n,), units randomised together.
        level: Of the interval.
        seed: Of the resampling.

    Raises:
        InputError: As for ``auuc``, ``level`` is no share, or a user has no cluster.
    """
    a, b = (
        list(rankings(outcome, uplift, treatment, control=control, propensity=propensity))
        for uplift in (uplift_a, uplift_b)
    )
    resampling = Resampling.of(len(np.asarray(outcome)), clusters=clusters, seed=seed)
    estimate = _mean(a, area_under_gain) - _mean(b, area_under_gain)
    return _scored(estimate, _mean(a, resampling.areas) - _mean(b, resampling.areas), level)


def _mean(found: list[Ranking], score: Callable[[Ranking], Any]) -> Any:
    return np.mean([score(ranking) for ranking in found], axis=0)


def _scored(estimate: float, drawn: Vector, level: float) -> ScoredValue:
    standard_error = float(drawn.std(ddof=1))
    half = two_sided_quantile(level) * standard_error
    return ScoredValue(
        estimate=float(estimate),
        standard_error=standard_error,
        interval=(float(estimate) - half, float(estimate) + half),
    )
