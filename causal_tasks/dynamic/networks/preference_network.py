"""Experts that all arms share, mixed by a gate and read by a tower for each arm."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag, linear, relu

from causal_tasks.dynamic.networks.choices import Guidance

_EXPERT_LAYERS = (128, 64)
_TREATMENT_LAYERS = (64, 32)
_TOWER = _TREATMENT_LAYERS[1]
"""Units of a tower, which the indicator multiplies."""

_TREATMENT_EMBEDDINGS = 4
"""Size of a treatment's embedding, in those of a feature."""

_EMBEDDING_BOUND = 0.05
_ORDERED_SCALE = 0.5
_FARTHEST = 3**0.5
"""Of equally spaced positions, so that their variance is 1."""


class PreferenceNetwork(nn.Module):
    """CPM.

    Every first layer is linear in the embeddings of the features, so what a bucket adds to it is computed once for each
    bucket and summed for each row: what the concatenated embeddings give, for a small part of the work.

    Args:
        cardinalities: Buckets of each feature.
        arms: Number of arms, K + 1.
        embedding: Size of a feature's embedding.
        experts: Their number; with one there are no gates.
        guidance: What gates read, see ``LongTermUplift``.
        indicator: Whether a tower's units are multiplied by what the treatment says.

    Attributes:
        architecture: Arguments that do not follow from the features.

    Source: arXiv 2410.16755 and the authors' script for Criteo: 236,738 parameters for 12 features and 2 arms.
    """

    def __init__(
        self,
        *,
        cardinalities: tuple[int, ...],
        arms: int,
        embedding: int,
        experts: int,
        guidance: Guidance,
        indicator: bool,
    ) -> None:
        super().__init__()
        self.architecture: dict[str, Any] = {
            "arms": arms,
            "embedding": embedding,
            "experts": experts,
            "guidance": guidance,
            "indicator": indicator,
        }
        self._cardinalities = cardinalities
        users, treatment = embedding * len(cardinalities), embedding * _TREATMENT_EMBEDDINGS
        has_gates = experts > 1 and guidance != "none"
        is_guided = has_gates and guidance != "mmoe"
        read = treatment + (users if guidance == "features" else 0)
        self.embedding = nn.Embedding(sum(cardinalities), embedding)
        self.treatment = nn.Embedding(arms, treatment) if is_guided or indicator else None
        self.guidance = TwoLayers(read, _TREATMENT_LAYERS, torch.sigmoid) if is_guided else None
        self.indicator = TwoLayers(treatment, _TREATMENT_LAYERS, torch.sigmoid) if indicator else None
        self.experts = nn.ModuleList(TwoLayers(users, _EXPERT_LAYERS, relu) for _ in range(experts))
        gate = _TOWER if is_guided else users
        self.gates = nn.ModuleList(nn.Linear(gate, experts, bias=False) for _ in range(arms)) if has_gates else None
        self.towers = nn.ModuleList(nn.Linear(_EXPERT_LAYERS[1], _TOWER) for _ in range(arms))
        self.outputs = nn.ModuleList(nn.Linear(_TOWER, 1) for _ in range(arms))
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
            elif isinstance(layer, nn.Embedding):
                nn.init.uniform_(layer.weight, -_EMBEDDING_BOUND, _EMBEDDING_BOUND)

    def forward(self, buckets: Tensor) -> Tensor:
        """What is under the last softplus or sigmoid, shape (n, K + 1).

        Args:
            buckets: Shape (n, p), positions among the buckets of all features.
        """
        experts, gates = self._experts_and_gates(buckets)
        mixtures = torch.stack([gates[:, :, [e]] * expert[:, None] for e, expert in enumerate(experts)]).sum(dim=0)
        towers = [relu(tower(mixtures[:, arm])) for arm, tower in enumerate(self.towers)]
        if self.treatment is not None and self.indicator is not None:
            indicator = self.indicator(self.treatment.weight)
            towers = [units * indicator[arm] for arm, units in enumerate(towers)]
        return torch.cat([output(units) for output, units in zip(self.outputs, towers, strict=True)], dim=1)

    def gate_weights(self, buckets: Tensor) -> Tensor:
        """Share of each expert in the mixture of each arm, shape (n, K + 1, experts)."""
        return self._experts_and_gates(buckets)[1].expand(len(buckets), -1, -1)

    def start_at(self, score: float) -> None:
        """Set the last bias of every arm."""
        for output in cast("list[nn.Linear]", list(self.outputs)):
            nn.init.constant_(output.bias, score)

    def start_ordered(self, ordered: Sequence[int]) -> None:
        """Start from no effect, and from features that act as numbers.

        All arms start with the weights of the first. The embeddings of a feature's first ``ordered`` buckets start
        equally spaced on a line through zero in a random direction, so that what is learned of a bucket is at first
        learned of its neighbours too. The others start at random, as far from zero.

        Args:
            ordered: Of each feature, how many buckets follow on each other: 0 of a categorical one.
        """
        with torch.no_grad():
            for parts in (self.towers, self.outputs, *([] if self.gates is None else [self.gates])):
                for part in parts:
                    part.load_state_dict(parts[0].state_dict())
            if self.treatment is not None:
                self.treatment.weight.copy_(self.treatment.weight[:1].expand_as(self.treatment.weight))
            nn.init.normal_(self.embedding.weight, std=_ORDERED_SCALE)
            of_features = torch.split(self.embedding.weight, list(self._cardinalities))
            for embeddings, buckets in zip(of_features, ordered, strict=True):
                if buckets:
                    position = torch.linspace(-_FARTHEST, _FARTHEST, buckets)[:, None]
                    embeddings[:buckets] = position * embeddings[0].clone()

    def _experts_and_gates(self, buckets: Tensor) -> tuple[list[Tensor], Tensor]:
        """Of each expert its units, shape (n, 64); and the gates, see ``_gates``."""
        experts = cast("list[TwoLayers]", list(self.experts))
        weights = [expert.first.weight for expert in experts]
        if self.guidance is not None:
            # None of its columns where it reads the treatment alone.
            weights.append(self.guidance.first.weight[:, self._treatment_size :])
        elif self.gates is not None:
            weights.extend(gate.weight for gate in cast("list[nn.Linear]", list(self.gates)))
        read = [weight for weight in weights if weight.shape[1]]
        parts = torch.split(self._first_layers(buckets, torch.cat(read)), [len(weight) for weight in read], dim=1)
        units = [expert.rest(part + expert.first.bias) for expert, part in zip(experts, parts, strict=False)]
        return units, self._gates(parts[len(experts) :])

    def _first_layers(self, buckets: Tensor, weights: Tensor) -> Tensor:
        """The concatenated embeddings of each row times ``weights``, shape (units, p * embedding): (n, units)."""
        by_feature = zip(
            torch.split(self.embedding.weight, list(self._cardinalities)),
            torch.split(weights, self.embedding.embedding_dim, dim=1),
            strict=True,
        )
        by_bucket = torch.cat([embeddings @ weight.T for embeddings, weight in by_feature])
        return embedding_bag(buckets.int(), by_bucket, mode="sum")

    def _gates(self, users: tuple[Tensor, ...]) -> Tensor:
        """Share of each expert, shape (n, K + 1, experts), or (1, K + 1, experts) where it is that of all users."""
        arms, experts = len(self.towers), len(self.experts)
        if self.gates is None:
            return self.embedding.weight.new_full((1, arms, experts), 1 / experts)
        if self.guidance is None or self.treatment is None:
            return torch.softmax(torch.stack(users, dim=1), dim=2)
        of_treatment = self.guidance.first.weight[:, : self._treatment_size]
        first = linear(self.treatment.weight, of_treatment, self.guidance.first.bias)[None]
        guidance = self.guidance.rest(first + users[0][:, None] if users else first)
        return torch.softmax(torch.stack([gate(guidance[:, arm]) for arm, gate in enumerate(self.gates)], dim=1), dim=2)

    @property
    def _treatment_size(self) -> int:
        return self.embedding.embedding_dim * _TREATMENT_EMBEDDINGS


class TwoLayers(nn.Module):
    """Two layers, the first with ReLU; the first can be computed elsewhere.

    Args:
        width: Numbers read.
        units: Of the layers.
        activation: Of the last layer.
    """

    def __init__(self, width: int, units: tuple[int, int], activation: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first = nn.Linear(width, units[0])
        self.last = nn.Linear(*units)
        self._activation = activation

    def forward(self, values: Tensor) -> Tensor:
        """Shape (n, width) to (n, units)."""
        return self.rest(self.first(values))

    def rest(self, first: Tensor) -> Tensor:
        """What follows on the first layer before its activation."""
        return self._activation(self.last(relu(first)))
