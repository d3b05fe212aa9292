"""How well the model ranks users: the gain curve, the buckets, and the model board."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from causal_tasks.report import numbers
from causal_tasks.report.briefing import Briefing
from causal_tasks.report.verdict import tone_of

TARGETED = 0.2
"""Share of users for which the curve's title tells the gain, fixed beforehand."""


@dataclass(frozen=True, slots=True)
class Curve:
    """The gain curve and buckets of one treatment, on users who had no part in training.

    Attributes:
        treatment: Named where there are several.
        title: What the curve says, in one sentence.
        caption: Scores with intervals.
        y_title: Of the vertical axis.
        points: ``share``, ``gain``, ``low``, ``high`` in the unit of the axis.
        buckets: Rows of the bucket table, finished texts.
    """

    treatment: str | None
    title: str
    caption: str
    y_title: str
    points: tuple[tuple[float, float, float, float], ...]
    buckets: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One candidate on the board."""

    candidate: str
    auuc: str
    to_winner: str
    seconds: str
    device: str
    state: str
    state_word: str
    reason: str


@dataclass(frozen=True, slots=True)
class Models:
    """The model board, best first, failures last."""

    title: str
    rows: tuple[ModelRow, ...]
    features: str
    excluded: tuple[tuple[str, str], ...]


def tell_curves(briefing: Briefing) -> tuple[Curve, ...]:
    """The gain curve of each treatment."""
    evidence = briefing.result["evidence"]
    if evidence is None:
        return ()
    return tuple(_curve(briefing, evidence, treatment) for treatment in evidence["curve"])


def tell_models(briefing: Briefing) -> Models:
    """The section on models."""
    models, profile, text = briefing.result["models"], briefing.result["profile"], briefing.text
    winner = models["winner"]
    board = [_ranked(briefing, row) for row in models["board"]]
    failed = [_failed(briefing, name, record) for name, record in _failures(briefing.result).items()]
    return Models(
        title=text("models.title", winner=winner) if winner else text("models.none"),
        rows=(*board, *failed),
        features=text("models.features", used=len(profile["features_used"]), dropped=len(profile["dropped"])),
        excluded=tuple(
            (briefing.display_name(name) or name, text(f"dropped_reason.{reason}"))
            for name, reason in profile["dropped"].items()
        ),
    )


def _curve(briefing: Briefing, evidence: Mapping[str, Any], treatment: str) -> Curve:
    text, points = briefing.text, evidence["curve"][treatment]
    metric = briefing.format(briefing.experiment.primary.name)
    scale, unit = (100, "%") if metric.percent else (1, metric.unit)
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
    caption = text(
        "curve.caption",
        auuc=_scored(metric, auuc["estimate"], auuc["interval"]),
        random=metric.difference(auuc["random"], numbers.half_width(auuc["interval"])),
        qini=_scored(metric, qini["estimate"], qini["interval"]),
    )
    return Curve(
        treatment=treatment if briefing.several_treatments else None,
        title=title,
        caption=caption,
        y_title=text("curve.y", unit=unit) if unit else text("curve.y_plain"),
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


def _ranked(briefing: Briefing, row: Mapping[str, Any]) -> ModelRow:
    metric, name, gap = briefing.format(briefing.experiment.primary.name), row["candidate"], row["difference_to_winner"]
    if name == briefing.result["models"]["winner"]:
        state = "winner"
    else:
        state = "worse" if gap and tone_of(gap["interval"], 1) != "unclear" else "close"
    how = briefing.result["run"]["candidates"].get(name, {"seconds": None, "device": numbers.MISSING})
    return ModelRow(
        candidate=name,
        auuc=_scored(metric, row["auuc"], row["interval"]),
        to_winner=_scored(metric, gap["estimate"], gap["interval"]) if gap else numbers.MISSING,
        seconds=f"{numbers.fixed(how['seconds'], 1)} s" if how["seconds"] is not None else numbers.MISSING,
        device=how["device"],
        state=state,
        state_word=briefing.text(f"models.{state}"),
        reason="",
    )


def _scored(metric: numbers.MetricFormat, estimate: float, interval: Sequence[float | None]) -> str:
    return f"{metric.difference(estimate, numbers.half_width(interval))} {metric.interval(interval)}"


def _failures(result: Mapping[str, Any]) -> dict[str, Mapping[str, Any] | None]:
    """Failed candidates, whether ``select`` or the report itself met them."""
    met = {
        failure["item"]: failure["record"]
        for failure in result["failures"]
        if failure["stage"] == "train" and failure["item"]
    }
    return dict(sorted({**met, **result["models"]["failed"]}.items()))


def _failed(briefing: Briefing, name: str, record: Mapping[str, Any] | None) -> ModelRow:
    reason = (
        "; ".join(filter(None, (record["message"], record["remedy"]))) if record else briefing.text("models.killed")
    )
    dash = numbers.MISSING
    return ModelRow(name, dash, dash, dash, dash, "failed", briefing.text("models.failed"), reason)
