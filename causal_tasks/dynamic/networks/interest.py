"""The network of the request-time model: pooled embeddings, experts, and a gate and a tower for every treatment."""

import math
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import huber_loss, mse_loss, softplus

from causal_tasks.dynamic.networks.training import Schedule, Training, train
from causal_tasks.uplift.networks.fitted import require_device
from causal_tasks.uplift.networks.trainer import threads

_DELTA = 1.0

_START = math.log(math.e - 1)
"""What softplus turns into 1."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """Sizes of the network.

    Attributes:
        embedding: Numbers of a token.
        hidden: Units of an expert.
        tower: Units of a treatment's tower.
        experts: Mixed by a gate of every treatment that reads the request; None: one that all treatments share, without
            gates.
    """

    embedding: int
    hidden: int
    tower: int
    experts: int | None


class InterestNetwork(nn.Module):
    """Multi-gate mixture of experts over what is known of a request; it predicts 1 until it is trained.

    Args:
        widths: Columns of a row, see ``RequestEncoding``.
        treatments: Number of outputs.
        architecture: Sizes.

    Source: CDUM (arXiv 2410.16755), the fine-grained interest capture; Ma et al. (2018) for the mixture.
    """

    def __init__(self, widths: tuple[int, int, int], treatments: int, architecture: Architecture) -> None:
        super().__init__()
        tokens, categories, context = self.widths = widths
        self.treatments, self.hidden = treatments, architecture.hidden
        embedding, tower, number = architecture.embedding, architecture.tower, architecture.experts or 1
        inputs = 2 * embedding + context
        self.recent = nn.Parameter(torch.randn(tokens, embedding))
        self.candidates = nn.Parameter(torch.randn(categories, embedding))
        self.experts = nn.Linear(inputs, number * self.hidden)
        self.gates = nn.Linear(inputs, treatments * number, bias=False) if architecture.experts else None
        self.towers = nn.Parameter(_uniform(treatments, self.hidden, tower))
        self.tower_bias = nn.Parameter(torch.zeros(treatments, tower))
        self.heads = nn.Parameter(torch.zeros(treatments, tower))
        self.head_bias = nn.Parameter(torch.full((treatments,), _START))

    def forward(self, rows: Tensor) -> Tensor:
        """Interest in every treatment's category, shape (n, K)."""
        recent, candidates, context = torch.split(rows, list(self.widths), dim=1)
        request = torch.cat([recent @ self.recent, candidates @ self.candidates, context], dim=1)
        experts = torch.relu(self.experts(request)).reshape(len(rows), -1, self.hidden)
        gates, outputs = self._gates_of(request), []
        for treatment in range(self.treatments):
            mixed = (gates[:, treatment, :, None] * experts).sum(dim=1)
            tower = torch.relu(mixed @ self.towers[treatment] + self.tower_bias[treatment])
            outputs.append(tower @ self.heads[treatment])
        return softplus(torch.stack(outputs, dim=1) + self.head_bias)

    def _gates_of(self, request: Tensor) -> Tensor:
        """Weights of the experts, shape (n, K, number of experts)."""
        if self.gates is None:
            return torch.ones(len(request), self.treatments, 1, device=request.device)
        return torch.softmax(self.gates(request).reshape(len(request), self.treatments, -1), dim=2)


@dataclass(frozen=True, slots=True)
class LabelledRows:
    """Rows of requests with their labels.

    Attributes:
        rows: Shape (n, width).
        labels: Shape (n, K), NaN where there is none.
    """

    rows: Tensor
    labels: Tensor

    @classmethod
    def of(cls, rows: NDArray[np.float64], labels: NDArray[np.float64], device: str) -> Self:
        """Them on a device, in single precision."""
        return cls(*(torch.from_numpy(values.astype(np.float32)).to(device) for values in (rows, labels)))

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: Tensor) -> Self:
        """Some of the rows."""
        return type(self)(self.rows[rows], self.labels[rows])


@dataclass(frozen=True, slots=True)
class Plan:
    """What to fit, and how.

    Attributes:
        architecture: Sizes of the network.
        loss: Of a label, by its distance.
        schedule: Of training; its seed also draws the weights that the network starts with.
        device: Where to train.
        n_jobs: Threads.
    """

    architecture: Architecture
    loss: Literal["huber", "squared"]
    schedule: Schedule
    device: str
    n_jobs: int


def fit_network(
    learned: tuple[NDArray[np.float64], NDArray[np.float64]],
    held_out: tuple[NDArray[np.float64], NDArray[np.float64]],
    widths: tuple[int, int, int],
    plan: Plan,
) -> tuple[InterestNetwork, Training]:
    """A fitted network on the processor, and how training went.

    Args:
        learned: Rows and labels, shapes (n, sum of ``widths``) and (n, K).
        held_out: Rows and labels that tell when to stop.
        widths: See ``RequestEncoding``.
        plan: What to fit, and how.

    Raises:
        InputError: The loss is not finite.
        ConfigurationError: There is no GPU where one is asked for.
    """
    require_device(plan.device)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(plan.schedule.seed)  # torch.manual_seed would seed GPUs too
        network = InterestNetwork(widths, learned[1].shape[1], plan.architecture).to(plan.device)

    def loss(network: InterestNetwork, batch: LabelledRows) -> Tensor:
        return masked_loss(network(batch.rows), batch.labels, plan.loss)

    with threads(plan.n_jobs):
        rows, looked_at = (LabelledRows.of(*part, plan.device) for part in (learned, held_out))
        training = train(network, rows, loss, looked_at, plan.schedule)
    return network.cpu(), training


def masked_loss(interest: Tensor, labels: Tensor, kind: Literal["huber", "squared"]) -> Tensor:
    """Loss of every request, shape (n,): the sum over the treatments that have a label, Huber's with delta 1.

    Squares are halved, as Huber's loss is where it is quadratic.
    """
    known = ~labels.isnan()
    # A missing label must not even meet the prediction: the gradient of NaN times zero is NaN.
    target = torch.where(known, labels, interest.detach())
    if kind == "huber":
        losses = huber_loss(interest, target, reduction="none", delta=_DELTA)
    else:
        losses = mse_loss(interest, target, reduction="none") / 2
    return losses.sum(dim=1)


def _uniform(*shape: int) -> Tensor:
    """As ``nn.Linear`` starts, for a stack of layers whose inputs are the last dimension but one."""
    bound = 1 / math.sqrt(shape[-2])
    return torch.empty(*shape).uniform_(-bound, bound)
