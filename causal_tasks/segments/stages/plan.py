"""Stage ``plan_segments``: whether segments can be learned from what the experiment shows, and by which likelihood."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment, Segmenting
from causal_tasks.run_folder import StageContext
from causal_tasks.segments.likelihood import Family, likelihood_of
from causal_tasks.segments.stages.users import Mask, SegmentUsers
from causal_tasks.segments.statement import modelled_response, response_metric, stated_segmenting
from causal_tasks.storage import Uri

SEGMENTS, SEPARATE = "segments", "separate"
"""What is learned: creatives of a segment together, and each creative by itself."""

SMALLEST_CREATIVE = 20
"""Users who were shown a creative below whom nothing is learned about it, or measured."""


def plan_segments(context: StageContext) -> dict[str, Uri]:
    """Write ``items``, the models to learn, and ``plan``; no model where the data cannot be trusted.

    Raises:
        InputError: The experiment states no segmenting or was not randomised, the response does not fit the family or
            does not vary, or too few users were shown a creative.
    """
    experiment = context.experiment
    segmenting = stated_segmenting(experiment)
    _require_randomised(experiment)
    verdict, users = context.read_json("validate", "verdict"), SegmentUsers.read(context)
    family = planned_family(users, segmenting)
    planned = {
        "segments": {segment: list(creatives) for segment, creatives in segmenting.segments.items()},
        "reference": [arm for arm in experiment.arms if arm not in segmenting.segment_of],
        "response": response_metric(experiment).name,
        "family": family,
        "family_stated": segmenting.family,
        "features": context.read_json("validate", "features")["used"],
        "users": _users(users),
        "best": None,
        "notes": list(_notes(segmenting, experiment, family, users)),
    }
    items: list[str] = []
    if verdict["status"] != "invalid" and verdict["mining"]:
        _require_responses(users, family)
        _require_users(users)
        items, planned["best"] = [SEGMENTS, SEPARATE], _best(users)
    return {"items": context.write_json("items.json", items), "plan": context.write_json("plan.json", planned)}


def planned_family(users: SegmentUsers, segmenting: Segmenting) -> Family:
    """The family stated; of ``auto`` binomial where all users responded with 0 or 1, else gaussian."""
    if segmenting.family != "auto":
        return segmenting.family
    values = response_metric(users.experiment).benefit(users.response[~np.isnan(users.response)])
    return "binomial" if np.isin(values, (0.0, 1.0)).all() else "gaussian"


def _require_randomised(experiment: Experiment) -> None:
    if not experiment.randomized:
        raise InputError(
            f"experiment {experiment.experiment_id!r} was not randomised: who was shown a message may differ from the "
            "others in what decides the response",
            remedy="learn from a randomised experiment",
        )


def _require_responses(users: SegmentUsers, family: Family) -> None:
    metric = response_metric(users.experiment)
    learned = users.learned
    values = users.response[learned]
    try:
        likelihood_of(family).check(modelled_response(values, metric, family))
    except InputError as error:
        raise InputError(
            f"users: {metric.name!r} does not fit segmenting.family {family!r} ({error.message})", remedy=error.remedy
        ) from error
    for creative in stated_segmenting(users.experiment).segment_of:
        shown = users.response[learned & users.shown_any(creative)]
        if len(shown) and np.ptp(shown) == 0:
            raise InputError(
                f"users: {metric.name!r} is {metric.benefit(shown[0]):g} for all {len(shown)} users of the discovery "
                f"part who were shown {creative!r}",
                remedy="leave the creative out of segmenting.segments, or state another response",
            )


def _require_users(users: SegmentUsers) -> None:
    purposes = {"learned from": users.learned, "measured on": users.measured}
    for creative in stated_segmenting(users.experiment).segment_of:
        for purpose, rows in purposes.items():
            shown = int((rows & users.shown_any(creative)).sum())
            if shown < SMALLEST_CREATIVE:
                raise InputError(
                    f"creative {creative!r} was shown to {shown} users with a response who are {purpose}, fewer than "
                    f"{SMALLEST_CREATIVE}",
                    remedy="leave it out of segmenting.segments, or wait for more users",
                )


def _best(users: SegmentUsers) -> dict[str, Any]:
    """What did best among the users who are learned from: creative, segment, and creative of each segment."""
    segmenting, learned = stated_segmenting(users.experiment), users.learned

    def mean(*creatives: str) -> float:
        return float(users.response[learned & users.shown_any(*creatives)].mean())

    return {
        "creative": max(segmenting.segment_of, key=mean),
        "segment": max(segmenting.segments, key=lambda segment: mean(*segmenting.segments[segment])),
        "in_segment": {segment: max(creatives, key=mean) for segment, creatives in segmenting.segments.items()},
    }


def _notes(segmenting: Segmenting, experiment: Experiment, family: Family, users: SegmentUsers) -> Iterator[str]:
    yield from (f"arm_not_learned_from:{arm}" for arm in experiment.arms if arm not in segmenting.segment_of)
    if segmenting.family == "auto":
        yield f"family_chosen:{family}"
    yield from (f"alpha_above_half:{alpha:g}" for alpha in segmenting.alphas if alpha >= 0.5)
    if np.isnan(users.response).any():
        yield "users_without_response"


def _users(users: SegmentUsers) -> Mapping[str, Any]:
    def count(rows: Mask) -> int:
        return int(rows.sum())

    return {
        "all": len(users),
        "learned": count(users.learned),
        "measured": count(users.measured),
        "reference": count(users.discovery & ~users.shown),
        "without_response": count(np.isnan(users.response)),
    }
