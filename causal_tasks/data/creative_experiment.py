"""A simulated experiment of messages made for segments, in the lake: a dataset, its statement, the known truth."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from causal_tasks.data.creative_problems import Vector
from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment
from causal_tasks.lake import experiment_uri, truth_uri
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage, Uri

CONTROL, RESPONSE = "no_message", "returned"

SEGMENTS: Mapping[str, tuple[str, ...]] = {
    "nostalgia": ("school_days", "your_first_songs", "on_this_day"),
    "discovery": ("new_this_week", "hidden_gems"),
    "savings": ("half_price",),
}
"""Messages by the segment that they were made for. Those of ``discovery`` act alike, ``on_this_day`` departs."""

SHARED: Mapping[str, Mapping[str, float]] = {
    "nostalgia": {"age": 0.5, "oldies_share": 0.35, "minutes_7d": 0.3},
    "discovery": {"age": -0.25, "new_releases_30d": 0.5, "skips_7d": 0.2, "minutes_7d": 0.3},
    "savings": {"plan=free": 0.45, "days_since_last": 0.35, "minutes_7d": 0.3},
}
"""What moves the response to a segment's messages: log-odds for a standard deviation more of a feature."""

ADDED: Mapping[str, Mapping[str, float]] = {"on_this_day": {"playlists": 0.5, "age": -0.4}}
"""What a message adds to that; the others agree with their segment."""

REFERENCE: Mapping[str, float] = {"minutes_7d": 0.3}
"""What moves the response of users who got no message."""

APPEAL: Mapping[str, float] = {
    CONTROL: -2.3,
    "school_days": -1.9,
    "your_first_songs": -1.85,
    "on_this_day": -1.9,
    "new_this_week": -1.85,
    "hidden_gems": -1.95,
    "half_price": -1.8,
}
"""Log-odds of a response at mean features."""

_LEVELS: Mapping[str, Mapping[str, float]] = {
    "plan": {"free": 0.6, "monthly": 0.28, "annual": 0.12},
    "country": {"CN": 0.55, "SG": 0.15, "MY": 0.15, "TH": 0.15},
    "favourite_genre": {"pop": 0.4, "rock": 0.2, "folk": 0.15, "electronic": 0.15, "classical": 0.1},
}
"""Levels of the features that are text, with their shares."""

_MISSING: Mapping[str, float] = {"age": 0.06, "favourite_genre": 0.04}
"""Shares of users of whom the app does not know it. What is missing still moves the response."""

_FEATURES: Mapping[str, Any] = {
    "age": {"display": {"zh": "年龄", "en": "Age"}, "unit": {"zh": "岁", "en": "years"}},
    "plan": {"display": {"zh": "会员等级", "en": "Membership"}},
    "country": {"display": {"zh": "国家", "en": "Country"}},
    "favourite_genre": {"display": {"zh": "最常听的曲风", "en": "Favourite genre"}},
    "minutes_7d": {"display": {"zh": "近 7 天播放时长", "en": "Minutes played in 7 days"}},
    "oldies_share": {"display": {"zh": "老歌占比", "en": "Share of old songs"}},
    "new_releases_30d": {"display": {"zh": "近 30 天播放新歌数", "en": "New releases played in 30 days"}},
    "skips_7d": {"display": {"zh": "近 7 天切歌次数", "en": "Skips in 7 days"}},
    "playlists": {"display": {"zh": "歌单数", "en": "Playlists"}},
    "days_since_last": {"display": {"zh": "距上次播放天数", "en": "Days since last play"}},
    "tenure_days": {"display": {"zh": "注册天数", "en": "Days since sign-up"}},
}


def simulate_creatives(
    settings: Settings, *, experiment_id: str = "creatives", users: int = 70_000, seed: int = 7
) -> Experiment:
    """Write an experiment of six messages and none; an earlier simulation of the same id is replaced.

    ``datasets/<id>/part-0.parquet`` has ``user_id``, ``creative``, eleven features, three of them without any part in
    the truth, and ``returned``: whether the user was back within three days, 0 or 1. ``truth/<id>.json`` holds what was
    planted, by name of the feature and standard deviation of it, and the mean response that policies would bring among
    these users; ``truth/<id>.parquet`` the probability of a response by user and message: ``user_id``,
    ``response__<creative>``.

    Args:
        settings: Where the lake is.
        experiment_id: Of the experiment.
        users: In the experiment; a seventh of them gets no message, a seventh each message.
        seed: Of everything random.

    Returns:
        The experiment as written.

    Raises:
        InputError: There are no users, or an experiment of that id exists that was not simulated.
    """
    if users < 1:
        raise InputError(f"an experiment of {users} users", remedy="ask for at least one")
    storage, statement_uri = Storage(settings), experiment_uri(experiment_id, settings)
    if storage.exists(statement_uri) and not storage.exists(truth_uri(experiment_id, settings)):
        raise InputError(f"{statement_uri} exists and was not simulated", remedy="choose another experiment_id")
    experiment = _stated(experiment_id, f"{settings.lake}/datasets/{experiment_id}")
    random = np.random.default_rng(seed)
    features = _draw_features(random, users)
    response = expit(_log_odds(features))
    shown = random.integers(0, len(experiment.arms), users)
    returned = (random.random(users) < response[np.arange(users), shown]).astype(np.int8)
    for name, share in _MISSING.items():
        features[name] = features[name].mask(random.random(users) < share)
    told = pd.DataFrame({"user_id": np.arange(users), "creative": np.array(experiment.arms)[shown]}).join(features)
    if storage.exists(statement_uri):
        storage.delete(statement_uri)
    dataset = f"{settings.lake}/datasets/{experiment_id}/part-0.parquet"
    storage.write_table(dataset, told.assign(**{RESPONSE: returned}))
    _write_truth(storage, truth_uri(experiment_id, settings), response, seed)
    storage.write_json(statement_uri, experiment.model_dump(mode="json", by_alias=True))
    return experiment


