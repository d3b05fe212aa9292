"""Doubly robust scores: one number per user whose mean over any group is that group's effect."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_tasks.effects.arguments import finite, probabilities
from causal_tasks.errors import InputError
from causal_tasks.evaluation.ranking import Vector


def dr_scores(
    outcome: ArrayLike,
    treatment: ArrayLike,
    mean_control: ArrayLike,
    mean_treatment: ArrayLike,
    propensity: ArrayLike,
) -> Vector:
    """Augmented inverse-propensity scores (AIPW), the Gamma of the literature.

    Gamma = m1 - m0 + W (Y - m1) / e - (1 - W) (Y - m0) / (1 - e). Its mean over users chosen without their outcomes
    is unbiased for their average effect whatever the models m0 and m1 are, as long as these were fitted without those
    users and e is the design's; good models only make it more precise.

    Args:
        outcome: Shape (n,), Y.
        treatment: Shape (n,), W: 0 for control and 1 for treatment.
        mean_control: Shape (n,), m0: predicted outcome under control, from a model that has not seen the user.
        mean_treatment: Shape (n,), m1: the same under treatment.
        propensity: e: probability of treatment, a number or shape (n,).

    Returns:
        Shape (n,), outcome units.

    Raises:
        InputError: Lengths differ, a value is not finite, a treatment is neither 0 nor 1, or a probability is not
            between 0 and 1.

    Source: Robins, Rotnitzky, Zhao (1994); Chernozhukov et al. (2018), section 5.1.

    Examples:
        >>> dr_scores([3.0, 1.0], [1, 0], [1.0, 1.0], [2.0, 2.0], 0.5)
        array([3., 1.])
    """
    treated = treated_users(treatment)
    probability = probabilities(propensity, rows=len(treated))
    return mean_scores(outcome, treated, mean_treatment, probability) - mean_scores(
        outcome, ~treated, mean_control, 1 - probability
    )


def mean_scores(outcome: ArrayLike, received: ArrayLike, mean: ArrayLike, probability: ArrayLike) -> Vector:
    """Scores whose mean over a group is the outcome that the group would have in one arm: m + 1{arm} (Y - m) / p.

    Args:
        outcome: Shape (n,).
        received: Shape (n,), 1 for users in that arm, else 0.
        mean: Shape (n,), predicted outcome in that arm, from a model that has not seen the user.
        probability: Of being in that arm, a number or shape (n,).

    Returns:
        Shape (n,), outcome units.

    Raises:
        InputError: As for ``dr_scores``.
    """
    in_arm = treated_users(received)
    observed, predicted = finite(outcome, name="outcome"), finite(mean, name="predicted mean")
    if not len(observed) == len(predicted) == len(in_arm):
        raise InputError(
            f"outcome has {len(observed)} rows, its predicted mean {len(predicted)}, treatment {len(in_arm)}",
            remedy="pass one value of each for every user",
        )
    return predicted + in_arm * (observed - predicted) / probabilities(probability, rows=len(in_arm))


def treated_users(treatment: ArrayLike) -> NDArray[np.bool_]:
    """Who is treated, shape (n,).

    Args:
        treatment: Shape (n,), 0 or 1.

    Raises:
        InputError: A value is neither 0 nor 1.
    """
    values: NDArray[Any] = np.asarray(treatment)
    if values.ndim != 1 or not (values.dtype == np.bool_ or np.isin(values, (0, 1)).all()):
        raise InputError(
            f"treatment: shape {values.shape}, values {np.unique(values)[:5].tolist()}",
            remedy="pass 0 for control and 1 for treatment, one for every user",
        )
    return values.astype(bool)
