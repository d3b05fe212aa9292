"""What showing people what a model assigns them is worth, read off people whom the model was not learned from.

Whoever happened to be shown what an assignment gives them speaks for everybody to whom it gives the same. Assignments
are compared on the same people, so that what these have in common does not blur the difference.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_tasks.effects.arguments import cluster_codes, finite, label_codes, require_rows
from causal_tasks.errors import InputError
from causal_tasks.evaluation.estimate import LEVEL, Estimate
from causal_tasks.evaluation.inverse_propensity import (
    Estimator,
    Matched,
    PolicyComparison,
    compare_matched,
)

Vector = NDArray[np.float64]
Codes = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who is to be shown what.

    Attributes:
        kind: ``segment``: creatives of the person's segment, in the proportions in which the experiment shows them;
            ``creative``: one creative; ``shown``: creatives of all segments, in these proportions, whoever it is.
        labels: Segment or creative: one for everybody or shape (n,); None for ``shown``.
    """

    kind: Literal["segment", "creative", "shown"]
    labels: Any = None

    @classmethod
    def by_segment(cls, labels: Any) -> Self:
        """Creatives of these segments: one for everybody or shape (n,)."""
        return cls("segment", labels)

    @classmethod
    def by_creative(cls, labels: Any) -> Self:
        """These creatives: one for everybody or shape (n,)."""
        return cls("creative", labels)

    @classmethod
    def as_shown(cls) -> Self:
        """What the experiment did: creatives of all segments, or all where there are no segments."""
        return cls("shown")


@dataclass(frozen=True, slots=True)
class AssignmentValue:
    """What an assignment is worth.

    Attributes:
        value: Response per person if everybody were shown what the assignment gives them.
        people: Who were shown that in the experiment.
        notes: Codes, see ``PolicyComparison``.
    """

    value: Estimate
    people: int
    notes: tuple[str, ...] = ()


def assignment_value(
    response: ArrayLike,
    creative: Any,
    assignment: Assignment,
    *,
    segment_of: Mapping[Any, Any] | None = None,
    propensity: Mapping[Any, float] | None = None,
    estimator: Estimator = "hajek",
    clusters: ArrayLike | None = None,
    level: float = LEVEL,
) -> AssignmentValue:
    """What one assignment is worth; arguments and errors are those of ``compare_assignments``.

    Examples:
        >>> opened, shown = [1.0, 0.0, 1.0, 1.0], ["a", "a", "b", "b"]
        >>> assignment_value(opened, shown, Assignment.by_creative(["a", "b", "a", "b"])).value.estimate
        1.0
    """
    name = "assignment"
    compared = compare_assignments(
        response,
        creative,
        {name: assignment},
        baseline=name,
        segment_of=segment_of,
        propensity=propensity,
        estimator=estimator,
        clusters=clusters,
        level=level,
    )
    return AssignmentValue(compared.values[name].value, compared.values[name].matched, compared.notes)


def compare_assignments(
    response: ArrayLike,
    creative: Any,
    assignments: Mapping[str, Assignment],
    *,
    baseline: str,
    segment_of: Mapping[Any, Any] | None = None,
    propensity: Mapping[Any, float] | None = None,
    estimator: Estimator = "hajek",
    clusters: ArrayLike | None = None,
    level: float = LEVEL,
) -> PolicyComparison:
    """What several assignments are worth, and by how much they differ, on people that none of them was learned from.

    A person counts where the creative shown is one that the assignment might show them, with weight one over the
    probability of that. Intervals are normal, from the influence of every person on the value; where shares of
    creatives are those observed, from their influence on these too.

    Args:
        response: Shape (n,), more is better, of people to whom creatives were shown at random.
        creative: Shape (n,), what each was shown.
        assignments: By name.
        baseline: One of the names.
        segment_of: Segment of each creative; creatives left out belong to none. Needed for ``Assignment.by_segment``.
        propensity: Probability of every creative in the experiment; only ratios count. None: the shares of
            ``creative``.
        estimator: ``hajek``: responses are divided by the sum of weights; ``ipw``: by the number of people, which is
            unbiased in samples of any size, less precise, and changes where a constant is added to responses.
        clusters: Shape (n,), units that are not independent.
        level: Of intervals.

    Raises:
        InputError: Lengths differ, a response is not finite, a name, creative or segment is unknown, a probability is
            not above 0, nobody was shown what an assignment gives them, or there are fewer than two people or clusters.

    Source: Horvitz, Thompson (1952); Hajek (1971); Swaminathan, Joachims (2015), "The self-normalized estimator for
    counterfactual learning"; for estimated shares Hirano, Imbens, Ridder (2003).
    """
    observed = finite(response, name="response")
    if not len(observed):
        raise InputError("response has no person", remedy="pass at least two people who were shown a creative")
    shown = _Shown.checked(creative, rows=len(observed), segment_of=segment_of, propensity=propensity)
    codes = None if clusters is None else cluster_codes(clusters, rows=len(observed))
    return compare_matched(
        observed,
        {name: shown.matched(name, assignment) for name, assignment in assignments.items()},
        baseline=baseline,
        estimator=estimator,
        clusters=codes,
        level=level,
    )


