"""The average effect on the treated, from comparisons within groups of like units."""

from dataclasses import replace

import numpy as np

from causal_tasks.effects.arguments import Codes, Floats, Mask
from causal_tasks.effects.effect import Effect, Influence, effect_from_influence
from causal_tasks.effects.matched_units import in_both_arms, treated_distribution

METHOD = "matching"
METHOD_DID = "matching_did"
MIN_UNITS = 3
"""Matched units of either arm below which there is no effect to speak of."""


def matched_effect(
    outcome: Floats,
    treated: Mask,
    stratum: Codes,
    *,
    pre_outcome: Floats | None = None,
    clusters: Codes | None = None,
    level: float = 0.95,
    notes: tuple[str, ...] = (),
) -> Effect:
    """Average effect on the treated units that have controls in their stratum (ATT).

    In each stratum the mean of the treated minus that of the controls, weighed by the number of treated. The standard
    error is that of matching estimators: the spread of a treated unit's outcome around its own stratum's controls, and
    of each control around its stratum, times how often it is used; with clusters, the spread around arm means, summed
    by cluster. It takes strata as given, so it leaves out that propensities were estimated and that units within a
    stratum still differ in them; and no standard error knows of confounders that were not observed.

    With ``pre_outcome`` it is the same of the change since then: a difference in differences between like units.

    Args:
        outcome: Shape (n,), any unit, finite.
        treated: Shape (n,).
        stratum: Shape (n,), codes of like units, -1 for units not to be compared. A stratum in which one arm has no
            unit is left out.
        pre_outcome: Shape (n,), the same before exposure on the same scale; None: the outcome itself is compared.
        clusters: Shape (n,), codes 0, 1, … of units that are not independent; None: all are.
        level: Coverage of the interval.
        notes: Of the effect.

    Returns:
        Counts are of matched units, the control mean is the weighted one: what the treated would have had. Undefined,
        with the note ``too_few_matched`` or ``too_few_clusters``, where fewer than three units or two clusters of an
        arm are matched.

    Source: Abadie, Imbens (2006), theorem 7; with pairs that is the variance of differences within pairs.
    """
    method = METHOD if pre_outcome is None else METHOD_DID
    rows = np.flatnonzero(in_both_arms(stratum, treated) >= 0)
    values, arm = outcome[rows], treated[rows]
    groups = np.unique(stratum[rows], return_inverse=True)[1]
    if reason := _too_few(arm, None if clusters is None else clusters[rows]):
        n_treatment = int(arm.sum())
        return Effect.undefined(
            method, n_control=len(arm) - n_treatment, n_treatment=n_treatment, level=level, notes=(*notes, reason)
        )
    compared = values if pre_outcome is None else values - pre_outcome[rows]
    share = treated_distribution(groups, arm) / arm.sum()
    control_mean = float((share * values)[~arm].sum())
    estimate = float((share * compared)[arm].sum() - (share * compared)[~arm].sum())
    if clusters is None:
        on_estimate = _around_strata(compared, arm, groups, estimate)
        independent = np.arange(len(rows))
    else:
        on_estimate = _around_arms(compared, arm, share)
        independent = np.unique(clusters[rows], return_inverse=True)[1]
    effect = effect_from_influence(
        Influence(on_estimate, np.where(arm, 0.0, share * (values - control_mean))),
        estimate=estimate,
        control_mean=control_mean,
        treated=arm,
        clusters=independent,
        level=level,
        method=method,
    )
    return replace(effect, notes=notes)


def _too_few(treated: Mask, clusters: Codes | None) -> str | None:
    """Why there is no effect to speak of; None where there is one."""
    for arm in (treated, ~treated):
        if arm.sum() < MIN_UNITS:
            return "too_few_matched"
        if clusters is not None and len(np.unique(clusters[arm])) < 2:
            return "too_few_clusters"
    return None


def _around_strata(values: Floats, treated: Mask, groups: Codes, estimate: float) -> Floats:
    """Influence on the effect of independent units, shape (n,), every group with units of both arms.

    A treated unit's deviation holds the noise of its own controls. What is left for a control of one of n treated and
    m control units is n (n - 1) / m^2 of its variance: nothing in pairs, all but 1 / n in large groups.
    """
    n, m = (np.bincount(groups, arm).astype(np.float64) for arm in (treated, ~treated))
    control_mean = np.bincount(groups, np.where(treated, 0.0, values)) / m
    deviation = values - control_mean[groups]
    # The one control of a group cannot deviate from itself: it is held against all controls instead.
    controls = values[~treated]
    alone = ~treated & (m[groups] == 1)
    deviation[alone] = values[alone] - controls.mean()
    used = np.sqrt(n * (n - 1) / (m * np.maximum(m - 1, 1)))
    influence: Floats = np.where(treated, deviation - estimate, -used[groups] * deviation) / treated.sum()
    return influence


def _around_arms(values: Floats, treated: Mask, share: Floats) -> Floats:
    """Influence on the effect, shape (n,), that leaves out what strata explain: to be summed by cluster."""
    means = np.array([(share * values)[~treated].sum(), (share * values)[treated].sum()])
    influence: Floats = share * (values - means[treated.astype(np.intp)]) * np.where(treated, 1.0, -1.0)
    return influence
