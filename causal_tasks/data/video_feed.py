"""A simulated feed of short videos in the lake: its statement, its tables day by day, and the known truth."""

from datetime import date, timedelta
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from causal_tasks.data.video_platform import PERIOD, PlatformDay, VideoPlatform
from causal_tasks.data.video_requests import CONTEXT, list_columns
from causal_tasks.errors import InputError
from causal_tasks.feed import DATE, Feed
from causal_tasks.lake import feed_uri, truth_uri
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage, Uri

_SECONDS, _DAYS, _TIMES = {"zh": "秒", "en": "s"}, {"zh": "天", "en": "days"}, {"zh": "次", "en": "times"}

_RESPONSES: tuple[dict[str, Any], ...] = (
    {"name": "watch_seconds", "weight": 1, "display": {"zh": "观看时长", "en": "Watch time"}, "unit": _SECONDS},
    {
        "name": "active",
        "weight": 30,
        "guarded": True,
        "tolerance": 0.05,
        "display": {"zh": "活跃天数", "en": "Active days"},
        "unit": _DAYS,
    },
    {"name": "views", "weight": 0, "display": {"zh": "有效播放数", "en": "Views"}, "unit": _TIMES},
)
"""An active day more is worth half a minute of watching; views are only looked at."""

_REQUESTS = 60_000
"""Requests that are learned from: enough here, and soon done."""


def simulate_feed(
    settings: Settings,
    *,
    feed_id: str = "videos",
    users: int = 6_000,
    days: int = 35,
    last_day: date = date(2026, 11, 1),
    requests_per_day: float = 2.0,
    bucketing: Literal["three", "four"] = "three",
    seed: int = 7,
) -> Feed:
    """Write a feed whose users were given an arm anew every week; an earlier simulation of the same id is replaced.

    ``tables/<id>/`` holds ``users``, ``metrics`` and ``requests`` by day and ``assignments`` by first day of a week, as
    ``Feed`` describes them; users have metrics on the days on which they came. Features are as of that morning, so that
    there is a table of users more than days with requests. ``truth/<id>.json`` holds what was planted, the mean seconds
    that a request brings under every arm, and what policies would bring that know the truth; ``truth/<id>.parquet`` by
    user ``preference__<arm>``, seconds a request brings at usual interest; ``truth/<id>-requests/`` by day and request
    ``reward__<arm>``, the seconds it brings on average, and ``interest__<treatment>``. The statement is written last.

    Args:
        settings: Where the lake is.
        feed_id: Of the feed.
        users: Of the feed.
        days: With requests; weeks begin with the first of them. More days with a later ``last_day`` leave the rows of
            the earlier ones as they are.
        last_day: The last day with requests; the day after can be scored.
        requests_per_day: Mean of a user who comes.
        bucketing: Three or four categories of duration.
        seed: Of everything random.

    Returns:
        The feed as written.

    Raises:
        InputError: An argument is out of range, or a feed of that id exists that was not simulated.
    """
    if days < PERIOD:
        raise InputError(f"a feed of {days} days has no whole week", remedy=f"choose {PERIOD} or more")
    feed = _stated(settings, feed_id, bucketing, seed)
    platform = VideoPlatform(
        seed=seed,
        users=users,
        bucketing=bucketing,
        requests_per_day=requests_per_day,
        boost=feed.serving.boost,
        first_day=last_day - timedelta(days=days - 1),
    )
    lake = _Lake(Storage(settings), settings, feed)
    lake.remove_earlier_simulation()
    # One day more than is told of: its morning is the last one whose features are known.
    for number, day in enumerate(platform.days(days + 1)):
        lake.write("users", day.date, _table_of(day.features))
        if number == days:
            break
        if day.date == day.period:
            drawn = pd.DataFrame({"arm": np.array(platform.arms)[day.drawn]})
            lake.write("assignments", day.date, _table_of(drawn))
        came = day.metrics().loc[day.active]
        lake.write("metrics", day.date, _table_of(came))
        lake.write("requests", day.date, request_rows(platform, day))
        lake.write_truth_of(platform, day)
    lake.write_statements(platform, {"seed": seed, "users": users, "days": days, "bucketing": bucketing})
    return feed


def request_rows(platform: VideoPlatform, day: PlatformDay) -> pa.Table:
    """The requests of a day as a feed tells them, without their date."""
    arrivals, plays = day.arrivals, day.plays
    recent_durations, recent_played = list_columns(arrivals.recent_durations, arrivals.recent_played)
    shown_durations, shown_played = list_columns(plays.durations, plays.played)
    candidates, _ = list_columns(arrivals.candidates, arrivals.candidates)
    return pa.table(
        {
            "request_id": _request_ids(day),
            "user_id": arrivals.user,
            "arm": np.array(platform.arms)[plays.arm],
            **dict(zip(CONTEXT, arrivals.context.T, strict=True)),
            "watch_seconds": plays.reward.round(1),
            "recent_durations": recent_durations,
            "recent_played": recent_played,
            "candidates": candidates,
            "shown_durations": shown_durations,
            "shown_played": shown_played,
        }
    )


