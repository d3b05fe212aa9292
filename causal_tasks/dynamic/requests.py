"""Requests as a model reads them: numbers of the moment, what was played last, what could be shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_tasks.dynamic.durations import duration_buckets
from causal_tasks.dynamic.list_columns import Lists, of_requests, read_lists
from causal_tasks.dynamic.ragged import Ragged
from causal_tasks.errors import InputError
from causal_tasks.feed import DurationBuckets, Feed

PLAYS = 3
"""Kinds of plays: short, in between, long."""

SHORT_PLAY, LONG_PLAY = 0, 2

_SHORT_UP_TO = 0.2
_LONG_FROM = 0.8

_LEAVE_OUT = "leave out items without a duration"

_LARGEST = float(np.finfo(np.float32).max)


class RequestFieldError(InputError):
    """A field of one request is wrong.

    Attributes:
        field: As the sender of the request calls it, as in ``context.hour``.
    """

    def __init__(self, field: str, problem: str, *, remedy: str) -> None:
        self.field = field
        super().__init__(f"{field} {problem}", remedy=remedy)


@dataclass(frozen=True, slots=True)
class Requests:
    """What is known of n requests when they come in.

    Attributes:
        context: Shape (n, p), NaN where a number is missing.
        context_names: Of its columns.
        recent: Tokens of the items that the user met last: three times the category of durations, plus 0 for a short
            play (less than 0.2 of the item), 2 for a long one (0.8 or more) and 1 for any between.
        candidates: Tokens of the items that may be shown: the category of durations.
        buckets: Number of categories of durations.
    """

    context: NDArray[np.float32]
    context_names: tuple[str, ...]
    recent: Ragged
    candidates: Ragged
    buckets: int

    def __len__(self) -> int:
        return len(self.context)

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, feed: Feed) -> Self:
        """The requests of a feed's table.

        Args:
            frame: With the columns that ``feed.columns`` names for the context, recent items and candidates; list
                columns are Arrow's or hold a list or array in every cell.
            feed: States columns and categories of durations.

        Raises:
            InputError: A column is missing or no list of numbers, lists that belong together differ in length, a
                duration is not above 0, a played time is below 0, or a number is not finite; a missing number of the
                context is none of these.
        """
        columns = feed.columns
        recent = read_plays(frame, columns.recent_durations, columns.recent_played, feed)
        candidates = read_lists(frame, columns.candidates, feed)
        candidates.require(candidates.values > 0, "durations that are not above 0", _LEAVE_OUT)
        return cls(
            context=_context(frame, feed),
            context_names=columns.context,
            recent=recent,
            candidates=Ragged(candidates.offsets, _tokens(duration_buckets(candidates.values, feed.durations))),
            buckets=len(feed.durations.labels),
        )

    @classmethod
    def of_one(
        cls,
        context: Mapping[str, float | None],
        recent: Sequence[tuple[float, float]],
        candidates: Sequence[float],
        feed: Feed,
    ) -> Self:
        """One request as it comes in.

        Args:
            context: A number, or None where it is not known, for each of ``feed.columns.context``.
            recent: Duration and played time of each item that the user met last, in seconds.
            candidates: Durations of the items that may be shown, in seconds.
            feed: States names of the context and categories of durations.

        Raises:
            RequestFieldError: A name is missing or unknown, or a value is not what ``from_frame`` allows.
        """
        plays = _numbers("recent", recent, shape=(-1, 2))
        durations, played = plays[:, 0], plays[:, 1]
        _require("recent", durations > 0, "a duration that is not above 0")
        _require("recent", played >= 0, "a played time below 0")
        shown = _numbers("candidates", candidates, shape=(-1,))
        _require("candidates", shown > 0, "a duration that is not above 0")
        return cls(
            context=_one_context(context, feed.columns.context),
            context_names=feed.columns.context,
            recent=_one_list(play_tokens(durations, played, feed.durations)),
            candidates=_one_list(_tokens(duration_buckets(shown, feed.durations))),
            buckets=len(feed.durations.labels),
        )

    def take(self, rows: NDArray[np.intp]) -> Self:
        """Some of the requests, in the order of ``rows``."""
        return type(self)(
            self.context[rows], self.context_names, self.recent.take(rows), self.candidates.take(rows), self.buckets
        )

    def between(self, begin: int, end: int) -> Self:
        """Requests ``begin`` up to ``end``, which are not copied."""
        return type(self)(
            self.context[begin:end],
            self.context_names,
            self.recent.between(begin, end),
            self.candidates.between(begin, end),
            self.buckets,
        )


def play_tokens(
    durations: NDArray[np.float64], played: NDArray[np.float64], buckets: DurationBuckets
) -> NDArray[np.int32]:
    """Token of each play, see ``Requests.recent``; both arguments in seconds, of one shape."""
    kind = (played >= _SHORT_UP_TO * durations).astype(np.intp) + (played >= _LONG_FROM * durations)
    return _tokens(duration_buckets(durations, buckets) * PLAYS + kind)


def shown_plays(frame: pd.DataFrame, feed: Feed) -> Ragged:
    """Tokens of what was shown in answer to each request, and how it was played, see ``Requests.recent``.

    Raises:
        InputError: As ``Requests.from_frame``, of the columns of what was shown.
    """
    return read_plays(frame, feed.columns.shown_durations, feed.columns.shown_played, feed)


def read_plays(frame: pd.DataFrame, durations: str, played: str, feed: Feed) -> Ragged:
    """Tokens of the plays in two list columns.

    Args:
        frame: Table of requests.
        durations: Column of items' durations.
        played: Column of played times.
        feed: States categories of durations.

    Raises:
        InputError: See ``Requests.from_frame``.
    """
    seconds, times = read_lists(frame, durations, feed), read_lists(frame, played, feed)
    seconds.require_lengths(times)
    seconds.require(seconds.values > 0, "durations that are not above 0", _LEAVE_OUT)
    times.require(times.values >= 0, "played times below 0", "mend or leave out these plays")
    return Ragged(seconds.offsets, play_tokens(seconds.values, times.values, feed.durations))


def _context(frame: pd.DataFrame, feed: Feed) -> NDArray[np.float32]:
    context = np.empty((len(frame), len(feed.columns.context)), dtype=np.float32)
    for at, name in enumerate(feed.columns.context):
        column = of_requests(frame, name)
        if not pd.api.types.is_numeric_dtype(column.dtype):
            raise InputError(
                f"table requests: column {name!r} is {column.dtype}, not numbers",
                remedy="cast it to a number or take it out of columns.context",
            )
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        own = Lists.of_column(frame, name, values, feed)
        own.require(~(np.abs(values) > _LARGEST), "numbers beyond single precision", "write a missing value instead")
        context[:, at] = values
    return context


def _one_context(context: Mapping[str, float | None], names: tuple[str, ...]) -> NDArray[np.float32]:
    if unknown := sorted(set(context) - set(names)):
        raise RequestFieldError(f"context.{unknown[0]}", "is unknown", remedy=f"send only {list(names)}")
    values = np.empty((1, len(names)), dtype=np.float32)
    for at, name in enumerate(names):
        if name not in context:
            raise RequestFieldError(f"context.{name}", "is missing", remedy="send a number, or null if it is unknown")
        value = context[name]
        if value is None:
            values[0, at] = np.nan
        elif isinstance(value, int | float | np.number) and abs(value) <= _LARGEST:
            values[0, at] = value
        else:
            raise RequestFieldError(
                f"context.{name}", f"is {value!r}, no finite number", remedy="send a number, or null if it is unknown"
            )
    return values


def _numbers(field: str, values: Sequence[object], *, shape: tuple[int, ...]) -> NDArray[np.float64]:
    try:
        found = np.array(values)
    except ValueError:
        # Pairs and single numbers side by side.
        found = np.array(None)
    if found.shape == (0,):
        return np.empty((0, *shape[1:]))
    if found.dtype.kind not in "fiu" or found.ndim != len(shape) or found.shape[1:] != shape[1:]:
        what = "pairs of duration and played time" if len(shape) > 1 else "durations"
        raise RequestFieldError(field, f"is no list of {what}", remedy="send numbers, in seconds")
    numbers = found.astype(np.float64, copy=False)
    _require(field, np.isfinite(numbers), "a number that is not finite")
    return numbers


def _require(field: str, right: NDArray[np.bool_], problem: str) -> None:
    if not right.all():
        raise RequestFieldError(
            f"{field}.{int(np.argwhere(~right)[0][0])}", f"has {problem}", remedy="send seconds, or leave the item out"
        )


def _one_list(tokens: NDArray[np.int32]) -> Ragged:
    return Ragged(np.array([0, len(tokens)], dtype=np.int64), tokens)


def _tokens(positions: NDArray[np.intp]) -> NDArray[np.int32]:
    return positions.astype(np.int32)
