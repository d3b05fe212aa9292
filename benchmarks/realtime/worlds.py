"""Simulated platforms as models meet them: weeks of users and requests, cut by user, with the truth beside them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_tasks.data.parts import buckets
from causal_tasks.data.video_platform import PERIOD, PlatformDay, VideoPlatform
from causal_tasks.data.video_requests import CONTEXT, Arrivals
from causal_tasks.data.video_slates import Matrix
from causal_tasks.dynamic.durations import duration_buckets
from causal_tasks.dynamic.ragged import Ragged
from causal_tasks.dynamic.requests import Requests, play_tokens
from causal_tasks.feed import DurationBuckets

Vector = NDArray[np.float64]
Positions = NDArray[np.intp]
Mask = NDArray[np.bool_]

CHOOSE_FROM, MEASURE_FROM = 600, 800
"""Of a thousand parts of users the first whose users choose thresholds, and that measure what comes of it."""


@dataclass(frozen=True, slots=True)
class Weeks:
    """A row per user and week.

    Attributes:
        features: As known on the first morning.
        watched: Seconds in the week, shape (n,).
        arm: Position of the arm drawn, shape (n,).
        user: Shape (n,).
    """

    features: pd.DataFrame
    watched: Vector
    arm: Positions
    user: Positions


@dataclass(frozen=True, slots=True)
class LoggedRequests:
    """A row per request, m.

    Attributes:
        requests: What is known when one comes in.
        shown: What was shown and how it was played.
        user: Shape (m,).
        week: Row of ``Weeks`` that it lies in, shape (m,).
        arm: Position of the arm that was given, shape (m,).
        reward: Seconds played, shape (m,).
        truth: Seconds that every arm brings on average, shape (m, K + 1).
        interest: True interest in every treatment's category, shape (m, K).
    """

    requests: Requests
    shown: Ragged
    user: Positions
    week: Positions
    arm: Positions
    reward: Vector
    truth: Vector
    interest: Vector

    def take(self, rows: Positions) -> Self:
        """Some of the requests."""
        return type(self)(
            self.requests.take(rows),
            self.shown.take(rows),
            self.user[rows],
            self.week[rows],
            self.arm[rows],
            self.reward[rows],
            self.truth[rows],
            self.interest[rows],
        )


@dataclass(frozen=True, slots=True)
class World:
    """A platform and four weeks of it.

    Attributes:
        platform: With the truth of users.
        weeks: Of all users.
        logged: Requests of all users.
        part: Of every user, 0 to 999.
    """

    platform: VideoPlatform
    weeks: Weeks
    logged: LoggedRequests
    part: NDArray[np.int64]

    @property
    def propensity(self) -> Vector:
        """Probability of every arm, shape (K + 1,)."""
        return np.full(len(self.platform.arms), 1 / len(self.platform.arms))

    def learning(self, user: Positions) -> Mask:
        """Which rows, given their users, models learn from."""
        return self.part[user] < CHOOSE_FROM

    def choosing(self, user: Positions) -> Mask:
        """Which rows choose thresholds."""
        return (self.part[user] >= CHOOSE_FROM) & (self.part[user] < MEASURE_FROM)

    def measuring(self, user: Positions) -> Mask:
        """Which rows measure."""
        return self.part[user] >= MEASURE_FROM

    @classmethod
    def live(cls, platform: VideoPlatform, weeks: int) -> Self:
        """Live through so many weeks of the experiment."""
        days = list(platform.days(weeks * PERIOD))
        part = buckets(pd.Series(np.arange(len(platform.viewers))), "videos")
        return cls(platform, weeks_of(days), _logged(platform, days), part)


def weeks_of(days: Iterable[PlatformDay]) -> Weeks:
    """A row for every user and week; days are met one by one."""
    features: list[pd.DataFrame] = []
    arms: list[Positions] = []
    watched: list[Vector] = []
    for number, day in enumerate(days):
        seconds = day.metrics()["watch_seconds"].to_numpy()
        if number % PERIOD:
            watched[-1] = watched[-1] + seconds
        else:
            features.append(day.features)
            arms.append(day.drawn)
            watched.append(seconds)
    user = np.tile(np.arange(len(features[0])), len(features))
    return Weeks(typed(pd.concat(features, ignore_index=True)), np.concatenate(watched), np.concatenate(arms), user)


def typed(features: pd.DataFrame) -> pd.DataFrame:
    """The features with text as categories, of the same levels in every simulation."""
    text = {name: sorted(features[name].unique()) for name in features.select_dtypes(exclude="number")}
    return features.astype({name: pd.CategoricalDtype(levels) for name, levels in text.items()})


def _logged(platform: VideoPlatform, days: list[PlatformDay]) -> LoggedRequests:
    arrivals = [day.arrivals for day in days]
    n, raised = len(platform.viewers), list(platform.slates.raised)
    user = np.concatenate([each.user for each in arrivals])
    week = np.concatenate([np.full(len(each), at // PERIOD) for at, each in enumerate(arrivals)])
    durations, played = (np.concatenate([getattr(day.plays, name) for day in days]) for name in ("durations", "played"))
    return LoggedRequests(
        requests=requests_of(arrivals, platform.durations),
        shown=_plays(durations, played, platform.durations),
        user=user,
        week=week * n + user,
        arm=np.concatenate([day.plays.arm for day in days]),
        reward=np.concatenate([day.plays.reward for day in days]),
        truth=np.concatenate([each.reward for each in arrivals]),
        interest=np.concatenate([each.interest[:, raised] for each in arrivals]),
    )


def requests_of(arrivals: list[Arrivals], durations: DurationBuckets) -> Requests:
    """What the request-time model reads of simulated requests."""
    candidates = np.concatenate([each.candidates for each in arrivals])
    recent, played = (
        np.concatenate([getattr(each, name) for each in arrivals]) for name in ("recent_durations", "recent_played")
    )
    tokens = duration_buckets(candidates, durations).astype(np.int32)
    offsets = np.arange(len(tokens) + 1, dtype=np.int64) * tokens.shape[1]
    return Requests(
        context=np.concatenate([each.context for each in arrivals]).astype(np.float32),
        context_names=CONTEXT,
        recent=_plays(recent, played, durations),
        candidates=Ragged(offsets, tokens.ravel()),
        buckets=len(durations.labels),
    )


def _plays(durations: Matrix, played: Matrix, categories: DurationBuckets) -> Ragged:
    inside = ~np.isnan(durations)
    offsets = np.concatenate([[0], inside.sum(axis=1).cumsum()]).astype(np.int64)
    tokens = play_tokens(durations[inside].astype(float), played[inside].astype(float), categories)
    return Ragged(offsets, tokens)
