"""A network with what it takes to feed it and to read it: from units to a forecast, and back from a file."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import torch
from safetensors.torch import load_file, save_file

from causal_tasks.allocation.forecast import Forecast
from causal_tasks.allocation.networks.perceptron import Perceptron, seeded
from causal_tasks.allocation.networks.scales import Scales
from causal_tasks.allocation.networks.training import Schedule, Training, train
from causal_tasks.allocation.networks.units import Units
from causal_tasks.allocation.responses import Responses
from causal_tasks.base_models import DesignMatrix
from causal_tasks.uplift.networks.encoding import Encoding
from causal_tasks.uplift.networks.fitted import require_device

WEIGHTS = "network.safetensors"

PART = 65_536
"""Units whose hidden layers are held at once where no gradient is asked for."""


@dataclass(frozen=True, slots=True)
class Forecaster:
    """A network with one output for the outcome and one for the cost of every arm.

    Attributes:
        encoding: How features become tensors.
        network: The module, with 2 M outputs.
        scales: What its outputs mean.
    """

    encoding: Encoding
    network: Perceptron
    scales: Scales

    @classmethod
    def untrained(cls, data: Responses, *, hidden: tuple[int, ...], seed: int, device: str = "cpu") -> Self:
        """One for these units with random weights.

        Raises:
            ConfigurationError: There is no GPU where one is asked for.
        """
        require_device(device)
        encoding = Encoding.learn(data.X)
        network = seeded(
            seed,
            width=encoding.width,
            cardinalities=encoding.cardinalities,
            hidden=hidden,
            outputs=2 * len(data.labels),
        )
        return cls(encoding, network.to(device), Scales.of(data))

    @classmethod
    def fitted(
        cls,
        data: Responses,
        schedule: Schedule,
        *,
        hidden: tuple[int, ...],
        validation_share: float,
        device: str = "cpu",
    ) -> Self:
        """One that has learned to predict; a share of every arm tells when to stop."""
        held_out = data.held_out(validation_share, seed=schedule.seed)
        return cls.fitted_to(data.take(~held_out), data.take(held_out), schedule, hidden=hidden, device=device)

    @classmethod
    def fitted_to(
        cls,
        training: Responses,
        validation: Responses,
        schedule: Schedule,
        *,
        hidden: tuple[int, ...],
        device: str = "cpu",
    ) -> Self:
        """One that has learned to predict ``training``; ``validation`` tells when to stop."""
        forecaster = cls.untrained(training, hidden=hidden, seed=schedule.seed, device=device)
        forecaster.learn_to_predict(forecaster.units(training), forecaster.units(validation), schedule)
        return forecaster

    def another(self, seed: int) -> Self:
        """An untrained one of the same shape that reads the same encoding and is read in the same scales."""
        network = seeded(
            seed,
            width=self.encoding.width,
            cardinalities=self.encoding.cardinalities,
            hidden=tuple(self.network.architecture["hidden"]),
            outputs=self.network.architecture["outputs"],
        )
        return replace(self, network=network.to(self.device))

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device

    def units(self, data: Responses) -> Units:
        """Units as this network reads them, on its device."""
        return Units.of(data, self.encoding, device=str(self.device))

    def outputs(self, units: Units) -> torch.Tensor:
        """Of all units, without gradients."""
        parts = [slice(begin, begin + PART) for begin in range(0, len(units), PART)]
        with torch.no_grad():
            return torch.cat([self.network(units.numbers[part], units.levels[part]) for part in parts])

    def predict_units(self, units: Units) -> Forecast:
        """Levels of units that are tensors already; a cost below zero becomes zero."""
        return self._levels(self.outputs(units))

    def predict(self, chunk: DesignMatrix) -> Forecast:
        """The same of a few rows."""
        numbers, levels = (torch.from_numpy(values).to(self.device) for values in self.encoding.encode(chunk))
        with torch.no_grad():
            return self._levels(self.network(numbers, levels))

    def _levels(self, outputs: torch.Tensor) -> Forecast:
        outcome, cost = self.scales.forecast(outputs)
        return Forecast(outcome.float().cpu().numpy(), cost.clamp(min=0).float().cpu().numpy())

    def learn_to_predict(self, units: Units, held_out: Units, schedule: Schedule) -> Training:
        """Fit it to factual outcomes and costs: the first stage of a two-stage method, the warm start of the others."""

        def held_out_value() -> float:
            return -float(self.scales.prediction_loss(self.outputs(held_out), held_out).mean())

        return train(
            self.network,
            units,
            lambda outputs, batch: self.scales.prediction_loss(outputs, batch).mean(),
            schedule,
            value=held_out_value,
        )

    def write(self, folder: Path) -> dict[str, Any]:
        """Write the weights; returns what ``read`` needs besides, as JSON."""
        save_file({name: value.cpu() for name, value in self.network.state_dict().items()}, folder / WEIGHTS)
        return {
            "encoding": self.encoding.to_state(),
            "architecture": self.network.architecture,
            "scales": self.scales.to_state(),
        }

    @classmethod
    def read(cls, folder: Path, state: Mapping[str, Any]) -> Self:
        """The forecaster that ``write`` wrote."""
        encoding = Encoding.from_state(state["encoding"])
        network = Perceptron(
            width=encoding.width,
            cardinalities=encoding.cardinalities,
            hidden=tuple(state["architecture"]["hidden"]),
            outputs=state["architecture"]["outputs"],
        )
        network.load_state_dict(load_file(folder / WEIGHTS))
        return cls(encoding, network, Scales.from_state(state["scales"]))
