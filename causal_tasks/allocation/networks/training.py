"""Trains a network on any loss; it ends with the weights that were best on units it was not trained on."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from causal_tasks.allocation.networks.units import Units
from causal_tasks.errors import InputError

_LARGEST_GRADIENT = 1.0

Loss = Callable[[Tensor, Units], Tensor]
"""From the outputs of a batch and the batch to one number."""


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
    """

    learning_rate: float
    weight_decay: float
    batch_size: int
    epochs: int
    patience: int
    seed: int


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
    units: Units,
    loss: Loss,
    schedule: Schedule,
    *,
    value: Callable[[], float],
    before_epoch: Callable[[], None] | None = None,
) -> Training:
    """Fit ``network`` in place.

    Args:
        network: Called with ``numbers`` and ``levels``.
        units: To learn from.
        loss: To be made small.
        schedule: How long and how fast.
        value: Of the network as it is, on units that it is not trained on; larger is better.
        before_epoch: Called first in every epoch.

    Raises:
        InputError: The value is not finite.
    """
    optimizer = torch.optim.Adam(network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay)
    generator = torch.Generator().manual_seed(schedule.seed)
    values = [_finite(value())]
    best, kept = 0, _weights(network)
    for epoch in range(1, schedule.epochs + 1):
        if before_epoch:
            before_epoch()
        for batch in units.minibatches(schedule.batch_size, generator):
            optimizer.zero_grad()
            loss(network(batch.numbers, batch.levels), batch).backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), _LARGEST_GRADIENT)
            optimizer.step()
        values.append(_finite(value()))
        if values[-1] > values[best]:
            best, kept = epoch, _weights(network)
        elif epoch - best >= schedule.patience:
            break
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
