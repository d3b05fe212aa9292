"""What a user states about one experiment, and nothing about where it runs."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cached_property
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from causal_tasks.errors import InputError, NotReadyError
from causal_tasks.rule import LANGUAGES, Language, Rule, Text

NOT_SEMANTIC = frozenset({"name", "owner", "status", "delivery"})
"""Fields that may differ between two statements of the same run."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def _valid_id(value: str) -> str:
    if not _ID.fullmatch(value) or ".." in value:
        raise ValueError(
            f"{value!r} is no id: use 1 to 64 letters, digits, '_', '.', '-', "
            "starting with a letter or digit, without '..'"
        )
    return value


def _known_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, OSError, ValueError) as error:
        raise ValueError(f"{value!r} is no time zone; use an IANA name such as 'Asia/Shanghai'") from error
    return value


_Id = Annotated[str, AfterValidator(_valid_id)]
"""Text that may become part of a path."""

Name = Annotated[str, Field(min_length=1, max_length=128)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Tables(_Part):
    """Where the three tables are, and the names of their columns where they differ from the defaults.

    Attributes:
        assignments: URI of a Parquet file, folder or hive-partitioned folder; None: ``LAKE/tables/assignments``.
        metrics: The same, None: ``LAKE/tables/metrics``.
        features: The same, None: ``LAKE/tables/features``.
        experiment_column: Column of ``assignments`` that names the experiment; None: it holds only this one.
        arm_column: Column of ``assignments``.
        time_column: Column of ``assignments``: a timestamp with a zone.
        date_column: Column of ``metrics`` and ``features`` (which need none when static).
    """

    assignments: str | None = None
    metrics: str | None = None
    features: str | None = None
    experiment_column: Name | None = "experiment_id"
    arm_column: Name = "arm"
    time_column: Name = "assigned_at"
    date_column: Name = "date"


class Window(_Part):
    """Which days count.

    Attributes:
        days: Length of the outcome window.
        first_day: ``exposure`` starts it on the day of first exposure, ``next`` on the day after.
        pre_days: Days before the day of exposure, for variance reduction and checks; 0 for none.
        timezone: Zone that defines a business day.
        past_end: Whether outcome windows may run past ``ended_at``.
        snapshot: ``before`` reads the newest feature row of an earlier day, ``assignment_day`` also that day's.
    """

    days: int = Field(ge=1, le=366)
    first_day: Literal["exposure", "next"] = "exposure"
    pre_days: int = Field(default=14, ge=0, le=366)
    timezone: Annotated[str, AfterValidator(_known_zone)] = "Asia/Shanghai"
    past_end: bool = False
    snapshot: Literal["before", "assignment_day"] = "before"

    @property
    def offset(self) -> int:
        """Days from exposure to the first day of the outcome window."""
        return 1 if self.first_day == "next" else 0


class Cap(_Part):
    """An upper bound on a metric: a quantile pooled over arms, or a value in the metric's unit."""

    quantile: float | None = Field(default=None, gt=0.5, lt=1)
    value: float | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.quantile is None) == (self.value is None):
            raise ValueError("a cap is either a quantile or a value")
        return self


class Metric(_Part):
    """One outcome.

    Attributes:
        name: Used in column names and results.
        column: Column of the metrics table; None: ``name``.
        aggregate: How daily rows become one value per unit.
        numerator: Column summed above the line of a ratio metric, with ``denominator``; then ``aggregate`` is unused.
        denominator: Column summed below the line.
        role: Exactly one metric is ``primary``.
        direction: Whether more is better.
        cap: Bound against heavy tails.
        when_missing: What no row in the window means; None: ``zero`` for sum and any, ``drop`` for mean and last.
        display: Name in reports.
        unit: Unit in reports.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
    column: Name | None = None
    aggregate: Literal["sum", "mean", "last", "any"] = "sum"
    numerator: Name | None = None
    denominator: Name | None = None
    role: Literal["primary", "guardrail", "diagnostic"] = "diagnostic"
    direction: Literal["up", "down"] = "up"
    cap: Cap | None = None
    when_missing: Literal["zero", "drop"] | None = None
    display: Text = Text()
    unit: Text = Text()

    @model_validator(mode="after")
    def _ratio_is_whole(self) -> Self:
        if (self.numerator is None) != (self.denominator is None):
            raise ValueError(f"metric {self.name!r}: a ratio needs both numerator and denominator")
        if self.is_ratio and self.cap:
            raise ValueError(f"metric {self.name!r}: cap the numerator's own metric, a ratio has no cap")
        return self

    @property
    def is_ratio(self) -> bool:
        """Whether the metric is a ratio of two sums."""
        return self.numerator is not None

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the metrics table that the metric needs."""
        if self.numerator and self.denominator:
            return (self.numerator, self.denominator)
        return (self.column or self.name,)

    @property
    def fill(self) -> Literal["zero", "drop"]:
        """What a unit without rows in the window gets."""
        return self.when_missing or ("zero" if self.aggregate in {"sum", "any"} else "drop")

    @property
    def sign(self) -> int:
        """+1 where more is better, -1 where less is."""
        return 1 if self.direction == "up" else -1

    def benefit(self, values: Any) -> Any:
        """``values`` turned so that more is better: the only place where a direction changes a sign."""
        return values if self.sign == 1 else -values


