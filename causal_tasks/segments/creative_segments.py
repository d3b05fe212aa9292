"""Segments learned from responses to creatives: what the creatives of a segment share, and what sets one apart."""

import warnings
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_tasks.errors import InputError
from causal_tasks.segments.exposures import Exposures
from causal_tasks.segments.fitted_paths import FittedPaths, shared_and_apart
from causal_tasks.segments.path import PenaltyForm, penalties_to
from causal_tasks.segments.penalty import COLLAPSE
from causal_tasks.segments.response_models import CreativeResponses, require_lam, require_search
from causal_tasks.segments.solution import Solution
from causal_tasks.segments.summary import SegmentSummary, summarise

Vector = NDArray[np.float64]


class CollapsedPenaltyWarning(UserWarning):
    """At this alpha no coefficient is ever shared."""


class CreativeSegments(CreativeResponses):
    """A model of the response to each creative that lets the creatives made for one segment share what they can.

    Minimises the summed loss of the responses plus, for every segment of K creatives,
    lambda [(1 - alpha) / K sum_k ||beta_k - gamma||_2 + alpha ||gamma||_1]: gamma is what the creatives of a segment
    have in common, and a creative departs from it altogether or not at all. A person belongs to the segment whose
    gamma'x is largest; how well a single creative is made does not decide.

    Args:
        lam: lambda, for losses as sums; or where ``relative``, its share of the smallest lambda at which no covariate
            matters.
        alpha: Share of the penalty on gamma, 0 to 1. A signal of s equal coefficients is shared rather than repeated
            where alpha < 1 / (1 + sqrt(s)); from 0.5 on nothing ever is.
        standardize: Whether covariates get mean 0 and variance 1 first. The penalty depends on their units.
        relative: See ``lam``.
        family: ``binomial`` (responses 0 and 1), ``poisson`` (counts) or ``gaussian`` (numbers).
        count_intercepts: Whether the mean intercept of a segment's creatives counts when people are assigned.
        n_lams: Penalties on the way from the largest to ``lam``, each the start of the next.
        tol: Relative duality gap at which a solution counts as found.
        max_iter: Passes over the rows for one penalty, at most.
        dtype: In which covariates are stored, ``float32`` or ``float64``; gaps are computed in double precision.
        screening: Whether to leave out at first what strong rules tell to be zero.
        device: ``cpu`` or a CUDA device.
        n_jobs: Threads.

    Attributes:
        gamma_: What each segment's creatives share, shape (m, p). Not always unique: where several values make the same
            penalty, the solver's.
        delta_: beta - gamma, exactly 0 for a creative that acts like its segment, shape (K, p).
        lam_: lambda.
        lam_max_: The smallest lambda at which no covariate matters (for alpha 0: at which creatives are alike).
        path_: One row for each penalty: ``lam``, ``objective``, ``duality_gap``, ``iterations``, ``shared``
            (coefficients of gamma that are not zero), ``apart`` (creatives that depart).
        notes_: ``not_converged``, ``unbalanced_exposure``, ``nothing_shared``.

    What every model of responses has is said at ``CreativeResponses``.

    Source: Wilson, "User Segmentation from Heterogeneous Treatment Effects" (adventuresinwhy.com); the certificate and
    the bound on alpha are in docs/creative-segments.md.
    """

    def __init__(
        self,
        lam: float = 0.05,
        alpha: float = 0.1,
        standardize: bool = True,
        *,
        relative: bool = False,
        family: str = "binomial",
        count_intercepts: bool = False,
        n_lams: int = 10,
        tol: float = 1e-8,
        max_iter: int = 10_000,
        dtype: str = "float32",
        screening: bool = True,
        device: str = "cpu",
        n_jobs: int = 1,
    ) -> None:
        self.lam = lam
        self.alpha = alpha
        self.standardize = standardize
        self.relative = relative
        self.family = family
        self.count_intercepts = count_intercepts
        self.n_lams = n_lams
        self.tol = tol
        self.max_iter = max_iter
        self.dtype = dtype
        self.screening = screening
        self.device = device
        self.n_jobs = n_jobs

    def fit_exposures(self, exposures: Exposures) -> Self:
        """See ``CreativeResponses``."""
        self._require_parameters()
        paths = FittedPaths.of(exposures, self._groups(exposures), PenaltyForm(self.alpha), self._search())
        return self._fit_path(exposures, paths, self.lam * paths.largest_lam if self.relative else self.lam)

    def segment_scores(self, X: Any) -> Vector:
        """The scores gamma'x of every segment, plus its mean intercept where ``count_intercepts``, shape (n, m).

        Covariates are standardised, so that a person with mean covariates scores 0 everywhere.
        """
        of_segment = [np.flatnonzero(self.segment_of_ == at) for at in range(len(self.segments_))]
        means = np.array([self.intercept_[its].mean() for its in of_segment])
        return self._linear(X, self.gamma_, means if self.count_intercepts else np.zeros_like(means))

    def predict(self, X: Any) -> NDArray[np.object_]:
        """Name of the segment that each person belongs to, shape (n,); the first of several that score alike."""
        return np.asarray(np.array(self.segments_, dtype=object)[self.segment_scores(X).argmax(axis=1)])

    def summary(self) -> tuple[SegmentSummary, ...]:
        """What was learned of every segment."""
        return summarise(
            creatives=self.creatives_,
            segments=self.segments_,
            segment_of=self.segment_of_,
            counts=self.counts_,
            gamma=self.gamma_,
            delta=self.delta_,
            terms=self.terms_.terms,
        )

    def _groups(self, exposures: Exposures) -> list[NDArray[np.intp]]:
        return [exposures.creatives.of_segment(at) for at in range(len(exposures.creatives.segments))]

    def _fit_path(self, exposures: Exposures, paths: FittedPaths, lam: float) -> Self:
        self.lam_, self.lam_max_ = float(lam), paths.largest_lam
        lams, along = penalties_to(lam, self.lam_max_, self.n_lams), []
        for at, solutions in zip(lams, paths.solve(lams), strict=True):
            along.append(_path_row(at, solutions))
        self.path_ = pd.DataFrame(along)
        self._keep(exposures, solutions)
        return self

    def _keep(self, exposures: Exposures, solutions: Sequence[Solution]) -> None:
        super()._keep(exposures, solutions)
        # Thresholding leaves zeros of either sign.
        self.gamma_ = np.array([solution.point.shared for solution in solutions]) + 0.0
        self.delta_ = np.concatenate([solution.point.apart for solution in solutions]) + 0.0
        if not self.gamma_.any():
            self.notes_ = (*self.notes_, "nothing_shared")

    def _require_parameters(self) -> None:
        require_search(self)
        require_alpha(self.alpha)
        require_lam(self.lam)


def require_alpha(alpha: float) -> None:
    """Check a share of the penalty.

    Raises:
        InputError: It is no share.

    Warns:
        CollapsedPenaltyWarning: It is 0.5 or more.
    """
    if not 0 <= alpha <= 1:
        raise InputError(f"alpha is {alpha}", remedy="use a number from 0 to 1, below 0.5 for anything to be shared")
    if alpha >= COLLAPSE:
        warnings.warn(
            f"alpha is {alpha}: from {COLLAPSE} on gamma is always 0, every creative has a model of its own; use less",
            CollapsedPenaltyWarning,
            stacklevel=5,
        )


def _path_row(lam: float, solutions: list[Solution]) -> dict[str, float]:
    shared, apart = shared_and_apart(solutions)
    return {
        "lam": float(lam),
        "objective": sum(solution.certificate.objective for solution in solutions),
        "duality_gap": sum(solution.certificate.gap for solution in solutions),
        "iterations": sum(solution.passes for solution in solutions),
        "shared": shared,
        "apart": apart,
    }
