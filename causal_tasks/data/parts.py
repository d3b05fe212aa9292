"""Which units discover and which estimate: a hash of the unit, so that the answer never depends on the data."""

import hashlib

import numpy as np
import numpy.typing as npt
import pandas as pd

BUCKETS = 1000
DISCOVERY_BUCKETS = 600
FOLDS = 5
_BUCKETS_PER_FOLD = DISCOVERY_BUCKETS // FOLDS
_SALT = "causal_tasks.parts.1"
"""Changing it reshuffles every experiment."""

Vector = npt.NDArray[np.int64]


def buckets(ids: pd.Series, experiment_id: str) -> Vector:
    """Bucket of every unit, 0 to 999.

    Args:
        ids: Unit ids, or cluster ids where clusters were randomised; integers or text.
        experiment_id: Another experiment cuts the same units differently.

    Returns:
        Shape (n,).
    """
    codes, distinct = pd.factorize(ids)
    text = np.array([str(value) for value in distinct], dtype=object)
    key = hashlib.sha256(f"{experiment_id}{_SALT}".encode()).hexdigest()[:16]
    hashed = pd.util.hash_array(text, hash_key=key, categorize=False) % BUCKETS
    return hashed.astype(np.int64)[codes]


def parts(bucket: Vector) -> npt.NDArray[np.object_]:
    """``discovery`` or ``estimation`` by bucket, shape (n,)."""
    return np.where(bucket < DISCOVERY_BUCKETS, "discovery", "estimation").astype(object)


def folds(bucket: Vector) -> npt.NDArray[np.int8]:
    """Fold by bucket, 0 to 4, shape (n,): five equal folds of discovery; estimation units get one too."""
    return (bucket // _BUCKETS_PER_FOLD % FOLDS).astype(np.int8)
