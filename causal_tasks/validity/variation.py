"""How much a column varies."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def majority_share(values: Floats) -> float:
    """The share of the commonest value where that is above one half, else at most one half; 1 for no values.

    Args:
        values: Shape (n,), none missing.
    """
    if not len(values):
        return 1.0
    # A value that more than half of the rows share is their median, which takes no sorting to find.
    middle = len(values) // 2
    return float((values == np.partition(values, middle)[middle]).mean())


def is_constant(values: Floats) -> bool:
    """Whether fewer than two different values are there; none missing, shape (n,)."""
    return len(values) < 2 or bool((values == values[0]).all())


def are_distinct_integers(values: Floats) -> bool:
    """Whether every value is an integer that no other row has; none missing, shape (n,)."""
    return len(values) > 1 and bool((values == np.floor(values)).all()) and len(np.unique(values)) == len(values)
