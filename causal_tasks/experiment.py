"""What a user states about one experiment, and nothing about where it runs."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, Field, ValidationError, model_validator

from causal_tasks.budgeting_options import Budgeting
from causal_tasks.errors import InputError, NotReadyError
from causal_tasks.experiment_parts import (
    Cap,
    Dataset,
    Delivery,
    Feature,
    Features,
    Follows,
    Id,
    Metric,
    Name,
    Part,
    Predicted,
    Tables,
    Window,
)
from causal_tasks.mining_options import Mining, SearchRange
from causal_tasks.rule import Rule
from causal_tasks.segmenting_options import Segmenting
from causal_tasks.thresholds import Thresholds

__all__ = [
    "LONG_AGO",
    "NOT_SEMANTIC",
    "Budgeting",
    "Cap",
    "Dataset",
    "Delivery",
    "Experiment",
    "Feature",
    "Features",
    "Follows",
    "Metric",
    "Mining",
    "Predicted",
    "SearchRange",
    "Segmenting",
    "Tables",
    "Thresholds",
    "Window",
]

NOT_SEMANTIC = frozenset({"name", "owner", "status", "budgeting", "segmenting", "delivery"})
"""Fields that may differ between two statements of the same run: none of them changes what is mined."""

LONG_AGO = datetime.min.replace(tzinfo=UTC)
"""Stands for the unknown end of an experiment whose dataset was complete when it was written."""


class Experiment(Part):
    """One A/B experiment as a user states it.

    Attributes:
        experiment_id: Letters, digits, ``_ . -``; names the run folder.
        revision: Raise it to analyse the same experiment anew.
        name: Title in reports.
        owner: Who answers for it.
        status: Only a finished experiment is mined.
        started_at: Start, with a zone.
        ended_at: End, with a zone; required once finished, unless there is a ``dataset``.
        settle_hours: Hours after the end until late data has arrived.
        control: Label of the control arm.
        treatments: Labels of the treatment arms.
        shares: Expected share by arm; None: equal.
        randomized: False for an observational comparison.
        unit: Column that identifies a unit in all tables.
        cluster: Column of assignments by which units were randomised together.
        eligible: Only units that fulfil this rule at first exposure count.
        follows: The finding of an earlier experiment that this one confirms or retires; ``eligible`` holds its rule.
        tables: Where the data is.
        dataset: One table with one row per user, in place of ``tables``; then ``window`` only describes it.
        window: Which days count; required unless there is a ``dataset``.
        metrics: Outcomes, exactly one of them primary.
        features: What is known before exposure.
        thresholds: From where on a check warns or fails, where that is not the default.
        mining: How subpopulations are searched.
        budgeting: How a budget is to be spent over the arms; None: nobody asks.
        segmenting: Which arms are messages of which segment; None: nobody asks.
        delivery: Who is told.
    """

    experiment_id: Id
    revision: int = Field(default=1, ge=1)
    name: Annotated[str, Field(max_length=200)] = ""
    owner: Annotated[str, Field(max_length=200)] = ""
    status: Literal["running", "finished"] = "running"
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    settle_hours: float = Field(default=26, ge=0)
    control: Name
    treatments: Annotated[tuple[Name, ...], Field(min_length=1)]
    shares: dict[str, float] | None = None
    randomized: bool = True
    unit: Name = "user_id"
    cluster: Name | None = None
    eligible: Rule | None = None
    follows: Follows | None = None
    tables: Tables = Tables()
    dataset: Dataset | None = None
    window: Window
    metrics: Annotated[tuple[Metric, ...], Field(min_length=1)]
    features: Features = Features()
    thresholds: Thresholds = Thresholds()
    mining: Mining = Mining()
    budgeting: Budgeting | None = None
    segmenting: Segmenting | None = None
    delivery: Delivery = Delivery()

    @model_validator(mode="before")
    @classmethod
    def _window_of_dataset(cls, statement: Any) -> Any:
        """A dataset has been aggregated already: its window needs no statement and has no days before."""
        if not isinstance(statement, dict) or not statement.get("dataset"):
            return statement
        window = statement.get("window") or {"days": 1}
        return statement | {"window": {"pre_days": 0} | window} if isinstance(window, dict) else statement

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for problem in self._problems():
            raise ValueError(problem)
        return self

    def _problems(self) -> Iterator[str]:
        arms, names = self.arms, [metric.name for metric in self.metrics]
        if len(set(arms)) < len(arms):
            yield f"arms {list(arms)} repeat a label; control and treatments must all differ"
        if self.shares is not None and (
            set(self.shares) != set(arms) or min(self.shares.values()) <= 0 or abs(sum(self.shares.values()) - 1) > 1e-6
        ):
            yield f"shares {self.shares} must give each of {list(arms)} a positive share, together 1"
        if len(set(names)) < len(names):
            yield f"metrics {names} repeat a name"
        if sum(metric.role == "primary" for metric in self.metrics) != 1:
            yield "exactly one metric must have role 'primary'"
        yield from self._mining_problems()
        if self.budgeting:
            yield from self._budgeting_problems(self.budgeting, names)
        if self.segmenting:
            yield from self._segmenting_problems(self.segmenting, names)
        if self.dataset:
            yield from self._dataset_problems()
        yield from self._follow_up_problems()
        if self.status == "finished" and self.ended_at is None and not self.dataset:
            yield "a finished experiment needs ended_at"
        if self.started_at and self.ended_at and self.started_at >= self.ended_at:
            yield f"started_at {self.started_at} is not before ended_at {self.ended_at}"

    def _mining_problems(self) -> Iterator[str]:
        if len(set(self.mining.candidates)) < len(self.mining.candidates):
            yield f"mining.candidates {list(self.mining.candidates)} repeat a name"
        if unknown := set(self.mining.costs) - set(self.arms):
            yield f"mining.costs names unknown arms {sorted(unknown)}; known are {list(self.arms)}"

    def _budgeting_problems(self, budgeting: Budgeting, names: list[str]) -> Iterator[str]:
        for field in ("outcome", "cost"):
            metric = getattr(budgeting, field)
            if metric is not None and metric not in names:
                yield f"budgeting.{field} {metric!r} is none of the metrics {names}"
        if budgeting.cost is not None and budgeting.cost == (budgeting.outcome or self.primary.name):
            yield f"budgeting.cost and the outcome are both {budgeting.cost!r}"
        if unknown := set(budgeting.prices or {}) - set(self.arms):
            yield f"budgeting.prices names unknown arms {sorted(unknown)}; known are {list(self.arms)}"

    def _segmenting_problems(self, segmenting: Segmenting, names: list[str]) -> Iterator[str]:
        if unknown := sorted(segmenting.segment_of.keys() - set(self.arms)):
            yield f"segmenting.segments names unknown arms {unknown}; known are {list(self.arms)}"
        response = segmenting.response or self.primary.name
        if response not in names:
            yield f"segmenting.response {response!r} is none of the metrics {names}"
            return
        metric = next(metric for metric in self.metrics if metric.name == response)
        if metric.is_ratio and segmenting.family not in {"auto", "gaussian"}:
            yield f"segmenting.family is {segmenting.family!r}, but {response!r} is a ratio; use 'gaussian'"
        if metric.sign < 0 and segmenting.family == "poisson":
            yield (
                f"segmenting.family is 'poisson', but less of {response!r} is better and counts have no reverse; "
                "use 'gaussian', or state a metric of which more is better"
            )

    def _dataset_problems(self) -> Iterator[str]:
        if self.tables != Tables():
            yield "dataset and tables exclude each other; keep the one that has the data"
        if self.window.pre_days:
            yield f"window.pre_days is {self.window.pre_days}, but a dataset has no days before exposure; set it to 0"
        if daily := [metric.name for metric in self.metrics if metric.aggregate in {"mean", "last"}]:
            yield f"metrics {daily}: a dataset has one value per user; use aggregate 'sum' (as it is) or 'any' (0 or 1)"

    def _follow_up_problems(self) -> Iterator[str]:
        follows = self.follows
        if follows is None:
            return
        if follows.treatment not in self.treatments:
            yield f"follows.treatment {follows.treatment!r} is none of the treatments {list(self.treatments)}"
        if self.eligible is None:
            yield "follows: eligible must state whom the rule covers; about other users it claims nothing"
        gains = self.primary.benefit(follows.predicted.estimate) > 0
        if gains != (follows.kind == "positive"):
            yield (
                f"follows: kind {follows.kind!r} does not fit a predicted effect of {follows.predicted.estimate:g} on "
                f"{self.primary.name!r}, of which {'more' if self.primary.sign == 1 else 'less'} is better"
            )

    @property
    def arms(self) -> tuple[str, ...]:
        """Control first, then the treatments."""
        return (self.control, *self.treatments)

    @cached_property
    def primary(self) -> Metric:
        """The metric that decides."""
        return next(metric for metric in self.metrics if metric.role == "primary")

    @property
    def expected_shares(self) -> dict[str, float]:
        """Share by arm that the design promised."""
        return self.shares or dict.fromkeys(self.arms, 1 / len(self.arms))

    @property
    def run_id(self) -> str:
        """The id of the run that mines this revision."""
        return f"{self.experiment_id}.r{self.revision}"

    @property
    def ended_on(self) -> date:
        """Business day of ``ended_at``.

        Raises:
            NotReadyError: The experiment has no end yet.
        """
        if self.ended_at is None:
            raise NotReadyError(f"experiment {self.experiment_id!r} has no ended_at", remedy="set it when it ends")
        return self.ended_at.astimezone(ZoneInfo(self.window.timezone)).date()

    def ready_at(self) -> AwareDatetime | None:
        """When late data has settled; None while the experiment runs, long ago for a dataset of unknown days."""
        if self.status != "finished":
            return None
        return self.ended_at + timedelta(hours=self.settle_hours) if self.ended_at else LONG_AGO

    def semantics(self) -> dict[str, Any]:
        """Everything that decides the result, as JSON values."""
        return self.model_dump(mode="json", by_alias=True, exclude=set(NOT_SEMANTIC))

    @classmethod
    def parse(cls, statement: Any, *, source: str) -> "Experiment":
        """The experiment that a JSON or YAML document states.

        Args:
            statement: The parsed document.
            source: Where it came from, for the error.

        Raises:
            InputError: A field is missing, unknown or wrong; the message lists every one of them.
        """
        try:
            return cls.model_validate(statement)
        except ValidationError as error:
            findings = "; ".join(
                f"{'.'.join(map(str, e['loc'])) or 'experiment'}: {e['msg'].removeprefix('Value error, ')}"
                for e in error.errors(include_url=False)
            )
            raise InputError(
                f"{source}: {findings}", remedy="correct the experiment file and write it again"
            ) from error
