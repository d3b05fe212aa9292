"""A network from training data to predictions and back from a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from causal_tasks.base_models import DesignMatrix
from causal_tasks.base_models.outcome import Outcome
from causal_tasks.errors import ConfigurationError
from causal_tasks.uplift.networks.architecture import ArmNetwork
from causal_tasks.uplift.networks.batches import Rows
from causal_tasks.uplift.networks.encoding import Encoding
from causal_tasks.uplift.networks.held_out import held_out_rows
from causal_tasks.uplift.networks.objective import Objective, OutcomeScale
from causal_tasks.uplift.networks.trainer import Schedule, Training, solve_epsilon, threads, train
from causal_tasks.uplift.training_data import TrainingData

_WEIGHTS = "network.safetensors"


@dataclass(frozen=True, slots=True)
class Plan:
    """What kind of network to fit, and how.

    Attributes:
        hidden: Units of a shared layer.
        head: Units of a head's layer.
        schedule: Of training.
        validation_share: Share of rows that decide when to stop.
        alpha: Weight of the propensity's log loss.
        beta: Weight of targeted regularisation; None: neither that nor a propensity head, as in TARNet.
        device: Where to train.
        n_jobs: Threads.
    """

    hidden: int
    head: int
    schedule: Schedule
    validation_share: float
    alpha: float
    beta: float | None
    device: str
    n_jobs: int


@dataclass(frozen=True, slots=True)
class FittedNetwork:
    """A network that predicts; it computes on the processor, so that it predicts the same on every machine.

    Attributes:
        encoding: How features become tensors.
        network: The fitted module.
        objective: What it was fitted to.
    """

    encoding: Encoding
    network: ArmNetwork
    objective: Objective

    @classmethod
    def fit(cls, data: TrainingData, plan: Plan) -> tuple[Self, Training]:
        """Fit a network, and tell how that went.

        Raises:
            InputError: An arm has nobody to train on or to hold out, a weight is negative, or the loss is not finite.
            ConfigurationError: There is no GPU where one is asked for.
        """
        require_device(plan.device)
        learned = Outcome.read(data.outcome, data.weight, rows=len(data.outcome))
        held_out = held_out_rows(data, plan.validation_share, seed=plan.schedule.seed)
        trained, looked_at = np.flatnonzero(~held_out), np.flatnonzero(held_out)
        weight = np.ones(len(held_out)) if learned.weight is None else learned.weight
        with threads(plan.n_jobs):
            encoding = Encoding.learn(data.X.take(trained))
            scale = OutcomeScale.of(Outcome.read(learned.values[trained], weight[trained], rows=len(trained)))

            def rows(positions: NDArray[np.intp]) -> Rows:
                return Rows(
                    data.X.take(positions),
                    encoding,
                    outcome=scale.standardise(learned.values[positions]),
                    arm=data.arm[positions],
                    weight=weight[positions],
                    device=plan.device,
                )

            known = plan.beta is not None and data.propensity is not None
            model = cls(
                encoding,
                _started(encoding, plan, arms=len(data.labels), models_propensity=plan.beta is not None and not known),
                Objective(scale, _as_shares(data.propensity) if known else None, plan.alpha, plan.beta),
            )
            network, objective = model.network.to(plan.device), model.objective.to(plan.device)
            training_rows = rows(trained)
            training = train(network, objective, training_rows, rows(looked_at).all(), plan.schedule)
            if plan.beta is not None:
                solve_epsilon(network, objective, training_rows)
            network.to("cpu")
        return model, training

    def outcomes(self, chunk: DesignMatrix, *, targeted: bool, n_jobs: int) -> NDArray[np.float32]:
        """Means under every arm in outcome units, shape (n, K + 1), with the correction or plain."""
        with threads(n_jobs), torch.no_grad():
            numbers, levels = (torch.from_numpy(values) for values in self.encoding.encode(chunk))
            outcomes = self.objective.outcomes(self.network, self.network(numbers, levels), targeted=targeted)
        return outcomes.numpy()

    def write(self, folder: Path) -> dict[str, Any]:
        """Write the weights; returns what ``read`` needs besides, as JSON."""
        save_file(self.network.state_dict(), folder / _WEIGHTS)
        return {
            "encoding": self.encoding.to_state(),
            "architecture": self.network.architecture,
            "objective": self.objective.to_state(),
        }

    @classmethod
    def read(cls, folder: Path, state: Mapping[str, Any]) -> Self:
        """The network that ``write`` wrote."""
        encoding = Encoding.from_state(state["encoding"])
        network = ArmNetwork(width=encoding.width, cardinalities=encoding.cardinalities, **state["architecture"])
        network.load_state_dict(load_file(folder / _WEIGHTS))
        return cls(encoding, network, Objective.from_state(state["objective"]))


def _started(encoding: Encoding, plan: Plan, *, arms: int, models_propensity: bool) -> ArmNetwork:
    """An untrained network whose random weights follow from the seed, and leave torch's own generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.schedule.seed)
        return ArmNetwork(
            width=encoding.width,
            cardinalities=encoding.cardinalities,
            arms=arms,
            hidden=plan.hidden,
            head=plan.head,
            models_propensity=models_propensity,
        )


def _as_shares(propensity: NDArray[np.float64] | None) -> torch.Tensor | None:
    """Shares of the arms that sum to 1, shape (1, K + 1)."""
    if propensity is None:
        return None
    return torch.from_numpy(propensity / propensity.sum()).float()[None, :]


def require_device(device: str) -> None:
    """Refuse ``cuda`` where there is no GPU.

    Raises:
        ConfigurationError: There is none that torch can use.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigurationError("torch finds no GPU that it can use", remedy="use the GPU image, or CAUSAL_DEVICE=cpu")
