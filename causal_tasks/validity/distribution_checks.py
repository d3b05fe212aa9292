"""Checks of how outcomes are distributed: units of measurement, heavy tails, and what caps do to them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from causal_tasks.data.columns import outcome_columns
from causal_tasks.effects.inference import two_sided_quantile
from causal_tasks.experiment import Experiment, Metric
from causal_tasks.thresholds import Thresholds
from causal_tasks.validity.arms import Arms
from causal_tasks.validity.grading import Check, Status
from causal_tasks.validity.metric_values import Floats, column_of
from causal_tasks.validity.samples import evenly
from causal_tasks.validity.tails import heaviest_share, is_binary, tail_index

_FACTORS = (10.0, 60.0, 100.0, 1000.0)
"""Of units that are taken for each other: seconds and minutes, fen and yuan, milliseconds and seconds."""
_FACTORS_OF_LEVELS = (60.0, 100.0, 1000.0)
"""Levels may differ tenfold by nature: members and others, for instance."""

_MOST_LEVELS, _FEWEST_VALUES = 10, 200

_BEYOND_CHANCE = two_sided_quantile(0.95)
"""Standard errors beyond which a difference is more than chance."""

Mask = npt.NDArray[np.bool_]


def distribution_checks(
    users: pd.DataFrame, features: Sequence[str], profile: Mapping[str, Any], arms: Arms, experiment: Experiment
) -> list[Check]:
    """Scales that differ by a factor of units, heavy tails of metrics without a cap, caps that cut too much.

    Args:
        users: Outcomes of every metric, and the features.
        features: Those of them that are text and not sensitive are compared by level.
        profile: What ``prepare`` recorded of the caps.
        arms: Of the same rows.
        experiment: Names the metrics and the bounds.
    """
    bounds = experiment.thresholds
    plain = [metric for metric in experiment.metrics if not metric.is_ratio]
    shown = [name for name in features if not experiment.features[name].sensitive]
    scales = [check for metric in plain for check in _scales(users, shown, metric, arms, bounds)]
    tails = [check for metric in plain if metric.cap is None for check in _tail(users, metric, arms, bounds)]
    heavy = [check for check in tails if check.status != "pass"]
    return [
        *(scales or [Check("unit_scale", "pass")]),
        *(heavy or [Check("heavy_tail", "pass", value=max((check.value or 0 for check in tails), default=None))]),
        *(_cap(name, cap, experiment) for name, cap in profile["caps"].items()),
    ]


def _scales(
    users: pd.DataFrame, features: Sequence[str], metric: Metric, arms: Arms, thresholds: Thresholds
) -> Iterator[Check]:
    """One check for the first pair of arms, else of levels, whose typical values other than zero differ by a factor."""
    values = column_of(users, outcome_columns(metric)[0])
    by_arm = [_typical(values[arms.codes == code]) for code in range(len(arms.names))]
    for arm, (mean, median) in zip(arms.names[1:], by_arm[1:], strict=True):
        for ratio in (_ratio(mean, by_arm[0][0]), _ratio(median, by_arm[0][1])):
            if factor := _factor(ratio, _FACTORS, thresholds.scale):
                yield _scale(metric, ratio, factor, {"treatment": arm})
                return
    rows = evenly(len(users))
    sampled = values[rows]
    for name in features:
        for level, members in _levels(users[name].iloc[rows]):
            ratio = _ratio(_typical(sampled[members])[1], _typical(sampled[~members])[1])
            if factor := _factor(ratio, _FACTORS_OF_LEVELS, thresholds.scale):
                yield _scale(metric, ratio, factor, {"feature": name, "level": level})
                return


def _scale(metric: Metric, ratio: float, factor: float, where: Mapping[str, str]) -> Check:
    return Check("unit_scale", "warn", metric.name, max(ratio, 1 / ratio), factor, {"ratio": ratio, **where})


def _typical(values: Floats) -> tuple[float, float]:
    """Mean and median of the values other than zero, NaN for few values."""
    known = values[~np.isnan(values) & (values != 0)]
    if len(known) < _FEWEST_VALUES:
        return np.nan, np.nan
    return float(known.mean()), float(np.median(known))


def _ratio(value: float, reference: float) -> float:
    """NaN where there is nothing to divide by."""
    return value / reference if reference else np.nan


def _factor(ratio: float, factors: Sequence[float], tolerance: float) -> float | None:
    """The factor near which a ratio or its inverse lies."""
    if not np.isfinite(ratio) or ratio <= 0:
        return None
    size = max(ratio, 1 / ratio)
    return next((factor for factor in factors if abs(size / factor - 1) <= tolerance), None)


def _levels(column: "pd.Series[Any]") -> Iterator[tuple[str, Mask]]:
    """Level and members, for text with few levels."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        return
    codes, levels = pd.factorize(column)
    if 1 < len(levels) <= _MOST_LEVELS:
        for code, level in enumerate(levels):
            yield str(level), codes == code


def _tail(users: pd.DataFrame, metric: Metric, arms: Arms, thresholds: Thresholds) -> Iterator[Check]:
    """Means of a heavy tail are unstable, and biased in tests where arms are of unequal size."""
    values = column_of(users, outcome_columns(metric)[0])
    known = ~np.isnan(values)
    sizes = [count for count in arms.count(known).values() if count]
    present = np.abs(values[known & (values != 0)])
    if is_binary(values) or len(present) < thresholds.events_per_arm or not sizes:
        return
    share, index = heaviest_share(present), tail_index(present)
    imbalance = max(sizes) / min(sizes)
    heavy = share > thresholds.top_share or (index is not None and index < thresholds.tail_index)
    fails = heavy and imbalance > thresholds.unbalanced and metric.role == "primary"
    status: Status = "fail" if fails else "warn" if heavy else "pass"
    details = {"tail_index": index, "tail_index_bound": thresholds.tail_index, "imbalance": imbalance}
    yield Check("heavy_tail", status, metric.name, share, thresholds.top_share, details)


def _cap(name: str, cap: Mapping[str, Any], experiment: Experiment) -> Check:
    """Whether a cap cuts many values, or turns a difference that the data supports into its opposite."""
    differences, turned = {}, []
    for treatment in experiment.treatments:
        raw, raw_error = _difference(cap["raw"], experiment.control, treatment)
        cut, cut_error = _difference(cap["capped"], experiment.control, treatment)
        differences[treatment] = {"raw": raw, "capped": cut}
        if raw * cut < 0 and (abs(raw) > _BEYOND_CHANCE * raw_error or abs(cut) > _BEYOND_CHANCE * cut_error):
            turned.append(treatment)
    share, bound = cap["share_of_nonzero"], experiment.thresholds.capped
    details = {
        "cap": cap["value"],
        "share_capped": cap["share_capped"],
        "differences": differences,
        "turned": turned,
    }
    return Check("cap", "warn" if share > bound or turned else "pass", name, share, bound, details)


def _difference(by_arm: Mapping[str, Any], control: str, treatment: str) -> tuple[float, float]:
    """Difference in means and its standard error; 0 and infinite where an arm has too few values."""
    errors = [by_arm[arm]["standard_error"] for arm in (control, treatment)]
    if None in errors:
        return 0.0, np.inf
    return by_arm[treatment]["mean"] - by_arm[control]["mean"], float(np.hypot(*errors))
