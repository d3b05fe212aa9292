"""Groups of users who respond differently: found on one part of the users, proven on the other."""

from causal_tasks.evaluation.estimate import Estimate
from causal_tasks.rule import Rule
from causal_tasks.subpopulations.guardrails import Guardrail
from causal_tasks.subpopulations.mining import mine
from causal_tasks.subpopulations.ratio import Ratio
from causal_tasks.subpopulations.records import ExaminedRule, Mining, Subpopulation, TreeNode
from causal_tasks.subpopulations.rules import grow_tree

__all__ = [
    "Estimate",
    "ExaminedRule",
    "Guardrail",
    "Mining",
    "Ratio",
    "Rule",
    "Subpopulation",
    "TreeNode",
    "grow_tree",
    "mine",
]
