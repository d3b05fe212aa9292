"""Requests as numbers that a network multiplies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from causal_tasks.dynamic.requests import PLAYS, Requests
from causal_tasks.errors import InputError

_FARTHEST = 10.0
"""Standard deviations from the mean at which a number is cut: beyond them a network extrapolates without limit."""

_NEGLIGIBLE = 1e-6
"""Spread over largest size below which a column of 32-bit numbers is constant but for rounding."""


@dataclass(frozen=True, slots=True)
class RequestEncoding:
    """How a request becomes a row, learned from the requests that a network is trained on.

    A missing number of the context becomes the mean, and is marked in a column of its own where a training row missed
    it. Of the lists only the share of every token remains: the average of tokens' embeddings is the shares times the
    table of embeddings.

    Attributes:
        buckets: Categories of durations.
        context_names: Numbers of the context.
        mean: Of them, shape (p,).
        scale: Their standard deviations, 1 where they do not vary, shape (p,).
        missed: Which of them a training row missed, shape (p,).
    """

    buckets: int
    context_names: tuple[str, ...]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    missed: NDArray[np.bool_]

    @classmethod
    def learn(cls, requests: Requests) -> Self:
        """The encoding that requests suggest.

        Raises:
            InputError: A column of the context has no number.
        """
        context = requests.context.astype(np.float64)
        known = np.isfinite(context)
        numbers = known.sum(axis=0)
        if empty := [name for name, number in zip(requests.context_names, numbers, strict=True) if not number]:
            raise InputError(
                f"table requests: column {empty[0]!r} has no number in {len(requests):,} requests",
                remedy="take it out of columns.context, or fill it",
            )
        mean = np.where(known, context, 0).sum(axis=0) / numbers
        deviation = np.sqrt((np.where(known, context - mean, 0) ** 2).sum(axis=0) / numbers)
        varies = deviation > _NEGLIGIBLE * np.abs(np.where(known, context, 0)).max(axis=0, initial=0)
        return cls(
            buckets=requests.buckets,
            context_names=requests.context_names,
            mean=mean,
            scale=np.where(varies, deviation, 1.0),
            missed=numbers < len(context),
        )

    @property
    def widths(self) -> tuple[int, int, int]:
        """Columns of a row: tokens of recent items, tokens of candidates, numbers and marks of the context."""
        return PLAYS * self.buckets, self.buckets, len(self.mean) + int(self.missed.sum())

    def encode(self, requests: Requests) -> NDArray[np.float64]:
        """Rows of requests, shape (n, sum of ``widths``).

        Raises:
            InputError: They have other categories of durations or another context.
        """
        if requests.buckets != self.buckets or requests.context_names != self.context_names:
            raise InputError(
                f"requests have the context {list(requests.context_names)} and {requests.buckets} categories of "
                f"durations, the model was fitted on {list(self.context_names)} and {self.buckets}",
                remedy="make them with the same statement of the feed",
            )
        tokens, categories, _ = self.widths
        missing = np.isnan(requests.context)
        numbers = np.clip((requests.context - self.mean) / self.scale, -_FARTHEST, _FARTHEST)
        return np.concatenate(
            [
                requests.recent.shares(tokens),
                requests.candidates.shares(categories),
                np.where(missing, 0.0, numbers),
                missing[:, self.missed],
            ],
            axis=1,
        )

    def to_state(self) -> dict[str, Any]:
        """All that ``from_state`` needs, as JSON."""
        return {
            "buckets": self.buckets,
            "context_names": list(self.context_names),
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
            "missed": self.missed.tolist(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The encoding that ``to_state`` told of."""
        return cls(
            buckets=state["buckets"],
            context_names=tuple(state["context_names"]),
            mean=np.array(state["mean"], dtype=np.float64),
            scale=np.array(state["scale"], dtype=np.float64),
            missed=np.array(state["missed"], dtype=np.bool_),
        )
