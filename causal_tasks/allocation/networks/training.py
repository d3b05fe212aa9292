"""Trains a network on any loss; it ends with the weights that were best on units it was not trained on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from causal_tasks.allocation.networks.units import Units
from causal_tasks.errors import InputError

_LARGEST_GRADIENT = 1.0

UnitsT = TypeVar("UnitsT", bound=Units)


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast to learn.

    Attributes:
        learning_rate: Of Adam.
        weight_decay: L2 penalty on all weights.
        batch_size: Units of a mini-batch.
        epochs: Passes over the units, at most.
        patience: Epochs without a better value, after which training ends.
        seed: Of the order of units.

    Raises:
        InputError: A number is out of range.
    """

    learning_rate: float
    weight_decay: float
    batch_size: int
    epochs: int
    patience: int
    seed: int

    def __post_init__(self) -> None:
        right = {
            "learning_rate": self.learning_rate > 0,
            "weight_decay": self.weight_decay >= 0,
            "batch_size": self.batch_size >= 1,
            "epochs": self.epochs >= 0,
            "patience": self.patience >= 1,
        }
        if wrong := [f"{name}={getattr(self, name)!r}" for name, is_right in right.items() if not is_right]:
            raise InputError(
                f"training has {', '.join(wrong)}",
                remedy="make learning_rate positive, weight_decay and epochs not negative, batch_size and patience at "
                "least 1",
            )


@dataclass(frozen=True, slots=True)
class Training:
    """How training went.

    Attributes:
        values: Value on the held-out units before training and after each epoch, larger is better.
        best: Position in ``values`` of the weights that were kept; 0: those it started with.
    """

    values: tuple[float, ...]
    best: int


def train(
    network: nn.Module,
    units: UnitsT,
    loss: Callable[[Tensor, UnitsT], Tensor],
    schedule: Schedule,
    *,
    value: Callable[[], float],
    keep_last: bool = False,
) -> Training:
    """Fit ``network`` in place.

    Args:
        network: Called with ``numbers`` and ``levels``.
        units: To learn from.
        loss: From the outputs of a batch and the batch to one number, to be made small.
        schedule: How long and how fast.
        value: Of the network as it is, on units that it is not trained on; larger is better.
        keep_last: Whether to make all epochs and end with the last one's weights, whatever their value.

    Raises:
        InputError: The value is not finite.
    """
    optimizer = torch.optim.Adam(network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay)
    generator = torch.Generator().manual_seed(schedule.seed)
    values = [_finite(value())]
    best, kept = 0, _weights(network)
    for epoch in range(1, schedule.epochs + 1):
        for batch in units.minibatches(schedule.batch_size, generator):
            optimizer.zero_grad()
            loss(network(batch.numbers, batch.levels), batch).backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), _LARGEST_GRADIENT)
            optimizer.step()
        values.append(_finite(value()))
        if values[-1] > values[best]:
            best, kept = epoch, _weights(network)
        elif not keep_last and epoch - best >= schedule.patience:
            break
    if keep_last:
        return Training(tuple(values), len(values) - 1)
    network.load_state_dict(kept)
    return Training(tuple(values), best)


def _weights(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def _finite(value: float) -> float:
    if value - value != 0:
        raise InputError(
            f"the value on the held-out units became {value}",
            remedy="lower learning_rate, or cap outcomes and costs that are far larger than the others",
        )
    return value
