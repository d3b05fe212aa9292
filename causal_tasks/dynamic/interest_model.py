"""A fitted request-time model that predicts without torch, one request as fast as a server needs it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from causal_tasks.dynamic.request_encoding import RequestEncoding
from causal_tasks.dynamic.requests import Requests

Numbers = NDArray[np.float64]

_WEIGHTS = "interest.safetensors"

_AT_ONCE = 2**14
"""Requests that are computed at a time: a few megabytes."""


@dataclass(frozen=True, slots=True)
class InterestModel:
    """Weights of an ``InterestNetwork`` in double precision, so that a request alone and among others agree.

    Attributes:
        encoding: How requests become rows.
        weights: Arrays by the names that they have in the network.
        scale: Factor of every treatment's interest, shape (K,).
    """

    encoding: RequestEncoding
    weights: Mapping[str, Numbers]
    scale: Numbers

    def predict(self, requests: Requests) -> Numbers:
        """Interest in every treatment's category, shape (n, K)."""
        interest = np.empty((len(requests), len(self.scale)))
        for begin in range(0, len(requests), _AT_ONCE):
            end = min(begin + _AT_ONCE, len(requests))
            interest[begin:end] = self.of_rows(self.encoding.encode(requests.between(begin, end)))
        return interest

    def of_rows(self, rows: Numbers) -> Numbers:
        """Interest of rows that ``encoding`` made, shape (n, K)."""
        weights, (tokens, categories, _) = self.weights, self.encoding.widths
        recent, candidates, context = (
            rows[:, :tokens],
            rows[:, tokens : tokens + categories],
            rows[:, tokens + categories :],
        )
        request = np.concatenate([recent @ weights["recent"], candidates @ weights["candidates"], context], axis=1)
        experts = np.maximum(request @ weights["experts.weight"].T + weights["experts.bias"], 0)
        heads, units, _ = weights["towers"].shape
        if "gates.weight" in weights:
            number = experts.shape[1] // units
            gates = _softmax((request @ weights["gates.weight"].T).reshape(-1, heads, number))
            mixed = (gates @ experts.reshape(-1, number, units)).transpose(1, 0, 2)
        else:
            mixed = experts[None]
        towers = np.maximum(mixed @ weights["towers"] + weights["tower_bias"][:, None], 0)
        outputs = (towers @ weights["heads"][:, :, None])[:, :, 0].T + weights["head_bias"]
        return self.scale * np.logaddexp(0, outputs)

    def scaled(self, rows: Numbers, labels: Numbers) -> Self:
        """The model with the mean of the labels, where there are any, as that of its interest.

        Args:
            rows: That ``encoding`` made, shape (n, width).
            labels: Shape (n, K), NaN where there is none, but not of a whole column.
        """
        known = np.isfinite(labels)
        parts = range(0, len(rows), _AT_ONCE)
        said = np.concatenate([self.of_rows(rows[begin : begin + _AT_ONCE]) for begin in parts])
        means = [(values * known).sum(axis=0) for values in (np.where(known, labels, 0), said)]
        return replace(self, scale=self.scale * means[0] / means[1])

    def write(self, folder: Path) -> dict[str, Any]:
        """Write the weights; returns what ``read`` needs besides, as JSON."""
        from safetensors.numpy import save_file

        save_file({name: np.ascontiguousarray(value) for name, value in self.weights.items()}, folder / _WEIGHTS)
        return {"encoding": self.encoding.to_state(), "scale": self.scale.tolist()}

    @classmethod
    def read(cls, folder: Path, state: Mapping[str, Any]) -> Self:
        """The model that ``write`` wrote."""
        from safetensors.numpy import load_file

        encoding = RequestEncoding.from_state(state["encoding"])
        return cls(encoding, load_file(folder / _WEIGHTS), np.array(state["scale"], dtype=np.float64))


def _softmax(logits: Numbers) -> Numbers:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
