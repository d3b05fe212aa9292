"""What a budget model learns from: features, outcomes, costs and arms of units, checked and in one form."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_tasks.base_models import DesignMatrix
from causal_tasks.effects.arguments import finite, read_arms, require_rows
from causal_tasks.errors import InputError

SMALLEST_ARM = 20
"""Rows of an arm below which nothing is learned about it."""

Propensity = Mapping[Any, float] | ArrayLike


class Observed(NamedTuple):
    """What was seen of units in an experiment, without their features.

    Attributes:
        outcome: Shape (n,), finite, larger is better.
        cost: Shape (n,), finite, zero or more: what the unit cost in its arm.
        arm: Shape (n,), position in ``labels``.
        labels: Arms, control first.
        propensity: Shape (n, M), probability of every arm; a read-only broadcast where it is the same for all.
        price: Shape (M,), the cost of every arm where it is the same for everybody and known; else None.
    """

    outcome: NDArray[np.float64]
    cost: NDArray[np.float64]
    arm: NDArray[np.intp]
    labels: tuple[Any, ...]
    propensity: NDArray[np.float64]
    price: NDArray[np.float64] | None

    @classmethod
    def checked(
        cls,
        outcome: ArrayLike,
        treatment: ArrayLike,
        *,
        cost: Mapping[Any, float] | ArrayLike,
        control: Any = None,
        propensity: Propensity | None = None,
        arms: Sequence[Any] | None = None,
    ) -> Self:
        """Arguments and errors are those of ``Responses.checked``."""
        found = read_arms(treatment, control=control if arms is None else arms[0])
        labels, codes = found.labels, found.codes
        if arms is not None:
            labels, codes = _in_order(found.labels, codes, arms)
        values = finite(outcome, name="outcome")
        require_rows(len(codes), name="treatment", rows=len(values))
        for label, rows in zip(labels, np.bincount(codes, minlength=len(labels)), strict=True):
            if rows < SMALLEST_ARM:
                raise InputError(
                    f"treatment: arm {label!r} has {rows} row(s), fewer than {SMALLEST_ARM}",
                    remedy="leave the arm out, or wait for more units in it",
                )
        price = _prices(cost, labels) if isinstance(cost, Mapping) else None
        costs = price[codes] if price is not None else finite(cost, name="cost")  # type: ignore[arg-type]
        require_rows(len(costs), name="cost", rows=len(values))
        if (negative := costs < 0).any():
            raise InputError(
                f"cost is negative in {int(negative.sum())} rows (first: row {int(np.argmax(negative))}: "
                f"{costs[np.argmax(negative)]:g})",
                remedy="count what an arm brings as outcome; costs are zero or more",
            )
        return cls(values, costs, codes, labels, _propensity(propensity, labels, codes), price)


@dataclass(frozen=True, slots=True)
class Responses:
    """How units responded to the arm they were in.

    Attributes:
        X: Features, n rows.
        outcome: Shape (n,), finite, larger is better.
        cost: Shape (n,), finite, zero or more: what the unit cost in its arm.
        arm: Shape (n,), position in ``labels``.
        labels: Arms, control first.
        propensity: Shape (n, M), probability of every arm; a read-only broadcast where it is the same for all.
        price: Shape (M,), the cost of every arm where it is the same for everybody and known; None: costs are learned.
        notes: Codes of caveats: ``cheaper_than_control:<arm>``.
    """

    X: DesignMatrix
    outcome: NDArray[np.float64]
    cost: NDArray[np.float64]
    arm: NDArray[np.intp]
    labels: tuple[Any, ...]
    propensity: NDArray[np.float64]
    price: NDArray[np.float64] | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def checked(
        cls,
        X: Any,
        outcome: ArrayLike,
        treatment: ArrayLike,
        *,
        cost: Mapping[Any, float] | ArrayLike,
        control: Any = None,
        propensity: Propensity | None = None,
        arms: Sequence[Any] | None = None,
    ) -> Self:
        """The arguments of ``BudgetModel.fit`` in one form.

        Args:
            X: Shape (n, p), as for the learners of ``causal_tasks.uplift``.
            outcome: Shape (n,), larger is better.
            treatment: Shape (n,), arm labels.
            cost: Shape (n,), what each unit cost; or by label what an arm costs for everybody.
            control: Label of the control arm; None: 0.
            propensity: Probability of every arm by label, or shape (n, M) in the order of ``labels``; None: units were
                randomised and the shares of ``treatment`` are taken.
            arms: All labels in the order wanted; None: control, then the treatments sorted.

        Raises:
            InputError: Lengths differ, a value is missing, a cost is negative, an arm is unknown, lacks a price or has
                fewer than 20 rows, or a propensity is none.
        """
        design = DesignMatrix.of(X)
        seen = Observed.checked(outcome, treatment, cost=cost, control=control, propensity=propensity, arms=arms)
        require_rows(len(design), name="X", rows=len(seen.outcome))
        return cls(design, *seen, tuple(_notes(seen.cost, seen.arm, seen.labels)))

    def __len__(self) -> int:
        return len(self.outcome)

    @property
    def weight(self) -> NDArray[np.float64]:
        """Shape (n,), one over the probability of the arm that the unit is in."""
        return 1 / self.propensity[np.arange(len(self)), self.arm]

    @property
    def prices(self) -> tuple[float | None, ...]:
        """What every arm costs where that is known, or was the same for all its units; None: costs differ."""
        if self.price is not None:
            return tuple(self.price.tolist())
        return tuple(_same(self.cost[self.arm == arm]) for arm in range(len(self.labels)))

    def take(self, rows: NDArray[Any]) -> "Responses":
        """The units at these positions, or where this mask is true."""
        positions = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return Responses(
            self.X.take(positions),
            self.outcome[positions],
            self.cost[positions],
            self.arm[positions],
            self.labels,
            self.propensity[positions],
            self.price,
            self.notes,
        )

    def held_out(self, share: float, *, seed: int) -> NDArray[np.bool_]:
        """Which units to hold out, shape (n,): this share of every arm, at random, but at least one and never all.

        Raises:
            InputError: ``share`` does not lie between 0 and 1.
        """
        if not 0 < share < 1:
            raise InputError(f"a share of {share} to hold out", remedy="choose one between 0 and 1, such as 0.2")
        random = np.random.default_rng(seed)
        chosen = np.zeros(len(self), dtype=np.bool_)
        for arm in range(len(self.labels)):
            rows = random.permutation(np.flatnonzero(self.arm == arm))
            chosen[rows[: min(max(1, round(share * len(rows))), len(rows) - 1)]] = True
        return chosen


def _in_order(
    found: tuple[Any, ...], codes: NDArray[np.intp], arms: Sequence[Any]
) -> tuple[tuple[Any, ...], NDArray[np.intp]]:
    if unknown := [label for label in found if label not in arms]:
        raise InputError(
            f"treatment has the arms {unknown}, known are {list(arms)}", remedy="name them too, or leave those rows out"
        )
    if missing := [label for label in arms if label not in found]:
        raise InputError(f"treatment has no unit in the arms {missing}", remedy="leave those arms out")
    position = np.array([list(arms).index(label) for label in found], dtype=np.intp)
    return tuple(arms), position[codes]


def _same(values: NDArray[np.float64]) -> float | None:
    """The value that all have; None where they differ or there is none."""
    return float(values[0]) if len(values) and (values == values[0]).all() else None


def _prices(cost: Mapping[Any, float], labels: tuple[Any, ...]) -> NDArray[np.float64]:
    if absent := [label for label in labels if label not in cost]:
        raise InputError(f"cost names no price of the arms {absent}", remedy="give every arm a price, 0 if it is free")
    if unknown := [label for label in cost if label not in labels]:
        raise InputError(f"cost names the arms {unknown}, treatment has {list(labels)}", remedy="correct the labels")
    return finite([cost[label] for label in labels], name="cost")


def _propensity(propensity: Propensity | None, labels: tuple[Any, ...], codes: NDArray[np.intp]) -> NDArray[np.float64]:
    shape = (len(codes), len(labels))
    if propensity is None:
        return np.broadcast_to(np.bincount(codes, minlength=len(labels)) / len(codes), shape)
    if isinstance(propensity, Mapping):
        if set(propensity) != set(labels):
            raise InputError(
                f"propensity names the arms {list(propensity)}, treatment has {list(labels)}",
                remedy="give the probability of every arm",
            )
        values = finite([propensity[label] for label in labels], name="propensity")
        values = np.broadcast_to(values / values.sum(), shape)
    else:
        values = finite(propensity, name="propensity", dimensions=(2,))
    if values.shape != shape:
        raise InputError(f"propensity has shape {values.shape}", remedy=f"pass one row per unit and arm: {shape}")
    if not ((values > 0) & (values < 1)).all():
        raise InputError(
            f"propensity has values from {values.min():g} to {values.max():g}",
            remedy="use probabilities between 0 and 1; leave out units that could not be in every arm",
        )
    return values


def _notes(cost: NDArray[np.float64], arm: NDArray[np.intp], labels: tuple[Any, ...]) -> list[str]:
    means = np.bincount(arm, cost) / np.bincount(arm)
    return [f"cheaper_than_control:{labels[k]}" for k in range(1, len(labels)) if means[k] < means[0]]
