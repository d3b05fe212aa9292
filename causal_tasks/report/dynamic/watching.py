"""What is watched besides the reward: guarded responses, and whether thresholds still fit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from causal_tasks.report import numbers
from causal_tasks.report.dynamic.briefing import DayBriefing
from causal_tasks.report.sections.effects import ShownEffect


@dataclass(frozen=True, slots=True)
class GuardRow:
    """One guarded response.

    Attributes:
        response: Its name.
        difference: Under the decision less under changing nothing, per period.
        largest_fall: By how much it may fall.
        state: ``kept`` (the whole interval is within), ``broken`` (it is wholly beyond) or ``open``.
        state_word: The same as a word.
    """

    response: str
    difference: ShownEffect
    largest_fall: str
    state: str
    state_word: str


@dataclass(frozen=True, slots=True)
class DriftCell:
    """One segment in one week.

    Attributes:
        gain: Of the best threshold over the deployed one; a dash where it was not measured.
        interval: ``[low, high]``; empty where it was not measured.
        thresholds: With an alarm the best ones, as far as they differ from the deployed ones; a text for each.
        requests: How many.
        alarm: Whether the gain is beyond chance.
    """

    gain: str
    interval: str
    thresholds: tuple[str, ...]
    requests: str
    alarm: bool


@dataclass(frozen=True, slots=True)
class Drift:
    """Whether thresholds still fit.

    Attributes:
        title: Where there is an alarm.
        weeks: First days, oldest first.
        rows: Segment, and a cell for each week; None where there were no requests.
    """

    title: str
    weeks: tuple[str, ...]
    rows: tuple[tuple[str, tuple[DriftCell | None, ...]], ...]


def tell_guards(briefing: DayBriefing) -> tuple[GuardRow, ...]:
    """Every guarded response; empty where none is."""
    return tuple(_guard(briefing, record) for record in briefing.result["guards"])


def guard_state(record: Mapping[str, Any]) -> str:
    """``kept``, ``open`` or ``broken``."""
    if not record["kept"]:
        return "broken"
    # Not broken says that no fall beyond what is tolerated was shown; kept, that there is none.
    return "kept" if record["shown"] else "open"


def tell_drift(briefing: DayBriefing) -> Drift | None:
    """The section on drift; None where nothing was compared."""
    drift = briefing.result["drift"]
    if not drift or not drift["rows"]:
        return None
    rows = drift["rows"]
    weeks, segments = sorted({row["week"] for row in rows}), dict.fromkeys(row["segment"] for row in rows)
    cells = {(row["segment"], row["week"]): _cell(briefing, row) for row in rows}
    return Drift(
        title=drift_sentence(briefing, drift),
        weeks=tuple(briefing.day(week) for week in weeks),
        rows=tuple(
            (segment_name(briefing, segment), tuple(cells.get((segment, week)) for week in weeks))
            for segment in segments
        ),
    )


def drift_sentence(briefing: DayBriefing, drift: Mapping[str, Any]) -> str:
    """How many cells raise an alarm, and which."""
    alarms = [row for row in drift["rows"] if row["alarm"]]
    named = briefing.text("words.semicolon").join(
        briefing.text(
            "realtime.drift.cell", segment=segment_name(briefing, row["segment"]), week=briefing.day(row["week"])
        )
        for row in alarms
    )
    said = "alarm" if alarms else "quiet"
    return briefing.text(f"realtime.drift.{said}", alarms=len(alarms), cells=drift["cells"], named=named)


def segment_name(briefing: DayBriefing, segment: str) -> str:
    """A level of the segment column; all users, where the feed names none."""
    return segment if briefing.feed["segment"] else briefing.text("words.all_users")


def _guard(briefing: DayBriefing, record: Mapping[str, Any]) -> GuardRow:
    response, state = briefing.response(record["response"]), guard_state(record)
    return GuardRow(
        response=briefing.response_name(record["response"]),
        difference=briefing.effect(record["difference"], response),
        largest_fall=response.size(record["largest_fall"]),
        state=state,
        state_word=briefing.text(f"realtime.guard.{state}"),
    )


def _cell(briefing: DayBriefing, row: Mapping[str, Any]) -> DriftCell:
    shown = briefing.effect(row["difference"], briefing.reward) if row["difference"] else None
    return DriftCell(
        gain=shown.estimate if shown else numbers.MISSING,
        interval=shown.interval if shown else "",
        thresholds=_moved(briefing, row["thresholds"]) if row["alarm"] else (),
        requests=numbers.count(row["requests"]),
        alarm=bool(row["alarm"]),
    )


def _moved(briefing: DayBriefing, best: Mapping[str, float | None]) -> tuple[str, ...]:
    """The thresholds that differ from the deployed ones."""
    deployed = briefing.result["drift"]["deployed"]
    return tuple(
        briefing.text("realtime.drift.threshold", treatment=arm, threshold=briefing.threshold(threshold))
        for arm, threshold in best.items()
        if threshold != deployed[arm]
    )
