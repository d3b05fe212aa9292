"""Trains a network as the authors do: Adam, a smaller step on every plateau, the best held-out weights in the end."""

import copy
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

import torch
from torch import Tensor, nn

from causal_tasks.errors import InputError
from causal_tasks.uplift.networks.trainer import batch_rows, move_average

_RELATIVE_GAIN = 1e-4
"""Share by which a loss must fall for the plateau to be over."""

logger = logging.getLogger("causal_tasks")


class TensorRows(Protocol):
    """Rows as tensors on the device where the network is."""

    def __len__(self) -> int:
        """Number of rows."""
        ...

    def take(self, rows: Tensor) -> Self:
        """Some of the rows, by position, shape (m,) of 64-bit integers on the same device."""
        ...


NetworkT = TypeVar("NetworkT", bound=nn.Module)
RowsT = TypeVar("RowsT", bound=TensorRows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How long and how fast to learn.

    Attributes:
        learning_rate: Of Adam in the first epoch.
        batch_size: Rows of a mini-batch; fewer, but not below 32, where a pass over the rows would have less than 16.
        epochs: Passes over the rows, at most.
        patience: Epochs without a smaller held-out loss, after which training ends.
        factor: By which the learning rate is multiplied on a plateau.
        plateau: Epochs without a smaller held-out loss that are one.
        min_learning_rate: Which the learning rate does not fall below.
        averaging: Decay of an exponential average of the weights over mini-batches, which is then what is looked at and
            kept in place of the last weights; 0: none.
        seed: Of the order of rows.

    Raises:
        InputError: A number is out of range.
    """

    learning_rate: float = 1e-3
    batch_size: int = 4096
    epochs: int = 30
    patience: int = 5
    factor: float = 0.6
    plateau: int = 2
    min_learning_rate: float = 1e-6
    averaging: float = 0.0
    seed: int = 42

    def __post_init__(self) -> None:
        right = {
            "learning_rate": self.learning_rate > 0,
            "batch_size": self.batch_size >= 1,
            "epochs": self.epochs >= 1,
            "patience": self.patience >= 1,
            "factor": 0 < self.factor < 1,
            "plateau": self.plateau >= 1,
            "min_learning_rate": self.min_learning_rate >= 0,
            "averaging": 0 <= self.averaging < 1,
        }
        if wrong := [f"{name}={getattr(self, name)!r}" for name, is_right in right.items() if not is_right]:
            raise InputError(
                f"training has {', '.join(wrong)}",
                remedy="make learning_rate positive, min_learning_rate not negative, batch_size, epochs, patience and "
                "plateau at least 1, and let factor and averaging lie between 0 and 1",
            )


@dataclass(frozen=True, slots=True)
class Training:
    """How training went.

    Attributes:
        losses: Held-out loss before training and after each epoch.
        best: Position in ``losses`` of the weights that were kept; 0: those that it started with.
    """

    losses: tuple[float, ...]
    best: int


def train(
    network: NetworkT,
    rows: RowsT,
    loss: Callable[[NetworkT, RowsT], Tensor],
    held_out: RowsT,
    schedule: Schedule,
) -> Training:
    """Fit ``network`` in place; it ends with the weights that had the smallest mean loss on ``held_out``.

    On the processor the same arguments give the same weights bit by bit.

    Args:
        network: Starts with the weights that it has.
        rows: To learn from.
        loss: Of every row of a batch, shape (m,), already multiplied by the row's weight where it has one.
        held_out: Rows that it is not trained on.
        schedule: How long and how fast.

    Raises:
        InputError: There is no row, or the loss is not finite.

    Source: Keras' ``ReduceLROnPlateau``, with which the authors' script trains; the gain that ends a plateau is
        relative here, so that it means the same whatever the unit of the loss.
    """
    if not len(rows) or not len(held_out):
        raise InputError(
            f"there are {len(rows)} rows to learn from and {len(held_out)} held out", remedy="pass more rows"
        )
    optimizer = torch.optim.Adam(network.parameters(), lr=schedule.learning_rate, fused=True)
    # Torch lowers the rate after one epoch more than its patience, Keras after as many as its patience.
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer,
        factor=schedule.factor,
        patience=schedule.plateau - 1,
        threshold=_RELATIVE_GAIN,
        min_lr=schedule.min_learning_rate,
    )
    size = batch_rows(schedule.batch_size, len(rows))
    generator = torch.Generator().manual_seed(schedule.seed)
    average = copy.deepcopy(network) if schedule.averaging else network
    steps = 0
    losses = [held_out_loss(network, held_out, loss, schedule.batch_size)]
    best, kept = 0, _weights(network)
    for epoch in range(1, schedule.epochs + 1):
        for batch in _minibatches(network, rows, size, generator):
            optimizer.zero_grad()
            loss(network, batch).mean().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            if schedule.averaging:
                move_average(average, network, steps, decay=schedule.averaging)
            steps += 1
        losses.append(held_out_loss(average, held_out, loss, schedule.batch_size))
        logger.info("epoch %d: held-out loss %.5f", epoch, losses[-1])
        plateau.step(losses[-1])
        if losses[-1] < losses[best]:
            best, kept = epoch, _weights(average)
        elif epoch - best >= schedule.patience:
            break
    network.load_state_dict(kept)
    return Training(tuple(losses), best)


def held_out_loss(network: NetworkT, rows: RowsT, loss: Callable[[NetworkT, RowsT], Tensor], at_once: int) -> float:
    """Mean loss of a network that is not trained, computed ``at_once`` rows at a time.

    Raises:
        InputError: It is not finite.
    """
    positions = torch.arange(len(rows), device=_device(network))
    parts = torch.split(positions, at_once)
    with torch.no_grad():
        mean = sum(float(loss(network, rows.take(part)).double().sum()) for part in parts) / len(rows)
    if mean - mean != 0:
        raise InputError(
            f"the held-out loss became {mean}",
            remedy="lower learning_rate, or cap outcomes and weights that are far larger than the others",
        )
    return mean


def _minibatches(network: nn.Module, rows: RowsT, size: int, generator: torch.Generator) -> Iterator[RowsT]:
    """One pass over the rows in a new order; what is left of it is dropped."""
    order = torch.randperm(len(rows), generator=generator).to(_device(network))
    for begin in range(0, len(rows) - size + 1, size):
        yield rows.take(order[begin : begin + size])


def _device(network: nn.Module) -> torch.device:
    return next(network.parameters()).device


def _weights(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}
