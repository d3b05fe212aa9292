"""A simulated short-video platform of known truth: daily users, requests, drifting interest, and who comes back.

Viewers like some lengths of video more than others (``video_viewers``), are in moods that change within hours
(``video_moods``), are shown slates (``video_slates``) and come back the more, the more they were pleased.
"""

import datetime
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from causal_tasks.data.video_moods import draw_moods
from causal_tasks.data.video_requests import Arrivals, Plays, Positions, draw_arrivals, show
from causal_tasks.data.video_slates import Slates, Vector
from causal_tasks.data.video_viewers import BUCKETINGS, ENTRIES, Viewers, draw_viewers
from causal_tasks.errors import InputError
from causal_tasks.feed import CONTROL, DurationBuckets

Policy = Callable[[Arrivals, pd.DataFrame], Positions]
"""Chooses the arm of every request, shape (m,), also from what is known of all users that morning, n rows."""

PERIOD = 7
"""Days for which a user keeps a drawn arm."""

PLEASED = (1.2, 1.6)
"""By entry type, what satisfaction adds to the log-odds of coming."""

_MEMORY = 0.7
"""How much of a day's satisfaction is left of the day before."""

_SECONDS_PER_VISIT, _SECONDS_PER_PAGE = 20.0, 45.0
"""Time in the app that is not spent watching: of a request, and of coming by a page."""

_VIEWERS, _ARMS, _DAY, _FIRST = range(4)
"""Streams of random numbers."""


@dataclass(frozen=True, slots=True)
class PlatformDay:
    """What happened on a day.

    Attributes:
        date: The day.
        period: First day of the period that it lies in.
        drawn: Position of the arm that was drawn for every user's period, shape (n,).
        features: What is known of every user that morning, n rows: ``days_active_7d`` moves from day to day.
        entered: Whether every user came, by entry type, shape (n, 2).
        arrivals: Requests of the day.
        plays: What they were shown, and brought.
    """

    date: datetime.date
    period: datetime.date
    drawn: Positions
    features: pd.DataFrame
    entered: NDArray[np.bool_]
    arrivals: Arrivals
    plays: Plays

    @property
    def active(self) -> NDArray[np.bool_]:
        """Whether every user came, shape (n,)."""
        return self.entered[:, 0] | self.entered[:, 1]

    def metrics(self) -> pd.DataFrame:
        """What the day brought of every user, n rows: seconds watched and in the app, views, and how they came."""
        user, plays, n = self.arrivals.user, self.plays, len(self.entered)
        watched, visits = np.bincount(user, plays.reward, n), np.bincount(user, minlength=n)
        pages = _SECONDS_PER_PAGE * self.entered[:, 0]
        return pd.DataFrame(
            {
                "watch_seconds": watched.round(1),
                "app_seconds": (watched + _SECONDS_PER_VISIT * visits + pages).round(1),
                "views": np.bincount(user, plays.views, n).astype(np.int64),
                "active": self.active.astype(np.int64),
                **{f"active_{entry}": self.entered[:, k].astype(np.int64) for k, entry in enumerate(ENTRIES)},
            }
        )


