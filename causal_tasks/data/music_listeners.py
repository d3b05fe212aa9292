"""Simulated listeners: who they are, and what the app's weekly feature snapshots say about them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from causal_tasks.data.music_scenario import LEVELS, Calendar

_LATE_SHARE = 0.02
_NEWCOMER_SHARE = 0.03
_SNAPSHOT_LOST = 0.02
_AGE_MISSING, _GENDER_MISSING, _DEVICE_MISSING = 0.05, 0.04, 0.03
_MISSING_CODE = -1

_SCHEMA = pa.schema(
    [
        ("age", pa.float64()),
        ("gender", pa.string()),
        ("city_tier", pa.string()),
        ("device", pa.string()),
        ("member_level", pa.string()),
        ("favourite_genre", pa.string()),
        ("tenure_days", pa.int32()),
        ("is_new", pa.bool_()),
        ("sessions_7d", pa.int32()),
        ("playlists", pa.int32()),
        ("followed_artists", pa.int32()),
        ("night_share", pa.float64()),
        ("ads_clicked", pa.int32()),
        ("country", pa.string()),
        ("install_id", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Listeners:
    """One chunk of users; every array has shape (n,).

    Attributes:
        engagement: Standard normal; unseen by the app, it drives activity and several features.
        start: Day of first exposure.
        registered: Day of registration, negative for all but a few.
        age: Years; what the app stores may be missing.
        night_share: Usual share of listening at night, 0 to 1.
        levels: Codes into ``LEVELS`` by categorical feature, -1 where missing.
    """

    engagement: np.ndarray
    start: np.ndarray
    registered: np.ndarray
    age: np.ndarray
    night_share: np.ndarray
    levels: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.start)


@dataclass(frozen=True, slots=True)
class Snapshots:
    """The feature table of one chunk.

    Attributes:
        frames: One frame of n rows per snapshot day.
        present: Shape (n, days): whether the table has the row.
        newest: Shape (n,): position of the newest row of a day before exposure, -1 where there is none.
    """

    frames: tuple[pd.DataFrame, ...]
    present: np.ndarray
    newest: np.ndarray


def draw_listeners(rng: np.random.Generator, users: int, calendar: Calendar) -> Listeners:
    """Draw ``users`` listeners and the days on which they meet the experiment."""
    engagement = rng.normal(size=users)
    start = _draw_starts(rng, users, calendar)
    newcomer = rng.random(users) < _NEWCOMER_SHARE
    tenure = np.where(newcomer, rng.integers(0, 7, users), 15 + rng.exponential(620, users))
    age = np.clip(np.round(15 + rng.gamma(2.6, 6.6, users)), 15, 80)
    night_share = np.where(age <= 25, rng.beta(2.6, 3.4, users), rng.beta(1.5, 6.0, users))
    membership = 0.4 * engagement + rng.normal(size=users)
    return Listeners(
        engagement=engagement,
        start=start,
        registered=start - np.floor(tenure).astype(np.int64),
        age=np.where(rng.random(users) < _AGE_MISSING, np.nan, age),
        night_share=night_share,
        levels={
            "gender": _draw_levels(rng, users, (0.48, 0.48), missing=_GENDER_MISSING),
            "city_tier": _draw_levels(rng, users, (0.22, 0.30, 0.28, 0.20)),
            "device": _draw_levels(rng, users, (0.45, 0.15, 0.37), missing=_DEVICE_MISSING),
            "member_level": np.digitize(membership, (0.25, 0.75, 1.6)),
            "favourite_genre": _draw_levels(rng, users, (0.36, 0.18, 0.12, 0.12, 0.12, 0.10)),
        },
    )


def draw_snapshots(rng: np.random.Generator, listeners: Listeners, calendar: Calendar) -> Snapshots:
    """Draw what the app knew about the listeners on each snapshot day.

    A snapshot has no row for a user who had not registered yet, and loses a few others.
    """
    days = calendar.snapshot_days
    shape = (len(listeners), len(days))
    present = (listeners.registered[:, None] <= days) & (rng.random(shape) >= _SNAPSHOT_LOST)
    usable = present & (days < listeners.start[:, None])
    newest = np.where(usable.any(axis=1), usable.shape[1] - 1 - usable[:, ::-1].argmax(axis=1), -1)
    lasting = _lasting_features(rng, listeners)
    frames = tuple(_snapshot(rng, listeners, lasting, int(day)) for day in days)
    return Snapshots(frames, present, newest)


def feature_rows(snapshots: Snapshots, ids: pa.Array, calendar: Calendar) -> pa.Table:
    """The rows of the features table, by snapshot day and then by user."""
    parts = []
    for day, frame, present in zip(calendar.snapshot_days, snapshots.frames, snapshots.present.T, strict=True):
        rows = np.flatnonzero(present)
        dates = pa.array(np.full(len(rows), calendar.dates(day)))
        part = pa.Table.from_pandas(frame.take(rows), schema=_SCHEMA, preserve_index=False)
        part = part.replace_schema_metadata(None).add_column(0, "user_id", ids.take(pa.array(rows)))
        parts.append(part.add_column(1, "date", dates))
    return pa.concat_tables(parts)


def _draw_starts(rng: np.random.Generator, users: int, calendar: Calendar) -> np.ndarray:
    regular = rng.integers(0, calendar.enrolment_days, users)
    late = rng.random(users) < _LATE_SHARE
    if calendar.enrolment_days == calendar.end:
        return regular  # a window of one day leaves no later day on which one could enrol
    return np.where(late, rng.integers(calendar.enrolment_days, calendar.end, users), regular)


def _draw_levels(
    rng: np.random.Generator, users: int, shares: tuple[float, ...], *, missing: float = 0.0
) -> np.ndarray:
    codes = np.r_[np.arange(len(shares)), _MISSING_CODE]
    return rng.choice(codes, users, p=(*shares, missing))


def _lasting_features(rng: np.random.Generator, listeners: Listeners) -> pd.DataFrame:
    users, engagement = len(listeners), listeners.engagement
    artists = rng.poisson(np.exp(1.5 + 0.3 * engagement + 0.7 * rng.normal(size=users)))
    features = {
        "age": listeners.age,
        **{name: pd.Categorical.from_codes(codes, pd.Index(LEVELS[name])) for name, codes in listeners.levels.items()},
        "playlists": rng.poisson(np.exp(1.2 + 0.4 * engagement + 0.6 * rng.normal(size=users))),
        "followed_artists": artists,
        "country": "CN",
        "install_id": [f"{number:016x}" for number in rng.integers(0, 2**63, users).tolist()],
    }
    return pd.DataFrame(features)


def _snapshot(rng: np.random.Generator, listeners: Listeners, lasting: pd.DataFrame, day: int) -> pd.DataFrame:
    users = len(listeners)
    tenure = day - listeners.registered
    free = listeners.levels["member_level"] == LEVELS["member_level"].index("free")
    return lasting.assign(
        tenure_days=tenure,
        is_new=tenure <= 30,
        sessions_7d=rng.poisson(np.exp(1.5 + 0.6 * listeners.engagement)),
        playlists=lasting["playlists"] + rng.poisson(0.1, users),
        night_share=np.clip(listeners.night_share + rng.normal(0, 0.02, users), 0, 1).round(3),
        ads_clicked=rng.poisson(rng.gamma(1.5, np.where(free, 1.6, 0.5))),
    )
