"""Reads the rows of metrics and features that belong to the cohort, and gives each row its place.

The place is one integer, ``position of the unit * days.span + day counted from the unit's first day``: rows move and
are sorted by it once, and then lie together by unit and in order of days. Ids, of whatever type, end here.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs

from causal_tasks.data.contracts import kind_of
from causal_tasks.data.tables import EPOCH, Chunk, read_pieces
from causal_tasks.errors import InputError
from causal_tasks.frames import on_device

KEY = "key"
"""Column that holds a row's place."""

IDENTITY = "identity"
"""Column that tells rows apart which agree in all columns that the experiment reads."""


@dataclass(frozen=True, slots=True)
class Days:
    """Which days around the day of first exposure count.

    Attributes:
        before: Days before it.
        after: Days from it on, itself included.
        skipped: Of ``after``, how many do not count, beginning with the day itself.
    """

    before: int
    after: int
    skipped: int = 0

    @property
    def span(self) -> int:
        """Places that a unit has."""
        return self.before + self.after

    def slot(self, relative: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """Day counted from the first that counts, -1 where the day does not count; shape (n,)."""
        counts = (relative >= -self.before) & (relative < self.after)
        counts &= (relative < 0) | (relative >= self.skipped)
        return np.where(counts, relative + self.before, -1)


@dataclass(frozen=True)
class Units:
    """What a reader knows of the cohort, or of a slice of it.

    Attributes:
        ids: Ascending.
        start: Day of first exposure, days since 1970.
        first: Position of the first of them in the whole cohort.
    """

    ids: pa.Array
    start: npt.NDArray[np.int32]
    first: int = 0

    def slice(self, positions: range) -> "Units":
        """The units at consecutive positions."""
        return Units(
            self.ids.slice(positions.start, len(positions)),
            self.start[positions.start : positions.stop],
            self.first + positions.start,
        )

    def positions(self, ids: pa.ChunkedArray) -> npt.NDArray[np.intp]:
        """Position of every id among the units, -1 where it is none of them; shape (n,)."""
        if pa.types.is_integer(self.ids.type):
            return self._index.get_indexer(ids.to_numpy())
        found: npt.NDArray[np.intp] = pc.index_in(ids, value_set=self.ids).fill_null(-1).to_numpy().astype(np.intp)
        return found

    @cached_property
    def _index(self) -> pd.Index:
        """The ids, hashed once for all chunks."""
        index: pd.Index = pd.Index(self.ids.to_numpy())
        # Its table is filled by the first search: here, because threads that searched meanwhile would find half of it.
        index.get_indexer(index[:1])
        return index

    def dates(self, days: Days) -> tuple[date, date]:
        """First and last date that counts for any unit."""
        low, high = int(self.start.min()) - days.before, int(self.start.max()) + days.after - 1
        return EPOCH + timedelta(days=low), EPOCH + timedelta(days=high)


@dataclass(frozen=True, slots=True)
class Source:
    """Which rows and columns of a table are read, and how.

    Attributes:
        table: Name, for messages.
        unit: Column of ids.
        date: Column of business days; None for a table without (then every row has the same place).
        days: Which days count.
        values: Columns to keep and their types.
        prefix: Put before their names, so that no name of the table meets one of ours.
        identity: Further columns that tell rows apart.
        filesystem: Reads the files.
        device: Where the frames go.
    """

    table: str
    unit: str
    date: str | None
    days: Days
    values: pa.Schema
    prefix: str
    identity: pa.Schema
    filesystem: pyarrow.fs.FileSystem
    device: str

    @property
    def places(self) -> int:
        """Places that a unit has."""
        return self.days.span if self.date else 1

    @property
    def meta(self) -> Any:
        """An empty frame of the columns and types that :func:`load_rows` returns."""
        fields = [(KEY, pa.int64()), *((f"{self.prefix}{field.name}", field.type) for field in self.values)]
        if len(self.identity):
            fields.append((IDENTITY, pa.uint64()))
        return on_device(pa.schema(fields).empty_table(), self.device)


def load_rows(chunk: Chunk, *, source: Source, units: Units) -> Any:
    """The rows of some files that belong to the units and to days that count.

    Returns:
        A frame on the device: ``key`` (int64), the value columns under their prefix, and ``identity`` where asked for.

    Raises:
        InputError: A value is infinite.
    """
    schema = pa.schema([(source.unit, units.ids.type)])
    between = None
    if source.date:
        schema = schema.append(pa.field(source.date, pa.date32()))
        between = (source.date, *units.dates(source.days))
    schema = pa.unify_schemas([schema, source.values, source.identity])
    rows = read_pieces(chunk, schema, filesystem=source.filesystem, days=between)

    position = units.positions(rows[source.unit])
    slot = np.zeros(len(position), dtype=np.int32)
    if source.date:
        day = rows[source.date].cast(pa.int32()).to_numpy()
        slot = source.days.slot(day - units.start[position])
    keep = (position >= 0) & (slot >= 0)
    rows = rows.filter(pa.array(keep))
    key = (position[keep].astype(np.int64) + units.first) * source.places + slot[keep]

    values = known_values(rows, source.values, table=source.table, chunk=chunk)
    columns = {KEY: pa.array(key)} | {f"{source.prefix}{name}": column for name, column in values.items()}
    if len(source.identity):
        columns[IDENTITY] = _fingerprints(rows.select(source.identity.names))
    return on_device(pa.table(columns), source.device)


def known_values(rows: pa.Table, schema: pa.Schema, *, table: str, chunk: Chunk) -> dict[str, pa.ChunkedArray]:
    """Columns by name, with NaN as a missing value.

    Args:
        rows: What was read.
        schema: Which columns, in the types they have.
        table: Name of the table, for messages.
        chunk: Where the rows come from, for messages.

    Raises:
        InputError: A value is infinite.
    """
    for field in schema:
        if pa.types.is_floating(field.type) and (infinite := pc.sum(pc.is_inf(rows[field.name])).as_py()):
            raise InputError(
                f"{table} table: column {field.name!r} holds {infinite} infinite values "
                f"(in {chunk[0].name}{' or a later file' if len(chunk) > 1 else ''})",
                remedy="write a number or leave the value out",
            )
    return {name: _nan_as_null(rows[name]) for name in schema.names}


def _nan_as_null(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column without NaN, which pandas would not count as a value and cudf would."""
    if not pa.types.is_floating(column.type):
        return column
    nan = pc.is_nan(column)
    return pc.if_else(nan, pa.scalar(None, column.type), column) if pc.any(nan).as_py() else column


def _fingerprints(rows: pa.Table) -> pa.Array:
    frame = pd.DataFrame(
        {
            name: rows[name].to_pandas().map(repr) if kind_of(rows[name].type) == "other" else rows[name].to_pandas()
            for name in rows.column_names
        }
    )
    return pa.array(pd.util.hash_pandas_object(frame, index=False).to_numpy())
