"""Bi-DFCL: learn from many logs, and let a small experiment decide how far to trust them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from causal_tasks.allocation.network_model import NetworkModel
from causal_tasks.allocation.pooled import required
from causal_tasks.allocation.responses import Responses
from causal_tasks.errors import InputError

if TYPE_CHECKING:
    from causal_tasks.allocation.networks.students import Plan

LEARNED: Literal["learned"] = "learned"

Gate = Literal["learned"] | float

_COUNTS = ("every", "cg_steps", "batch_size", "epochs", "warm_epochs", "patience", "n_jobs")
_POSITIVE = ("temperature", "learning_rate", "bridge_learning_rate", "warm_learning_rate")
_NOT_NEGATIVE = ("damping", "weight_decay")


class BilevelDecisionFocused(NetworkModel):
    """A network that learns from logs what was seen and from a teacher what was not, as far as that helps decisions.

    The teacher is a two-stage network that has seen only the experiment: unbiased, but noisy. The student, of the same
    shape, first learns from the logs, many but biased. Then it learns from both: of a logged unit the outcome and cost
    in the arm that was taken, and the teacher's for all other arms, each with a weight, its gate, between 0 and 1. A
    further network, the bridge, opens the gates, and learns which of them let the student decide well in the
    experiment. Training ends with the student that was worth most on units of the experiment that were held out, at
    the declared budgets; that may be the one that knows the logs alone.

    What biases the logs cannot be seen in them. A hidden reason for the choice of arms that adds to the outcome, or
    attention that depends on where an arm was shown, makes the factual outcomes of an arm wrong in every cell, and the
    gates have no power over factual outcomes: they mend the arms that a unit was not in, as far as the teacher is
    right, and the student averages both. So a student may end up worse than its teacher, as with the position bias of
    ``docs/allocation-measured.md``: compare with ``TwoStage("network")`` on the experiment alone. Where the experiment
    is too small for a teacher that ranks units, nothing in it can tell a good gate from a bad one either.

    Whether learned gates are better than a constant is not taken for granted: students with ``fixed_gates`` are trained
    the same way, and the one of the largest held-out value is kept.

    Args:
        surrogate: Loss of decisions on the upper level: ``policy`` draws arms with softmax probabilities,
            ``finite_difference`` divides the change of value by the change of scores that flips a decision.
        gate: ``learned``, or the same gate for every unit and arm; 0 leaves the teacher out.
        fixed_gates: Gates that the learned ones must beat on the held-out units; none: they are kept in any case.
        budgets: What may be spent per unit, above zero; None: 10 to 60 % of the dearest arm's cost for everybody.
        budget_weights: How likely each budget is; None: all alike.
        temperature: Of the softmax, or the smallest gap to divide by, in standard deviations of the gaps between arms.
        every: Batches between two steps of the bridge.
        cg_steps: Of conjugate gradients, at most.
        damping: Of the Hessian of the lower loss.
        hidden: Units of each hidden layer, of the teacher, the student and the bridge; () is a linear model.
        learning_rate: Of the student's second stage.
        bridge_learning_rate: Of the bridge.
        warm_learning_rate: Of the teacher and of the student's first stage.
        weight_decay: L2 penalty on the weights of teacher and student.
        batch_size: Units of a mini-batch.
        epochs: Passes over the logs in the second stage, at most.
        warm_epochs: Passes over the experiment or the logs in the first stage, at most.
        patience: Epochs without a better held-out value, after which a stage ends.
        validation_share: Share of every arm of the experiment that decides when to stop, and which gates are kept; of
            the logs it decides how long the student learns from them alone.
        device: Where the networks are.
        n_jobs: Threads.
        random_state: Seed.

    Attributes:
        chosen_gate_: ``learned`` or the fixed gate that was kept.
        gate_values_: Value of every gate on the held-out units, outcome units per unit: what was chosen by.

    Source: "Bi-level decision-focused causal learning for large-scale marketing optimization" (2025), arXiv 2510.19517,
    who name it Bi-DFCL.
    """

    USES_LOGS: ClassVar[bool] = True

    chosen_gate_: Gate
    gate_values_: Mapping[Gate, float]

    def __init__(
        self,
        *,
        surrogate: Literal["policy", "finite_difference"] = "policy",
        gate: Gate = LEARNED,
        fixed_gates: Sequence[float] = (0.0, 0.5, 1.0),
        budgets: Sequence[float] | None = None,
        budget_weights: Sequence[float] | None = None,
        temperature: float = 0.3,
        every: int = 5,
        cg_steps: int = 20,
        damping: float = 1e-2,
        hidden: Sequence[int] = (32, 32),
        learning_rate: float = 1e-3,
        bridge_learning_rate: float = 1e-2,
        warm_learning_rate: float = 3e-3,
        weight_decay: float = 1e-5,
        batch_size: int = 512,
        epochs: int = 12,
        warm_epochs: int = 60,
        patience: int = 8,
        validation_share: float = 0.2,
        device: Literal["cpu", "cuda"] = "cpu",
        n_jobs: int = 1,
        random_state: int = 0,
    ) -> None:
        self.surrogate = surrogate
        self.gate = gate
        self.fixed_gates = fixed_gates
        self.budgets = budgets
        self.budget_weights = budget_weights
        self.temperature = temperature
        self.every = every
        self.cg_steps = cg_steps
        self.damping = damping
        self.hidden = hidden
        self.learning_rate = learning_rate
        self.bridge_learning_rate = bridge_learning_rate
        self.warm_learning_rate = warm_learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.epochs = epochs
        self.warm_epochs = warm_epochs
        self.patience = patience
        self.validation_share = validation_share
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _fit(self, data: Responses, logs: Responses | None) -> None:
        from causal_tasks.allocation.networks.students import Preparation
        from causal_tasks.uplift.networks.trainer import threads

        self._require_parameters()
        logged = required(logs, of=type(self).__name__)
        gates: tuple[Gate, ...] = (self.gate, *self.fixed_gates) if self.gate == LEARNED else (self.gate,)
        with threads(self.n_jobs):
            preparation = Preparation.of(data, logged, self.plan)
            students = {gate: preparation.trained(gate) for gate in gates}
        self.gate_values_ = {gate: student.value for gate, student in students.items()}
        self.chosen_gate_ = max(students, key=lambda gate: students[gate].value)
        self.forecaster_ = students[self.chosen_gate_].forecaster
        self.notes_ += preparation.budgets.notes
        if self.chosen_gate_ != self.gate:
            self.notes_ += (f"learned_gate_no_better:{self.chosen_gate_}",)
        if students[self.chosen_gate_].epoch == 0:
            self.notes_ += ("teacher_did_not_help",)

    @property
    def plan(self) -> "Plan":
        """The parameters as ``networks.students`` takes them."""
        from causal_tasks.allocation.networks.students import Plan

        return Plan(
            hidden=tuple(self.hidden),
            warm=replace(self._schedule, learning_rate=self.warm_learning_rate, epochs=self.warm_epochs),
            schedule=self._schedule,
            validation_share=self.validation_share,
            budgets=self.budgets,
            budget_weights=self.budget_weights,
            surrogate=self.surrogate,
            temperature=self.temperature,
            every=self.every,
            cg_steps=self.cg_steps,
            damping=self.damping,
            bridge_learning_rate=self.bridge_learning_rate,
            device=self.device,
        )

    def _require_parameters(self) -> None:
        right = {
            "surrogate": self.surrogate in {"policy", "finite_difference"},
            "gate": self.gate == LEARNED or _is_share(self.gate),
            "fixed_gates": all(map(_is_share, self.fixed_gates)),
            "hidden": all(units >= 1 for units in self.hidden),
            "validation_share": 0 < self.validation_share < 1,
            **{name: getattr(self, name) >= 1 for name in _COUNTS},
            **{name: getattr(self, name) > 0 for name in _POSITIVE},
            **{name: getattr(self, name) >= 0 for name in _NOT_NEGATIVE},
        }
        if wrong := [name for name, is_right in right.items() if not is_right]:
            raise InputError(
                f"{type(self).__name__} has {', '.join(f'{name}={getattr(self, name)!r}' for name in wrong)}",
                remedy=f"make surrogate policy or finite_difference, gate {LEARNED} or a number from 0 to 1 and "
                f"fixed_gates such numbers, hidden and {', '.join(_COUNTS)} at least 1, {', '.join(_POSITIVE)} "
                f"positive, {', '.join(_NOT_NEGATIVE)} not negative, and let validation_share lie between 0 and 1",
            )

    def _write(self, folder: Path) -> dict[str, Any]:
        values = [[gate, value] for gate, value in self.gate_values_.items()]
        return super()._write(folder) | {"chosen_gate": self.chosen_gate_, "gate_values": values}

    def _read(self, folder: Path, state: Mapping[str, Any]) -> None:
        super()._read(folder, state)
        self.chosen_gate_ = state["chosen_gate"]
        self.gate_values_ = dict(state["gate_values"])


def _is_share(gate: object) -> bool:
    return isinstance(gate, int | float) and 0 <= gate <= 1
