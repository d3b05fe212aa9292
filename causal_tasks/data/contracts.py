"""What the three tables must look like, checked on their footers before a row is read."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from causal_tasks.data.columns import PREFIXES
from causal_tasks.data.tables import ParquetFile, ParquetTable
from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment
from causal_tasks.lake import TableName

TABLES: tuple[TableName, ...] = ("assignments", "metrics", "features")

Kind = Literal["integer", "number", "boolean", "text", "date", "timestamp", "empty", "other"]

RESERVED_NAMES = frozenset({"unit", "arm", "start", "part", "fold", "cluster"})
"""Column names that ``prepare`` gives to what it makes itself."""

INTEGER_ID, TEXT_ID = pa.int64(), pa.large_string()
TIME = pa.timestamp("us", tz="UTC")

_IDENTITY_TYPES: Mapping[Kind, pa.DataType] = {
    "integer": pa.int64(),
    "number": pa.float64(),
    "text": pa.large_string(),
    "date": pa.date32(),
    "empty": pa.large_string(),
}
_NUMERIC: frozenset[Kind] = frozenset({"integer", "number", "boolean", "empty"})
_EXACT_IN_FLOAT32 = (pa.int8(), pa.int16(), pa.uint8(), pa.uint16(), pa.float16(), pa.float32())


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


@dataclass(frozen=True, slots=True)
class FeatureColumn:
    """One column of the features table.

    Attributes:
        name: Of the column.
        kind: ``categorical`` for text, else ``numeric``.
        read: Type in which it is read: a float for every numeric kind, so that a missing value needs no mask.
        written: Type in which ``prepare`` writes it.
    """

    name: str
    kind: Literal["numeric", "categorical"]
    read: pa.DataType
    written: pa.DataType


def id_type(table: ParquetTable, column: str) -> pa.DataType:
    """The one type in which a table's ids are read: 64-bit integers or text.

    Raises:
        InputError: The column is missing, is neither, or both.
    """
    remedy = f"write {column!r} as 64-bit integers or as text, in all tables alike"
    _require(table, column, {"integer", "text"}, remedy=remedy)
    kinds = {kind_of(file.types[column]) for file in table.files}
    too_wide = [file for file in table.files if file.types[column] == pa.uint64()]
    if len(kinds) > 1 or too_wide:
        odd = too_wide or [file for file in table.files if kind_of(file.types[column]) == "text"]
        raise InputError(
            f"{_column(table, column)} is {_type_name(odd[0], column)} in {_in_files(odd, table)}", remedy=remedy
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
                f"{_column(table, column)} has no value in {count} of {table.rows} rows",
                remedy="remove those rows or fill in their values",
            )


def assignments_schema(table: ParquetTable, experiment: Experiment) -> pa.Schema:
    """Columns and types in which the assignments table is read.

    Raises:
        InputError: A column is missing or of the wrong type.
    """
    names = experiment.tables
    fields = [(experiment.unit, id_type(table, experiment.unit))]
    _require(table, names.arm_column, {"text"}, remedy="write the arm's label as text, or correct tables.arm_column")
    _require(
        table, names.time_column, {"timestamp"}, remedy="write a timestamp with a zone, or correct tables.time_column"
    )
    _require_zone(table, names.time_column)
    if names.experiment_column is not None:
        _require(
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
    in_files = [file for file in table.files if not file.is_folder_key(column)]
    if in_files:
        _require(table, column, {"date", "timestamp"}, remedy=remedy, among=in_files)
    zoned = [file for file in in_files if getattr(file.types[column], "tz", None)]
    if zoned:
        raise InputError(
            f"{_column(table, column)} is a timestamp with a zone in {_in_files(zoned, table)}", remedy=remedy
        )


def require_numbers(table: ParquetTable, columns: Iterable[str]) -> None:
    """Check that metric columns hold numbers or booleans.

    Raises:
        InputError: One is missing or holds something else.
    """
    for column in columns:
        _require(table, column, _NUMERIC, remedy="cast it to a number, or name another column under metrics")


def identity_schema(table: ParquetTable, read: Iterable[str]) -> pa.Schema:
    """Columns that every file has and that are not read: what else may tell two rows of a unit and day apart."""
    known = {*read}
    names = [n for n in (*table.columns, *table.folder_keys) if n not in known]
    common = [name for name in names if all(name in file.types for file in table.files)]
    return pa.schema([(name, _IDENTITY_TYPES.get(kind_of(t := table.files[0].types[name]), t)) for name in common])


def feature_columns(table: ParquetTable, experiment: Experiment) -> tuple[FeatureColumn, ...]:
    """The features that the experiment uses, in the order of ``features.include`` or else of the table.

    Raises:
        InputError: A named column is missing, none is left, or one has a name or a type that no feature can have.
    """
    stated = experiment.features
    available = [name for name in table.columns if name not in {experiment.unit, experiment.tables.date_column}]
    for field, names in (("include", stated.include or ()), ("exclude", stated.exclude)):
        for name in names:
            if name not in available:
                raise InputError(
                    f"features table: {name!r}, named in features.{field}, is no feature column of it"
                    f"{_meant(name, available)}",
                    remedy=f"correct features.{field}",
                )
    chosen = [n for n in (stated.include or available) if n not in stated.exclude]
    if stated.include == () or not chosen:
        raise InputError(
            f"features table: no feature is left of {available}", remedy="correct features.include and features.exclude"
        )
    for name in chosen:
        _require_free_name(name)
    return tuple(feature_column(table, name) for name in chosen)


def feature_column(table: ParquetTable, name: str) -> FeatureColumn:
    """How one feature is read and written.

    Raises:
        InputError: It is missing in a file, or holds neither numbers nor booleans nor text.
    """
    remedy = "list it under features.exclude, or write it as numbers, booleans or text"
    _require(table, name, _NUMERIC | {"text"}, remedy=remedy)
    types = {file.types[name] for file in table.files}
    kinds = {kind_of(stored) for stored in types} - {"empty"}
    if kinds == {"text"}:
        return FeatureColumn(name, "categorical", pa.large_string(), pa.dictionary(pa.int32(), pa.string()))
    if kinds == {"boolean"}:
        return FeatureColumn(name, "numeric", pa.float32(), pa.int8())
    if not kinds <= {"integer", "number"}:
        _raise_mixed(table, name, remedy)
    narrow = all(stored in _EXACT_IN_FLOAT32 or pa.types.is_null(stored) for stored in types)
    number = pa.float32() if narrow else pa.float64()
    return FeatureColumn(name, "numeric", number, number)


def eligibility_columns(table: ParquetTable, experiment: Experiment) -> tuple[FeatureColumn, ...]:
    """The features that the experiment's ``eligible`` rule reads.

    Raises:
        InputError: One is missing, or a condition compares a text with a number or the other way round.
    """
    if experiment.eligible is None:
        return ()
    for condition in experiment.eligible.conditions:
        if not table.has(condition.feature):
            raise InputError(
                f"features table: the rule in eligible reads {condition.feature!r}, which is no column of it"
                f"{_meant(condition.feature, table.columns)}",
                remedy="correct the rule, or add the column",
            )
        kind = feature_column(table, condition.feature).kind
        if condition.op != "present" and (condition.op == "in") != (kind == "categorical") and condition.value != ():
            raise InputError(
                f"features table: {condition.feature!r} is {kind}, but the rule in eligible tests it with "
                f"{condition.op!r}",
                remedy="use 'in' for text, '<=' and '>' for numbers",
            )
    return tuple(feature_column(table, name) for name in experiment.eligible.features)


def meant_label(found: str, known: Sequence[str]) -> str | None:
    """The known label that differs from ``found`` only in case or white space, or nearly equals it."""
    folded = {label.strip().casefold(): label for label in known}
    if found.strip().casefold() in folded:
        return folded[found.strip().casefold()]
    return next(iter(difflib.get_close_matches(found, known, n=1, cutoff=0.8)), None)


def _require(
    table: ParquetTable,
    column: str,
    kinds: Iterable[Kind],
    *,
    remedy: str,
    among: Sequence[ParquetFile] | None = None,
) -> None:
    files = table.files if among is None else among
    missing = [file for file in files if column not in file.types]
    if missing:
        hint = _meant(column, table.columns) if len(missing) == len(table.files) else ""
        raise InputError(f"{_column(table, column)} is missing in {_in_files(missing, table)}{hint}", remedy=remedy)
    accepted = set(kinds)
    wrong = [file for file in files if kind_of(file.types[column]) not in accepted]
    if wrong:
        raise InputError(
            f"{_column(table, column)} is {_type_name(wrong[0], column)} in {_in_files(wrong, table)}", remedy=remedy
        )


def _require_zone(table: ParquetTable, column: str) -> None:
    naive = [file for file in table.files if getattr(file.types[column], "tz", None) is None]
    if naive:
        raise InputError(
            f"{_column(table, column)} is a timestamp without a zone in {_in_files(naive, table)}",
            remedy="write it with its zone, best in UTC: without one its business day is a guess",
        )


def _require_free_name(name: str) -> None:
    prefix = next((p for p in PREFIXES if name.startswith(p)), None)
    if name in RESERVED_NAMES or prefix:
        raise InputError(
            f"features table: column {name!r} has a reserved {'beginning' if prefix else 'name'}",
            remedy="rename it or list it under features.exclude",
        )


def _raise_mixed(table: ParquetTable, column: str, remedy: str) -> None:
    first = kind_of(table.files[0].types[column])
    odd = [file for file in table.files if kind_of(file.types[column]) not in {first, "empty"}]
    raise InputError(
        f"{_column(table, column)} is {_type_name(table.files[0], column)}, but {_type_name(odd[0], column)} in "
        f"{_in_files(odd, table)}",
        remedy=remedy,
    )


def _column(table: ParquetTable, column: str) -> str:
    return f"{table.name} table: column {column!r}"


def _type_name(file: ParquetFile, column: str) -> str:
    kind = kind_of(file.types[column])
    return kind if kind in {"text", "boolean"} else str(file.types[column])


def _in_files(files: Sequence[ParquetFile], table: ParquetTable) -> str:
    return f"{len(files)} of {len(table.files)} files (first: {files[0].name})"


def _meant(name: str, known: Sequence[str]) -> str:
    meant = meant_label(name, known)
    return f" (did you mean {meant!r}?)" if meant else f" (it has {', '.join(known)})"
