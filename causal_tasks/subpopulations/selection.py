"""Which rules of a tree are examined, and which of those are shown."""

import math
from collections.abc import Callable, Iterable
from typing import Literal

from causal_tasks.subpopulations.grades import COVERAGE
from causal_tasks.subpopulations.rules import Node

Kind = Literal["positive", "negative"]
SHOWN = 3
"""Rules shown of each kind for each treatment."""


def kind_of(node: Node, *, sign: int) -> Kind:
    """Whether the users of a node are predicted to gain; ``sign`` is +1 where more of the outcome is better."""
    return "positive" if sign * node.predicted > 0 else "negative"


def candidates(root: Node, *, sign: int) -> list[Node]:
    """The rules examined: all nodes below the root whose leaves agree in the direction of the predicted effect.

    So leaves of one kind that a tree had to split are also examined together, as their common parent.
    """
    return [
        node
        for node in root.walk()
        if node is not root and len({kind_of(leaf, sign=sign) for leaf in node.leaves()}) == 1
    ]


def shown(root: Node, *, sign: int, defined: Callable[[Node], bool]) -> list[Node]:
    """At most three rules of each kind that share no user, the most positive first, then the most negative.

    A positive rule is predicted to gain, and more than the average user; a negative one to lose, and more so. Rules
    are taken in the order of the contrast to all others that the model predicts, divided by what decides its standard
    error, the root of share x (1 - share): where two leaves gain alike, their parent comes first, where one gains far
    more, that leaf does. Rules that cover too few or too many users to be confirmed come last. Nothing here has seen
    an outcome of an estimation user.

    Args:
        root: Of the tree.
        sign: +1 where more of the outcome is better.
        defined: Whether enough estimation users are covered to say anything about the effect.
    """
    nodes = [node for node in candidates(root, sign=sign) if defined(node)]
    positive = [node for node in nodes if sign * node.predicted > max(0.0, sign * root.predicted)]
    negative = [node for node in nodes if sign * node.predicted < min(0.0, sign * root.predicted)]
    return [
        *sorted(_without_overlap(positive, root), key=lambda node: -sign * node.predicted),
        *sorted(_without_overlap(negative, root), key=lambda node: sign * node.predicted),
    ]


def _without_overlap(nodes: Iterable[Node], root: Node) -> list[Node]:
    kept: list[Node] = []
    for node in sorted(nodes, key=lambda node: (not COVERAGE[0] <= node.share <= COVERAGE[1], -_contrast(node, root))):
        if len(kept) < SHOWN and not any(node.overlaps(better) for better in kept):
            kept.append(node)
    return kept


def _contrast(node: Node, root: Node) -> float:
    """|inside - outside| x sqrt(share x (1 - share)) of the predictions."""
    return abs(node.predicted - root.predicted) * math.sqrt(node.share / (1 - node.share))
