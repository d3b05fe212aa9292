"""Outcomes that are ratios: what a group's own ratio needs beside an outcome linearised around everybody's."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from causal_tasks.effects.arguments import Floats, Mask, finite
from causal_tasks.errors import InputError

SAME = 1e-5
"""Relative difference up to which an outcome is the linearisation that it should be: single precision is enough."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """The two sides of a ratio N/D, of which the outcome is (N - r D) / d.

    Attributes:
        numerator: Shape (n,), N.
        denominator: Shape (n,), D.
    """

    numerator: ArrayLike
    denominator: ArrayLike

    def relative_denominator(self, outcome: Floats, *, baseline: float) -> Floats:
        """D / d, shape (n,).

        Args:
            outcome: Shape (n,).
            baseline: r.

        Raises:
            InputError: A value is not finite, or the outcome is no such linearisation with a positive d.
        """
        above = finite(self.numerator, name="numerator")
        below = finite(self.denominator, name="denominator")
        linear = above - baseline * below
        largest = int(np.abs(outcome).argmax()) if len(outcome) else 0
        varies = len(outcome) > 0 and outcome[largest] != 0
        mean = float(linear[largest] / outcome[largest]) if varies else 1.0
        size = float(np.abs(above).max(initial=0.0) + np.abs(baseline * below).max(initial=0.0))
        if mean <= 0 or not np.allclose(mean * outcome, linear, rtol=SAME, atol=SAME * size):
            raise InputError(
                f"outcome is not (numerator - {baseline:g} * denominator) / d with one d > 0 for all users",
                remedy="pass as baseline the ratio around which the outcome was linearised, or leave out ratio",
            )
        return below / mean


@dataclass(frozen=True, slots=True)
class Denominator:
    """The denominators of the users in control and one treatment.

    Attributes:
        values: Shape (n,), D / d of ``Ratio``.
        weights: Shape (n,), one over the probability of the arm that the user is in.
    """

    values: Floats
    weights: Floats

    @classmethod
    def of(cls, values: Floats, treated: Mask, propensity: ArrayLike) -> "Denominator":
        """From the probabilities of being treated, one or shape (n,), each between 0 and 1."""
        probability = np.asarray(propensity, dtype=np.float64)
        return cls(values, 1 / np.where(treated, probability, 1 - probability))

    def scores(self, group: Mask, received: Mask) -> Floats:
        """Doubly robust scores of the denominator in one arm, shape (n,).

        Their outcome model is the group's own weighted mean in that arm, so that is also their mean over the group:
        exact where the group's denominators do not vary, and zero where they are.

        Args:
            group: Shape (n,), who is averaged over.
            received: Shape (n,), who is in the arm; somebody of the group is.
        """
        weights = np.where(received, self.weights, 0.0)
        mean = float(np.average(self.values[group], weights=weights[group]))
        return np.asarray(mean + weights * (self.values - mean))
