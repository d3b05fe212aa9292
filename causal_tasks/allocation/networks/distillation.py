"""The lower level of Bi-DFCL: what the logs say of the arm that was taken, what a teacher says of the others."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from causal_tasks.allocation.networks.perceptron import Perceptron
from causal_tasks.allocation.networks.scales import Scales
from causal_tasks.allocation.networks.units import Units

Gates = Callable[[Units], Tensor]
"""Weights of distillation between 0 and 1, M of the outcome and then M of the cost, shape (n, 2 M)."""


def fixed_gates(weight: float) -> Gates:
    """The same gate for every unit, arm and target."""
    return lambda units: torch.full_like(units.propensity, weight).repeat(1, 2)


@dataclass(frozen=True, slots=True)
class Distillation:
    """A student learns the factual outcome and cost of a logged unit, and those of a teacher for the other arms.

    With w the gates, r and c outcome and cost, r^ and c^ the student's and r~ and c~ the teacher's, the loss of unit i
    in arm t is its ``Scales.prediction_loss``, times M so that the cells of one arm count as one, and

        sum over j != t of w^r_ij (r^_ij - r~_ij)^2 + w^c_ij (c^_ij - c~_ij)^2

    in standard units; with log loss in place of squares where a target is only 0 and 1. The published form draws the
    student towards w r~ + (1 - w) r^. With the student's own part of that held constant, its gradient is this one's.

    Attributes:
        scales: Of the student and the teacher.
        teacher: A network that reads the student's encoding.

    Source: Bi-DFCL (arXiv 2510.19517), the lower level.
    """

    scales: Scales
    teacher: Perceptron

    def loss(self, outputs: Tensor, units: Units, gates: Tensor) -> Tensor:
        """Of every unit, shape (n,).

        Args:
            outputs: Of the student, shape (n, 2 M).
            units: From the logs.
            gates: Shape (n, 2 M).
        """
        with torch.no_grad():
            taught = self.teacher(units.numbers, units.levels).chunk(2, dim=1)
        gates = gates * torch.cat(self.scales.learned(outputs))
        targets = (self.scales.outcome, self.scales.cost)
        parts = zip(targets, taught, outputs.chunk(2, dim=1), gates.chunk(2, dim=1), strict=True)
        cells = sum(weight * scale.loss(scale.means(scores), student) for scale, scores, student, weight in parts)
        others = torch.ones_like(units.propensity).scatter_(1, units.arm[:, None], 0.0)
        arms = others.shape[1]
        return arms * self.scales.prediction_loss(outputs, units) + (others * cells).sum(dim=1)
