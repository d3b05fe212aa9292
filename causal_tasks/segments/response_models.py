"""What every model of the responses to creatives can do once it is fitted."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning

from causal_tasks.errors import InputError
from causal_tasks.segments.balance import ColumnMoments, UnbalancedExposureWarning, exposure_balance
from causal_tasks.segments.exposures import Exposures
from causal_tasks.segments.fitted_paths import Search
from causal_tasks.segments.likelihood import likelihood_of
from causal_tasks.segments.linear_predictors import linear_predictors
from causal_tasks.segments.solution import Solution

Vector = NDArray[np.float64]


class CreativeResponses(BaseEstimator, ABC):  # type: ignore[misc]
    """Linear predictors of the response to each creative.

    Attributes:
        creatives_: Names of the K creatives, those of a segment beside each other.
        segments_: Names of the m segments.
        segment_of_: Position of each creative's segment, shape (K,).
        family_: Of the likelihood.
        terms_: Columns of the model, p of them.
        centre_: Taken from each column, shape (p,).
        scale_: By which each column is divided then, shape (p,).
        beta_: Per standardised unit, shape (K, p).
        intercept_: Of people whose covariates are ``centre_``, shape (K,).
        objective_: Summed loss, which is half the deviance, plus penalty.
        duality_gap_: The optimum is at most this far below the objective.
        converged_: Whether the gap of every problem is within ``tol``.
        balance_: Whether creatives can have been shown at random.
        counts_: People who were shown each creative, shape (K,).
        notes_: Codes of what a reader should know.
    """

    family: str
    standardize: bool
    dtype: str
    tol: float
    max_iter: int
    screening: bool
    device: str
    n_jobs: int

    creatives_: tuple[str, ...]
    segments_: tuple[str, ...]

    def fit(self, X: Any, response: ArrayLike, *, creative: ArrayLike, segment: Mapping[Any, Any] | ArrayLike) -> Self:
        """Learn from people who were each shown one creative at random.

        Args:
            X: Covariates of n people: a DataFrame of numbers, text and categories, an array, or a sparse matrix.
            response: Shape (n,).
            creative: Which creative each was shown, shape (n,).
            segment: Segment by creative; or of the creative that each was shown, shape (n,).

        Raises:
            InputError: A parameter is out of range, or see ``Exposures.checked``.

        Warns:
            UnbalancedExposureWarning: People shown different creatives differ beyond chance.
            CollapsedPenaltyWarning: ``alpha`` is 0.5 or more, where there is one.
            ConvergenceWarning: ``max_iter`` passes did not suffice.
        """
        return self.fit_exposures(self._exposures(X, response, creative=creative, segment=segment))

    @abstractmethod
    def fit_exposures(self, exposures: Exposures) -> Self:
        """``fit`` on people who were made ready before; ``family``, ``standardize`` and ``dtype`` are theirs."""

    def predict_response(self, X: Any) -> Vector:
        """Expected response to each creative, shape (n, K)."""
        return np.asarray(likelihood_of(self.family_).mean(self._linear(X, self.beta_, self.intercept_)))

    def save(self, folder: str | Path) -> None:
        """Write the model to a folder, see ``saved_segments.save``."""
        from causal_tasks.segments.saved_segments import save

        save(self, folder)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """The model of this class that ``save`` wrote to a folder, see ``saved_segments.load``."""
        from causal_tasks.segments.saved_segments import load

        return load(folder, cls)

    def _exposures(
        self,
        X: Any,
        response: ArrayLike,
        *,
        creative: ArrayLike,
        segment: Mapping[Any, Any] | ArrayLike,
        fold: ArrayLike | None = None,
    ) -> Exposures:
        return Exposures.checked(
            X,
            response,
            creative=creative,
            segment=segment,
            family=self.family,
            standardize=self.standardize,
            dtype=self.dtype,
            fold=fold,
        )

    def _linear(self, X: Any, coefficients: Vector, constants: Vector) -> Vector:
        return linear_predictors(X, self.terms_, coefficients, constants, centre=self.centre_, scale=self.scale_)

    def _search(self) -> Search:
        return Search(self.tol, self.max_iter, self.device, self.n_jobs, self.screening)

    def _keep(self, exposures: Exposures, solutions: Sequence[Solution]) -> None:
        """Take over what was found for each group of creatives, in their order."""
        creatives = exposures.creatives
        self.creatives_, self.segments_, self.segment_of_ = creatives.names, creatives.segments, creatives.segment_of
        self.family_, self.counts_ = exposures.family, exposures.counts
        self.terms_, self.centre_, self.scale_ = exposures.terms, exposures.centre, exposures.scale
        self.beta_ = np.concatenate([solution.point.beta for solution in solutions])
        self.intercept_ = np.concatenate([solution.point.intercept for solution in solutions])
        self.objective_ = sum(solution.certificate.objective for solution in solutions)
        self.duality_gap_ = sum(solution.certificate.gap for solution in solutions)
        self.converged_ = all(solution.converged for solution in solutions)
        self.balance_ = exposure_balance(
            ColumnMoments.of([people.matrix for people in exposures.people]),
            creatives=creatives.names,
            terms=exposures.terms.terms,
        )
        self.notes_: tuple[str, ...] = tuple(self._warned())

    def _warned(self) -> list[str]:
        notes = []
        if not self.converged_:
            notes.append("not_converged")
            warnings.warn(
                f"the duality gap is {self.duality_gap_:.3g} after {self.max_iter} passes, of an objective of "
                f"{self.objective_:.6g}; raise max_iter or tol",
                ConvergenceWarning,
                stacklevel=5,
            )
        if self.balance_.flagged:
            notes.append("unbalanced_exposure")
            first = self.balance_.largest[0]
            warnings.warn(
                f"people shown {first.creative!r} differ from the others by {first.difference:+.2f} standard "
                f"deviations in {first.term} (p = {self.balance_.p_value:.2g}): creatives were not shown at random",
                UnbalancedExposureWarning,
                stacklevel=5,
            )
        return notes


def require_search(estimator: Any) -> None:
    """Check the parameters that all estimators share.

    Raises:
        InputError: One is out of range.
    """
    likelihood_of(estimator.family)
    for name, least in (("n_lams", 1), ("max_iter", 1), ("n_jobs", 1), ("tol", 0)):
        value = getattr(estimator, name, least)
        if not value >= least:
            raise InputError(f"{name} is {value}", remedy=f"use at least {least}")
    if estimator.dtype not in {"float32", "float64"}:
        raise InputError(f"dtype {estimator.dtype!r} is unknown", remedy="use float32 or float64")


def require_lam(lam: float) -> None:
    """Check a penalty.

    Raises:
        InputError: It is negative or not finite.
    """
    if not 0 <= lam < np.inf:
        raise InputError(f"lam is {lam}", remedy="use a finite number that is not negative")