class Feature(_Part):
    """What a user says about one feature.

    Attributes:
        display: Name in reports.
        unit: Unit in reports.
        actionable: Whether the business can target by it.
        sensitive: Never used in rules and never shown.
        static: Does not change over time.
    """

    display: Text = Text()
    unit: Text = Text()
    actionable: bool = True
    sensitive: bool = False
    static: bool = False


class Features(_Part):
    """Which features are used, and what they mean.

    Attributes:
        include: Columns to use; None: all columns of the table but ``exclude``.
        exclude: Columns to leave out.
        dictionary: What is known about single features.
        max_age: Days after which a feature row is too old to use.
    """

    include: tuple[Name, ...] | None = None
    exclude: tuple[Name, ...] = ()
    dictionary: dict[str, Feature] = {}
    max_age: int = Field(default=30, ge=1, le=3650)

    def __getitem__(self, name: str) -> Feature:
        return self.dictionary.get(name, Feature())

    def display_names(self) -> dict[str, Text]:
        """Display names by column, for the columns that have one."""
        return {name: feature.display for name, feature in self.dictionary.items()}


class Mining(_Part):
    """How subpopulations are searched.

    Attributes:
        candidates: Names of uplift models to train, each once.
        finalists: How many of them are tuned.
        trials: Tuning trials per finalist.
        seconds: Safety stop for tuning one finalist; it makes results depend on speed.
        seed: Of everything random.
        max_depth: Conditions per rule, at most.
        min_share: Smallest share of users that a rule may cover.
        costs: Cost per treated user by arm, in the primary metric's unit.
    """

    candidates: tuple[_Id, ...] = ("t_lightgbm",)
    finalists: int = Field(default=3, ge=1)
    trials: int = Field(default=20, ge=1)
    seconds: float | None = Field(default=None, gt=0)
    seed: int = 0
    max_depth: int = Field(default=3, ge=1, le=5)
    min_share: float = Field(default=0.03, gt=0, le=0.5)
    costs: dict[str, float] = {}


class Delivery(_Part):
    """Who is told, and how.

    Attributes:
        languages: Of report and message; the first one is the message's.
        wecom: Airflow connection id of the group robot.
        theme: ``safe`` is blue and orange, ``cn_market`` draws good in red, ``intl`` draws good in green.
    """

    languages: tuple[Language, ...] = LANGUAGES
    wecom: str = "wecom_default"
    theme: Literal["safe", "cn_market", "intl"] = "safe"


class Experiment(_Part):
    """One A/B experiment as a user states it.

    Attributes:
        experiment_id: Letters, digits, ``_ . -``; names the run folder.
        revision: Raise it to analyse the same experiment anew.
        name: Title in reports.
        owner: Who answers for it.
        status: Only a finished experiment is mined.
        started_at: Start, with a zone.
        ended_at: End, with a zone; required once finished.
        settle_hours: Hours after the end until late data has arrived.
        control: Label of the control arm.
        treatments: Labels of the treatment arms.
        shares: Expected share by arm; None: equal.
        randomized: False for an observational comparison.
        unit: Column that identifies a unit in all tables.
        cluster: Column of assignments by which units were randomised together.
        eligible: Only units that fulfil this rule at first exposure count.
        tables: Where the data is.
        window: Which days count.
        metrics: Outcomes, exactly one of them primary.
        features: What is known before exposure.
        mining: How subpopulations are searched.
        delivery: Who is told.
    """

    experiment_id: _Id
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
    tables: Tables = Tables()
    window: Window
    metrics: Annotated[tuple[Metric, ...], Field(min_length=1)]
    features: Features = Features()
    mining: Mining = Mining()
    delivery: Delivery = Delivery()

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
        if len(set(self.mining.candidates)) < len(self.mining.candidates):
            yield f"mining.candidates {list(self.mining.candidates)} repeat a name"
        if unknown := set(self.mining.costs) - set(arms):
            yield f"mining.costs names unknown arms {sorted(unknown)}; known are {list(arms)}"
        if self.status == "finished" and self.ended_at is None:
            yield "a finished experiment needs ended_at"
        if self.started_at and self.ended_at and self.started_at >= self.ended_at:
            yield f"started_at {self.started_at} is not before ended_at {self.ended_at}"

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
        """When late data has settled; None while the experiment runs."""
        if self.status != "finished" or self.ended_at is None:
            return None
        return self.ended_at + timedelta(hours=self.settle_hours)

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
