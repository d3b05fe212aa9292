"""Which methods were compared, which one spends the budgets, and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from causal_tasks.report import numbers
from causal_tasks.report.allocation.briefing import AllocationBriefing
from causal_tasks.report.sections.effects import ShownEffect, show_effect
from causal_tasks.report.sections.models import FailedRow, failed_row


@dataclass(frozen=True, slots=True)
class MethodRow:
    """One method that was compared.

    Attributes:
        method: Its name.
        family: What it does.
        value: Expected outcome per user, mean over budgets, with its interval.
        difference: To the best two-stage method, on the same users; None for that one.
        state: ``chosen``, ``baseline`` or ``other``.
        state_word: The same as a word; empty for others.
        seconds: What training it took.
        notes: What a reader must know of it and not of all.
    """

    method: str
    family: str
    value: str
    difference: ShownEffect | None
    state: str
    state_word: str
    seconds: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Methods:
    """The section on methods.

    Attributes:
        title: Which one was chosen.
        standing: Why.
        margin: Over the best two-stage method on users who had no part in the choice; None where that one was chosen.
        rows: Best first.
        note: On whom they were compared; empty where none was.
        failed: Those that could not be trained.
        brief_failures: How many of them, in a few words; empty where there are none.
    """

    title: str
    standing: str
    margin: ShownEffect | None
    rows: tuple[MethodRow, ...]
    note: str
    failed: tuple[FailedRow, ...]
    brief_failures: str


def tell_methods(briefing: AllocationBriefing) -> Methods:
    """The section on methods."""
    methods, text = briefing.result["methods"], briefing.text
    chosen, failed, compared = methods["chosen"], methods["failed"], len(methods["board"])
    brief = text("allocation.methods.failed", failed=len(failed), total=compared + len(failed)) if failed else ""
    return Methods(
        title=text("allocation.methods.title", method=chosen) if chosen else text("allocation.methods.none"),
        standing=_standing(briefing) if chosen else "",
        margin=_margin(briefing),
        rows=tuple(_row(briefing, record) for record in methods["board"]),
        note=text("allocation.methods.note", level=numbers.percent(methods["level"])) if methods["board"] else "",
        failed=tuple(failed_row(briefing, *item) for item in failed.items()),
        brief_failures=brief,
    )


def _standing(briefing: AllocationBriefing) -> str:
    methods = briefing.result["methods"]
    best = methods["board"][0]["method"]
    return briefing.text(f"allocation.why.{methods['reason']}", baseline=methods["baseline"], best=best)


def _margin(briefing: AllocationBriefing) -> ShownEffect | None:
    overall = briefing.result["overall"]
    margin = overall["vs_two_stage"] if overall else None
    return show_effect(briefing, briefing.result["outcome"], margin) if margin else None


def _row(briefing: AllocationBriefing, record: Mapping[str, Any]) -> MethodRow:
    methods, difference, name = briefing.result["methods"], record["difference"], record["method"]
    state = "chosen" if name == methods["chosen"] else "baseline" if name == methods["baseline"] else "other"
    fitted = briefing.result["run"]["methods"][name]
    return MethodRow(
        method=name,
        family=briefing.family(name),
        value=briefing.outcome.estimated(record["value"]),
        difference=show_effect(briefing, briefing.result["outcome"], difference) if difference else None,
        state=state,
        state_word="" if state == "other" else briefing.text(f"allocation.methods.{state}"),
        seconds=f"{numbers.fixed(fitted['seconds'], 1)} s",
        notes=briefing.notes(note for note in record["notes"] if note not in briefing.result["notes"]),
    )
