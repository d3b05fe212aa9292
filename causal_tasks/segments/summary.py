"""What a fitted model says about each segment: what its creatives share, which agree, whether it holds together.

Coefficients are per standard deviation of the covariate where covariates were standardised. The penalty has shrunk
them and decided which are zero: they describe the model and have no interval; effects are measured on other people.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from causal_tasks.segments.covariate_columns import Term

Verdict = Literal["together", "partly", "apart", "flat", "single"]

TOP = 10

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TermWeight:
    """A covariate with its coefficient.

    Attributes:
        term: The covariate.
        coefficient: On the scale of the linear predictor; not zero.
    """

    term: Term
    coefficient: float


@dataclass(frozen=True, slots=True)
class CreativeDifference:
    """How a creative differs from what its segment shares.

    Attributes:
        creative: The creative.
        norm: Euclidean norm of what it adds to the coefficients shared.
        terms: The largest of that, by size.
    """

    creative: str
    norm: float
    terms: tuple[TermWeight, ...]


@dataclass(frozen=True, slots=True)
class SegmentSummary:
    """One segment in the fitted model.

    Attributes:
        segment: Its name.
        creatives: That were made for it.
        shown: People shown each of them.
        shared_terms: Number of coefficients that its creatives share and that are not zero.
        shared: The largest of these, by size.
        agrees: Creatives that add exactly nothing to what is shared; none where that is nothing, or where there is one
            creative, which has none to agree with.
        differs: The other creatives that add something, by how much.
        verdict: ``together``: something is shared and no creative adds to it. ``partly``: something is shared and some
            creative adds to it. ``apart``: nothing is shared, yet some creative depends on covariates: the segment does
            not hold together. ``flat``: no covariate matters for any creative. ``single``: one creative, for which some
            covariate matters; what of that is in ``differs`` does not count when people are assigned.
    """

    segment: str
    creatives: tuple[str, ...]
    shown: tuple[int, ...]
    shared_terms: int
    shared: tuple[TermWeight, ...]
    agrees: tuple[str, ...]
    differs: tuple[CreativeDifference, ...]
    verdict: Verdict

    @property
    def people(self) -> int:
        """Who were shown a creative of the segment."""
        return sum(self.shown)


def summarise(
    creatives: Sequence[str],
    segments: Sequence[str],
    segment_of: NDArray[np.intp],
    counts: NDArray[np.intp],
    gamma: Vector,
    delta: Vector,
    terms: Sequence[Term],
    *,
    top: int = TOP,
) -> tuple[SegmentSummary, ...]:
    """One summary for each segment, in their order.

    Args:
        creatives: Names, K of them.
        segments: Names, m of them.
        segment_of: Position of each creative's segment, shape (K,).
        counts: People shown each creative, shape (K,).
        gamma: What the creatives of each segment share, shape (m, p).
        delta: What each creative adds, shape (K, p).
        terms: What the columns are, p of them.
        top: Coefficients named, at most.
    """
    summaries = []
    for segment, name in enumerate(segments):
        members: list[int] = np.flatnonzero(segment_of == segment).tolist()
        differing = [k for k in members if delta[k].any()]
        differing.sort(key=lambda k: -float(np.linalg.norm(delta[k])))
        shared = bool(gamma[segment].any())
        comparable = shared and len(members) > 1
        summaries.append(
            SegmentSummary(
                segment=name,
                creatives=tuple(creatives[k] for k in members),
                shown=tuple(int(counts[k]) for k in members),
                shared_terms=int(np.count_nonzero(gamma[segment])),
                shared=_largest(gamma[segment], terms, top),
                agrees=tuple(creatives[k] for k in members if comparable and k not in differing),
                differs=tuple(
                    CreativeDifference(creatives[k], float(np.linalg.norm(delta[k])), _largest(delta[k], terms, top))
                    for k in differing
                ),
                verdict=_verdict(len(members), shared=shared, differ=bool(differing)),
            )
        )
    return tuple(summaries)


def _verdict(creatives: int, *, shared: bool, differ: bool) -> Verdict:
    if not shared and not differ:
        return "flat"
    if creatives == 1:
        return "single"
    if not shared:
        return "apart"
    return "partly" if differ else "together"


def _largest(coefficients: Vector, terms: Sequence[Term], top: int) -> tuple[TermWeight, ...]:
    """Coefficients other than zero, the largest first."""
    order = np.argsort(-np.abs(coefficients), kind="stable")[:top]
    return tuple(TermWeight(terms[j], float(coefficients[j])) for j in order if coefficients[j] != 0)
