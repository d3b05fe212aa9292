"""One treatment against control: the tree that describes who gains, and what the estimation users say about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from causal_tasks.rule import LANGUAGES, Rule, Text
from causal_tasks.subpopulations.evidence import Evidence, Vector
from causal_tasks.subpopulations.omnibus import Omnibus, omnibus
from causal_tasks.subpopulations.records import TreeNode
from causal_tasks.subpopulations.rules import Node, grow_tree
from causal_tasks.subpopulations.scored import Scored
from causal_tasks.subpopulations.search import Search
from causal_tasks.subpopulations.selection import candidates, shown
from causal_tasks.subpopulations.shrinkage import shrunken, variance_between
from causal_tasks.subpopulations.users import Users

DETECTABLE_SHARES = (0.1, 0.2, 0.3)


@dataclass(frozen=True, slots=True)
class Comparison:
    """The tree of one treatment with its evidence.

    Attributes:
        treatment: Label of the arm.
        uplift: Shape (n,), predicted effect in the outcome's own unit.
        root: Of the tree, grown on discovery users.
        evidence: On every node, by its path.
        omnibus: Whether effects differ at all.
        detectable: The smallest effect likely to be seen, by share of users.
    """

    treatment: Any
    uplift: Vector
    root: Node
    evidence: Mapping[tuple[int, ...], Evidence]
    omnibus: Omnibus
    detectable: Mapping[float, float | None]

    @classmethod
    def weighed(cls, users: Users, treatment: Any, uplift: Vector, search: Search) -> Self:
        """Grow the tree on discovery users, and weigh it on the others.

        Raises:
            InputError: A prediction is missing, or as for ``grow_tree``.
        """
        growth = search.growth(users)
        root = grow_tree(
            users.features[users.discovery],
            uplift[users.discovery],
            max_depth=growth.max_depth,
            min_share=growth.min_share,
            min_users=growth.min_users,
            seed=growth.seed,
        )
        rows = users.comparable(treatment)
        scores = users.scores(treatment, rows)
        read = list(dict.fromkeys(feature for node in root.walk() for feature in node.rule.features))
        features = users.features[read][rows]
        return cls(
            treatment=treatment,
            uplift=uplift,
            root=root,
            evidence={
                node.path: scores.assess(np.asarray(node.rule.mask(features), dtype=bool), baseline=search.baseline)
                for node in root.walk()
            },
            omnibus=omnibus(Scored.of(users, uplift, treatment, sign=search.sign), seed=search.seed),
            detectable=scores.detectable(DETECTABLE_SHARES),
        )

    def tree(self, names: Mapping[str, Text] | None) -> TreeNode:
        """The tree as it is told."""
        return self._told(self.root, names)

    def candidates(self, *, sign: int) -> list[Node]:
        """The rules that count as examined."""
        return candidates(self.root, sign=sign)

    def shown(self, *, sign: int) -> list[Node]:
        """The rules to report, of those about which the estimation users say anything."""
        return shown(self.root, sign=sign, defined=lambda node: self.evidence[node.path].contrast is not None)

    def shrunken(self, node: Node) -> float | None:
        """The effect of a node, pulled towards the average by as much as leaves differ by chance alone."""
        leaves = [effect for leaf in self.root.leaves() if (effect := self.evidence[leaf.path].effect)]
        between, average = variance_between(leaves), self.evidence[self.root.path].effect
        effect = self.evidence[node.path].effect
        if between is None or average is None or effect is None:
            return None
        return shrunken(effect, average=average.estimate, between=between)

    def _told(self, node: Node, names: Mapping[str, Text] | None) -> TreeNode:
        evidence = self.evidence[node.path]
        return TreeNode(
            rule=node.rule,
            words=in_words(node.rule, names),
            n=evidence.n_control + evidence.n_treatment,
            share=evidence.share,
            predicted=node.predicted,
            effect=evidence.effect,
            children=tuple(self._told(child, names) for child in node.children),
        )


def in_words(rule: Rule, names: Mapping[str, Text] | None) -> dict[str, str]:
    """The rule by language."""
    return {language: rule.in_words(language, names) for language in LANGUAGES}
