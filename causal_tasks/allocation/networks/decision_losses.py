"""Losses of decisions: what is lost by the arms that a forecast would pick, in a form that has a gradient.

At a price lambda of money the forecast scores arm j of a unit by a_j = r^_j - lambda c^_j and picks the best. What the
pick brings is a step function of the forecast; each loss here replaces the step by something with a slope. With R_ij an
unbiased guess of what unit i brings in arm j net of its cost at the price, see ``net``,

    policy loss         - sum_j softmax(a_i / tau)_j R_ij
    finite difference   - sum_j a_ij g_ij, where g is held constant: the change of R if the pick changed to or from the
                        arm t that the unit was in, over the smallest change of a that makes it change

Units are the last axis: torch is then three times as fast as with the few arms last.
"""

import torch
from torch import Tensor


def net(outcome: Tensor, cost: Tensor, prices: Tensor) -> Tensor:
    """Outcome less the cost at every price, shape (L, M, n).

    Args:
        outcome: Shape (n, M), predicted levels or unbiased guesses of them.
        cost: Shape (n, M).
        prices: Shape (L,), outcome units for a unit of cost.
    """
    return outcome.T.contiguous() - prices[:, None, None] * cost.T.contiguous()


def policy_loss(scores: Tensor, rewards: Tensor, *, temperature: float) -> Tensor:
    """Loss at every price of every unit where arms are drawn with softmax probabilities, shape (L, n).

    With ``rewards`` zero but for the own arm, weighed by its inverse propensity, this is the policy-learning loss
    (temperature 1) and the maximum-entropy loss; with doubly robust ones their version of less variance. Without the
    inverse propensity the loss would favour large arms.

    Args:
        scores: Shape (L, M, n), ``net`` of the forecast.
        rewards: Shape (L, M, n), ``net`` of unbiased guesses.
        temperature: In the unit of scores; the lower, the closer to the pick itself.

    Source: Zhou et al. (2024), "Decision focused causal learning for direct counterfactual marketing optimization",
    L_PLL and L_MERL.
    """
    return -(torch.softmax(scores / temperature, dim=1) * rewards).sum(dim=1)


def finite_difference_loss(scores: Tensor, rewards: Tensor, arm: Tensor, *, floor: float) -> Tensor:
    """Surrogate with the gradient of the improved finite difference, shape (L, n); its value means nothing.

    Where the pick is not the unit's own arm the two trade places, where it is the runner-up would take over. The
    gradient reaches outcome and cost alike, minus lambda times for the cost.

    Args:
        scores: Shape (L, M, n), ``net`` of the forecast.
        rewards: Shape (L, M, n), ``net`` of unbiased guesses.
        arm: Shape (n,), the arm that each unit was in.
        floor: Smallest gap to divide by, in the unit of scores: at a tie the difference has no bound.

    Source: Zhou et al. (2024), "Decision focused causal learning for direct counterfactual marketing optimization",
    improved finite difference, with the inverse-propensity value in place of the self-normalised one.
    """
    own = arm.expand(len(scores), 1, -1)
    best, runner_up = scores.detach().topk(2, dim=1).indices.split_with_sizes([1, 1], dim=1)
    other = torch.where(best == own, runner_up, best)
    difference = (scores.gather(1, own) - scores.gather(1, other))[:, 0]
    change = (rewards.gather(1, own) - rewards.gather(1, other))[:, 0]
    return -change / difference.detach().abs().clamp(min=floor) * difference
