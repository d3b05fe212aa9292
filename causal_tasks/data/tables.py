"""Parquet tables as they lie in the store: files, footers, row groups, and typed reading of the part that is needed."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs
import pyarrow.parquet as pq

from causal_tasks.errors import InputError
from causal_tasks.storage import Storage, Uri

_OPEN_FILES = 16
"""Footers read at the same time: the wait is for the store, not for cores."""

EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class ParquetFile:
    """One file and the row groups of it that matter.

    Attributes:
        table: Name of the table it belongs to, for messages.
        name: Path relative to the table.
        path: Path in the file system.
        metadata: Its footer.
        keys: Values that hive-style folders (``date=2026-10-03``) give to all of its rows.
        row_groups: Which row groups matter.
    """

    table: str
    name: str
    path: str
    metadata: pq.FileMetaData
    keys: Mapping[str, str]
    row_groups: tuple[int, ...]

    @cached_property
    def types(self) -> dict[str, pa.DataType]:
        """Type by column; columns in the file go before folder names."""
        folders: dict[str, pa.DataType] = dict.fromkeys(self.keys, pa.string())
        return folders | {field.name: field.type for field in self.metadata.schema.to_arrow_schema()}

    @property
    def rows(self) -> int:
        """Rows in the row groups that matter."""
        return sum(self.metadata.row_group(group).num_rows for group in self.row_groups)

    def is_folder_key(self, column: str) -> bool:
        """Whether the column's value is in the path and not in the file."""
        return column in self.keys and column not in self._leaves

    @cached_property
    def _leaves(self) -> dict[str, int]:
        group = self.metadata.row_group(0) if self.metadata.num_row_groups else None
        return {group.column(i).path_in_schema: i for i in range(group.num_columns)} if group else {}

    def statistics(self, column: str, group: int) -> Any:
        """What the footer says about a column of a row group; None where it says nothing."""
        return self.metadata.row_group(group).column(self._leaves[column]).statistics

    def days(self, column: str, group: int) -> tuple[date, date] | None:
        """First and last day of a date column in a row group; None where only the rows can tell."""
        if self.is_folder_key(column):
            day = self._folder_day(column)
            return day, day
        statistics = self.statistics(column, group)
        if statistics is None or not statistics.has_min_max:
            return None
        return _as_date(statistics.min), _as_date(statistics.max)

    def _folder_day(self, column: str) -> date:
        try:
            return date.fromisoformat(self.keys[column])
        except ValueError as error:
            raise InputError(
                f"{self.table} table: folder {column}={self.keys[column]!r} of {self.name} is no date",
                remedy="name such folders like date=2026-10-03",
            ) from error


@dataclass(frozen=True, slots=True)
class Piece:
    """Some row groups of one file: all that a worker needs to read them.

    Attributes:
        table: Name of the table, for messages.
        name: Path relative to the table.
        path: Path in the file system.
        row_groups: Which row groups.
        keys: Column values that the path gives.
    """

    table: str
    name: str
    path: str
    row_groups: tuple[int, ...]
    keys: Mapping[str, str]


Chunk = tuple[Piece, ...]
"""What becomes one partition."""


