"""Whether a classifier can tell the arms apart by the features: where arms were drawn at random, it cannot."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri
from scipy.stats import rankdata

from causal_tasks.experiment import Experiment
from causal_tasks.validity.arms import Arms
from causal_tasks.validity.grading import Check, grade
from causal_tasks.validity.metric_values import Floats
from causal_tasks.validity.samples import evenly

_FOLDS = 2
_SEED = 74_205
"""Of the folds: no seed that arms of simulated data are likely to be drawn with, which would be the same draws."""
_FEWEST_CLUSTERS = 100
"""Clusters, or units, of each arm in a fold below which the normal distribution of an AUC is not to be relied on."""
_MOST_NAMED, _DWARFED = 3, 0.2

Mask = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.intp]


def arm_predictable(users: pd.DataFrame, used: Sequence[str], arms: Arms, experiment: Experiment) -> list[Check]:
    """Whether features together tell a treatment from the control, by the AUC for users held out.

    Trees are fitted on half of the clusters, of at most 50,000 units, and predict the other half, and the other way
    round. The check warns where the AUC's one-sided confidence bound lies above one half. None is made without
    features or where arms are too small.

    Args:
        users: A column for each of ``used``.
        used: Features.
        arms: Of the same rows.
        experiment: Its ``thresholds.p_value`` is the level of the bound.

    Returns:
        One check, of the treatment that is told apart best, or none.
    """
    checks = []
    for code, treatment in enumerate(arms.names[1:], start=1):
        rows = np.flatnonzero((arms.codes == 0) | (arms.codes == code))
        rows = rows[evenly(len(rows))] if len(rows) else rows
        found = _held_out(users, used, rows, arms.codes[rows] == code, arms.clusters[rows]) if used else None
        if found is not None:
            bound = found.auc - float(ndtri(1 - experiment.thresholds.p_value)) * found.standard_error
            details = {"auc": found.auc, "units": len(rows), "features": list(found.features)}
            checks.append(grade("arm_predictable", bound, warn=0.5, subject=treatment, details=details))
    return [max(checks, key=lambda check: check.value or 0.0)] if checks else []


@dataclass(frozen=True, slots=True)
class _Separation:
    """How well arms are told apart: AUC, its standard error, and the features that the trees gained most from."""

    auc: float
    standard_error: float
    features: tuple[str, ...]


def _held_out(
    users: pd.DataFrame, used: Sequence[str], rows: Codes, treated: Mask, clusters: Codes
) -> _Separation | None:
    from causal_tasks.base_models import LightGBM

    _, clusters = np.unique(clusters, return_inverse=True)
    fold = np.random.default_rng(_SEED).permutation(clusters.max(initial=-1) + 1)[clusters] % _FOLDS
    if _fewest_clusters(fold, treated, clusters) < _FEWEST_CLUSTERS:
        return None
    features = _frame(users, used, rows)
    influence, auc, gains = np.zeros(len(rows)), 0.0, np.zeros(len(used))
    for held_out in range(_FOLDS):
        fitted, rest = fold != held_out, fold == held_out
        leaf = max(20, int(fitted.sum()) // 100)
        model = LightGBM(n_estimators=50, learning_rate=0.1, min_child_samples=leaf, colsample_bytree=1.0)
        # Centred, so that least squares fit it: ranks are all that counts, and log loss may leave a leaf without rows.
        model.fit(features[fitted], treated[fitted] - treated.mean())
        scores = model.predict(features[rest])
        found, influence[rest] = _auc(scores.astype(np.float64), treated[rest])
        auc += found / _FOLDS
        gains += model.booster_.feature_importance("gain")
    sums = np.bincount(clusters, influence / _FOLDS)
    return _Separation(auc, float(np.sqrt((sums**2).sum())), _strongest(used, gains))


def _strongest(used: Sequence[str], gains: Floats) -> tuple[str, ...]:
    """The features with the largest gains, as far as they are not dwarfed by the first."""
    largest = np.argsort(-gains, kind="stable")[:_MOST_NAMED]
    return tuple(used[place] for place in largest if gains[place] > _DWARFED * gains.max())


def _fewest_clusters(fold: Codes, treated: Mask, clusters: Codes) -> int:
    """The smallest number of clusters in a fold and arm."""
    cells = np.unique(clusters * 2 * _FOLDS + fold * 2 + treated) % (2 * _FOLDS)
    return int(np.bincount(cells, minlength=2 * _FOLDS).min())


def _frame(users: pd.DataFrame, used: Sequence[str], rows: Codes) -> pd.DataFrame:
    """The features of some units, text as categories."""
    columns = {name: users[name].iloc[rows] for name in used}
    return pd.DataFrame(
        {
            name: column if pd.api.types.is_numeric_dtype(column.dtype) else column.astype("category")
            for name, column in columns.items()
        }
    ).reset_index(drop=True)


def _auc(scores: Floats, treated: Mask) -> tuple[float, Floats]:
    """Area under the ROC curve, ties one half, and what every unit adds to its error, shape (n,).

    Source: DeLong, DeLong, Clarke-Pearson (1988): the share of the other arm that a unit's score is beyond.
    """
    n_treated, n_control = int(treated.sum()), int((~treated).sum())
    ranks = rankdata(scores)
    placement = np.empty(len(scores))
    placement[treated] = (ranks[treated] - rankdata(scores[treated])) / n_control
    placement[~treated] = 1 - (ranks[~treated] - rankdata(scores[~treated])) / n_treated
    auc = float(placement[treated].mean())
    return auc, (placement - auc) / np.where(treated, n_treated, n_control)