@dataclass(frozen=True, slots=True)
class _Shown:
    """What was shown to whom, and how likely.

    Attributes:
        creatives: Labels of all, in the order of codes.
        codes: Shape (n,).
        share: Of each creative, shape (K,).
        shares_observed: Whether these are the shares of ``codes``.
        segment_of: Segment of each creative, where it has one; None: there are no segments.
    """

    creatives: Sequence[Any]
    codes: Codes
    share: Vector
    shares_observed: bool
    segment_of: Mapping[Any, Any] | None

    @classmethod
    def checked(
        cls,
        creative: Any,
        *,
        rows: int,
        segment_of: Mapping[Any, Any] | None,
        propensity: Mapping[Any, float] | None,
    ) -> Self:
        codes, labels = label_codes(creative, name="creative")
        require_rows(len(codes), name="creative", rows=rows)
        if propensity is None:
            creatives, share = list(labels), np.bincount(codes) / rows
        else:
            creatives, share = list(propensity), finite(list(propensity.values()), name="propensity")
            if not (share > 0).all():
                least = creatives[int(share.argmin())]
                raise InputError(
                    f"propensity of creative {least!r} is {share.min():g}",
                    remedy="use probabilities above 0; leave out creatives that could not be shown",
                )
            codes, share = _positions(labels, creatives, "creative", "propensity")[codes], share / share.sum()
        if segment_of is not None:
            _positions(
                list(segment_of), creatives, "segment_of", "what was shown" if propensity is None else "propensity"
            )
        return cls(creatives, codes, share, propensity is None, segment_of)

    def matched(self, name: str, assignment: Assignment) -> Matched:
        """Raises InputError where the assignment holds something unknown, or nobody was shown what it gives them."""
        choices, choice_of = self._choices(name, assignment.kind)
        share = np.bincount(choice_of[choice_of >= 0], self.share[choice_of >= 0], len(choices))
        assigned = self._assigned(name, assignment, choices)
        given = choice_of[self.codes]
        weight: Vector = np.where(given == assigned, 1 / share[assigned], 0.0)
        if not weight.any():
            raise InputError(
                f"assignment {name!r}: nobody among {len(weight)} people was shown what it gives them",
                remedy="pass more people, or check that it was made for these rows in this order",
            )
        return Matched(weight, given + 1 if self.shares_observed else None)

    def _choices(self, name: str, kind: str) -> tuple[Sequence[Any], Codes]:
        """Among what an assignment chooses, and which of that each creative is, shape (K,); -1: none."""
        everything = np.zeros(len(self.creatives), np.intp)
        if kind == "creative":
            return self.creatives, np.arange(len(self.creatives))
        if self.segment_of is None:
            if kind == "segment":
                raise InputError(
                    f"assignment {name!r} is by segment", remedy="say which creative is of which: segment_of={…}"
                )
            return [None], everything
        segments = list(dict.fromkeys(self.segment_of.values()))
        of_segment = np.array(
            [segments.index(self.segment_of[c]) if c in self.segment_of else -1 for c in self.creatives]
        )
        return (segments, of_segment) if kind == "segment" else ([None], np.minimum(of_segment, 0))

    def _assigned(self, name: str, assignment: Assignment, choices: Sequence[Any]) -> Codes:
        """Position in ``choices`` of what everybody is given, shape (n,)."""
        rows = len(self.codes)
        if np.ndim(assignment.labels) == 0:
            return np.broadcast_to(
                _positions([assignment.labels], choices, f"assignment {name!r}", "the experiment"), rows
            )
        codes, labels = label_codes(assignment.labels, name=f"assignment {name!r}")
        require_rows(len(codes), name=f"assignment {name!r}", rows=rows)
        return _positions(labels, choices, f"assignment {name!r}", "the experiment")[codes]


def _positions(labels: Sequence[Any], known: Sequence[Any], name: str, place: str) -> Codes:
    """Of labels among those known, shape (len(labels),)."""
    position = {label: at for at, label in enumerate(known)}
    if unknown := [label for label in labels if label not in position]:
        raise InputError(
            f"{name} names {', '.join(map(repr, unknown[:5]))}, which {place} does not have",
            remedy=f"use {', '.join(map(repr, known[:20]))}",
        )
    return np.array([position[label] for label in labels], dtype=np.intp)