@dataclass(frozen=True)
class ParquetTable:
    """The Parquet files of one table.

    Attributes:
        name: ``assignments``, ``metrics``, ``features`` or ``dataset``.
        uri: Where it is.
        filesystem: Reads it, also after a journey to another process.
        files: Sorted by name; at least one.
    """

    name: str
    uri: Uri
    filesystem: pyarrow.fs.FileSystem
    files: tuple[ParquetFile, ...]

    @property
    def rows(self) -> int:
        """Rows in all row groups that matter."""
        return sum(file.rows for file in self.files)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that at least one file holds, in the order in which they first appear."""
        return tuple(dict.fromkeys(f.name for file in self.files for f in file.metadata.schema.to_arrow_schema()))

    @cached_property
    def folder_keys(self) -> tuple[str, ...]:
        """Names of the columns whose values are in paths only."""
        names = dict.fromkeys(key for file in self.files for key in file.keys)
        return tuple(name for name in names if name not in self.columns)

    def has(self, column: str) -> bool:
        """Whether any file holds the column or any folder gives it a value."""
        return any(column in file.types for file in self.files)

    def between(self, column: str, first: date, last: date) -> "ParquetTable":
        """The table without the row groups that hold no day from ``first`` to ``last``."""

        def matters(file: ParquetFile, group: int) -> bool:
            days = file.days(column, group)
            return days is None or (days[0] <= last and first <= days[1])

        kept = (replace(file, row_groups=tuple(g for g in file.row_groups if matters(file, g))) for file in self.files)
        return replace(self, files=tuple(file for file in kept if file.row_groups))

    def last_day(self, column: str) -> date:
        """The newest day of a date column; reads only the row groups whose footer does not tell it."""
        known: list[date] = []
        for file in self.files:
            for group in file.row_groups:
                days = file.days(column, group)
                known.append(days[1] if days else self._last_day_by_reading(file, group, column))
        return max(known)

    def _last_day_by_reading(self, file: ParquetFile, group: int, column: str) -> date:
        piece = Piece(file.table, file.name, file.path, (group,), file.keys)
        column_only = read_pieces([piece], pa.schema([(column, pa.date32())]), filesystem=self.filesystem)
        newest = pc.max(column_only[column]).as_py()
        return newest if newest is not None else date.min

    def null_count(self, column: str) -> int:
        """Rows that matter without a value in the column; reads only the row groups whose footer does not tell it."""
        count = 0
        for file in self.files:
            if file.is_folder_key(column):
                continue
            for group in file.row_groups:
                statistics = file.statistics(column, group)
                if statistics is not None and statistics.has_null_count:
                    count += statistics.null_count
                else:
                    fragment = _fragment(Piece(file.table, file.name, file.path, (group,), {}), self.filesystem)
                    count += fragment.to_table(columns=[column])[column].null_count
        return count

    def chunks(self, rows: int) -> list[Chunk]:
        """Row groups in file order, put together until a chunk has at least ``rows`` rows."""
        chunks: list[Chunk] = []
        pieces: list[Piece] = []
        gathered = 0
        for file in self.files:
            groups: list[int] = []
            for group in file.row_groups:
                groups.append(group)
                gathered += file.metadata.row_group(group).num_rows
                if gathered >= rows:
                    pieces.append(Piece(file.table, file.name, file.path, tuple(groups), file.keys))
                    chunks.append(tuple(pieces))
                    pieces, groups, gathered = [], [], 0
            if groups:
                pieces.append(Piece(file.table, file.name, file.path, tuple(groups), file.keys))
        return [*chunks, tuple(pieces)] if pieces else chunks


def open_table(storage: Storage, uri: Uri, name: str, *, may_be_empty: bool = False) -> ParquetTable:
    """List a table's files and read their footers.

    Args:
        storage: Reads it.
        uri: Where it is.
        name: Of the table, for messages.
        may_be_empty: Whether no row is no error.

    Raises:
        InputError: There is no Parquet file, a file is none, or there is no row.
    """
    stored = storage.list_files(uri, suffix=".parquet", hash_local=False)
    field = "dataset.uri" if name == "dataset" else f"tables.{name}"
    if not stored:
        raise InputError(
            f"{name} table: no Parquet file at or under {uri}",
            remedy=f"write it there, or point {field} of the experiment to it",
        )
    filesystem, root = arrow_filesystem(storage, uri.rstrip("/"))
    single = storage.exists(uri)

    def opened(relative: str) -> ParquetFile:
        path = root if single else f"{root}/{relative}"
        try:
            metadata = pq.read_metadata(path, filesystem=filesystem)
        except pa.ArrowInvalid as error:
            raise InputError(
                f"{name} table: {relative} is no valid Parquet file ({error})", remedy="write it again or remove it"
            ) from error
        return ParquetFile(
            name, relative, path, metadata, _folder_keys(relative), tuple(range(metadata.num_row_groups))
        )

    with ThreadPoolExecutor(_OPEN_FILES) as pool:
        files = tuple(pool.map(opened, (file.path for file in stored)))
    table = ParquetTable(name, uri, filesystem, files)
    if not (table.rows or may_be_empty):
        raise InputError(f"{name} table: {len(files)} files at {uri}, but no row", remedy="write its rows first")
    return table


def arrow_filesystem(storage: Storage, uri: Uri) -> tuple[pyarrow.fs.FileSystem, str]:
    """The pyarrow file system of ``uri`` and the path in it."""
    filesystem, path = storage.filesystem(uri)
    if uri.startswith("file://"):
        return pyarrow.fs.LocalFileSystem(), path
    return pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(filesystem)), path


def _folder_keys(relative: str) -> dict[str, str]:
    return dict(folder.split("=", 1) for folder in relative.split("/")[:-1] if "=" in folder)


def _as_date(value: date | datetime) -> date:
    return value.date() if isinstance(value, datetime) else value


def read_pieces(
    pieces: Sequence[Piece],
    schema: pa.Schema,
    *,
    filesystem: pyarrow.fs.FileSystem,
    days: tuple[str, date, date] | None = None,
    where: ds.Expression | None = None,
) -> pa.Table:
    """Read columns of some row groups, cast to the types of ``schema``, whatever each file calls them.

    Args:
        pieces: What to read.
        schema: Columns and types of the result.
        filesystem: Reads them.
        days: Date column, first and last day: other rows stay in the file.
        where: Other rows stay in the file; it names columns that every file holds.

    Raises:
        InputError: A date column holds a time of day, or a value does not fit the type in which it is read.
    """
    tables = [_read_piece(piece, schema, filesystem, days, where) for piece in pieces]
    return pa.concat_tables(tables) if tables else schema.empty_table()


def _fragment(piece: Piece, filesystem: pyarrow.fs.FileSystem) -> ds.ParquetFileFragment:
    return ds.ParquetFileFormat().make_fragment(piece.path, filesystem=filesystem, row_groups=list(piece.row_groups))


def _read_piece(
    piece: Piece,
    schema: pa.Schema,
    filesystem: pyarrow.fs.FileSystem,
    days: tuple[str, date, date] | None,
    where: ds.Expression | None,
) -> pa.Table:
    fragment = _fragment(piece, filesystem)
    stored = fragment.physical_schema
    columns = [name for name in schema.names if name in stored.names]
    conditions = [where] if where is not None else []
    if days and days[0] in stored.names:
        conditions.append(_day_range(stored.field(days[0]).type, *days))
    condition = conditions[0] if conditions else None
    for other in conditions[1:]:
        condition = condition & other
    # One file, one thread: the engine already works on as many files as it has threads.
    table = fragment.to_table(columns=columns, filter=condition, use_threads=False)
    return pa.table(
        [
            _cast(table[field.name], field, piece)
            if field.name in columns
            else pa.repeat(piece.keys[field.name], table.num_rows).cast(field.type)
            for field in schema
        ],
        schema=schema,
    )


def _day_range(stored: pa.DataType, column: str, first: date, last: date) -> ds.Expression:
    if pa.types.is_timestamp(stored):
        low, high = datetime.combine(first, time.min), datetime.combine(last, time.max)
        return (pc.field(column) >= pa.scalar(low, stored)) & (pc.field(column) <= pa.scalar(high, pa.timestamp("us")))
    return (pc.field(column) >= pa.scalar(first, stored)) & (pc.field(column) <= pa.scalar(last, stored))


def _cast(column: pa.ChunkedArray, field: pa.Field, piece: Piece) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_timestamp(column.type) and pa.types.is_date32(field.type):
        return _midnights(column, field.name, piece)
    # A timestamp finer than a microsecond loses digits that no window depends on.
    try:
        return column.cast(field.type, safe=not pa.types.is_timestamp(field.type))
    except pa.ArrowInvalid as error:
        raise InputError(
            f"{piece.table} table: column {field.name!r} of {piece.name} cannot be read as {field.type} ({error})",
            remedy="write it as text where it is no quantity, or leave the column out",
        ) from error


def _midnights(column: pa.ChunkedArray, name: str, piece: Piece) -> pa.ChunkedArray:
    days = column.cast(pa.date32(), safe=False)
    times = column.filter(pc.not_equal(days.cast(column.type), column))
    if len(times):
        raise InputError(
            f"{piece.table} table: column {name!r} of {piece.name} holds times of day such as {times[0].as_py()}",
            remedy="write the business day as a date",
        )
    return days
