"""The card of a trained candidate: what it is, how well it ranks, and what a reader should know of it."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from causal_tasks.evaluation import auuc_interval
from causal_tasks.uplift.cross_fitting import OutOfFold
from causal_tasks.uplift.learner import UpliftLearner
from causal_tasks.uplift.stages.guards import Guard
from causal_tasks.uplift.stages.users import Users

SMALL_ARM = 0.2
"""Share of users below which an arm is too small for learners that fit each arm by itself."""


def model_card(
    name: str,
    learner: UpliftLearner,
    fitted: OutOfFold,
    users: Users,
    uplift: pd.DataFrame,
    guards: Mapping[str, Guard],
) -> dict[str, Any]:
    """What ``card`` holds of the result, see ``docs/reference-stages.md``.

    Args:
        name: Of the candidate.
        learner: Unfitted.
        fitted: The learner of each fold.
        users: Who it was fitted on.
        uplift: Predicted effects of all users, out of fold for those that were fitted, benefit scale.
        guards: Of every treatment.
    """
    base_model = getattr(learner, "base_model", None)
    return {
        "candidate": name,
        "learner": type(learner).__name__,
        "base_model": type(base_model).__name__ if base_model else None,
        "parameters": learner.parameters,
        "rows": int(users.scored.sum()),
        "auuc": _scores_by_treatment(users, uplift),
        "guards": {treatment: guard.to_dict() for treatment, guard in guards.items()},
        "notes": list(_notes(learner, fitted, users, guards)),
    }


def _scores_by_treatment(users: Users, uplift: pd.DataFrame) -> dict[str, Any]:
    scores = {}
    for position, treatment in enumerate(users.experiment.treatments, start=1):
        rows = users.compared(position)
        scores[treatment] = auuc_interval(
            uplift=uplift[treatment].to_numpy()[rows], **users.ranking_arguments(rows, position=position)
        ).to_dict()
    return scores


def _notes(learner: UpliftLearner, fitted: OutOfFold, users: Users, guards: Mapping[str, Guard]) -> Iterator[str]:
    """Codes of caveats."""
    counts = np.bincount(users.arm[users.scored], minlength=len(users.experiment.arms))
    if learner.FITS_EACH_ARM and counts.min() < SMALL_ARM * counts.sum():
        yield "small_arm"
    if any(getattr(one, "propensity_estimated_", False) for one in fitted.learners.values()):
        yield "propensity_estimated"
    if not all(guard.agrees for guard in guards.values()):
        yield "mean_disagrees"
