"""Who differs from whom, by how much, and whether the predictions have the right size: for the report."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_tasks.evaluation.characteristics import characteristics
from causal_tasks.evaluation.estimate import Estimate
from causal_tasks.evaluation.groups import Groups
from causal_tasks.evaluation.heterogeneity import calibration, group_effects
from causal_tasks.subpopulations.evidence import Vector
from causal_tasks.subpopulations.omnibus import Omnibus
from causal_tasks.subpopulations.scored import Scored

GROUPS = 5
POINTS = 20

Record = dict[str, Any]


def heterogeneity_evidence(scored: Scored, test: Omnibus) -> Record:
    """Omnibus test, best linear predictor, calibration and group effects of one treatment, as JSON values.

    All on the benefit scale. What too few users, or equal predictions, leave undefined is None.
    """
    return {
        "omnibus": {"p_value": test.p_value, "passed": test.passed, "tests": test.tests},
        "blp": None
        if test.blp is None
        else {"average": _json(test.blp.average), "heterogeneity": _json(test.blp.heterogeneity)},
        "calibration": None if test.blp is None else _calibration(scored),
        **_groups(scored),
    }


def characteristic_evidence(features: pd.DataFrame, scored: Scored) -> list[Record]:
    """How the users predicted to gain most differ from those predicted to gain least, the largest difference first.

    Args:
        features: One row for each of the users of ``scored``.
        scored: Of one treatment.
    """
    if not _can_be_cut(scored.uplift, GROUPS, scored.clusters):
        return []
    table = characteristics(features, scored.uplift, groups=GROUPS, clusters=scored.clusters)
    ordered = table.sort_values("standardized", key=np.abs, ascending=False, kind="stable")
    return [
        {
            "feature": row["feature"],
            "level": None if pd.isna(row["level"]) else row["level"],
            "top": row["top"],
            "bottom": row["bottom"],
            "difference": _json(Estimate.of(row["difference"], row["standard_error"])),
            "standardized": row["standardized"],
        }
        for row in ordered.to_dict("records")
    ]


def _calibration(scored: Scored) -> Record | None:
    points = next((k for k in (POINTS, GROUPS) if _can_be_cut(scored.uplift, k, scored.clusters)), None)
    if points is None:
        return None
    found = calibration(
        scored.effect,
        scored.uplift,
        outcome=scored.outcome,
        treatment=scored.treated,
        mean_control=scored.mean_control,
        mean_treatment=scored.mean_treatment,
        propensity=scored.propensity,
        clusters=scored.clusters,
        points=points,
    )
    return {
        "average": None if found.average is None else _json(found.average),
        "spread": _json(found.spread),
        "r2": found.r2,
        "points": found.points.to_dict("records"),
    }


def _groups(scored: Scored) -> Record:
    if not _can_be_cut(scored.uplift, GROUPS, scored.clusters):
        return {"groups": [], "top_minus_bottom": None, "monotone": None}
    found = group_effects(scored.effect, scored.uplift, groups=GROUPS, clusters=scored.clusters)
    return {
        "groups": [
            {
                "group": row["group"],
                "n": row["n"],
                "predicted": row["predicted"],
                "effect": _json(Estimate.of(row["estimate"], row["standard_error"])),
            }
            for row in found.table.to_dict("records")
        ],
        "top_minus_bottom": _json(found.top_minus_bottom),
        "monotone": found.monotone,
    }


def _can_be_cut(uplift: Vector, groups: int, clusters: NDArray[np.intp] | None) -> bool:
    """Whether each group of the ranking has the two users, or clusters, that an error needs."""
    if len(uplift) < 2 * groups:
        return False
    if clusters is None:
        return True
    return all(len(np.unique(clusters[part.rows])) >= 2 for part in Groups.of(uplift, groups).parts)


def _json(estimate: Estimate) -> Record:
    return estimate.model_dump(mode="json")
