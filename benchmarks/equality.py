"""Tells where two answers differ: engines that disagree must not be timed against each other."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_RELATIVE, _ABSOLUTE = 1e-9, 1e-9
"""Sums of the same numbers in another order."""


def differing_columns(answer: pa.Table, other: pa.Table, *, key: str) -> list[str]:
    """Names of the columns that differ once both answers are sorted by ``key``; all of them where rows are missing.

    Numbers may differ in the last digits. Text may be dictionary-encoded, truth values may be 0 and 1.

    Args:
        answer: Its columns are compared.
        other: Holds at least these columns.
        key: Identifies a row.
    """
    if answer.num_rows != other.num_rows:
        return list(answer.column_names)
    answer, other = (table.take(pc.sort_indices(table[key])) for table in (answer, other))
    return [name for name in answer.column_names if not _equal(answer[name], other[name])]


def _equal(column: pa.ChunkedArray, other: pa.ChunkedArray) -> bool:
    if _is_number(column.type) and _is_number(other.type):
        return np.allclose(_numbers(column), _numbers(other), rtol=_RELATIVE, atol=_ABSOLUTE, equal_nan=True)
    return bool(_text(column).equals(_text(other)))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _numbers(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    values: npt.NDArray[np.float64] = column.cast(pa.float64(), safe=False).fill_null(float("nan")).to_numpy()
    return values


def _text(column: pa.ChunkedArray) -> pa.Array:
    return column.cast(pa.large_string()).combine_chunks()
