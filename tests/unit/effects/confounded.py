"""Comparisons in which what decides about the treatment decides about the outcome too."""

from typing import NamedTuple

import numpy as np
import pandas as pd


class Confounded(NamedTuple):
    """A sample; nobody gains anything, so every difference is bias."""

    covariates: pd.DataFrame
    treated: np.ndarray
    outcome: np.ndarray
    pre_outcome: np.ndarray
    propensity: np.ndarray


def linear(n, seed, *, strength=1.0):
    """Log odds of treatment and outcomes are linear in the covariates."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, 5))
    log_odds = strength * (x[:, 0] + 0.5 * x[:, 1] - 0.5 * x[:, 2]) - 1
    return _drawn(random, x, log_odds, 2 * x[:, 0] + x[:, 1] + 0.5 * x[:, 3])


def bent(n, seed):
    """They bend, so that a straight line misses most of it."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, 5))
    shape = np.sin(2 * x[:, 0]) + (x[:, 1] > 0) * (x[:, 2] > 0) + 0.5 * x[:, 3] ** 2
    return _drawn(random, x, shape - 1.5, 2 * shape)


def _drawn(random, x, log_odds, mean):
    propensity = 1 / (1 + np.exp(-log_odds))
    treated = random.random(len(x)) < propensity
    before, after = (mean + random.normal(size=len(x)) for _ in range(2))
    frame = pd.DataFrame(x, columns=[f"x{column}" for column in range(x.shape[1])])
    return Confounded(frame, treated, after, before, propensity)
