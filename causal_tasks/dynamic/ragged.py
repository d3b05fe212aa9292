"""Lists of tokens of many requests, one after another in memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from causal_tasks.errors import InputError


@dataclass(frozen=True, slots=True)
class Ragged:
    """Tokens of n requests; a request may have none.

    Attributes:
        offsets: Shape (n + 1,): the tokens of request i are ``tokens[offsets[i]:offsets[i + 1]]``.
        tokens: Integers from 0.

    Raises:
        InputError: The offsets do not rise from 0 to the number of tokens.
    """

    offsets: NDArray[np.int64]
    tokens: NDArray[np.int32]

    def __post_init__(self) -> None:
        first, last = self.offsets[0], self.offsets[-1]
        if first != 0 or last != len(self.tokens) or (self.offsets[1:] < self.offsets[:-1]).any():
            raise InputError(
                f"offsets go from {first} to {last} for {len(self.tokens)} tokens",
                remedy="let offsets rise from 0 to the number of tokens",
            )

    @classmethod
    def of(cls, lists: Sequence[Sequence[int]]) -> Self:
        """The lists that are given one by one."""
        offsets = np.concatenate([[0], np.cumsum([len(tokens) for tokens in lists], dtype=np.int64)])
        return cls(offsets.astype(np.int64), np.array([token for tokens in lists for token in tokens], dtype=np.int32))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each request, shape (n,)."""
        return np.diff(self.offsets)

    def take(self, rows: NDArray[np.intp]) -> Self:
        """The lists of some requests, in the order of ``rows``."""
        lengths = self.lengths[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        return type(self)(offsets, self.tokens[np.repeat(self.offsets[rows], lengths) + within])

    def between(self, begin: int, end: int) -> Self:
        """The lists of requests ``begin`` up to ``end``, whose tokens are not copied."""
        offsets = self.offsets[begin : end + 1]
        return type(self)(offsets - offsets[0], self.tokens[offsets[0] : offsets[-1]])

    def counts(self, vocabulary: int) -> NDArray[np.int64]:
        """How often each token is in each list, shape (n, vocabulary).

        Raises:
            InputError: A token is not below ``vocabulary``.
        """
        if len(self.tokens) and int(self.tokens.max()) >= vocabulary:
            raise InputError(
                f"a token is {self.tokens.max()}, the largest may be {vocabulary - 1}",
                remedy="pass requests whose items were put into the same categories of durations",
            )
        cells = np.repeat(np.arange(len(self)) * vocabulary, self.lengths) + self.tokens
        counts = np.bincount(cells, minlength=len(self) * vocabulary)
        return counts.reshape(len(self), vocabulary).astype(np.int64, copy=False)

    def shares(self, vocabulary: int) -> NDArray[np.float64]:
        """Share of each token in each list, shape (n, vocabulary); zeros where a list is empty."""
        return self.counts(vocabulary) / np.maximum(self.lengths, 1)[:, None]
