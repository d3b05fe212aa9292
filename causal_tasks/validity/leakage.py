"""Signs that a feature was not known before the treatment: it holds an outcome, or it tells the arms apart."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import chdtrc
from scipy.stats import false_discovery_control, rankdata

from causal_tasks.data.columns import outcome_columns
from causal_tasks.experiment import Experiment
from causal_tasks.validity.arms import Arms
from causal_tasks.validity.grading import Check, grade
from causal_tasks.validity.metric_values import Floats, values_of
from causal_tasks.validity.samples import evenly

_MOST_LEVELS = 50
_FEWEST_EXPECTED = 5
"""Units of a level that the smallest arm must expect; rarer levels count as one."""
_CLUSTERED_LEVELS = 10
_TAIL = 0.001


def copied_outcomes(users: pd.DataFrame, names: Sequence[str], _: Arms, experiment: Experiment) -> Iterator[Check]:
    """Whether a feature follows an outcome almost exactly, by value or by rank, or bears a metric's name.

    A text is read as the mean outcome of its level. At most 50,000 units are looked at.
    """
    bound = experiment.thresholds.copy_correlation
    taken = {name.casefold(): m.name for m in experiment.metrics for name in (m.name, *m.columns)}
    rows = users.iloc[evenly(len(users))]
    outcomes = {metric.name: values_of(rows, outcome_columns(metric)) for metric in experiment.metrics}
    for name in names:
        correlations = {metric: _likeness(rows[name], outcome) for metric, outcome in outcomes.items()}
        closest = max(correlations, key=lambda metric: correlations[metric])
        namesake = taken.get(name.casefold())
        metric = closest if correlations[closest] > bound else namesake or closest
        yield Check(
            "outcome_copy",
            "warn" if namesake or correlations[closest] > bound else "pass",
            name,
            correlations[metric],
            bound,
            {"metric": metric, "same_name": namesake is not None},
        )


def _likeness(column: "pd.Series[Any]", outcome: Floats) -> float:
    """The larger of the absolute correlations of values and of ranks, 0 where either side does not vary."""
    values = _as_numbers(column, outcome)
    known = ~(np.isnan(values) | np.isnan(outcome))
    values, outcome = values[known], outcome[known]
    if len(values) < 3 or values.min() == values.max() or outcome.min() == outcome.max():
        return 0.0
    by_value = abs(np.corrcoef(values, outcome)[0, 1])
    # A cap bends the values of a copy, not its ranks.
    by_rank = abs(np.corrcoef(rankdata(values), rankdata(outcome))[0, 1])
    return float(min(max(by_value, by_rank), 1.0))


def _as_numbers(column: "pd.Series[Any]", outcome: Floats) -> Floats:
    if pd.api.types.is_numeric_dtype(column.dtype):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    codes, levels = pd.factorize(column)
    if len(levels) > _MOST_LEVELS:
        return np.full(len(column), np.nan)
    known = (codes >= 0) & ~np.isnan(outcome)
    totals = np.bincount(codes[known], outcome[known], minlength=len(levels))
    means = totals / np.maximum(np.bincount(codes[known], minlength=len(levels)), 1)
    return np.where(codes >= 0, means[codes] if len(levels) else np.nan, np.nan)


def features_by_arm(users: pd.DataFrame, names: Sequence[str], arms: Arms, experiment: Experiment) -> Iterator[Check]:
    """Whether a feature is distributed alike in all arms, by q-values over all features and treatments."""
    if not names:
        return
    p_values = [_by_arm(users[name], arms) for name in names]
    sizes = [len(found) for found in p_values]
    q_values = false_discovery_control([p for found in p_values for p in found], method="bh")
    for name, found in zip(names, np.split(q_values, np.cumsum(sizes)[:-1]), strict=True):
        yield grade(
            "feature_differs_by_arm",
            float(found.min()),
            warn=experiment.thresholds.p_value,
            lower_is_worse=True,
            subject=name,
        )


def _by_arm(column: "pd.Series[Any]", arms: Arms) -> list[float]:
    """p-values of a number's mean, by treatment, or of a text's levels, for all treatments at once."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        return list(arms.difference_p_values(_without_tails(column)).values())
    codes, levels = pd.factorize(column)
    rows = codes >= 0
    units = np.bincount(codes[rows], minlength=len(levels))
    order = np.argsort(-units, kind="stable")
    if arms.clustered:
        # Of levels within clusters only single shares can be tested; Bonferroni's bound makes them one test.
        shares = ((codes == level).astype(np.float64) for level in order[:_CLUSTERED_LEVELS])
        tests = [p for share in shares for p in arms.difference_p_values(share).values()]
        return [min([1.0, *(p * len(tests) for p in tests)])]
    smallest_arm = np.bincount(arms.codes, minlength=len(arms.names)).min() / len(column)
    common = order[units[order] * smallest_arm >= _FEWEST_EXPECTED][:_MOST_LEVELS]
    place = np.full(len(levels), len(common))
    place[common] = np.arange(len(common))
    cells = place[codes[rows]] * len(arms.names) + arms.codes[rows]
    table = np.bincount(cells, minlength=(len(common) + 1) * len(arms.names))
    return [_independence(table.reshape(-1, len(arms.names)))]


def _without_tails(column: "pd.Series[Any]") -> Floats:
    """Values between the pooled 0.1 % and 99.9 %, so that single large ones do not decide; rare ones stay."""
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    known = values[~np.isnan(values)]
    if not len(known):
        return values
    low, high = np.quantile(known, [_TAIL, 1 - _TAIL])
    return np.clip(values, low, high) if low < high else values


def _independence(table: npt.NDArray[np.int64]) -> float:
    """The p-value of rows and columns being independent (Pearson's chi-square); empty ones do not count."""
    table = table[table.any(axis=1)][:, table.any(axis=0)].astype(np.float64)
    freedom = (table.shape[0] - 1) * (table.shape[1] - 1)
    if freedom < 1:
        return 1.0
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    return float(chdtrc(freedom, ((table - expected) ** 2 / expected).sum()))
