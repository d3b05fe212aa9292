"""Logs of decisions whose truth is known."""

import numpy as np

from causal_tasks.dynamic.decision_log import DecisionLog


def planted_log(rows=6000, *, seed=0, interest=True, effect=1.0):
    """Requests of two treatments: each gains what interest times preference says, control 10 on average.

    Buckets run from 600 to 999; half of the users are in segment ``low``.
    """
    generator = np.random.default_rng(seed)
    users = np.arange(rows) // 4
    bucket = 600 + users * 400 // (users.max() + 1)
    liked = generator.random(users.max() + 1) < 0.5
    mood = np.where(generator.random((rows, 2)) < 0.5, 1.3, 0.7)
    long, short = np.where(liked, 12.0, 9.0)[users], np.where(liked, 9.0, 12.0)[users]
    preference = np.column_stack([np.full(rows, 10.0), long, short])
    expected = preference.copy()
    expected[:, 1:] = 10 + effect * (mood * preference[:, 1:] - 10)
    arm = generator.integers(0, 3, rows)
    return DecisionLog(
        users=users,
        bucket=bucket,
        date=np.datetime64("2026-10-05") + users % 21,
        segment=np.where(users % 2, "low", "high").astype(object),
        arm=arm.astype(np.intp),
        reward=expected[np.arange(rows), arm] + generator.normal(0, 2, rows),
        preference=preference.astype(np.float32),
        interest=mood if interest else None,
        allowed=np.ones((rows, 2), dtype=bool),
    ), expected
