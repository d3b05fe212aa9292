"""One small network from the features of a unit straight to its cluster: all that serving has to run."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import cross_entropy

from causal_tasks.allocation.networks.forecaster import Forecaster
from causal_tasks.allocation.networks.perceptron import Perceptron, seeded
from causal_tasks.allocation.networks.training import Schedule, train
from causal_tasks.allocation.networks.units import Units
from causal_tasks.base_models import DesignMatrix
from causal_tasks.uplift.networks.encoding import Encoding

Codes = NDArray[np.intp]

_WEIGHTS = "classifier.safetensors"

_MARGIN = 4.0
"""Mean difference of the two largest logits that a copy of the teacher starts with: sure, but not beyond learning."""


@dataclass(frozen=True, slots=True)
class ClusteredUnits(Units):
    """Units whose cluster is known.

    Attributes:
        cluster: Shape (n,), int64.
    """

    cluster: Tensor

    @classmethod
    def of_units(cls, units: Units, cluster: Codes) -> Self:
        """The same units."""
        codes = torch.from_numpy(cluster.astype(np.int64)).to(units.arm.device)
        return cls(**{field.name: getattr(units, field.name) for field in fields(Units)}, cluster=codes)


@dataclass(frozen=True, slots=True)
class ClusterClassifier:
    """A network with one logit for every cluster.

    Attributes:
        encoding: How features become tensors.
        network: The module.
    """

    encoding: Encoding
    network: Perceptron

    @classmethod
    def learn(
        cls,
        training: ClusteredUnits,
        held_out: ClusteredUnits,
        teacher: Forecaster,
        *,
        nearness: NDArray[np.float32],
        hidden: tuple[int, ...] | None,
        schedule: Schedule,
    ) -> Self:
        """Learn the clusters of ``training`` by cross-entropy, until no more of ``held_out`` are put in their own.

        Where nearness is linear in the teacher's last hidden layer, as it is when clusters were made from that layer,
        a copy of the teacher with another last layer says the very same and there is nothing left to train.

        Args:
            training: To learn from.
            held_out: Others.
            teacher: What the clusters were made with.
            nearness: Shape (m, K), K at least 2, of the first m units of ``training`` to every cluster; the largest is
                that to their own.
            hidden: Units of the hidden layers; None: start as that copy of the teacher.
            schedule: How long and how fast.
        """
        network = seeded(
            schedule.seed,
            width=teacher.encoding.width,
            cardinalities=teacher.encoding.cardinalities,
            hidden=tuple(teacher.network.architecture["hidden"]) if hidden is None else hidden,
            outputs=nearness.shape[1],
        ).to(training.numbers.device)
        if hidden is None:
            _copy_layers(teacher.network, network)
            second, first = np.partition(nearness, -2, axis=1)[:, -2:].T
            # Without a difference, as of units that are all alike, there is nothing to scale.
            margin = float((first - second).mean()) or _MARGIN
            _fit_last_layer(network, training, nearness * (_MARGIN / margin))

        def held_out_value() -> float:
            with torch.no_grad():
                said = network(held_out.numbers, held_out.levels).argmax(dim=1)
            return float((said == held_out.cluster).double().mean())

        train(
            network,
            training,
            lambda outputs, batch: cross_entropy(outputs, batch.cluster),
            schedule,
            value=held_out_value,
        )
        return cls(teacher.encoding, network)

    def classify(self, chunk: DesignMatrix) -> Codes:
        """The likeliest cluster of a few rows, shape (n,)."""
        device = next(self.network.parameters()).device
        numbers, levels = (torch.from_numpy(values).to(device) for values in self.encoding.encode(chunk))
        with torch.no_grad():
            cluster: Codes = self.network(numbers, levels).argmax(dim=1).cpu().numpy().astype(np.intp)
        return cluster

    def write(self, folder: Path) -> dict[str, Any]:
        """Write the weights; returns what ``read`` needs besides, as JSON."""
        save_file({name: value.cpu() for name, value in self.network.state_dict().items()}, folder / _WEIGHTS)
        return self.network.architecture

    @classmethod
    def read(cls, folder: Path, state: Mapping[str, Any], encoding: Encoding) -> Self:
        """The classifier that ``write`` wrote."""
        network = Perceptron(
            width=encoding.width,
            cardinalities=encoding.cardinalities,
            hidden=tuple(state["hidden"]),
            outputs=state["outputs"],
        )
        network.load_state_dict(load_file(folder / _WEIGHTS))
        return cls(encoding, network)


def _copy_layers(source: Perceptron, target: Perceptron) -> None:
    """Give ``target`` all of ``source`` but its last layer."""
    below = {name: value for name, value in source.state_dict().items() if not name.startswith("outputs.")}
    target.load_state_dict(below, strict=False)


def _fit_last_layer(network: Perceptron, units: Units, logits: NDArray[np.float32]) -> None:
    """Let the last layer say ``logits``, shape (m, K), of the first m units, by least squares."""
    first = slice(len(logits))
    with torch.no_grad():
        layer = network.represent(units.numbers[first], units.levels[first]).double().cpu().numpy()
        design = np.column_stack([layer, np.ones(len(layer))])
        weights = torch.from_numpy(np.linalg.lstsq(design, logits.astype(np.float64))[0].T)
        network.outputs.weight.copy_(weights[:, :-1])
        network.outputs.bias.copy_(weights[:, -1])
