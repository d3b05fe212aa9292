"""A small feed whose tables are written by hand."""

from datetime import date, timedelta

import numpy as np
import pandas as pd

from causal_tasks.dynamic.tables import FeedTables
from causal_tasks.feed import Feed
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage

MONDAY = date(2026, 10, 5)
ARMS = ("control", "more_long", "more_short")


def statement(lake, **changes):
    """A feed of two treatments; every table but that of assignments has an address for each day."""
    return {
        "feed_id": "videos",
        "treatments": {"more_long": "long", "more_short": "short"},
        "tables": {
            "users": f"{lake}/tables/users/date={{date}}",
            "assignments": f"{lake}/tables/assignments",
            "metrics": f"{lake}/tables/metrics/date={{date}}",
            "requests": f"{lake}/tables/requests/date={{date}}",
        },
        "columns": {"context": ["hour"]},
        "responses": [{"name": "watch_seconds"}],
        "learning": {"days": 14},
    } | changes


class SmallLake:
    """Tables of a feed in a local folder."""

    def __init__(self, root):
        self.uri = f"file://{root}"
        self.settings = Settings(lake=self.uri)
        self.storage = Storage(self.settings)

    def feed(self, **changes):
        return Feed.parse(statement(self.uri, **changes), source="test")

    def tables(self, **changes):
        return FeedTables(self.feed(**changes), self.storage)

    def write(self, table, day, rows, *, name="part-0"):
        self.storage.write_table(f"{self.uri}/tables/{table}/date={day}/{name}.parquet", pd.DataFrame(rows))

    def write_users(self, day, ids, **columns):
        self.write("users", day, {"user_id": ids, "age": np.arange(len(ids), dtype=float)} | columns)

    def write_draws(self, day, ids, arms):
        dates = pd.array([day] * len(ids), dtype="date32[pyarrow]")
        self.write("assignments", day, {"user_id": ids, "date": dates, "arm": arms})

    def write_metrics(self, first, days, ids, **columns):
        for ahead in range(days):
            self.write("metrics", first + timedelta(days=ahead), {"user_id": ids} | columns)

    def write_requests(self, day, ids, arms, *, name="part-0", **columns):
        rows = {
            "user_id": ids,
            "request_id": [f"{day}-{at}" for at in range(len(ids))],
            "arm": arms,
            "hour": np.arange(len(ids), dtype=float),
            "recent_durations": [[10.0, 90.0]] * len(ids),
            "recent_played": [[9.0, 1.0]] * len(ids),
            "candidates": [[10.0, 30.0, 90.0]] * len(ids),
            "shown_durations": [[10.0]] * len(ids),
            "shown_played": [[9.0]] * len(ids),
            "watch_seconds": np.full(len(ids), 9.0),
        }
        self.write("requests", day, rows | columns, name=name)
