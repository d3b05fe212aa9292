"""The answer to one request, by what serves at the moment."""

from typing import Any

import numpy as np

from causal_tasks.dynamic.requests import RequestFieldError, Requests
from causal_tasks.dynamic.serving.decider import Decisions
from causal_tasks.dynamic.serving.hot_swap import Served
from causal_tasks.dynamic.serving.messages import DecisionAnswer, DecisionRequest, FieldProblem, RefusedRequestError


def decision_answer(request: DecisionRequest, served: Served) -> DecisionAnswer:
    """Decide about a request.

    Raises:
        RefusedRequestError: Its context is not the feed's.
    """
    decider = served.decider
    durations = [candidate.duration for candidate in request.candidates]
    recent = [(item.duration, item.played) for item in request.recent]
    try:
        asked = Requests.of_one(request.context, recent, durations, decider.feed)
    except RequestFieldError as error:
        problem = f"{error.message.removeprefix(error.field).strip()}; {error.remedy}"
        raise RefusedRequestError([FieldProblem(field=error.field, problem=problem)]) from error
    decisions = decider.decide([request.user_id], asked, [request.request_id])
    arm, decided = int(decisions.arm[0]), int(decisions.decided[0])
    order = decider.decision.adjust(durations, arm, decider.feed.durations, request.slate_size)
    arms = decider.feed.arms
    return DecisionAnswer(
        request_id=request.request_id,
        arm=arms[arm],
        decided=arms[decided],
        propensity=float(decisions.propensity[0]),
        explored=arm != decided,
        reason=decisions.reason[0],
        **_by_treatment(decisions, arms[1:]),
        order=[request.candidates[place].id for place in order],
        date=served.manifest.date,
    )


def _by_treatment(decisions: Decisions, treatments: tuple[str, ...]) -> dict[str, Any]:
    """Gains and interest of the one request, as far as there are."""
    if decisions.reason[0] == "unknown_user":
        return {"gains": None, "interest": None}
    gains = [gain if np.isfinite(gain) else None for gain in decisions.gains[0].tolist()]
    interest = None if decisions.interest is None else decisions.interest[0].tolist()
    return {
        "gains": dict(zip(treatments, gains, strict=True)),
        "interest": interest and dict(zip(treatments, interest, strict=True)),
    }
