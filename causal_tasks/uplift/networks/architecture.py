"""One representation of the user, and on it a head for the outcome under every arm."""

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

_LARGEST_EMBEDDING = 8
_SHARED_LAYERS = 3
_HEAD_LAYERS = 2


class Prediction(NamedTuple):
    """What a network says of n users and K + 1 arms, control first.

    Attributes:
        scores: Shape (n, K + 1), outcomes under each arm: means in standard units, or their logits.
        logits: Shape (n, K + 1), of the arm that a user is in, control 0; None where the network does not model it.
    """

    scores: Tensor
    logits: Tensor | None


class ArmNetwork(nn.Module):
    """TARNet, and with a propensity head DragonNet.

    Three shared layers make the representation; each arm has two layers and a linear unit of its own. The propensity
    head is linear in the representation and so forces it to tell the arms apart: one unit for each treatment, softmax
    over these and 0 for control, which is the authors' single sigmoid unit where there is one treatment. All hidden
    units are ELU, of Glorot's uniform start instead of the authors' normal one of standard deviation 0.05, which is
    small for layers narrower than their 200. Embeddings start at zero.

    Args:
        width: Numeric columns.
        cardinalities: Embeddings that each categorical feature needs.
        arms: Number of arms.
        hidden: Units of a shared layer.
        head: Units of a head's layer.
        models_propensity: Whether there is a propensity head.

    Attributes:
        architecture: Arguments that do not follow from the features.
        epsilon: One number for each treatment, see ``losses``; 0 where it is not trained.

    Source: Shalit, Johansson, Sontag (2017), section 4; Shi, Blei, Veitch (2019), section 2.
    """

    def __init__(
        self, *, width: int, cardinalities: tuple[int, ...], arms: int, hidden: int, head: int, models_propensity: bool
    ) -> None:
        super().__init__()
        self.architecture = {"arms": arms, "hidden": hidden, "head": head, "models_propensity": models_propensity}
        size = min(_LARGEST_EMBEDDING, max(cardinalities, default=1) // 2 + 1)
        self.embedding = nn.Embedding(sum(cardinalities), size) if cardinalities else None
        self.representation = nn.Sequential(*_layers(width + size * len(cardinalities), hidden, _SHARED_LAYERS))
        self.heads = nn.ModuleList(
            nn.Sequential(*_layers(hidden, head, _HEAD_LAYERS), nn.Linear(head, 1)) for _ in range(arms)
        )
        self.propensity = nn.Linear(hidden, arms - 1) if models_propensity else None
        self.epsilon = nn.Parameter(torch.zeros(arms - 1))
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)
            elif isinstance(layer, nn.Embedding):
                nn.init.zeros_(layer.weight)

    def forward(self, numbers: Tensor, levels: Tensor) -> Prediction:
        """Scores of every arm for the rows of ``EncodedFeatures``."""
        if self.embedding is not None:
            numbers = torch.cat([numbers, self.embedding(levels).flatten(start_dim=1)], dim=1)
        representation = self.representation(numbers)
        scores = torch.cat([head(representation) for head in self.heads], dim=1)
        if self.propensity is None:
            return Prediction(scores, None)
        return Prediction(scores, nn.functional.pad(self.propensity(representation), (1, 0)))


def _layers(inputs: int, units: int, number: int) -> list[nn.Module]:
    sizes = [inputs, *[units] * number]
    return [layer for before, after in pairwise(sizes) for layer in (nn.Linear(before, after), nn.ELU())]