def _request_ids(day: PlatformDay) -> list[str]:
    arrivals = day.arrivals
    return [f"{day.date:%Y%m%d}-{user}-{visit}" for user, visit in zip(arrivals.user, arrivals.visit, strict=True)]


def _table_of(users: pd.DataFrame) -> pa.Table:
    """Rows by position of the user."""
    rows = users.rename_axis("user_id").reset_index()
    return pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata(None)


def _stated(settings: Settings, feed_id: str, bucketing: Literal["three", "four"], seed: int) -> Feed:
    # Only what a statement says of arms and durations is asked of these viewers.
    platform = VideoPlatform(seed=seed, users=1, bucketing=bucketing)
    tables = f"{settings.lake}/tables/{feed_id}"
    return Feed.parse(
        {
            "feed_id": feed_id,
            "name": "短视频时长分布 Lengths of short videos",
            "owner": "recommendation",
            "segment": "activity",
            "treatments": platform.treatments,
            "durations": platform.durations.model_dump(),
            "tables": {
                "users": f"{tables}/users/date={DATE}",
                "assignments": f"{tables}/assignments",
                "metrics": f"{tables}/metrics/date={DATE}",
                "requests": f"{tables}/requests/date={DATE}",
            },
            "columns": {"context": list(CONTEXT)},
            "responses": list(_RESPONSES),
            "learning": {"requests": _REQUESTS},
            "serving": {"boost": platform.slates.boost},
        },
        source=f"simulated feed {feed_id!r}",
    )


class _Lake:
    """Where a simulated feed is written."""

    def __init__(self, storage: Storage, settings: Settings, feed: Feed) -> None:
        self._storage, self._feed = storage, feed
        self._statement = feed_uri(feed.feed_id, settings)
        self._truth = truth_uri(feed.feed_id, settings)
        self._tables = f"{settings.lake}/tables/{feed.feed_id}"
        self._rewards: list[pd.DataFrame] = []

    @property
    def _truth_of_requests(self) -> Uri:
        return self._truth.removesuffix(".json") + "-requests"

    def remove_earlier_simulation(self) -> None:
        """Raises InputError where a feed of that id was not simulated."""
        if self._storage.exists(self._statement):
            if not self._storage.exists(self._truth):
                raise InputError(f"{self._statement} exists and was not simulated", remedy="choose another feed_id")
            self._storage.delete(self._statement)
        for folder in (self._tables, self._truth_of_requests):
            if self._storage.list_files(folder, hash_local=False):
                self._storage.delete(folder)

    def write(self, table: str, day: date, rows: pa.Table) -> None:
        """Write the rows of a day."""
        dated = rows.append_column("date", pa.array([day] * len(rows), pa.date32()))
        content = pa.BufferOutputStream()
        pq.write_table(dated, content)
        self._storage.write_bytes(f"{self._tables}/{table}/date={day}/part-0.parquet", content.getvalue().to_pybytes())

    def write_truth_of(self, platform: VideoPlatform, day: PlatformDay) -> None:
        """What the requests of a day would bring."""
        arrivals = day.arrivals
        rewards = {f"reward__{arm}": arrivals.reward[:, k] for k, arm in enumerate(platform.arms)}
        interest = {
            f"interest__{treatment}": arrivals.interest[:, category]
            for treatment, category in zip(platform.treatments, platform.slates.raised, strict=True)
        }
        rows = pd.DataFrame({"request_id": _request_ids(day), "user_id": arrivals.user} | rewards | interest)
        self._storage.write_table(f"{self._truth_of_requests}/date={day.date}/part-0.parquet", rows)
        self._rewards.append(rows[["user_id", *rewards]])

    def write_statements(self, platform: VideoPlatform, stated: dict[str, Any]) -> None:
        """The truth of users, what policies bring that know it, and the feed."""
        preference = {f"preference__{arm}": platform.preference[:, k] for k, arm in enumerate(platform.arms)}
        users = pd.DataFrame({"user_id": np.arange(len(platform.viewers))} | preference)
        self._storage.write_table(self._truth.removesuffix(".json") + ".parquet", users)
        told = pd.concat(self._rewards, ignore_index=True)
        rewards = told.drop(columns="user_id").to_numpy()
        liked = platform.preference.argmax(axis=1)[told["user_id"]]
        means = dict(zip(platform.arms, rewards.mean(axis=0).tolist(), strict=True))
        policies = {
            "best_arm_for_everybody": max(means.values()),
            "best_arm_by_user": float(rewards[np.arange(len(rewards)), liked].mean()),
            "best_arm_by_request": float(rewards.max(axis=1).mean()),
        }
        truth = stated | {"requests": len(told), "reward": means, "policies": policies}
        self._storage.write_json(self._truth, truth)
        self._storage.write_json(self._statement, self._feed.model_dump(mode="json"))
