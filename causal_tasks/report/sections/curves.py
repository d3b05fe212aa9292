"""How well the model ranks users: the gain curve and the buckets, on users who had no part in training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from causal_tasks.report import numbers
from causal_tasks.report.briefing import Briefing
from causal_tasks.report.tone import tone_of

TARGETED = 0.2
"""Share of users for which the curve's title tells the gain, fixed beforehand."""


@dataclass(frozen=True, slots=True)
class Curve:
    """The gain curve and buckets of one treatment.

    Attributes:
        treatment: Named where there are several.
        title: What the curve says, in one sentence.
        caption: Scores with intervals.
        x_title: Of the horizontal axis.
        y_title: Of the vertical axis.
        y_range: Of the vertical axis, the same for every treatment.
        model_label: Beside the curve.
        random_label: Beside the random line.
        points: ``share``, ``gain``, ``low``, ``high`` in the unit of the axis.
        buckets: Rows of the bucket table, finished texts.
    """

    treatment: str | None
    title: str
    caption: str
    x_title: str
    y_title: str
    y_range: tuple[float, float]
    model_label: str
    random_label: str
    points: tuple[tuple[float, float, float, float], ...]
    buckets: tuple[tuple[str, ...], ...]


def tell_curves(briefing: Briefing) -> tuple[Curve, ...]:
    """The gain curve of each treatment."""
    evidence = briefing.result["evidence"]
    if evidence is None:
        return ()
    everywhere = [point for points in evidence["curve"].values() for point in points]
    low, high = min(point["low"] for point in everywhere), max(point["high"] for point in everywhere)
    return tuple(
        _curve(briefing, evidence, treatment, (min(0.0, low), max(0.0, high))) for treatment in evidence["curve"]
    )


def scored(metric: numbers.MetricFormat, estimate: float, interval: Sequence[float | None]) -> str:
    """A score with its interval."""
    return f"{metric.difference(estimate, numbers.half_width(interval))} {metric.interval(interval)}"


def _curve(briefing: Briefing, evidence: Mapping[str, Any], treatment: str, y_range: tuple[float, float]) -> Curve:
    text, points = briefing.text, evidence["curve"][treatment]
    metric = briefing.format(briefing.experiment.primary.name)
    unit = briefing.axis_unit(briefing.experiment.primary.name)
    auuc, qini = evidence["auuc"][treatment], evidence["qini"][treatment]
    at = min(points, key=lambda point: abs(point["share"] - TARGETED))
    better = tone_of(qini["interval"], 1) == "good"
    spread = (at["high"] - at["low"]) / 2
    title = text(
        "curve.better" if better else "curve.not_better",
        share=numbers.percent(at["share"], 0),
        gain=metric.difference(at["gain"], spread),
        random=metric.difference(at["share"] * points[-1]["gain"], spread),
    )
    scores = text(
        "curve.scores",
        auuc=scored(metric, auuc["estimate"], auuc["interval"]),
        random=metric.difference(auuc["random"], numbers.half_width(auuc["interval"])),
        qini=scored(metric, qini["estimate"], qini["interval"]),
    )
    scale = metric.scale
    return Curve(
        treatment=treatment if briefing.several_treatments else None,
        title=title,
        caption=scores if briefing.several_treatments else f"{scores}{text('curve.note')}",
        x_title=text("curve.x"),
        y_title=text("curve.y", unit=unit) if unit else text("curve.y_plain"),
        y_range=(scale * y_range[0], scale * y_range[1]),
        model_label=text("curve.model"),
        random_label=text("curve.random"),
        points=tuple((p["share"], scale * p["gain"], scale * p["low"], scale * p["high"]) for p in points),
        buckets=tuple(_bucket(briefing, bucket) for bucket in evidence["buckets"][treatment]),
    )


def _bucket(briefing: Briefing, bucket: Mapping[str, Any]) -> tuple[str, ...]:
    metric = briefing.format(briefing.experiment.primary.name)
    spread = numbers.half_width(bucket["interval"])
    return (
        str(bucket["bucket"]),
        numbers.count(bucket["n_control"]),
        numbers.count(bucket["n_treatment"]),
        metric.level(bucket["mean_control"], spread),
        metric.level(bucket["mean_treatment"], spread),
        metric.difference(bucket["difference"], spread),
        metric.interval(bucket["interval"]),
    )
