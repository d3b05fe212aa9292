"""Predictions for every user by models that have not seen that user."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from causal_tasks.base_models import DesignMatrix
from causal_tasks.effects.arguments import read_arms
from causal_tasks.errors import InputError
from causal_tasks.uplift.learner import UpliftLearner


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """Cross-fitted predictions and the learners that made them.

    Attributes:
        outcomes: Shape (n, K + 1), float32: mean outcome of each held-out user under each arm; columns are arm labels,
            the index is that of the users.
        learners: Fitted learner by fold: the one that has not seen it.
    """

    outcomes: pd.DataFrame
    learners: dict[int, UpliftLearner]

    def joined(self, other: Self) -> "OutOfFold":
        """These predictions and those of other folds, users in the order of the index."""
        outcomes = pd.concat([self.outcomes, other.outcomes]).sort_index()
        return OutOfFold(outcomes, dict(sorted((self.learners | other.learners).items())))

    def predict_outcomes(self, X: Any) -> pd.DataFrame:
        """The mean of all folds' predictions for users that none of them has seen; like ``outcomes``."""
        return mean_outcomes(tuple(self.learners.values()), X)


def mean_outcomes(learners: Sequence[UpliftLearner], X: Any) -> pd.DataFrame:
    """The mean of what fitted learners of the same arms predict, shape (n, K + 1), float32, columns are arm labels."""
    first, *others = learners
    total = first.predict_outcomes(X)
    for learner in others:
        total += learner.predict_outcomes(X)
    return pd.DataFrame(total / np.float32(len(learners)), columns=list(first.arms_))


def predict_out_of_fold(
    learner: UpliftLearner,
    X: Any,
    outcome: ArrayLike,
    treatment: ArrayLike,
    fold: ArrayLike,
    *,
    control: Any = None,
    propensity: Mapping[Any, float] | None = None,
    sample_weight: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    held_out: Sequence[int] | None = None,
) -> OutOfFold:
    """Fit a clone of ``learner`` without each fold in turn and predict that fold.

    Args:
        learner: Unfitted uplift learner.
        X: Shape (n, p), a frame, an array or a ``DesignMatrix``, whose bins all folds share.
        outcome: Shape (n,); users with a missing outcome are predicted but never learned from.
        treatment: Shape (n,), arm labels.
        fold: Shape (n,), integers.
        control: Label of the control arm; None: 0.
        propensity: Known share of every arm by label; None: unknown.
        sample_weight: Shape (n,); None weighs every row alike.
        clusters: Shape (n,), groups of users that depend on each other; None: every user is independent. Folds are
            taken as they are.
        held_out: Folds to leave out and predict; None: all of them.

    Returns:
        Of the users in folds that were left out, in the order of ``X``.

    Raises:
        InputError: There are fewer than two folds, nobody is in a fold to leave out, an arm is in one fold only, or as
            for the learner's ``fit``.
    """
    design = DesignMatrix.of(X)
    values, labels, folds = np.asarray(outcome, dtype=np.float64), _array(treatment), np.asarray(fold)
    weight = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    groups = None if clusters is None else np.asarray(clusters)
    numbers = np.unique(folds)
    if len(numbers) < 2:
        raise InputError(f"fold: the only fold is {numbers.tolist()}", remedy="assign the users to two or more folds")
    if absent := sorted(set(held_out or ()) - set(numbers.tolist())):
        raise InputError(f"held_out: nobody is in the folds {absent}", remedy=f"leave out some of {numbers.tolist()}")
    learned = ~np.isnan(values)
    learners: dict[int, UpliftLearner] = {}
    parts: list[pd.DataFrame] = []
    arms = read_arms(labels[learned], control=control).labels
    for number in numbers if held_out is None else held_out:
        rows = np.flatnonzero((folds != number) & learned)
        fitted = clone(learner).fit(
            design.take(rows),
            values[rows],
            labels[rows],
            control=control,
            propensity=propensity,
            sample_weight=None if weight is None else weight[rows],
            clusters=None if groups is None else groups[rows],
        )
        if fitted.arms_ != arms:
            raise InputError(
                f"treatment: all users of the arms {sorted(set(arms) - set(fitted.arms_))} that have an outcome are in "
                f"fold {number}",
                remedy="assign the users of every arm to two or more folds",
            )
        unseen = np.flatnonzero(folds == number)
        predicted = fitted.predict_outcomes(design.take(unseen))
        parts.append(pd.DataFrame(predicted, index=unseen, columns=list(fitted.arms_)))
        learners[int(number)] = fitted
    outcomes = pd.concat(parts).sort_index()
    return OutOfFold(outcomes=outcomes.set_axis(design.index[outcomes.index]), learners=learners)


def _array(labels: ArrayLike) -> NDArray[Any] | Any:
    """``labels`` in a form that positions select from; categories stay categories."""
    return labels.array if isinstance(labels, pd.Series) else np.asarray(labels)
