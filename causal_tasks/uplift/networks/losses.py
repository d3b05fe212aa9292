"""The loss of TARNet and DragonNet for any number of arms, and the correction that it teaches.

With t the arm of a user, q the outcomes under each arm, g the propensities and eps one number for each treatment k,

    loss    = (y - q_t)^2 + alpha * -log g_t + beta * (y - q~_t)^2
    q~_t    = q_t + sum over k of eps_k * h_k(t)
    h_k(t)  = 1(t = k) / g_k - 1(t = control) / g_control

For one treatment this is what Shi, Blei and Veitch (2019) have in section 3 and in their code. For more, h_k is the
covariate of the effect of treatment k against control, and eps their vector-valued fluctuation: at the optimum of eps
the mean of h_k * (y - q~_t) is zero for every k, the score equation of every effect (van der Laan and Rubin
2006). As in their code g is (g + 0.001) / 1.002 in the second term and (g + 0.01) / 1.02 in h, for two arms.
"""

import torch
from torch import Tensor

_LOG_OFFSET = 0.001
_COVARIATE_OFFSET = 0.01


def dragon_net_loss(
    outcome: Tensor,
    arm: Tensor,
    means: Tensor,
    propensity: Tensor,
    epsilon: Tensor,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
) -> Tensor:
    """The authors' loss of every row, shape (n,); they sum it over a batch, the trainer here takes its mean.

    Adam's steps are the same for a sum and a mean; an L2 penalty that is added to the loss is not, and must be divided
    by the rows of a batch too.

    Args:
        outcome: Shape (n,), in standard units.
        arm: Shape (n,), 0 for control.
        means: Shape (n, K + 1), of the outcome under each arm.
        propensity: Shape (n, K + 1), probability of each arm.
        epsilon: Shape (K,).
        alpha: Weight of the propensity.
        beta: Weight of targeted regularisation.
    """
    return (
        squared_error(outcome, factual(means, arm))
        + alpha * propensity_loss(arm, propensity)
        + beta * targeted_error(outcome, arm, means, smoothed(propensity), epsilon)
    )


def squared_error(outcome: Tensor, mean: Tensor) -> Tensor:
    """Of every row, shape (n,)."""
    return (outcome - mean) ** 2


def factual(values: Tensor, arm: Tensor) -> Tensor:
    """Of the columns of ``values``, shape (n, K + 1), that of each user's own arm, shape (n,)."""
    return values.gather(1, arm[:, None])[:, 0]


def propensity_loss(arm: Tensor, propensity: Tensor) -> Tensor:
    """Log loss of each user's arm, shape (n,), bounded by the authors' offset."""
    return -factual(_toward_even(propensity, _LOG_OFFSET), arm).log()


def smoothed(propensity: Tensor) -> Tensor:
    """Propensities as the covariates divide by them: none is below about 0.01."""
    return _toward_even(propensity, _COVARIATE_OFFSET)


def covariates(arm: Tensor, propensity: Tensor) -> Tensor:
    """The h of every row and treatment, shape (n, K).

    Args:
        arm: Shape (n,).
        propensity: What to divide by, shape (n, K + 1), or (1, K + 1) where it is the same for all.
    """
    inverse = 1 / propensity
    own = torch.nn.functional.one_hot(arm, propensity.shape[1])
    return own[:, 1:] * inverse[:, 1:] - own[:, :1] * inverse[:, :1]


def targeted_error(outcome: Tensor, arm: Tensor, means: Tensor, propensity: Tensor, epsilon: Tensor) -> Tensor:
    """Squared error of the corrected mean of every row, shape (n,)."""
    return squared_error(outcome, factual(means, arm) + covariates(arm, propensity) @ epsilon)


def corrected(means: Tensor, propensity: Tensor, epsilon: Tensor) -> Tensor:
    """q~ under every arm, shape (n, K + 1): q_k + eps_k / g_k, and q_control less the sum of eps over g_control."""
    shift = torch.cat([-epsilon.sum().reshape(1), epsilon]) / propensity
    return means + shift


def _toward_even(propensity: Tensor, offset: float) -> Tensor:
    return (propensity + offset) / (1 + offset * propensity.shape[1])
