"""When a treatment is switched on: thresholds, what the value would be at others, and what is served."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from causal_tasks.report import numbers
from causal_tasks.report.dynamic.briefing import DayBriefing


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One threshold, the value under it and its interval, in the units of the axes."""

    threshold: float
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ThresholdCurve:
    """Value by the threshold of one treatment, or by one that all have in common.

    Attributes:
        title: Of which treatment, and what was chosen.
        x_title: Of the horizontal axis.
        y_title: Of the vertical axis.
        points: By threshold, smallest first; at least two.
        control: Value of changing nothing.
        control_label: Its name.
        chosen: The threshold in use; None: never.
    """

    title: str
    x_title: str
    y_title: str
    points: tuple[CurvePoint, ...]
    control: float
    control_label: str
    chosen: float | None


@dataclass(frozen=True, slots=True)
class Switching:
    """The section on thresholds.

    Attributes:
        title: Which treatments are used at all.
        in_use: Whether this day's thresholds are served, not only measured.
        rows: Treatment, category that it raises, threshold, share of requests that get it; finished texts.
        weight: How much interest counts; empty where preference alone decides.
        curves: One for each treatment, or one for all; none where fewer than two thresholds were tried.
        caption: How to read the curves.
        served: Name and value of what is served.
    """

    title: str
    in_use: bool
    rows: tuple[tuple[str, str, str, str], ...]
    weight: str
    curves: tuple[ThresholdCurve, ...]
    caption: str
    served: tuple[tuple[str, str], ...]


def tell_switching(briefing: DayBriefing) -> Switching:
    """The section on thresholds."""
    thresholds, treatments = briefing.result["thresholds"], briefing.feed["treatments"]
    chosen, shares = thresholds["chosen"], thresholds["switched_share"]
    return Switching(
        title=_title(briefing, chosen),
        in_use=briefing.result["served"]["switched_on"],
        rows=tuple(
            (arm, bucket, briefing.threshold(chosen[arm]), numbers.percent(shares[arm]))
            for arm, bucket in treatments.items()
        ),
        weight=_weight(briefing, thresholds["interest_weight"]),
        curves=_curves(briefing),
        caption=briefing.text(
            "realtime.curve.caption" if thresholds["per_treatment"] else "realtime.curve.caption_common"
        ),
        served=_served(briefing),
    )


def _weight(briefing: DayBriefing, weight: float | None) -> str:
    if weight is None:
        return ""
    return briefing.text("realtime.weight.some" if weight else "realtime.weight.none", weight=f"{weight:g}")


def _title(briefing: DayBriefing, chosen: Mapping[str, float | None]) -> str:
    """Which treatments the chosen thresholds use, or would use if the decision were served."""
    used = [arm for arm, threshold in chosen.items() if threshold is not None]
    unused = [arm for arm, threshold in chosen.items() if threshold is None]
    said = "some" if used and unused else "all" if used else "none"
    if used and not briefing.result["served"]["switched_on"]:
        said = "measured"
    return briefing.text(f"realtime.switched.{said}", used=briefing.listed(used), unused=briefing.listed(unused))


def _curves(briefing: DayBriefing) -> tuple[ThresholdCurve, ...]:
    rows = [row for row in briefing.result["thresholds"]["curve"] if row["xi"] is not None]
    by_treatment: dict[str | None, list[Mapping[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: float(row["xi"])):
        by_treatment.setdefault(row["treatment"], []).append(row)
    known = [arm for arm in (None, *briefing.feed["treatments"]) if len(by_treatment.get(arm, ())) > 1]
    return tuple(_curve(briefing, treatment, by_treatment[treatment]) for treatment in known)


def _curve(briefing: DayBriefing, treatment: str | None, rows: list[Mapping[str, Any]]) -> ThresholdCurve:
    text, chosen = briefing.text, briefing.result["thresholds"]["chosen"]
    # One threshold for all treatments is the same in each.
    threshold = next(iter(chosen.values())) if treatment is None else chosen[treatment]
    told = {"treatment": treatment, "threshold": briefing.threshold(threshold)}
    x, y = briefing.combined.unit, briefing.reward.unit
    metric = {"metric": briefing.reward_name, "per": text(f"realtime.per.{briefing.unit}")}
    return ThresholdCurve(
        title=text("realtime.curve.title_common" if treatment is None else "realtime.curve.title", **told),
        x_title=text("realtime.curve.x" if x else "realtime.curve.x_plain", unit=x),
        y_title=text("realtime.curve.y" if y else "realtime.curve.y_plain", unit=y, **metric),
        points=tuple(CurvePoint(row["xi"], row["value"], *row["interval"]) for row in rows),
        control=briefing.result["policies"]["control"]["value"]["estimate"],
        control_label=briefing.policy("control"),
        chosen=threshold,
    )


def _served(briefing: DayBriefing) -> tuple[tuple[str, str], ...]:
    """What decides for the feed from now on."""
    served, run, text = briefing.result["served"], briefing.result["run"], briefing.text
    since = served["date"] if run["published"] else run["kept"]
    values: dict[str, Any] = {"since": text("realtime.served.since_value", date=briefing.day(since))}
    if run["published"]:
        on = [
            text("words.of_arm", arm=arm, value=briefing.threshold(threshold))
            for arm, threshold in served["thresholds"].items()
            if threshold is not None
        ]
        values |= {
            "thresholds": text("words.semicolon").join(on) or text("realtime.served.none"),
            "exploration": numbers.percent(served["exploration"]),
            "stage": text(f"realtime.stage.{served['stage']}"),
            "boost": numbers.percent(served["boost"], 0),
            "users": numbers.count(served["users"]),
        }
    return tuple((text(f"realtime.served.{name}"), value) for name, value in values.items())