def _stated(experiment_id: str, dataset: Uri) -> Experiment:
    return Experiment.parse(
        {
            "experiment_id": experiment_id,
            "name": "用什么话召回用户 What brings listeners back",
            "owner": "growth",
            "status": "finished",
            "control": CONTROL,
            "treatments": [creative for creatives in SEGMENTS.values() for creative in creatives],
            "dataset": {"uri": dataset, "arm_column": "creative"},
            "window": {"days": 3},
            "metrics": [
                {
                    "name": RESPONSE,
                    "role": "primary",
                    "aggregate": "any",
                    "display": {"zh": "3 天内回访", "en": "Back in 3 days"},
                }
            ],
            "features": {"dictionary": _FEATURES},
            "segmenting": {"segments": SEGMENTS},
        },
        source=f"simulated experiment {experiment_id!r}",
    )


def _draw_features(random: np.random.Generator, users: int) -> pd.DataFrame:
    """What the app would know of the users if nothing was missing."""
    activity = random.standard_normal(users)
    age = np.clip(np.round(15 + random.gamma(2.6, 7.0, users)), 15, 80)
    levels = {name: random.choice(list(shares), users, p=list(shares.values())) for name, shares in _LEVELS.items()}
    return pd.DataFrame(
        {
            "age": age,
            **levels,
            "minutes_7d": np.round(60 * np.exp(0.8 * activity + 0.5 * random.standard_normal(users)), 1),
            "oldies_share": np.round(random.beta(1.5 + age / 25, 5.0), 3),
            "new_releases_30d": random.poisson(np.exp(1.6 + 0.5 * random.standard_normal(users))),
            "skips_7d": random.poisson(np.exp(2.0 + 0.4 * activity + 0.4 * random.standard_normal(users))),
            "playlists": random.poisson(np.exp(1.2 + 0.6 * random.standard_normal(users))),
            "days_since_last": random.geometric(expit(-1.2 + 0.5 * activity)),
            "tenure_days": random.exponential(600, users).astype(np.int64),
        }
    )


def _log_odds(features: pd.DataFrame) -> Vector:
    """Of a response to every arm, control first, shape (n, 7)."""
    signals = [REFERENCE]
    for segment, creatives in SEGMENTS.items():
        signals += [_added(SHARED[segment], ADDED.get(creative, {})) for creative in creatives]
    used = {name for signal in signals for name in signal}
    standard = {name: _standardised(features, name) for name in used}
    return np.column_stack(
        [
            appeal + sum((weight * standard[name] for name, weight in signal.items()), np.zeros(len(features)))
            for appeal, signal in zip(APPEAL.values(), signals, strict=True)
        ]
    )


def _added(shared: Mapping[str, float], added: Mapping[str, float]) -> dict[str, float]:
    return {name: shared.get(name, 0.0) + added.get(name, 0.0) for name in (*shared, *added)}


def _standardised(features: pd.DataFrame, name: str) -> Vector:
    """A feature, or ``feature=level``, in standard deviations from its mean; 3 at most, so that nobody is certain."""
    column, _, level = name.partition("=")
    values = (features[column] == level if level else features[column]).to_numpy(dtype=float)
    standard: Vector = np.clip((values - values.mean()) / values.std(), -3.0, 3.0)
    return standard


def _write_truth(storage: Storage, uri: Uri, response: Vector, seed: int) -> None:
    arms, users = list(APPEAL), np.arange(len(response))
    table = pd.DataFrame({"user_id": users} | {f"response__{arm}": response[:, k] for k, arm in enumerate(arms)})
    storage.write_table(uri.removesuffix(".json") + ".parquet", table)
    means = dict(zip(arms, response.mean(axis=0).tolist(), strict=True))
    by_segment = {
        segment: response[:, [arms.index(creative) for creative in creatives]].mean(axis=1)
        for segment, creatives in SEGMENTS.items()
    }
    policies = {
        "best_segment_by_user": float(np.max(list(by_segment.values()), axis=0).mean()),
        "best_creative_by_user": float(response[:, 1:].max(axis=1).mean()),
        "best_creative_for_everybody": max(means.values()),
    }
    planted = {
        segment: {
            "creatives": list(creatives),
            "shared": dict(SHARED[segment]),
            "differs": {creative: dict(ADDED[creative]) for creative in creatives if creative in ADDED},
        }
        for segment, creatives in SEGMENTS.items()
    }
    truth = {"seed": seed, "users": len(response), "segments": planted, "response": means, "policies": policies}
    storage.write_json(uri, truth)
