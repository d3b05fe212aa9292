"""Experiments whose truth is known, for tests of effects under heavy tails."""

import numpy as np


def tailed(seed, n=5000, effect=1.0, degrees=3.0, share=0.5):
    """Outcome, treatment and proxy: a constant effect, errors of a t distribution (normal where degrees are infinite)."""
    rng = np.random.default_rng(seed)
    treatment = (rng.random(n) < share).astype(int)
    proxy = rng.normal(5, 2, n)
    errors = rng.normal(size=n) if np.isinf(degrees) else rng.standard_t(degrees, n)
    return 3 + effect * treatment + proxy + errors, treatment, proxy


def clustered(seed, clusters=200, size=5, degrees=3.0):
    """The same with errors shared within clusters, and the clusters; whole clusters are in one arm."""
    rng = np.random.default_rng(seed)
    ids = np.repeat(np.arange(clusters), size)
    treatment = ids % 2
    proxy = rng.normal(size=len(ids))
    errors = rng.standard_t(degrees, clusters)[ids] + rng.standard_t(degrees, len(ids))
    return 1 + treatment + proxy + errors, treatment, proxy, ids
