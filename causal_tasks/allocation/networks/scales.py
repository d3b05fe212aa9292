"""How the outputs of a network and the levels of a forecast stand to each other."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import torch
from torch import Tensor

from causal_tasks.allocation.networks.units import Units
from causal_tasks.allocation.responses import Responses
from causal_tasks.base_models.outcome import Outcome
from causal_tasks.uplift.networks.losses import factual
from causal_tasks.uplift.networks.objective import OutcomeScale


@dataclass(frozen=True, slots=True)
class Scales:
    """For a network whose outputs are M of the outcome, then M of the cost.

    Attributes:
        outcome: Scores of the outcome are logits of a mean where it is only 0 and 1, else means in standard units.
        cost: The same of the cost.
        price: What every arm costs where that is known, or was the same for all its units; None: costs differ. A
            network whose output of cost is not needed for an arm does not learn it.
    """

    outcome: OutcomeScale
    cost: OutcomeScale
    price: tuple[float | None, ...]

    @classmethod
    def of(cls, data: Responses) -> Self:
        """Those of the units that are trained on."""
        outcome, cost = (
            OutcomeScale.of(Outcome.read(values, None, rows=len(data))) for values in (data.outcome, data.cost)
        )
        return cls(outcome, cost, data.prices)

    def forecast(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """Outcome and cost under every arm in their own units, shape (n, M) each."""
        outcome, cost = outputs.chunk(2, dim=1)
        levels = self.outcome.restore(self.outcome.means(outcome))
        known = outputs.new_tensor([price or 0.0 for price in self.price])
        return levels, torch.where(self.learned(outputs)[1] > 0, self.cost.restore(self.cost.means(cost)), known)

    def learned(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """1 for the outputs that are learned, 0 for those that are not used: of outcome and cost, shape (M,) each."""
        cost = outputs.new_tensor([price is None for price in self.price])
        return torch.ones_like(cost), cost

    def prediction_loss(self, outputs: Tensor, units: Units) -> Tensor:
        """Loss of every unit in its own arm weighed so that each arm counts alike in expectation, shape (n,).

        Outcome and cost are each divided by the loss of a constant, so that neither drowns the other.

        Source: Zhou et al. (2024), L_PL.
        """
        outcome, cost = outputs.chunk(2, dim=1)
        values = (units.outcome - self.outcome.mean) / self.outcome.scale
        loss = self.outcome.loss(units.outcome if self.outcome.binary else values, factual(outcome, units.arm))
        if None in self.price:
            values = (units.cost - self.cost.mean) / self.cost.scale
            lost = self.cost.loss(units.cost if self.cost.binary else values, factual(cost, units.arm))
            loss = loss + self.learned(outputs)[1][units.arm] * lost
        return loss * units.weight / units.propensity.shape[1]

    def to_state(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The scales of which ``to_state`` told."""
        return cls(OutcomeScale(**state["outcome"]), OutcomeScale(**state["cost"]), tuple(state["price"]))
