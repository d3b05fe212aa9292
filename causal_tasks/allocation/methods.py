"""The methods that an experiment can name to have a budget spent, with the parameters they start from."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from causal_tasks.allocation.budget_model import BudgetModel
from causal_tasks.errors import InputError
from causal_tasks.uplift.saved_model import ModelDescription

BASELINE = "two_stage_t_lightgbm"
"""What is compared with where a statement names no two-stage method."""

_PACKAGE = "causal_tasks.allocation"
_TWO_STAGE = "two_stage_"


@dataclass(frozen=True, slots=True)
class Method:
    """A class of models and the parameters that make it this method.

    Attributes:
        model: ``module:class``, resolved when the method is used.
        parameters: Of the class; others keep their defaults.
    """

    model: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def resolve(self) -> type[BudgetModel]:
        """The class behind ``model``."""
        module, _, name = self.model.partition(":")
        found: type[BudgetModel] = getattr(import_module(module), name)
        return found


_DECISION_FOCUSED = f"{_PACKAGE}.decision_focused:DecisionFocused"
_BILEVEL = f"{_PACKAGE}.bilevel:BilevelDecisionFocused"
_CLUSTERS = f"{_PACKAGE}.clusters:ClusterAllocation"

METHODS: Mapping[str, Method] = {
    "two_stage_network": Method(f"{_PACKAGE}.two_stage:TwoStage", {"model": "network"}),
    "decision_factor": Method(f"{_PACKAGE}.decision_factor:DecisionFactor"),
    "decision_focused": Method(_DECISION_FOCUSED),
    "decision_focused_policy_learning": Method(_DECISION_FOCUSED, {"loss": "policy_learning"}),
    "decision_focused_maximum_entropy": Method(_DECISION_FOCUSED, {"loss": "maximum_entropy"}),
    "decision_focused_finite_difference": Method(_DECISION_FOCUSED, {"loss": "finite_difference"}),
    "bilevel": Method(_BILEVEL),
    "bilevel_gate_50": Method(_BILEVEL, {"gate": 0.5}),
    "pooled": Method(f"{_PACKAGE}.pooled:PooledTwoStage"),
    "clusters": Method(_CLUSTERS),
    "clusters_uplift": Method(_CLUSTERS, {"on": "uplift"}),
}
"""By name; besides these ``two_stage_<candidate>`` for every name in ``causal_tasks.uplift.candidates.CANDIDATES``."""


def method(name: str) -> Method:
    """The method of that name.

    Raises:
        InputError: There is none.
    """
    if name in METHODS:
        return METHODS[name]
    if name.startswith(_TWO_STAGE) and name.removeprefix(_TWO_STAGE) in _candidates():
        return Method(f"{_PACKAGE}.two_stage:TwoStage", {"model": name.removeprefix(_TWO_STAGE)})
    raise InputError(
        f"budgeting.methods: {name!r} is unknown",
        remedy=f"use some of {', '.join(METHODS)}, or {_TWO_STAGE}<candidate> with one of {', '.join(_candidates())}",
    )


def is_two_stage(name: str) -> bool:
    """Whether the method predicts outcome and cost from the experiment alone, without a thought of the decision."""
    return name.startswith(_TWO_STAGE)


def together(name: str) -> str:
    """What the method shares with others: those of one class may be fitted one after the other in one process."""
    return method(name).model


def budget_model(
    name: str,
    *,
    budgets: Sequence[float] | None = None,
    weights: Sequence[float] | None = None,
    device: Literal["cpu", "cuda"] = "cpu",
    n_jobs: int = 1,
    random_state: int = 0,
) -> BudgetModel:
    """The unfitted model of a method.

    Args:
        name: One of ``METHODS``, or ``two_stage_<candidate>``.
        budgets: Per unit, for which a method that asks for budgets is trained; None: as its class says.
        weights: How likely each of them is; None: all alike.
        device: Where it is fitted.
        n_jobs: Threads.
        random_state: Seed.

    Raises:
        InputError: There is no method of that name.
    """
    found = method(name)
    model = found.resolve()
    where: dict[str, Any] = {"device": device, "n_jobs": n_jobs, "random_state": random_state}
    if "budgets" in inspect.signature(model).parameters:
        where |= {"budgets": budgets, "budget_weights": weights}
    return model(**found.parameters, **where)


def load_budget_model(folder: Path) -> BudgetModel:
    """The model, of whatever class, that ``save`` wrote to ``folder``.

    Raises:
        InputError: The class is unknown, or as for its ``load``.
    """
    name = ModelDescription.read(folder).learner
    homes = {found.model.partition(":")[2]: found for found in METHODS.values()}
    if name not in homes:
        raise InputError(f"{folder} holds a {name}", remedy=f"load one of {', '.join(homes)}")
    return homes[name].resolve().load(folder)


@cache
def _candidates() -> tuple[str, ...]:
    from causal_tasks.uplift.candidates import CANDIDATES

    return tuple(CANDIDATES)
