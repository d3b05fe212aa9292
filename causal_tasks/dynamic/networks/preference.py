"""The preference model from training data to predictions and back from a file."""

import copy
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, huber_loss, mse_loss, softplus

from causal_tasks.base_models import DesignMatrix
from causal_tasks.base_models.outcome import Outcome
from causal_tasks.dynamic.bucketing import Bucketing, Kind
from causal_tasks.dynamic.networks.choices import LossName, Start
from causal_tasks.dynamic.networks.preference_network import PreferenceNetwork
from causal_tasks.dynamic.networks.training import Schedule, Training, train
from causal_tasks.uplift.networks.fitted import require_device
from causal_tasks.uplift.networks.held_out import held_out_rows
from causal_tasks.uplift.networks.losses import factual
from causal_tasks.uplift.networks.trainer import threads
from causal_tasks.uplift.training_data import TrainingData

_WEIGHTS = "network.safetensors"
_SMALLEST_MEAN = 1e-3
"""Of the outcome, in standard deviations or as a probability, at which the network may start."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What kind of network to fit, and how.

    Attributes:
        bucketing: Kind of buckets.
        buckets: Less one, of a numeric feature.
        architecture: Arguments of ``PreferenceNetwork`` that do not follow from features and arms.
        start: ``ordered`` or ``keras``, see ``LongTermUplift``.
        loss: Name of the loss.
        schedule: Of training.
        validation_share: Share of rows that decide when to stop.
        device: Where to train.
        n_jobs: Threads.
    """

    bucketing: Kind
    buckets: int
    architecture: Mapping[str, Any]
    start: Start
    loss: LossName
    schedule: Schedule
    validation_share: float
    device: str
    n_jobs: int


@dataclass(frozen=True, slots=True)
class PreferenceRows:
    """Rows on the device.

    Attributes:
        buckets: Shape (n, p), positions among the buckets of all features.
        outcome: Shape (n,), as the loss takes it.
        arm: Shape (n,), 0 for control.
        weight: Shape (n,), mean 1 over all rows.
    """

    buckets: Tensor
    outcome: Tensor
    arm: Tensor
    weight: Tensor

    def __len__(self) -> int:
        return len(self.outcome)

    def take(self, rows: Tensor) -> "PreferenceRows":
        """Some of the rows."""
        return PreferenceRows(self.buckets[rows], self.outcome[rows], self.arm[rows], self.weight[rows])


@dataclass(frozen=True, slots=True)
class PreferenceLoss:
    """What the network is trained for.

    Attributes:
        name: ``huber``, which turns linear at an error of one, ``squared`` or ``cross_entropy``.
        scale: By which outcomes are divided: their standard deviation, or 1 where they are 0 and 1.
    """

    name: LossName
    scale: float

    def means(self, scores: Tensor) -> Tensor:
        """Outcomes under every arm as the loss takes them, from what is under the last activation."""
        return torch.sigmoid(scores) if self.name == "cross_entropy" else softplus(scores)

    def start(self, mean: float) -> float:
        """The score of a mean outcome."""
        stated = max(_SMALLEST_MEAN, mean / self.scale)
        if self.name != "cross_entropy":
            return stated + math.log(-math.expm1(-stated))
        bounded = min(stated, 1 - _SMALLEST_MEAN)
        return math.log(bounded / (1 - bounded))

    def __call__(self, network: PreferenceNetwork, batch: PreferenceRows) -> Tensor:
        """Loss of every row under the arm that it was in, times its weight, shape (n,)."""
        scores = factual(network(batch.buckets), batch.arm)
        if self.name == "cross_entropy":
            return batch.weight * binary_cross_entropy_with_logits(scores, batch.outcome, reduction="none")
        of_error = huber_loss if self.name == "huber" else mse_loss
        return batch.weight * of_error(self.means(scores), batch.outcome, reduction="none")


