"""Moods: what a viewer is interested in for a few hours, hidden but for how the last videos were watched."""

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Moods = NDArray[np.int8]

HOURS = 24
FLIP = 0.25
"""Probability that a mood is drawn anew at a full hour."""

RAISED = 1.7
"""Factor of the liking for the one category that the mood is for, beside about 1 on average."""

_BY_HOUR = 0.6
"""How far the share of a mood moves with the hour, relative to its mean."""


def hour_weights() -> Vector:
    """Share of requests by hour, shape (24,): most come at noon and in the evening."""
    hours = np.arange(HOURS)
    weights = 0.3 + np.exp(-(((hours - 12.5) / 2.5) ** 2)) + 2 * np.exp(-(((hours - 20.5) / 2.5) ** 2))
    shares: Vector = weights / weights.sum()
    return shares


def mood_shares(categories: int) -> Vector:
    """Probability of every mood when it is drawn anew at an hour, shape (24, B): evenings are for longer videos."""
    angle = 2 * np.pi * (np.arange(HOURS)[:, None] / HOURS - np.arange(categories) / categories)
    wave = np.cos(angle)
    shares: Vector = (1 + _BY_HOUR * wave) / categories
    return shares


def draw_moods(random: np.random.Generator, users: int, categories: int) -> Moods:
    """The category that every user is in the mood for, hour by hour of a day, shape (n, 24)."""
    upper = mood_shares(categories).cumsum(axis=1)[:, :-1]
    flips = random.random((HOURS, users), dtype=np.float32) < FLIP
    flips[0] = True
    drawn = random.random((HOURS, users), dtype=np.float32)
    moods = np.empty((HOURS, users), dtype=np.int8)
    for hour in range(HOURS):
        anew = np.searchsorted(upper[hour], drawn[hour], side="right").astype(np.int8)
        moods[hour] = np.where(flips[hour], anew, moods[hour - 1])
    return moods.T


def interest_of_moods(categories: int) -> Vector:
    """Factor of the liking for every category in every mood, shape (moods, B); its mean over requests is 1."""
    lowered = (categories - RAISED) / (categories - 1)
    factors = np.full((categories, categories), lowered)
    np.fill_diagonal(factors, RAISED)
    interest: Vector = factors / (_mood_at_requests(categories) @ factors)
    return interest


def _mood_at_requests(categories: int) -> Vector:
    """Probability of every mood at a request, shape (B,)."""
    anew, at_hour, found = mood_shares(categories), mood_shares(categories)[0], np.zeros(categories)
    for hour, weight in enumerate(hour_weights()):
        if hour:
            at_hour = (1 - FLIP) * at_hour + FLIP * anew[hour]
        found += weight * at_hour
    return found
