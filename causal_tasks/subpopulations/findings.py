"""The rules that are shown, each with everything that speaks for and against it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from causal_tasks.evaluation.estimate import Estimate
from causal_tasks.subpopulations.comparison import Comparison, in_words
from causal_tasks.subpopulations.evidence import Mask, Vector
from causal_tasks.subpopulations.family import Family
from causal_tasks.subpopulations.grades import Case, grade, reasons
from causal_tasks.subpopulations.guardrails import GuardrailEffect, guardrail_effects
from causal_tasks.subpopulations.records import ExaminedRule, Subpopulation
from causal_tasks.subpopulations.rules import Node
from causal_tasks.subpopulations.sample_ratio import sample_ratio_p_value
from causal_tasks.subpopulations.search import Search
from causal_tasks.subpopulations.stability import Stability, stability
from causal_tasks.subpopulations.users import Users


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that is shown, before it gets its number.

    Attributes:
        comparison: The treatment that it speaks of.
        node: Its place in the tree.
        examined: Its place in the family.
        inside: Shape (n,), who is covered, of all users.
        case: What decides its grade.
        stability: How often the tree finds it again.
        guardrails: Effects on metrics that must not get worse.
        in_sample: Effect on discovery users.
        metric_share: Share of the metric's total that it holds.
    """

    comparison: Comparison
    node: Node
    examined: ExaminedRule
    inside: Mask
    case: Case
    stability: Stability | None
    guardrails: tuple[GuardrailEffect, ...]
    in_sample: Estimate | None
    metric_share: float | None

    @property
    def rank(self) -> tuple[int, float]:
        """Smaller is better: by grade, then by how clearly the rule differs from the rest."""
        contrast = self.examined.evidence.contrast
        clarity = abs(contrast.estimate) / contrast.standard_error if contrast and contrast.standard_error else 0.0
        return ("confirmed", "promising", "not_supported").index(grade(self.case)), -clarity

    def told(self, identity: str, overlap: Mapping[str, float], unique_share: float, search: Search) -> Subpopulation:
        """The record of the rule."""
        evidence, rule = self.examined.evidence, self.node.rule
        return Subpopulation.model_validate(
            {
                "id": identity,
                "treatment": self.examined.treatment,
                "kind": self.examined.kind,
                "rule": rule,
                "words": in_words(rule, search.names),
                "sql": rule.to_sql(),
                "share": evidence.share,
                "n_control": evidence.n_control,
                "n_treatment": evidence.n_treatment,
                "control_mean": evidence.control_mean,
                "effect": evidence.effect,
                "rest": evidence.rest,
                "contrast": evidence.contrast,
                "relative": evidence.relative,
                "fcr_interval": self.examined.fcr_interval,
                "shrunken": self.comparison.shrunken(self.node),
                "in_sample": self.in_sample,
                "metric_share": self.metric_share,
                "q_value": self.examined.q_value,
                "stability": self.stability,
                "overlap": overlap,
                "unique_share": unique_share,
                "guardrails": self.guardrails,
                "sample_ratio_p": self.case.sample_ratio_p,
                "actionable": search.actionable is None or set(rule.features) <= set(search.actionable),
                "predicted": self.node.predicted,
                "grade": grade(self.case),
                "reasons": reasons(self.case),
            }
        )


def findings(users: Users, comparison: Comparison, family: Family, search: Search) -> Iterator[Finding]:
    """The rules to show of one treatment, most positive first.

    Raises:
        InputError: As for ``stability``.
    """
    treatment = comparison.treatment
    nodes = comparison.shown(sign=search.sign)
    measured = _stability(users, comparison, nodes, search) if search.stability_trees else [None] * len(nodes)
    discovery = users.comparable(treatment, discovery=True)
    in_sample = users.scores(treatment, discovery)
    for node, stable in zip(nodes, measured, strict=True):
        examined = family[treatment, node.path]
        inside = np.asarray(node.rule.mask(users.features), dtype=bool)
        guardrails = guardrail_effects(search.guardrails, users, inside, treatment)
        yield Finding(
            comparison=comparison,
            node=node,
            examined=examined,
            inside=inside,
            case=Case(
                claimed=1 if node.predicted > 0 else -1,
                evidence=examined.evidence,
                q_value=examined.q_value,
                fcr_interval=examined.fcr_interval,
                effects_differ=comparison.omnibus.passed,
                stability=None if stable is None else stable.jaccard,
                harms=examined.kind == "positive" and any(effect.tone == "bad" for effect in guardrails),
                sample_ratio_p=sample_ratio_p_value(users, inside, treatment),
                validity=search.validity,
                observational=not users.randomized,
            ),
            stability=stable,
            guardrails=guardrails,
            in_sample=in_sample.assess(inside[discovery]).effect,
            metric_share=_metric_share(users, inside, treatment),
        )


def _stability(users: Users, comparison: Comparison, nodes: Sequence[Node], search: Search) -> list[Stability]:
    grown_on = users.discovery
    return stability(
        [(node.rule, 1 if node.predicted > 0 else -1) for node in nodes],
        users.features[grown_on],
        comparison.uplift[grown_on],
        search.growth(users),
        trees=search.stability_trees,
        clusters=users.clusters_of(grown_on),
        seeds=_seeds(search, comparison.treatment, grown_on),
    )


def _seeds(search: Search, treatment: Any, rows: Mask) -> Vector | None:
    if search.seeds is None or treatment not in search.seeds:
        return None
    predictions = np.asarray(search.seeds[treatment], dtype=np.float64)
    return predictions.reshape(len(rows), -1)[rows]


def _metric_share(users: Users, inside: Mask, treatment: Any) -> float | None:
    control = users.comparable(treatment) & ~users.treated(treatment)
    outcome = users.outcome[control]
    total = float(outcome.sum())
    if total <= 0 or outcome.min() < 0:
        return None
    return float(outcome[inside[control]].sum()) / total
