"""What is computed beside the primary metric's headline: estimators that use all that was known before exposure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from causal_tasks.data.columns import outcome_columns, pre_window_columns
from causal_tasks.effects.arguments import Floats, Mask
from causal_tasks.effects.cupac import cupac
from causal_tasks.effects.effect import Effect
from causal_tasks.effects.means import difference_in_means
from causal_tasks.effects.mlrate import mlrate
from causal_tasks.effects.proxy import cross_fitted_proxy, varies_in_each_arm
from causal_tasks.effects.ratio import linearised
from causal_tasks.effects.ratio_student_t import ratio_student_t
from causal_tasks.effects.student_t import student_t_effect
from causal_tasks.effects.t_regression import ScaleCollapseError
from causal_tasks.experiment import Experiment, Metric

UNBALANCED = 0.001
"""p-value of no difference between the arms' proxies below which covariates seem to know the arm."""


@dataclass(frozen=True, slots=True)
class Beside:
    """Estimates beside the headline.

    Attributes:
        effects: Those that could be computed, in order: CUPAC, MLRATE, STATE; for a ratio STATE alone.
        notes: For the headline: which could not, and what is odd.
    """

    effects: tuple[Effect, ...]
    notes: tuple[str, ...]


def primary_proxy(
    users: pd.DataFrame, experiment: Experiment, features: Sequence[str], *, n_jobs: int
) -> Floats | None:
    """What is expected of each user's primary outcome (a ratio's: linearised), shape (n,), NaN where it is unknown.

    Args:
        users: As for ``average_effects``.
        experiment: Names arms and metrics.
        features: Columns of ``users``; what ``users`` holds of any metric's pre-window is used besides.
        n_jobs: Threads of a fit.

    Returns:
        None where there is no covariate, or no outcome that could be expected.
    """
    metric = experiment.primary
    before = [name for other in experiment.metrics for name in pre_window_columns(other) if name in users]
    covariates = [*before, *features]
    known = users[list(outcome_columns(metric))].notna().all(axis=1).to_numpy()
    clusters = users["cluster"].to_numpy()[known] if "cluster" in users else None
    independent = int(known.sum()) if clusters is None else len(pd.unique(clusters))
    if not covariates or independent < 2:
        return None
    values = [users[name].to_numpy()[known] for name in outcome_columns(metric)]
    if metric.is_ratio:
        in_control = (users["arm"] == experiment.control).to_numpy()[known]
        if not in_control.any() or values[1][in_control].mean() == 0:
            return None
        values = [linearised(values[0], values[1], in_control)]
    proxy = np.full(len(users), np.nan)
    proxy[known] = cross_fitted_proxy(values[0], users.loc[known, covariates], clusters=clusters, n_jobs=n_jobs)
    return proxy


def beside_headline(
    values: Sequence[Floats],
    treated: Mask,
    proxy: Floats | None,
    metric: Metric,
    *,
    clusters: Any,
    randomized: bool,
    level: float,
) -> Beside:
    """Every further estimate of the effect on the primary metric.

    Args:
        values: Outcome, or numerator and denominator, each of shape (n,).
        treated: Shape (n,).
        proxy: Shape (n,), without missing values; None: there is none, and STATE adjusts for nothing.
        metric: The primary one.
        clusters: Shape (n,), or None.
        randomized: Whether arms must have like proxies.
        level: Coverage of the intervals.
    """
    notes = []
    if proxy is not None and not varies_in_each_arm(proxy, treated):
        proxy = None
        notes.append("proxy_constant")
    if proxy is not None and randomized:
        difference = difference_in_means(proxy, treated, clusters=clusters, level=level)
        if difference.p_value < UNBALANCED:
            notes.append("proxy_unbalanced")
    effects = []
    if proxy is not None and not metric.is_ratio:
        adjusted = cupac(values[0], treated, proxy=proxy, clusters=clusters, level=level)
        lines = mlrate(values[0], treated, proxy=proxy, clusters=clusters, level=level)
        effects += [adjusted, replace(lines, variance_ratio_cupac=lines.variance_ratio_to(adjusted))]
    try:
        if metric.is_ratio:
            effects.append(ratio_student_t(values[0], values[1], treated, proxy=proxy, clusters=clusters, level=level))
        else:
            effects.append(student_t_effect(values[0], treated, proxy=proxy, clusters=clusters, level=level))
    except ScaleCollapseError:
        notes.append("student_t_refused")
    return Beside(tuple(effects), tuple(notes))
