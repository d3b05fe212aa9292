"""Users of a table as models take them, a batch at a time, and the schema of what is written about them."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from causal_tasks.errors import InputError
from causal_tasks.uplift.feature_table import FeatureTable

Progress = Callable[[int, int], None]
"""Called with rows done and rows of the table."""

NewLevels = Literal["error", "missing"]
"""What a categorical value is that the models do not know: an error, or missing."""

_SHOWN = 3
"""Values that an error lists."""


@dataclass(frozen=True, slots=True)
class UserBatch:
    """Some users of a table, n of them.

    Attributes:
        ids: Shape (n,), numbers of rows where the table has no ids.
        raw: Columns of models and rules as they are in the table.
        known: Features of the models, levels that they do not know made missing.
    """

    ids: pa.Array | pa.ChunkedArray
    raw: pd.DataFrame
    known: pd.DataFrame


def user_batches(
    table: FeatureTable, *, new_levels: NewLevels, lost: Counter[str], progress: Progress | None = None
) -> Iterator[UserBatch]:
    """The users of a table, in its order.

    Args:
        table: Users, with the features of the models.
        new_levels: What becomes of categorical values that the models do not know.
        lost: Counts rows by feature with such a value.
        progress: Called after every batch has been used.

    Raises:
        InputError: A value does not fit, or is new where that is an error.
    """
    begin = 0
    for batch in table.batches():
        raw = table.raw(batch)
        known = table.known(raw)
        new = table.new_levels(raw, known)
        if new and new_levels == "error":
            raise _unknown_levels(table)
        lost.update({name: len(values) for name, values in new.items()})
        end = begin + len(batch)
        yield UserBatch(batch[table.unit] if table.unit else pa.array(np.arange(begin, end)), raw, known)
        begin = end
        if progress:
            progress(end, table.table.rows)


def written_schema(
    table: FeatureTable, unit: str, columns: Sequence[tuple[str, pa.DataType]], about: Mapping[str, Any]
) -> pa.Schema:
    """The schema of a file with one row for each user: the ids, then what is said of them.

    Args:
        table: Whose users they are.
        unit: Name of the column of ids.
        columns: Names and types of the others.
        about: Metadata by key, written as JSON.

    Raises:
        InputError: One of the others has the name of the ids.
    """
    if unit in {name for name, _ in columns}:
        raise InputError(f"the column of ids {unit!r} is named like a result", remedy="rename it, or name another unit")
    ids = table.types.field(table.unit).type if table.unit else pa.int64()
    fields = [(unit, pa.string() if pa.types.is_large_string(ids) else ids), *columns]
    return pa.schema(fields, {key: json.dumps(value, ensure_ascii=False) for key, value in about.items()})


def _unknown_levels(table: FeatureTable) -> InputError:
    """What to say of all values in the table that the models do not know; it reads the table once more."""
    rows, values = Counter[str](), dict[str, Counter[object]]()
    for batch in table.batches(table.categorical):
        raw = table.raw(batch)
        for name, new in table.new_levels(raw, table.features.without_new_levels(raw)).items():
            rows[name] += len(new)
            seen = values.setdefault(name, Counter())
            for value, count in new.astype(object).value_counts().items():
                # A column of ids has as many values as rows.
                if value in seen or len(seen) <= _SHOWN:
                    seen[value] += count
    found = "; ".join(
        f"column {name!r} holds values that the model has not learned from in {rows[name]:,} of {table.table.rows:,} "
        f"rows: {_shown(values[name])}"
        for name in rows
    )
    return InputError(
        f"{table.table.name} table: {found}",
        remedy="correct them, learn anew with users who have them, or let them count as missing: new_levels='missing' "
        "(--new-levels missing)",
    )


def _shown(values: Counter[object]) -> str:
    shown = [f"{value!r} ({count:,} rows)" for value, count in values.most_common(_SHOWN)]
    return ", ".join([*shown, "…"] if len(values) > _SHOWN else shown)
