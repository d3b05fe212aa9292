"""Users' periods under a drawn arm: features at the beginning, arm, and what the period brought."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date as Date  # noqa: N812 - columns have the name
from datetime import timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from causal_tasks.data.parts import DISCOVERY_BUCKETS, buckets
from causal_tasks.dynamic.tables import DAY, FeedTables
from causal_tasks.dynamic.user_columns import as_features, of_several_mornings, segments_of, with_segment
from causal_tasks.errors import InputError
from causal_tasks.feed import Feed

LEARN = range(DISCOVERY_BUCKETS)
"""Buckets of users whom models are learned from."""

CHOOSE = range(DISCOVERY_BUCKETS, 800)
"""Buckets of users on whom thresholds are chosen."""

MEASURE = range(800, 1000)
"""Buckets of users on whom everything is measured that is told."""


@dataclass(frozen=True)
class Drawn:
    """Which arms were drawn for whom, on which days.

    Attributes:
        frame: A row per draw: the unit, ``date``, the arm; sorted by unit and day.
        feed: Names the columns.
    """

    frame: pd.DataFrame
    feed: Feed

    @classmethod
    def read(cls, tables: FeedTables, date: Date) -> "Drawn":
        """Draws of the days before ``date`` that the feed learns from.

        Raises:
            InputError: There is none, or as for ``FeedTables.assignments``.
        """
        feed = tables.feed
        first, last = learned_days(feed, date)
        drawn = tables.assignments(first, last).sort_values([feed.unit, DAY], ignore_index=True)
        return cls(drawn, feed)

    def under(self, units: pd.Series, day: Date) -> NDArray[np.object_]:
        """Arm under which each unit is on a day, None for those under none, shape (n,).

        A draw counts from its date until the unit's next one, and no longer than the longest response.
        """
        longest = max(response.days for response in self.feed.responses)
        dates = self.frame[DAY]
        recent = self.frame[(dates <= day) & (dates > day - timedelta(days=longest))]
        newest = recent.drop_duplicates(self.feed.unit, keep="last").set_index(self.feed.unit)[self.feed.arm_column]
        arms: NDArray[np.object_] = units.map(newest).to_numpy(dtype=object)
        arms[pd.isna(arms)] = None
        return arms

    def outlasted(self) -> bool:
        """Whether a response goes on after the unit's next draw."""
        longest = max(response.days for response in self.feed.responses)
        same = self.frame[self.feed.unit].eq(self.frame[self.feed.unit].shift())
        apart = np.diff(self.frame[DAY].to_numpy(dtype="datetime64[D]"), prepend=np.datetime64("1970-01-01", "D"))
        return bool((same.to_numpy() & (apart < np.timedelta64(longest, "D"))).any())


@dataclass(frozen=True)
class Periods:
    """n periods of some users.

    Attributes:
        users: Ids, shape (n,).
        date: First day, shape (n,).
        arm: Label, shape (n,).
        X: Features as known on the morning of the first day.
        segment: Of the user that morning, shape (n,).
        outcomes: By key of a response, shape (n,): sums over its days, NaN where these are not over.
        without_features: Periods left out because the users table had no row of the user that morning.
        not_finished: Periods left out because no response of them is over.
    """

    users: pd.Series
    date: NDArray[np.datetime64]
    arm: NDArray[np.object_]
    X: pd.DataFrame
    segment: NDArray[np.object_]
    outcomes: Mapping[str, NDArray[np.float64]]
    without_features: int
    not_finished: int

    def __len__(self) -> int:
        return len(self.users)

    def of(self, rows: NDArray[np.bool_]) -> "Periods":
        """Some of the periods."""
        return Periods(
            self.users[rows].reset_index(drop=True),
            self.date[rows],
            self.arm[rows],
            self.X[rows].reset_index(drop=True),
            self.segment[rows],
            {key: values[rows] for key, values in self.outcomes.items()},
            self.without_features,
            self.not_finished,
        )


def learned_days(feed: Feed, date: Date) -> tuple[Date, Date]:
    """First and last day that a day's stages read assignments, metrics and requests of."""
    return date - timedelta(days=feed.learning.days), date - timedelta(days=1)


def in_part(ids: pd.Series, feed: Feed, part: Collection[int]) -> NDArray[np.bool_]:
    """Which users are of a part, shape (n,)."""
    return np.isin(buckets(ids, feed.feed_id), list(part))


