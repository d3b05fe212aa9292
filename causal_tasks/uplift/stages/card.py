"""The card of a trained candidate: what it is, how well it ranks, and what speaks against trusting it."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from causal_tasks.effects import Effect, difference_in_means
from causal_tasks.effects.matched_effect import matched_effect
from causal_tasks.effects.matched_units import match_in_buckets
from causal_tasks.effects.matching import BUCKETS
from causal_tasks.errors import InputError
from causal_tasks.evaluation import auuc_interval
from causal_tasks.uplift.cross_fitting import OutOfFold
from causal_tasks.uplift.stages.users import Users

SMALL_ARM = 0.2
"""Share of users below which an arm is too small for learners that fit each arm by itself."""

AGREEMENT_LEVEL = 0.999
"""Of the interval of the measured effect in which a model's mean effect has to lie."""


def model_card(name: str, learner: Any, fitted: OutOfFold, users: Users, uplift: pd.DataFrame) -> dict[str, Any]:
    """What ``card`` holds of the result, see ``docs/reference-stages.md``.

    Args:
        name: Of the candidate.
        learner: Unfitted.
        fitted: The learner of each fold.
        users: Who it was fitted on.
        uplift: Predicted effects of all users, out of fold for those that were fitted, benefit scale.
    """
    guards = {
        treatment: _guard(users, position, uplift[treatment].to_numpy(), fitted)
        for position, treatment in enumerate(users.experiment.treatments, start=1)
    }
    return {
        "candidate": name,
        "learner": type(learner).__name__,
        "base_model": type(learner.base_model).__name__,
        "parameters": portable(learner.base_model.get_params()),
        "rows": int(users.scored.sum()),
        "auuc": _scores_by_treatment(users, uplift),
        "guards": guards,
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


def _guard(users: Users, position: int, uplift: Any, fitted: OutOfFold) -> dict[str, Any]:
    measured, affected = _measured(users, position)
    predicted = uplift[users.scored].astype(np.float64)
    mean = float(uplift[affected].astype(np.float64).mean())
    low, high = measured.interval
    return {
        "spread": float(predicted.std()),
        "mean": mean,
        "measured": {"estimate": measured.estimate, "interval": [low, high]},
        "agrees": low <= mean <= high,
        "treatment_used": all(learner.uses_treatment() for learner in fitted.learners.values()),
    }


def _measured(users: Users, position: int) -> tuple[Effect, NDArray[np.bool_]]:
    """The effect by comparing arms, benefit scale, and the users whose average effect it is, shape (n,)."""
    rows = users.compared(position)
    arguments = users.ranking_arguments(rows, position=position)
    outcome, clusters = arguments["outcome"], arguments["clusters"]
    if users.propensity_scores is None:
        measured = difference_in_means(outcome, arguments["treatment"], clusters=clusters, level=AGREEMENT_LEVEL)
        return measured, users.scored
    treated = users.arm[rows] == position
    units = match_in_buckets(users.propensity_scores[rows, position - 1], treated, buckets=BUCKETS, overlap=(0.0, 1.0))
    measured = matched_effect(
        outcome,
        treated,
        units.stratum,
        clusters=None if clusters is None else pd.factorize(clusters)[0],
        level=AGREEMENT_LEVEL,
    )
    if np.isnan(measured.estimate):
        raise InputError(
            f"treatment {users.experiment.treatments[position - 1]!r}: too few discovery users have any like them in "
            "the other arm",
            remedy="compare users who could have been in either arm",
        )
    affected = np.zeros(len(users.arm), dtype=bool)
    affected[rows] = units.matched & treated
    return measured, affected


def portable(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters that decide the result, without those that say where it was computed."""
    return {name: value for name, value in parameters.items() if name not in {"n_jobs", "device"}}


def _notes(learner: Any, fitted: OutOfFold, users: Users, guards: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Codes of caveats."""
    counts = np.bincount(users.arm[users.scored], minlength=len(users.experiment.arms))
    if learner.FITS_EACH_ARM and counts.min() < SMALL_ARM * counts.sum():
        yield "small_arm"
    if not all(guard["agrees"] for guard in guards.values()):
        yield "mean_disagrees"
    if any(getattr(one, "propensity_estimated_", False) for one in fitted.learners.values()):
        yield "propensity_estimated"
