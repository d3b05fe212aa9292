"""A feed: what a user states about a recommender that decides, request by request, how long its items should be."""

from typing import Annotated, Literal, Self

from pydantic import Field, FiniteFloat, ValidationError, field_validator, model_validator

from causal_tasks.errors import InputError
from causal_tasks.experiment_parts import Delivery, Id, Name, Part
from causal_tasks.rule import Text

DATE = "{date}"
"""Stands for a day, as in 2026-10-31, in the address of a table."""

CONTROL = "control"

Share = Annotated[float, Field(gt=0, lt=1)]
Address = Annotated[str, Field(min_length=1)]


class DurationBuckets(Part):
    """Categories of items by length.

    Attributes:
        labels: From short to long.
        edges: Seconds at which a category ends and the next begins: an item of exactly that length is in the longer.
    """

    labels: Annotated[tuple[Name, ...], Field(min_length=2)] = ("short", "medium", "long")
    edges: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)] = (20.0, 60.0)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.labels)) < len(self.labels):
            raise ValueError(f"labels {list(self.labels)} repeat one")
        if len(self.edges) != len(self.labels) - 1:
            raise ValueError(f"{len(self.labels)} labels need {len(self.labels) - 1} edges, not {len(self.edges)}")
        if list(self.edges) != sorted(set(self.edges)):
            raise ValueError(f"edges {list(self.edges)} do not rise")
        return self


class FeedTables(Part):
    """Where the tables are: Parquet files or folders, ``{date}`` in the address for one of every day.

    Attributes:
        users: A row per user of a day: the unit, a date unless the address has one, features as known that morning.
        assignments: A row per user and period: the unit, the period's first date, the arm that was drawn for it.
        metrics: A row per user and day: the unit, the date, columns of responses.
        requests: A row per request, see ``RequestColumns``; None: there is no request-time model, and preference alone
            decides.
    """

    users: Address
    assignments: Address
    metrics: Address
    requests: Address | None = None


class RequestColumns(Part):
    """Columns of the table of requests.

    Attributes:
        request: Its id.
        context: Numbers that are known when the request comes in.
        recent_durations: List of seconds, how long the items were that the user met last.
        recent_played: List of the same lengths, how many seconds of each were played.
        candidates: List of seconds, how long the candidates are.
        shown_durations: List of seconds, how long the items were that were then shown.
        shown_played: List of the same lengths, how many seconds of each were played.
        reward: What the request brought; the value of a decision is its mean.
    """

    request: Name = "request_id"
    context: tuple[Name, ...] = ()
    recent_durations: Name = "recent_durations"
    recent_played: Name = "recent_played"
    candidates: Name = "candidates"
    shown_durations: Name = "shown_durations"
    shown_played: Name = "shown_played"
    reward: Name = "watch_seconds"


class Response(Part):
    """One thing that a period may bring.

    Attributes:
        name: Column of the metrics table, summed over the period; more is better. Without slashes.
        days: Of the period.
        weight: What a unit of it is worth beside the other responses; 0 for one that is only guarded or watched.
        guarded: Whether no user may be given a treatment that is predicted to lower it.
        tolerance: Share of the mean response by which a guarded one may fall.
        display: Name in reports.
        unit: Unit in reports.
    """

    name: Name
    days: int = Field(default=7, ge=1, le=90)
    weight: FiniteFloat = Field(default=1.0, ge=0)
    guarded: bool = False
    tolerance: float = Field(default=0.0, ge=0, lt=1)
    display: Text = Text()
    unit: Text = Text()

    @field_validator("name")
    @classmethod
    def _fit_for_a_path(cls, name: str) -> str:
        if {"/", "\\"} & set(name):
            raise ValueError(f"{name!r} has a slash, and models are saved under it; give the column another name")
        return name

    @property
    def key(self) -> str:
        """Unique in its feed, and fit for a path."""
        return f"{self.name}_{self.days}d"


class Learning(Part):
    """How models are trained.

    Attributes:
        days: Days before the scored one that assignments, metrics and requests are read of; at least those of every
            response.
        anew_every: Days after which the preference model is trained from scratch; between, the newest one is refreshed.
        requests: At most so many requests are learned from.
        guidance: See ``LongTermUplift``.
        bucketing: See ``LongTermUplift``.
        buckets: See ``LongTermUplift``; the published 100 with an embedding of 32 need more users than most feeds have.
        embedding: See ``LongTermUplift``.
        response_loss: ``loss`` of ``LongTermUplift``; the published ``huber`` is below the mean where responses are
            skewed.
        label: ``kind`` of ``interest_labels``; the published one is ``ratio``.
        interest_loss: ``loss`` of ``RealTimeInterest``; the published one is ``huber``.
        interest_weights: ``interest_weight`` of ``DynamicDecision`` to choose from, with the thresholds; the published
            one is 1 alone.
        seed: Of everything random.
    """

    days: int = Field(default=28, ge=1, le=366)
    anew_every: int = Field(default=7, ge=1, le=366)
    requests: int = Field(default=500_000, ge=1000)
    guidance: Literal["paper", "features"] = "paper"
    bucketing: Literal["paper", "quantile"] = "quantile"
    buckets: int = Field(default=16, ge=2, le=1000)
    embedding: int = Field(default=8, ge=1, le=256)
    response_loss: Literal["huber", "squared"] = "squared"
    label: Literal["ratio", "share"] = "share"
    interest_loss: Literal["huber", "squared"] = "squared"
    interest_weights: Annotated[tuple[Annotated[float, Field(ge=0, le=1)], ...], Field(min_length=1)] = (
        0.0,
        0.25,
        0.5,
        0.75,
        1.0,
    )
    seed: int = 0


