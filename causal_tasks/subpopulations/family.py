"""The family: every rule that was examined, of all treatments together, shown or not."""

from collections.abc import Mapping, Sequence
from typing import Any

from causal_tasks.subpopulations.comparison import Comparison
from causal_tasks.subpopulations.grades import eligible
from causal_tasks.subpopulations.multiplicity import FALSE_DISCOVERY_RATE, coverage_adjusted, q_values
from causal_tasks.subpopulations.records import ExaminedRule
from causal_tasks.subpopulations.rules import Node
from causal_tasks.subpopulations.selection import kind_of

Family = Mapping[tuple[Any, tuple[int, ...]], ExaminedRule]
"""Examined rules by treatment and path in its tree."""


def family(comparisons: Sequence[Comparison], *, sign: int) -> Family:
    """The examined rules with what answering for all of them makes of q-values and intervals."""
    examined = [(comparison, node) for comparison in comparisons for node in comparison.candidates(sign=sign)]
    contrasts = [comparison.evidence[node.path].contrast for comparison, node in examined]
    q = q_values([None if contrast is None else contrast.p_value for contrast in contrasts])
    selected = sum(value <= FALSE_DISCOVERY_RATE for value in q)
    return {
        (comparison.treatment, node.path): _examined(comparison, node, value, selected, len(examined), sign=sign)
        for (comparison, node), value in zip(examined, q, strict=True)
    }


def _examined(
    comparison: Comparison, node: Node, q_value: float, selected: int, examined: int, *, sign: int
) -> ExaminedRule:
    evidence = comparison.evidence[node.path]
    is_selected = q_value <= FALSE_DISCOVERY_RATE
    adjusted = (
        coverage_adjusted(evidence.effect, selected=selected, examined=examined)
        if is_selected and evidence.effect
        else None
    )
    return ExaminedRule(
        treatment=str(comparison.treatment),
        rule=node.rule,
        kind=kind_of(node, sign=sign),
        predicted=node.predicted,
        evidence=evidence,
        q_value=q_value,
        selected=is_selected,
        fcr_interval=adjusted,
        eligible=eligible(evidence),
    )
