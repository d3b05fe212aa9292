"""Simulated tables of requests whose true interest is known."""

import numpy as np
import pandas as pd

from causal_tasks.feed import Feed

FEED = Feed.parse(
    {
        "feed_id": "videos",
        "treatments": {"more_short": "short", "more_long": "long"},
        "tables": {"users": "u", "assignments": "a", "metrics": "m", "requests": "r"},
        "columns": {"context": ["hour", "battery"]},
        "responses": [{"name": "watch_seconds"}],
    },
    source="test",
)

_SECONDS = np.array([10.0, 40.0, 120.0])
_LONG, _SHORT, _BETWEEN = 0.9, 0.1, 0.5


def flipping_interest(*, users, requests=16, seed):
    """Requests of users whose interest in short items flips by the hour of the day, and in long ones by their mood.

    The mood is seen in what was played last alone.

    Returns:
        The table, and the true interest in long and short items (the order of the feed's treatments), shape (n, 2).
    """
    random = np.random.default_rng(seed)
    user = np.repeat(np.arange(users), requests)
    hour, mood = random.integers(0, 24, len(user)), random.choice([-1.0, 1.0], len(user))
    interest = np.column_stack([1 + 0.6 * np.where(hour % 12 < 6, 1, -1), np.ones(len(user)), 1 + 0.6 * mood])
    chance = random.uniform(0.3, 0.6, (users, 3))[user] * interest

    def plays(size):
        category = random.integers(0, 3, (len(user), size))
        long = random.random(category.shape) < chance[np.arange(len(user))[:, None], category]
        played = np.where(long, _LONG, np.where(random.random(category.shape) < 0.7, _SHORT, _BETWEEN))
        return _SECONDS[category], played * _SECONDS[category]

    lists = [*plays(20), *plays(12), _SECONDS[random.integers(0, 3, (len(user), 10))]]
    names = ("recent_durations", "recent_played", "shown_durations", "shown_played", "candidates")
    frame = pd.DataFrame(
        {
            "request_id": [f"r{at}" for at in range(len(user))],
            "user_id": user,
            "hour": hour.astype(float),
            "battery": np.where(random.random(len(user)) < 0.1, np.nan, random.random(len(user))),
            **{name: list(values) for name, values in zip(names, lists, strict=True)},
        }
    )
    return frame, interest[:, [2, 0]]
