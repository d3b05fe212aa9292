"""Simulated viewers of short videos: what a platform knows of them, and which lengths of video they like."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit

from causal_tasks.feed import DurationBuckets

Vector = NDArray[np.float64]

BUCKETINGS = {
    "three": DurationBuckets(labels=("short", "medium", "long"), edges=(20.0, 60.0)),
    "four": DurationBuckets(labels=("short", "medium", "long", "very_long"), edges=(20.0, 40.0, 80.0)),
}
"""Categories of duration that the simulation knows; in each of them videos are spread evenly over log seconds."""

ENTRIES = ("enter", "slide")
"""How a viewer comes: by opening a video from a page, or by sliding through the stream."""

LIKED = 0.55
"""Largest probability with which a video is engaged with at usual interest, so that no interest raises it above 1."""

_LEVEL = 5.0
"""Seconds that engaging with a shown video brings on average, about alike in all categories."""

_LIKED_SHORT = 0.35
"""Mean probability of engaging with the shortest."""

_HABIT = 1.3
"""Standard deviation over viewers of the log-odds to come on a day."""


@dataclass(frozen=True, slots=True)
class Viewers:
    """The users of a simulated platform, n, and what moves them.

    Attributes:
        features: What the platform knows, a row per user; some of it is of no use, and some ages are missing.
        liking: Probability of engaging with a shown video of every category at usual interest, shape (n, B).
        habit: Log-odds of coming on a day at usual satisfaction, by entry type, shape (n, 2).
    """

    features: pd.DataFrame
    liking: Vector
    habit: Vector

    def __len__(self) -> int:
        return len(self.features)


def bounds(durations: DurationBuckets) -> Vector:
    """Shortest and longest video of every category in seconds, shape (B, 2): the outer ones span a factor of two."""
    edges = durations.edges
    return np.column_stack([(edges[0] / 2, *edges), (*edges, edges[-1] * 2)])


def mean_durations(durations: DurationBuckets) -> Vector:
    """Mean length of the videos of every category in seconds, shape (B,)."""
    low, high = bounds(durations).T
    means: Vector = (high - low) / np.log(high / low)
    return means


def draw_viewers(random: np.random.Generator, users: int, durations: DurationBuckets) -> Viewers:
    """Draw users; features decide on liking non-linearly, and a part of liking shows in no feature."""
    activity = random.standard_normal(users)
    age = np.clip(np.round(14 + random.gamma(2.4, 8.0, users)), 14, 80)
    features = pd.DataFrame(
        {
            "age": age,
            "wifi_share": np.round(random.beta(2.0, 1.6, users), 3),
            "night_share": np.round(random.beta(2.0, 4.0, users), 3),
            "comments_28d": random.poisson(np.exp(0.9 + 0.7 * random.standard_normal(users))),
            "days_active_28d": random.binomial(28, expit(0.4 + _HABIT * activity)),
            "tenure_days": random.exponential(500, users).astype(np.int64),
            "creators_followed": random.poisson(np.exp(2.5 + 0.8 * random.standard_normal(users))),
            "city_tier": random.choice(["T1", "T2", "T3", "T4"], users),
            "device": random.choice(["Android", "HarmonyOS", "iOS"], users, p=[0.55, 0.15, 0.3]),
        }
    )
    features["activity"] = _activity(features["days_active_28d"])
    liking = _liking(random, features, durations)
    features["age"] = features["age"].mask(random.random(users) < 0.05)
    own = _HABIT * activity[:, None] + 0.4 * random.standard_normal((users, len(ENTRIES)))
    return Viewers(features, liking, own + logit([0.38, 0.34]))


def _activity(days: pd.Series) -> pd.Series:
    return pd.cut(days, [-1, 11, 21, 28], labels=["low", "middle", "high"]).astype(str)


def _liking(random: np.random.Generator, features: pd.DataFrame, durations: DurationBuckets) -> Vector:
    """Older viewers on wifi like long videos, night and travel make short ones better, talkers like what is between."""
    older = np.tanh((features["age"].to_numpy() - 31) / 8)
    at_home = np.where(features["wifi_share"] > 0.58, 1.0, -1.0)
    at_night = np.tanh((features["night_share"].to_numpy() - 0.3) / 0.12)
    talks = np.where(features["comments_28d"] >= 3, 1.0, -1.0)
    length = np.linspace(-1, 1, len(durations.labels))
    by_length = 0.35 * older * at_home + 0.35 * at_home - 0.3 * at_night
    between = 0.35 * talks
    unseen = 0.15 * random.standard_normal((len(features), len(length)))
    effect = by_length[:, None] * length + between[:, None] * (1 - 1.5 * np.abs(length)) + unseen
    usual = np.minimum(_LIKED_SHORT, _LEVEL / mean_durations(durations))
    liking: Vector = np.minimum(usual * np.exp(effect), LIKED)
    return liking
