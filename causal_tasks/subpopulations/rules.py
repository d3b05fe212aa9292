"""From predicted uplift to rules: a shallow tree distils what a model found into conditions a person can read.

Source: causal distillation trees, Huang, Tang, Kenney (2025): teacher is the uplift model, student a regression tree.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from causal_tasks.errors import InputError
from causal_tasks.rule import Rule
from causal_tasks.subpopulations.conditions import Allowed
from causal_tasks.subpopulations.cut_points import round_cut
from causal_tasks.subpopulations.encoding import Encoding, encode

CUT_TOLERANCE = 0.01
MIN_USERS = 200
MIN_EXPLAINED = 0.001


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the tree, as seen on the users it was grown on.

    Attributes:
        rule: Who belongs to it.
        path: Turns from the root, 0 for left and 1 for right; empty for the root.
        users: How many.
        share: Of all users.
        predicted: Their mean predicted uplift.
        children: Two, or none for a leaf.
    """

    rule: Rule
    path: tuple[int, ...]
    users: int
    share: float
    predicted: float
    children: tuple["Node", ...] = ()

    def walk(self) -> Iterator["Node"]:
        """The node and all below it, parents first, left before right."""
        yield self
        for child in self.children:
            yield from child.walk()

    def leaves(self) -> Iterator["Node"]:
        """The leaves under the node, left to right; itself if it is one."""
        return (node for node in self.walk() if not node.children)

    def overlaps(self, other: "Node") -> bool:
        """Whether one of two nodes of a tree contains the other; if not, they share no user."""
        return all(turn == other_turn for turn, other_turn in zip(self.path, other.path, strict=False))


def grow_tree(
    features: pd.DataFrame,
    uplift: ArrayLike,
    *,
    max_depth: int = 3,
    min_share: float = 0.03,
    min_users: int = MIN_USERS,
    min_explained: float = MIN_EXPLAINED,
    cut_tolerance: float = CUT_TOLERANCE,
    seed: int = 0,
) -> Node:
    """Distil predicted uplift into a shallow tree with readable cut points; returns its root.

    Every cut point becomes the roundest number that sends at most ``cut_tolerance`` of the node's users to the other
    side, and members are counted by the rounded rule. A leaf may so end up smaller than ``min_share`` by that much.

    Args:
        features: n rows; numbers, booleans and text, missing values allowed.
        uplift: Shape (n,), out-of-fold predictions for the same users.
        max_depth: Conditions per rule, at most (two bounds of one number count as two).
        min_share: Smallest share of users in a leaf.
        min_users: Smallest number of users in a leaf, whatever the share.
        min_explained: Smallest share of the variance of all predictions that a split must explain; less is a condition
            more to read that tells hardly anything apart.
        cut_tolerance: Share of a node's users that rounding its cut point may move.
        seed: Decides between equally good splits.

    Raises:
        InputError: There is no user or no feature, lengths differ, a prediction is not finite, or a column is neither
            numeric nor text.
    """
    from sklearn.tree import DecisionTreeRegressor

    target = np.asarray(uplift, dtype=np.float64)
    _require_usable(features, target)
    encoding = encode(features, target)
    student = DecisionTreeRegressor(
        max_depth=max_depth,
        min_samples_leaf=max(math.ceil(min_share * len(target)), min_users),
        min_impurity_decrease=min_explained * float(target.var()),
        random_state=seed,
    ).fit(encoding.matrix, target)
    return _Reader(features, target, encoding, student.tree_, cut_tolerance).node(0, (), {})


def _require_usable(features: pd.DataFrame, uplift: NDArray[np.float64]) -> None:
    if uplift.shape != (len(features),) or features.empty:
        raise InputError(
            f"features have shape {features.shape}, uplift {uplift.shape}",
            remedy="pass one prediction for each row and at least one row and one column",
        )
    wrong = int((~np.isfinite(uplift)).sum())
    if wrong:
        raise InputError(f"uplift: {wrong} predictions are missing or infinite", remedy="drop those users first")


Path = Mapping[str, Allowed]


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads a fitted scikit-learn tree as nodes with rules."""

    features: pd.DataFrame
    uplift: NDArray[np.float64]
    encoding: Encoding
    fitted: Any
    cut_tolerance: float

    def node(self, index: int, turns: tuple[int, ...], allowed: Path) -> Node:
        rule = self._rule(allowed)
        members = self._members(rule)
        return Node(
            rule=rule,
            path=turns,
            users=int(members.sum()),
            share=float(members.mean()),
            predicted=float(self.uplift[members].mean()),
            children=self._children(index, turns, allowed, members),
        )

    def _rule(self, allowed: Path) -> Rule:
        missing = self.encoding.missing
        return Rule.of(
            [
                condition
                for feature, values in allowed.items()
                for condition in values.conditions(feature, may_be_missing=feature in missing)
            ]
        )

    def _members(self, rule: Rule) -> NDArray[np.bool_]:
        return np.asarray(rule.mask(self.features), dtype=bool)

    def _children(
        self, index: int, turns: tuple[int, ...], allowed: Path, members: NDArray[np.bool_]
    ) -> tuple[Node, ...]:
        children = (int(self.fitted.children_left[index]), int(self.fitted.children_right[index]))
        if children[0] == children[1]:
            return ()
        feature = self.encoding.names[self.fitted.feature[index]]
        sides = self._sides(index, feature, allowed.get(feature, Allowed()), members)
        paths = [{**allowed, feature: side} for side in sides]
        # Rounding further up may have moved the few users that this split was made for: then there is no split.
        if not all(self._members(self._rule(path)).any() for path in paths):
            return ()
        return tuple(
            self.node(child, (*turns, turn), path)
            for turn, (child, path) in enumerate(zip(children, paths, strict=True))
        )

    def _sides(self, index: int, feature: str, allowed: Allowed, members: NDArray[np.bool_]) -> tuple[Allowed, Allowed]:
        """What the left and the right child allow of the feature that the node splits on."""
        cut, missing_left = float(self.fitted.threshold[index]), bool(self.fitted.missing_go_to_left[index])
        if math.isinf(cut):
            return allowed.narrowed(missing=False), allowed.narrowed(known=False, missing=True)
        if feature in self.encoding.groups:
            groups = self.encoding.groups[feature]
            halves = groups[: math.floor(cut) + 1], groups[math.floor(cut) + 1 :]
            left, right = (frozenset(level for group in half for level in group) for half in halves)
            return (
                allowed.narrowed(levels=left, missing=missing_left),
                allowed.narrowed(levels=right, missing=not missing_left),
            )
        values = self.features[feature][members].dropna().to_numpy()
        rounded = round_cut(values, cut, tolerance=self.cut_tolerance)
        return (
            allowed.narrowed(at_most=rounded, missing=missing_left),
            allowed.narrowed(above=rounded, missing=not missing_left),
        )
