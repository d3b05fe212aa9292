"""Which columns are features, and how each is read and written."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from causal_tasks.data.columns import PREFIXES
from causal_tasks.data.contracts import NUMERIC, column_of, in_files, kind_of, require, suggestion, type_name
from causal_tasks.data.tables import ParquetTable
from causal_tasks.errors import InputError
from causal_tasks.experiment import Features
from causal_tasks.rule import Rule

RESERVED_NAMES = frozenset({"unit", "arm", "start", "part", "fold", "cluster"})
"""Column names that ``prepare`` gives to what it makes itself."""

_EXACT_IN_FLOAT32 = (pa.int8(), pa.int16(), pa.uint8(), pa.uint16(), pa.float16(), pa.float32())


@dataclass(frozen=True, slots=True)
class FeatureColumn:
    """One feature.

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


def feature_columns(table: ParquetTable, stated: Features, *, taken: Collection[str]) -> tuple[FeatureColumn, ...]:
    """The features that the experiment uses, in the order of ``features.include`` or else of the table.

    Args:
        table: Holds them.
        stated: Which of its columns are used.
        taken: Columns that are something else.

    Raises:
        InputError: A named column is missing, none is left, or one has a name or a type that no feature can have.
    """
    available = [name for name in table.columns if name not in taken]
    for field, names in (("include", stated.include or ()), ("exclude", stated.exclude)):
        for name in names:
            if name not in available:
                raise InputError(
                    f"{table.name} table: {name!r}, named in features.{field}, is no feature column of it"
                    f"{suggestion(name, available)}",
                    remedy=f"correct features.{field}",
                )
    chosen = [n for n in (stated.include or available) if n not in stated.exclude]
    if stated.include == () or not chosen:
        raise InputError(
            f"{table.name} table: no feature is left of {available}",
            remedy="correct features.include and features.exclude",
        )
    for name in chosen:
        _require_free_name(table, name)
    return tuple(feature_column(table, name) for name in chosen)


_EXCLUDE = "list it under features.exclude, or write it as numbers, booleans or text"


def feature_column(table: ParquetTable, name: str, *, remedy: str = _EXCLUDE) -> FeatureColumn:
    """How one feature is read and written.

    Args:
        table: Holds it.
        name: Of the column.
        remedy: What to do where it is no feature.

    Raises:
        InputError: It is missing in a file, or holds neither numbers nor booleans nor text.
    """
    require(table, name, NUMERIC | {"text"}, remedy=remedy)
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


def eligibility_columns(
    table: ParquetTable, eligible: Rule | None, *, taken: Collection[str] = ()
) -> tuple[FeatureColumn, ...]:
    """The features that the rule ``eligible`` reads.

    Args:
        table: Holds them.
        eligible: The rule; None: everybody is eligible.
        taken: Columns that were not known before exposure.

    Raises:
        InputError: One is missing, or a condition compares a text with a number or the other way round.
    """
    if eligible is None:
        return ()
    for condition in eligible.conditions:
        if not table.has(condition.feature) or condition.feature in taken:
            known = [name for name in table.columns if name not in taken]
            raise InputError(
                f"{table.name} table: the rule in eligible reads {condition.feature!r}, which is no feature column of "
                f"it{suggestion(condition.feature, known)}",
                remedy="correct the rule, or add the column",
            )
        kind = feature_column(table, condition.feature).kind
        if condition.op != "present" and (condition.op == "in") != (kind == "categorical") and condition.value != ():
            raise InputError(
                f"{table.name} table: {condition.feature!r} is {kind}, but the rule in eligible tests it with "
                f"{condition.op!r}",
                remedy="use 'in' for text, '<=' and '>' for numbers",
            )
    return tuple(feature_column(table, name) for name in eligible.features)


def _require_free_name(table: ParquetTable, name: str) -> None:
    prefix = next((p for p in PREFIXES if name.startswith(p)), None)
    if name in RESERVED_NAMES or prefix:
        raise InputError(
            f"{column_of(table, name)} has a reserved {'beginning' if prefix else 'name'}",
            remedy="rename it or list it under features.exclude",
        )


def _raise_mixed(table: ParquetTable, column: str, remedy: str) -> None:
    first = kind_of(table.files[0].types[column])
    odd = [file for file in table.files if kind_of(file.types[column]) not in {first, "empty"}]
    raise InputError(
        f"{column_of(table, column)} is {type_name(table.files[0], column)}, but {type_name(odd[0], column)} in "
        f"{in_files(odd, table)}",
        remedy=remedy,
    )
