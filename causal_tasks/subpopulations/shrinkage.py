"""The winner's curse, undone: effects of groups that were picked for standing out are pulled towards the average."""

from collections.abc import Sequence

import numpy as np

from causal_tasks.evaluation.estimate import Estimate


def variance_between(groups: Sequence[Estimate]) -> float | None:
    """How much the true effects of disjoint groups vary, as a variance; None where fewer than two tell.

    Method of moments: what the estimates vary beyond their own errors, and at least zero. Groups whose errors differ
    are weighted by precision; with equal errors that is the plain variance of the estimates minus the squared error.

    Args:
        groups: Effects of groups that share no user.

    Source: DerSimonian, Laird (1986), equation 8.
    """
    if len(groups) < 2:
        return None
    effects = np.array([group.estimate for group in groups])
    squared_errors = np.array([group.standard_error for group in groups]) ** 2
    if (squared_errors == 0).any():
        return max(0.0, float(effects.var(ddof=1) - squared_errors.mean()))
    weights = 1 / squared_errors
    deviations = effects - np.average(effects, weights=weights)
    spread = float(weights @ deviations**2) - (len(groups) - 1)
    return max(0.0, spread / float(weights.sum() - (weights**2).sum() / weights.sum()))


def shrunken(effect: Estimate, *, average: float, between: float) -> float:
    """The effect expected of the group when it is looked at again.

    Args:
        effect: As estimated.
        average: Effect on everybody.
        between: Variance of true effects between groups.

    Source: Efron, Morris (1975); the posterior mean under a normal prior around ``average``.
    """
    noise = effect.standard_error**2
    kept = between / (between + noise) if noise > 0 else 1.0
    return average + kept * (effect.estimate - average)
