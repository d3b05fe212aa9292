"""How well the model ranks estimation users: scores, curve and buckets for the report."""

from typing import Any

import numpy as np
import pandas as pd

from causal_tasks.evaluation import auuc_interval, gain_curve, qini_interval, toc_curve, uplift_curve
from causal_tasks.experiment import Metric
from causal_tasks.subpopulations.scored import Scored

BUCKETS = 10
CURVE_COLUMNS = ["share", "gain", "low", "high"]
BUCKET_COLUMNS = ["bucket", "n_control", "n_treatment", "mean_control", "mean_treatment", "difference"]


def ranking_evidence(scored: Scored, metric: Metric, *, seed: int) -> dict[str, Any]:
    """AUUC, Qini, TOC, gain curve and buckets of one treatment's ranking, as JSON values.

    Scores and curves tell what targeting gains, so they are on the benefit scale; buckets tell what was observed, so
    they are in the metric's own unit, and where nobody dealt the arms at random they show its bias too.

    Args:
        scored: Of one treatment.
        metric: Knows which way is better.
        seed: Of the resampling.

    Raises:
        InputError: An arm is empty, or as for ``auuc``.
    """
    arguments: dict[str, Any] = {"uplift": scored.uplift, "treatment": scored.treated.astype("intp")}
    drawn: dict[str, Any] = {"clusters": scored.clusters, "seed": seed}
    varying = scored.propensity if isinstance(scored.propensity, np.ndarray) else None
    observed: dict[str, Any] = {"outcome": scored.outcome, "propensity": varying}
    auuc = auuc_interval(**arguments, **observed, **drawn)
    qini = qini_interval(**arguments, **observed, **drawn)
    buckets = uplift_curve(metric.benefit(scored.outcome), **arguments, buckets=BUCKETS)
    return {
        "auuc": auuc.to_dict() | {"random": auuc.estimate - qini.estimate},
        "qini": qini.to_dict() | {"random": 0.0},
        "curve": _records(gain_curve(**arguments, **observed, **drawn)[CURVE_COLUMNS]),
        "toc": _records(toc_curve(scored.effect, scored.uplift, **drawn)),
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
