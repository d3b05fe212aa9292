"""Whether effects differ among users at all, before any rule is looked at."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from causal_tasks.report import numbers
from causal_tasks.report.briefing import Briefing
from causal_tasks.report.sections.curves import scored
from causal_tasks.report.tone import tone_of

TOP_SHARE = 0.2
"""Share of users, ranked first, of whom the title of the TOC curve speaks."""


@dataclass(frozen=True, slots=True)
class Toc:
    """The targeting operator characteristic: what users ranked first gain above the average user."""

    title: str
    caption: str
    x_title: str
    y_title: str
    points: tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True, slots=True)
class GroupBar:
    """One fifth of the users by predicted effect, in the unit of the axis."""

    label: str
    estimate: float
    low: float
    high: float
    predicted: float
    tone: str
    numbers: str


@dataclass(frozen=True, slots=True)
class Groups:
    """Average effects of five groups of users by predicted effect (GATES).

    Attributes:
        title: Best against worst fifth.
        caption: What the marks mean.
        y_title: Of the axis of effects.
        x_title: Of the groups.
        bars: Predicted best first.
        rows: Group, users, predicted, measured, interval; finished texts.
    """

    title: str
    caption: str
    y_title: str
    x_title: str
    bars: tuple[GroupBar, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Predicted against measured effects; points are predicted, measured, low, high in the unit of the axes."""

    title: str
    caption: str
    x_title: str
    y_title: str
    points: tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True, slots=True)
class Heterogeneity:
    """What is known of one treatment.

    Attributes:
        treatment: Named where there are several.
        is_shown: Whether the omnibus test passed.
        sentence: The verdict with its numbers.
        tests: Name, value with interval and p-value of each test.
        toc: None where it is not known.
        groups: Likewise.
        calibration: Likewise.
    """

    treatment: str | None
    is_shown: bool
    sentence: str
    tests: tuple[tuple[str, str, str], ...]
    toc: Toc | None
    groups: Groups | None
    calibration: Calibration | None


def tell_heterogeneity(briefing: Briefing) -> tuple[Heterogeneity, ...]:
    """The verdict on heterogeneity of each treatment; empty where nothing was mined, or by an older version."""
    found = briefing.evidence.get("heterogeneity") or {}
    return tuple(_heterogeneity(briefing, treatment, record) for treatment, record in found.items())


def _heterogeneity(briefing: Briefing, treatment: str, record: Mapping[str, Any]) -> Heterogeneity:
    text, omnibus = briefing.text, record["omnibus"]
    autoc, blp = briefing.evidence["autoc"].get(treatment), record["blp"] or {}
    calibration = record["calibration"] or {}
    slope, effect = _coefficient(blp.get("heterogeneity")), _effect(briefing, autoc)
    said = "untested" if omnibus["p_value"] is None else "present" if omnibus["passed"] else "absent"
    tests = {
        "autoc": (autoc, effect),
        "blp": (blp.get("heterogeneity"), slope),
        "blp_average": (blp.get("average"), _effect(briefing, blp.get("average"))),
        "calibration_average": (calibration.get("average"), _coefficient(calibration.get("average"))),
        "calibration_spread": (calibration.get("spread"), _coefficient(calibration.get("spread"))),
        "top_minus_bottom": (record["top_minus_bottom"], _effect(briefing, record["top_minus_bottom"])),
    }
    return Heterogeneity(
        treatment=briefing.named(treatment),
        is_shown=omnibus["passed"],
        sentence=text(f"heterogeneity.{said}", p=numbers.p_equals(omnibus["p_value"])),
        tests=tuple(
            (text(f"heterogeneity.{name}"), value, numbers.probability(found["p_value"]))
            for name, (found, value) in tests.items()
            if found
        ),
        toc=_toc(briefing, treatment),
        groups=_groups(briefing, record),
        calibration=_calibration(briefing, calibration) if calibration.get("points") else None,
    )


def _effect(briefing: Briefing, estimate: Mapping[str, Any] | None) -> str:
    """An effect with its interval, a dash where it is not known."""
    if not estimate or estimate["estimate"] is None:
        return numbers.MISSING
    return scored(briefing.primary, estimate["estimate"], estimate["interval"])


