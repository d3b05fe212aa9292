"""Features as the preference model reads them: each becomes a bucket, which has an embedding of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self, get_args

import numpy as np
from numpy.typing import NDArray

from causal_tasks.base_models import DesignMatrix, StoredDesign
from causal_tasks.base_models.design import BINNED_FROM
from causal_tasks.base_models.features import Features
from causal_tasks.errors import InputError

Kind = Literal["paper", "quantile"]

_SMALLEST_DIVISOR = 1e-8

Numbers = NDArray[np.float64]


class _Cuts(Protocol):
    """Where numeric features are cut."""

    def place(self, values: Numbers) -> NDArray[np.intp]:
        """Bucket of every value, shape (n, q), from 0; no value is missing."""
        ...

    def to_state(self) -> dict[str, Any]:
        """Everything as JSON values."""
        ...


@dataclass(frozen=True, slots=True)
class PaperCuts:
    """Hundredths of the largest value of a training row: ``clip(int(x / max(1e-8, max x) * 100), 0, 100)``.

    Everything negative falls into bucket 0, and so does almost everything of a feature with a few very large values.

    Attributes:
        largest: Of every numeric feature, shape (q,).
        buckets: 100 in the paper.

    Source: the authors' script for Criteo (arXiv 2410.16755).
    """

    largest: Numbers
    buckets: int

    def place(self, values: Numbers) -> NDArray[np.intp]:
        """Bucket of every value, shape (n, q), from 0 to ``buckets``."""
        share = values / np.maximum(_SMALLEST_DIVISOR, self.largest)
        return np.clip(np.trunc(share * self.buckets), 0, self.buckets).astype(np.intp)

    def to_state(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return {"largest": self.largest.tolist(), "buckets": self.buckets}


@dataclass(frozen=True, slots=True)
class QuantileCuts:
    """Equally many training rows in every bucket, as far as ties let it be.

    Attributes:
        edges: Shape (buckets, q), rising along the first axis; a value equal to an edge lies above it.
    """

    edges: Numbers

    @classmethod
    def learn(cls, values: Numbers, buckets: int) -> Self:
        """Edges between ``buckets`` + 1 groups of the values of each column, shape (n, q), NaN where missing."""
        levels = np.arange(1, buckets + 1) / (buckets + 1)
        edges = np.zeros((buckets, values.shape[1]))
        for column, found in enumerate(values.T):
            present = found[~np.isnan(found)]
            if len(present):
                # An edge is a value that occurs, so that where it lies does not hang on how it is rounded.
                edges[:, column] = np.quantile(present, levels, method="higher")
        return cls(edges)

    def place(self, values: Numbers) -> NDArray[np.intp]:
        """Bucket of every value, shape (n, q), from 0 to the number of edges."""
        placed = np.empty(values.shape, dtype=np.intp)
        for column in range(values.shape[1]):
            placed[:, column] = np.searchsorted(self.edges[:, column], values[:, column], side="right")
        return placed

    def to_state(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return {"edges": self.edges.tolist()}


@dataclass(frozen=True, slots=True)
class Bucketing:
    """How features become buckets, learned from the rows that a model is trained on.

    A numeric feature has ``buckets`` + 1 buckets, and one more for missing where a training row missed it; elsewhere a
    missing number counts as the mean of the training rows. A categorical feature has a bucket for missing and one for
    every level.

    Attributes:
        features: All features with their levels.
        kind: Which cuts.
        buckets: Less one, of a numeric feature.
        cuts: Of the numeric features, in their order.
        mean: Of the numeric features, shape (q,).
        missed: Which of them a training row missed, shape (q,).
        negative: Share of training rows with a negative value, shape (q,).
    """

    features: Features
    kind: Kind
    buckets: int
    cuts: _Cuts
    mean: Numbers
    missed: NDArray[np.bool_]
    negative: Numbers

    @classmethod
    def learn(cls, design: DesignMatrix | StoredDesign, *, kind: Kind, buckets: int = 100, seed: int = 0) -> Self:
        """The bucketing that the rows of ``design`` suggest; a file is read a part at a time.

        Args:
            design: The rows that the model is trained on.
            kind: ``paper``, or ``quantile``, whose edges come from at most 50,000 rows drawn at random.
            buckets: Less one, of a numeric feature.
            seed: Of the draw.

        Raises:
            InputError: ``kind`` is unknown, or ``buckets`` is below 1.
        """
        if kind not in get_args(Kind) or buckets < 1:
            raise InputError(
                f"bucketing is {kind!r} with buckets={buckets}",
                remedy=f"take one of {', '.join(get_args(Kind))}, with at least 1 bucket",
            )
        numeric = _numeric(design.features)
        count, total, negative = (np.zeros(len(numeric)) for _ in range(3))
        largest = np.full(len(numeric), -np.inf)
        for chunk in design.chunks():
            values = chunk.codes_of(design.features)[:, numeric].astype(np.float64)
            present = ~np.isnan(values)
            count += present.sum(axis=0)
            total += np.where(present, values, 0.0).sum(axis=0)
            negative += (values < 0).sum(axis=0)
            largest = np.maximum(largest, np.where(present, values, -np.inf).max(axis=0, initial=-np.inf))
        cuts: _Cuts
        if kind == "paper":
            cuts = PaperCuts(np.where(count > 0, largest, 0.0), buckets)
        else:
            cuts = QuantileCuts.learn(_sample(design, numeric, seed), buckets)
        mean = total / np.maximum(count, 1)
        return cls(design.features, kind, buckets, cuts, mean, count < len(design), negative / max(1, len(design)))

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Buckets of each feature, in the order of the features."""
        missed = iter(self.missed)
        return tuple(
            self.buckets + 1 + int(next(missed)) if levels is None else 1 + len(levels)
            for levels in self.features.levels.values()
        )

    @property
    def ordered(self) -> tuple[int, ...]:
        """Of each feature, how many buckets from the first on rise with its value: 0 of a categorical one."""
        return tuple(self.buckets + 1 if levels is None else 0 for levels in self.features.levels.values())

    def encode(self, chunk: DesignMatrix) -> NDArray[np.int16] | NDArray[np.int32]:
        """Position of each feature's bucket among the buckets of all features, shape (n, p); 16 bits where they do.

        Raises:
            InputError: A column is missing, has become categorical or numeric, or has a level that was not there.
        """
        codes = chunk.codes_of(self.features)
        numeric, cardinalities = _numeric(self.features), self.cardinalities
        values = codes[:, numeric].astype(np.float64)
        missing = np.isnan(values)
        placed = self.cuts.place(np.where(missing, self.mean, values))
        placed[missing & self.missed] = self.buckets + 1
        buckets: NDArray[Any] = np.nan_to_num(codes + 1.0, nan=0.0).astype(np.int32)
        buckets[:, numeric] = placed
        buckets += np.cumsum((0, *cardinalities), dtype=np.int32)[:-1]
        return buckets.astype(np.int16) if sum(cardinalities) <= np.iinfo(np.int16).max else buckets

    @property
    def losing_sign(self) -> dict[str, float]:
        """By feature whose negative values all share bucket 0: the share of training rows that have one."""
        if self.kind != "paper":
            return {}
        names = [self.features.names[position] for position in _numeric(self.features)]
        return {name: float(share) for name, share in zip(names, self.negative, strict=True) if share}

    def to_state(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return {
            "features": self.features.to_json(),
            "kind": self.kind,
            "buckets": self.buckets,
            "cuts": self.cuts.to_state(),
            "mean": self.mean.tolist(),
            "missed": self.missed.tolist(),
            "negative": self.negative.tolist(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The bucketing of which ``to_state`` told."""
        stated, width = state["cuts"], len(state["mean"])
        cuts: _Cuts = (
            PaperCuts(np.asarray(stated["largest"], dtype=np.float64), stated["buckets"])
            if state["kind"] == "paper"
            else QuantileCuts(np.asarray(stated["edges"], dtype=np.float64).reshape(state["buckets"], width))
        )
        return cls(
            Features.from_json(state["features"]),
            state["kind"],
            state["buckets"],
            cuts,
            np.asarray(state["mean"], dtype=np.float64),
            np.asarray(state["missed"], dtype=np.bool_),
            np.asarray(state["negative"], dtype=np.float64),
        )


def _sample(design: DesignMatrix | StoredDesign, numeric: list[int], seed: int) -> Numbers:
    """Numeric features of at most 50,000 rows, shape (m, q)."""
    features = design.features
    if len(design) > BINNED_FROM:
        drawn = np.random.default_rng(seed).choice(len(design), BINNED_FROM, replace=False)
        design = design.take(np.sort(drawn))
    return np.concatenate([chunk.codes_of(features)[:, numeric] for chunk in design.chunks()]).astype(np.float64)


def _numeric(features: Features) -> list[int]:
    return [position for position, levels in enumerate(features.levels.values()) if levels is None]
