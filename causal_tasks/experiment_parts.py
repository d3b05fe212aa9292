"""The parts of an experiment's statement: where the data is, which days count, metrics, features, delivery."""

import re
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from causal_tasks.rule import LANGUAGES, Language, Text

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


Id = Annotated[str, AfterValidator(_valid_id)]
"""Text that may become part of a path."""

Name = Annotated[str, Field(min_length=1, max_length=128)]


class Part(BaseModel):
    """Part of a statement: closed against unknown fields, and never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Tables(Part):
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


class Dataset(Part):
    """One table with one row per user, in place of the three tables.

    Columns of arm, unit, cluster and metrics are never features; any other column that was only known after the
    assignment must be named in ``features.exclude``.

    Attributes:
        uri: A CSV file (``.csv``, ``.csv.gz``), a Parquet file, or a folder of Parquet files.
        arm_column: Column with the arm's label; numbers are compared with labels as text.
        row_numbers: The file has no column of ids: a unit's id is its row number, counted from 0.
    """

    uri: Annotated[str, Field(min_length=1)]
    arm_column: Name = "arm"
    row_numbers: bool = False


class Window(Part):
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


class Cap(Part):
    """An upper bound on a metric: a quantile pooled over arms, or a value in the metric's unit."""

    quantile: float | None = Field(default=None, gt=0.5, lt=1)
    value: float | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.quantile is None) == (self.value is None):
            raise ValueError("a cap is either a quantile or a value")
        return self


class Metric(Part):
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


class Feature(Part):
    """What a user says about one feature.

    Attributes:
        display: Name in reports.
        unit: Unit in reports.
        actionable: Whether the business can target by it.
        sensitive: Never used in rules and never shown.
        static: Does not change over time.
        levels: Values that it may have, numbers as text; None: any. A check names all others that it finds.
    """

    display: Text = Text()
    unit: Text = Text()
    actionable: bool = True
    sensitive: bool = False
    static: bool = False
    levels: tuple[str, ...] | None = None


class Features(Part):
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


class Predicted(Part):
    """An effect as it was predicted, in the metric's own unit, treatment minus control.

    Attributes:
        estimate: The effect that the follow-up is sized for; its sign is the claim.
        interval: What the run that found the rule says the effect may be.
    """

    estimate: FiniteFloat
    interval: tuple[FiniteFloat, FiniteFloat]

    @model_validator(mode="after")
    def _claims_a_direction(self) -> Self:
        if self.estimate == 0:
            raise ValueError("a predicted effect of 0 claims no direction")
        if self.interval[0] > self.interval[1]:
            raise ValueError(f"interval {list(self.interval)} ends before it begins")
        return self


class Follows(Part):
    """The finding that an experiment was made to confirm or retire, as the run that found it states it.

    Attributes:
        experiment_id: Of the experiment in which it was found.
        revision: Of that experiment.
        rule: Id of the subpopulation in that run's result, such as ``s1``; what it says is in ``eligible``.
        treatment: Arm that the rule compares with control.
        kind: ``positive`` claims that the users gain, ``negative`` that they lose.
        predicted: Its effect on the primary metric.
    """

    experiment_id: Id
    revision: int = Field(ge=1)
    rule: Id
    treatment: Name
    kind: Literal["positive", "negative"]
    predicted: Predicted


class Delivery(Part):
    """Who is told, and how.

    Attributes:
        languages: Of report and message; the first one is the message's.
        wecom: Airflow connection id of the group robot.
        theme: ``safe`` is blue and orange, ``cn_market`` draws good in red, ``intl`` draws good in green.
    """

    languages: tuple[Language, ...] = LANGUAGES
    wecom: str = "wecom_default"
    theme: Literal["safe", "cn_market", "intl"] = "safe"
