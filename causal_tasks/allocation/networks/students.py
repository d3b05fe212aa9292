"""Students of Bi-DFCL, one for each way to set the gates, from one teacher and one warm start."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, Self

import numpy as np

from causal_tasks.allocation.decision_focused import DecisionLoss
from causal_tasks.allocation.networks.bilevel import LearnedGates, UpperLevel
from causal_tasks.allocation.networks.cross_fitting import CrossFitted
from causal_tasks.allocation.networks.decision_value import DecisionValue, UnbiasedLevels
from causal_tasks.allocation.networks.distillation import Distillation, fixed_gates
from causal_tasks.allocation.networks.fine_tuning import GuessedUnits, Objective, decision_loss
from causal_tasks.allocation.networks.forecaster import Forecaster
from causal_tasks.allocation.networks.prices import BudgetPrices, score_spread
from causal_tasks.allocation.networks.training import Schedule, train
from causal_tasks.allocation.networks.units import Units
from causal_tasks.allocation.pooled import joined
from causal_tasks.allocation.responses import Responses

Surrogate = Literal["policy", "finite_difference"]

_LOSSES: Mapping[Surrogate, DecisionLoss] = {"policy": "maximum_entropy", "finite_difference": "finite_difference"}

UPPER_BATCH = 8_192
"""Units of the experiment that one step of the bridge looks at, at most."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How teacher and students are trained.

    Attributes:
        hidden: Units of each hidden layer.
        warm: Schedule of the teacher, and of the student on the logs alone.
        schedule: Of the student with a teacher.
        validation_share: Held-out share of either kind of units.
        budgets: Per unit; None: the default ones.
        budget_weights: How likely each is.
        surrogate: Loss of the upper level.
        temperature: Of it, in standard deviations of the gaps between scores.
        every: As of ``LearnedGates``, and the next three too.
        cg_steps: ``steps``.
        damping: ``damping``.
        bridge_learning_rate: ``learning_rate``.
        device: Where the networks are.
    """

    hidden: tuple[int, ...]
    warm: Schedule
    schedule: Schedule
    validation_share: float
    budgets: Sequence[float] | None
    budget_weights: Sequence[float] | None
    surrogate: Surrogate
    temperature: float
    every: int
    cg_steps: int
    damping: float
    bridge_learning_rate: float
    device: str


class Student(NamedTuple):
    """A trained student.

    Attributes:
        forecaster: The student.
        value: Of its decisions for the held-out units of the experiment, outcome units per unit.
        epoch: Of the second stage that was best; 0: none.
    """

    forecaster: Forecaster
    value: float
    epoch: int


@dataclass(frozen=True, slots=True)
class Preparation:
    """What students with different gates share.

    Attributes:
        student: After its first stage, on the logs alone.
        distillation: The lower level, with the teacher.
        experiment: Units that the upper level looks at.
        budgets: For which students must decide well, at the teacher's prices.
        spread: Of the teacher's scores at these.
        logs: Units of the logs that are learned from.
        held_out: Units of the experiment that decide when to stop.
        value: Of their decisions.
        plan: Of training.
    """

    student: Forecaster
    distillation: Distillation
    experiment: GuessedUnits
    budgets: BudgetPrices
    spread: float
    logs: Units
    held_out: Units
    value: DecisionValue
    plan: Plan

    @classmethod
    def of(cls, experiment: Responses, logs: Responses, plan: Plan) -> Self:
        """Train the teacher on the experiment and the student on the logs.

        All networks read one encoding, of the units of both that are trained on.
        """
        parts = _Parts.of(experiment, logs, plan)
        student = Forecaster.untrained(parts.training, hidden=plan.hidden, seed=plan.warm.seed, device=plan.device)
        teacher = student.another(plan.warm.seed + 1)
        units, held_out = teacher.units(parts.experiment), teacher.units(parts.experiment_held_out)
        teacher.learn_to_predict(units, held_out, plan.warm)
        logged = student.units(parts.logs)
        student.learn_to_predict(logged, student.units(parts.logs_held_out), plan.warm)
        guesses = CrossFitted.fit(
            parts.experiment, plan.warm, validation_share=plan.validation_share, device=plan.device
        )
        forecast = teacher.predict_units(units)
        budgets = BudgetPrices.of(forecast, plan.budgets, plan.budget_weights)
        means = guesses.predict(parts.experiment_held_out.X)
        return cls(
            student,
            Distillation(student.scales, teacher.network),
            GuessedUnits.of_units(units, UnbiasedLevels.of(parts.experiment, guesses.out_of_fold)),
            budgets,
            score_spread(forecast, budgets.prices),
            logged,
            held_out,
            DecisionValue(UnbiasedLevels.of(parts.experiment_held_out, means), budgets),
            plan,
        )

    def trained(self, gate: Literal["learned"] | float) -> Student:
        """A student with learned gates or with a constant one."""
        student = replace(self.student, network=copy.deepcopy(self.student.network))
        gates = self._learned(student) if isinstance(gate, str) else fixed_gates(gate)
        training = train(
            student.network,
            self.logs,
            lambda outputs, batch: self.distillation.loss(outputs, batch, gates(batch)).mean(),
            self.plan.schedule,
            value=lambda: float(self.value.of_units(student.predict_units(self.held_out)).mean()),
        )
        return Student(student, training.values[training.best], training.best)

    def _learned(self, student: Forecaster) -> LearnedGates:
        plan = self.plan
        tensor = self.experiment.outcome.new_tensor
        objective = Objective(
            student.scales,
            decision_loss(_LOSSES[plan.surrogate], plan.temperature * self.spread, self.spread),
            tensor(self.budgets.prices),
            tensor(self.budgets.weights),
            self.spread,
            alpha=0.0,
        )
        return LearnedGates(
            student,
            self.distillation,
            UpperLevel(self.experiment, self.budgets, objective, UPPER_BATCH),
            student.another(plan.schedule.seed + 2).network,
            every=plan.every,
            steps=plan.cg_steps,
            damping=plan.damping,
            learning_rate=plan.bridge_learning_rate,
            seed=plan.schedule.seed,
        )


class _Parts(NamedTuple):
    """Units with one set of features, by what they are for."""

    experiment: Responses
    experiment_held_out: Responses
    logs: Responses
    logs_held_out: Responses
    training: Responses

    @classmethod
    def of(cls, experiment: Responses, logs: Responses, plan: Plan) -> Self:
        both = joined(experiment, logs)
        held_out = np.concatenate(
            [rows.held_out(plan.validation_share, seed=plan.schedule.seed) for rows in (experiment, logs)]
        )
        randomised = np.arange(len(both)) < len(experiment)
        return cls(
            both.take(randomised & ~held_out),
            both.take(randomised & held_out),
            both.take(~randomised & ~held_out),
            both.take(~randomised & held_out),
            both.take(~held_out),
        )
