"""What an allocation must keep to: the budget, capacities of arms, guardrails; all of them sums over units."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_tasks.allocation.forecast import Forecast, Matrix, finite_matrix
from causal_tasks.allocation.knapsack.hulls import chunks
from causal_tasks.allocation.knapsack.lagrangian import total
from causal_tasks.effects.arguments import finite
from causal_tasks.errors import InputError


@dataclass(frozen=True, slots=True)
class Guardrail:
    """Bounds on a total over all units.

    Attributes:
        values: Shape (n, M), what each unit adds under every arm; or (M,) where that is the same for everybody.
        at_least: The total must not be lower; None: it may.
        at_most: The total must not be higher; None: it may.
        name: For messages; empty: its place in the list.
    """

    values: ArrayLike
    at_least: float | None = None
    at_most: float | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Limit:
    """A linear constraint: ``sign`` times the sum of the values under the arms chosen is at most ``bound``.

    Attributes:
        name: For messages.
        values: Shape (n, M).
        sign: 1 for "at most", -1 for "at least".
        bound: ``sign`` times what was stated.
    """

    name: str
    values: Matrix
    sign: float
    bound: float

    def used(self, arm: NDArray[Any]) -> float:
        """The left side, for arms of shape (n,)."""
        return self.sign * total(self.values, arm)

    def least(self) -> float:
        """The lowest left side that any arms give."""
        lows = ((self.sign * self.values[rows]).min(axis=1) for rows in chunks(len(self.values)))
        return sum(float(low.sum(dtype=np.float64)) for low in lows)

    def part(self, units: NDArray[np.intp], used: float) -> Self:
        """What is left for some units when the others use this much of it."""
        return type(self)(self.name, self.values[units], self.sign, self.bound - used)


def side_limits(
    forecast: Forecast,
    capacity: Mapping[Any, float] | None,
    guardrails: Sequence[Guardrail],
    arms: Sequence[Any] | None,
) -> list[Limit]:
    """Capacities and guardrails as limits.

    Args:
        forecast: Of n units and M arms.
        capacity: By arm, how many units it can take at most.
        guardrails: Bounds on other totals.
        arms: Labels, shape (M,); None: 0, 1, ….

    Raises:
        InputError: A label is unknown or repeated, a capacity is negative, the capacities hold fewer units than there
            are, a guardrail states no bound or has values of another shape, or one of them cannot be met by any arms.
    """
    limits = [*_capacities(forecast, capacity or {}, arms), *_guardrails(forecast, guardrails)]
    for limit in limits:
        if (least := limit.least()) > limit.bound:
            raise InputError(
                f"{limit.name} {limit.sign * limit.bound:.9g} cannot be met: the best that any arms give is "
                f"{limit.sign * least:.9g}",
                remedy="loosen it",
            )
    return limits


def _capacities(forecast: Forecast, capacity: Mapping[Any, float], arms: Sequence[Any] | None) -> list[Limit]:
    units, width = forecast.cost.shape
    labels = list(range(width) if arms is None else arms)
    if len(labels) != width or len(set(labels)) < width:
        raise InputError(
            f"arms are {labels}, outcome has {width} columns", remedy="give every column a label of its own"
        )
    if unknown := [label for label in capacity if label not in labels]:
        raise InputError(f"capacity names the arms {unknown}, known are {labels}", remedy="correct the labels")
    places = {
        label: float(finite(number, name=f"capacity of arm {label!r}", dimensions=(0,)))
        for label, number in capacity.items()
    }
    if negative := [label for label, number in places.items() if number < 0]:
        raise InputError(f"capacity is negative for the arms {negative}", remedy="pass 0 to close an arm")
    if len(places) == width and sum(np.floor(number) for number in places.values()) < units:
        raise InputError(
            f"the capacities {places} hold fewer than the {units} units",
            remedy="raise one, or leave out an arm that can take everybody",
        )
    return [
        Limit(
            f"capacity of arm {label!r}",
            np.broadcast_to(np.eye(width, dtype=np.float32)[labels.index(label)], (units, width)),
            1.0,
            float(np.floor(number)),
        )
        for label, number in places.items()
    ]


def _guardrails(forecast: Forecast, guardrails: Sequence[Guardrail]) -> list[Limit]:
    limits = []
    for position, guardrail in enumerate(guardrails):
        name = f"guardrail {guardrail.name or position!r}"
        values = _guarded(guardrail.values, forecast.cost.shape, name=name)
        bounds = {"at_least": guardrail.at_least, "at_most": guardrail.at_most}
        stated = {
            key: finite(bound, name=f"{name}: {key}", dimensions=(0,))
            for key, bound in bounds.items()
            if bound is not None
        }
        if not stated:
            raise InputError(f"{name} states no bound", remedy="pass at_least, at_most or both")
        for key, bound in stated.items():
            sign = 1.0 if key == "at_most" else -1.0
            limits.append(Limit(f"{name}: {key}", values, sign, sign * float(bound)))
    return limits


def _guarded(values: ArrayLike, shape: tuple[int, ...], *, name: str) -> Matrix:
    array = finite_matrix(values, name=f"values of {name}", dimensions=(1, 2))
    if array.shape not in (shape, shape[1:]):
        raise InputError(
            f"values of {name} have shape {array.shape}",
            remedy=f"pass one row per unit and one column per arm, {shape}, or one value per arm, {shape[1:]}",
        )
    return np.broadcast_to(array, shape)
