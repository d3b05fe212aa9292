"""A feed of a million users that is published, and bodies of requests to it."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from causal_tasks.dynamic.decision import DynamicDecision
from causal_tasks.dynamic.lookup import write_lookup
from causal_tasks.dynamic.real_time import RealTimeInterest
from causal_tasks.dynamic.requests import Requests
from causal_tasks.dynamic.serving.manifest import InterestFolder, LookupFile, Manifest
from causal_tasks.feed import Feed
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage

CANDIDATES = 10
RECENT = 20

FEED = Feed.parse(
    {
        "feed_id": "videos",
        "treatments": {"more_short": "short", "more_medium": "medium", "more_long": "long"},
        "tables": {
            "users": "s3://lake/u",
            "assignments": "s3://lake/a",
            "metrics": "s3://lake/m",
            "requests": "s3://r",
        },
        "columns": {"context": ["hour", "minutes_today"]},
        "responses": [{"name": "watch_seconds"}],
    },
    source="benchmark",
)

_LEARNED_REQUESTS = 4_000


def user_ids(count: int) -> list[str]:
    """Ids as platforms have them."""
    return [f"user-{number:09d}" for number in range(count)]


def scores(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Preference, shape (n, K + 1), and permission, shape (n, K)."""
    generator = np.random.default_rng(seed)
    base = generator.gamma(4, 30, (count, 1))
    uplift = generator.normal(0, 5, (count, len(FEED.treatments)))
    preference = np.hstack([base, np.maximum(base + uplift, 0)]).astype(np.float32)
    return preference, generator.random(uplift.shape) < 0.9


def random_requests(count: int, users: list[str], seed: int) -> list[dict]:
    """Bodies of requests; one user in twenty was never scored."""
    generator = np.random.default_rng(seed)
    durations = generator.lognormal(3.3, 1, (count, RECENT + CANDIDATES)).round(1) + 1
    played = (durations[:, :RECENT] * generator.random((count, RECENT))).round(1)
    hours, minutes = generator.integers(0, 24, count), generator.gamma(2, 20, count).round(1)
    asking = generator.integers(0, len(users), count)
    strangers = generator.random(count) < 0.05
    return [
        {
            "request_id": f"request-{seed}-{place}",
            "user_id": f"stranger-{place}" if strangers[place] else users[asking[place]],
            "context": {"hour": float(hours[place]), "minutes_today": float(minutes[place])},
            "recent": [
                {"duration": float(seconds), "played": float(time)}
                for seconds, time in zip(durations[place, :RECENT], played[place], strict=True)
            ],
            "candidates": [
                {"id": f"video-{place}-{item}", "duration": float(seconds)}
                for item, seconds in enumerate(durations[place, RECENT:])
            ],
            "slate_size": CANDIDATES // 2,
        }
        for place in range(count)
    ]


def encoded(bodies: list[dict]) -> list[bytes]:
    """HTTP requests with these bodies."""
    contents = [json.dumps(body).encode() for body in bodies]
    return [
        b"POST /decide HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
        + f"{len(content)}\r\n\r\n".encode()
        + content
        for content in contents
    ]


def stored_day(day: date, users: list[str], settings: Settings, *, seed: int) -> Manifest:
    """Store a day of scores and a model of the default size, which need not be good to be as fast; to be published."""
    storage = Storage(settings)
    folder = f"{settings.lake}/feed-days/{FEED.feed_id}/r1/{day}"
    preference, allowed = scores(len(users), seed)
    digest = write_lookup(f"{folder}/lookup.safetensors", users, preference, allowed, FEED.arms, storage=storage)
    _fitted(seed).save(Path(f"{folder}/interest".removeprefix("file://")))
    decision = DynamicDecision(FEED.arms, tuple(FEED.treatments.values()), (1.0,) * 3, exploration=0.05)
    return Manifest(
        feed=FEED,
        date=day,
        lookup=LookupFile(uri=f"{folder}/lookup.safetensors", sha256=digest),
        interest=InterestFolder.of(f"{folder}/interest", storage),
        decision=decision.to_json(),
        published=datetime.now(UTC),
    )


def _fitted(seed: int) -> RealTimeInterest:
    bodies = random_requests(_LEARNED_REQUESTS, user_ids(500), seed)
    frame = pd.DataFrame([body["context"] | {"request_id": body["request_id"]} for body in bodies]).assign(
        recent_durations=[[item["duration"] for item in body["recent"]] for body in bodies],
        recent_played=[[item["played"] for item in body["recent"]] for body in bodies],
        candidates=[[item["duration"] for item in body["candidates"]] for body in bodies],
    )
    labels = np.random.default_rng(seed).gamma(4, 0.25, (len(bodies), len(FEED.treatments)))
    model = RealTimeInterest(max_epochs=2, random_state=seed)
    return model.fit(Requests.from_frame(frame, FEED), labels, users=[body["user_id"] for body in bodies])
