"""A music-streaming experiment with known truth, of any size, as three tables, an experiment file and the truth.

Users are drawn in chunks, each from its own random streams, and each chunk's files are written as soon as it is
drawn: memory is bounded by the chunk and does not grow with the number of users.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from zoneinfo import available_timezones

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from causal_tasks.data.music_assignments import draw_assignments
from causal_tasks.data.music_days import draw_baseline_days, metric_rows, window_minutes
from causal_tasks.data.music_listeners import draw_listeners, draw_snapshots, feature_rows
from causal_tasks.data.music_scenario import Calendar, state_experiment
from causal_tasks.data.planted import Truth, find_members, plant, relative_effects
from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment, Mining
from causal_tasks.lake import TABLES, experiment_uri, truth_uri
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage, Uri

_ROW_GROUP = 131_072
_ID_BLOCK = 10**9


def simulate_experiment(
    settings: Settings,
    *,
    experiment_id: str = "music_autoplay",
    users: int = 100_000,
    treatments: int | Sequence[str] = ("treatment",),
    seed: int = 7,
    effect: float = 1.0,
    user_ids: Literal["int", "string"] = "int",
    started_at: date = date(2026, 9, 7),
    timezone: str = "Asia/Shanghai",
    enrolment_days: int = 10,
    window_days: int = 7,
    pre_days: int = 14,
    status: Literal["running", "finished"] = "finished",
    mining: Mining | None = None,
    chunk_users: int = 50_000,
) -> Experiment:
    """Write a simulated experiment into the lake; an earlier simulation of the same id is replaced.

    Several simulated experiments share the lake's tables: their users and file names differ. All of them must use
    the same kind of user id, or their files do not form one table.

    ``truth/<id>.json`` holds ``counts`` (users and planted faults of the data) and by treatment ``users``,
    ``control_mean``, ``effect`` and ``planted``: for every planted rule ``kind``, ``rule`` (as ``Rule`` reads it),
    ``relative_effect``, ``share``, ``users``, ``control_mean`` and ``effect``. Means and effects are in the unit of
    ``outcome`` per user and window, over all users whose window lies before the end, as if all of them were in that
    arm. A user assigned to two arms behaves as in the first. The experiment file is written last.

    Args:
        settings: Where the lake is.
        experiment_id: Decides file names and the range of user ids.
        users: Number of users.
        treatments: Labels of the treatment arms, or how many there are.
        seed: With ``chunk_users`` it decides every number.
        effect: Scale of the planted effects, 0 to 2; 0 is an A/A test, with all else as it would be.
        user_ids: Type of the ``user_id`` column.
        started_at: First business day; metrics begin ``pre_days`` earlier.
        timezone: Zone that defines a business day.
        enrolment_days: Days on which users enrol; a few come later, so that their windows do not fit.
        window_days: Length of the outcome window.
        pre_days: Days with metrics before the start.
        status: Of the experiment; only a finished one is mined.
        mining: How the experiment is to be mined; None: as by default.
        chunk_users: Users drawn and written at a time.

    Returns:
        The experiment as written.

    Raises:
        InputError: An argument is out of range, or an experiment of that id exists that was not simulated.
    """
    labels = _labels(treatments)
    _check_arguments(users, enrolment_days, chunk_users, seed, started_at, timezone)
    truth = Truth(plant(labels, effect))
    calendar = Calendar(started_at, timezone, enrolment_days, window_days, pre_days)
    experiment = state_experiment(experiment_id, labels, calendar, status=status, mining=mining or Mining())
    lake = _Lake(Storage(settings), settings, experiment_id)
    lake.remove_earlier_simulation()
    for chunk, first in enumerate(range(0, users, chunk_users)):
        ids = _user_ids(experiment_id, np.arange(first, min(first + chunk_users, users)), user_ids)
        for table, rows in _draw_chunk(np.random.default_rng((seed, chunk)), ids, experiment, calendar, truth):
            lake.write_part(table, chunk, rows)
    stated = {"experiment_id": experiment_id, "outcome": experiment.primary.name, "seed": seed, "scale": effect}
    lake.write_statements(experiment, stated | truth.to_json())
    return experiment


def _check_arguments(
    users: int, enrolment_days: int, chunk_users: int, seed: int, started_at: date, timezone: str
) -> None:
    if not 1 <= users <= _ID_BLOCK:
        raise InputError(f"users is {users}", remedy=f"choose 1 to {_ID_BLOCK}")
    for name, value, least in (
        ("enrolment_days", enrolment_days, 1),
        ("chunk_users", chunk_users, 1),
        ("seed", seed, 0),
    ):
        if value < least:
            raise InputError(f"{name} is {value}", remedy=f"choose {least} or more")
    if isinstance(started_at, datetime):
        raise InputError(f"started_at is the moment {started_at}", remedy="give a day: datetime.date(2026, 9, 7)")
    if timezone not in available_timezones():
        raise InputError(f"{timezone!r} is no time zone", remedy="use an IANA name such as 'Asia/Shanghai'")


def _labels(treatments: int | Sequence[str]) -> tuple[str, ...]:
    if isinstance(treatments, str):
        raise InputError(f"treatments is the text {treatments!r}", remedy=f"give a list: [{treatments!r}]")
    if not isinstance(treatments, int):
        return tuple(treatments)
    return ("treatment",) if treatments == 1 else tuple(f"treatment_{n}" for n in range(1, treatments + 1))


def _user_ids(experiment_id: str, numbers: np.ndarray, kind: Literal["int", "string"]) -> pa.Array:
    """Ids of users, from a block of numbers that belongs to the experiment."""
    digest = hashlib.sha256(experiment_id.encode()).digest()
    # Below 2**53, so that no reader that takes numbers for floats confuses two users.
    ids = int.from_bytes(digest[:4]) % 9_000_000 * _ID_BLOCK + numbers
    return pa.array(ids) if kind == "int" else pa.array([f"u{number:016d}" for number in ids.tolist()])


def _draw_chunk(
    rng: np.random.Generator, ids: pa.Array, experiment: Experiment, calendar: Calendar, truth: Truth
) -> Iterator[tuple[str, pa.Table]]:
    """Draw one chunk of users, add it to the truth and yield its rows by table.

    Each part has its own random stream, so that arms and effects change nothing else.
    """
    of_users, of_snapshots, of_days, of_assignments, of_songs = rng.spawn(5)
    listeners = draw_listeners(of_users, len(ids), calendar)
    snapshots = draw_snapshots(of_snapshots, listeners, calendar)
    yield "features", feature_rows(snapshots, ids, calendar)

    assignments = draw_assignments(of_assignments, listeners, len(experiment.arms), calendar)
    yield "assignments", assignments.to_table(ids, experiment.experiment_id, experiment.arms)

    members = find_members(truth.planted, snapshots.frames, snapshots.newest)
    effects = relative_effects(truth.planted, members, len(ids))
    baseline = draw_baseline_days(of_days, listeners, calendar)
    treated = baseline.day >= listeners.start[baseline.user]
    own_effect = effects[np.arange(len(ids)), assignments.first_arm]
    minutes = baseline.minutes * (1 + own_effect[baseline.user] * treated)
    yield "metrics", metric_rows(of_songs, baseline, minutes, ids, calendar)

    mature = listeners.start + calendar.window_days <= calendar.end
    truth.add(window_minutes(baseline, listeners, calendar), effects, members, mature)
    truth.counts.update(
        users=len(ids),
        mature_users=int(mature.sum()),
        users_without_features=int((snapshots.newest < 0).sum()),
        two_arm_users=assignments.two_arm_users,
        duplicate_rows=assignments.duplicate_rows,
        repeated_rows=assignments.repeated_rows,
        late_rows=int((baseline.day >= calendar.end).sum()),
    )


@dataclass(frozen=True, slots=True)
class _Lake:
    """Where the files of one simulated experiment are."""

    storage: Storage
    settings: Settings
    experiment_id: str

    @property
    def statement(self) -> Uri:
        return experiment_uri(self.experiment_id, self.settings)

    @property
    def truth(self) -> Uri:
        return truth_uri(self.experiment_id, self.settings)

    def remove_earlier_simulation(self) -> None:
        """Delete the statement first, so that nobody mines tables that are being replaced."""
        if self.storage.exists(self.statement):
            if not self.storage.exists(self.truth):
                raise InputError(
                    f"{self.statement} exists and was not simulated", remedy="choose another experiment_id"
                )
            self.storage.delete(self.statement)
        own = re.compile(rf"part-{re.escape(self.experiment_id)}-\d+\.parquet")
        for table in TABLES:
            folder = f"{self.settings.lake}/tables/{table}"
            for file in self.storage.list_files(folder, suffix=".parquet", hash_local=False):
                if own.fullmatch(file.path):
                    self.storage.delete(f"{folder}/{file.path}")

    def write_part(self, table: str, chunk: int, rows: pa.Table) -> None:
        sink = pa.BufferOutputStream()
        pq.write_table(rows, sink, row_group_size=_ROW_GROUP, compression="zstd")
        uri = f"{self.settings.lake}/tables/{table}/part-{self.experiment_id}-{chunk:05d}.parquet"
        self.storage.write_bytes(uri, sink.getvalue().to_pybytes())

    def write_statements(self, experiment: Experiment, truth: dict[str, Any]) -> None:
        self.storage.write_json(self.truth, truth)
        self.storage.write_json(self.statement, experiment.model_dump(mode="json", by_alias=True))
