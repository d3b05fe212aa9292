"""Uncertainty of rankings: resampling of random groups of users.

Drawing single users a thousand times costs a thousand passes over the data. Users are assigned to 200 random groups
instead, summed once by block of the ranking, group and arm, and whole groups are drawn: each draw is a weighting of
groups, and all draws together are one matrix product. The standard error is that of drawing users, itself uncertain
by about 5 % because of 200 groups.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_tasks.effects.arguments import cluster_codes
from causal_tasks.errors import InputError
from causal_tasks.evaluation.ranking import Ranking, Vector, borders, mean_difference

GROUPS = 200
"""At most 256: the group of a user is one byte."""

DRAWS = 1000
GRID = np.linspace(0, 1, 201)
"""Shares of users between which a drawn curve is straight."""


@dataclass(frozen=True, slots=True)
class Resampling:
    """Random groups of users and draws of them; rankings that share one are compared draw by draw.

    Attributes:
        group: Shape (n,), group of each user.
        weights: Shape (draws, groups), how often each draw holds each group.
    """

    group: NDArray[np.uint8]
    weights: Vector

    @classmethod
    def of(cls, n: int, *, clusters: ArrayLike | None = None, seed: int = 0, draws: int = DRAWS) -> Self:
        """Groups for ``n`` users, whole clusters together where ``clusters``, shape (n,), is given.

        Raises:
            InputError: There are fewer than two users or clusters, or a user has no cluster.
        """
        random = np.random.default_rng(seed)
        member, members = _members(n, clusters)
        groups = min(GROUPS, members)
        cell = random.integers(groups, size=(draws, groups)) + groups * np.arange(draws)[:, np.newaxis]
        weights = np.bincount(cell.ravel(), minlength=draws * groups).reshape(draws, groups).astype(np.float64)
        return cls(group=_at_random(member, members, groups, random), weights=weights)

    @classmethod
    def half_samples(cls, n: int, *, clusters: ArrayLike | None = None, seed: int = 0, draws: int = DRAWS) -> Self:
        """Draws of half of the groups without replacement: their plain standard deviation is the standard error.

        Where the number of groups is odd the smaller half is drawn, so few clusters err on the wide side.

        Raises:
            InputError: As for ``of``.

        Source: Yadlowsky et al. (2025), section 3.
        """
        random = np.random.default_rng(seed)
        member, members = _members(n, clusters)
        groups = min(GROUPS, members)
        drawn = random.permuted(np.tile(np.arange(groups), (draws, 1)), axis=1) < groups // 2
        return cls(group=_at_random(member, members, groups, random), weights=drawn.astype(np.float64))

    def running(
        self, rows: NDArray[np.intp], borders: NDArray[np.intp], values: Callable[[slice], Sequence[Vector]]
    ) -> list[Vector]:
        """Running sums down a ranking in every draw, at its borders.

        Args:
            rows: Shape (n,), position of each ranked user among those that the groups were made for.
            borders: Shape (b + 1,), users down to each border, from 0 to n.
            values: Of a stretch of ranked users: arrays to sum, each of the stretch's length.

        Returns:
            Users, then one for each of the ``values``: shape (draws, b + 1), from 0.
        """
        groups = self.weights.shape[1]
        sums = []
        for start, stop in pairwise(borders):
            group = self.group[rows[start:stop]]
            summed = [np.bincount(group, v, groups) for v in values(slice(start, stop))]
            sums.append([np.bincount(group, minlength=groups), *summed])
        running = np.pad(np.cumsum(np.array(sums, dtype=np.float64), axis=0), ((1, 0), (0, 0), (0, 0)))
        return [self.weights @ running[:, k].T for k in range(running.shape[1])]

    def curves(self, ranking: Ranking) -> tuple[Vector, Vector]:
        """The gain curve in every draw, on a grid of at most 200 blocks of the ranking.

        Returns:
            Shares targeted and gains per user, each of shape (draws, blocks + 1), from (0, 0).
        """
        users, *sums = self.running(ranking.rows, borders(ranking.ends, GRID), ranking.contributions)
        share = users / users[:, -1:]
        return share, share * mean_difference(*sums)

    def areas(self, ranking: Ranking) -> Vector:
        """The area under the gain curve in every draw, shape (draws,)."""
        share, gain = self.curves(ranking)
        return np.asarray(np.trapezoid(gain, share, axis=1))

    def areas_above_random(self, ranking: Ranking) -> Vector:
        """The area between the gain curve and the random line in every draw, shape (draws,)."""
        share, gain = self.curves(ranking)
        return np.asarray(np.trapezoid(gain - share * gain[:, -1:], share, axis=1))


def _members(n: int, clusters: ArrayLike | None) -> tuple[NDArray[np.intp] | None, int]:
    """The cluster of each user, shape (n,), None where each is its own, and how many there are."""
    if clusters is None:
        member, members = None, n
    else:
        member = cluster_codes(clusters, rows=n)
        members = int(member.max()) + 1 if n else 0
    if members < 2:
        raise InputError(f"{members} independent units show no uncertainty", remedy="pass at least two")
    return member, members


def _at_random(
    member: NDArray[np.intp] | None, members: int, groups: int, random: np.random.Generator
) -> NDArray[np.uint8]:
    """Groups of nearly as many clusters each, drawn at random, shape (n,)."""
    assigned: NDArray[np.uint8] = random.permutation((np.arange(members) % groups).astype(np.uint8))
    return assigned if member is None else assigned[member]
