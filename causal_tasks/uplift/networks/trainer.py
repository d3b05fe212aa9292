"""Trains a network: mini-batches, early stopping on held-out rows, the best weights in the end."""

import copy
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import torch
from torch import nn

from causal_tasks.errors import InputError
from causal_tasks.uplift.networks.architecture import ArmNetwork
from causal_tasks.uplift.networks.batches import Batch, Rows
from causal_tasks.uplift.networks.losses import covariates, factual
from causal_tasks.uplift.networks.objective import Objective

EPOCH_STEPS = 100
"""Mini-batches between two looks at the held-out rows, however many rows there are."""

_AVERAGE_DECAY = 0.99
_FEWEST_BATCHES = 16
_SMALLEST_BATCH = 32
_LARGEST_GRADIENT = 1.0

logger = logging.getLogger("causal_tasks")


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast to learn.

    Attributes:
        learning_rate: Of Adam.
        weight_decay: L2 penalty on the weights of the heads.
        batch_size: Rows of a mini-batch; fewer, but not below 32, where a pass over the rows would have less than 16.
        max_steps: Mini-batches, at most.
        patience: Epochs of 100 mini-batches without a smaller held-out loss, after which training ends.
        seed: Of the order of rows.
    """

    learning_rate: float
    weight_decay: float
    batch_size: int
    max_steps: int
    patience: int
    seed: int


@dataclass(frozen=True, slots=True)
class Training:
    """How training went.

    Attributes:
        losses: Held-out loss after each epoch.
        best: Epoch whose weights were kept, from 0.
        steps: Mini-batches.
    """

    losses: tuple[float, ...]
    best: int
    steps: int


def train(network: ArmNetwork, objective: Objective, rows: Rows, held_out: Batch, schedule: Schedule) -> Training:
    """Fit ``network`` in place to ``rows``; it ends with the weights that had the smallest loss on ``held_out``.

    Those looked at are exponential averages over the last hundred mini-batches or so: an effect is a difference of
    heads, in which the noise of single steps does not cancel. On a GPU the network is computed in mixed precision while
    it learns, losses and held-out rows in single precision.

    Raises:
        InputError: The loss is not finite.
    """
    optimizer = torch.optim.Adam(_groups(network, schedule.weight_decay), lr=schedule.learning_rate, fused=True)
    size = batch_rows(schedule.batch_size, len(rows))
    stream = rows.minibatches(size, torch.Generator().manual_seed(schedule.seed))
    average = copy.deepcopy(network)
    losses: list[float] = []
    best, kept = 0, _weights(network)
    for begin in range(0, schedule.max_steps, EPOCH_STEPS):
        for taken, batch in enumerate(islice(stream, min(EPOCH_STEPS, schedule.max_steps - begin))):
            _step(network, objective, optimizer, batch)
            move_average(average, network, len(losses) * EPOCH_STEPS + taken)
        losses.append(_require_finite(held_out_loss(average, objective, held_out)))
        logger.info("epoch %d: held-out loss %.5f", len(losses) - 1, losses[-1])
        if losses[-1] <= losses[best]:
            best, kept = len(losses) - 1, _weights(average)
        elif len(losses) - 1 - best >= schedule.patience:
            break
    network.load_state_dict(kept)
    return Training(tuple(losses), best, min(len(losses) * EPOCH_STEPS, schedule.max_steps))


def batch_rows(asked: int, rows: int) -> int:
    """Rows of a mini-batch: fewer than asked for, but not below 32, where a pass would have less than 16 batches."""
    return min(asked, max(_SMALLEST_BATCH, rows // _FEWEST_BATCHES), rows)


def move_average(average: nn.Module, network: nn.Module, step: int, *, decay: float = _AVERAGE_DECAY) -> None:
    """Move the weights of ``average`` toward those of ``network``, faster in the first steps, as it begins nowhere."""
    pace = 1 - min(decay, (1 + step) / (10 + step))
    with torch.no_grad():
        for mean, value in zip(average.parameters(), network.parameters(), strict=True):
            mean.lerp_(value, pace)


def held_out_loss(network: ArmNetwork, objective: Objective, batch: Batch) -> float:
    """Weighted mean of the loss."""
    with torch.no_grad():
        losses = objective.losses(network, network(batch.numbers, batch.levels), batch)
        return float((batch.weight * losses).sum() / batch.weight.sum())


def solve_epsilon(network: ArmNetwork, objective: Objective, rows: Rows) -> None:
    """Set epsilon to its optimum given all other weights, by least squares of what outcomes leave on the covariates.

    Training moves epsilon together with the network and stops on other rows, so it leaves the score equation solved
    roughly; this solves it on ``rows``.
    """
    treatments = len(network.epsilon)
    moments, products = (torch.zeros(treatments, columns, dtype=torch.float64) for columns in (treatments, 1))
    with torch.no_grad():
        for part in rows.parts():
            prediction = network(part.numbers, part.levels)
            means = objective.scale.means(factual(prediction.scores, part.arm))
            h = covariates(part.arm, objective.divisor(prediction)).double()
            weighted = h * part.weight[:, None]
            moments += (weighted.T @ h).cpu()
            products += (weighted.T @ (part.outcome - means).double()[:, None]).cpu()
        network.epsilon.copy_(torch.linalg.solve(moments, products)[:, 0])


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Let torch use so many threads; afterwards as many as before.

    Raises:
        InputError: ``number`` is below 1.
    """
    if number < 1:
        raise InputError(f"n_jobs is {number}", remedy="use at least one thread")
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _step(network: ArmNetwork, objective: Objective, optimizer: torch.optim.Optimizer, batch: Batch) -> None:
    optimizer.zero_grad()
    with torch.autocast("cuda", dtype=torch.bfloat16, enabled=batch.numbers.is_cuda):
        prediction = network(batch.numbers, batch.levels)
    prediction = type(prediction)(*(None if values is None else values.float() for values in prediction))
    loss = (batch.weight * objective.losses(network, prediction, batch)).mean()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(network.parameters(), _LARGEST_GRADIENT)
    optimizer.step()


def _groups(network: ArmNetwork, weight_decay: float) -> list[dict[str, object]]:
    """The authors penalise the weights of the heads, and nothing else."""
    heads = [value for name, value in network.heads.named_parameters() if name.endswith("weight")]
    penalised = set(map(id, heads))
    others = [value for value in network.parameters() if id(value) not in penalised]
    return [{"params": heads, "weight_decay": weight_decay}, {"params": others}]


def _weights(network: ArmNetwork) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def _require_finite(loss: float) -> float:
    if loss - loss != 0:
        raise InputError(
            f"the held-out loss became {loss}",
            remedy="lower learning_rate, or cap outcomes and weights that are far larger than the others",
        )
    return loss
