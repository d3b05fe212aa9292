"""Turns a forecaster that predicts well into one that decides well."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Self

import numpy as np
import torch
from torch import Tensor

from causal_tasks.allocation.decision_focused import Baseline, DecisionLoss, Keep
from causal_tasks.allocation.forecast import Forecast
from causal_tasks.allocation.networks.cross_fitting import CrossFitted
from causal_tasks.allocation.networks.decision_losses import finite_difference_loss, net, policy_loss
from causal_tasks.allocation.networks.decision_value import DecisionValue, UnbiasedLevels
from causal_tasks.allocation.networks.forecaster import Forecaster
from causal_tasks.allocation.networks.prices import BudgetPrices, score_spread
from causal_tasks.allocation.networks.scales import Scales
from causal_tasks.allocation.networks.training import Schedule, Training, train
from causal_tasks.allocation.networks.units import Units
from causal_tasks.allocation.responses import Responses

LossOfScores = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From scores and rewards, shape (L, M, n), and arms, shape (n,), to the loss at every price of every unit, (L, n)."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a forecaster learns to predict, then to decide.

    Attributes:
        loss: Of a decision.
        baseline: What ``policy_learning``, ``maximum_entropy`` and ``finite_difference`` subtract from outcome and
            cost, the same for every arm: a forecast for the unit, or one number for all.
        alpha: Weight of the prediction loss.
        temperature: In standard deviations of a unit's scores: of the softmax, or the smallest gap that a finite
            difference divides by.
        hidden: Units of each hidden layer.
        warm_start: Whether it learns to predict first.
        warm: How it and the networks that guess what was not seen learn to predict.
        schedule: How it learns to decide.
        keep: Which of its weights.
        validation_share: Share of every arm that tells when to stop.
        budgets: Per unit; None: the default ones.
        budget_weights: How likely each is.
        device: Where the networks are.
    """

    loss: DecisionLoss
    baseline: Baseline
    alpha: float
    temperature: float
    hidden: tuple[int, ...]
    warm_start: bool
    warm: Schedule
    schedule: Schedule
    keep: Keep
    validation_share: float
    budgets: Sequence[float] | None
    budget_weights: Sequence[float] | None
    device: str


@dataclass(frozen=True, slots=True)
class GuessedUnits(Units):
    """Units with unbiased guesses of what every arm would have brought and cost.

    Attributes:
        outcomes: Shape (n, M).
        costs: Shape (n, M).
    """

    outcomes: Tensor
    costs: Tensor

    @classmethod
    def of_units(cls, units: Units, levels: UnbiasedLevels) -> Self:
        """The same units."""
        guesses = (units.outcome.new_tensor(values.astype(np.float32)) for values in levels)
        return cls(*(getattr(units, field.name) for field in fields(Units)), *guesses)


@dataclass(frozen=True, slots=True)
class Objective:
    """What fine-tuning makes small: decision loss in units of ``spread``, and alpha times the prediction loss.

    The prediction loss keeps the predicted costs right, by which a budget is spent.

    Attributes:
        scales: Of the forecaster.
        decision_loss: See there.
        prices: Shape (L,).
        weights: Of the prices, together 1, shape (L,).
        spread: ``score_spread``.
        alpha: Weight of the prediction loss.

    Source: Zhou et al. (2024), "Decision focused causal learning for direct counterfactual marketing optimization",
    L_DFCL.
    """

    scales: Scales
    decision_loss: LossOfScores
    prices: Tensor
    weights: Tensor
    spread: float
    alpha: float

    def __call__(self, outputs: Tensor, batch: GuessedUnits) -> Tensor:
        """Mean over the units of a batch."""
        outcome, cost = self.scales.forecast(outputs)
        # In use a cost below zero counts as zero, see ``BudgetModel.predict``.
        scores = net(outcome, cost.clamp(min=0), self.prices)
        losses = self.decision_loss(scores, net(batch.outcomes, batch.costs, self.prices), batch.arm)
        loss = (self.weights @ losses).mean() / self.spread
        return loss + self.alpha * self.scales.prediction_loss(outputs, batch).mean()


