"""Who was in the experiment: first exposure, units seen in two arms, and whose window has passed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from causal_tasks.data.contracts import meant_label
from causal_tasks.data.tables import EPOCH
from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment

_SECONDS_A_DAY = 86_400


@dataclass(frozen=True)
class Cohort:
    """One entry per unit, sorted by id.

    Attributes:
        ids: Distinct and ascending, int64 or large_string.
        arm: Position of the arm of first exposure in ``Experiment.arms``.
        start: Business day of first exposure, days since 1970.
        second_arm: Position of the first other arm seen up to the end of the outcome window, -1 without one.
        cluster: Cluster of first exposure; None where the experiment names none.
    """

    ids: pa.Array
    arm: npt.NDArray[np.int8]
    start: npt.NDArray[np.int32]
    second_arm: npt.NDArray[np.int8]
    cluster: pa.Array | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def slice(self, positions: range) -> "Cohort":
        """The units at consecutive positions."""
        keep = np.zeros(len(self), dtype=bool)
        keep[positions.start : positions.stop] = True
        return self.where(keep)

    def where(self, keep: npt.NDArray[np.bool_]) -> "Cohort":
        """The units for which ``keep``, shape (n,), holds."""
        return replace(
            self,
            ids=self.ids.filter(pa.array(keep)),
            arm=self.arm[keep],
            start=self.start[keep],
            second_arm=self.second_arm[keep],
            cluster=None if self.cluster is None else self.cluster.filter(pa.array(keep)),
        )


@dataclass(frozen=True)
class Exposures:
    """The cohort, and what was seen while it was made.

    Attributes:
        cohort: Every unit that was ever assigned.
        rows: Assignment rows by position of the arm.
        duplicates: Rows that repeat another one.
        day_elapsed: Share of the day of first exposure that was over by then, mean over units.
    """

    cohort: Cohort
    rows: npt.NDArray[np.int64]
    duplicates: int
    day_elapsed: float


def first_exposures(assignments: pa.Table, experiment: Experiment) -> Exposures:
    """The earliest assignment of every unit.

    Where the earliest assignments of a unit have the same time and different arms, the arm that the experiment lists
    first counts as the first.

    Args:
        assignments: Rows of this experiment: unit, arm, time, and the cluster where there is one.
        experiment: What was stated about it.

    Raises:
        InputError: An arm is unknown, or has no unit.
    """
    arms = arm_codes(assignments[experiment.tables.arm_column], experiment, table="assignments")
    time = assignments[experiment.tables.time_column]
    ids = pc.unique(assignments[experiment.unit])
    ids = ids.take(pc.array_sort_indices(ids))
    unit = pc.index_in(assignments[experiment.unit], value_set=ids).to_numpy()
    clusters = assignments[experiment.cluster].combine_chunks() if experiment.cluster else None

    order = np.lexsort((arms, time.cast(pa.int64()).to_numpy(), unit))
    unit, arms = unit[order], arms[order]
    seconds = local_seconds(time.to_pandas(), experiment.window.timezone)[order]
    days = (seconds // _SECONDS_A_DAY).astype(np.int32)
    is_first = np.append(True, unit[1:] != unit[:-1])
    first_arm, start = arms[is_first], days[is_first]
    require_every_arm(first_arm, experiment, table="assignments")

    window_end = start + experiment.window.offset + experiment.window.days
    switched = np.flatnonzero((arms != first_arm[unit]) & (days < window_end[unit]))
    second_arm = np.full(len(ids), -1, dtype=np.int8)
    # Reversed, so that of several writes to one unit the earliest row's comes last and stays.
    second_arm[unit[switched[::-1]]] = arms[switched[::-1]]
    cohort = Cohort(
        ids, first_arm, start, second_arm, None if clusters is None else clusters.take(pa.array(order[is_first]))
    )
    elapsed = float((seconds[is_first] % _SECONDS_A_DAY).mean() / _SECONDS_A_DAY)
    return Exposures(cohort, count_by_arm(arms, experiment.arms), _repeated_rows(assignments), elapsed)


def local_seconds(times: "pd.Series[Any]", timezone: str) -> npt.NDArray[np.int64]:
    """What the clocks of a zone show at every time with a zone, seconds since 1970 there, shape (n,)."""
    local = times.dt.tz_convert(timezone).dt.tz_localize(None)
    seconds: npt.NDArray[np.int64] = local.astype("datetime64[s]").astype("int64").to_numpy()
    return seconds


def day_number(day: date) -> int:
    """Days since 1970."""
    return (day - EPOCH).days


def maturity_cutoff(experiment: Experiment, last_metrics_day: date) -> int:
    """First day that no outcome window may touch, days since 1970.

    The day of ``ended_at`` is not over when the experiment ends, the last day in the metrics table is.

    Raises:
        NotReadyError: The experiment has no end, and windows may not run past it.
    """
    complete = day_number(last_metrics_day) + 1
    return complete if experiment.window.past_end else min(day_number(experiment.ended_on), complete)


def is_mature(cohort: Cohort, experiment: Experiment, cutoff: int) -> npt.NDArray[np.bool_]:
    """Whether a unit's whole outcome window lies before ``cutoff``, shape (n,)."""
    return cohort.start + experiment.window.offset + experiment.window.days <= cutoff


