"""Units of an experiment as tensors."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import torch
from torch import Tensor

from causal_tasks.allocation.responses import Responses
from causal_tasks.uplift.networks.encoding import Encoding


@dataclass(frozen=True, slots=True)
class Units:
    """Units on one device.

    Attributes:
        numbers: Shape (n, width).
        levels: Shape (n, number of categories).
        outcome: Shape (n,), in outcome units.
        cost: Shape (n,), in units of cost.
        arm: Shape (n,), int64.
        propensity: Shape (n, M).
        weight: Shape (n,), one over the propensity of the own arm.
    """

    numbers: Tensor
    levels: Tensor
    outcome: Tensor
    cost: Tensor
    arm: Tensor
    propensity: Tensor
    weight: Tensor

    @classmethod
    def of(cls, data: Responses, encoding: Encoding, *, device: str = "cpu") -> Self:
        """All units of ``data``, held at once: four bytes for each feature of a unit."""
        parts = [encoding.encode(chunk) for chunk in data.X.chunks()]
        numbers, levels = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        single = (data.outcome, data.cost)
        outcome, cost = (torch.from_numpy(values.astype(np.float32)) for values in single)
        propensity, weight = (torch.from_numpy(values.astype(np.float32)) for values in (data.propensity, data.weight))
        tensors = (
            torch.from_numpy(numbers),
            torch.from_numpy(levels),
            outcome,
            cost,
            torch.from_numpy(data.arm.astype(np.int64)),
            propensity,
            weight,
        )
        return cls(*(tensor.to(device) for tensor in tensors))

    def __len__(self) -> int:
        return len(self.outcome)

    def take(self, rows: Tensor) -> Self:
        """Some of the units."""
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))

    def minibatches(self, size: int, generator: torch.Generator) -> Iterator[Self]:
        """One pass in a new random order; what is left of it after the last whole batch is dropped."""
        size = min(size, len(self))
        order = torch.randperm(len(self), generator=generator).to(self.outcome.device)
        for begin in range(0, len(self) - size + 1, size):
            yield self.take(order[begin : begin + size])
