"""What a budget model says of units and what a solver reads: outcome and cost under every arm."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from causal_tasks.errors import InputError

Matrix = NDArray[np.float32]

ROUNDING = 1e-6
"""Share of an amount by which it may miss another one that it equals: costs have seven digits."""


class Forecast(NamedTuple):
    """Levels, not uplifts: exactly one arm is chosen for a unit.

    Attributes:
        outcome: Shape (n, M), larger is better.
        cost: Shape (n, M).
    """

    outcome: Matrix
    cost: Matrix

    @classmethod
    def checked(cls, outcome: object, cost: object) -> "Forecast":
        """Finite outcomes and costs of one shape, as float32.

        Args:
            outcome: Shape (n, M), at least one unit and one arm.
            cost: Shape (n, M), or (M,) where an arm costs the same for everybody; not negative.

        Raises:
            InputError: A shape differs, a value is missing, infinite or beyond float32, or a cost is negative.
        """
        outcomes = finite_matrix(outcome, name="outcome")
        costs = finite_matrix(cost, name="cost", dimensions=(1, 2))
        if costs.ndim == 1 and len(costs) == outcomes.shape[1]:
            costs = np.broadcast_to(costs, outcomes.shape)
        if outcomes.shape != costs.shape or 0 in outcomes.shape:
            raise InputError(
                f"outcome has shape {outcomes.shape}, cost {costs.shape}",
                remedy="pass one row per unit and one column per arm in both",
            )
        if (negative := costs < 0).any():
            unit, arm = np.argwhere(negative)[0]
            raise InputError(
                f"cost is negative in {int(negative.sum())} of {costs.size} values (first: unit {unit}, arm {arm}: "
                f"{costs[unit, arm]:g})",
                remedy="count what an arm brings as outcome; costs are zero or more",
            )
        return cls(outcomes, costs)


def finite_matrix(values: object, *, name: str, dimensions: tuple[int, ...] = (2,)) -> Matrix:
    """``values`` as float32 with one of these numbers of dimensions.

    Raises:
        InputError: They are not numeric, of another shape, or one is missing, infinite or beyond float32.
    """
    try:
        array = np.asarray(values, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} is not numeric ({error})", remedy="pass numbers only") from error
    if array.ndim not in dimensions:
        raise InputError(f"{name} has shape {array.shape}", remedy="pass one row per unit and one column per arm")
    if not (finite := np.isfinite(array)).all():
        raise InputError(
            f"{name} has {int((~finite).sum())} missing or infinite of {array.size} values "
            f"(first: row {np.argwhere(~finite)[0, 0]})",
            remedy="leave those units out, or mend the model that made them",
        )
    return array
