"""A Parquet table of users as models and rules read it: a batch at a time, only the columns that they need."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from causal_tasks.base_models.design import CHUNK_ROWS
from causal_tasks.base_models.features import Features, Level
from causal_tasks.data.contracts import NUMERIC, Kind, column_of, id_type, require, require_no_null
from causal_tasks.data.feature_contracts import eligibility_columns, feature_column
from causal_tasks.data.tables import ParquetFile, ParquetTable, open_table
from causal_tasks.errors import InputError
from causal_tasks.rule import Rule
from causal_tasks.storage import Storage, Uri

_NAME = "scored"

_BUFFER = 1 << 20
"""Bytes of a local column chunk that are read at a time; without it a whole row group would be."""


@dataclass(frozen=True)
class FeatureTable:
    """A table of users, held against what models and rules read of it.

    Attributes:
        table: Its files.
        unit: Column of ids; None: the number of the row.
        features: Of the models.
        types: Columns that are read and their types: of features and rules, and of ids where there are any.
    """

    table: ParquetTable
    unit: str | None
    features: Features
    types: pa.Schema

    @classmethod
    def checked(
        cls, storage: Storage, uri: Uri, features: Features, rules: Sequence[Rule], *, unit: str | None
    ) -> "FeatureTable":
        """The table at ``uri``: a Parquet file, or a folder of Parquet files.

        Args:
            storage: Reads it.
            uri: Where it is.
            features: Of the models.
            rules: That are applied to its rows.
            unit: Column of ids; None: the number of the row.

        Raises:
            InputError: There is no row, a column is missing or of the wrong type, or an id has no value.
        """
        if not storage.list_files(uri, suffix=".parquet", hash_local=False):
            raise InputError(f"no file *.parquet at or under {uri}", remedy="correct the address, or write it there")
        table = open_table(storage, uri, _NAME)
        for name, levels in features.levels.items():
            _require_kind(table, name, levels)
        types = {name: feature_column(table, name).read for name in features.names}
        types |= {column.name: column.read for rule in rules for column in eligibility_columns(table, rule)}
        if unit:
            if unit in types:
                raise InputError(f"{column_of(table, unit)} is a feature, not an id", remedy="name another unit")
            types[unit] = id_type(table, unit, remedy="write ids as 64-bit integers or as text, or name another unit")
            require_no_null(table, (unit,))
        return cls(table, unit, features, pa.schema(list(types.items())))

    @cached_property
    def categorical(self) -> list[str]:
        """Names of the features of the models that are categories."""
        return [name for name, levels in self.features.levels.items() if levels is not None]

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The rows in the order of the table, some :data:`CHUNK_ROWS` at a time, cast to ``types``.

        Args:
            columns: Some of those in ``types``; None: all.

        Raises:
            InputError: A value does not fit the type in which it is read.
        """
        schema = self.types if columns is None else pa.schema([self.types.field(name) for name in columns])
        waiting: list[pa.Table] = []
        for part in (part for file in self.table.files for part in self._parts(file, schema)):
            waiting.append(part)
            # Small row groups and files are put together: every batch costs each model a call.
            if sum(len(part) for part in waiting) >= CHUNK_ROWS:
                yield pa.concat_tables(waiting)
                waiting = []
        if waiting:
            yield pa.concat_tables(waiting)

    def _parts(self, file: ParquetFile, schema: pa.Schema) -> Iterator[pa.Table]:
        stored = [name for name in schema.names if not file.is_folder_key(name)]
        local = self.table.uri.startswith("file://")
        reading = {"buffer_size": _BUFFER, "pre_buffer": False} if local else {"pre_buffer": True}
        with pq.ParquetFile(file.path, filesystem=self.table.filesystem, metadata=file.metadata, **reading) as opened:
            for group in file.row_groups:
                for batch in opened.iter_batches(CHUNK_ROWS, row_groups=[group], columns=stored, use_threads=False):
                    yield _cast(pa.table(batch), file, schema)

    def raw(self, rows: pa.Table) -> pd.DataFrame:
        """The columns of features and rules as a frame; text, and numbers that are levels, become categories."""
        columns = {}
        for name in rows.column_names:
            if name == self.unit:
                continue
            column = rows[name]
            if name in self.categorical or pa.types.is_large_string(column.type):
                columns[name] = pd.Series(column.to_pandas().astype("category"), name=name)
            else:
                columns[name] = pd.Series(column.to_numpy(), name=name)
        return pd.DataFrame(columns, index=range(rows.num_rows), copy=False)

    def known(self, raw: pd.DataFrame) -> pd.DataFrame:
        """The features of the models in ``raw``, levels that they do not know made missing."""
        return self.features.without_new_levels(raw[self.features.names])

    def new_levels(self, raw: pd.DataFrame, known: pd.DataFrame) -> dict[str, pd.Series]:
        """Values by categorical feature that ``known`` has lost, where it has lost any."""
        lost = {name: raw[name][raw[name].notna() & known[name].isna()] for name in self.categorical}
        return {name: values for name, values in lost.items() if len(values)}


def _require_kind(table: ParquetTable, name: str, levels: tuple[Level, ...] | None) -> None:
    """Check that a column is what the model learned from: text or numbers."""
    is_text = levels is not None and all(isinstance(level, str) for level in levels)
    kinds: frozenset[Kind] = frozenset({"text", "empty"}) if is_text else NUMERIC
    require(table, name, kinds, remedy=f"write it as {'text' if is_text else 'numbers'}, as the model learned from it")


def _cast(rows: pa.Table, file: ParquetFile, schema: pa.Schema) -> pa.Table:
    """``rows`` with the columns of ``schema``, those that the file's path tells among them."""
    columns = []
    for field in schema:
        if file.is_folder_key(field.name):
            columns.append(pa.repeat(file.keys[field.name], rows.num_rows).cast(field.type))
            continue
        column = rows[field.name]
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        try:
            columns.append(column.cast(field.type))
        except pa.ArrowInvalid as error:
            raise InputError(
                f"{file.table} table: column {field.name!r} of {file.name} cannot be read as {field.type} ({error})",
                remedy="write numbers that a 64-bit float holds exactly",
            ) from error
    return pa.table(columns, schema=schema)
