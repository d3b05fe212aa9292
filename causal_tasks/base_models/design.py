"""Features of users, read and binned once for all the models that learn from some of them."""

import hashlib
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array

from causal_tasks.base_models.features import Features
from causal_tasks.base_models.recently_made import RecentlyMade
from causal_tasks.errors import InputError

CHUNK_ROWS = 65_536
"""Rows that are predicted at a time: enough for every thread, little beside the features themselves."""

BINNED_FROM = 50_000
"""Rows, drawn at random, from which the bounds of bins are taken: more of them move no bound that matters."""

RECENT_BYTES = 256 * 2**20
"""What a matrix keeps at least of what was made last: models, their predictions, bins of some rows."""

BIN_BYTES = 3
"""What XGBoost keeps of one binned value, with all that stands beside it; where values are missing, more."""

Positions = NDArray[np.intp] | slice


class DesignMatrix:
    """Features of users in memory.

    Rows taken from a matrix share with it what is made from its features once: levels, bins, and models that were
    fitted before on the same rows in the same way. So learners, arms, folds and trials that are given the same matrix
    do none of this twice. Bins come from all rows of the matrix, also those that a model is not fitted on; outcomes
    play no part in them.

    Args:
        X: Shape (n, p), numeric, boolean and categorical columns; missing values allowed. It must not change later.
        like: Of the same columns: its levels hold here too, so that models that were fitted on it predict these rows
            without reading the frame anew.
    """

    def __init__(self, X: pd.DataFrame, *, like: "DesignMatrix | None" = None) -> None:
        self._source = _Source(X, like.features if like else None)
        self._positions: Positions = slice(None)
        self._extra: dict[str, NDArray[np.float32]] = {}
        self._numbers: list[NDArray[np.float32]] | None = None

    @classmethod
    def of(cls, X: Any) -> Self:
        """``X`` as a design matrix: itself, a frame, or an array of shape (n, p), whose columns become x0, x1, etc.

        Raises:
            InputError: It is nothing of that kind, or the array is sparse or holds anything but real numbers.
        """
        if isinstance(X, cls):
            return X
        if isinstance(X, pd.DataFrame):
            return cls(X)
        try:
            values = check_array(X, ensure_all_finite=False, ensure_min_samples=0)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"X: {error}", remedy="pass one row per user and one numeric column per feature"
            ) from error
        return cls(pd.DataFrame(values, columns=[f"x{position}" for position in range(values.shape[1])]))

    def __len__(self) -> int:
        if isinstance(self._positions, slice):
            return len(range(*self._positions.indices(len(self._source.frame))))
        return len(self._positions)

    @property
    def columns(self) -> list[str]:
        """Names of the features, in order."""
        return [*self._extra, *self._source.frame.columns]

    @property
    def features(self) -> Features:
        """The features with their levels."""
        return self._source.features.preceded_by(self._extra)

    @property
    def index(self) -> pd.Index:
        """Labels of these rows, shape (n,)."""
        return self._source.frame.index[self._positions]

    @property
    def frame(self) -> pd.DataFrame:
        """These rows as a frame, shape (n, p)."""
        rows: pd.DataFrame = self._source.frame.iloc[self._positions]
        if not self._extra:
            return rows
        return pd.concat([pd.DataFrame(self._extra, index=rows.index), rows], axis="columns")

    @property
    def codes(self) -> NDArray[np.float32]:
        """These rows as numbers, shape (n, p): the position of a level in place of the level, NaN for missing.

        They are read from the frame whenever they are asked for, but by a chunk only once.
        """
        numbers = self._read()
        if not self._extra:
            return numbers
        codes = np.empty((len(self), len(self.columns)), dtype=np.float32)
        for position, values in enumerate(self._extra.values()):
            codes[:, position] = values
        codes[:, len(self._extra) :] = numbers
        return codes

    def codes_of(self, features: Features) -> NDArray[np.float32]:
        """These rows as ``features`` reads them, shape (n, p).

        Raises:
            InputError: As for ``Features.read_codes``.
        """
        own = self.features
        # Equal mappings may differ in their order.
        return self.codes if own == features and own.names == features.names else features.read_codes(self.frame)

    def take(self, positions: NDArray[np.intp]) -> "DesignMatrix":
        """Some of the rows, at increasing positions."""
        if self._extra:
            raise InputError("rows cannot be taken once columns were added", remedy="take the rows first")
        require_increasing(positions)
        taken = np.arange(len(self._source.frame))[self._positions][positions]
        return self._with(taken)

    def chunks(self, rows: int = CHUNK_ROWS) -> Iterator["DesignMatrix"]:
        """The rows in their order, at most ``rows`` at a time; a chunk that is small enough is its only one."""
        if self._numbers is not None and 0 < len(self) <= rows:
            yield self
            return
        if isinstance(self._positions, slice):
            begin, end, _ = self._positions.indices(len(self._source.frame))
            pieces: Iterator[Positions] = (slice(at, min(at + rows, end)) for at in range(begin, end, rows))
        else:
            positions = self._positions
            pieces = (positions[at : at + rows] for at in range(0, len(positions), rows))
        for number, piece in enumerate(pieces):
            extra = {name: values[number * rows : (number + 1) * rows] for name, values in self._extra.items()}
            chunk = self._with(piece, extra)
            chunk._numbers = []  # noqa: SLF001 - of this class
            yield chunk

    def batches(self, rows: int = CHUNK_ROWS) -> Iterator[tuple[NDArray[np.intp], pd.DataFrame]]:
        """The rows in their order, at most ``rows`` at a time: their positions in this matrix and their frame."""
        at = 0
        for chunk in self.chunks(rows):
            yield np.arange(at, at + len(chunk)), chunk.frame
            at += len(chunk)

    def with_columns(self, columns: Mapping[str, ArrayLike]) -> "DesignMatrix":
        """These rows with numeric columns of shape (n,) before the others."""
        other = self._with(self._positions, {name: np.asarray(v, dtype=np.float32) for name, v in columns.items()})
        other._numbers = self._numbers  # noqa: SLF001 - of this class
        return other

    def without_columns(self) -> "DesignMatrix":
        """These rows without the columns that ``with_columns`` added."""
        return self._with(self._positions)

    @property
    def extra(self) -> Mapping[str, NDArray[np.float32]]:
        """Columns that ``with_columns`` added, each of shape (n,)."""
        return self._extra

    @property
    def empty_columns(self) -> list[str]:
        """Features that no row of the whole matrix has a value of."""
        # By position: that a name is there twice is told by who reads the columns.
        columns = self._source.frame.items()
        empty: list[str] = self.shared(
            "empty columns", lambda: [str(name) for name, values in columns if values.isna().all()]
        )
        return empty

    @property
    def positions(self) -> NDArray[np.intp] | None:
        """Positions of these rows in the matrix that they were taken from; None: they are all of it."""
        if isinstance(self._positions, slice):
            return None if len(self) == len(self._source.frame) else np.arange(len(self._source.frame))[self._positions]
        return None if len(self) == len(self._source.frame) else self._positions

    def whole(self) -> "DesignMatrix":
        """All rows of the matrix that these were taken from."""
        return self._with(slice(None))

    def shared(self, key: Any, make: Callable[[], Any]) -> Any:
        """What ``make`` returned when it was first called under this key by any rows of the same matrix."""
        if key not in self._source.made:
            self._source.made[key] = make()
        return self._source.made[key]

    def recent(self, key: Hashable, make: Callable[[], Any], *, size: int) -> Any:
        """As ``shared``, but forgotten when the matrix keeps more such things than it has room for.

        Args:
            key: Equal for what is equal; ``digest`` tells these rows from others.
            make: Called where nothing is kept under the key.
            size: Bytes that it takes, about.
        """
        return self._source.recent.get(key, make, size)

    def digest(self, *arrays: NDArray[Any] | None) -> str:
        """Which rows of the matrix these are, together with ``arrays`` about them: equal digests, equal content."""
        hasher = hashlib.blake2b(digest_size=16)
        for array in (self.positions, *arrays):
            if array is None:
                hasher.update(b"none|")
            else:
                hasher.update(f"{array.dtype} {array.shape}|".encode())
                hasher.update(np.ascontiguousarray(array).tobytes())
        return hasher.hexdigest()

    def _with(self, positions: Positions, extra: dict[str, NDArray[np.float32]] | None = None) -> "DesignMatrix":
        other = object.__new__(type(self))
        other._source, other._positions, other._extra = self._source, positions, extra or {}
        other._numbers = None
        return other

    def _read(self) -> NDArray[np.float32]:
        if self._numbers:
            return self._numbers[0]
        numbers = self._source.features.read_codes(self._source.frame, self._positions)
        if self._numbers is not None:
            self._numbers.append(numbers)
        return numbers


def require_increasing(positions: NDArray[np.intp]) -> None:
    """Refuse positions of rows that are not in order.

    Raises:
        InputError: They are not.
    """
    if len(positions) > 1 and not (np.diff(positions) > 0).all():
        raise InputError("positions are not increasing", remedy="sort them; each row can be taken once")


class _Source:
    """A frame and what has been made from it."""

    def __init__(self, frame: pd.DataFrame, features: Features | None) -> None:
        self.frame = frame
        self.made: dict[Any, Any] = {}
        # As many bins as five folds have, each without its own rows.
        self.recent = RecentlyMade(max(RECENT_BYTES, 5 * frame.size * BIN_BYTES))
        self._features = features

    @property
    def features(self) -> Features:
        if self._features is None:
            self._features = Features.of(self.frame)
        return self._features
