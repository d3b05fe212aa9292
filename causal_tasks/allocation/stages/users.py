"""What the stages read of the users: features, arm, part, what they brought and what they cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_tasks.allocation.responses import Responses
from causal_tasks.allocation.statement import stated_budgeting
from causal_tasks.base_models import DesignMatrix
from causal_tasks.data.columns import outcome_columns
from causal_tasks.data.parts import FOLDS
from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment, Metric
from causal_tasks.run_folder import StageContext
from causal_tasks.uplift.outcome import outcome_baseline, user_outcome

LAST_FOLD = FOLDS - 1
"""Fold of the discovery part on which methods are compared; they are fitted on the others."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Money:
    """The two metrics behind a budget.

    Attributes:
        outcome: What is to be gained.
        cost: What each user cost; None where arms have prices.
        prices: By arm, 0 where none is stated; None where the cost is a metric.
    """

    outcome: Metric
    cost: Metric | None
    prices: dict[str, float] | None

    @classmethod
    def of(cls, experiment: Experiment) -> Self:
        """What the experiment states.

        Raises:
            InputError: It states no budgeting, or the cost is a ratio or capped.
        """
        budgeting = stated_budgeting(experiment)
        by_name = {metric.name: metric for metric in experiment.metrics}
        cost = by_name[budgeting.cost] if budgeting.cost else None
        if cost and cost.is_ratio:
            raise InputError(
                f"budgeting.cost {cost.name!r} is a ratio", remedy="name a metric that adds up over users, in money"
            )
        if cost and cost.cap:
            raise InputError(
                f"budgeting.cost {cost.name!r} has a cap: what exceeds it would be spent without being counted",
                remedy="state the cost as a metric without cap",
            )
        prices = None if budgeting.prices is None else {arm: budgeting.prices.get(arm, 0.0) for arm in experiment.arms}
        outcome = by_name[budgeting.outcome] if budgeting.outcome else experiment.primary
        return cls(outcome, cost, prices)


@dataclass(frozen=True, slots=True)
class BudgetUsers:
    """Users of a run.

    Attributes:
        frame: ``unit``, ``cluster`` where units were randomised together, and features.
        outcome: Shape (n,), benefit scale, so that larger is better; NaN where a user has none.
        cost: Shape (n,), NaN where a user has none.
        arm: Shape (n,), position in ``Experiment.arms``.
        discovery: Shape (n,).
        fold: Shape (n,).
        money: What outcome and cost are.
        experiment: The experiment.
    """

    frame: pd.DataFrame
    outcome: NDArray[np.float64]
    cost: NDArray[np.float64]
    arm: NDArray[np.intp]
    discovery: Mask
    fold: NDArray[np.int8]
    money: Money
    experiment: Experiment

    @classmethod
    def read(cls, context: StageContext, features: Sequence[str] = ()) -> Self:
        """The users of the run, with these features.

        Raises:
            InputError: As for ``Money.of``, or the outcome is a ratio without a denominator.
        """
        experiment = context.experiment
        money = Money.of(experiment)
        columns = ["unit", "arm", "part", "fold", *features, *outcome_columns(money.outcome)]
        columns += outcome_columns(money.cost) if money.cost else ()
        columns += ["cluster"] if experiment.cluster else []
        frame = context.read_table("prepare", "users", columns)
        arm = pd.Index(experiment.arms).get_indexer(frame["arm"].astype("str"))
        outcome = user_outcome(frame, money.outcome, control=experiment.control)
        outcome = outcome + outcome_baseline(frame, money.outcome, control=experiment.control)
        if money.cost:
            cost = user_outcome(frame, money.cost, control=experiment.control)
        else:
            cost = np.array([(money.prices or {})[label] for label in experiment.arms])[arm]
        return cls(
            frame[[name for name in ("unit", "cluster", *features) if name in frame]],
            money.outcome.benefit(outcome),
            cost,
            arm,
            (frame["part"] == "discovery").to_numpy(dtype=bool),
            frame["fold"].to_numpy(),
            money,
            experiment,
        )

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def known(self) -> Mask:
        """Shape (n,), who has both an outcome and a cost."""
        known: Mask = ~np.isnan(self.outcome) & ~np.isnan(self.cost)
        return known

    @property
    def fitted(self) -> Mask:
        """Shape (n,), on whom methods are fitted."""
        return self.discovery & (self.fold < LAST_FOLD) & self.known

    @property
    def compared(self) -> Mask:
        """Shape (n,), on whom methods are compared."""
        last: Mask = self.fold == LAST_FOLD
        return self.discovery & last & self.known

    @property
    def measured(self) -> Mask:
        """Shape (n,), on whom the chosen method is measured."""
        measured: Mask = ~self.discovery & self.known
        return measured

    @property
    def labels(self) -> NDArray[np.object_]:
        """Shape (n,), arm labels."""
        return np.array(self.experiment.arms, dtype=object)[self.arm]

    def responses(self, rows: Mask, X: DesignMatrix) -> Responses:
        """What a method is fitted on.

        Args:
            rows: Who, all of them ``known``.
            X: Their features.

        Raises:
            InputError: As for ``Responses.checked``.
        """
        prices = self.money.prices
        return Responses.checked(
            X,
            self.outcome[rows],
            self.labels[rows],
            cost=self.cost[rows] if prices is None else prices,
            propensity=self.experiment.expected_shares,
            arms=self.experiment.arms,
        )
