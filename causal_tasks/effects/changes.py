"""How the arms changed over the start: every metric's difference in differences, the primary one's event study."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from causal_tasks.data.columns import outcome_columns, pre_window_columns
from causal_tasks.data.periods import Period
from causal_tasks.effects.arguments import Mask
from causal_tasks.effects.averages import LEVEL, too_few, with_estimate
from causal_tasks.effects.did import METHOD, difference_in_differences
from causal_tasks.effects.effect import Effect
from causal_tasks.effects.event_study import EventStudy, event_study
from causal_tasks.experiment import Experiment, Metric

PRE_TREND_LEVEL = 0.05
"""p-value of parallel arms before the start below which a difference in differences is no headline."""


@dataclass(frozen=True, slots=True)
class Change:
    """How differently a treatment arm and the control changed in one metric.

    Attributes:
        metric: Name of the metric.
        treatment: Label of the arm.
        effect: The difference in differences; undefined, with a note that says why, where an arm is too small.
        event_study: Of the primary metric, where there are periods and both arms are large enough; else None.
    """

    metric: str
    treatment: str
    effect: Effect
    event_study: EventStudy | None

    @property
    def may_be_headline(self) -> bool:
        """Whether there is an effect, and no sign that the arms ran apart before the start already."""
        return bool(np.isfinite(self.effect.estimate)) and "pre_trend" not in self.effect.notes

    @property
    def headline(self) -> Effect:
        """The effect, with what a reader of the headline must know."""
        trend = self.event_study.pre_trend if self.event_study else None
        untested = trend is None or np.isnan(trend.p_value)
        notes = (*self.effect.notes, "did_headline", *(("pre_trend_untested",) if untested else ()))
        return replace(self.effect, notes=notes)

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON values."""
        return {
            "metric": self.metric,
            "treatment": self.treatment,
            "effect": self.effect.to_dict(),
            "event_study": None if self.event_study is None else self.event_study.to_dict(),
        }


def changes_over_start(users: pd.DataFrame, experiment: Experiment, periods: Sequence[Period]) -> list[Change]:
    """Every metric that is no ratio by every treatment, in the experiment's order; none without a pre-window.

    A sum over the pre-window is brought to the length of the outcome window.

    Args:
        users: ``arm``, ``y__<metric>``, ``pre__<metric>``, the columns of the periods, and ``cluster`` where the
            experiment names one.
        experiment: Names arms and metrics.
        periods: Of the primary metric; empty where there are none.
    """
    if not experiment.window.pre_days:
        return []
    return [
        _change(users, metric, treatment, experiment, periods if metric.role == "primary" else ())
        for metric in experiment.metrics
        if not metric.is_ratio
        for treatment in experiment.treatments
    ]


def with_changes(
    measured: Sequence[Mapping[str, Any]], changes: Sequence[Change], *, differed: Collection[str]
) -> list[dict[str, Any]]:
    """Effects with the differences in differences among their estimates, as the headline where it takes one.

    Where the arms differed before exposure already, the difference in differences replaces the headline, unless the
    arms ran apart as well; then the headline says ``did_refused``.

    Args:
        measured: As ``average_effects`` returns them.
        changes: Of the same metrics and treatments.
        differed: Metrics in which the arms differed before exposure.
    """
    rows = [dict(row) for row in measured]
    for change in changes:
        where = {"metric": change.metric, "treatment": change.treatment}
        if change.metric in differed and change.may_be_headline:
            rows = with_estimate(rows, change.headline, **where, headline="did")
        else:
            rows = with_estimate(rows, change.effect, **where)
            if change.metric in differed:
                rows = [_refused(row) if row.items() >= where.items() else row for row in rows]
    return rows


def _refused(row: Mapping[str, Any]) -> dict[str, Any]:
    effect = row["effect"] | {"notes": [*row["effect"]["notes"], "did_refused"]}
    estimates = [effect if estimate == row["effect"] else estimate for estimate in row["estimates"]]
    return {**row, "effect": effect, "estimates": estimates}


def _change(
    users: pd.DataFrame, metric: Metric, treatment: str, experiment: Experiment, periods: Sequence[Period]
) -> Change:
    compared = users["arm"].isin([experiment.control, treatment]).to_numpy()
    treated = (users["arm"] == treatment).to_numpy()
    study = _event_study(users, compared, treated, periods)
    effect = _effect(users, compared, treated, metric, experiment)
    if study and study.pre_trend and study.pre_trend.p_value < PRE_TREND_LEVEL:
        effect = replace(effect, notes=(*effect.notes, "pre_trend"))
    return Change(metric.name, treatment, effect, study)


def _effect(users: pd.DataFrame, compared: Mask, treated: Mask, metric: Metric, experiment: Experiment) -> Effect:
    (outcome,), (before,) = outcome_columns(metric), pre_window_columns(metric)
    with_outcome = compared & users[outcome].notna().to_numpy()
    known = with_outcome & users[before].notna().to_numpy()
    scale, notes = scale_of_pre_window(metric, experiment)
    for code, left_out in (("missing_outcome", compared & ~with_outcome), ("no_pre_window", with_outcome & ~known)):
        if left_out.any():
            notes += (f"{code}: {int(left_out.sum())}",)
    arm, clusters = treated[known], _clusters(users, known)
    if reason := too_few(arm, clusters):
        return Effect.undefined(
            METHOD, n_control=int((~arm).sum()), n_treatment=int(arm.sum()), level=LEVEL, notes=(*notes, reason)
        )
    effect = difference_in_differences(
        users[outcome].to_numpy()[known], arm, users[before].to_numpy()[known] * scale, clusters=clusters, level=LEVEL
    )
    return replace(effect, notes=notes)


def scale_of_pre_window(metric: Metric, experiment: Experiment) -> tuple[float, tuple[str, ...]]:
    """What brings values of the pre-window to the length of the outcome window.

    Args:
        metric: No ratio.
        experiment: States both windows.

    Returns:
        A factor, and notes on it: ``pre_scaled`` for a sum over another number of days, ``pre_not_scaled`` for an
        aggregate ``any``, whose windows no factor makes alike.
    """
    window = experiment.window
    if window.days == window.pre_days or metric.aggregate in {"mean", "last"}:
        return 1.0, ()
    return (window.days / window.pre_days, ("pre_scaled",)) if metric.aggregate == "sum" else (1.0, ("pre_not_scaled",))


def _event_study(users: pd.DataFrame, compared: Mask, treated: Mask, periods: Sequence[Period]) -> EventStudy | None:
    if not periods:
        return None
    values = users[[period.column for period in periods]].to_numpy()
    known = compared & ~np.isnan(values).any(axis=1)
    arm, clusters = treated[known], _clusters(users, known)
    if too_few(arm, clusters):
        return None
    return event_study(
        values[known],
        arm,
        before=sum(period.last_day < 0 for period in periods),
        days=[(period.first_day, period.last_day) for period in periods],
        clusters=clusters,
        level=LEVEL,
    )


def _clusters(users: pd.DataFrame, rows: Mask) -> Any:
    return users["cluster"].to_numpy()[rows] if "cluster" in users else None
