"""Requests of a simulated feed: what is known when one comes in, and what was shown and played."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from causal_tasks.data.video_moods import HOURS, Moods, hour_weights, interest_of_moods
from causal_tasks.data.video_slates import Matrix, Slates, Vector, played_seconds
from causal_tasks.data.video_viewers import Viewers, bounds
from causal_tasks.feed import DurationBuckets

Positions = NDArray[np.intp]

CONTEXT = ("hour", "visit", "battery")
"""Numbers known at a request: the hour, how many requests of the day it makes, and one of no use."""

RECENT = 8
"""Most videos that a viewer met, on other surfaces, in the hour before a request."""

_MOST_VISITS = 6
_NO_RECENT = 0.1
"""Share of requests before which nothing was met."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Requests before anything is shown, m; what only the simulation knows comes last.

    Attributes:
        user: Position of the viewer, shape (m,).
        visit: Which of the viewer's requests of the day it is, from 1, shape (m,).
        hour: 0 to 23, shape (m,).
        battery: Of the phone, 0 to 1; of no use, shape (m,).
        recent_durations: Seconds of the videos met before, oldest first, shape (m, 8), NaN beyond the last.
        recent_played: Seconds played of them, the same shape.
        candidates: Seconds of the candidates as they are ranked, best first, shape (m, pool).
        interest: Truth: factor of the liking for every category, mean about 1, shape (m, B).
        liking: Truth: probability of engaging with a video of every category, shape (m, B).
        reward: Truth: seconds that the request brings under every arm on average, shape (m, K + 1).
        chance: The number between 0 and 1 that decides on each place of the slate, shape (m, size).
    """

    user: Positions
    visit: Positions
    hour: Positions
    battery: Matrix
    recent_durations: Matrix
    recent_played: Matrix
    candidates: Matrix
    interest: Vector
    liking: Vector
    reward: Vector
    chance: Matrix

    def __len__(self) -> int:
        return len(self.user)

    @property
    def context(self) -> Vector:
        """The numbers that ``CONTEXT`` names, shape (m, 3)."""
        return np.column_stack([self.hour, self.visit, self.battery]).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Plays:
    """What m requests were shown and brought.

    Attributes:
        arm: Position of the arm that decided, shape (m,).
        durations: Seconds of the videos shown, shape (m, size).
        played: Seconds played of each, the same shape.
    """

    arm: Positions
    durations: Matrix
    played: Matrix

    @property
    def reward(self) -> Vector:
        """Seconds played in each request, shape (m,)."""
        total: Vector = self.played.sum(axis=1, dtype=np.float64)
        return total

    @property
    def views(self) -> Positions:
        """Videos of each request that were watched for 3 seconds or more, shape (m,)."""
        count: Positions = (self.played >= 3.0).sum(axis=1)
        return count


def draw_arrivals(
    random: np.random.Generator, viewers: Viewers, moods: Moods, come: NDArray[np.bool_], slates: Slates, visits: float
) -> Arrivals:
    """The requests of a day of the viewers who come.

    Numbers are drawn for the viewers who stay away too, so that a viewer meets the same day whatever anybody did.

    Args:
        random: Of this day.
        viewers: All n.
        moods: Of this day, shape (n, 24).
        come: Whether a viewer comes, shape (n,).
        slates: How slates are made.
        visits: Mean requests of a viewer who comes, at least 1.
    """
    count = np.minimum(1 + random.poisson(visits - 1, len(viewers)), _MOST_VISITS)
    every = np.repeat(np.arange(len(viewers)), count)
    upper = hour_weights().cumsum()[:-1]
    since_the_first_user = every * HOURS + np.searchsorted(upper, random.random(len(every)), side="right")
    hour = np.sort(since_the_first_user) - every * HOURS
    visit = np.arange(len(every)) - np.repeat(count.cumsum() - count, count) + 1
    kept = come[every]
    battery, recent, pool, chance = (
        random.random(shape, dtype=np.float32)[kept]
        for shape in (
            len(every),
            (len(every), 3 * RECENT + 1),
            (len(every), 2 * slates.pool),
            (len(every), slates.size),
        )
    )
    user, hour, visit = every[kept], hour[kept], visit[kept]
    factors = interest_of_moods(len(slates.durations.labels))
    interest = factors[moods[user, hour]]
    before = factors[moods[user, np.maximum(hour - 1, 0)]]
    liking = viewers.liking[user] * interest
    candidates = _durations(pool[:, : slates.pool], pool[:, slates.pool :], slates.durations)
    met, played = _recent(recent, viewers.liking[user] * before, liking, slates)
    return Arrivals(
        user=user,
        visit=visit,
        hour=hour,
        battery=battery.round(2),
        recent_durations=met,
        recent_played=played,
        candidates=candidates,
        interest=interest,
        liking=liking,
        reward=slates.expected_reward(candidates, liking),
        chance=chance,
    )


def show(arrivals: Arrivals, arm: Positions, slates: Slates) -> Plays:
    """Show every request the slate of its arm and let it play.

    Args:
        arrivals: The requests, m.
        arm: Position of the arm of each, shape (m,).
        slates: How slates are made.
    """
    category = slates.category(arrivals.candidates)
    durations = np.empty((len(arrivals), slates.size), dtype=np.float32)
    for k in range(len(slates.raised) + 1):
        rows = np.flatnonzero(arm == k)
        chosen = slates.shown(category[rows], k)
        durations[rows] = arrivals.candidates[rows][chosen].reshape(len(rows), slates.size)
    liking = np.take_along_axis(arrivals.liking, slates.category(durations), axis=1)
    return Plays(arm, durations, played_seconds(arrivals.chance, liking.astype(np.float32), durations))


def list_columns(durations: Matrix, played: Matrix) -> tuple[pa.ListArray, pa.ListArray]:
    """Two matrices of the same shape, NaN beyond the end of a row in both, as columns of lists."""
    inside = ~np.isnan(durations)
    offsets = pa.array(np.concatenate([[0], inside.sum(axis=1).cumsum()]).astype(np.int32))
    return tuple(pa.ListArray.from_arrays(offsets, pa.array(values[inside])) for values in (durations, played))


def _durations(category: Matrix, length: Matrix, durations: DurationBuckets) -> Matrix:
    """Seconds of videos by two numbers between 0 and 1, to a tenth; within a category evenly over log seconds."""
    low, high = bounds(durations).T
    which = (category * len(low)).astype(np.int8)
    seconds = low[which] * (high / low)[which] ** length
    # A tenth below the end: rounding must not carry a video into the next category.
    below: Matrix = np.minimum(np.round(seconds, 1), high[which] - 0.1).astype(np.float32)
    return below


def _recent(uniform: Matrix, before: Vector, now: Vector, slates: Slates) -> tuple[Matrix, Matrix]:
    """Videos met before requests, the older half of them an hour before.

    Args:
        uniform: Numbers between 0 and 1, shape (m, 25).
        before: Probability of engaging by category an hour before, shape (m, B).
        now: The same at the request.
        slates: Names the categories.
    """
    seconds = _durations(uniform[:, :RECENT], uniform[:, RECENT : 2 * RECENT], slates.durations)
    category = slates.category(seconds)
    older, newer = (np.take_along_axis(liking, category, axis=1) for liking in (before, now))
    liking = np.where(np.arange(RECENT) < RECENT // 2, older, newer).astype(np.float32)
    played = played_seconds(uniform[:, 2 * RECENT : 3 * RECENT], liking, seconds)
    # Fewer than all of them are the newest ones, moved to the front.
    some = np.maximum(uniform[:, -1] - _NO_RECENT, 0) / (1 - _NO_RECENT)
    count = np.ceil(some * RECENT).astype(np.intp)[:, None]
    at = np.arange(RECENT)
    source = np.minimum(at + RECENT - count, RECENT - 1)
    lists = (np.take_along_axis(values, source, axis=1) for values in (seconds, played))
    met, gone = (np.where(at < count, values, np.float32(np.nan)) for values in lists)
    return met, gone
