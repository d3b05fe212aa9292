"""Mining subpopulations: rules are grown on discovery users and weighed on estimation users."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from causal_tasks.rule import LANGUAGES, Rule, Text
from causal_tasks.subpopulations.evidence import Evidence, q_values
from causal_tasks.subpopulations.grades import Validity, grade
from causal_tasks.subpopulations.records import Mining, Subpopulation, TreeNode
from causal_tasks.subpopulations.rules import Node, grow_tree
from causal_tasks.subpopulations.selection import Kind, candidates, kind_of, shown
from causal_tasks.subpopulations.users import Users

DETECTABLE_SHARES = (0.1, 0.2, 0.3)
Names = Mapping[str, Text] | None


def mine(
    features: pd.DataFrame,
    uplift: pd.DataFrame,
    outcome: ArrayLike,
    treatment: ArrayLike,
    *,
    control: Any = 0,
    discovery: ArrayLike,
    means: pd.DataFrame | None = None,
    shares: Mapping[Any, float] | None = None,
    clusters: ArrayLike | None = None,
    sign: int = 1,
    baseline: float = 0.0,
    validity: Validity = "valid",
    max_depth: int = 3,
    min_share: float = 0.03,
    min_users_per_arm: int = 100,
    names: Names = None,
    seed: int = 0,
) -> Mining:
    """Find groups of users who respond differently, and say how sure that is.

    One tree for each treatment is grown on the predictions for discovery users. Everything said about its rules comes
    from estimation users, of whom neither the models nor the tree have seen an outcome.

    Args:
        features: n rows; numbers, booleans and text, missing values allowed.
        uplift: n rows, one column for each treatment: predicted effect in the outcome's own unit, for discovery users
            out of fold.
        outcome: Shape (n,).
        treatment: Shape (n,), arm labels.
        control: Label of the control arm.
        discovery: Shape (n,), True for users on whom rules are grown; the others give the evidence.
        means: n rows, one column for each arm: outcome predicted in that arm by models that saw discovery users only;
            None: every arm's mean over discovery users.
        shares: Share of users that the design gives each arm; None: equal.
        clusters: Shape (n,), units that are not independent; None: all are.
        sign: +1 where more of the outcome is better, -1 where less is.
        baseline: Added to control means: the ratio around which a ratio was linearised.
        validity: Verdict on the experiment; rules of an invalid one are never confirmed.
        max_depth: Conditions per rule, at most.
        min_share: Smallest share of users that a rule may cover.
        min_users_per_arm: Smallest number of discovery users that a rule may cover in the smallest arm, on average.
        names: Display names by feature.
        seed: Of everything random.

    Raises:
        InputError: Lengths differ, a value is missing, an arm is unknown, or as for ``grow_tree``.
    """
    users = Users.checked(
        features,
        outcome,
        treatment,
        arms=(control, *uplift.columns),
        discovery=discovery,
        means=means,
        shares=shares,
        clusters=clusters,
    )
    discovery_features = features[users.discovery]
    comparisons = []
    for arm in uplift.columns:
        root = grow_tree(
            discovery_features,
            uplift[arm].to_numpy()[users.discovery],
            max_depth=max_depth,
            min_share=min_share,
            min_users=math.ceil(min_users_per_arm / users.smallest_share),
            seed=seed,
        )
        comparisons.append(_Comparison.weighed(users, arm, root, baseline=baseline))
    return Mining(
        subpopulations=_subpopulations(comparisons, sign=sign, validity=validity, names=names),
        trees={c.treatment: c.tree(c.root, names) for c in comparisons},
        rules_examined=sum(len(candidates(c.root, sign=sign)) for c in comparisons),
        n_estimation=int((~users.discovery).sum()),
        detectable={c.treatment: c.detectable for c in comparisons},
    )


@dataclass(frozen=True, slots=True)
class _Comparison:
    """One treatment against control: its tree, and the evidence on every node by its path."""

    treatment: str
    root: Node
    evidence: Mapping[tuple[int, ...], Evidence]
    detectable: Mapping[float, float | None]

    @classmethod
    def weighed(cls, users: Users, treatment: Any, root: Node, *, baseline: float) -> Self:
        """The evidence on every node of a tree."""
        rows, scores = users.compared(treatment)
        read = list(dict.fromkeys(feature for node in root.walk() for feature in node.rule.features))
        features = users.features[read][rows]
        return cls(
            treatment=str(treatment),
            root=root,
            evidence={
                node.path: scores.assess(np.asarray(node.rule.mask(features), dtype=bool), baseline=baseline)
                for node in root.walk()
            },
            detectable=scores.detectable(DETECTABLE_SHARES),
        )

    def tree(self, node: Node, names: Names) -> TreeNode:
        """The node and all below it, with their evidence."""
        evidence = self.evidence[node.path]
        return TreeNode(
            rule=node.rule,
            words=_words(node.rule, names),
            n=evidence.n_control + evidence.n_treatment,
            share=evidence.share,
            predicted=node.predicted,
            effect=evidence.effect,
            children=tuple(self.tree(child, names) for child in node.children),
        )

    def shown(self, *, sign: int) -> list[Node]:
        """The rules to report, of those about which the estimation users say anything."""
        return shown(self.root, sign=sign, defined=lambda node: self.evidence[node.path].contrast is not None)


def _subpopulations(
    comparisons: Sequence[_Comparison], *, sign: int, validity: Validity, names: Names
) -> tuple[Subpopulation, ...]:
    examined = [(c, node) for c in comparisons for node in candidates(c.root, sign=sign)]
    q_by_rule = dict(
        zip(
            ((c.treatment, node.path) for c, node in examined),
            q_values([c.evidence[node.path] for c, node in examined]),
            strict=True,
        )
    )
    reported = sorted(
        ((c, node) for c in comparisons for node in c.shown(sign=sign)),
        key=lambda pair: (kind_of(pair[1], sign=sign) == "negative", -abs(pair[1].predicted)),
    )
    return tuple(
        _subpopulation(
            f"s{number}",
            c,
            node,
            q_value=q_by_rule[c.treatment, node.path],
            kind=kind_of(node, sign=sign),
            validity=validity,
            names=names,
        )
        for number, (c, node) in enumerate(reported, start=1)
    )


def _subpopulation(
    identity: str,
    comparison: _Comparison,
    node: Node,
    *,
    q_value: float,
    kind: Kind,
    validity: Validity,
    names: Names,
) -> Subpopulation:
    evidence = comparison.evidence[node.path]
    claimed = 1 if node.predicted > 0 else -1
    return Subpopulation.model_validate(
        {
            "id": identity,
            "treatment": comparison.treatment,
            "kind": kind,
            "rule": node.rule,
            "words": _words(node.rule, names),
            "sql": node.rule.to_sql(),
            "share": evidence.share,
            "n_control": evidence.n_control,
            "n_treatment": evidence.n_treatment,
            "control_mean": evidence.control_mean,
            "effect": evidence.effect,
            "rest": evidence.rest,
            "contrast": evidence.contrast,
            "relative": evidence.relative,
            "q_value": q_value,
            "predicted": node.predicted,
            "grade": grade(evidence, claimed=claimed, q_value=q_value, validity=validity),
        }
    )


def _words(rule: Rule, names: Names) -> dict[str, str]:
    return {language: rule.in_words(language, names) for language in LANGUAGES}
