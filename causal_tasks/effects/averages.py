"""The average effect of every treatment on every metric, by the estimators that its data allow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from causal_tasks.data.columns import outcome_columns, pre_window_columns
from causal_tasks.effects.arguments import Floats, Mask
from causal_tasks.effects.effect import Effect
from causal_tasks.effects.means import cuped, difference_in_means
from causal_tasks.effects.primary import beside_headline, primary_proxy
from causal_tasks.effects.ratio import ratio_of_means
from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment, Metric

LEVEL = 0.95
MIN_UNITS = 3
"""Units per arm from which on an adjustment for the pre-window and its gaps leaves degrees of freedom."""


def average_effects(
    users: pd.DataFrame, experiment: Experiment, features: Sequence[str] = (), *, n_jobs: int = 1
) -> list[dict[str, Any]]:
    """Every metric by every treatment, in the experiment's order.

    The headline is CUPED where a pre-window varies, else the difference in means, for a ratio that of the ratios:
    declared in advance, whatever the others say. For the primary metric CUPAC, MLRATE and STATE are computed beside.

    Args:
        users: ``arm``, ``y__<metric>`` or ``num__<ratio>`` and ``den__<ratio>``, where there is a pre-window
            ``pre__<metric>``, where the experiment names one ``cluster``, and the features.
        experiment: Names arms and metrics.
        features: Columns from which, with every column of the pre-window, the primary outcome is expected.
        n_jobs: Threads of a model's fit.

    Returns:
        ``{"metric", "treatment", "role", "effect", "unadjusted", "estimates", "headline"}`` each; effects as
        ``Effect.to_dict`` gives them. ``estimates`` holds all that were computed, the headlined one too. An effect that
        the data do not define has null estimates and a note that says why; the headline notes what is missing beside.
    """
    proxy = primary_proxy(users, experiment, features, n_jobs=n_jobs)
    return [
        _measured(_Rows.of(users, metric, treatment, experiment, proxy), metric, treatment, experiment)
        for metric in experiment.metrics
        for treatment in experiment.treatments
    ]


def with_estimate(
    measured: Sequence[Mapping[str, Any]], effect: Effect, *, metric: str, treatment: str, headline: str | None = None
) -> list[dict[str, Any]]:
    """The rows of ``average_effects`` with one more estimate, in place of one by the same method.

    Args:
        measured: The rows.
        effect: The estimate.
        metric: Whose row gets it.
        treatment: Likewise.
        headline: The name under which it becomes the headline; None: it stands beside.

    Raises:
        InputError: There is no such row.
    """
    if not any((row["metric"], row["treatment"]) == (metric, treatment) for row in measured):
        raise InputError(
            f"no effect of {treatment!r} on {metric!r} was measured", remedy="name a metric and arm of the experiment"
        )
    record = effect.to_dict()
    rows = [dict(row) for row in measured]
    for row in rows:
        if (row["metric"], row["treatment"]) == (metric, treatment):
            row["estimates"] = [*(e for e in row["estimates"] if e["method"] != effect.method), record]
            if headline is not None:
                row |= {"effect": record, "headline": headline}
    return rows


@dataclass(frozen=True, slots=True)
class _Rows:
    """Users of the control and one treatment arm whose outcome is known.

    Attributes:
        values: Outcome, or numerator and denominator, each of shape (n,).
        treated: Shape (n,).
        before: The metric's pre-window, shape (n,); None where there is none.
        clusters: Shape (n,); None: users are independent.
        proxy: Shape (n,); None where there is none.
        notes: On who was left out.
    """

    values: tuple[Floats, ...]
    treated: Mask
    before: Floats | None
    clusters: Any
    proxy: Floats | None
    notes: tuple[str, ...]

    @classmethod
    def of(
        cls, users: pd.DataFrame, metric: Metric, treatment: str, experiment: Experiment, proxy: Floats | None
    ) -> "_Rows":
        compared = users["arm"].isin([experiment.control, treatment]).to_numpy()
        known = compared & users[list(outcome_columns(metric))].notna().all(axis=1).to_numpy()
        before = next((name for name in pre_window_columns(metric) if name in users and not metric.is_ratio), None)
        missing = int(compared.sum() - known.sum())
        return cls(
            values=tuple(users[name].to_numpy()[known] for name in outcome_columns(metric)),
            treated=(users["arm"] == treatment).to_numpy()[known],
            before=None if before is None else users[before].to_numpy()[known],
            clusters=users["cluster"].to_numpy()[known] if "cluster" in users else None,
            proxy=None if proxy is None or metric.role != "primary" else proxy[known],
            notes=(f"missing_outcome: {missing}",) if missing else (),
        )

    def undefined(self) -> str | None:
        """Why there is no effect to estimate; None where there is one."""
        if reason := too_few(self.treated, self.clusters):
            return reason
        arms = (~self.treated, self.treated)
        is_zero = len(self.values) == 2 and any(self.values[1][members].mean() == 0 for members in arms)
        return "zero_denominator" if is_zero else None


def too_few(treated: Mask, clusters: Any) -> str | None:
    """Why arms, a mask of shape (n,), are too small to be compared, as a note; None where they are not.

    Args:
        treated: Shape (n,).
        clusters: Labels, shape (n,); None: units are independent.
    """
    for members in (~treated, treated):
        if members.sum() < MIN_UNITS:
            return "too_few_units"
        if clusters is not None and len(pd.unique(clusters[members])) < 2:
            return "too_few_clusters"
    return None


def _measured(rows: _Rows, metric: Metric, treatment: str, experiment: Experiment) -> dict[str, Any]:
    if reason := rows.undefined():
        unadjusted = effect = _undefined_effect(metric, rows, reason)
        further: tuple[Effect, ...] = ()
    else:
        unadjusted, effect = _headline(rows, metric)
        further = ()
        if metric.role == "primary":
            beside = beside_headline(
                rows.values,
                rows.treated,
                rows.proxy,
                metric,
                clusters=rows.clusters,
                randomized=experiment.randomized,
                level=LEVEL,
            )
            further = tuple(_noted(estimate, rows.notes) for estimate in beside.effects)
            effect = _noted(effect, beside.notes)
    estimates = [unadjusted, effect, *further] if effect.method != unadjusted.method else [effect, *further]
    return {
        "metric": metric.name,
        "treatment": treatment,
        "role": metric.role,
        "effect": effect.to_dict(),
        "unadjusted": unadjusted.to_dict(),
        "estimates": [estimate.to_dict() for estimate in estimates],
        "headline": effect.method,
    }


def _headline(rows: _Rows, metric: Metric) -> tuple[Effect, Effect]:
    """The unadjusted effect and the headlined one."""
    if metric.is_ratio:
        above, below = rows.values
        ratio = ratio_of_means(above, below, rows.treated, clusters=rows.clusters, level=LEVEL)
        return (_noted(ratio, rows.notes),) * 2
    values = rows.values[0]
    plain = _noted(difference_in_means(values, rows.treated, clusters=rows.clusters, level=LEVEL), rows.notes)
    if rows.before is None:
        return plain, plain
    covariates, notes = _pre_window(rows.before, rows.treated)
    if covariates is None:
        return plain, _noted(plain, notes)
    adjusted = cuped(values, rows.treated, covariates, clusters=rows.clusters, level=LEVEL)
    return plain, _noted(adjusted, rows.notes + notes)


def _undefined_effect(metric: Metric, rows: _Rows, reason: str) -> Effect:
    return Effect.undefined(
        "ratio_of_means" if metric.is_ratio else "difference_in_means",
        n_control=int((~rows.treated).sum()),
        n_treatment=int(rows.treated.sum()),
        level=LEVEL,
        notes=(*rows.notes, reason),
    )


def _pre_window(values: Floats, treated: Mask) -> tuple[Floats | None, tuple[str, ...]]:
    """Covariates of the pre-window, shape (n, p); None where it holds nothing that varies; and notes on it."""
    missing = np.isnan(values)
    notes = (f"missing_pre_window: {int(missing.sum())}",) if missing.any() else ()
    if missing.all():
        return None, (*notes, "pre_window_constant")
    # Known before exposure, so filling with one pooled value and saying so by an indicator leaves no bias.
    filled = np.where(missing, values[~missing].mean(), values)
    if not _varies(filled, treated):
        return None, (*notes, "pre_window_constant")
    return np.column_stack([column for column in (filled, missing) if _varies(column, treated)]), notes


def _varies(values: Floats | Mask, treated: Mask) -> bool:
    return any((values[arm] != values[arm][0]).any() for arm in (treated, ~treated))


def _noted(effect: Effect, notes: tuple[str, ...]) -> Effect:
    return replace(effect, notes=effect.notes + notes)
