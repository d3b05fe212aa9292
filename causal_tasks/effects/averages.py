"""The average effect of every treatment on every metric, by the estimators that its data allow."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from causal_tasks.data.columns import outcome_columns, pre_window_columns
from causal_tasks.effects.arguments import Floats, Mask
from causal_tasks.effects.effect import Effect
from causal_tasks.effects.means import cuped, difference_in_means
from causal_tasks.effects.ratio import ratio_of_means
from causal_tasks.experiment import Experiment, Metric

LEVEL = 0.95
MIN_UNITS = 3
"""Units per arm from which on an adjustment for the pre-window and its gaps leaves degrees of freedom."""


def average_effects(users: pd.DataFrame, experiment: Experiment) -> list[dict[str, Any]]:
    """Every metric by every treatment, in the experiment's order.

    Args:
        users: ``arm``, ``y__<metric>`` or ``num__<ratio>`` and ``den__<ratio>``, where there is a pre-window
            ``pre__<metric>``, where the experiment names one ``cluster``.
        experiment: Names arms and metrics.

    Returns:
        ``{"metric", "treatment", "role", "effect", "unadjusted"}`` each; both effects as ``Effect.to_dict`` gives them.
        An effect that the data do not define has null estimates and a note that says why.
    """
    measured = []
    for metric in experiment.metrics:
        for treatment in experiment.treatments:
            rows = users[users["arm"].isin([experiment.control, treatment])]
            adjusted, unadjusted = _effects(rows, metric, experiment.control)
            measured.append(
                {
                    "metric": metric.name,
                    "treatment": treatment,
                    "role": metric.role,
                    "effect": adjusted.to_dict(),
                    "unadjusted": unadjusted.to_dict(),
                }
            )
    return measured


def _effects(rows: pd.DataFrame, metric: Metric, control: str) -> tuple[Effect, Effect]:
    """The best estimate and the unadjusted one."""
    outcome = list(outcome_columns(metric))
    known = rows[rows[outcome].notna().all(axis=1)]
    notes = (f"missing_outcome: {len(rows) - len(known)}",) if len(known) < len(rows) else ()
    treated = (known["arm"] != control).to_numpy()
    values = [known[column].to_numpy() for column in outcome]
    clusters = known["cluster"].to_numpy() if "cluster" in known else None
    if reason := _undefined(values, treated, clusters):
        effect = _undefined_effect(metric, treated, (*notes, reason))
        return effect, effect
    if metric.is_ratio:
        effect = _noted(ratio_of_means(values[0], values[1], treated, clusters=clusters, level=LEVEL), notes)
        return effect, effect
    plain = _noted(difference_in_means(values[0], treated, clusters=clusters, level=LEVEL), notes)
    (before,) = pre_window_columns(metric)
    if before not in known:
        return plain, plain
    covariates, pre_notes = _pre_window(known[before].to_numpy(), treated)
    if covariates is None:
        return _noted(plain, pre_notes), plain
    adjusted = cuped(values[0], treated, covariates, clusters=clusters, level=LEVEL)
    return _noted(adjusted, notes + pre_notes), plain


def _undefined(values: list[Floats], treated: Mask, clusters: Any) -> str | None:
    """Why there is no effect to estimate; None where there is one."""
    for members in (~treated, treated):
        if members.sum() < MIN_UNITS:
            return "too_few_units"
        if clusters is not None and len(pd.unique(clusters[members])) < 2:
            return "too_few_clusters"
        if len(values) == 2 and values[1][members].mean() == 0:
            return "zero_denominator"
    return None


def _undefined_effect(metric: Metric, treated: Mask, notes: tuple[str, ...]) -> Effect:
    return Effect.undefined(
        "ratio_of_means" if metric.is_ratio else "difference_in_means",
        n_control=int((~treated).sum()),
        n_treatment=int(treated.sum()),
        level=LEVEL,
        notes=notes,
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
