"""DFCL: a forecast that is trained for the decisions it leads to, besides for being right."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, get_args

from causal_tasks.allocation.network_model import NetworkModel
from causal_tasks.allocation.responses import Responses
from causal_tasks.errors import InputError

if TYPE_CHECKING:
    from causal_tasks.allocation.networks.fine_tuning import Plan
    from causal_tasks.allocation.networks.prices import BudgetPrices
    from causal_tasks.allocation.networks.training import Training

DecisionLoss = Literal["policy_learning", "maximum_entropy", "finite_difference", "doubly_robust"]
Baseline = Literal["unit", "constant"]
Keep = Literal["best", "last"]

_CHOICES = {"loss": get_args(DecisionLoss), "baseline": get_args(Baseline), "keep": get_args(Keep)}
_COUNTS = ("epochs", "warm_epochs", "n_jobs")


class DecisionFocused(NetworkModel):
    """A network that predicts outcome and cost of every arm and is fine-tuned on what its decisions are worth.

    First it learns to predict, as a two-stage method does. Then each of the budgets that are likely gets the price at
    which this forecast would spend it, and the network learns to take the arms that bring most net of their cost at
    these prices, a decision loss, while a prediction loss keeps its levels right. After each epoch the decisions are
    valued on held-out units of the experiment, and the best epoch is kept, the one before the first included: where the
    decision loss does not help there, the two-stage forecast stays, and ``notes_`` has
    ``decision_loss_did_not_help``.

    It helps where the network cannot represent the truth, such as a linear one (``hidden=()``), since then it can be
    right only in places, and the decision loss says where. A network that can be right everywhere has nothing to gain,
    and loses much without a baseline of the unit; see ``docs/allocation-measured.md``.

    The losses replace the pick of the best arm by something with a slope. What a unit would have brought in an arm that
    it was not in is guessed without bias from the randomisation, and how that is done matters more than which slope is
    taken. All guesses start from small networks that have not seen the unit:

    - ``policy_learning``: arms are drawn with softmax probabilities of temperature 1; guesses are inverse-propensity
      weighted, less a baseline.
    - ``maximum_entropy``: the same with ``temperature``.
    - ``finite_difference``: the change of value when one unit's pick changes to or from its own arm, over the change
      of scores that this takes.
    - ``doubly_robust``: the loss of ``maximum_entropy`` with augmented inverse-propensity guesses of every arm.

    Differences from the authors' notebook: outcomes are divided by the arm's probability in every loss; the finite
    difference reaches the predicted costs too; gaps and temperatures are relative.

    Args:
        loss: See above.
        budgets: What may be spent per unit, above zero; None: 10, 20, …, 60 % of the way from what everybody's cheapest
            arm costs to what the dearest does.
        budget_weights: How likely each budget is; None: all alike.
        alpha: Weight of the prediction loss, in which 1 is the loss of a constant, beside the decision loss, in which 1
            is a standard deviation of a unit's scores. Without it predicted costs lose their meaning, and an
            allocation made from them its hold on the budget.
        temperature: In standard deviations of a unit's scores: of the softmax, or the smallest gap that
            ``finite_difference`` divides by.
        baseline: ``unit``: what is foreseen for the unit, averaged over arms; ``constant``: the same for all units,
            which leaves the losses so noisy that they do harm. ``doubly_robust`` uses neither.
        hidden: Units of each hidden layer; () is a linear model.
        learning_rate: Of fine-tuning.
        warm_learning_rate: Of learning to predict.
        weight_decay: L2 penalty on all weights.
        batch_size: Units of a mini-batch in fine-tuning, whose gradients are noisier.
        warm_batch_size: The same in learning to predict.
        epochs: Passes over the units in fine-tuning, at most.
        warm_epochs: Passes over the units in learning to predict, at most.
        patience: Epochs without a better held-out value, after which either stage ends.
        validation_share: Share of every arm that is held out to decide when to stop and what to keep.
        warm_start: Whether it learns to predict first. False is for study.
        keep: ``best``: the epoch of the best held-out value; ``last``: all epochs are made and the last is kept, which
            is for study too.
        device: Where the networks are.
        n_jobs: Threads.
        random_state: Seed.

    Attributes:
        prices_: Budgets with their prices; not of a model that was loaded.
        training_: Held-out value of the decisions before fine-tuning and after every epoch, outcome units per unit,
            and which of them was kept; not of a model that was loaded.

    Source: Zhou et al. (2024), "Decision focused causal learning for direct counterfactual marketing optimization".
    """

    prices_: "BudgetPrices"
    training_: "Training"

    def __init__(
        self,
        loss: DecisionLoss = "doubly_robust",
        *,
        budgets: Sequence[float] | None = None,
        budget_weights: Sequence[float] | None = None,
        alpha: float = 10.0,
        temperature: float = 0.1,
        baseline: Baseline = "unit",
        hidden: Sequence[int] = (32, 32),
        learning_rate: float = 1e-3,
        warm_learning_rate: float = 3e-3,
        weight_decay: float = 1e-5,
        batch_size: int = 1024,
        warm_batch_size: int = 512,
        epochs: int = 30,
        warm_epochs: int = 100,
        patience: int = 10,
        validation_share: float = 0.2,
        warm_start: bool = True,
        keep: Keep = "best",
        device: Literal["cpu", "cuda"] = "cpu",
        n_jobs: int = 1,
        random_state: int = 0,
    ) -> None:
        self.loss = loss
        self.budgets = budgets
        self.budget_weights = budget_weights
        self.alpha = alpha
        self.temperature = temperature
        self.baseline = baseline
        self.hidden = hidden
        self.learning_rate = learning_rate
        self.warm_learning_rate = warm_learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.warm_batch_size = warm_batch_size
        self.epochs = epochs
        self.warm_epochs = warm_epochs
        self.patience = patience
        self.validation_share = validation_share
        self.warm_start = warm_start
        self.keep = keep
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _fit(self, data: Responses, logs: Responses | None) -> None:  # noqa: ARG002 - USES_LOGS is False
        from causal_tasks.allocation.networks.fine_tuning import FirstStage
        from causal_tasks.uplift.networks.trainer import threads

        self._require_parameters()
        with threads(self.n_jobs):
            first = FirstStage.of(data, self.plan)
            self.forecaster_, self.training_ = first.fine_tuned(self.plan)
        self.prices_ = first.prices
        self.notes_ += self.prices_.notes
        if self.training_.best == 0:
            self.notes_ += ("decision_loss_did_not_help",)

    @property
    def plan(self) -> "Plan":
        """The parameters as ``networks.fine_tuning`` takes them."""
        from causal_tasks.allocation.networks.fine_tuning import Plan

        return Plan(
            loss=self.loss,
            baseline=self.baseline,
            alpha=self.alpha,
            temperature=self.temperature,
            hidden=tuple(self.hidden),
            warm_start=self.warm_start,
            warm=replace(
                self._schedule,
                learning_rate=self.warm_learning_rate,
                batch_size=self.warm_batch_size,
                epochs=self.warm_epochs,
            ),
            schedule=self._schedule,
            keep=self.keep,
            validation_share=self.validation_share,
            budgets=self.budgets,
            budget_weights=self.budget_weights,
            device=self.device,
        )

    def _require_parameters(self) -> None:
        right = {
            **{name: getattr(self, name) in choices for name, choices in _CHOICES.items()},
            **{name: getattr(self, name) >= 1 for name in _COUNTS},
            "temperature": self.temperature > 0,
            "alpha": self.alpha >= 0,
            "validation_share": 0 < self.validation_share < 1,
        }
        if wrong := [name for name, is_right in right.items() if not is_right]:
            choices = "; ".join(f"{name} one of {', '.join(values)}" for name, values in _CHOICES.items())
            raise InputError(
                f"{type(self).__name__} has {', '.join(f'{name}={getattr(self, name)!r}' for name in wrong)}",
                remedy=f"make {choices}; temperature positive; alpha not negative; {', '.join(_COUNTS)} at least 1; "
                "and let validation_share lie between 0 and 1",
            )
