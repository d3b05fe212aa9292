"""Which users of a table fulfil a rule, by the newest row of each: streamed, so that memory does not grow with rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from causal_tasks.data.contracts import id_type, require_days, require_no_null
from causal_tasks.data.feature_contracts import eligibility_columns
from causal_tasks.data.plan import feature_days
from causal_tasks.data.rows import known_values
from causal_tasks.data.tables import Chunk, ParquetTable, read_pieces
from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment
from causal_tasks.rule import Rule

_CHUNK_ROWS = 1_000_000
_ROW_BITS = 40
"""A day takes the 23 bits above, which is more than a calendar has, and 2^40 rows are more than a table has."""

UNIT, _KEY = "unit", "key"


class Members(NamedTuple):
    """Members among the users of one slice.

    Attributes:
        ids: Of the users who fulfil the rule, ascending, int64 or large_string.
        users: How many users the slice has.
    """

    ids: pa.Array
    users: int


@dataclass(frozen=True)
class UserRows:
    """A table of what is known about users, and which of its rows count.

    Attributes:
        table: The table.
        unit: Column of ids; None: the number of the row.
        types: Columns that are read and their types: of the rule, and id and date where there are any.
        features: Those of the rule.
        days: Column of days, first and last day that counts; None: the table has no days.
    """

    table: ParquetTable
    unit: str | None
    types: pa.Schema
    features: pa.Schema
    days: tuple[str, date, date] | None

    @classmethod
    def of_features(cls, table: ParquetTable, experiment: Experiment, rule: Rule, *, as_of: date | None) -> "UserRows":
        """The features table as a join would read it for users first exposed right after ``as_of``.

        Args:
            table: The features table.
            experiment: Names its columns, and says how old a row may be.
            rule: Which features are read.
            as_of: Last day that counts; None: the newest day in the table. A table without days accepts None only.

        Raises:
            InputError: A column is missing or of the wrong type, an id or a day has no value, no row is that new and
                not too old, or the table has no days.
        """
        unit, column = experiment.unit, experiment.tables.date_column
        ids = id_type(table, unit)
        if not table.has(column):
            _refuse_day(table, as_of)
            return cls._checked(table, unit, ids, rule, taken={unit})
        require_days(table, column)
        require_no_null(table, (column,))
        last = as_of or table.last_day(column)
        first = last - timedelta(days=feature_days(experiment).span - 1)
        recent = table.between(column, first, last)
        if not recent.rows:
            raise InputError(
                f"features table: no row from {first} to {last}, the newest is of {table.last_day(column)}",
                remedy="choose another day, or write the rows",
            )
        return cls._checked(recent, unit, ids, rule, taken={unit, column}, days=(column, first, last))

    @classmethod
    def of_dataset(cls, table: ParquetTable, experiment: Experiment, rule: Rule, *, as_of: date | None) -> "UserRows":
        """The rows of a dataset; arguments and errors are those of ``of_features``."""
        _refuse_day(table, as_of)
        dataset = experiment.dataset
        unit = None if dataset and dataset.row_numbers else experiment.unit
        taken = {experiment.unit, *(column for metric in experiment.metrics for column in metric.columns)}
        return cls._checked(table, unit, id_type(table, unit) if unit else pa.int64(), rule, taken=taken)

    @classmethod
    def _checked(
        cls,
        table: ParquetTable,
        unit: str | None,
        ids: pa.DataType,
        rule: Rule,
        *,
        taken: set[str],
        days: tuple[str, date, date] | None = None,
    ) -> "UserRows":
        features = pa.schema([(f.name, f.read) for f in eligibility_columns(table, rule, taken=taken)])
        types = {field.name: field.type for field in features}
        if unit:
            require_no_null(table, (unit,))
            types[unit] = ids
        if days:
            types[days[0]] = pa.date32()
        return cls(table, unit, pa.schema(list(types.items())), features, days)

    def members(self, rule: Rule, *, slices: int) -> Iterator[Members]:
        """Who fulfils the rule by the newest row; of several on its day, by the one that comes first in the table.

        Args:
            rule: On the features of these rows.
            slices: Hash ranges of ids that are gone through one after the other, each with a scan of the table. At a
                time the ids of one range and about a million rows are in memory.

        Yields:
            The members of each range.

        Raises:
            InputError: A value is infinite or does not fit its column's type.
        """
        for number in range(slices):
            newest = self._newest(rule, number, slices)
            inside = pc.equal(pc.bit_wise_and(newest[_KEY], 1), 1)
            ids = newest[UNIT].filter(inside).combine_chunks()
            yield Members(ids.take(pc.array_sort_indices(ids)), newest.num_rows)

    def _newest(self, rule: Rule, number: int, slices: int) -> pa.Table:
        """Every id of a range with the largest of its rows' keys, see ``_keyed``."""
        newest: pa.Table | None = None
        waiting: list[pa.Table] = []
        first = 0
        for chunk in self.table.chunks(_CHUNK_ROWS):
            rows = read_pieces(chunk, self.types, filesystem=self.table.filesystem, days=self.days)
            keyed = self._keyed(rows, chunk, rule, first)
            waiting.append(_largest_key(keyed if slices == 1 else keyed.filter(_in_range(keyed[UNIT], number, slices))))
            first += rows.num_rows
            # Merged when as much has come as is there, so that every row is merged a few times, whatever the table has.
            if sum(part.num_rows for part in waiting) >= max(_CHUNK_ROWS, newest.num_rows if newest else 0):
                newest, waiting = _merged(newest, waiting), []
        return _merged(newest, waiting)

    def _keyed(self, rows: pa.Table, chunk: Chunk, rule: Rule, first: int) -> pa.Table:
        """Ids, each with an integer: the larger, the newer its row, then the earlier; its last bit says inside."""
        values = known_values(rows, self.features, table=self.table.name, chunk=chunk)
        frame = pa.table(values).to_pandas() if values else pd.DataFrame(index=range(rows.num_rows))
        inside = np.asarray(rule.mask(frame), dtype=np.int64)
        number = np.arange(first, first + rows.num_rows)
        day = rows[self.days[0]].cast(pa.int32()).to_numpy().astype(np.int64) if self.days else 0
        key = (((day << _ROW_BITS) + (1 << _ROW_BITS) - 1 - number) << 1) | inside
        return pa.table({UNIT: rows[self.unit] if self.unit else pa.array(number), _KEY: pa.array(key)})


def _refuse_day(table: ParquetTable, as_of: date | None) -> None:
    if as_of is not None:
        raise InputError(f"{table.name} table: it has no days, so none can be chosen", remedy="leave out the day")


def _in_range(ids: pa.ChunkedArray, number: int, slices: int) -> pa.Array:
    """Whether the hash of each id falls into a range."""
    hashes: npt.NDArray[np.uint64] = pd.util.hash_array(ids.to_pandas().to_numpy(), categorize=False)
    return pa.array(hashes % np.uint64(slices) == number)


def _largest_key(keyed: pa.Table) -> pa.Table:
    grouped: Any = keyed.group_by(UNIT).aggregate([(_KEY, "max")])
    return pa.table({UNIT: grouped[UNIT], _KEY: grouped[f"{_KEY}_max"]})


def _merged(newest: pa.Table | None, parts: list[pa.Table]) -> pa.Table:
    return _largest_key(pa.concat_tables([*([newest] if newest else []), *parts]))