class VideoPlatform:
    """A platform and its users.

    Attributes:
        arms: Labels, control first: ``more_<category>`` raises the share of a category of durations.
        treatments: By treatment the category that it raises.
        durations: Categories of videos by length.
        slates: How slates are made.
        viewers: Users, n, with what moves them.
        preference: Truth: seconds that a request brings under every arm at usual interest, shape (n, K + 1).
    """

    def __init__(
        self,
        *,
        seed: int,
        users: int,
        bucketing: Literal["three", "four"] = "three",
        treatments: tuple[str, ...] | None = None,
        boost: float = 0.3,
        requests_per_day: float = 2.0,
        first_day: datetime.date = datetime.date(2026, 9, 28),
    ) -> None:
        """Draw the users.

        Args:
            seed: Of everything random; days are drawn one by one, so that more of them leave the earlier as they are.
            users: n, at least one.
            bucketing: How many categories of duration there are.
            treatments: Categories that can be raised; None: each of them.
            boost: Share of a slate of ten that a treatment adds to its category.
            requests_per_day: Mean of a user who comes, at least 1.
            first_day: On which periods begin.

        Raises:
            InputError: An argument is out of range.
        """
        _check(seed, users, bucketing, boost, requests_per_day)
        self.durations: DurationBuckets = BUCKETINGS[bucketing]
        labels = self.durations.labels
        chosen = labels if treatments is None else treatments
        if not chosen or not set(chosen) <= set(labels):
            raise InputError(f"treatments raise {list(chosen)}", remedy=f"choose some of {list(labels)}")
        self.treatments = dict(sorted((f"more_{label}", label) for label in chosen))
        self.arms: tuple[str, ...] = (CONTROL, *self.treatments)
        self.slates = Slates(self.durations, tuple(map(labels.index, self.treatments.values())), boost=boost)
        self.viewers: Viewers = draw_viewers(np.random.default_rng((seed, _VIEWERS)), users, self.durations)
        self.first_day = first_day
        self._seed, self._visits = seed, requests_per_day

    @cached_property
    def preference(self) -> Vector:
        """See the class."""
        return self.slates.mean_reward(self.viewers.liking)

    def days(self, days: int, policy: Policy | None = None) -> Iterator[PlatformDay]:
        """Live through days from the first one.

        Args:
            days: How many.
            policy: Chooses the arms of requests; None: the arm that was drawn for the user's period decides, which is
                the experiment. Users meet the same moods, candidates and chances under each policy.
        """
        n = len(self.viewers)
        random = np.random.default_rng((self._seed, _FIRST))
        satisfaction = np.zeros(n)
        came = random.random((PERIOD, n)) < 1 - np.prod(1 - expit(self.viewers.habit), axis=1)
        for day in range(days):
            random = np.random.default_rng((self._seed, _DAY, day))
            entered = random.random((n, len(ENTRIES))) < expit(self.viewers.habit + satisfaction[:, None] * PLEASED)
            moods = draw_moods(random, n, len(self.durations.labels))
            active = entered[:, 0] | entered[:, 1]
            arrivals = draw_arrivals(random, self.viewers, moods, active, self.slates, self._visits)
            drawn = self._drawn(day)
            features = self.viewers.features.assign(days_active_7d=came.sum(axis=0))
            arm = drawn[arrivals.user] if policy is None else policy(arrivals, features)
            plays = show(arrivals, arm, self.slates)
            yield PlatformDay(
                date=self.first_day + datetime.timedelta(days=day),
                period=self.first_day + datetime.timedelta(days=day - day % PERIOD),
                drawn=drawn,
                features=features,
                entered=entered,
                arrivals=arrivals,
                plays=plays,
            )
            satisfaction = self._satisfied(satisfaction, arrivals, plays)
            came[day % PERIOD] = active

    def _drawn(self, day: int) -> Positions:
        random = np.random.default_rng((self._seed, _ARMS, day // PERIOD))
        return random.integers(0, len(self.arms), len(self.viewers))

    def _satisfied(self, before: Vector, arrivals: Arrivals, plays: Plays) -> Vector:
        """Satisfaction after a day: seconds of a request relative to the user's usual ones under control, less 1."""
        n = len(self.viewers)
        visits = np.bincount(arrivals.user, minlength=n)
        watched = np.bincount(arrivals.user, plays.reward, n) / np.maximum(visits, 1)
        today = np.where(visits, np.clip(watched / self.preference[:, 0] - 1, -1, 1), 0.0)
        after: Vector = _MEMORY * before + (1 - _MEMORY) * today
        return after


@dataclass(frozen=True, slots=True)
class Rollout:
    """What days under a policy brought of n users.

    Attributes:
        totals: Per user: seconds watched and in the app, views, days active in all and by entry type.
        lifetime: Days active by user and entry type in the first 7 and the first 30 days: columns ``enter_lt7``, …;
            those that the rollout is too short for are left out.
    """

    totals: pd.DataFrame
    lifetime: pd.DataFrame


def rollout(platform: VideoPlatform, days: int, policy: Policy | None) -> Rollout:
    """Live through ``days``, at least 7, under a policy; see ``VideoPlatform.days``.

    Raises:
        InputError: There are fewer days.
    """
    if days < PERIOD:
        raise InputError(f"a rollout of {days} days", remedy=f"choose {PERIOD} or more")
    totals, lifetime = pd.DataFrame(), dict[str, pd.Series]()
    for count, day in enumerate(platform.days(days, policy), start=1):
        metrics = day.metrics()
        totals = metrics if count == 1 else totals + metrics
        if count in {7, 30}:
            lifetime |= {f"{entry}_lt{count}": totals[f"active_{entry}"] for entry in ENTRIES}
    return Rollout(totals, pd.DataFrame(lifetime))


def _check(seed: int, users: int, bucketing: str, boost: float, requests_per_day: float) -> None:
    if users < 1:
        raise InputError(f"a platform of {users} users", remedy="ask for at least one")
    if seed < 0:
        raise InputError(f"seed is {seed}", remedy="choose 0 or more")
    if bucketing not in BUCKETINGS:
        raise InputError(f"bucketing is {bucketing!r}", remedy=f"choose one of {list(BUCKETINGS)}")
    if not 0 < boost < 1:
        raise InputError(f"boost is {boost}", remedy="choose a share between 0 and 1")
    if requests_per_day < 1:
        raise InputError(f"requests_per_day is {requests_per_day}", remedy="choose 1 or more")
