"""Simulated assignments: the log of who was put into which arm and when, with the faults that real logs have."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from causal_tasks.data.music_listeners import Listeners
from causal_tasks.data.music_scenario import Calendar

_TWO_ARMS_SHARE, _DUPLICATE_SHARE, _REPEATED_SHARE = 0.003, 0.004, 0.015
_HOUR, _DAY = 3600, 86400
_LAST_SECOND = 21 * _HOUR  # a second assignment within the hour stays on the same day, even on a day of 23 hours


@dataclass(frozen=True, slots=True)
class Assignments:
    """The assignment log of one chunk.

    Attributes:
        user: Position of the user in the chunk, by row of the log.
        arm: Position of the arm, control is 0, by row.
        time: Whole seconds since the epoch, by row; rows are in order of time.
        first_arm: Position of the arm that counts, by user.
        two_arm_users: Users who were assigned again within the hour, to another arm.
        duplicate_rows: Rows that repeat an earlier one exactly.
        repeated_rows: Later assignments of a user to the arm that the user had.
    """

    user: np.ndarray
    arm: np.ndarray
    time: np.ndarray
    first_arm: np.ndarray
    two_arm_users: int
    duplicate_rows: int
    repeated_rows: int

    def to_table(self, ids: pa.Array, experiment_id: str, arms: tuple[str, ...]) -> pa.Table:
        """The log as rows of the assignments table."""
        return pa.table(
            {
                "user_id": ids.take(pa.array(self.user)),
                "experiment_id": pa.repeat(experiment_id, len(self.user)),
                "arm": pa.array(arms).take(pa.array(self.arm)),
                "assigned_at": pc.cast(pa.array(self.time * 1_000_000), pa.timestamp("us", tz="UTC")),
            }
        )


def draw_assignments(rng: np.random.Generator, listeners: Listeners, arms: int, calendar: Calendar) -> Assignments:
    """Draw the assignment log of a chunk; every arm is equally likely."""
    users = len(listeners)
    first_arm = rng.integers(0, arms, users)
    first_time = _midnights(calendar)[listeners.start] + np.floor(_LAST_SECOND * rng.beta(4, 2, users)).astype(np.int64)
    fate = rng.random(users)
    two_arms, duplicate, repeated = (
        np.flatnonzero((fate >= low) & (fate < high))
        for low, high in _bands(_TWO_ARMS_SHARE, _DUPLICATE_SHARE, _REPEATED_SHARE)
    )
    switched = (first_arm[two_arms] + rng.integers(1, arms, len(two_arms))) % arms
    soon = rng.integers(60, _HOUR, len(two_arms))
    later = rng.integers(_HOUR, 3 * _DAY, len(repeated))
    user = np.r_[np.arange(users), two_arms, duplicate, repeated]
    arm = np.r_[first_arm, switched, first_arm[duplicate], first_arm[repeated]]
    time = np.r_[first_time, first_time[two_arms] + soon, first_time[duplicate], first_time[repeated] + later]
    order = np.argsort(time, kind="stable")
    return Assignments(
        user=user[order],
        arm=arm[order],
        time=time[order],
        first_arm=first_arm,
        two_arm_users=len(two_arms),
        duplicate_rows=len(duplicate),
        repeated_rows=len(repeated),
    )


def _midnights(calendar: Calendar) -> np.ndarray:
    """Seconds since the epoch at which each enrolment day begins."""
    return np.array([int(calendar.midnight(day).timestamp()) for day in range(calendar.end + 1)])


def _bands(*shares: float) -> list[tuple[float, float]]:
    edges: list[float] = np.cumsum([0.0, *shares]).tolist()
    return list(pairwise(edges))
