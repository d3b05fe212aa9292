"""Caps against heavy tails: an upper bound found once, on the outcomes of all arms together, and then left alone."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment, Metric, Window

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AppliedCap:
    """A cap as it was applied to a metric.

    Attributes:
        value: In the metric's unit.
        share_capped: Share of the units with a value whose value was above it.
    """

    value: float
    share_capped: float

    def applied_to(self, values: npt.ArrayLike) -> Floats:
        """``values`` of any shape, in the metric's unit, bounded; missing ones stay missing."""
        return np.minimum(np.asarray(values, dtype=np.float64), self.value)


@dataclass(frozen=True, slots=True)
class ArmMean:
    """The mean of a metric in one arm.

    Attributes:
        units: With a value.
        mean: None where no unit has a value.
        standard_error: Of ``mean``, as if units were independent; None below two units.
    """

    units: int
    mean: float | None
    standard_error: float | None


@dataclass(frozen=True, slots=True)
class MetricCap(AppliedCap):
    """The cap of a metric of an experiment, and what it changed.

    Attributes:
        pre_value: Bound of the pre-window: ``value``, for a sum the same per day; None without a pre-window.
        share_of_nonzero: Share of the units with a value other than zero whose value was above ``value``.
        raw: Means by arm without the cap.
        capped: Means by arm with it.
    """

    pre_value: float | None
    share_of_nonzero: float
    raw: Mapping[str, ArmMean]
    capped: Mapping[str, ArmMean]


def pooled_cap(outcome: npt.ArrayLike, *, quantile: float | None = None, value: float | None = None) -> AppliedCap:
    """The cap of an outcome, pooled over arms.

    A cap of its own for each arm would be moved by the treatment. Found on one set of outcomes it may bound others,
    such as the pre-window or a follow-up's.

    Args:
        outcome: Shape (n,), of all arms; missing values are left out.
        quantile: Of the outcomes, between 0 and 1.
        value: In the outcome's unit; exactly one of the two.

    Raises:
        InputError: There is no value, both or neither of ``quantile`` and ``value`` are given, or the quantile is no
            share.

    Examples:
        >>> cap = pooled_cap([1.0, 2.0, 3.0, 4.0, 90.0], quantile=0.75)
        >>> cap.value, cap.share_capped, cap.applied_to([1.0, 90.0]).tolist()
        (4.0, 0.2, [1.0, 4.0])
    """
    known = np.asarray(outcome, dtype=np.float64)
    known = known[~np.isnan(known)]
    if not len(known):
        raise InputError("the outcome to be capped has no value", remedy="pass outcomes of at least one unit")
    if value is None and quantile is not None and 0 < quantile < 1:
        value = float(np.quantile(known, quantile))
    elif value is None or quantile is not None:
        raise InputError(
            f"a cap of quantile {quantile} and value {value}", remedy="pass a quantile between 0 and 1, or a value"
        )
    return AppliedCap(value, float(np.mean(known > value)))


def applied_caps(draft: pa.Table, experiment: Experiment) -> dict[str, MetricCap]:
    """The caps of the metrics that have one, pooled over arms.

    Args:
        draft: Rows of analysed units: ``arm`` and the uncapped ``y__<metric>``.
        experiment: States the caps.

    Raises:
        InputError: No unit has a value of such a metric.
    """
    metrics = [metric for metric in experiment.metrics if metric.cap is not None]
    if not metrics:
        return {}
    codes = pc.index_in(draft["arm"], value_set=pa.array(experiment.arms, pa.string())).to_numpy()
    return {metric.name: _metric_cap(metric, draft[f"y__{metric.name}"], codes, experiment) for metric in metrics}


def _metric_cap(
    metric: Metric, outcome: pa.ChunkedArray, codes: npt.NDArray[np.int32], experiment: Experiment
) -> MetricCap:
    values: Floats = outcome.drop_null().to_numpy()
    if not len(values) or metric.cap is None:
        raise InputError(
            f"metric {metric.name!r} is to be capped, but no unit has a value",
            remedy="write its values, or leave the metric out",
        )
    cap = pooled_cap(values, quantile=metric.cap.quantile, value=metric.cap.value)
    of_known = codes[pc.is_valid(outcome).to_numpy()]
    return MetricCap(
        cap.value,
        cap.share_capped,
        _pre_window_bound(cap.value, metric, experiment.window),
        int(np.sum(values > cap.value)) / max(int(np.count_nonzero(values)), 1),
        _means_by_arm(values, of_known, experiment.arms),
        _means_by_arm(cap.applied_to(values), of_known, experiment.arms),
    )


def _pre_window_bound(value: float, metric: Metric, window: Window) -> float | None:
    """A sum over twice the days is bound at twice the value: else heavy users would seem to have grown."""
    if not window.pre_days:
        return None
    return value * window.pre_days / window.days if metric.aggregate == "sum" else value


def _means_by_arm(values: Floats, codes: npt.NDArray[np.int32], arms: tuple[str, ...]) -> dict[str, ArmMean]:
    units = np.bincount(codes, minlength=len(arms))
    means = np.bincount(codes, values, minlength=len(arms)) / np.maximum(units, 1)
    squares = np.bincount(codes, (values - means[codes]) ** 2, minlength=len(arms))
    return {
        arm: ArmMean(n, float(means[k]) if n else None, float((squares[k] / (n - 1) / n) ** 0.5) if n > 1 else None)
        for k, (arm, n) in enumerate(zip(arms, units.tolist(), strict=True))
    }


def capped(rows: pa.Table, caps: Mapping[str, MetricCap]) -> pa.Table:
    """The rows with outcomes and pre-window values bound by their metric's cap."""
    for metric, cap in caps.items():
        for name, bound in ((f"y__{metric}", cap.value), (f"pre__{metric}", cap.pre_value)):
            if name in rows.column_names:
                bounded = pc.min_element_wise(rows[name], bound, skip_nulls=False)
                rows = rows.set_column(rows.column_names.index(name), name, bounded)
    return rows
