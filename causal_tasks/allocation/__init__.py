"""Spends a budget over arms: what each unit brings and costs under every arm, and who gets which."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from causal_tasks.allocation.bilevel import BilevelDecisionFocused
    from causal_tasks.allocation.clusters import ClusterAllocation
    from causal_tasks.allocation.comparison import compare_forecasts
    from causal_tasks.allocation.cost_curves import aucc, cost_curve
    from causal_tasks.allocation.decision_factor import DecisionFactor
    from causal_tasks.allocation.decision_focused import DecisionFocused
    from causal_tasks.allocation.expected_outcomes import expected_outcome
    from causal_tasks.allocation.forecast import Forecast
    from causal_tasks.allocation.knapsack import Allocation, BudgetPath, Guardrail, allocate, budget_path
    from causal_tasks.allocation.methods import budget_model, load_budget_model
    from causal_tasks.allocation.pooled import PooledTwoStage
    from causal_tasks.allocation.responses import Responses
    from causal_tasks.allocation.two_stage import TwoStage

__all__ = [
    "Allocation",
    "BilevelDecisionFocused",
    "BudgetPath",
    "ClusterAllocation",
    "DecisionFactor",
    "DecisionFocused",
    "Forecast",
    "Guardrail",
    "PooledTwoStage",
    "Responses",
    "TwoStage",
    "allocate",
    "aucc",
    "budget_model",
    "budget_path",
    "compare_forecasts",
    "cost_curve",
    "expected_outcome",
    "load_budget_model",
]

_HOMES = {
    "Allocation": "knapsack",
    "BilevelDecisionFocused": "bilevel",
    "BudgetPath": "knapsack",
    "ClusterAllocation": "clusters",
    "DecisionFactor": "decision_factor",
    "DecisionFocused": "decision_focused",
    "Forecast": "forecast",
    "Guardrail": "knapsack",
    "PooledTwoStage": "pooled",
    "Responses": "responses",
    "TwoStage": "two_stage",
    "allocate": "knapsack",
    "aucc": "cost_curves",
    "budget_model": "methods",
    "budget_path": "knapsack",
    "compare_forecasts": "comparison",
    "cost_curve": "cost_curves",
    "expected_outcome": "expected_outcomes",
    "load_budget_model": "methods",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
