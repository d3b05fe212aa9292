"""Would another sample of users, or another seed of the model, have led to the same rule?

The predictions stay as they are; users are drawn anew and the tree is grown anew, some fifty times. A rule that comes
and goes with the draw describes the sample and not the users.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from causal_tasks.errors import InputError
from causal_tasks.rule import Rule
from causal_tasks.subpopulations.binned_tree import BinnedFeatures, BinnedNode, Bound, grow_binned
from causal_tasks.subpopulations.evidence import Mask, Vector
from causal_tasks.subpopulations.rules import MIN_EXPLAINED

DRAWN_FROM = 50_000
"""Users from which bootstrap samples are drawn: more would only show how stable a rule of more users is."""

REFERENCE = 20_000
"""Users on whom rules are compared."""

MATCH = 0.5
"""Jaccard index from which on a tree counts as having found the rule."""


class Stability(BaseModel):
    """How often the tree finds a rule again.

    Attributes:
        jaccard: Shared users divided by users of either rule, for the most similar rule of a bootstrap tree that claims
            the same direction; mean over trees.
        frequency: Share of trees with a rule for which that is at least one half.
        seeds: As ``jaccard``, over trees on predictions of other model seeds; None where there are none.
        features: By feature of the rule: share of trees that split on it.
        cuts: By feature: first decile, median and last decile of where those trees cut it that found the rule; of a
            range, its lower end.
    """

    model_config = ConfigDict(frozen=True)

    jaccard: float
    frequency: float
    seeds: float | None
    features: dict[str, float]
    cuts: dict[str, tuple[float, float, float]]


@dataclass(frozen=True, slots=True)
class Growth:
    """How trees are grown.

    Attributes:
        max_depth: Conditions per rule, at most.
        min_share: Smallest share of users in a leaf.
        min_users: Smallest number of users in a leaf, whatever the share.
        seed: Of everything random.
    """

    max_depth: int
    min_share: float
    min_users: int
    seed: int


def stability(
    rules: Sequence[tuple[Rule, int]],
    features: pd.DataFrame,
    uplift: Vector,
    growth: Growth,
    *,
    trees: int,
    clusters: NDArray[np.intp] | None = None,
    seeds: Vector | None = None,
) -> list[Stability]:
    """How stable rules are that were distilled from ``uplift``.

    Args:
        rules: Each with the sign of the effect that it claims.
        features: n rows: the users on whom the rules were grown.
        uplift: Shape (n,), out-of-fold predictions.
        growth: As the rules were grown.
        trees: Number of bootstrap trees, at least one.
        clusters: Shape (n,), codes of users who are drawn together; None: each by itself.
        seeds: Shape (n, S), predictions of models with other seeds, NaN where one has none.

    Returns:
        One record for each rule.

    Raises:
        InputError: There is no tree, or as for ``encode``.
    """
    if trees < 1:
        raise InputError(f"{trees} trees cannot show stability", remedy="use one tree or more")
    if not rules:
        return []
    random = np.random.default_rng(growth.seed)
    sample = random.permutation(len(uplift))[:DRAWN_FROM]
    forest = _Forest.of(rules, features.iloc[sample], uplift[sample], growth, share=1 / len(uplift))
    members = np.arange(len(sample)) if clusters is None else np.unique(clusters[sample], return_inverse=True)[1]
    groups = int(members.max()) + 1
    drawn = (np.bincount(random.integers(groups, size=groups), minlength=groups)[members] for _ in range(trees))
    redrawn = [forest.regrown(uplift[sample], weight.astype(np.float64)) for weight in drawn]
    known = [] if seeds is None else [column for column in seeds[sample].T if np.isfinite(column).any()]
    reseeded = [forest.regrown(np.nan_to_num(column), np.isfinite(column).astype(np.float64)) for column in known]
    return [_summary(rule, number, redrawn, reseeded) for number, (rule, _) in enumerate(rules)]


@dataclass(frozen=True, slots=True)
class _Match:
    """The rule of a tree that is most like one of the rules in question; without any, nothing is shared."""

    jaccard: float = 0.0
    bounds: Mapping[Bound, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Regrown:
    """What another tree says: the features that it splits on, and its match of every rule."""

    features: frozenset[str]
    matches: tuple[_Match, ...]


@dataclass(frozen=True, slots=True)
class _Forest:
    """Grows trees on one sample and compares their rules with those in question on its first users."""

    binned: BinnedFeatures
    covered: tuple[Mask, ...]
    directions: tuple[int, ...]
    max_depth: int
    min_share: float

    @classmethod
    def of(
        cls, rules: Sequence[tuple[Rule, int]], features: pd.DataFrame, uplift: Vector, growth: Growth, *, share: float
    ) -> Self:
        """``share`` is that of one user among all on whom the rules were grown."""
        reference = features.iloc[:REFERENCE]
        return cls(
            binned=BinnedFeatures.of(features, uplift),
            covered=tuple(np.asarray(rule.mask(reference), dtype=bool) for rule, _ in rules),
            directions=tuple(direction for _, direction in rules),
            max_depth=growth.max_depth,
            min_share=max(growth.min_share, growth.min_users * share),
        )

    def regrown(self, uplift: Vector, weight: Vector) -> _Regrown:
        """A tree on the users of the sample, each as often as ``weight`` says."""
        root = grow_binned(
            self.binned,
            uplift,
            weight,
            max_depth=self.max_depth,
            min_weight=self.min_share * float(weight.sum()),
            min_explained=MIN_EXPLAINED,
        )
        nodes = list(root.walk())
        leaf = root.leaf_of(self.binned.codes[:, : len(self.covered[0])])
        sizes = np.bincount(leaf, minlength=len(root.leaves))
        return _Regrown(
            features=frozenset(self.binned.names[node.split.feature] for node in nodes if node.split),
            matches=tuple(
                _best_match(_claiming(nodes, direction), np.bincount(leaf[covered], minlength=len(sizes)), sizes)
                for covered, direction in zip(self.covered, self.directions, strict=True)
            ),
        )


def _claiming(nodes: Sequence[BinnedNode], direction: int) -> list[BinnedNode]:
    """The rules of a tree that claim an effect in ``direction``: nodes below the root whose leaves all predict it."""
    leaves = [direction * node.predicted > 0 for node in nodes if node.split is None]
    return [node for node in nodes[1:] if all(leaves[node.leaves.start : node.leaves.stop])]


def _best_match(nodes: Sequence[BinnedNode], shared: NDArray[np.intp], sizes: NDArray[np.intp]) -> _Match:
    """The node with the largest Jaccard index; ``shared`` and ``sizes`` count covered and all users by leaf."""
    found = [_Match()]
    for node in nodes:
        under = slice(node.leaves.start, node.leaves.stop)
        both = int(shared[under].sum())
        either = int(shared.sum() + sizes[under].sum()) - both
        if both:
            found.append(_Match(both / either, node.bounds))
    return max(found, key=lambda match: match.jaccard)


def _summary(rule: Rule, number: int, redrawn: Sequence[_Regrown], reseeded: Sequence[_Regrown]) -> Stability:
    matches = [tree.matches[number] for tree in redrawn]
    agreements = [tree.matches[number].jaccard for tree in reseeded]
    return Stability(
        jaccard=float(np.mean([match.jaccard for match in matches])),
        frequency=float(np.mean([match.jaccard >= MATCH for match in matches])),
        seeds=float(np.mean(agreements)) if agreements else None,
        features={name: float(np.mean([name in tree.features for tree in redrawn])) for name in rule.features},
        cuts=_cuts(rule, [match.bounds for match in matches if match.jaccard >= MATCH]),
    )


def _cuts(rule: Rule, bounds: Sequence[Mapping[Bound, float]]) -> dict[str, tuple[float, float, float]]:
    cuts: dict[str, tuple[float, float, float]] = {}
    for condition in rule.conditions:
        key = (condition.feature, condition.op)
        found = [cut[key] for cut in bounds if key in cut]
        if found and condition.feature not in cuts:
            low, middle, high = np.quantile(found, (0.1, 0.5, 0.9)).tolist()
            cuts[condition.feature] = (low, middle, high)
    return cuts