@dataclass(frozen=True, slots=True)
class FirstStage:
    """A forecaster that has learned to predict, and what it takes to make it decide.

    The prices stay as they are from here on: a forecast that is no longer trained to be right about outcomes alone
    would price money wrongly, and a goal that moves makes the values of two epochs no longer comparable.

    Attributes:
        forecaster: The warm start, or without one an untrained forecaster.
        data: The units that are trained on.
        units: The same as tensors.
        guesses: What networks that have not seen these units say of them.
        prices: Of the budgets.
        spread: ``score_spread`` at these prices.
        unseen: Held-out units.
        value: Of decisions for them.
    """

    forecaster: Forecaster
    data: Responses
    units: Units
    guesses: Forecast
    prices: BudgetPrices
    spread: float
    unseen: Units
    value: DecisionValue

    @classmethod
    def of(cls, data: Responses, plan: Plan) -> Self:
        """Hold out some units, learn to predict from the others, and price the budgets by what was learned."""
        held_out = data.held_out(plan.validation_share, seed=plan.warm.seed)
        training, validation = data.take(~held_out), data.take(held_out)
        forecaster = Forecaster.untrained(training, hidden=plan.hidden, seed=plan.warm.seed, device=plan.device)
        units, unseen = forecaster.units(training), forecaster.units(validation)
        crossed = CrossFitted.fit(training, plan.warm, validation_share=plan.validation_share, device=plan.device)
        if plan.warm_start:
            forecaster.learn_to_predict(units, unseen, plan.warm)
        forecast = forecaster.predict_units(units) if plan.warm_start else crossed.out_of_fold
        prices = BudgetPrices.of(forecast, plan.budgets, plan.budget_weights)
        return cls(
            forecaster,
            training,
            units,
            crossed.out_of_fold,
            prices,
            score_spread(forecast, prices.prices),
            unseen,
            DecisionValue(UnbiasedLevels.of(validation, crossed.predict(validation.X)), prices),
        )

    def fine_tuned(self, plan: Plan) -> tuple[Forecaster, Training]:
        """A copy of the forecaster that has learned to decide, with the held-out value of its decisions."""
        forecaster = replace(self.forecaster, network=copy.deepcopy(self.forecaster.network))
        training = train(
            forecaster.network,
            self.guessed_units(plan),
            self.objective(plan),
            plan.schedule,
            value=lambda: self.held_out_value(forecaster),
            keep_last=plan.keep == "last",
        )
        return forecaster, training

    def held_out_value(self, forecaster: Forecaster) -> float:
        """Of the decisions of a forecaster, outcome units per unit."""
        return float(self.value.of_units(forecaster.predict_units(self.unseen)).mean())

    def guessed_units(self, plan: Plan) -> GuessedUnits:
        """The units that are trained on, as the loss of the plan guesses what was not seen."""
        means = self.guesses if plan.loss == "doubly_robust" else _baseline(self.guesses, plan.baseline)
        return GuessedUnits.of_units(self.units, UnbiasedLevels.of(self.data, means))

    def objective(self, plan: Plan) -> Objective:
        """What fine-tuning makes small."""
        tensor = partial(torch.tensor, dtype=torch.float32, device=self.forecaster.device)
        return Objective(
            self.forecaster.scales,
            decision_loss(plan.loss, plan.temperature * self.spread, self.spread),
            tensor(self.prices.prices),
            tensor(self.prices.weights),
            self.spread,
            plan.alpha,
        )


def decision_loss(loss: DecisionLoss, temperature: float, spread: float) -> LossOfScores:
    """The loss of that name; ``temperature`` and ``spread`` in outcome units."""
    if loss == "finite_difference":
        return partial(finite_difference_loss, floor=temperature)
    softness = spread if loss == "policy_learning" else temperature
    return lambda scores, rewards, arm: policy_loss(scores, rewards, temperature=softness)  # noqa: ARG005


def _baseline(forecast: Forecast, baseline: Baseline) -> Forecast:
    """The same level for every arm of a unit."""
    axis = 1 if baseline == "unit" else None
    outcome, cost = (
        np.broadcast_to(levels.mean(axis=axis, keepdims=True), levels.shape).astype(np.float32) for levels in forecast
    )
    return Forecast(outcome, cost)
