"""Cross-fitting inside a learner: every user's nuisances come from models that have not seen the user.

Nuisances are what has to be known about outcomes and arms before an effect can be learned: mean outcomes and
propensities. Had their models seen a user, they would have taken part of that user's noise for signal, and what is left
of the outcome would be biased towards zero.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from numpy.typing import NDArray

from causal_tasks.base_models import BaseModel, predict_mean
from causal_tasks.effects.matched_units import OVERLAP
from causal_tasks.errors import InputError
from causal_tasks.uplift.training_data import TrainingData


@dataclass(frozen=True, slots=True)
class CrossFit:
    """Models of one thing, each fitted without a fold.

    Attributes:
        models: One for each fold, which it has not seen.
        means: Shape (m,), what these models predict for the users that were asked for.
    """

    models: tuple[BaseModel, ...]
    means: NDArray[np.float64]


def draw_folds(data: TrainingData, folds: int, random_state: int) -> NDArray[np.intp]:
    """Fold of each user, 0 to ``folds`` - 1, shape (n,).

    Clusters stay whole. They are dealt in turn, those whose users are mostly in the same arm one after the other and
    the large ones before the small: each fold has about the same share of every arm.

    Raises:
        InputError: ``folds`` is no whole number of at least 2, there are fewer clusters than folds, or a fold holds all
            users of an arm.
    """
    if not isinstance(folds, Integral) or folds < 2:
        raise InputError(f"folds is {folds!r}", remedy="use a whole number, 2 or more")
    arms, users = len(data.labels), len(data.arm)
    cluster = np.arange(users) if data.clusters is None else data.clusters
    members = np.bincount(cluster * arms + data.arm, minlength=(int(cluster.max()) + 1) * arms).reshape(-1, arms)
    if len(members) < folds:
        raise InputError(
            f"there are {len(members)} {'users' if data.clusters is None else 'clusters'} for {folds} folds",
            remedy="use fewer folds",
        )
    random = np.random.default_rng(random_state)
    order = np.lexsort((random.random(len(members)), -members.sum(axis=1), members.argmax(axis=1)))
    dealt = np.empty(len(members), dtype=np.intp)
    dealt[order] = np.arange(len(members)) % folds
    fold = dealt[cluster]
    _require_arms(data, fold)
    return fold


def cross_fit(
    data: TrainingData,
    base_model: BaseModel,
    fold: NDArray[np.intp],
    target: NDArray[np.float64] | NDArray[np.bool_],
    *,
    learned: NDArray[np.intp],
    asked: NDArray[np.intp],
) -> CrossFit:
    """Models of the mean of ``target``, each fitted without a fold, and what they say of the users in that fold.

    Args:
        data: Of n users.
        base_model: Unfitted.
        fold: Shape (n,), from ``draw_folds``.
        target: Shape (n,).
        learned: Positions of the users to learn from.
        asked: Positions of the m users to predict.
    """
    models, means = [], np.empty(len(asked))
    for held_out in range(int(fold.max()) + 1):
        rows = learned[fold[learned] != held_out]
        model = data.fitted(base_model, rows, target[rows])
        unseen = np.flatnonzero(fold[asked] == held_out)
        if len(unseen):
            means[unseen] = predict_mean(model, data.X.take(asked[unseen]))
        models.append(model)
    return CrossFit(tuple(models), means)


def share_among_two(propensity: NDArray[np.float64], arm: int) -> float:
    """P(in the arm | in it or in control), from the known share of every arm, control first."""
    return float(propensity[arm] / (propensity[0] + propensity[arm]))


def within_bounds(propensity: NDArray[np.floating]) -> NDArray[np.float64]:
    """Estimated propensities, those beyond ``OVERLAP`` set to its bounds; the shape stays.

    Else a few users would decide everything, or one model nothing.
    """
    bounded: NDArray[np.float64] = np.clip(propensity, *OVERLAP, dtype=np.float64)
    return bounded


def arm_shares(indicator_means: Iterable[NDArray[np.floating]]) -> NDArray[np.float64]:
    """Propensities of all arms, shape (n, K + 1), rows sum to one.

    Args:
        indicator_means: By arm, control first, what a model of its indicator predicts, shape (n,): these need not sum
            to one. Of a single array, it is that of the only treatment.
    """
    bounded = np.column_stack([within_bounds(means) for means in indicator_means])
    if bounded.shape[1] == 1:
        return np.column_stack([1 - bounded, bounded])
    shares: NDArray[np.float64] = bounded / bounded.sum(axis=1, keepdims=True)
    return shares


def _require_arms(data: TrainingData, fold: NDArray[np.intp]) -> None:
    """Refuse folds without which an arm would have no user."""
    for position, label in enumerate(data.labels):
        of_arm = fold[data.arm == position]
        if (of_arm == of_arm[0]).all():
            raise InputError(
                f"treatment: all {len(of_arm)} users of arm {label!r} are in one fold of clusters",
                remedy="leave out arms with so few clusters, or use more folds",
            )
