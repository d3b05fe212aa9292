"""A small feed whose days are published with a fitted model, and random requests to it."""

import asyncio
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

import httpx
import numpy as np
import pandas as pd

from causal_tasks.dynamic.decision import DynamicDecision
from causal_tasks.dynamic.lookup import write_lookup
from causal_tasks.dynamic.real_time import RealTimeInterest
from causal_tasks.dynamic.requests import Requests
from causal_tasks.dynamic.serving.manifest import InterestFolder, LookupFile, Manifest, publish
from causal_tasks.feed import Feed
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage

USERS = 400
DAY = date(2026, 10, 30)
FEED = Feed.parse(
    {
        "feed_id": "videos",
        "treatments": {"more_short": "short", "more_long": "long"},
        "tables": {
            "users": "s3://lake/u",
            "assignments": "s3://lake/a",
            "metrics": "s3://lake/m",
            "requests": "s3://r",
        },
        "columns": {"context": ["hour", "minutes_today"]},
        "responses": [{"name": "watch_seconds"}],
    },
    source="test",
)


def scores(seed=0):
    """Preference and permission of every user, who are called 0, 1, …."""
    generator = np.random.default_rng(seed)
    base = generator.uniform(90, 110, (USERS, 1))
    preference = np.hstack([base, base + generator.normal(0, 12, (USERS, 2))]).astype(np.float32)
    return preference, generator.random((USERS, 2)) < 0.8


@cache
def fitted_interest(seed=0):
    generator = np.random.default_rng(5 + seed)
    asked = pd.DataFrame([random_request(generator) for _ in range(600)])
    labels = generator.gamma(4, 0.25, (600, 2))
    model = RealTimeInterest(max_epochs=3, experts=2, random_state=seed)
    return model.fit(as_requests(asked), labels, users=generator.integers(0, 100, 600))


def publish_day(lake: Path, day=DAY, *, seed=0, feed=FEED, interest=True, **changes):
    """Publish a day of scores as the daily job does; returns settings and manifest."""
    settings = Settings(lake=f"file://{lake}")
    storage = Storage(settings)
    folder = f"{settings.lake}/feed-days/{feed.feed_id}/r{feed.revision}/{day}"
    preference, allowed = scores(seed)
    digest = write_lookup(f"{folder}/lookup.safetensors", range(USERS), preference, allowed, feed.arms, storage=storage)
    model = None
    if interest:
        fitted_interest(seed).save(Path(f"{folder}/interest".removeprefix("file://")))
        model = InterestFolder.of(f"{folder}/interest", storage)
    decision = {"thresholds": (1.0, 2.0), "exploration": 0.1, "boost": 0.2} | changes
    manifest = Manifest(
        feed=feed,
        date=day,
        lookup=LookupFile(uri=f"{folder}/lookup.safetensors", sha256=digest),
        interest=model,
        decision=DynamicDecision(feed.arms, tuple(feed.treatments.values()), **decision).to_json(),
        published=datetime(2026, 11, 1, tzinfo=UTC),
    )
    publish(manifest, settings)
    return settings, manifest


def random_request(generator, users=USERS):
    """The body of a request; one user in five was never scored."""
    length = int(generator.integers(0, 30))
    durations = generator.lognormal(3.3, 1, length)
    return {
        "request_id": f"r-{generator.integers(10**12)}",
        "user_id": str(generator.integers(users * 5 // 4)),
        "context": {
            "hour": float(generator.integers(24)),
            "minutes_today": None if generator.random() < 0.2 else float(generator.gamma(2, 20)),
        },
        "recent": [
            {"duration": float(seconds), "played": float(seconds * generator.random())} for seconds in durations
        ],
        "candidates": [
            {"id": f"v{place}", "duration": float(seconds)}
            for place, seconds in enumerate(generator.lognormal(3.3, 1, 10))
        ],
        "slate_size": 5,
    }


def as_requests(bodies):
    """Requests of a frame of bodies, by way of the columns that a table of requests has."""
    context = pd.DataFrame(list(bodies["context"]), index=bodies.index, dtype=float)
    frame = context.assign(
        request_id=bodies["request_id"],
        recent_durations=[[item["duration"] for item in items] for items in bodies["recent"]],
        recent_played=[[item["played"] for item in items] for items in bodies["recent"]],
        candidates=[[item["duration"] for item in items] for items in bodies["candidates"]],
    )
    return Requests.from_frame(frame, FEED)


class AppClient:
    """Asks an app in this process, without starting what it watches."""

    def __init__(self, app):
        self._app = app

    def get(self, path):
        return asyncio.run(self._asked("GET", path))

    def head(self, path):
        return asyncio.run(self._asked("HEAD", path))

    def post(self, path, **body):
        return asyncio.run(self._asked("POST", path, **body))

    async def _asked(self, method, path, **body):
        transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://serving") as client:
            return await client.request(method, path, **body)
