"""The network behind every learned forecast: layers that all arms and both targets share, and one linear unit each."""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from causal_tasks.errors import InputError

_LARGEST_EMBEDDING = 8


class Perceptron(nn.Module):
    """Hidden layers of ReLU units and linear outputs; a linear model where there is no hidden layer.

    Embeddings of categories start at zero.

    Args:
        width: Numeric columns of ``EncodedFeatures``.
        cardinalities: Embeddings that each categorical feature needs.
        hidden: Units of each hidden layer.
        outputs: Linear units.

    Attributes:
        architecture: Arguments that do not follow from the features.

    Raises:
        InputError: A hidden layer has no unit.
    """

    def __init__(self, *, width: int, cardinalities: tuple[int, ...], hidden: tuple[int, ...], outputs: int) -> None:
        if any(units < 1 for units in hidden):
            raise InputError(f"hidden layers have {list(hidden)} units", remedy="give every layer at least one")
        super().__init__()
        self.architecture: dict[str, Any] = {"hidden": list(hidden), "outputs": outputs}
        size = min(_LARGEST_EMBEDDING, max(cardinalities, default=1) // 2 + 1)
        self.embedding = nn.Embedding(sum(cardinalities), size) if cardinalities else None
        sizes = [width + size * len(cardinalities), *hidden]
        self.layers = nn.Sequential(
            *(layer for before, after in pairwise(sizes) for layer in (nn.Linear(before, after), nn.ReLU()))
        )
        self.outputs = nn.Linear(sizes[-1], outputs)
        if self.embedding is not None:
            nn.init.zeros_(self.embedding.weight)

    def represent(self, numbers: Tensor, levels: Tensor) -> Tensor:
        """The last hidden layer, shape (n, units); the features where there is none."""
        if self.embedding is not None:
            numbers = torch.cat([numbers, self.embedding(levels).flatten(start_dim=1)], dim=1)
        represented: Tensor = self.layers(numbers)
        return represented

    def forward(self, numbers: Tensor, levels: Tensor) -> Tensor:
        """Outputs, shape (n, outputs)."""
        outputs: Tensor = self.outputs(self.represent(numbers, levels))
        return outputs


def seeded(seed: int, **arguments: Any) -> Perceptron:
    """An untrained network whose weights follow from the seed; generators of torch stay as they were."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed GPUs too
        return Perceptron(**arguments)
