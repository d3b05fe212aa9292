"""Losses whose optimum is the number that decides, and of which effects are all that is asked.

With G_ik and H_ik unbiased guesses of what the upper arm of pair k brings and costs beyond the lower one for unit i,
such as inverse-propensity or doubly robust ones, and s_ik the scores of a network,

    returns   - mean_i sum_k [ G_ik ln(q_ik / (1 - q_ik)) + H_ik ln(1 - q_ik) ]
    ranking   - mean_ik G_ik s_ik + mean(G) ln(mean_ik exp(s_ik))

In expectation the first is smallest where q_ik = E[G_ik | x] / E[H_ik | x], since its slope in q is
(q E[H | x] - E[G | x]) / (q (1 - q)). So it is the decision's own loss: at the price p of money a pair is climbed where
p < q, which brings G - p H, and summed over all prices with weights 1 / (p (1 - p)) that is the first line. The second
is smallest where exp(s_ik) is proportional to E[G_ik | x].
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus


def log_returns(scores: Tensor, *, diminishing: bool) -> tuple[Tensor, Tensor]:
    """Logarithms of q and of 1 - q, shape (n, K) each.

    Args:
        scores: Shape (n, K).
        diminishing: Whether q_k = q_(k-1) * sigmoid(s_k), so that returns fall from pair to pair; else each is
            sigmoid(s_k). They are the same for the first pair.
    """
    if not diminishing:
        return logsigmoid(scores), -softplus(scores)
    log_q = logsigmoid(scores).cumsum(dim=1)
    return log_q, torch.cat([-softplus(scores[:, :1]), _log_complement(log_q[:, 1:])], dim=1)


def return_loss(scores: Tensor, gain: Tensor, extra_cost: Tensor, *, diminishing: bool) -> Tensor:
    """Loss of every unit, shape (n,).

    Convex in the scores in expectation, where they are not ``diminishing`` and every unit's upper arms cost more.

    Args:
        scores: Shape (n, K).
        gain: G, shape (n, K), in a unit in which E[G | x] lies between 0 and E[H | x].
        extra_cost: H, shape (n, K).
        diminishing: As for ``log_returns``.

    Source: Zhou et al. (2023), "Direct heterogeneous causal learning for resource allocation problems in marketing",
    the DRP loss; with inverse-propensity guesses of one pair it is theirs.
    """
    log_q, log_rest = log_returns(scores, diminishing=diminishing)
    return -(gain * (log_q - log_rest) + extra_cost * log_rest).sum(dim=1)


def price_averaged_value(share: Tensor, gain: Tensor, extra_cost: Tensor) -> Tensor:
    """What the decisions bring net of cost, averaged over prices between 0 and 1, shape (n, K): G q - H q^2 / 2.

    Bounded, which the loss is not: where guesses of the extra cost average below zero on a few units that happen to
    have a high q, the loss falls for ever as q rises to 1. Arguments are q and those of ``return_loss``.
    """
    return gain * share - extra_cost * share**2 / 2


def rank_loss(scores: Tensor, gain: Tensor, *, mean_gain: float) -> Tensor:
    """Loss of a batch, in which units and pairs compete, a number; convex in the scores.

    Over all units at once, with ``mean_gain`` the mean of ``gain``, it is the authors' softmax over the batch but for a
    constant. In a mini-batch their loss weighs the normaliser by the batch's own mean, which may be below zero.

    Args:
        scores: Shape (n, K).
        gain: G, shape (n, K).
        mean_gain: Of all units and pairs, above 0.

    Source: Zhou et al. (2023), "Direct heterogeneous causal learning for resource allocation problems in marketing",
    the loss without cost.
    """
    return mean_gain * log_mean_exp(scores) - (gain * scores).mean()


def log_mean_exp(scores: Tensor) -> Tensor:
    """Logarithm of the mean of exp(s) over all units and pairs."""
    return scores.logsumexp(dim=(0, 1)) - math.log(scores.numel())


def _log_complement(log_q: Tensor) -> Tensor:
    """ln(1 - exp(x)) for x < 0 without cancellation, at most as close to 0 as 32 bits allow to tell from it."""
    below = log_q.clamp(max=-1e-7)
    near = below > -math.log(2)
    # Both branches are differentiated: each gets an argument at which it is finite.
    return torch.where(
        near,
        torch.log(-torch.expm1(below)),
        torch.log1p(-torch.exp(torch.where(near, -1.0, below))),
    )
