"""What decisions are measured on: held-out users' requests, or their periods where a feed has no table of requests."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date as Date  # noqa: N812 - columns have the name
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from causal_tasks.data.parts import DISCOVERY_BUCKETS, buckets
from causal_tasks.dynamic.day_models import DayModels
from causal_tasks.dynamic.decision import uniform_of
from causal_tasks.dynamic.periods import Drawn, Periods, learned_days
from causal_tasks.dynamic.requests import Requests
from causal_tasks.dynamic.tables import FeedTables
from causal_tasks.dynamic.user_columns import as_features, segments_of, with_segment
from causal_tasks.errors import InputError
from causal_tasks.feed import Feed

_SAMPLE_KEY = "causal_sample_01"
"""Not that of exploration: a sample must not follow which arms were drawn."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class DecisionLog:
    """n requests, or n periods, whose arm was drawn at random, with what was predicted without having seen them.

    Attributes:
        users: Ids, shape (n,).
        bucket: Of the user, shape (n,).
        date: Of the request or the period's first day, shape (n,).
        segment: Of the user, shape (n,).
        arm: Position, 0 for control, shape (n,).
        reward: What the request brought, or the weighted responses of the period, shape (n,).
        preference: Combined response under each arm, shape (n, K + 1).
        interest: Shape (n, K); None: preference alone decides.
        allowed: Shape (n, K).
    """

    users: NDArray[np.generic]
    bucket: NDArray[np.int64]
    date: NDArray[np.datetime64]
    segment: NDArray[np.object_]
    arm: NDArray[np.intp]
    reward: NDArray[np.float64]
    preference: NDArray[np.float32]
    interest: NDArray[np.float64] | None
    allowed: Mask

    def __len__(self) -> int:
        return len(self.users)

    def of(self, part: range) -> "DecisionLog":
        """Those of users in some buckets."""
        rows = np.isin(self.bucket, list(part))
        return DecisionLog(
            self.users[rows],
            self.bucket[rows],
            self.date[rows],
            self.segment[rows],
            self.arm[rows],
            self.reward[rows],
            self.preference[rows],
            None if self.interest is None else self.interest[rows],
            self.allowed[rows],
        )

    @property
    def week(self) -> NDArray[np.str_]:
        """Monday of the week of each row, shape (n,)."""
        # Day 0 of numpy's calendar was a Thursday.
        monday = self.date - (self.date.astype(np.int64) + 3) % 7
        return monday.astype(str)


def requests_by_day(
    tables: FeedTables, date: Date, part: range, *, share: float, shown: bool
) -> Iterator[tuple[Date, pd.DataFrame]]:
    """Sampled requests of some users, one of the days before ``date`` at a time.

    The sample is drawn by a hash of request ids.

    Args:
        tables: Of the feed.
        date: The day that is scored.
        part: Buckets of users.
        share: Of requests that are read, see ``sampled_share``.
        shown: See ``FeedTables.requests``.
    """
    feed = tables.feed
    first, _ = learned_days(feed, date)

    def wanted(rows: pa.Table) -> Mask:
        kept: Mask = np.isin(buckets(rows[feed.unit].to_pandas(), feed.feed_id), list(part))
        if share < 1:
            kept &= uniform_of(rows[feed.columns.request].to_pylist(), key=_SAMPLE_KEY) < share
        return kept

    for ahead in range(feed.learning.days):
        day = first + timedelta(days=ahead)
        rows = tables.requests(day, shown=shown, wanted=wanted)
        if rows is not None and len(rows):
            yield day, rows


def sampled_share(tables: FeedTables, date: Date) -> float:
    """Share of requests that are read, so that at most ``learning.requests`` of all users remain.

    Raises:
        InputError: There is no request.
    """
    first, last = learned_days(tables.feed, date)
    rows = tables.count_requests(first, last)
    if not rows:
        raise InputError(
            f"requests table: no row from {first} to {last} at {tables.feed.tables.requests}",
            remedy="write these days, or leave tables.requests of the feed out: then preference alone decides",
        )
    return min(1.0, tables.feed.learning.requests / rows)


