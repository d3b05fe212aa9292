"""How well the model ranks estimation users: scores, curve and buckets for the report."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from causal_tasks.evaluation import auuc_interval, gain_curve, qini_interval, uplift_curve
from causal_tasks.experiment import Metric
from causal_tasks.subpopulations.evidence import Mask, Vector

BUCKETS = 10
CURVE_COLUMNS = ["share", "gain", "low", "high"]
BUCKET_COLUMNS = ["bucket", "n_control", "n_treatment", "mean_control", "mean_treatment", "difference"]


def ranking_evidence(
    outcome: Vector, uplift: Vector, treated: Mask, metric: Metric, *, clusters: ArrayLike | None, seed: int
) -> dict[str, Any]:
    """AUUC, Qini, gain curve and buckets of one treatment's ranking, as JSON values.

    Scores and curve tell what targeting gains, so they are on the benefit scale; buckets tell what was observed, so
    they are in the metric's own unit.

    Args:
        outcome: Shape (n,), metric's own unit.
        uplift: Shape (n,), benefit scale.
        treated: Shape (n,).
        metric: Knows which way is better.
        clusters: Shape (n,), units randomised together.
        seed: Of the resampling.

    Raises:
        InputError: An arm is empty, or as for ``auuc``.
    """
    arguments: dict[str, Any] = {"uplift": uplift, "treatment": treated.astype(np.intp)}
    benefit: dict[str, Any] = {"outcome": metric.benefit(outcome), "clusters": clusters, "seed": seed}
    auuc, qini = auuc_interval(**arguments, **benefit), qini_interval(**arguments, **benefit)
    buckets = uplift_curve(outcome, **arguments, buckets=BUCKETS)
    return {
        "auuc": auuc.to_dict() | {"random": auuc.estimate - qini.estimate},
        "qini": qini.to_dict() | {"random": 0.0},
        "curve": _records(gain_curve(**arguments, **benefit)[CURVE_COLUMNS]),
        "buckets": [
            record | {"interval": [low, high]}
            for record, low, high in zip(
                _records(buckets[BUCKET_COLUMNS]),
                *(_nullable(buckets[bound]) for bound in ("low", "high")),
                strict=True,
            )
        ],
    }


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    columns = {str(name): _nullable(column) for name, column in table.items()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _nullable(column: "pd.Series[Any]") -> list[Any]:
    """JSON numbers, missing ones as None."""
    return [None if missing else value for value, missing in zip(column.tolist(), column.isna(), strict=True)]
