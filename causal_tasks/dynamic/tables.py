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
from causal_tasks.data.tables import ParquetTable, Piece, open_table, read_pieces
from causal_tasks.errors import InputError
from causal_tasks.feed import DATE, Feed
from causal_tasks.storage import Storage, Uri

TableName = Literal["users", "assignments", "metrics", "requests"]

DAY = "date"
"""Column of days in what is read, whatever the table calls it."""

EVERYBODY = "all"
"""Segment where the feed names no column of segments."""

MISSING = "missing"
"""Segment of users whose column has no value."""

_ALL = 1 << 62
_LIST = pa.large_list(pa.float64())

Schema = Callable[[ParquetTable], pa.Schema]


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

        rows = self._required("users", schema, day, day).drop_columns([DAY])
        if units is not None:
            rows = rows.filter(pc.is_in(rows[self.feed.unit], value_set=units.cast(rows[self.feed.unit].type)))
        _require_one_row("users", rows.select([self.feed.unit]).to_pandas(), [self.feed.unit])
        return rows

    def features(self, day: Date) -> list[str]:
        """Names of the columns that are learned from, in the order of the feed or else of the users table of a day."""
        if self.feed.features is not None:
            return list(self.feed.features)
        names = {name: None for _, table in self._tables("users", day, day) for name in table.columns}
        return [name for name in names if name not in {self.feed.unit, self.feed.date_column}]

    def sums(self, names: Sequence[str], first: Date, last: Date) -> pd.DataFrame:
        """What each unit's days from ``first`` to ``last`` sum up to, by unit; a missing value counts as zero.

        Raises:
            InputError: A day has no row at all, a column is missing or no number, or a unit has two rows of a day.
        """

        def schema(table: ParquetTable) -> pa.Schema:
            require_numbers(table, names)
            return pa.schema([self._unit(table), *((name, pa.float64()) for name in names)])

        rows = self._required("metrics", schema, first, last)
        there = set(pc.unique(rows[DAY]).to_pylist())
        if missing := [str(day) for day in _days(first, last) if day not in there]:
            raise InputError(
                f"metrics table: no row of {len(missing)} days between {first} and {last} (first: {missing[0]})",
                remedy="write these days, or score the feed when they are there",
            )
        counted = rows.group_by([self.feed.unit, DAY]).aggregate([([], "count_all")])
        if (twice := pc.max(counted["count_all"]).as_py()) > 1:
            raise InputError(
                f"metrics table: a {self.feed.unit} has {twice} rows of one day",
                remedy="write one row per user and day",
            )
        summed = rows.group_by(self.feed.unit).aggregate([(name, "sum") for name in names])
        frame: pd.DataFrame = summed.rename_columns([self.feed.unit, *names]).to_pandas()
        return frame.set_index(self.feed.unit).fillna(0.0)

    def count_requests(self, first: Date, last: Date) -> int:
        """Requests from ``first`` to ``last`` as footers tell it, which may count some of days beside them."""
        return sum(table.rows for _, table in self._tables("requests", first, last))

    def requests(self, day: Date, *, shown: bool) -> pd.DataFrame | None:
        """Requests of a day: unit, id, arm, context, lists, reward; lists stay Arrow's. None where there is none.

        Args:
            day: The day.
            shown: Whether what was shown and played is read too.

        Raises:
            InputError: A column is missing or of the wrong type, or an id is there twice.
        """
        columns, arm = self.feed.columns, self.feed.arm_column
        lists = [columns.recent_durations, columns.recent_played, columns.candidates]
        lists += [columns.shown_durations, columns.shown_played] if shown else []

        def schema(table: ParquetTable) -> pa.Schema:
            require(table, arm, {"text"}, remedy="write the arm's label as text, or correct arm_column of the feed")
            request = id_type(table, columns.request)
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

        rows = self._read("requests", schema, day, day)
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

    def _required(self, name: TableName, schema: Schema, first: Date, last: Date) -> pa.Table:
        """What ``_read`` reads.

        Raises:
            InputError: There is nothing.
        """
        rows = self._read(name, schema, first, last)
        if rows is None:
            raise InputError(
                f"{name} table: no row from {first} to {last} at {getattr(self.feed.tables, name)}",
                remedy=f"write these days, or correct tables.{name} of the feed",
            )
        return rows

    def _read(self, name: TableName, schema: Schema, first: Date, last: Date) -> pa.Table | None:
        """Columns of the rows of some days, the day as ``date`` behind them; None where there is no row."""
        parts: list[pa.Table] = []
        for day, table in self._tables(name, first, last):
            columns = schema(table)
            if day:
                rows = read_pieces(_pieces(table), columns, filesystem=table.filesystem)
                parts.append(rows.append_column(DAY, pa.repeat(day, len(rows)).cast(pa.date32())))
            else:
                stated = self.feed.date_column
                dated = columns.append(pa.field(stated, pa.date32()))
                rows = read_pieces(_pieces(table), dated, filesystem=table.filesystem, days=(stated, first, last))
                parts.append(rows.rename_columns([*columns.names, DAY]))
        found = pa.concat_tables(parts) if parts else None
        return found if found is not None and len(found) else None

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


def as_features(rows: pa.Table, names: Sequence[str]) -> pd.DataFrame:
    """Columns of a table of users as a frame that models learn from: text becomes categories."""
    return pd.DataFrame(
        {
            name: rows[name].to_pandas().astype("category")
            if pa.types.is_large_string(rows[name].type)
            else rows[name].to_numpy()
            for name in names
        },
        index=range(len(rows)),
        copy=False,
    )


def segments_of(rows: pa.Table, feed: Feed) -> NDArray[np.object_]:
    """Segment of each row of a users table, shape (n,)."""
    if feed.segment is None:
        return np.full(len(rows), EVERYBODY, dtype=object)
    values = rows[feed.segment].to_pandas()
    labels = values if pa.types.is_large_string(rows[feed.segment].type) else values.map("{:g}".format)
    return np.where(values.isna(), MISSING, labels).astype(object)


def with_segment(names: list[str], feed: Feed) -> list[str]:
    """Columns of the users table that are read where the segment is wanted beside features."""
    return list(dict.fromkeys([*names, *([feed.segment] if feed.segment else [])]))


def _pieces(table: ParquetTable) -> list[Piece]:
    return [piece for chunk in table.chunks(_ALL) for piece in chunk]


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
