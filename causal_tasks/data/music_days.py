"""Simulated daily listening: who opens the app on which day, and what the metrics table records."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy.special import expit

from causal_tasks.data.music_listeners import Listeners
from causal_tasks.data.music_scenario import LEVELS, Calendar

_SATURDAY = 5
_LONGEST_DAY = 720.0
_SPEND_SHARE = 0.02
_MINUTES_PER_SONG = 3.6


@dataclass(frozen=True, slots=True)
class BaselineDays:
    """What the users of a chunk do without any treatment; one row per user and day on which the app is opened.

    Rows are ordered by user, then by day; every array has shape (rows,).

    Attributes:
        user: Position of the user in the chunk.
        day: See ``Calendar``.
        minutes: Minutes played, 0 where the user only looked in.
        skips: Songs skipped.
        spend: Money spent.
    """

    user: np.ndarray
    day: np.ndarray
    minutes: np.ndarray
    skips: np.ndarray
    spend: np.ndarray


def draw_baseline_days(rng: np.random.Generator, listeners: Listeners, calendar: Calendar) -> BaselineDays:
    """Draw what every user would do without any treatment.

    Weekends are busier, users churn after their exposure, a visit may end without a song (zero inflation), and
    minutes are lognormal within and between users (heavy tails).
    """
    user, position = np.nonzero(_opened(rng, listeners, calendar))
    day = calendar.metric_days[position]
    weekend = calendar.weekdays(day) >= _SATURDAY
    engagement = listeners.engagement[user]
    paying = (listeners.levels["member_level"] != LEVELS["member_level"].index("free"))[user]
    young = (listeners.night_share > 0.3)[user]
    level = 3.2 + 0.45 * engagement + 0.15 * paying + 0.1 * young + 0.2 * weekend
    minutes = np.minimum(np.exp(level + 0.7 * rng.normal(size=len(user))), _LONGEST_DAY)
    minutes[rng.random(len(user)) < expit(-1.6 - 0.8 * engagement)] = 0.0
    spends = rng.random(len(user)) < _SPEND_SHARE * (0.5 + paying)
    return BaselineDays(
        user=user,
        day=day,
        minutes=minutes,
        skips=rng.poisson(0.25 * minutes / _MINUTES_PER_SONG),
        spend=np.where(spends, np.exp(rng.normal(2.3, 0.9, len(user))), 0.0),
    )


def _opened(rng: np.random.Generator, listeners: Listeners, calendar: Calendar) -> np.ndarray:
    """Shape (n, metric days): whether the app is opened; on the day of exposure it is."""
    days, users = calendar.metric_days, len(listeners)
    start, engagement = listeners.start[:, None], listeners.engagement[:, None]
    weekend = calendar.weekdays(days) >= _SATURDAY
    opened = rng.random((users, len(days))) < expit(0.1 + 1.2 * engagement + 0.4 * weekend)
    churn_rate = np.minimum(0.02 * np.exp(-0.6 * listeners.engagement), 0.2)
    left = listeners.start + rng.geometric(churn_rate)
    alive = (days >= listeners.registered[:, None]) & (days < left[:, None])
    shown: np.ndarray = (opened & alive) | (days == start)
    return shown


def window_minutes(baseline: BaselineDays, listeners: Listeners, calendar: Calendar) -> np.ndarray:
    """Minutes that each user would play in the outcome window without treatment, shape (n,)."""
    since = baseline.day - listeners.start[baseline.user]
    inside = (since >= 0) & (since < calendar.window_days)
    minutes: np.ndarray = np.bincount(baseline.user[inside], baseline.minutes[inside], len(listeners))
    return minutes


def metric_rows(
    rng: np.random.Generator, baseline: BaselineDays, minutes: np.ndarray, ids: pa.Array, calendar: Calendar
) -> pa.Table:
    """The rows of the metrics table, by day and then by user.

    Args:
        rng: Decides how many songs fill the minutes.
        baseline: What would happen without treatment.
        minutes: What is played with it, by row of ``baseline``.
        ids: Of the chunk's users.
        calendar: Turns days into dates.
    """
    songs = np.maximum(rng.poisson(minutes / _MINUTES_PER_SONG), minutes > 0)
    by_day = np.argsort(baseline.day, kind="stable")
    return pa.table(
        {
            "user_id": ids.take(pa.array(baseline.user[by_day])),
            "date": pa.array(calendar.dates(baseline.day[by_day])),
            "play_minutes": minutes[by_day].round(2),
            "songs_played": songs[by_day].astype(np.int32),
            "active": (minutes[by_day] > 0).astype(np.int8),
            "skips": baseline.skips[by_day].astype(np.int32),
            "spend": baseline.spend[by_day].round(2),
        }
    )
