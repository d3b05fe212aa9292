"""The four tables of a feed, read a range of days at a time and only the columns that are asked for."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date as Date  # noqa: N812 - columns have the name
from datetime import timedelta
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from causal_tasks.data.contracts import (
    column_of,
    id_type,
    require,
    require_days,
    require_no_null,
    require_numbers,
    require_same_ids,
)
from causal_tasks.data.feature_contracts import feature_column
from causal_tasks.data.tables import Chunk, ParquetTable, open_table, read_pieces
from causal_tasks.errors import InputError
from causal_tasks.feed import DATE, Feed
from causal_tasks.storage import Storage, Uri

TableName = Literal["users", "assignments", "metrics", "requests"]

DAY = "date"
"""Column of days in what is read, whatever the table calls it."""

_ROWS = 1 << 18
"""Rows that are in memory before those are dropped that are not wanted."""

_LIST = pa.large_list(pa.float64())

Schema = Callable[[ParquetTable], pa.Schema]
Wanted = Callable[[pa.Table], pa.Array | NDArray[np.bool_]]
"""Which of some rows are wanted, told by columns that were asked for and the day."""


@dataclass(frozen=True)
class FeedTables:
    """Reads the tables of a feed.

    A table whose address has ``{date}`` in it is one of every day; any other holds all days, told by its date column.

    Attributes:
        feed: States addresses and columns.
        storage: Reads files.
    """

    feed: Feed
    storage: Storage
    _ids: dict[str, pa.DataType] = field(default_factory=dict, repr=False)

    def assignments(self, first: Date, last: Date) -> pd.DataFrame:
        """Draws of arms from ``first`` to ``last``: the unit, ``date`` on which the period begins, and the arm.

        Raises:
            InputError: A column is missing or of the wrong type, an arm is unknown, or a unit has two draws of a day.
        """
        unit, arm = self.feed.unit, self.feed.arm_column

        def schema(table: ParquetTable) -> pa.Schema:
            require(table, arm, {"text"}, remedy="write the arm's label as text, or correct arm_column of the feed")
            require_no_null(table, (arm,))
            return pa.schema([self._unit(table), (arm, pa.string())])

        drawn: pd.DataFrame = self._required("assignments", schema, first, last).to_pandas()
        if unknown := sorted(set(drawn[arm]) - set(self.feed.arms)):
            raise InputError(
                f"assignments table: column {arm!r} holds {unknown}, the feed's arms are {list(self.feed.arms)}",
                remedy="correct the table, or control and treatments of the feed",
            )
        _require_one_row("assignments", drawn, [unit, DAY])
        return drawn

    def users(self, day: Date, columns: Sequence[str], *, units: pa.Array | None = None) -> pa.Table:
        """Users as known on the morning of a day: the unit, then ``columns``; text is large strings, else floats.

        Args:
            day: The day.
            columns: Features or the segment.
            units: Whose rows are wanted; None: everybody's.

        Raises:
            InputError: There is no row of that day, a column is missing or of a type that no feature has, or a unit
                has two rows.
        """

        def schema(table: ParquetTable) -> pa.Schema:
            types = [(name, feature_column(table, name, remedy=_FEATURE_REMEDY).read) for name in columns]
            return pa.schema([self._unit(table), *types])

        rows = self._required("users", schema, day, day, wanted=self._of(units)).drop_columns([DAY])
        _require_one_row("users", rows.select([self.feed.unit]).to_pandas(), [self.feed.unit])
        return rows

    def features(self, day: Date) -> list[str]:
        """Names of the columns that are learned from, in the order of the feed or else of the users table of a day."""
        if self.feed.features is not None:
            return list(self.feed.features)
        names = {name: None for _, table in self._tables("users", day, day) for name in table.columns}
        return [name for name in names if name not in {self.feed.unit, self.feed.date_column}]

    def sums(self, names: Sequence[str], first: Date, last: Date, *, units: pa.Array | None = None) -> pd.DataFrame:
        """What each unit's days from ``first`` to ``last`` sum up to, by unit; a missing value counts as zero.

        Args:
            names: Columns.
            first: First day.
            last: Last day.
            units: Whose sums are wanted; None: everybody's.

        Raises:
            InputError: A day has no row at all, a column is missing or no number, a value is infinite, or a unit has
                two rows of a day.
        """
        there: set[Date] = set()
        of_units = self._of(units)

        def schema(table: ParquetTable) -> pa.Schema:
            require_numbers(table, names)
            return pa.schema([self._unit(table), *((name, pa.float64()) for name in names)])

        def wanted(rows: pa.Table) -> pa.Array | NDArray[np.bool_]:
            there.update(pc.unique(rows[DAY]).to_pylist())
            return of_units(rows) if of_units else np.ones(len(rows), dtype=bool)

        rows = self._required("metrics", schema, first, last, wanted=wanted)
        if missing := [str(day) for day in _days(first, last) if day not in there]:
            raise InputError(
                f"metrics table: no row of {len(missing)} days between {first} and {last} (first: {missing[0]})",
                remedy="write these days, or score the feed when they are there",
            )
        counted = rows.group_by([self.feed.unit, DAY]).aggregate([([], "count_all")])
        if (twice := pc.max(counted["count_all"]).as_py() or 0) > 1:
            raise InputError(
                f"metrics table: a {self.feed.unit} has {twice} rows of one day",
                remedy="write one row per user and day",
            )
        for name in names:
            rows = rows.set_column(rows.column_names.index(name), name, _finite(rows[name], "metrics", name))
        summed = rows.group_by(self.feed.unit).aggregate([(name, "sum") for name in names])
        frame: pd.DataFrame = summed.rename_columns([self.feed.unit, *names]).to_pandas()
        return frame.set_index(self.feed.unit).fillna(0.0)

    def count_requests(self, first: Date, last: Date) -> int:
        """Requests from ``first`` to ``last`` as footers tell it, which may count some of days beside them."""
        return sum(table.rows for _, table in self._tables("requests", first, last))

    def requests(self, day: Date, *, shown: bool, wanted: Wanted | None = None) -> pd.DataFrame | None:
        """Requests of a day: unit, id, arm, context, lists, reward; lists stay Arrow's. None where there is none.

        Args:
            day: The day.
            shown: Whether what was shown and played is read too.
            wanted: Tells by unit and id which are wanted; None: all.

        Raises:
            InputError: A column is missing or of the wrong type, or an id is there twice.
        """
        columns, arm = self.feed.columns, self.feed.arm_column
        lists = [columns.recent_durations, columns.recent_played, columns.candidates]
        lists += [columns.shown_durations, columns.shown_played] if shown else []

        def schema(table: ParquetTable) -> pa.Schema:
            require(table, arm, {"text"}, remedy="write the arm's label as text, or correct arm_column of the feed")
            request = id_type(table, columns.request)
            require_no_null(table, (columns.request,))
            require_numbers(table, (*columns.context, columns.reward))
            for name in lists:
                _require_lists(table, name)
            numbers = dict.fromkeys((*columns.context, columns.reward), pa.float64())
            return pa.schema(
                [
                    self._unit(table),
                    (columns.request, request),
                    (arm, pa.string()),
                    *numbers.items(),
                    *((name, _LIST) for name in lists),
                ]
            )

        rows = self._read("requests", schema, day, day, wanted=wanted)
        if rows is None:
            return None
        frame: pd.DataFrame = rows.to_pandas(types_mapper={_LIST: pd.ArrowDtype(_LIST)}.get)
        _require_one_row("requests", frame, [columns.request])
        return frame

    def _unit(self, table: ParquetTable) -> tuple[str, pa.DataType]:
        """The column of ids and its type, which must be that of the tables opened before."""
        found = id_type(table, self.feed.unit)
        require_no_null(table, (self.feed.unit,))
        self._ids[table.name] = found
        require_same_ids(self._ids, self.feed.unit)
        return self.feed.unit, found

    def _of(self, units: pa.Array | None) -> Wanted | None:
        """Those of some units; None for everybody."""
        unit = self.feed.unit
        return None if units is None else lambda rows: pc.is_in(rows[unit], value_set=units.cast(rows[unit].type))

    def _required(
        self, name: TableName, schema: Schema, first: Date, last: Date, *, wanted: Wanted | None = None
    ) -> pa.Table:
        """What ``_read`` reads.

        Raises:
            InputError: There is nothing.
        """
        rows = self._read(name, schema, first, last, wanted=wanted)
        if rows is None:
            raise InputError(
                f"{name} table: no row from {first} to {last} at {getattr(self.feed.tables, name)}",
                remedy=f"write these days, or correct tables.{name} of the feed",
            )
        return rows

    def _read(
        self, name: TableName, schema: Schema, first: Date, last: Date, *, wanted: Wanted | None = None
    ) -> pa.Table | None:
        """Columns of the rows of some days, the day as ``date`` behind them; None where there is no row.

        Rows that are not wanted are dropped chunk by chunk: a table may be much larger than what is learned from.
        """
        parts: list[pa.Table] = []
        for day, table in self._tables(name, first, last):
            columns = schema(table)
            for pieces in table.chunks(_ROWS):
                rows = self._rows(pieces, columns, table, day, first, last)
                if len(rows):
                    parts.append(rows if wanted is None else rows.filter(wanted(rows)))
        return pa.concat_tables(parts) if parts else None

    def _rows(
        self, pieces: Chunk, columns: pa.Schema, table: ParquetTable, day: Date | None, first: Date, last: Date
    ) -> pa.Table:
        """The rows of a chunk that are of some days; ``day``: that of all of them, None where each tells its own."""
        if day:
            rows = read_pieces(pieces, columns, filesystem=table.filesystem)
            return rows.append_column(DAY, pa.repeat(day, len(rows)).cast(pa.date32()))
        stated = self.feed.date_column
        dated = columns.append(pa.field(stated, pa.date32()))
        rows = read_pieces(pieces, dated, filesystem=table.filesystem, days=(stated, first, last))
        return rows.rename_columns([*columns.names, DAY])

    def _tables(self, name: TableName, first: Date, last: Date) -> Iterator[tuple[Date | None, ParquetTable]]:
        """Files that matter for some days, with the day where the address tells it."""
        address: Uri | None = getattr(self.feed.tables, name)
        if address is None:
            return
        if DATE not in address:
            table = self._whole(name).between(self.feed.date_column, first, last)
            if table.files:
                yield None, table
            return
        for day in _days(first, last):
            uri = address.replace(DATE, str(day))
            if self.storage.list_files(uri, suffix=".parquet", hash_local=False):
                yield day, open_table(self.storage, uri, name, may_be_empty=True)

    def _whole(self, name: TableName) -> ParquetTable:
        if name not in self._opened:
            table = open_table(self.storage, getattr(self.feed.tables, name), name)
            require_days(table, self.feed.date_column)
            self._opened[name] = table
        return self._opened[name]

    @cached_property
    def _opened(self) -> dict[str, ParquetTable]:
        return {}


_FEATURE_REMEDY = "name the features in features of the feed, or write it as numbers, booleans or text"


def _finite(values: pa.ChunkedArray, table: TableName, name: str) -> pa.ChunkedArray:
    """Numbers, missing where they are NaN.

    Raises:
        InputError: One is infinite.
    """
    if infinite := pc.sum(pc.is_inf(values)).as_py():
        raise InputError(
            f"{table} table: column {name!r} is infinite in {infinite} rows", remedy="correct these values"
        )
    return pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)


def _days(first: Date, last: Date) -> Iterator[Date]:
    return (first + timedelta(days=ahead) for ahead in range((last - first).days + 1))


def _require_lists(table: ParquetTable, column: str) -> None:
    """Check that a column holds lists in every file.

    Raises:
        InputError: It is missing, or holds something else.
    """
    remedy = "write a list of seconds for each request, or correct columns of the feed"
    require(table, column, {"other"}, remedy=remedy)
    for file in table.files:
        stored = file.types[column]
        if not (pa.types.is_list(stored) or pa.types.is_large_list(stored)):
            raise InputError(f"{column_of(table, column)} is {stored} in {file.name}", remedy=remedy)


def _require_one_row(table: TableName, rows: pd.DataFrame, key: list[str]) -> None:
    """Check that rows differ in ``key``.

    Raises:
        InputError: Two are alike.
    """
    if (twice := rows.duplicated(key)).any():
        first = rows[twice][key].iloc[0].to_dict()
        told = ", ".join(f"{name} {value!r}" for name, value in first.items())
        raise InputError(f"{table} table: {int(twice.sum())} rows repeat {told}", remedy="write each once")