def _coefficient(estimate: Mapping[str, Any] | None) -> str:
    """A number without unit, such as a slope, with its interval; a dash where it is not known."""
    if not estimate or estimate["estimate"] is None or estimate["interval"][0] is None:
        return numbers.MISSING
    low, high = (numbers.fixed(bound, 2) for bound in estimate["interval"])
    return f"{numbers.fixed(estimate['estimate'], 2)} [{low}, {high}]"


def _toc(briefing: Briefing, treatment: str) -> Toc | None:
    found = briefing.evidence["toc"].get(treatment) or ()
    curve = [point for point in found if point["low"] is not None and point["high"] is not None]
    if not curve:
        return None
    text, metric, unit = briefing.text, briefing.primary, briefing.axis_unit(briefing.experiment.primary.name)
    at = min(curve, key=lambda point: abs(point["share"] - TOP_SHARE))
    spread = [at["low"], at["high"]]
    autoc = briefing.evidence["autoc"].get(treatment)
    above = tone_of(spread, 1) == "good"
    scale = metric.scale
    return Toc(
        title=text(
            "toc.above" if above else "toc.not_above",
            share=numbers.percent(at["share"], 0),
            gain=metric.difference(at["toc"], numbers.half_width(spread)),
        ),
        caption=text(
            "toc.caption",
            autoc=_effect(briefing, autoc),
            p=numbers.p_equals(autoc["p_value"] if autoc else None),
        ),
        x_title=text("toc.x"),
        y_title=text("toc.y", unit=unit) if unit else text("toc.y_plain"),
        points=tuple((p["share"], scale * p["toc"], scale * p["low"], scale * p["high"]) for p in curve),
    )


def _groups(briefing: Briefing, record: Mapping[str, Any]) -> Groups | None:
    text, metric, unit = briefing.text, briefing.primary, briefing.axis_unit(briefing.experiment.primary.name)
    top = record["top_minus_bottom"]
    if not top or not record["groups"]:
        return None
    known = [group for group in record["groups"] if group["effect"] and group["effect"]["interval"][0] is not None]
    return Groups(
        title=text(
            f"groups.{'apart' if tone_of(top['interval'], 1) == 'good' else 'alike'}",
            difference=metric.difference(top["estimate"], numbers.half_width(top["interval"])),
            interval=metric.interval(top["interval"]),
        ),
        caption=text("groups.monotone" if record["monotone"] else "groups.not_monotone"),
        y_title=text("groups.y", unit=unit) if unit else text("groups.y_plain"),
        x_title=text("groups.x"),
        bars=tuple(_bar(briefing, group) for group in known),
        rows=tuple(
            (
                str(group["group"]),
                numbers.count(group["n"]),
                metric.difference(group["predicted"], numbers.half_width(group["effect"]["interval"])),
                metric.difference(group["effect"]["estimate"], numbers.half_width(group["effect"]["interval"])),
                metric.interval(group["effect"]["interval"]),
            )
            for group in known
        ),
    )


def _bar(briefing: Briefing, group: Mapping[str, Any]) -> GroupBar:
    effect, metric = group["effect"], briefing.primary
    low, high = effect["interval"]
    return GroupBar(
        label=str(group["group"]),
        estimate=metric.scale * effect["estimate"],
        low=metric.scale * low,
        high=metric.scale * high,
        predicted=metric.scale * group["predicted"],
        tone=tone_of(effect["interval"], 1),
        numbers=metric.signed(effect["estimate"], numbers.half_width(effect["interval"])),
    )


def _calibration(briefing: Briefing, record: Mapping[str, Any]) -> Calibration:
    text, scale, unit = briefing.text, briefing.primary.scale, briefing.axis_unit(briefing.experiment.primary.name)
    low, high = record["spread"]["interval"]
    said = "unknown" if low is None else "flat" if low <= 0 <= high else "fits" if low <= 1 <= high else "misfits"
    return Calibration(
        title=text(f"calibration.{said}", slope=_coefficient(record["spread"])),
        caption=text(
            "calibration.caption",
            average=_coefficient(record["average"]),
            r2=numbers.fixed(record["r2"], 2),
        ),
        x_title=text("calibration.x", unit=unit) if unit else text("calibration.x_plain"),
        y_title=text("calibration.y", unit=unit) if unit else text("calibration.y_plain"),
        points=tuple(
            (
                scale * point["predicted"],
                scale * point["observed"],
                scale * (point["observed"] - 1.96 * point["standard_error"]),
                scale * (point["observed"] + 1.96 * point["standard_error"]),
            )
            for point in record["points"]
        ),
    )
