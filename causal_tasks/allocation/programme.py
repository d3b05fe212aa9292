"""One arm for every cluster while the budget is still uncertain: a stochastic integer programme, solved exactly."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_tasks.allocation.cluster_means import ClusterMeans
from causal_tasks.allocation.plan_steps import Steps
from causal_tasks.errors import InputError

Arms = NDArray[np.intp]
Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]

_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Scenarios:
    """A budget that is not known yet.

    Attributes:
        budgets: Shape (S,), per unit.
        weights: Shape (S,), how likely each is, together 1.
    """

    budgets: Vector
    weights: Vector

    @property
    def mean(self) -> float:
        """The mean budget."""
        return float(self.budgets @ self.weights)

    @classmethod
    def certain(cls, budget: float) -> Self:
        """A budget that is known."""
        return cls(np.array([budget]), np.ones(1))

    def exceeded_at_most(self, probability: float) -> float:
        """The largest cost that the budget falls short of with at most this probability; infinite for 1."""
        if probability >= 1:
            return math.inf
        short = np.array([self.weights[self.budgets < budget].sum() for budget in self.budgets])
        return float(self.budgets[short <= probability + _TOLERANCE].max())


@dataclass(frozen=True, slots=True)
class Plan:
    """An arm for every cluster, and how far each budget allows to follow it.

    Outcomes and costs are per unit, as the means foretell.

    Attributes:
        arm: Shape (K,).
        otherwise: Shape (K,), the cheapest arm: for units that do not get the planned one.
        kept: Shape (S, K), share of the cluster's units that get the planned arm under each budget.
        outcome: Shape (S,), under each budget.
        cost: Shape (S,).
    """

    arm: Arms
    otherwise: Arms
    kept: Matrix
    outcome: Vector
    cost: Vector


@dataclass(frozen=True, slots=True)
class Programme:
    """Plans for an uncertain budget, and what they are expected to bring; outcomes are per unit, as the means foretell.

    These are the numbers that plans were chosen by, so they are too good on average: an experiment's held-out units
    tell what a plan really brings.

    Attributes:
        scenarios: The budgets.
        by_budget: Best plan for each of them alone: the assignment waits until the budget is known.
        shared: Best plan for all of them: the assignment is made before.
        for_mean: Best plan for the mean budget, followed under each of them.
    """

    scenarios: Scenarios
    by_budget: tuple[Plan, ...]
    shared: Plan
    for_mean: Plan

    @property
    def expected_outcome(self) -> dict[str, float]:
        """Mean over budgets of what the plans bring: ``by_budget``, ``shared`` and ``for_mean``."""
        outcomes = {
            "by_budget": np.concatenate([each.outcome for each in self.by_budget]),
            "shared": self.shared.outcome,
            "for_mean": self.for_mean.outcome,
        }
        return {name: float(self.scenarios.weights @ values) for name, values in outcomes.items()}

    @property
    def value_of_stochastic_solution(self) -> float:
        """What planning for all budgets brings beyond planning for their mean.

        It is below zero only where ``overrun`` or ``caution`` restrained the plans.
        """
        expected = self.expected_outcome
        return expected["shared"] - expected["for_mean"]

    @property
    def value_of_perfect_information(self) -> float:
        """What knowing the budget before the assignment would bring."""
        expected = self.expected_outcome
        return expected["by_budget"] - expected["shared"]

    def table(self, labels: Sequence[Any], *, shared: bool) -> pd.DataFrame:
        """What to give a unit of a cluster under a budget.

        Args:
            labels: Of the arms.
            shared: Whether by the shared plan, else by that of the budget.

        Returns:
            One row for each budget and cluster: ``budget`` per unit, ``cluster``, ``arm``, the ``share`` of the units
            that get it, to be drawn at random, and the arm ``otherwise`` of the rest.
        """
        names = np.array(labels, dtype=object)
        plans = [self.shared] * len(self.by_budget) if shared else self.by_budget
        kept = self.shared.kept if shared else np.concatenate([each.kept for each in self.by_budget])
        rows = zip(self.scenarios.budgets, plans, kept, strict=True)
        return pd.concat(
            [
                pd.DataFrame(
                    {
                        "budget": budget,
                        "cluster": np.arange(len(share)),
                        "arm": names[each.arm],
                        "share": share,
                        "otherwise": names[each.otherwise],
                    }
                )
                for budget, each, share in rows
            ],
            ignore_index=True,
        )


def solve_programme(
    means: ClusterMeans, scenarios: Scenarios, *, overrun: float = 1.0, caution: float = 0.0
) -> Programme:
    """All plans for an uncertain budget.

    Args:
        means: Of the clusters.
        scenarios: The budgets.
        overrun: Of the shared plan, see there.
        caution: Of all plans.

    Raises:
        InputError: As for ``shared_plan``.

    Source: Birge, Louveaux (2011), "Introduction to stochastic programming", chapter 4, for the two differences.
    """
    by_budget = tuple(
        shared_plan(means, Scenarios.certain(float(budget)), caution=caution) for budget in scenarios.budgets
    )
    for_mean = shared_plan(means, Scenarios.certain(scenarios.mean), caution=caution)
    return Programme(
        scenarios,
        by_budget,
        shared_plan(means, scenarios, overrun=overrun, caution=caution),
        follow(means, for_mean.arm, scenarios),
    )


def shared_plan(means: ClusterMeans, scenarios: Scenarios, *, overrun: float = 1.0, caution: float = 0.0) -> Plan:
    """The best arm of every cluster for all budgets at once.

    When the budget has become known and does not suffice, the plan is cut: in some clusters only a share of the units
    get the planned arm, the others the cheapest one, so that the least is lost. With z the plan and y what is kept of
    it, this is the two-stage programme

        max  sum_s weight_s sum_k share_k sum_j y_skj (outcome_kj - outcome_k0)
        s.t. sum_k share_k sum_j y_skj (cost_kj - cost_k0) <= budget_s - sum_k share_k cost_k0  for every s,
             0 <= y_skj <= z_kj,  sum_j z_kj <= 1,  z_kj in {0, 1},

    arm 0 being the cheapest of the cluster. Arms that bring no more than a cheaper one are left out of it.

    Args:
        means: Of the clusters.
        scenarios: The budgets; ``Scenarios.certain`` for one that is known.
        overrun: Largest probability that the plan has to be cut (a chance constraint): 0: it fits every budget with
            whole clusters; 1: it may always cost more than the budget.
        caution: Standard errors that outcomes are taken lower and costs higher than their means, so that an arm of
            which little is known must promise more; 0: none.

    Raises:
        InputError: A budget is below what the cheapest arms cost, ``overrun`` is no probability, ``caution`` is
            negative, or no plan was proven best within a minute.
    """
    if not 0 <= overrun <= 1:
        raise InputError(f"overrun is {overrun}", remedy="use a probability from 0 to 1")
    if not caution >= 0:
        raise InputError(f"caution is {caution}", remedy="use a number of standard errors from 0 on")
    cautious = means.outcome - caution * means.outcome_error, means.cost + caution * means.cost_error
    steps = Steps.of(means.share, *cautious)
    left = _left(steps, scenarios)
    arm = steps.best(left, scenarios.weights, largest=scenarios.exceeded_at_most(overrun) - steps.base_cost)
    planned = follow(means, arm, scenarios)
    # An arm that no budget suffices for is no part of the plan.
    return follow(means, np.where(planned.kept.any(axis=0), arm, planned.otherwise), scenarios)


def follow(means: ClusterMeans, arm: Arms, scenarios: Scenarios) -> Plan:
    """A plan that is cut where a budget does not suffice, as in ``shared_plan``.

    Args:
        means: Of the clusters.
        arm: Shape (K,).
        scenarios: The budgets.

    Raises:
        InputError: A budget is below what the cheapest arms cost.
    """
    steps = Steps.of(means.share, means.outcome, means.cost)
    kept = steps.kept(arm, _left(steps, scenarios))
    rows = np.arange(len(arm))
    return Plan(
        arm,
        steps.cheapest,
        kept,
        steps.base_outcome + kept @ steps.gain[rows, arm],
        steps.base_cost + kept @ steps.extra[rows, arm],
    )


def _left(steps: Steps, scenarios: Scenarios) -> Vector:
    """What each budget leaves beyond the cheapest arms, shape (S,)."""
    smallest = float(scenarios.budgets.min())
    if smallest < steps.base_cost * (1 - _TOLERANCE):
        raise InputError(
            f"a budget of {smallest:g} per unit is below {steps.base_cost:g}, what the cheapest arm of every cluster "
            "costs",
            remedy="raise the budget, or add an arm that costs less",
        )
    return np.maximum(scenarios.budgets - steps.base_cost, 0.0)
