"""What caps change: means by arm with and without them, while the values beyond are still there."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from causal_tasks.data.caps import AppliedCap
from causal_tasks.experiment import Experiment


def cap_records(draft: pa.Table, caps: Mapping[str, AppliedCap], experiment: Experiment) -> dict[str, dict[str, Any]]:
    """The caps as the profile tells them, by metric.

    Args:
        draft: Rows of analysed units: ``arm`` and the uncapped ``y__<metric>``.
        caps: By metric.
        experiment: Names the arms.

    Returns:
        ``value`` and ``share_capped`` as applied; ``share_of_nonzero``, the capped units' share of those with a value
        other than zero; ``raw`` and ``capped``, by arm ``{"units", "mean", "standard_error"}`` without and with the
        cap. Errors take units for independent, and are null below two units, means below one.
    """
    if not caps:
        return {}
    arm = pc.index_in(draft["arm"], value_set=pa.array(experiment.arms, pa.string())).to_numpy()
    return {metric: _record(draft[f"y__{metric}"], cap, arm, experiment.arms) for metric, cap in caps.items()}


def _record(
    outcome: pa.ChunkedArray, cap: AppliedCap, arm: npt.NDArray[np.int32], arms: tuple[str, ...]
) -> dict[str, Any]:
    values: npt.NDArray[np.float64] = outcome.drop_null().to_numpy()
    arm = arm[pc.is_valid(outcome).to_numpy()]
    nonzero = np.count_nonzero(values)
    return asdict(cap) | {
        "share_of_nonzero": float(np.sum(values > cap.value) / nonzero) if nonzero else 0.0,
        "raw": _means(values, arm, arms),
        "capped": _means(cap.applied_to(values), arm, arms),
    }


def _means(
    values: npt.NDArray[np.float64], arm: npt.NDArray[np.int32], arms: tuple[str, ...]
) -> dict[str, dict[str, Any]]:
    units = np.bincount(arm, minlength=len(arms))
    means = np.bincount(arm, values, minlength=len(arms)) / np.maximum(units, 1)
    squares = np.bincount(arm, (values - means[arm]) ** 2, minlength=len(arms))
    return {
        label: {
            "units": n,
            "mean": float(means[k]) if n else None,
            "standard_error": float(np.sqrt(squares[k] / (n - 1) / n)) if n > 1 else None,
        }
        for k, (label, n) in enumerate(zip(arms, units.tolist(), strict=True))
    }
