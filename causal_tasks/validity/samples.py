"""The units on which costly checks are made."""

import numpy as np
import numpy.typing as npt

MOST_UNITS = 50_000
"""Enough for a correlation near one or a classifier better than chance."""


def evenly(units: int) -> npt.NDArray[np.intp]:
    """At most 50,000 positions among ``units``, evenly spaced: the same for every run."""
    return np.linspace(0, units - 1, min(MOST_UNITS, units)).astype(np.intp)