@dataclass(frozen=True, slots=True)
class FittedPreference:
    """A network that predicts; it computes on the processor, so that it predicts the same on every machine.

    Attributes:
        bucketing: How features become buckets.
        network: The fitted module.
        loss: What it was fitted to.
    """

    bucketing: Bucketing
    network: PreferenceNetwork
    loss: PreferenceLoss

    @classmethod
    def fit(cls, data: TrainingData, plan: Plan) -> tuple[Self, Training]:
        """Fit a network, and tell how that went.

        Raises:
            InputError: An arm has nobody to train on or to hold out, or the loss is not finite.
            ConfigurationError: There is no GPU where one is asked for.
        """
        held_out = held_out_rows(data, plan.validation_share, seed=plan.schedule.seed)
        trained = np.flatnonzero(~held_out)
        bucketing = Bucketing.learn(
            data.X.take(trained), kind=plan.bucketing, buckets=plan.buckets, seed=plan.schedule.seed
        )
        weight = None if data.weight is None else data.weight[trained]
        outcome = Outcome.read(data.outcome[trained], weight, rows=len(trained))
        is_share = np.isin(data.outcome, (0.0, 1.0)).all()
        loss = PreferenceLoss(plan.loss, 1.0 if is_share else outcome.scale)
        network = _started(bucketing, plan, arms=len(data.labels), score=loss.start(outcome.mean))
        model = cls(bucketing, network, loss)
        return model, model._train(data, held_out, plan)

    def continued(self, data: TrainingData, plan: Plan) -> tuple["FittedPreference", Training]:
        """Another network, which starts with the weights of this one and learns from newer rows.

        Raises:
            InputError: As for ``fit``, or a feature has a level that was not there.
            ConfigurationError: There is no GPU where one is asked for.
        """
        held_out = held_out_rows(data, plan.validation_share, seed=plan.schedule.seed)
        model = FittedPreference(self.bucketing, copy.deepcopy(self.network), self.loss)
        return model, model._train(data, held_out, plan)

    def _train(self, data: TrainingData, held_out: NDArray[np.bool_], plan: Plan) -> Training:
        require_device(plan.device)
        weight = Outcome.read(data.outcome, data.weight, rows=len(data.outcome)).weight
        weight = np.ones(len(data.outcome)) if weight is None else weight

        def rows(positions: NDArray[np.intp]) -> PreferenceRows:
            buckets = np.concatenate([self.bucketing.encode(chunk) for chunk in data.X.take(positions).chunks()])
            outcome, weights = (
                torch.from_numpy(values[positions].astype(np.float32))
                for values in (data.outcome / self.loss.scale, weight)
            )
            on_host = (torch.from_numpy(buckets), outcome, torch.from_numpy(data.arm[positions]), weights)
            return PreferenceRows(*(values.to(plan.device) for values in on_host))

        with threads(plan.n_jobs):
            learned, looked_at = rows(np.flatnonzero(~held_out)), rows(np.flatnonzero(held_out))
            training = train(self.network.to(plan.device), learned, self.loss, looked_at, plan.schedule)
            self.network.to("cpu")
        return training

    def outcomes(self, chunk: DesignMatrix, *, n_jobs: int) -> NDArray[np.float32]:
        """Outcomes under every arm in their own unit, shape (n, K + 1)."""
        with threads(n_jobs), torch.no_grad():
            scores = self.network(torch.from_numpy(self.bucketing.encode(chunk)))
            outcomes: NDArray[np.float32] = (self.loss.scale * self.loss.means(scores)).numpy()
        return outcomes

    def write(self, folder: Path) -> dict[str, Any]:
        """Write the weights; returns what ``read`` needs besides, as JSON."""
        save_file(self.network.state_dict(), folder / _WEIGHTS)
        return {
            "bucketing": self.bucketing.to_state(),
            "architecture": self.network.architecture,
            "loss": asdict(self.loss),
        }

    @classmethod
    def read(cls, folder: Path, state: Mapping[str, Any]) -> Self:
        """The network that ``write`` wrote."""
        bucketing = Bucketing.from_state(state["bucketing"])
        network = PreferenceNetwork(cardinalities=bucketing.cardinalities, **state["architecture"])
        network.load_state_dict(load_file(folder / _WEIGHTS))
        return cls(bucketing, network, PreferenceLoss(**state["loss"]))


def _started(bucketing: Bucketing, plan: Plan, *, arms: int, score: float) -> PreferenceNetwork:
    """An untrained network whose random weights follow from the seed, and leave torch's own generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.schedule.seed)
        network = PreferenceNetwork(cardinalities=bucketing.cardinalities, arms=arms, **plan.architecture)
        if plan.start == "ordered":
            network.start_ordered(bucketing.ordered)
    network.start_at(score)
    return network
