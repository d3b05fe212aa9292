"""The plain alternative to segments: a lasso model of the response to every creative by itself."""

from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from causal_tasks.segments.cross_validated import CrossValidated
from causal_tasks.segments.cross_validation import PathGrid, cross_validate
from causal_tasks.segments.exposures import Exposures
from causal_tasks.segments.fitted_paths import FittedPaths
from causal_tasks.segments.path import PenaltyForm, penalties_to
from causal_tasks.segments.response_models import CreativeResponses, require_lam, require_search

LASSO = PenaltyForm(alpha=1.0, tied=True)


class SeparateCreatives(CreativeResponses):
    """One lasso model of the response to each creative; a person gets the creative with the largest linear predictor.

    Args:
        lam: Penalty on the coefficients' absolute values, for losses as sums; or where ``relative``, its share of the
            smallest at which no covariate matters for that creative.
        standardize: See ``CreativeSegments``.
        relative: See ``lam``.
        family: See ``CreativeSegments``.
        count_intercepts: Whether it counts how well a creative does on average.
        n_lams: See ``CreativeSegments``.
        tol: Likewise.
        max_iter: Likewise.
        dtype: Likewise.
        screening: Likewise.
        device: Likewise.
        n_jobs: Likewise.

    Attributes:
        lams_: lambda of each creative's model, shape (K,).

    What every model of responses has is said at ``CreativeResponses``.
    """

    count_intercepts: bool
    n_lams: int

    def __init__(
        self,
        lam: float = 0.05,
        standardize: bool = True,
        *,
        relative: bool = False,
        family: str = "binomial",
        count_intercepts: bool = True,
        n_lams: int = 10,
        tol: float = 1e-8,
        max_iter: int = 10_000,
        dtype: str = "float32",
        screening: bool = True,
        device: str = "cpu",
        n_jobs: int = 1,
    ) -> None:
        self.lam = lam
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
        paths = FittedPaths.of(exposures, _each_alone(exposures), LASSO, self._search())
        largest = np.array([path.largest_lam for path in paths.paths])
        return self._fit_paths(
            exposures, paths, self.lam * largest if self.relative else np.full_like(largest, self.lam)
        )

    def predict(self, X: Any) -> NDArray[np.object_]:
        """Name of the creative with the largest linear predictor for each person, shape (n,)."""
        constants = self.intercept_ if self.count_intercepts else np.zeros_like(self.intercept_)
        best = self._linear(X, self.beta_, constants).argmax(axis=1)
        return np.asarray(np.array(self.creatives_, dtype=object)[best])

    def _fit_paths(self, exposures: Exposures, paths: FittedPaths, lams: NDArray[np.float64]) -> Self:
        solutions = []
        # As ``FittedPaths.solve``, but every path has a lambda of its own.
        with threadpool_limits(1):
            for path, lam in zip(paths.paths, lams, strict=True):
                *_, solution = path.solve(penalties_to(lam, path.largest_lam, self.n_lams))
                solutions.append(solution)
        self.lams_ = lams
        self._keep(exposures, solutions)
        return self

    def _require_parameters(self) -> None:
        require_search(self)
        require_lam(self.lam)


class SeparateCreativesCV(CrossValidated, SeparateCreatives):
    """``SeparateCreatives`` with the penalty of every creative's model chosen by the people left out.

    Args:
        standardize: See ``CreativeSegments``.
        n_lams: See ``CreativeSegmentsCV``.
        lam_ratio: Likewise.
        folds: Likewise.
        rule: Likewise.
        seed: Likewise.
        family: See ``CreativeSegments``.
        count_intercepts: See ``SeparateCreatives``.
        tol: See ``CreativeSegmentsCV``.
        max_iter: See ``CreativeSegments``.
        dtype: Likewise.
        screening: Likewise.
        device: Likewise.
        n_jobs: Likewise.

    Attributes:
        cv_results_: See ``CrossValidation.results``, with the ``creative``.
    """

    def __init__(
        self,
        standardize: bool = True,
        *,
        n_lams: int = 50,
        lam_ratio: float = 0.01,
        folds: int = 5,
        rule: str = "one_standard_error",
        seed: int = 0,
        family: str = "binomial",
        count_intercepts: bool = True,
        tol: float = 1e-8,
        max_iter: int = 10_000,
        dtype: str = "float32",
        screening: bool = True,
        device: str = "cpu",
        n_jobs: int = 1,
    ) -> None:
        self.standardize = standardize
        self.n_lams = n_lams
        self.lam_ratio = lam_ratio
        self.folds = folds
        self.rule = rule
        self.seed = seed
        self.family = family
        self.count_intercepts = count_intercepts
        self.tol = tol
        self.max_iter = max_iter
        self.dtype = dtype
        self.screening = screening
        self.device = device
        self.n_jobs = n_jobs

    def fit_exposures(self, exposures: Exposures) -> Self:
        """``fit`` on people who were made ready before, with folds."""
        self._require_parameters()
        grid, search = PathGrid((LASSO,), self.n_lams, self.lam_ratio), self._search()
        groups = _each_alone(exposures)
        found = [cross_validate(exposures, [group], grid, search, rule=self.rule) for group in groups]
        self.cv_results_ = pd.concat(
            [its.results.assign(creative=name) for its, name in zip(found, exposures.creatives.names, strict=True)],
            ignore_index=True,
        )
        paths = FittedPaths.of(exposures, groups, LASSO, search)
        return self._fit_paths(exposures, paths, np.array([its.lam for its in found]))

    def _require_parameters(self) -> None:
        require_search(self)


def _each_alone(exposures: Exposures) -> list[NDArray[np.intp]]:
    return [np.array([at]) for at in range(len(exposures.creatives.names))]
