"""How likely a unit was to be treated, given what was known of it: it stands in for randomisation where there is none.

Two classifiers, logistic regression on linear terms and LightGBM, are each fitted without a fold and predict it. Their
predictions are then combined by a third, logistic regression on both, whose coefficients are not negative (stacking):
in a linear world the first gets the weight, otherwise the second, and the combination is calibrated on units that
neither has seen. ``tests/unit/effects/test_propensity.py`` holds it against either alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from causal_tasks.effects.arguments import Codes, Floats, Mask, cluster_codes, finite, treated_mask
from causal_tasks.effects.covariates import LinearTerms, read_covariates, varying
from causal_tasks.errors import InputError

if TYPE_CHECKING:
    from causal_tasks.base_models import LightGBM

FOLDS = 5
MIN_UNITS = 10
"""Units of either arm that every model must see."""

_EXTREME = 1e-4
"""Probabilities beyond it, or 1 minus it, are set to it: nothing that is modelled is certain."""

_SEPARATED = 0.995
"""Share of pairs of a treated and a control unit told apart from which on a comparison is hopeless."""


@dataclass(frozen=True, slots=True)
class Propensity:
    """Cross-fitted probabilities of treatment, and the models behind them.

    Attributes:
        values: Shape (n,), between 0 and 1, each from models that have not seen the unit.
        notes: ``constant_covariates: n`` were left out; ``separated``: covariates tell the arms apart nearly without
            error, so that there are hardly any like units to compare.
        models: One for each fold.
        combination: Intercept and coefficients of the classifiers' log odds.
    """

    values: Floats
    notes: tuple[str, ...]
    models: "tuple[_Classifiers, ...]"
    combination: Floats

    def predict(self, covariates: Any) -> Floats:
        """Probabilities for units that no model has seen: the mean log odds of all folds' models, combined.

        Args:
            covariates: With the columns that the models were fitted on, m rows.

        Returns:
            Shape (m,).
        """
        rows = read_covariates(covariates, rows=len(covariates))
        with _reproducible_sums():
            log_odds = sum(model.log_odds(rows) for model in self.models)
        return _combined(np.asarray(log_odds) / len(self.models), self.combination)


def cross_fitted_propensity(
    covariates: Any,
    treatment: npt.ArrayLike,
    *,
    control: Any = None,
    clusters: npt.ArrayLike | None = None,
    folds: int | npt.ArrayLike = FOLDS,
    n_jobs: int = 1,
    seed: int = 0,
) -> Propensity:
    """Model the probability of treatment by cross-fitting.

    Args:
        covariates: DataFrame of n rows, or numbers of shape (n, p), known before exposure; missing values and
            categories allowed.
        treatment: Shape (n,), two arm labels.
        control: Label of the control arm; None: 0 or False.
        clusters: Shape (n,), units that are kept in one fold together; None: units are independent.
        folds: How many to draw, or the fold of each unit, shape (n,).
        n_jobs: Threads of a fit; the result does not depend on it.
        seed: Of the folds and of LightGBM.

    Raises:
        InputError: No covariate varies, one is infinite, labels are not two, there are fewer than two folds, or some
            fold leaves fewer than 10 units of an arm to learn from.

    Source: van der Laan, Polley, Hubbard (2007), stacking; Chernozhukov et al. (2018), cross-fitting.

    Examples:
        >>> import numpy as np
        >>> age = np.arange(400.0)
        >>> treated = (np.arange(400) * 7919) % 400 < age
        >>> propensity = cross_fitted_propensity(age, treated).values
        >>> bool(propensity[:100].mean() < 0.25), bool(propensity[300:].mean() > 0.75)
        (True, True)
    """
    rows = len(np.asarray(treatment))
    treated = treated_mask(treatment, control=control, rows=rows)
    known = read_covariates(covariates, rows=rows)
    used = known[varying(known)]
    if not len(used.columns):
        raise InputError(
            f"none of the {len(known.columns)} covariates varies",
            remedy="pass what could have decided about the treatment; without it there is nothing to adjust for",
        )
    fold = _folds(folds, clusters, rows, seed)
    log_odds = np.empty((rows, 2))
    models = []
    with _reproducible_sums():
        for held_out in _held_out(fold, treated):
            model = _Classifiers.fitted(used[~held_out], treated[~held_out], n_jobs=n_jobs, seed=seed)
            log_odds[held_out] = model.log_odds(used[held_out])
            models.append(model)
        combination = _stacked(log_odds, treated)
    values = _combined(log_odds, combination)
    constant = len(known.columns) - len(used.columns)
    notes = [f"constant_covariates: {constant}"] if constant else []
    notes += ["separated"] if told_apart(values, treated) > _SEPARATED else []
    return Propensity(values, tuple(notes), tuple(models), combination)


def told_apart(propensity: Floats, treated: Mask) -> float:
    """Share of all pairs of a treated and a control unit in which the treated one has the higher probability.

    One half where covariates say nothing about the treatment, 1 where they decide it (area under the ROC curve).
    """
    from scipy.stats import rankdata

    n_treatment = int(treated.sum())
    above = float(rankdata(propensity)[treated].sum()) - n_treatment * (n_treatment + 1) / 2
    return above / (n_treatment * (len(treated) - n_treatment))


@dataclass(frozen=True, slots=True)
class _Classifiers:
    """The two classifiers, fitted on the same units."""

    terms: LinearTerms
    intercept: float
    coefficients: Floats
    trees: "LightGBM"
    columns: list[str]

    @classmethod
    def fitted(cls, covariates: pd.DataFrame, treated: Mask, *, n_jobs: int, seed: int) -> Self:
        from sklearn.linear_model import LogisticRegression

        from causal_tasks.base_models import LightGBM

        terms = LinearTerms(covariates)
        matrix = terms.matrix(covariates)
        intercept, coefficients = float(_log_odds(treated.mean())), np.zeros(0)
        # Rare levels alone, or what varies only in the fold left out, make no linear term.
        if matrix.shape[1]:
            linear = LogisticRegression(max_iter=500).fit(matrix, treated)
            intercept, coefficients = float(linear.intercept_[0]), linear.coef_[0].astype(np.float64)
        trees = LightGBM(min_child_samples=_leaf_size(treated), n_jobs=n_jobs, random_state=seed)
        trees.fit(covariates, treated.astype(np.float64))
        return cls(terms, intercept, coefficients, trees, list(covariates.columns))

    def log_odds(self, covariates: pd.DataFrame) -> Floats:
        """Shape (n, 2)."""
        used = covariates[self.columns]
        linear = self.terms.matrix(used) @ self.coefficients + self.intercept
        share = self.trees.predict(self.trees.features_.without_new_levels(used)).astype(np.float64)
        return np.column_stack([_cut(linear), _log_odds(share)])


def _reproducible_sums() -> Any:
    """A context in which a matrix product is summed by one thread: else its last digit depends on their number."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits=1, user_api="blas")


