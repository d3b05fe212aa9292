"""Keeps account of the join: who was analysed, who was not and why, and which rows were used."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from causal_tasks.data import join
from causal_tasks.data.cohort import Cohort, count_by_arm
from causal_tasks.data.id_formats import IdFormats
from causal_tasks.data.waterfall import Counts
from causal_tasks.errors import InputError

Mask = npt.NDArray[np.bool_]


class JoinAccount:
    """Sums over the slices of the join; rows are counted for analysed units only.

    Attributes:
        not_eligible: Units by arm that the rule of ``eligible`` leaves out.
        immature: Eligible units by arm whose outcome window has not passed.
        analysed: Units by arm that are left.
        metric_rows: Rows in their windows, repeated ones included.
        repeated_metric_rows: Of these, rows equal to another one.
        repeated_feature_rows: The same among the newest rows of the features table.
        without_metrics: Units without a metrics row in the outcome window.
        without_features: Units without a feature row that is new enough.
        id_formats: How ids with and without rows are written, by table.
    """

    def __init__(self, arms: Sequence[str]) -> None:
        self._arms = arms
        self.not_eligible: Counts = np.zeros(len(arms), dtype=np.int64)
        self.immature: Counts = self.not_eligible.copy()
        self.analysed: Counts = self.not_eligible.copy()
        self.metric_rows = self.repeated_metric_rows = self.repeated_feature_rows = 0
        self.without_metrics = self.without_features = 0
        self.id_formats = {"metrics": IdFormats(), "features": IdFormats()}

    def add(self, joined: pd.DataFrame, cohort: Cohort, mature: Mask) -> Mask:
        """Account for one slice; returns which of its units are analysed, shape (n,).

        Args:
            joined: What the join made, one row per unit.
            cohort: The same units in the same order.
            mature: Whether a unit's outcome window has passed, shape (n,).

        Raises:
            InputError: An analysed unit has two different feature rows on its newest day.
        """
        eligible = joined[join.ELIGIBLE].to_numpy(dtype=bool)
        analysed = eligible & mature
        self.not_eligible += count_by_arm(cohort.arm[~eligible], self._arms)
        self.immature += count_by_arm(cohort.arm[eligible & ~mature], self._arms)
        self.analysed += count_by_arm(cohort.arm[analysed], self._arms)
        counts = joined.loc[analysed, list(join.COUNTS)]
        units = cohort.where(analysed)
        _require_one_snapshot(counts, units)
        self.id_formats["metrics"].add(units.ids, (counts[join.ALL_ROWS] > 0).to_numpy())
        self.id_formats["features"].add(units.ids, (counts[join.FEATURE_ROWS] > 0).to_numpy())
        self.metric_rows += int(counts[join.ALL_ROWS].sum())
        self.repeated_metric_rows += int(counts[join.REPEATED_ROWS].sum())
        self.repeated_feature_rows += int((counts[join.FEATURE_ROWS] - counts[join.FEATURE_VARIANTS]).sum())
        self.without_metrics += int((counts[join.OUTCOME_ROWS] == 0).sum())
        self.without_features += int((counts[join.FEATURE_ROWS] == 0).sum())
        return analysed

    def require_something(self, *, example: object, max_age: int) -> None:
        """Check that every arm has units to analyse and that both tables know some of them.

        Args:
            example: One unit's id, for messages.
            max_age: Days after which a feature row is too old.

        Raises:
            InputError: One does not.
        """
        units = int(self.analysed.sum())
        empty = [arm for arm, count in zip(self._arms, self.analysed, strict=True) if not count]
        if empty:
            raise InputError(
                f"no unit is left to analyse in arm {', '.join(map(repr, empty))}: {int(self.not_eligible.sum())} "
                f"units do not fulfil eligible, {int(self.immature.sum())} have an outcome window that has not passed",
                remedy="loosen eligible, or shorten window.days",
            )
        if not self.metric_rows:
            raise InputError(
                f"metrics table: no row belongs to any of the {units} units in its windows",
                remedy=f"compare its ids with those of assignments, such as {example!r}; else compare its dates",
            )
        if self.without_features == units:
            raise InputError(
                f"features table: none of the {units} units has a row that is at most {max_age} days old",
                remedy=f"compare its ids with those of assignments, such as {example!r}; else raise features.max_age",
            )


def _require_one_snapshot(counts: pd.DataFrame, cohort: Cohort) -> None:
    ambiguous = np.flatnonzero(counts[join.FEATURE_VARIANTS] > 1)
    if len(ambiguous):
        raise InputError(
            f"features table: {len(ambiguous)} units have different rows on the same day, such as "
            f"{cohort.ids[int(ambiguous[0])].as_py()!r}",
            remedy="write one row per unit and day (a table without a date column: one row per unit)",
        )