def arm_codes(labels: pa.ChunkedArray, experiment: Experiment, *, table: str) -> npt.NDArray[np.int8]:
    """Position of every label in ``Experiment.arms``, shape (n,).

    Args:
        labels: Text without missing values, shape (n,).
        experiment: Names the arms.
        table: Where they come from, for messages.

    Raises:
        InputError: A label is none of them.
    """
    codes = pc.index_in(labels, value_set=pa.array(experiment.arms, labels.type))
    if codes.null_count:
        unknown = pc.unique(labels.filter(pc.is_null(codes))).to_pylist()
        named = ", ".join(
            f"{label!r}" + (f" (did you mean {meant!r}?)" if (meant := meant_label(label, experiment.arms)) else "")
            for label in sorted(unknown)[:5]
        )
        raise InputError(
            f"{table} table: {codes.null_count} rows of experiment {experiment.experiment_id!r} have an unknown "
            f"arm: {named}; known are {list(experiment.arms)}",
            remedy="correct the labels, list the arm under treatments, or leave its rows out of the table",
        )
    known: npt.NDArray[np.int8] = codes.to_numpy().astype(np.int8)
    return known


def require_every_arm(arm: npt.NDArray[np.int8], experiment: Experiment, *, table: str) -> None:
    """Check that every arm has units.

    Args:
        arm: Position of each unit's arm, shape (n,).
        experiment: Names the arms.
        table: Where they come from, for messages.

    Raises:
        InputError: One has none.
    """
    counts = count_by_arm(arm, experiment.arms)
    empty = [arm for arm, count in zip(experiment.arms, counts, strict=True) if not count]
    if empty:
        found = [arm for arm, count in zip(experiment.arms, counts, strict=True) if count]
        raise InputError(
            f"{table} table: experiment {experiment.experiment_id!r} has no unit in arm "
            f"{', '.join(map(repr, empty))}, only in {', '.join(map(repr, found))}",
            remedy="write the missing rows, or correct control and treatments",
        )


def _repeated_rows(assignments: pa.Table) -> int:
    distinct = assignments.group_by(assignments.column_names, use_threads=False).aggregate([])
    return int(assignments.num_rows - distinct.num_rows)


def require_mature(cohort: Cohort, experiment: Experiment, cutoff: int) -> None:
    """Check that the outcome window of at least one unit has passed.

    Raises:
        InputError: None has, or the cohort is empty.
    """
    if not len(cohort):
        raise InputError(
            f"assignments table: every unit of experiment {experiment.experiment_id!r} was seen in two arms",
            remedy="correct how arms are assigned or logged",
        )
    if not is_mature(cohort, experiment, cutoff).any():
        first = EPOCH + timedelta(days=int(cohort.start.min()))
        needed = first + timedelta(days=experiment.window.offset + experiment.window.days)
        raise InputError(
            f"no unit's outcome window of {experiment.window.days} days has passed: the earliest begins on "
            f"{first + timedelta(days=experiment.window.offset)} and needs all days before {needed}, but the last day "
            f"is the one before {EPOCH + timedelta(days=cutoff)} (the day of ended_at, or after the last in metrics)",
            remedy="shorten window.days, write the missing metrics, or set window.past_end",
        )


def transitions(cohort: Cohort, arms: Sequence[str]) -> dict[str, dict[str, int]]:
    """Units seen in two arms, by the first and the second."""
    return {
        first: {
            second: int(np.sum((cohort.arm == i) & (cohort.second_arm == j))) for j, second in enumerate(arms) if j != i
        }
        for i, first in enumerate(arms)
    }


def count_by_arm(arm: npt.NDArray[np.int8], arms: Sequence[str]) -> npt.NDArray[np.int64]:
    """Units by position of their arm, shape (number of arms,)."""
    return np.bincount(arm, minlength=len(arms))
