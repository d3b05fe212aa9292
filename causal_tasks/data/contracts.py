"""What tables must look like, checked on their footers before a row is read."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import pyarrow as pa

from causal_tasks.data.tables import ParquetFile, ParquetTable
from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment

Kind = Literal["integer", "number", "boolean", "text", "date", "timestamp", "empty", "other"]

INTEGER_ID, TEXT_ID = pa.int64(), pa.large_string()
TIME = pa.timestamp("us", tz="UTC")

_IDENTITY_TYPES: Mapping[Kind, pa.DataType] = {
    "integer": pa.int64(),
    "number": pa.float64(),
    "text": pa.large_string(),
    "date": pa.date32(),
    "empty": pa.large_string(),
}
NUMERIC: frozenset[Kind] = frozenset({"integer", "number", "boolean", "empty"})
"""Kinds that are read as numbers."""


def kind_of(stored: pa.DataType) -> Kind:
    """What a stored type means here."""
    kinds: tuple[tuple[Kind, bool], ...] = (
        ("boolean", pa.types.is_boolean(stored)),
        ("integer", pa.types.is_integer(stored)),
        ("number", pa.types.is_floating(stored) or pa.types.is_decimal(stored)),
        ("text", pa.types.is_string(stored) or pa.types.is_large_string(stored) or pa.types.is_string_view(stored)),
        ("date", pa.types.is_date(stored)),
        ("timestamp", pa.types.is_timestamp(stored)),
        ("empty", pa.types.is_null(stored)),
    )
    if pa.types.is_dictionary(stored):
        return kind_of(stored.value_type)
    return next((kind for kind, holds in kinds if holds), "other")


def id_type(table: ParquetTable, column: str, *, remedy: str = "") -> pa.DataType:
    """The one type in which a table's ids are read: 64-bit integers or text.

    Raises:
        InputError: The column is missing, is neither, or both.
    """
    remedy = remedy or f"write {column!r} as 64-bit integers or as text, in all tables alike"
    require(table, column, {"integer", "text"}, remedy=remedy)
    kinds = {kind_of(file.types[column]) for file in table.files}
    too_wide = [file for file in table.files if file.types[column] == pa.uint64()]
    if len(kinds) > 1 or too_wide:
        odd = too_wide or [file for file in table.files if kind_of(file.types[column]) == "text"]
        raise InputError(
            f"{column_of(table, column)} is {type_name(odd[0], column)} in {in_files(odd, table)}", remedy=remedy
        )
    return INTEGER_ID if kinds == {"integer"} else TEXT_ID


def require_same_ids(types: Mapping[str, pa.DataType], column: str) -> None:
    """Check that ids have one type in all tables; an integer never equals a text.

    Args:
        types: Type of the id column by table.
        column: Its name.

    Raises:
        InputError: They differ.
    """
    if len(set(types.values())) > 1:
        found = ", ".join(f"{'text' if t == TEXT_ID else 'integer'} in {name}" for name, t in types.items())
        raise InputError(
            f"column {column!r} is {found}", remedy="write it with one type in all tables; ids of two types never match"
        )


def require_no_null(table: ParquetTable, columns: Iterable[str]) -> None:
    """Check that columns have a value in every row that matters.

    Raises:
        InputError: One has not.
    """
    for column in columns:
        if count := table.null_count(column):
            raise InputError(
                f"{column_of(table, column)} has no value in {count} of {table.rows} rows",
                remedy="remove those rows or fill in their values",
            )


def assignments_schema(table: ParquetTable, experiment: Experiment) -> pa.Schema:
    """Columns and types in which the assignments table is read.

    Raises:
        InputError: A column is missing or of the wrong type.
    """
    names = experiment.tables
    fields = [(experiment.unit, id_type(table, experiment.unit))]
    require(table, names.arm_column, {"text"}, remedy="write the arm's label as text, or correct tables.arm_column")
    require(
        table, names.time_column, {"timestamp"}, remedy="write a timestamp with a zone, or correct tables.time_column"
    )
    _require_zone(table, names.time_column)
    if names.experiment_column is not None:
        require(
            table,
            names.experiment_column,
            {"text"},
            remedy="write the experiment id as text; set tables.experiment_column to null if the table holds only one",
        )
    fields += [(names.arm_column, pa.string()), (names.time_column, TIME)]
    if experiment.cluster:
        fields.append((experiment.cluster, id_type(table, experiment.cluster)))
    return pa.schema(fields)


def require_days(table: ParquetTable, column: str) -> None:
    """Check that a column holds business days.

    Raises:
        InputError: It is missing, is text, or holds times with a zone.
    """
    remedy = "write the business day as a date, or correct tables.date_column"
    holding = [file for file in table.files if not file.is_folder_key(column)]
    if holding:
        require(table, column, {"date", "timestamp"}, remedy=remedy, among=holding)
    zoned = [file for file in holding if getattr(file.types[column], "tz", None)]
    if zoned:
        raise InputError(
            f"{column_of(table, column)} is a timestamp with a zone in {in_files(zoned, table)}", remedy=remedy
        )


def require_numbers(table: ParquetTable, columns: Iterable[str]) -> None:
    """Check that metric columns hold numbers or booleans.

    Raises:
        InputError: One is missing or holds something else.
    """
    for column in columns:
        require(table, column, NUMERIC, remedy="cast it to a number, or name another column under metrics")


def identity_schema(table: ParquetTable, read: Iterable[str]) -> pa.Schema:
    """Columns that every file has and that are not read: what else may tell two rows of a unit and day apart."""
    known = {*read}
    names = [n for n in (*table.columns, *table.folder_keys) if n not in known]
    common = [name for name in names if all(name in file.types for file in table.files)]
    return pa.schema([(name, _IDENTITY_TYPES.get(kind_of(t := table.files[0].types[name]), t)) for name in common])


def meant_label(found: str, known: Sequence[str]) -> str | None:
    """The known label that differs from ``found`` only in case or white space, or nearly equals it."""
    folded = {label.strip().casefold(): label for label in known}
    if found.strip().casefold() in folded:
        return folded[found.strip().casefold()]
    return next(iter(difflib.get_close_matches(found, known, n=1, cutoff=0.8)), None)


def require(
    table: ParquetTable,
    column: str,
    kinds: Iterable[Kind],
    *,
    remedy: str,
    among: Sequence[ParquetFile] | None = None,
) -> None:
    """Check that a column is there and of one of some kinds in every file.

    Args:
        table: The table.
        column: The column.
        kinds: What it may be.
        remedy: What to do where it is not.
        among: The files that must have it; None: all.

    Raises:
        InputError: It is missing or of another kind.
    """
    files = table.files if among is None else among
    missing = [file for file in files if column not in file.types]
    if missing:
        hint = suggestion(column, table.columns) if len(missing) == len(table.files) else ""
        raise InputError(f"{column_of(table, column)} is missing in {in_files(missing, table)}{hint}", remedy=remedy)
    accepted = set(kinds)
    wrong = [file for file in files if kind_of(file.types[column]) not in accepted]
    if wrong:
        raise InputError(
            f"{column_of(table, column)} is {type_name(wrong[0], column)} in {in_files(wrong, table)}", remedy=remedy
        )


def _require_zone(table: ParquetTable, column: str) -> None:
    naive = [file for file in table.files if getattr(file.types[column], "tz", None) is None]
    if naive:
        raise InputError(
            f"{column_of(table, column)} is a timestamp without a zone in {in_files(naive, table)}",
            remedy="write it with its zone, best in UTC: without one its business day is a guess",
        )


def column_of(table: ParquetTable, column: str) -> str:
    """Table and column as messages name them."""
    return f"{table.name} table: column {column!r}"


def type_name(file: ParquetFile, column: str) -> str:
    """A column's type as messages name it."""
    kind = kind_of(file.types[column])
    return kind if kind in {"text", "boolean"} else str(file.types[column])


def in_files(files: Sequence[ParquetFile], table: ParquetTable) -> str:
    """How many of a table's files, and the first of them, as messages name them."""
    return f"{len(files)} of {len(table.files)} files (first: {files[0].name})"


def suggestion(name: str, known: Sequence[str]) -> str:
    """The known name that was probably meant, else all of them, to be put behind an unknown one."""
    meant = meant_label(name, known)
    return f" (did you mean {meant!r}?)" if meant else f" (it has {', '.join(known)})"
