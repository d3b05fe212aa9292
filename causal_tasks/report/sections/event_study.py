"""Difference in differences: by how much the arms parted after the start, and whether they ran alike before it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from causal_tasks.report import numbers
from causal_tasks.report.briefing import Briefing
from causal_tasks.report.caveats import PRE_TREND_LEVEL
from causal_tasks.report.sections.effects import ShownEffect, in_words, show_effect


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """The difference in differences of one metric under one treatment."""

    metric: str
    treatment: str | None
    effect: ShownEffect
    n: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PeriodPoint:
    """The difference between arms in one stretch of days, in the unit of the axis; zero in the reference period."""

    first_day: int
    last_day: int
    estimate: float
    low: float
    high: float
    is_after: bool
    is_reference: bool


@dataclass(frozen=True, slots=True)
class EventStudy:
    """The event study of one metric under one treatment.

    Attributes:
        treatment: Named where there are several.
        title: Whether the arms ran alike before the start.
        caption: What is shown, and the test of the pre-trend.
        x_title: Of the horizontal axis.
        y_title: Of the vertical axis.
        start_label: At the start.
        points: By day.
        rows: Days, difference, interval; finished texts.
    """

    treatment: str | None
    title: str
    caption: str
    x_title: str
    y_title: str
    start_label: str
    points: tuple[PeriodPoint, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Differences:
    """The section on difference in differences.

    Attributes:
        rows: Every metric by every treatment.
        studies: Of the primary metric.
        is_headline: Whether the report's effect is a difference in differences.
    """

    rows: tuple[DifferenceRow, ...]
    studies: tuple[EventStudy, ...]
    is_headline: bool


def tell_differences(briefing: Briefing) -> Differences | None:
    """The section on difference in differences; None without a pre-window."""
    records = [record for record in briefing.result["did"] if record["effect"] is not None]
    if not records:
        return None
    return Differences(
        rows=tuple(_row(briefing, record) for record in records),
        studies=tuple(_study(briefing, record) for record in records if record["event_study"]),
        is_headline="did_headline" in briefing.result["notes"],
    )


def _row(briefing: Briefing, record: Mapping[str, Any]) -> DifferenceRow:
    effect = record["effect"]
    return DifferenceRow(
        metric=briefing.metric_name(record["metric"]),
        treatment=briefing.named(record["treatment"]),
        effect=show_effect(briefing, record["metric"], effect),
        n=f"{numbers.count(effect['n_control'])} / {numbers.count(effect['n_treatment'])}",
        notes=in_words(briefing, effect["notes"]),
    )


def _study(briefing: Briefing, record: Mapping[str, Any]) -> EventStudy:
    text, study, metric = briefing.text, record["event_study"], record["metric"]
    trend, unit, shown = study["pre_trend"] or {}, briefing.axis_unit(metric), briefing.format(metric)
    p_value = trend.get("p_value")
    said = "unknown" if p_value is None else "parted" if p_value < PRE_TREND_LEVEL else "parallel"
    slope = trend.get("slope") or {"estimate": None, "interval": None}
    name = briefing.metric_name(metric)
    return EventStudy(
        treatment=briefing.named(record["treatment"]),
        title=text(f"event_study.{said}", p=numbers.p_equals(p_value)),
        caption=text(
            "event_study.caption",
            p=numbers.p_equals(p_value),
            slope=shown.difference(slope["estimate"], numbers.half_width(slope["interval"])),
            interval=shown.interval(slope["interval"]),
        ),
        x_title=text("event_study.x"),
        y_title=text("event_study.y" if unit else "event_study.y_plain", metric=name, unit=unit),
        start_label=text("event_study.start"),
        points=tuple(
            _point(period, shown.scale)
            for period in study["periods"]
            if period["reference"] or period["estimate"] is not None
        ),
        rows=tuple(_period(briefing, period, shown) for period in study["periods"]),
    )


def _point(period: Mapping[str, Any], scale: float) -> PeriodPoint:
    estimate = scale * (period["estimate"] or 0.0)
    low, high = period["interval"] or (None, None)
    return PeriodPoint(
        first_day=period["first_day"],
        last_day=period["last_day"],
        estimate=estimate,
        low=estimate if low is None else scale * low,
        high=estimate if high is None else scale * high,
        is_after=period["first_day"] >= 0,
        is_reference=period["reference"],
    )


def _period(briefing: Briefing, period: Mapping[str, Any], shown: numbers.MetricFormat) -> tuple[str, ...]:
    first, last = period["first_day"], period["last_day"]
    days = numbers.fixed(first, 0, signed=True)
    if last != first:
        days = briefing.text("event_study.days", first=days, last=numbers.fixed(last, 0, signed=True))
    if period["reference"]:
        return (days, briefing.text("event_study.reference"), numbers.MISSING)
    spread = numbers.half_width(period["interval"])
    return (days, shown.difference(period["estimate"], spread), shown.interval(period["interval"]))
