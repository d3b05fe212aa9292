"""Creative segments whose penalty is chosen by cross-validation."""

from collections.abc import Sequence
from typing import Self

import numpy as np

from causal_tasks.errors import InputError
from causal_tasks.segments.creative_segments import CreativeSegments, require_alpha
from causal_tasks.segments.cross_validated import CrossValidated
from causal_tasks.segments.cross_validation import PathGrid, cross_validate
from causal_tasks.segments.exposures import Exposures
from causal_tasks.segments.fitted_paths import FittedPaths
from causal_tasks.segments.path import PenaltyForm
from causal_tasks.segments.response_models import require_search


class CreativeSegmentsCV(CrossValidated, CreativeSegments):
    """``CreativeSegments`` with lambda and alpha chosen by the log-likelihood of people left out.

    Args:
        alphas: Shares of the penalty to compare, see ``CreativeSegments``.
        standardize: See ``CreativeSegments``.
        n_lams: Values of lambda for each alpha, from the smallest at which no covariate matters down.
        lam_ratio: The smallest of them as a share of the largest.
        folds: Into which people are dealt where ``fit`` is not told.
        rule: ``one_standard_error`` or ``best``, see ``cross_validate``.
        seed: Of the dealing.
        family: See ``CreativeSegments``.
        count_intercepts: Likewise.
        tol: Likewise; penalties are compared at 1e-6 or this, whichever is more.
        max_iter: Likewise.
        dtype: Likewise.
        screening: Likewise.
        device: Likewise.
        n_jobs: Likewise.

    Attributes:
        alpha_: Chosen.
        lam_: Chosen.
        cv_results_: See ``CrossValidation.results``.
        best_row_: Of ``cv_results_``, that predicts best; where that is the smallest lambda of all, a smaller
            ``lam_ratio`` may predict better.
        chosen_row_: Of ``cv_results_``, that the rule has taken.
    """

    def __init__(
        self,
        alphas: Sequence[float] = (0.05, 0.1, 0.2),
        standardize: bool = True,
        *,
        n_lams: int = 50,
        lam_ratio: float = 0.01,
        folds: int = 5,
        rule: str = "one_standard_error",
        seed: int = 0,
        family: str = "binomial",
        count_intercepts: bool = False,
        tol: float = 1e-8,
        max_iter: int = 10_000,
        dtype: str = "float32",
        screening: bool = True,
        device: str = "cpu",
        n_jobs: int = 1,
    ) -> None:
        self.alphas = alphas
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
        grid = PathGrid(tuple(map(PenaltyForm, self.alphas)), self.n_lams, self.lam_ratio)
        groups, search = self._groups(exposures), self._search()
        found = cross_validate(exposures, groups, grid, search, rule=self.rule)
        self.alpha_, self.cv_results_ = found.form.alpha, found.results
        self.best_row_, self.chosen_row_ = found.best, found.chosen
        return self._fit_path(exposures, FittedPaths.of(exposures, groups, found.form, search), found.lam)

    def _require_parameters(self) -> None:
        require_search(self)
        if not len(self.alphas) or len(np.unique(self.alphas)) < len(self.alphas):
            raise InputError(f"alphas are {list(self.alphas)}", remedy="name at least one, and none twice")
        for alpha in self.alphas:
            require_alpha(alpha)
