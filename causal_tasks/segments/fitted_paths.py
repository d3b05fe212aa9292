"""Solutions of all segments of an experiment along one path of penalties."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from causal_tasks.segments.exposures import Exposures
from causal_tasks.segments.path import PenaltyForm, SegmentPath
from causal_tasks.segments.rows import SegmentRows
from causal_tasks.segments.solution import Solution

Vector = NDArray[np.float64]
Groups = Sequence[NDArray[np.intp]]
"""Positions of the creatives of each problem that is solved by itself."""


@dataclass(frozen=True, slots=True)
class Search:
    """How solutions are computed.

    Attributes:
        tol: Relative duality gap to reach.
        max_iter: Passes over the rows for one penalty, at most.
        device: That holds the rows and works on them.
        n_jobs: Threads of the processor.
        screening: Whether to leave out at first what strong rules tell to be zero.
    """

    tol: float = 1e-8
    max_iter: int = 10_000
    device: str = "cpu"
    n_jobs: int = 1
    screening: bool = True

    def rows(self, exposures: Exposures, group: NDArray[np.intp], fold: int | None, *, inside: bool) -> SegmentRows:
        """What is read of a group of creatives, see ``Exposures.rows``."""
        return exposures.rows(group, fold=fold, inside=inside, device=self.device, threads=self.n_jobs)


@dataclass(frozen=True, slots=True)
class FittedPaths:
    """One problem for every group of creatives; they share nothing but the penalty.

    Attributes:
        paths: Of each group.
        counts: People of each creative, by group.
    """

    paths: tuple[SegmentPath, ...]
    counts: tuple[NDArray[np.intp], ...]

    @classmethod
    def of(
        cls, exposures: Exposures, groups: Groups, form: PenaltyForm, search: Search, *, without_fold: int | None = None
    ) -> "FittedPaths":
        """Start every path; rows of a fold may be left out."""
        rows = [search.rows(exposures, group, without_fold, inside=False) for group in groups]
        with threadpool_limits(1):
            paths = [
                SegmentPath(its, form, tol=search.tol, max_passes=search.max_iter, screening=search.screening)
                for its in rows
            ]
        return cls(tuple(paths), tuple(its.counts for its in rows))

    @property
    def largest_lam(self) -> float:
        """The smallest lambda at which nothing departs from the start of any path."""
        return max(path.largest_lam for path in self.paths)

    @property
    def people(self) -> int:
        """In all."""
        return int(sum(counts.sum() for counts in self.counts))

    def solve(self, lams: Vector) -> Iterator[list[Solution]]:
        """Solutions of all groups at these penalties, which fall."""
        # Threads of the linear algebra would be in the way of those that share the rows.
        with threadpool_limits(1):
            walks = [path.solve(lams) for path in self.paths]
            for _ in lams:
                yield [next(walk) for walk in walks]


def shared_and_apart(solutions: Sequence[Solution]) -> tuple[int, int]:
    """Number of coefficients that are shared, and of creatives that depart from them."""
    shared = sum(int((solution.point.shared != 0).sum()) for solution in solutions)
    return shared, sum(int(solution.point.apart.any(axis=1).sum()) for solution in solutions)
