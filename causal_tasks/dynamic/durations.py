"""Which category of durations an item is in, and which category each treatment raises."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_tasks.feed import DurationBuckets, Feed

Buckets = NDArray[np.intp]


def duration_buckets(seconds: ArrayLike, durations: DurationBuckets) -> Buckets:
    """Position of each item's category among ``durations.labels``, of the same shape as ``seconds``.

    An item whose length is an edge is in the longer category.
    """
    return np.searchsorted(durations.edges, np.asarray(seconds, dtype=np.float64), side="right")


def treated_buckets(feed: Feed) -> Buckets:
    """Position of the category that each treatment raises, shape (K,), in the order of ``feed.treatments``."""
    return np.array([feed.durations.labels.index(label) for label in feed.treatments.values()], dtype=np.intp)
