"""Differences between methods that met the same draws, with the interval that the draws allow."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmarks.document import table

Values = Mapping[str, NDArray[np.float64]]
"""By method its value in every draw."""


def by_method(draws: Sequence[Mapping[str, float]]) -> dict[str, NDArray[np.float64]]:
    """Draws of values by method as values of draws."""
    return {name: np.array([draw[name] for draw in draws]) for name in draws[0]}


def with_interval(difference: NDArray[np.float64], digits: int = 2) -> str:
    """The mean of paired differences with its 95 % interval by Student's t."""
    mean, error = difference.mean(), difference.std(ddof=1) / np.sqrt(len(difference))
    half = stats.t.ppf(0.975, len(difference) - 1) * error
    return f"{mean:+.{digits}f} [{mean - half:+.{digits}f}, {mean + half:+.{digits}f}]"


def differences(values: Values, pairs: Sequence[tuple[str, str]], digits: int = 2) -> str:
    """A table of paired differences."""
    rows = [[f"{one} − {other}", with_interval(values[one] - values[other], digits)] for one, other in pairs]
    return table(["difference", "mean [95 % interval]"], rows)
