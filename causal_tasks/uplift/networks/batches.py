"""Rows as tensors on the device, all of them at once or, where they are too many, a random part at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from causal_tasks.base_models import DesignMatrix, StoredDesign
from causal_tasks.uplift.networks.encoding import Encoding

HELD_VALUES = 2**26
"""Numbers of 32 bits that are held on the device at a time: 256 MiB."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows on the device.

    Attributes:
        numbers: Shape (n, width).
        levels: Shape (n, number of categories).
        outcome: Shape (n,), as the loss takes it.
        arm: Shape (n,), 0 for control.
        weight: Shape (n,), mean 1 over all rows that are trained on.
    """

    numbers: Tensor
    levels: Tensor
    outcome: Tensor
    arm: Tensor
    weight: Tensor

    def take(self, rows: Tensor) -> "Batch":
        """Some of the rows."""
        return Batch(self.numbers[rows], self.levels[rows], self.outcome[rows], self.arm[rows], self.weight[rows])


class Rows:
    """Rows of a design matrix or a file.

    Args:
        design: Features, n rows.
        encoding: How they become tensors.
        outcome: Shape (n,), as the loss takes it.
        arm: Shape (n,).
        weight: Shape (n,).
        device: Where the tensors lie.
        held: Values that may be held at a time.
    """

    def __init__(
        self,
        design: DesignMatrix | StoredDesign,
        encoding: Encoding,
        *,
        outcome: NDArray[np.float64],
        arm: NDArray[np.intp],
        weight: NDArray[np.float64],
        device: str,
        held: int = HELD_VALUES,
    ) -> None:
        self._design, self._encoding, self._device = design, encoding, device
        single = (np.asarray(values, dtype=np.float32) for values in (outcome, weight))
        self._outcome, self._weight = (torch.from_numpy(values) for values in single)
        self._arm = torch.from_numpy(arm)
        self._at_once = max(1, held // (encoding.width + len(encoding.cardinalities)))
        self._held = self._read(np.arange(len(self))) if len(self) <= self._at_once else None

    def __len__(self) -> int:
        return len(self._design)

    def all(self) -> Batch:
        """All rows, whether or not they may be held."""
        return self._read(np.arange(len(self))) if self._held is None else self._held

    def _read(self, positions: NDArray[np.intp]) -> Batch:
        """The rows at increasing positions."""
        design = self._design if len(positions) == len(self) else self._design.take(positions)
        parts = [self._encoding.encode(chunk) for chunk in design.chunks()]
        numbers, levels = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        targets = (values[positions] for values in (self._outcome, self._arm, self._weight))
        on_host = (torch.from_numpy(numbers), torch.from_numpy(levels), *targets)
        return Batch(*(values.to(self._device) for values in on_host))

    def parts(self) -> Iterator[Batch]:
        """All rows in their order, as many at a time as may be held."""
        if self._held is not None:
            yield self._held
            return
        for begin in range(0, len(self), self._at_once):
            yield self._read(np.arange(begin, min(begin + self._at_once, len(self))))

    def minibatches(self, size: int, generator: torch.Generator) -> Iterator[Batch]:
        """Mini-batches of ``size`` rows without end, every pass in a new order; what is left of a pass is dropped.

        There must be ``size`` rows. Rows that cannot be held at once are read in parts that are each drawn at random
        from all rows, so that a pass that is broken off has not seen the beginning of the file alone.
        """
        at_once = max(1, self._at_once // size) * size
        while True:
            shuffled = torch.randperm(len(self), generator=generator)
            for begin in range(0, len(self), at_once):
                part = shuffled[begin : begin + at_once]
                if self._held is None:
                    rows = self._read(np.sort(part.numpy()))
                    order = torch.randperm(len(part), generator=generator).to(self._device)
                else:
                    rows, order = self._held, part.to(self._device)
                for at in range(0, len(order) - size + 1, size):
                    yield rows.take(order[at : at + size])
