"""The average effects of an observational comparison: every metric between users of like propensity."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from causal_tasks.data.columns import outcome_columns, pre_window_columns
from causal_tasks.effects.arguments import Codes, Floats, Mask
from causal_tasks.effects.averages import LEVEL, with_estimate
from causal_tasks.effects.changes import scale_of_pre_window
from causal_tasks.effects.effect import Effect
from causal_tasks.effects.matched_effect import METHOD, matched_effect
from causal_tasks.effects.matched_units import MatchedUnits, in_both_arms, match_in_buckets, treated_distribution
from causal_tasks.experiment import Experiment, Metric


def with_matching(
    measured: Sequence[Mapping[str, Any]],
    users: pd.DataFrame,
    propensity: pd.DataFrame,
    buckets: Mapping[str, int],
    experiment: Experiment,
) -> list[dict[str, Any]]:
    """Effects headlined by matching, with the matched difference in differences beside where there is a pre-window.

    Both are averages over the matched treated users. A user whose outcome is missing leaves the comparison; the weights
    of the others of the same bucket make up for it.

    Args:
        measured: As ``average_effects`` returns them.
        users: As for ``average_effects``.
        propensity: Rows as ``users``, as ``validate`` writes it.
        buckets: By treatment, into how many ``validate`` cut the propensities.
        experiment: Names arms and metrics.
    """
    rows = [dict(row) for row in measured]
    for treatment in experiment.treatments:
        compared = users["arm"].isin([experiment.control, treatment]).to_numpy()
        units = _units(users, propensity, treatment, compared, buckets[treatment])
        for metric in experiment.metrics:
            effects = _matched(users[compared], units, metric, experiment)
            for effect in effects:
                headline = METHOD if effect.method == METHOD else None
                rows = with_estimate(rows, effect, metric=metric.name, treatment=treatment, headline=headline)
    return rows


def _units(users: pd.DataFrame, propensity: pd.DataFrame, treatment: str, compared: Mask, buckets: int) -> MatchedUnits:
    """The units as ``validate`` matched them: its buckets follow from the propensities of those it kept."""
    chance = propensity[f"propensity__{treatment}"].to_numpy()[compared]
    kept = propensity[f"kept__{treatment}"].to_numpy()[compared]
    treated = (users["arm"][compared] == treatment).to_numpy()
    found = match_in_buckets(chance[kept], treated[kept], buckets=buckets, overlap=(0.0, 1.0))
    stratum = np.full(len(chance), -1, dtype=np.intp)
    stratum[kept] = found.stratum
    return MatchedUnits(chance, treated, kept, stratum)


def _matched(users: pd.DataFrame, units: MatchedUnits, metric: Metric, experiment: Experiment) -> list[Effect]:
    outcome = [_floats(users, column) for column in outcome_columns(metric)]
    before = [_floats(users, column) for column in pre_window_columns(metric) if column in users]
    known = ~np.isnan(np.sum(outcome, axis=0, dtype=np.float64))
    notes = _missing("missing_outcome", known)
    clusters = pd.factorize(users["cluster"])[0] if "cluster" in users else None
    if metric.is_ratio:
        return [_ratio_effect(outcome[0], outcome[1], units, known, clusters, notes)]
    effects = [_effect(outcome[0], None, units, known, clusters, notes)]
    if before:
        scale, remark = scale_of_pre_window(metric, experiment)
        both = known & ~np.isnan(before[0])
        notes += _missing("no_pre_window", both[known]) + remark
        effects.append(_effect(outcome[0], before[0] * scale, units, both, clusters, notes))
    return effects


def _effect(
    values: Floats,
    before: Floats | None,
    units: MatchedUnits,
    known: Mask,
    clusters: Codes | None,
    notes: tuple[str, ...],
) -> Effect:
    return matched_effect(
        values[known],
        units.treated[known],
        units.stratum[known],
        pre_outcome=None if before is None else before[known],
        clusters=None if clusters is None else clusters[known],
        level=LEVEL,
        notes=notes,
    )


def _ratio_effect(
    above: Floats, below: Floats, units: MatchedUnits, known: Mask, clusters: Codes | None, notes: tuple[str, ...]
) -> Effect:
    """The difference of the matched arms' ratios of totals, by the delta method."""
    treated = units.treated[known]
    weights = treated_distribution(in_both_arms(units.stratum[known], treated), treated)
    values = np.zeros(len(above))
    linearised = np.zeros(len(treated))
    for arm in (treated, ~treated):
        total = float((weights * below[known])[arm].sum())
        if total == 0:
            counts = {"n_control": int((weights[~treated] > 0).sum()), "n_treatment": int(weights[treated].sum())}
            reason = "zero_denominator" if weights[arm].any() else "too_few_matched"
            return Effect.undefined(METHOD, **counts, level=LEVEL, notes=(*notes, reason))
        ratio = float((weights * above[known])[arm].sum()) / total
        deviation = (above[known] - ratio * below[known])[arm] * float(weights[arm].sum()) / total
        linearised[arm] = ratio + deviation
    values[known] = linearised
    return _effect(values, None, units, known, clusters, notes)


def _floats(users: pd.DataFrame, column: str) -> Floats:
    values: Floats = users[column].to_numpy(dtype=np.float64, na_value=np.nan)
    return values


def _missing(code: str, known: Mask) -> tuple[str, ...]:
    return () if known.all() else (f"{code}: {int((~known).sum())}",)
