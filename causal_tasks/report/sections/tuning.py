"""What tuning gained, trial by trial, on the validation users."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from causal_tasks.report.briefing import Briefing
from causal_tasks.report.numbers import MetricFormat


@dataclass(frozen=True, slots=True)
class TrialPoint:
    """One trial.

    Attributes:
        number: 0 has the default parameters.
        score: In the unit of the axis; of a pruned trial on the rows it was last fitted on.
        kind: ``default``, ``complete`` or ``pruned``.
    """

    number: int
    score: float
    kind: str


@dataclass(frozen=True, slots=True)
class TuningPanel:
    """The trials of one finalist.

    Attributes:
        candidate: The finalist.
        title: From which score to which.
        points: Its trials, by number.
        best: Number of each trial, and the best score of complete trials up to it.
    """

    candidate: str
    title: str
    points: tuple[TrialPoint, ...]
    best: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Tuning:
    """The section on tuning.

    Attributes:
        title: What was gained, in one sentence.
        caveat: Why the best score looks better than it is.
        marks: What the marks of the chart mean.
        x_title: Of the horizontal axes.
        y_title: Of the vertical axes.
        panels: One for each finalist that was tuned.
    """

    title: str
    caveat: str
    marks: str
    x_title: str
    y_title: str
    panels: tuple[TuningPanel, ...]


def tell_tuning(briefing: Briefing) -> Tuning | None:
    """The section on tuning; None where no parameters but the default ones were tried."""
    ranked = [row["candidate"] for row in briefing.result["models"]["ranking"]]
    histories = sorted(briefing.result["models"]["tuning"].values(), key=lambda tuned: ranked.index(tuned["candidate"]))
    if not any(len(tuned["trials"]) > 1 for tuned in histories):
        return None
    text, unit = briefing.text, briefing.axis_unit(briefing.experiment.primary.name)
    return Tuning(
        title=_title(briefing, histories),
        caveat=_caveat(briefing, histories),
        marks=text("tuning.marks"),
        x_title=text("tuning.x"),
        y_title=text("tuning.y", unit=unit) if unit else text("tuning.y_plain"),
        panels=tuple(_panel(briefing, tuned) for tuned in histories),
    )


def _title(briefing: Briefing, histories: Sequence[Mapping[str, Any]]) -> str:
    """Of the winning candidate where tuning improved it, else of the one that gained most."""
    improved = [tuned for tuned in histories if _gain(tuned) > 0]
    if not improved:
        return briefing.text("tuning.nothing")
    winner = briefing.winner
    name = winner["candidate"] if winner else None
    told = next((tuned for tuned in improved if tuned["candidate"] == name), max(improved, key=_gain))
    before, after = (_metric(briefing).difference(score, _gain(told)) for score in _before_after(told))
    title = briefing.text("tuning.gained", candidate=told["candidate"], before=before, after=after)
    if winner and not winner["tuned"]:
        title += briefing.text("tuning.not_kept")
    return title


def _caveat(briefing: Briefing, histories: Sequence[Mapping[str, Any]]) -> str:
    text = briefing.text
    caveat = text("tuning.optimistic", trials=max(len(tuned["trials"]) for tuned in histories))
    stopped = [tuned["candidate"] for tuned in histories if "stopped_early" in tuned["notes"]]
    return caveat + text("tuning.stopped_early", names=text("words.comma").join(stopped)) if stopped else caveat


def _panel(briefing: Briefing, tuned: Mapping[str, Any]) -> TuningPanel:
    scale = _metric(briefing).scale
    points = tuple(_point(trial, scale) for trial in tuned["trials"])
    scores = [point.score if point.kind != "pruned" else float("-inf") for point in points]
    before, after = (_metric(briefing).signed(score, _gain(tuned)) for score in _before_after(tuned))
    said = "tuning.panel" if _gain(tuned) > 0 else "tuning.panel_default"
    return TuningPanel(
        candidate=tuned["candidate"],
        title=briefing.text(said, before=before, after=after),
        points=points,
        best=tuple((point.number, best) for point, best in zip(points, accumulate(scores, max), strict=True)),
    )


def _point(trial: Mapping[str, Any], scale: float) -> TrialPoint:
    if trial["state"] == "pruned":
        return TrialPoint(trial["number"], scale * trial["rung_auucs"][-1], "pruned")
    return TrialPoint(trial["number"], scale * trial["auuc"], "default" if trial["number"] == 0 else "complete")


def _before_after(tuned: Mapping[str, Any]) -> tuple[float, float]:
    """The scores of the default parameters and of the best trial."""
    return float(tuned["trials"][0]["auuc"]), float(tuned["best"]["auuc"])


def _gain(tuned: Mapping[str, Any]) -> float:
    """What the best trial scored above the default parameters, at least 0."""
    before, after = _before_after(tuned)
    return after - before


def _metric(briefing: Briefing) -> MetricFormat:
    return briefing.format(briefing.experiment.primary.name)
