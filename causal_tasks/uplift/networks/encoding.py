"""Features as networks read them: standardised numbers and positions in a table of embeddings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from causal_tasks.base_models import DesignMatrix, StoredDesign
from causal_tasks.base_models.features import Features

_FARTHEST = 10.0
"""Standard deviations from the mean at which a number is cut: beyond them a network extrapolates without limit."""

_NEGLIGIBLE = 1e-6
"""Spread over largest size below which a column of 32-bit numbers is constant but for rounding."""


class EncodedFeatures(NamedTuple):
    """Features of n rows.

    Attributes:
        numbers: Shape (n, width), standardised; then one column for each feature that was missing in ``fit``.
        levels: Shape (n, number of categories), positions in the table of embeddings.
    """

    numbers: NDArray[np.float32]
    levels: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Encoding:
    """How features become what a network reads, learned from the rows that it is trained on.

    A missing number becomes the mean, and is marked in a column of its own where a training row missed it. Each
    categorical feature has an embedding for missing and one for every level of the design matrix; a level that no
    training row has keeps the embedding that it starts with.

    Attributes:
        features: All features with their levels.
        mean: Of the numeric features, in their order, shape (q,).
        scale: Their standard deviations, 1 where they do not vary, shape (q,).
        missed: Which of them a training row missed, shape (q,).
    """

    features: Features
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    missed: NDArray[np.bool_]

    @classmethod
    def learn(cls, design: DesignMatrix | StoredDesign) -> Self:
        """The encoding that the rows of ``design`` suggest; a file is read once, a part at a time.

        Source: Chan, Golub, LeVeque (1983), who join the moments of two parts.
        """
        features = design.features
        numeric = _numeric(features)
        count, mean, squares = (np.zeros(len(numeric)) for _ in range(3))
        largest = np.zeros(len(numeric))
        rows = 0
        for chunk in design.chunks():
            values = chunk.codes_of(features)[:, numeric].astype(np.float64)
            present = ~np.isnan(values)
            found = present.sum(axis=0)
            filled = np.where(present, values, 0.0)
            chunk_mean = filled.sum(axis=0) / np.maximum(found, 1)
            chunk_squares = np.where(present, (values - chunk_mean) ** 2, 0.0).sum(axis=0)
            difference, total = chunk_mean - mean, np.maximum(count + found, 1)
            squares += chunk_squares + difference**2 * count * found / total
            mean += difference * found / total
            count += found
            largest = np.maximum(largest, np.abs(filled).max(axis=0, initial=0.0))
            rows += len(chunk)
        scale = np.sqrt(squares / np.maximum(count, 1))
        return cls(features, mean, np.where(scale > _NEGLIGIBLE * largest, scale, 1.0), count < rows)

    @property
    def width(self) -> int:
        """Columns of ``EncodedFeatures.numbers``."""
        return len(self.mean) + int(self.missed.sum())

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Rows that each categorical feature has in the table of embeddings."""
        return tuple(1 + len(levels) for levels in self.features.levels.values() if levels is not None)

    def encode(self, chunk: DesignMatrix) -> EncodedFeatures:
        """The rows of ``chunk``.

        Raises:
            InputError: A column is missing, has become categorical or numeric, or has a level that was not there.
        """
        codes = chunk.codes_of(self.features)
        values = codes[:, _numeric(self.features)]
        missing = np.isnan(values)
        numbers = np.empty((len(values), self.width), dtype=np.float32)
        standardised = numbers[:, : len(self.mean)]
        np.divide(values - self.mean, self.scale, out=standardised, casting="same_kind")
        np.clip(standardised, -_FARTHEST, _FARTHEST, out=standardised)
        standardised[missing] = 0.0
        numbers[:, len(self.mean) :] = missing[:, self.missed]
        first = np.cumsum((0, *self.cardinalities))[:-1]
        levels = np.nan_to_num(codes[:, self.features.categorical] + 1.0, nan=0.0)
        return EncodedFeatures(numbers, (levels + first).astype(np.int32))

    def to_state(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return {
            "features": self.features.to_json(),
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
            "missed": self.missed.tolist(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The encoding of which ``to_state`` told."""
        mean, scale = (np.asarray(state[name], dtype=np.float64) for name in ("mean", "scale"))
        return cls(Features.from_json(state["features"]), mean, scale, np.asarray(state["missed"], dtype=np.bool_))


def _numeric(features: Features) -> list[int]:
    return [position for position, levels in enumerate(features.levels.values()) if levels is None]
