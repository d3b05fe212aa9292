"""How heavy the tail of a distribution is."""

import numpy as np

from causal_tasks.validity.metric_values import Floats

_HEAVIEST = 0.001
_TAIL = 0.01
_FEWEST_IN_TAIL = 50


def heaviest_share(values: Floats) -> float:
    """The share of the total that the largest 0.1 % of the values hold, at least one of them.

    Args:
        values: Shape (n,), positive.
    """
    largest = _largest(values, max(1, round(_HEAVIEST * len(values))))
    return float(largest.sum() / values.sum())


def tail_index(values: Floats) -> float | None:
    """Hill's estimate of the power with which the tail falls, from the largest 1 %; None where those are few or equal.

    Moments of that order and above do not exist in a tail that falls with this power: below 2 there is no variance.

    Args:
        values: Shape (n,), positive.

    Source: Hill (1975).
    """
    size = round(_TAIL * len(values))
    if size < _FEWEST_IN_TAIL:
        return None
    largest = _largest(values, size + 1)
    excess = float(np.log(largest / largest.min()).sum())
    return size / excess if excess > 0 else None


def is_binary(values: Floats) -> bool:
    """Whether there are at most two different values, missing ones aside."""
    known = values[~np.isnan(values)]
    return not len(known) or bool(((known == known.min()) | (known == known.max())).all())


def _largest(values: Floats, count: int) -> Floats:
    return np.partition(values, len(values) - count)[len(values) - count :]
