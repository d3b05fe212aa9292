"""A network that gives the number that decides, with what it takes to feed it and to read it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from causal_tasks.allocation.contrasts import Kind
from causal_tasks.allocation.networks.decision_factor_losses import (
    log_mean_exp,
    log_returns,
    price_averaged_value,
    rank_loss,
    return_loss,
)
from causal_tasks.allocation.networks.perceptron import Perceptron, seeded
from causal_tasks.allocation.networks.training import Schedule, Training, train
from causal_tasks.allocation.networks.units import Units
from causal_tasks.allocation.responses import Responses
from causal_tasks.base_models import DesignMatrix
from causal_tasks.uplift.networks.encoding import Encoding
from causal_tasks.uplift.networks.fitted import require_device

WEIGHTS = "factor.safetensors"

_MARGIN = 0.01
"""How close to 0 and 1 a share may lie that a network starts from: beyond, a sigmoid hardly moves."""

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PairedUnits(Units):
    """Units with unbiased guesses of what the upper arm of every pair adds for them.

    Attributes:
        gain: Shape (n, K), in units of ``FactorNetwork.learn``.
        extra_cost: Shape (n, K), in units of the pair's mean.
    """

    gain: Tensor
    extra_cost: Tensor

    @classmethod
    def of_units(cls, units: Units, gain: Matrix, extra_cost: Matrix) -> Self:
        """The same units."""
        effects = (units.outcome.new_tensor(values.astype(np.float32)) for values in (gain, extra_cost))
        return cls(*(getattr(units, field.name) for field in fields(Units)), *effects)


class Learned(NamedTuple):
    """A network after training.

    Attributes:
        network: With the weights that were kept.
        training: Held-out value before training and after every epoch: what the decisions bring net of cost, averaged
            over prices from 0 to the largest return; for ``uplift_rank`` the loss with its sign turned.
    """

    network: "FactorNetwork"
    training: Training


@dataclass(frozen=True, slots=True)
class FactorNetwork:
    """A network with one output for every pair of arms.

    Attributes:
        encoding: How features become tensors.
        network: The module.
        kind: Of the factor.
        scale: What a return of 1 inside the network is in outcome units for a unit of cost; for ``uplift_rank`` what an
            exponential of 1 is in outcome units.
    """

    encoding: Encoding
    network: Perceptron
    kind: Kind
    scale: float

    @classmethod
    def learn(
        cls,
        data: Responses,
        gain: Matrix,
        extra_cost: Matrix,
        kind: Kind,
        *,
        scale: float,
        hidden: tuple[int, ...],
        schedule: Schedule,
        validation_share: float,
        device: str,
    ) -> Learned:
        """One that starts from the average of all units and is fitted to an experiment.

        Args:
            data: Units.
            gain: Unbiased guesses of what the upper arm of every pair brings beyond the lower one, shape (n, K),
                outcome units.
            extra_cost: The same of what it costs, on average above 0 but for ``uplift_rank``, which takes no note of
                it.
            kind: Of the factor.
            scale: The largest return, outcome units for a unit of cost; for ``uplift_rank`` the mean of ``gain``.
            hidden: Units of each hidden layer.
            schedule: How long and how fast.
            validation_share: Share of every arm that tells when to stop.
            device: Where the network is.

        Raises:
            ConfigurationError: There is no GPU where one is asked for.
            InputError: Training diverged.
        """
        require_device(device)
        # Every pair counts alike, however little its step costs.
        mean_cost = np.ones(gain.shape[1]) if kind == "uplift_rank" else extra_cost.mean(axis=0)
        effects = (gain / (scale * mean_cost), extra_cost / mean_cost)
        held_out = data.held_out(validation_share, seed=schedule.seed)
        encoding = Encoding.learn(data.X.take(np.flatnonzero(~held_out)))
        network = seeded(
            schedule.seed,
            width=encoding.width,
            cardinalities=encoding.cardinalities,
            hidden=hidden,
            outputs=gain.shape[1],
        ).to(device)
        _start_at(network, starting_scores(effects[0].mean(axis=0), kind))
        units, unseen = (
            PairedUnits.of_units(
                Units.of(data.take(rows), encoding, device=device), *(effect[rows] for effect in effects)
            )
            for rows in (~held_out, held_out)
        )
        value = partial(_value, kind=kind, weight=torch.from_numpy(mean_cost))
        training = train(network, units, _loss(kind), schedule, value=lambda: value(_scores(network, unseen), unseen))
        if kind == "uplift_rank":  # shares of the gain, which must average to it
            scale /= float(log_mean_exp(_scores(network, units)).exp())
        return Learned(cls(encoding, network, kind, scale), training)

    def factor(self, chunk: DesignMatrix) -> NDArray[np.float32]:
        """Of a few rows and every pair, shape (n, K), outcome units for a unit of cost, or outcome units."""
        device = next(self.network.parameters()).device
        numbers, levels = (torch.from_numpy(values).to(device) for values in self.encoding.encode(chunk))
        with torch.no_grad():
            scores = self.network(numbers, levels)
            if self.kind != "uplift_rank":
                scores = log_returns(scores, diminishing=self.kind == "marginal_roi")[0]
            factor: NDArray[np.float32] = (self.scale * scores.exp()).float().cpu().numpy()
        return factor

    def write(self, folder: Path) -> dict[str, Any]:
        """Write the weights; returns what ``read`` needs besides, as JSON."""
        save_file({name: value.cpu() for name, value in self.network.state_dict().items()}, folder / WEIGHTS)
        return {
            "encoding": self.encoding.to_state(),
            "architecture": self.network.architecture,
            "kind": self.kind,
            "scale": self.scale,
        }

    @classmethod
    def read(cls, folder: Path, state: Mapping[str, Any]) -> Self:
        """The network that ``write`` wrote."""
        encoding = Encoding.from_state(state["encoding"])
        network = Perceptron(
            width=encoding.width,
            cardinalities=encoding.cardinalities,
            hidden=tuple(state["architecture"]["hidden"]),
            outputs=state["architecture"]["outputs"],
        )
        network.load_state_dict(load_file(folder / WEIGHTS))
        return cls(encoding, network, state["kind"], state["scale"])


def starting_scores(mean_gain: Vector, kind: Kind) -> Vector:
    """Scores at which every unit has the average factor, shape (K,).

    Args:
        mean_gain: Shape (K,), in the units of ``PairedUnits``.
        kind: Of the factor.
    """
    if kind == "uplift_rank":
        return np.log(np.maximum(mean_gain, _MARGIN))
    returns = mean_gain
    if kind == "marginal_roi":
        falling = np.minimum.accumulate(np.maximum(mean_gain, _MARGIN))
        returns = np.concatenate([falling[:1], falling[1:] / falling[:-1]])
    share = np.clip(returns, _MARGIN, 1 - _MARGIN)
    scores: Vector = np.log(share / (1 - share))
    return scores


def _start_at(network: Perceptron, scores: Vector) -> None:
    with torch.no_grad():
        network.outputs.weight.mul_(0.1)
        network.outputs.bias.copy_(torch.from_numpy(scores))


def _loss(kind: Kind) -> Callable[[Tensor, PairedUnits], Tensor]:
    if kind == "uplift_rank":
        return lambda scores, units: rank_loss(scores, units.gain, mean_gain=1.0)
    diminishing = kind == "marginal_roi"
    return lambda scores, units: return_loss(scores, units.gain, units.extra_cost, diminishing=diminishing).mean()


def _value(scores: Tensor, units: PairedUnits, *, kind: Kind, weight: Tensor) -> float:
    """To tell when to stop; larger is better.

    Args:
        scores: Shape (n, K).
        units: That the network was not trained on.
        kind: Of the factor.
        weight: Of every pair, shape (K,): what its step costs.
    """
    if kind == "uplift_rank":
        return -float(_loss(kind)(scores, units))
    share = log_returns(scores, diminishing=kind == "marginal_roi")[0].exp()
    return float(price_averaged_value(share, units.gain, units.extra_cost).mean(dim=0).cpu().double() @ weight)


def _scores(network: Perceptron, units: Units) -> Tensor:
    with torch.no_grad():
        scores: Tensor = network(units.numbers, units.levels)
    return scores