def log_of_requests(
    tables: FeedTables, drawn: Drawn, date: Date, models: DayModels
) -> tuple[DecisionLog, dict[str, int | float]]:
    """Requests of held-out users whose arm was drawn, with predictions from the features of that morning.

    Returns:
        The log, and counts: ``read`` requests, of which ``not_drawn`` are of users for whom no arm was drawn,
        ``crossed`` have another arm than was, and ``unknown_users`` had no row in the users table.

    Raises:
        InputError: No request is left, or as for ``FeedTables``.
    """
    held_out = range(DISCOVERY_BUCKETS, 1000)
    counts: dict[str, int | float] = dict.fromkeys(("read", "not_drawn", "crossed", "unknown_users"), 0)
    share = counts["sampled_share"] = sampled_share(tables, date)
    parts = []
    for day, requests in requests_by_day(tables, date, held_out, share=share, shown=False):
        under = drawn.under(requests[tables.feed.unit], day)
        none = pd.isna(under)
        as_drawn = ~none & (under == requests[tables.feed.arm_column].to_numpy(dtype=object))
        counts["read"] += len(requests)
        counts["not_drawn"] += int(none.sum())
        counts["crossed"] += int((~none & ~as_drawn).sum())
        found, unknown = _log_of_day(tables, day, requests[as_drawn].reset_index(drop=True), models)
        counts["unknown_users"] += unknown
        if found is not None:
            parts.append(found)
    if not parts:
        raise InputError(
            f"requests table: of {counts['read']:,} requests of held-out users before {date} none has the arm that was "
            "drawn for its user",
            remedy=f"write the drawn arm into column {tables.feed.arm_column!r} of the requests of users who explore",
        )
    return _together(parts), counts


def log_of_periods(feed: Feed, periods: Periods, models: DayModels) -> DecisionLog:
    """Periods of held-out users, worth their weighted responses; those of which one is not over are left out."""
    weighted = [response for response in feed.responses if response.weight]
    reward = np.sum([response.weight * periods.outcomes[response.key] for response in weighted], axis=0)
    rows = np.isfinite(reward)
    kept = periods.of(rows)
    predicted = models.predicted(kept.X)
    return DecisionLog(
        users=kept.users.to_numpy(),
        bucket=buckets(kept.users, feed.feed_id),
        date=kept.date,
        segment=kept.segment,
        arm=positions(kept.arm, feed),
        reward=reward[rows],
        preference=predicted.combined,
        interest=None,
        allowed=predicted.allowed,
    )


def positions(arms: NDArray[np.object_], feed: Feed) -> NDArray[np.intp]:
    """Position of each arm among the feed's, shape (n,)."""
    return pd.Index(feed.arms).get_indexer(pd.Index(arms)).astype(np.intp)


def _log_of_day(
    tables: FeedTables, day: Date, requests: pd.DataFrame, models: DayModels
) -> tuple[DecisionLog | None, int]:
    """The log of one day's requests, and how many of them are of users without features; no log where all are."""
    feed = tables.feed
    if not len(requests):
        return None, 0
    wanted = pa.array(requests[feed.unit].unique())
    users = tables.users(day, with_segment(models.features, feed), units=wanted)
    place = requests[feed.unit].map(pd.Series(np.arange(len(users)), index=users[feed.unit].to_pandas()))
    unknown = int(place.isna().sum())
    kept = requests[place.notna()].reset_index(drop=True)
    if not len(kept):
        return None, unknown
    of_user = place.dropna().to_numpy(dtype=np.intp)
    predicted = models.predicted(as_features(users, models.features))
    interest = models.interest.predict(Requests.from_frame(kept, feed)) if models.interest else None
    return (
        DecisionLog(
            users=kept[feed.unit].to_numpy(),
            bucket=buckets(kept[feed.unit], feed.feed_id),
            date=np.full(len(kept), np.datetime64(day, "D")),
            segment=segments_of(users, feed)[of_user],
            arm=positions(kept[feed.arm_column].to_numpy(dtype=object), feed),
            reward=_rewards(kept, feed),
            preference=predicted.combined[of_user],
            interest=interest,
            allowed=predicted.allowed[of_user],
        ),
        unknown,
    )


def _rewards(requests: pd.DataFrame, feed: Feed) -> NDArray[np.float64]:
    rewards = requests[feed.columns.reward].to_numpy(dtype=np.float64)
    if wrong := int((~np.isfinite(rewards)).sum()):
        raise InputError(
            f"requests table: column {feed.columns.reward!r} has no finite value in {wrong} of {len(rewards)} requests",
            remedy="write what each request brought, 0 where it brought nothing",
        )
    return rewards


def _together(parts: list[DecisionLog]) -> DecisionLog:
    def joined(name: str) -> Any:
        values = [getattr(part, name) for part in parts]
        return None if values[0] is None else np.concatenate(values)

    return DecisionLog(**{name: joined(name) for name in DecisionLog.__dataclass_fields__})
