"""What a recommender asks, and what it is answered."""

from collections.abc import Sequence
from datetime import date as Date  # noqa: N812 - a field below has the name
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, field_validator
from pydantic_core import PydanticCustomError, from_json

MAX_RECENT = 500
MAX_CANDIDATES = 1000
MAX_CONTEXT = 256
MAX_PROBLEMS = 20
"""Of a request that are told; a body of a megabyte may have a hundred thousand."""

_MAX_FIELD = 200
_NO_OBJECT = "Input should be an object"

Reason = Literal["gain", "no_gain", "guarded", "unknown_user", "never"]

_Id = Annotated[str, Field(min_length=1, max_length=256)]
_UserId = _Id | Annotated[int, Field(ge=-(2**63), lt=2**64)]
_Duration = Annotated[FiniteFloat, Field(gt=0, le=1e6)]
_Played = Annotated[FiniteFloat, Field(ge=0, le=1e6)]
_Number = Annotated[FiniteFloat, Field(ge=-1e30, le=1e30)]
_ContextName = Annotated[str, Field(min_length=1, max_length=128)]


class _Message(BaseModel):
    """Closed against unknown fields; strict, so that a text is never taken for a number."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class RecentItem(_Message):
    """An item that the user met.

    Attributes:
        duration: How long it is, seconds.
        played: Seconds of it that were played.
    """

    duration: _Duration
    played: _Played


class Candidate(_Message):
    """An item that may be shown.

    Attributes:
        id: Comes back in ``order``.
        duration: How long it is, seconds.
    """

    id: _Id
    duration: _Duration


class DecisionRequest(_Message):
    """Body of ``POST /decide``.

    Attributes:
        request_id: Asked again, the same id gets the same draw of exploration.
        user_id: As in the users table, text or a whole number.
        context: Every number of the feed's ``columns.context``; null: unknown.
        recent: Items that the user met last.
        candidates: Best first.
        slate_size: Places of the slate, or of the pool that goes on to the next stage.
    """

    request_id: _Id
    user_id: _UserId
    context: Annotated[dict[_ContextName, _Number | None], Field(max_length=MAX_CONTEXT)] = {}
    recent: Annotated[list[RecentItem], Field(max_length=MAX_RECENT)] = []
    candidates: Annotated[list[Candidate], Field(min_length=1, max_length=MAX_CANDIDATES)]
    slate_size: Annotated[int, Field(ge=1, le=MAX_CANDIDATES)]

    @field_validator("candidates")
    @classmethod
    def _each_once(cls, candidates: list[Candidate]) -> list[Candidate]:
        """An order of ids tells nothing of two candidates that have one."""
        met: set[str] = set()
        for place, candidate in enumerate(candidates):
            if candidate.id in met:
                raise PydanticCustomError("twice", "Candidate {place} has the id of an earlier one", {"place": place})
            met.add(candidate.id)
        return candidates


class DecisionAnswer(BaseModel):
    """Answer of ``POST /decide``.

    Attributes:
        request_id: Of the question.
        arm: Label of the arm to give and to log.
        decided: Label of the arm before exploration.
        propensity: Probability with which ``arm`` was given: to be logged with it.
        explored: Whether exploration gave another arm than was decided.
        reason: Of ``decided``: ``gain`` (a treatment gains), ``no_gain`` (none does), ``guarded`` (only treatments do
            that would lower a guarded response), ``never`` (no treatment is in use), ``unknown_user`` (never scored,
            so control).
        gains: By treatment ``r_k y_k - y_0 - xi_k``; null: the treatment is not in use. None for an unknown user.
        interest: By treatment, about 1 on average; None for an unknown user, or where preference alone decides.
        order: Ids of all candidates as the arm orders them.
        date: Day that was scored.
    """

    request_id: str
    arm: str
    decided: str
    propensity: float
    explored: bool
    reason: Reason
    gains: dict[str, float | None] | None
    interest: dict[str, float] | None
    order: list[str]
    date: Date


class FieldProblem(BaseModel):
    """What is wrong with a request.

    Attributes:
        field: Where, such as ``candidates.3.duration``; ``body``: all of it.
        problem: What.
    """

    field: str
    problem: str


class Refusal(BaseModel):
    """Answer where a request is refused.

    Attributes:
        detail: At least one problem.
    """

    detail: list[FieldProblem]


class Health(BaseModel):
    """Answer of ``GET /health``.

    Attributes:
        status: ``starting``: nothing decides yet; ``degraded``: an older manifest decides than is published, or the
            store does not answer; ``ok``: the published one decides.
        problem: Why it is not ``ok``.
        feed: Whose manifest decides.
        revision: Of the feed.
        date: Day that was scored.
        users: With scores.
        since: When the manifest took over.
        looked: When a newer one was last looked for.
    """

    status: Literal["starting", "degraded", "ok"]
    problem: str | None
    feed: str | None
    revision: int | None
    date: Date | None
    users: int | None
    since: datetime | None
    looked: datetime | None


class RefusedRequestError(ValueError):
    """A request with problems.

    Attributes:
        problems: At least one.
    """

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(f"{problem.field}: {problem.problem}" for problem in problems))


def read_request(body: bytes) -> DecisionRequest:
    """The request in a body of JSON; whether its context is the feed's is not looked at.

    Raises:
        RefusedRequestError: It is no JSON, a field is missing, unknown, or not what it should be.
    """
    try:
        content = from_json(body)
    except ValueError as error:
        raise RefusedRequestError([FieldProblem(field="body", problem=f"Invalid JSON: {error}")]) from error
    try:
        # Of what is parsed already, lengths are looked at before what is in the lists.
        return DecisionRequest.model_validate(content)
    except ValidationError as error:
        raise RefusedRequestError(_problems(error)) from error


def _problems(error: ValidationError) -> list[FieldProblem]:
    """What pydantic found, one problem for each field, the first ``MAX_PROBLEMS`` of them."""
    told: dict[str, str] = {}
    for found in error.errors(include_url=False, include_input=False):
        field = _field(found["loc"])
        if field not in told and len(told) == MAX_PROBLEMS:
            break
        words = _NO_OBJECT if found["type"] == "model_type" else found["msg"]
        told[field] = f"{told[field]}; or: {words}" if field in told else words
    return [FieldProblem(field=field, problem=problem) for field, problem in told.items()]


def _field(place: Sequence[str | int]) -> str:
    """Where something is; which type of a union was tried is left out."""
    if place and place[0] == "user_id":
        place = place[:1]
    return ".".join(map(str, place))[:_MAX_FIELD] or "body"
