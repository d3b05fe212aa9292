"""The upper level of Bi-DFCL: gates under which a student that learns from logs decides well in the experiment."""

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from causal_tasks.allocation.networks.distillation import Distillation
from causal_tasks.allocation.networks.fine_tuning import GuessedUnits, Objective
from causal_tasks.allocation.networks.forecaster import Forecaster
from causal_tasks.allocation.networks.hypergradient import hypergradient
from causal_tasks.allocation.networks.perceptron import Perceptron
from causal_tasks.allocation.networks.prices import BudgetPrices, prices_of
from causal_tasks.allocation.networks.units import Units


@dataclass(frozen=True, slots=True)
class UpperLevel:
    """What the decisions of a student bring in the experiment, in a form that has a gradient.

    Rewards are augmented inverse-propensity guesses, net of the cost at the price of the budget. As published the loss
    counts outcomes alone, and with a price that is held constant nothing in it would speak against the dearest arm for
    everybody.

    Attributes:
        units: Of the experiment.
        budgets: For which the student must decide well.
        objective: Decision loss at prices, which are replaced by those of the student.
        batch_size: Units that are drawn for one evaluation, at most.

    Source: Bi-DFCL (arXiv 2510.19517), the upper level with the primal losses.
    """

    units: GuessedUnits
    budgets: BudgetPrices
    objective: Objective
    batch_size: int

    def loss(self, student: Forecaster, generator: torch.Generator) -> Tensor:
        """Mean over units, and over budgets by their weights, at the price at which the student spends each."""
        batch = next(self.units.minibatches(self.batch_size, generator))
        prices = prices_of(student.predict_units(batch), self.budgets.budgets)
        outputs = student.network(batch.numbers, batch.levels)
        return replace(self.objective, prices=outputs.new_tensor(prices))(outputs, batch)


@dataclass(slots=True)
class LearnedGates:
    """Gates that a network opens by the features of a unit, and that improve while they are asked for.

    Before every ``every``-th batch the bridge takes a step along the gradient of the upper loss through the student,
    as if the student were at the minimum of the lower loss on that batch. The authors let a copy of the student take a
    few steps towards that minimum first; here it is taken as it is.

    Attributes:
        student: What is being trained on the lower level.
        distillation: The lower level.
        upper: The upper level.
        bridge: Network with an output for every gate; a gate is the logistic function of it.
        every: Batches between two steps.
        steps: Of conjugate gradients, at most.
        damping: Of the Hessian of the lower loss.
        learning_rate: Of Adam, for the bridge.
        seed: Of the units of the experiment that each step looks at.

    Source: Bi-DFCL (arXiv 2510.19517), algorithm 1.
    """

    student: Forecaster
    distillation: Distillation
    upper: UpperLevel
    bridge: Perceptron
    every: int
    steps: int
    damping: float
    learning_rate: float
    seed: int
    _generator: torch.Generator = field(init=False)
    _batches: int = field(init=False, default=0)
    _optimizer: torch.optim.Optimizer = field(init=False)

    def __post_init__(self) -> None:
        # All gates start half open, whatever the seed.
        torch.nn.init.zeros_(self.bridge.outputs.weight)
        torch.nn.init.zeros_(self.bridge.outputs.bias)
        self._generator = torch.Generator().manual_seed(self.seed)
        self._optimizer = torch.optim.Adam(self.bridge.parameters(), lr=self.learning_rate)

    def __call__(self, batch: Units) -> Tensor:
        """Gates of the units of a batch from the logs, shape (n, 2 M), without gradients."""
        if self._batches % self.every == 0:
            self._improve(batch)
        self._batches += 1
        with torch.no_grad():
            return self._gates(batch)

    def _improve(self, batch: Units) -> None:
        outputs = self.student.network(batch.numbers, batch.levels)
        found = hypergradient(
            self.upper.loss(self.student, self._generator),
            self.distillation.loss(outputs, batch, self._gates(batch)).mean(),
            list(self.student.network.parameters()),
            parameters := list(self.bridge.parameters()),
            damping=self.damping,
            steps=self.steps,
        )
        for parameter, gradient in zip(parameters, found.gradients, strict=True):
            parameter.grad = gradient
        self._optimizer.step()

    def _gates(self, batch: Units) -> Tensor:
        return torch.sigmoid(self.bridge(batch.numbers, batch.levels))