def _leaf_size(treated: Mask) -> int:
    """Small beside the smaller arm, yet large enough for a share."""
    smaller = min(int(treated.sum()), int((~treated).sum()))
    return int(np.clip(smaller // 20, 20, 200))


def _folds(folds: int | npt.ArrayLike, clusters: npt.ArrayLike | None, rows: int, seed: int) -> Codes:
    """Fold of each unit, shape (n,)."""
    if np.ndim(folds):
        given = finite(folds, name="folds").astype(np.intp)
        if len(given) != rows:
            raise InputError(f"folds has {len(given)} rows, the treatment {rows}", remedy="pass one fold per unit")
        return given
    member = cluster_codes(clusters, rows=rows)
    drawn: Codes = np.random.default_rng(seed).permutation(int(member.max()) + 1) % int(np.asarray(folds))
    return drawn[member]


def _held_out(fold: Codes, treated: Mask) -> Iterator[Mask]:
    """The units of each fold in turn, a mask of shape (n,)."""
    numbers = np.unique(fold)
    if len(numbers) < 2:
        raise InputError(f"folds: there are {len(numbers)}", remedy="use two folds or more")
    for number in numbers:
        held_out = fold == number
        learned = [int((~held_out & arm).sum()) for arm in (treated, ~treated)]
        if min(learned) < MIN_UNITS:
            raise InputError(
                f"treatment: without fold {number} there are {learned[0]} treated and {learned[1]} control units",
                remedy=f"a model needs {MIN_UNITS} of either: add units, or leave this treatment out",
            )
        yield held_out


def _stacked(log_odds: Floats, treated: Mask) -> Floats:
    """Intercept and coefficients, none negative, of the logistic regression of treatment on log odds, shape (3,)."""
    from scipy.optimize import minimize
    from scipy.special import expit

    design = np.column_stack([np.ones(len(log_odds)), log_odds])

    def loss(coefficients: Floats) -> tuple[float, Floats]:
        predicted = design @ coefficients
        slope = design.T @ (expit(predicted) - treated) / len(treated)
        return float(np.mean(np.logaddexp(0, predicted) - treated * predicted)), slope

    # Bounded, so that arms which can be told apart without error do not drive the coefficients to infinity.
    bounds = [(-10.0, 10.0), (0.0, 2.0), (0.0, 2.0)]
    found: Floats = minimize(loss, [0.0, 0.5, 0.5], jac=True, bounds=bounds, method="L-BFGS-B").x
    return found


def _combined(log_odds: Floats, combination: Floats) -> Floats:
    from scipy.special import expit

    combined = combination[0] + log_odds[:, 0] * combination[1] + log_odds[:, 1] * combination[2]
    values: Floats = np.clip(expit(combined), _EXTREME, 1 - _EXTREME)
    return values


def _log_odds(share: npt.ArrayLike) -> Floats:
    inside = np.clip(share, _EXTREME, 1 - _EXTREME)
    odds: Floats = np.log(inside / (1 - inside))
    return odds


def _cut(log_odds: Floats) -> Floats:
    """As far out as ``_log_odds`` goes."""
    extreme = float(np.log((1 - _EXTREME) / _EXTREME))
    return np.clip(log_odds, -extreme, extreme)