class Serving(Part):
    """What is done with a decision.

    Attributes:
        stage: Of the recommender at which the mix of durations is changed.
        boost: Share of the slate, or of the candidates retrieved, that a treatment adds to its category.
        exploration: Share of requests that get a random arm, by which what is served can be valued from its log.
    """

    stage: Literal["retrieval", "ranking", "reranking"] = "reranking"
    boost: float = Field(default=0.2, gt=0, lt=1)
    exploration: float = Field(default=0.05, ge=0, lt=1)


class Feed(Part):
    """Content of ``LAKE/feeds/<feed_id>.json``.

    Attributes:
        feed_id: Id, the name of the file.
        revision: Raised when the statement changes: days that were scored by another are not mixed with its.
        name: In reports.
        owner: In reports.
        status: Nothing is scored while it is paused.
        unit: Column of user ids in all tables.
        segment: Column of the users table by whose levels the threshold is watched; None: all users are one.
        date_column: Column of days in tables whose address has no ``{date}``.
        arm_column: Column of the tables of assignments and requests.
        control: Label of the arm that changes nothing.
        treatments: By label of a treatment the category of durations whose share it raises.
        shares: Probability with which each arm was drawn; None: all alike.
        durations: Categories of items by length.
        tables: Where the tables are.
        columns: Of the table of requests.
        features: Columns of the users table that are learned from; None: all but unit and date.
        responses: At least one with a weight.
        learning: How models are trained.
        serving: What is done with a decision.
        delivery: Who is told, and how.
    """

    feed_id: Id
    revision: int = Field(default=1, ge=1)
    name: str = ""
    owner: str = ""
    status: Literal["active", "paused"] = "active"
    unit: Name = "user_id"
    segment: Name | None = None
    date_column: Name = "date"
    arm_column: Name = "arm"
    control: Name = CONTROL
    treatments: Annotated[dict[Name, Name], Field(min_length=1)]
    shares: dict[Name, Share] | None = None
    durations: DurationBuckets = DurationBuckets()
    tables: FeedTables
    columns: RequestColumns = RequestColumns()
    features: tuple[Name, ...] | None = None
    responses: Annotated[tuple[Response, ...], Field(min_length=1)]
    learning: Learning = Learning()
    serving: Serving = Serving()
    delivery: Delivery = Delivery()

    @field_validator("treatments")
    @classmethod
    def _in_order_of_names(cls, treatments: dict[str, str]) -> dict[str, str]:
        """JSON keeps no order, and no result may depend on whether it was read from there."""
        return dict(sorted(treatments.items()))

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.control in self.treatments:
            raise ValueError(f"{self.control!r} is control and a treatment")
        if unknown := sorted(set(self.treatments.values()) - set(self.durations.labels)):
            raise ValueError(f"treatments raise {unknown}; durations has {list(self.durations.labels)}")
        if self.shares is not None:
            if set(self.shares) != set(self.arms):
                raise ValueError(f"shares name {sorted(self.shares)}; the arms are {list(self.arms)}")
            if abs(sum(self.shares.values()) - 1) > 1e-6:
                raise ValueError(f"shares sum to {sum(self.shares.values()):g}, not 1")
        keys = [response.key for response in self.responses]
        if twice := sorted({key for key in keys if keys.count(key) > 1}):
            raise ValueError(f"responses state {twice} twice")
        if not any(response.weight for response in self.responses):
            raise ValueError("no response has a weight, so nothing tells good from bad")
        if long := [response.key for response in self.responses if response.days > self.learning.days]:
            raise ValueError(f"responses {long} are never over within learning.days={self.learning.days}; raise that")
        return self

    @property
    def arms(self) -> tuple[str, ...]:
        """All arms, control first, treatments sorted."""
        return (self.control, *self.treatments)

    @property
    def propensity(self) -> dict[str, float]:
        """Probability with which each arm was drawn."""
        return dict(self.shares) if self.shares else dict.fromkeys(self.arms, 1 / len(self.arms))

    @property
    def run_id(self) -> str:
        """Id and revision in one word."""
        return f"{self.feed_id}.r{self.revision}"

    @classmethod
    def parse(cls, stated: object, *, source: str) -> Self:
        """The feed that a statement describes.

        Args:
            stated: Its JSON value.
            source: What errors call it.

        Raises:
            InputError: It is no valid statement.
        """
        try:
            return cls.model_validate(stated)
        except ValidationError as error:
            found = "; ".join(
                f"{'.'.join(map(str, problem['loc'])) or 'feed'}: {problem['msg'].removeprefix('Value error, ')}"
                for problem in error.errors()
            )
            raise InputError(f"{source}: {found}", remedy="correct the statement of the feed") from error
