"""Solvers of the multiple-choice knapsack behind every allocation."""

from causal_tasks.allocation.knapsack.allocation import Allocation
from causal_tasks.allocation.knapsack.limits import Guardrail
from causal_tasks.allocation.knapsack.path import BudgetPath, budget_path
from causal_tasks.allocation.knapsack.solver import allocate

__all__ = ["Allocation", "BudgetPath", "Guardrail", "allocate", "budget_path"]
