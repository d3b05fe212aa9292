"""Slates of a simulated recommender, and what showing one brings: in expectation, exactly, and as drawn."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from causal_tasks.data.video_viewers import mean_durations
from causal_tasks.feed import DurationBuckets

Vector = NDArray[np.float64]
Matrix = NDArray[np.float32]

SKIP_SECONDS = 2.0
"""A video that is not engaged with is left after 0 to 2 seconds."""

_THROUGH = 2 / 3
"""Share of engaged plays that reach 80 % of the duration or more; the others end between 20 % and 80 %."""

ENGAGED = _THROUGH * 0.9 + (1 - _THROUGH) * 0.5
"""Mean share of the duration that an engaged play lasts."""


@dataclass(frozen=True, slots=True)
class Slates:
    """How a pool of candidates, ranked best first, becomes what is shown.

    Attributes:
        durations: Categories of videos.
        raised: Position of the category that every treatment raises, in the order of treatments.
        size: Videos of a slate.
        pool: Candidates, each of any category with the same probability.
        boost: Share of the slate that a treatment adds to its category, as far as the pool has some.
    """

    durations: DurationBuckets
    raised: tuple[int, ...]
    size: int = 10
    pool: int = 24
    boost: float = 0.3

    @property
    def added(self) -> int:
        """Videos that a treatment adds to its category where the pool has enough."""
        return round(self.boost * self.size)

    def category(self, seconds: Matrix) -> NDArray[np.int8]:
        """Category of every duration."""
        return np.searchsorted(self.durations.edges, seconds, side="right").astype(np.int8)

    def shown(self, category: NDArray[np.int8], arm: int) -> NDArray[np.bool_]:
        """Which candidates an arm shows, shape (m, pool): in either group the ones that are ranked first.

        Args:
            category: Of the candidates, shape (m, pool).
            arm: Position of one arm.
        """
        if arm == 0:
            return np.broadcast_to(np.arange(self.pool) < self.size, category.shape)
        inside = category == self.raised[arm - 1]
        place = inside.cumsum(axis=1, dtype=np.int8)
        wanted = np.minimum(np.minimum(place[:, self.size - 1] + self.added, place[:, -1]), self.size)[:, None]
        other = np.arange(1, self.pool + 1, dtype=np.int8) - place
        chosen: NDArray[np.bool_] = np.where(inside, place <= wanted, other <= self.size - wanted)
        return chosen

    def mean_counts(self) -> Vector:
        """Expected videos of every category under every arm, over all pools, shape (K + 1, B)."""
        categories = len(self.durations.labels)
        counts = np.full((len(self.raised) + 1, categories), self.size / categories)
        inside, beyond = np.arange(self.size + 1)[:, None], np.arange(self.pool - self.size + 1)
        added = np.minimum(np.minimum(self.added, beyond), self.size - inside)
        likely = binom.pmf(inside, self.size, 1 / categories) * binom.pmf(beyond, self.pool - self.size, 1 / categories)
        extra = float((likely * added).sum())
        for arm, category in enumerate(self.raised, start=1):
            counts[arm] -= extra / (categories - 1)
            counts[arm, category] = self.size / categories + extra
        return counts

    def mean_reward(self, liking: Vector) -> Vector:
        """Seconds that a request brings under every arm at usual interest, over all pools, shape (n, K + 1).

        Args:
            liking: Probability of engaging by category, shape (n, B).
        """
        by_category = expected_seconds(liking, mean_durations(self.durations))
        reward: Vector = by_category @ self.mean_counts().T
        return reward

    def expected_reward(self, seconds: Matrix, liking: Vector) -> Vector:
        """Seconds that each of m requests brings under every arm, exactly, shape (m, K + 1).

        Args:
            seconds: Durations of its candidates, shape (m, pool).
            liking: Probability of engaging by category, as the mood is, shape (m, B).
        """
        category = self.category(seconds)
        brings = expected_seconds(np.take_along_axis(liking, category, axis=1), seconds)
        reward = [(brings * self.shown(category, arm)).sum(axis=1) for arm in range(len(self.raised) + 1)]
        return np.column_stack(reward)


def expected_seconds(liking: Vector, seconds: Vector | Matrix) -> Vector:
    """Mean seconds played of a video that is engaged with by the probability ``liking``."""
    expected: Vector = liking * ENGAGED * seconds + (1 - liking) * (SKIP_SECONDS / 2)
    return expected


def played_seconds(uniform: Matrix, liking: Matrix, seconds: Matrix) -> Matrix:
    """Seconds played of each video, to a tenth.

    Args:
        uniform: A number between 0 and 1 for each, from which all that is random follows.
        liking: Probability of engaging.
        seconds: Durations.
    """
    engaged = uniform < liking
    within = np.where(engaged, uniform / liking, (uniform - liking) / (1 - liking))
    ends_early = 1 - _THROUGH
    share = np.where(within < ends_early, 0.2 + 0.6 * within / ends_early, 0.8 + 0.2 * (within - ends_early) / _THROUGH)
    played = np.where(engaged, share * seconds, SKIP_SECONDS * within)
    return np.round(played, 1).astype(np.float32)
