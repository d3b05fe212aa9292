"""What a network is trained for, given what kind of outcome it learns and what is known about the arms."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from causal_tasks.base_models.outcome import Outcome
from causal_tasks.uplift.networks.architecture import ArmNetwork, Prediction
from causal_tasks.uplift.networks.batches import Batch
from causal_tasks.uplift.networks.losses import (
    corrected,
    covariates,
    factual,
    propensity_loss,
    smoothed,
    squared_error,
)


@dataclass(frozen=True, slots=True)
class OutcomeScale:
    """How outcomes and the scores of a network stand to each other.

    Attributes:
        binary: Whether scores are logits of a mean between 0 and 1; else they are means in standard units.
        mean: Of the outcome in the rows that are trained on.
        scale: Its standard deviation there; 1 where it is constant.
    """

    binary: bool
    mean: float
    scale: float

    @classmethod
    def of(cls, outcome: Outcome) -> Self:
        """That of outcomes of only 0 and 1, or of any others."""
        return cls(outcome.is_binary, outcome.mean, outcome.scale)

    def standardise(self, outcome: NDArray[np.float64]) -> NDArray[np.float64]:
        """Outcomes as the loss takes them."""
        return outcome if self.binary else (outcome - self.mean) / self.scale

    def means(self, scores: Tensor) -> Tensor:
        """Means as the loss takes them."""
        return torch.sigmoid(scores) if self.binary else scores

    def restore(self, means: Tensor) -> Tensor:
        """Means in outcome units."""
        return means if self.binary else self.mean + self.scale * means

    def loss(self, outcome: Tensor, scores: Tensor) -> Tensor:
        """Log loss of a binary outcome, else squared error, over that of the best constant: 1 is a useless model.

        So the other parts of a loss weigh the same beside it whatever the outcome, also one that is rarely 1.
        """
        if not self.binary:
            return squared_error(outcome, scores)
        entropy = -(self.mean * math.log(self.mean) + (1 - self.mean) * math.log1p(-self.mean))
        return binary_cross_entropy_with_logits(scores, outcome, reduction="none") / entropy

    @property
    def variance(self) -> float:
        """Of outcomes as the loss takes them."""
        return self.scale**2 if self.binary else 1.0


@dataclass(frozen=True, slots=True)
class Objective:
    """The loss of a row.

    Attributes:
        scale: Of the outcome.
        shares: Known propensities, shape (1, K + 1), by which the covariates divide in place of modelled ones; None:
            unknown.
        alpha: Weight of the propensity's log loss, where the network models it.
        beta: Weight of targeted regularisation; None: there is none, as in TARNet.
    """

    scale: OutcomeScale
    shares: Tensor | None = None
    alpha: float = 0.0
    beta: float | None = None

    def losses(self, network: ArmNetwork, prediction: Prediction, batch: Batch) -> Tensor:
        """Loss of every row, shape (n,)."""
        scores = factual(prediction.scores, batch.arm)
        loss = self.scale.loss(batch.outcome, scores)
        if prediction.logits is not None:
            loss = loss + self.alpha * propensity_loss(batch.arm, torch.softmax(prediction.logits, dim=1))
        if self.beta is not None:
            fluctuation = covariates(batch.arm, self.divisor(prediction)) @ network.epsilon
            corrected_mean = self.scale.means(scores) + fluctuation
            loss = loss + self.beta / self.scale.variance * squared_error(batch.outcome, corrected_mean)
        return loss

    def divisor(self, prediction: Prediction) -> Tensor:
        """Propensities to divide by, shape (n, K + 1) or (1, K + 1)."""
        if self.shares is not None:
            return self.shares
        if prediction.logits is None:
            raise ValueError("the network does not model the propensity and it is not known")
        return smoothed(torch.softmax(prediction.logits, dim=1))

    def outcomes(self, network: ArmNetwork, prediction: Prediction, *, targeted: bool) -> Tensor:
        """Means under every arm in outcome units, shape (n, K + 1), with the correction or plain."""
        means = self.scale.means(prediction.scores)
        if targeted:
            means = corrected(means, self.divisor(prediction), network.epsilon)
        return self.scale.restore(means)

    def to(self, device: str) -> Self:
        """The same with its tensors on a device."""
        return replace(self, shares=None if self.shares is None else self.shares.to(device))

    def to_state(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return asdict(self) | {"shares": None if self.shares is None else self.shares.tolist()}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The objective of which ``to_state`` told."""
        shares = None if state["shares"] is None else torch.tensor(state["shares"])
        return cls(OutcomeScale(**state["scale"]), shares, state["alpha"], state["beta"])
