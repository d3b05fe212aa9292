"""Features of users in a Parquet file that need not fit into memory."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from causal_tasks.base_models.design import CHUNK_ROWS, DesignMatrix, require_increasing
from causal_tasks.base_models.features import Features
from causal_tasks.errors import InputError


class StoredDesign:
    """Features of users in a Parquet file, read a part at a time whenever they are needed.

    Args:
        source: Path of the file, or a file opened for reading that can seek.
        columns: Features, numeric or dictionary-encoded; None: every column of the file.

    Raises:
        InputError: A column is not in the file.
    """

    def __init__(self, source: Any, columns: Sequence[str] | None = None) -> None:
        from pyarrow.parquet import ParquetFile

        # Arrow would keep every part that it has read ahead until the file is closed: in the end all of it.
        self._file = ParquetFile(source, pre_buffer=False)
        held = self._file.schema_arrow.names
        self._stored = list(held if columns is None else columns)
        if absent := [name for name in self._stored if name not in held]:
            raise InputError(f"the file has no columns {absent}", remedy=f"name some of {', '.join(held)}")
        self._positions: NDArray[np.intp] | None = None
        self._extra: dict[str, NDArray[np.float32]] = {}

    def __len__(self) -> int:
        return int(self._file.metadata.num_rows) if self._positions is None else len(self._positions)

    @property
    def columns(self) -> list[str]:
        """Names of the features, in order."""
        return [*self._extra, *self._stored]

    @property
    def features(self) -> Features:
        """The features with the levels of all rows of the file."""
        return self._scan[0].preceded_by(self._extra)

    @property
    def empty_columns(self) -> list[str]:
        """Features that no row of the file has a value of."""
        return self._scan[1]

    @cached_property
    def _scan(self) -> tuple[Features, list[str]]:
        """What one pass through the file tells: its features, and those without a value."""
        levels: dict[str, tuple[Any, ...] | None] = {}
        empty = dict.fromkeys(self._stored)
        for batch in self._file.iter_batches(CHUNK_ROWS, columns=self._stored):
            frame = _frame_of(batch)
            for name, found in Features.of(frame).levels.items():
                known = levels.setdefault(name, None if found is None else ())
                levels[name] = None if known is None or found is None else tuple(dict.fromkeys((*known, *found)))
            empty = {name: None for name in empty if frame[name].isna().all()}
        return Features(
            {name: None if found is None else tuple(sorted(found)) for name, found in levels.items()}
        ), list(empty)

    def take(self, positions: NDArray[np.intp]) -> "StoredDesign":
        """Some of the rows, at increasing positions."""
        require_increasing(positions)
        return self._with(positions if self._positions is None else self._positions[positions], {})

    def with_columns(self, columns: Mapping[str, ArrayLike]) -> "StoredDesign":
        """These rows with numeric columns of shape (n,) before the others."""
        return self._with(self._positions, {name: np.asarray(v, dtype=np.float32) for name, v in columns.items()})

    def chunks(self, rows: int = CHUNK_ROWS) -> Iterator[DesignMatrix]:
        """The rows in their order, at most ``rows`` at a time."""
        for _, frame in self.batches(rows):
            yield DesignMatrix(frame)

    def batches(self, rows: int = CHUNK_ROWS) -> Iterator[tuple[NDArray[np.intp], pd.DataFrame]]:
        """The rows in their order, at most ``rows`` at a time: their positions in this design and their frame."""
        begin = 0
        at = 0
        for batch in self._file.iter_batches(rows, columns=self._stored):
            end = begin + batch.num_rows
            taken = np.arange(begin, end) if self._positions is None else _between(self._positions, begin, end)
            if len(taken):
                frame = _frame_of(batch) if len(taken) == batch.num_rows else _frame_of(batch).iloc[taken - begin]
                positions = np.arange(at, at + len(taken))
                yield positions, self._extended(frame.reset_index(drop=True), positions)
            at += len(taken)
            begin = end

    def _extended(self, frame: pd.DataFrame, positions: NDArray[np.intp]) -> pd.DataFrame:
        if not self._extra:
            return frame
        extra = pd.DataFrame({name: values[positions] for name, values in self._extra.items()})
        return pd.concat([extra, frame], axis="columns")

    def _with(self, positions: NDArray[np.intp] | None, extra: dict[str, NDArray[np.float32]]) -> "StoredDesign":
        other = object.__new__(type(self))
        other._file, other._stored = self._file, self._stored
        other._positions, other._extra = positions, extra
        # The file is read for them once.
        other.__dict__["_scan"] = self._scan
        return other


def _between(positions: NDArray[np.intp], begin: int, end: int) -> NDArray[np.intp]:
    low, high = np.searchsorted(positions, [begin, end])
    return positions[low:high]


def _frame_of(batch: Any) -> pd.DataFrame:
    # Arrow's own choice for booleans of which some are missing are Python objects.
    frame: pd.DataFrame = batch.to_pandas(types_mapper=lambda of: pd.BooleanDtype() if of == "bool" else None)
    return frame