def read_periods(
    tables: FeedTables, drawn: Drawn, date: Date, part: Collection[int], *, features: list[str] | None = None
) -> Periods:
    """The periods of a part of the users of which at least one response is over before ``date``.

    Args:
        tables: Of the feed.
        drawn: All draws.
        date: The day that is scored.
        part: Buckets of users.
        features: Columns that are read; None: those of the feed, or of the users table of the newest period.

    Raises:
        InputError: No period is over, an arm has none that is for a response, a day of metrics or features is missing,
            or as for ``FeedTables``.
    """
    feed = tables.feed
    own = drawn.frame[in_part(drawn.frame[feed.unit], feed, part)]
    shortest = min(response.days for response in feed.responses)
    over = own[DAY] <= date - timedelta(days=shortest)
    starts = sorted(set(own.loc[over, DAY]))
    if not starts:
        raise InputError(
            f"assignments table: no period of the {feed.learning.days} days before {date} is over "
            f"(the shortest response takes {shortest} days)",
            remedy="wait, raise learning.days of the feed, or score a later day",
        )
    names = features or tables.features(starts[-1])
    read = [_period(tables, own[own[DAY] == start], start, date, names) for start in starts]
    rows = of_several_mornings([features_of for _, features_of, _ in read], starts)
    frame = pd.concat([kept for kept, _, _ in read], ignore_index=True)
    found = Periods(
        users=frame[feed.unit],
        date=frame[DAY].to_numpy(dtype="datetime64[D]"),
        arm=frame[feed.arm_column].to_numpy(dtype=object),
        X=as_features(rows, names),
        segment=segments_of(rows, feed),
        outcomes={key: np.concatenate([sums[key] for _, _, sums in read]) for key in read[0][2]},
        without_features=int(over.sum()) - len(frame),
        not_finished=int((~over).sum()),
    )
    _require_all_arms(found, feed)
    return found


def _period(
    tables: FeedTables, own: pd.DataFrame, start: Date, date: Date, names: list[str]
) -> tuple[pd.DataFrame, pa.Table, dict[str, NDArray[np.float64]]]:
    """Draws of one day that have features, these features in the same order, and what the days after brought."""
    feed = tables.feed
    rows = tables.users(start, with_segment(names, feed), units=pa.array(own[feed.unit]))
    order = pd.Series(np.arange(len(rows)), index=rows[feed.unit].to_pandas())
    place = own[feed.unit].map(order)
    kept, features = own[place.notna()], rows.take(pa.array(place.dropna().astype(np.int64)))
    return kept, features, _brought(tables, kept[feed.unit], start, date)


def _brought(tables: FeedTables, units: pd.Series, start: Date, date: Date) -> dict[str, NDArray[np.float64]]:
    """Every response of each unit over its days from ``start`` on, by key; NaN where these are not over."""
    responses = tables.feed.responses
    found: dict[str, NDArray[np.float64]] = {}
    for days in {response.days for response in responses}:
        same = [response for response in responses if response.days == days]
        last = start + timedelta(days=days - 1)
        if last >= date:
            found |= {response.key: np.full(len(units), np.nan) for response in same}
            continue
        names = list(dict.fromkeys(response.name for response in same))
        sums = tables.sums(names, start, last, units=pa.array(units))
        for response in same:
            found[response.key] = units.map(sums[response.name]).fillna(0.0).to_numpy(dtype=np.float64)
    return found


def _require_all_arms(periods: Periods, feed: Feed) -> None:
    """Raises InputError where an arm has no period, or none over all days of a response."""
    counts = pd.Series(periods.arm).value_counts().to_dict()
    for response in feed.responses:
        over = np.isfinite(periods.outcomes[response.key])
        missing = [arm for arm in feed.arms if not (over & (periods.arm == arm)).any()]
        if not missing:
            continue
        if all(arm in counts for arm in feed.arms):
            raise InputError(
                f"assignments table: no period under {missing} is over for response {response.key!r}, which takes "
                f"{response.days} days",
                remedy="wait, raise learning.days of the feed, or shorten the response",
            )
        raise InputError(
            f"assignments table: no finished period with features under {missing} (periods by arm: {counts})",
            remedy="draw these arms for some users, or take them out of the feed's treatments",
        )
