"""Columns of the table of requests, with errors that name the column and the first request that is wrong."""

from dataclasses import dataclass
from typing import Any, NoReturn, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from causal_tasks.errors import InputError
from causal_tasks.feed import Feed

_LISTS = pa.list_(pa.float64())
_REMEDY = "write lists of seconds"


@dataclass(frozen=True, slots=True)
class Lists:
    """Numbers of n requests, a list of each.

    Attributes:
        column: Where they are from.
        offsets: Shape (n + 1,): the numbers of request i are ``values[offsets[i]:offsets[i + 1]]``.
        values: Finite where they were read by ``read_lists``.
        names: Of the requests, in errors, shape (n,).
    """

    column: str
    offsets: NDArray[np.int64]
    values: NDArray[np.float64]
    names: "pd.Series[Any]"

    @classmethod
    def of_column(cls, frame: pd.DataFrame, column: str, values: NDArray[np.float64], feed: Feed) -> Self:
        """A column with one number for each request, as lists of one."""
        return cls(column, np.arange(len(frame) + 1), values, _names(frame, feed))

    def require(self, right: NDArray[np.bool_], problem: str, remedy: str) -> None:
        """Check values.

        Args:
            right: Which of them are as they should be.
            problem: What the others are called.
            remedy: What to do about them.

        Raises:
            InputError: Some are wrong.
        """
        if right.all():
            return
        wrong = np.flatnonzero(~right)
        self._refuse(
            f"has {len(wrong):,} {problem}", int(np.searchsorted(self.offsets, wrong[0], side="right")) - 1, remedy
        )

    def require_lengths(self, other: "Lists") -> None:
        """Check that every list is as long as that of another column.

        Raises:
            InputError: One is not.
        """
        differ = np.flatnonzero(np.diff(self.offsets) != np.diff(other.offsets))
        if len(differ):
            self._refuse(
                f"and column {other.column!r} have lists of different lengths in {len(differ):,} requests",
                int(differ[0]),
                "write one number into each for every item",
            )

    def _refuse(self, problem: str, position: int, remedy: str) -> None:
        _refuse(self.column, problem, self.names.iloc[position], remedy)


def read_lists(frame: pd.DataFrame, column: str, feed: Feed) -> Lists:
    """A list column of the table of requests.

    Args:
        frame: Table of requests.
        column: Holds lists of numbers: Arrow's, or a list or array in every cell.
        feed: States the column of requests' ids, by which errors name them where the table has it.

    Raises:
        InputError: The column is missing, a cell is no list of numbers, or a number is missing or not finite.
    """
    names = _names(frame, feed)
    array = _arrow_lists(of_requests(frame, column), column, names)
    lengths = pc.list_value_length(array)
    if lengths.null_count:
        first = int(np.flatnonzero(pc.is_null(lengths).to_numpy(zero_copy_only=False))[0])
        _refuse(column, f"has {lengths.null_count:,} missing lists", names.iloc[first], "write an empty list instead")
    offsets = np.zeros(len(frame) + 1, dtype=np.int64)
    np.cumsum(lengths.to_numpy(zero_copy_only=False), out=offsets[1:])
    # A missing number becomes NaN, which is refused with the other numbers that are not finite.
    values = array.flatten().cast(pa.float64()).to_numpy(zero_copy_only=False)
    lists = Lists(column, offsets, values, names)
    lists.require(np.isfinite(values), "numbers that are missing or not finite", "leave out these items")
    return lists


def of_requests(frame: pd.DataFrame, column: str) -> "pd.Series[Any]":
    """A column of the table of requests.

    Raises:
        InputError: There is none of this name.
    """
    if column not in frame.columns:
        raise InputError(
            f"table requests: there is no column {column!r}",
            remedy="add it, or name the right one in the feed's columns",
        )
    return frame[column]


def _arrow_lists(cells: "pd.Series[Any]", column: str, names: "pd.Series[Any]") -> Any:
    if isinstance(cells.dtype, pd.ArrowDtype):
        array = pa.array(cells)
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks()
    elif cells.dtype == object:
        try:
            array = pa.array(cells, type=_LISTS)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            wrong = next(at for at, cell in enumerate(cells) if not _is_list_of_numbers(cell))
            _refuse(column, f"holds {cells.iloc[wrong]!r}, no list of numbers", names.iloc[wrong], _REMEDY)
    else:
        array = None
    if array is None or not _holds_numbers(array.type):
        raise InputError(f"table requests: column {column!r} is {cells.dtype}, not lists of numbers", remedy=_REMEDY)
    return array


def _is_list_of_numbers(cell: object) -> bool:
    try:
        pa.array([cell], type=_LISTS)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return False
    return True


def _holds_numbers(kind: Any) -> bool:
    types = pa.types
    if not (types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)):
        return False
    # A file in which every list is empty may know no type.
    return bool(
        types.is_integer(kind.value_type) or types.is_floating(kind.value_type) or types.is_null(kind.value_type)
    )


def _names(frame: pd.DataFrame, feed: Feed) -> "pd.Series[Any]":
    """Ids of requests, or where the table has none their positions."""
    column = feed.columns.request
    return frame[column] if column in frame.columns else pd.Series(range(len(frame)))


def _refuse(column: str, problem: str, request: object, remedy: str) -> NoReturn:
    raise InputError(f"table requests: column {column!r} {problem} (first: request {request})", remedy=remedy)
