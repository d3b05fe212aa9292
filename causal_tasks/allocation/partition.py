"""Groups of units that are alike in some numbers: the nearest of K centres."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from causal_tasks.errors import InputError

Numbers = NDArray[np.float32]

_BATCH = 4096
_STARTS = 3

_ROWS = 16_384
"""Units whose distances to all centres are held at once."""


@dataclass(frozen=True, slots=True)
class Partition:
    """K centres in d dimensions.

    Attributes:
        center: Shape (K, d).
        weight: Shape (d,), by which numbers are multiplied before distances are taken.
    """

    center: Numbers
    weight: Numbers

    @classmethod
    def learn(cls, numbers: Numbers, clusters: int, *, weight: Numbers, seed: int) -> Self:
        """The centres of ``numbers``, shape (n, d).

        Args:
            numbers: Of n units.
            clusters: K.
            weight: Shape (d,).
            seed: Of the first centres and of the batches.

        Raises:
            InputError: There are fewer units than clusters.

        Source: Sculley (2010), "Web-scale k-means clustering".
        """
        from sklearn.cluster import MiniBatchKMeans

        if not 1 <= clusters <= len(numbers):
            raise InputError(
                f"{clusters} clusters of {len(numbers)} units",
                remedy="ask for at least one cluster, and fewer than units",
            )
        means = MiniBatchKMeans(clusters, batch_size=_BATCH, n_init=_STARTS, random_state=seed)
        weighted = numbers * weight
        # Distances come from squares: far from zero, 32 bits would not hold the differences between them.
        middle = weighted.mean(axis=0, dtype=np.float64).astype(np.float32)
        means.fit(weighted - middle)
        return cls((means.cluster_centers_ + middle).astype(np.float32), weight)

    def __len__(self) -> int:
        return len(self.center)

    def nearness(self, numbers: Numbers) -> Numbers:
        """To every center, shape (n, K), larger is nearer: half the squared distance, negative, but for a constant."""
        middle = self.center.mean(axis=0)
        around = self.center - middle
        near: Numbers = (numbers * self.weight - middle) @ around.T - (around**2).sum(axis=1) / 2
        return near

    def nearest(self, numbers: Numbers) -> NDArray[np.intp]:
        """The nearest center of every row, shape (n,)."""
        cluster = np.empty(len(numbers), dtype=np.intp)
        for begin in range(0, len(numbers), _ROWS):
            rows = slice(begin, begin + _ROWS)
            cluster[rows] = self.nearness(numbers[rows]).argmax(axis=1)
        return cluster

    def to_state(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return {"center": self.center.tolist(), "weight": self.weight.tolist()}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The partition of which ``to_state`` told."""
        return cls(np.asarray(state["center"], dtype=np.float32), np.asarray(state["weight"], dtype=np.float32))
