"""The whole report on a feed's day in one language: every text and number finished, nothing laid out yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from causal_tasks.report import numbers
from causal_tasks.report.dynamic.briefing import DayBriefing
from causal_tasks.report.dynamic.headline import action_of, headline_of
from causal_tasks.report.dynamic.lights import FEW, tell_lights
from causal_tasks.report.dynamic.models import Trade, Training, tell_trade, tell_training
from causal_tasks.report.dynamic.switching import Switching, tell_switching
from causal_tasks.report.dynamic.value import Value, tell_value
from causal_tasks.report.dynamic.watching import Drift, GuardRow, tell_drift, tell_guards
from causal_tasks.report.result import result_digest
from causal_tasks.report.sections.checks import Checks
from causal_tasks.report.sections.facts import Facts, tell_stages
from causal_tasks.report.text import Catalog
from causal_tasks.rule import Language

_READING = {
    "request": ("gain", "interest", "threshold", "matching", "carry_over", "drift"),
    "period": ("gain", "threshold", "matching"),
}
"""What a reader is told of how to read the page, by what a value is of."""


@dataclass(frozen=True, slots=True)
class DayContent:
    """What a view shows, in the order in which it shows it; what is not known is None or empty."""

    language: Language
    text: Catalog
    theme: str
    title: str
    report_id: str
    story: str
    badge: str
    headline: str
    action: str
    notes: tuple[str, ...]
    value: Value
    switching: Switching
    guards: tuple[GuardRow, ...]
    drift: Drift | None
    checks: Checks
    training: Training
    trade: Trade | None
    reading: tuple[str, ...]
    facts: Facts


def tell_day(result: Mapping[str, Any], language: Language) -> DayContent:
    """The report on ``result``, the content of a day's ``result.json``, in ``language``."""
    briefing = DayBriefing.of(result, language)
    text = briefing.text
    run_notes = (text(f"notes.{note}") for note in result["run"].get("notes", ()))
    return DayContent(
        language=language,
        text=text,
        theme=briefing.feed["delivery"]["theme"],
        title=briefing.title,
        report_id=briefing.report_id,
        story=f"realtime_{briefing.code}",
        badge=text(f"realtime.badge.{briefing.code}"),
        headline=headline_of(briefing),
        action=action_of(briefing),
        notes=(*briefing.notes(note for note in result["notes"] if not note.startswith(FEW)), *run_notes),
        value=tell_value(briefing),
        switching=tell_switching(briefing),
        guards=tell_guards(briefing),
        drift=tell_drift(briefing),
        checks=tell_lights(briefing),
        training=tell_training(briefing),
        trade=tell_trade(briefing),
        reading=tuple(text(f"realtime.reading.{key}") for key in _READING[briefing.unit]),
        facts=Facts(_facts(briefing), tell_stages(result)),
    )


def _facts(briefing: DayBriefing) -> tuple[tuple[str, str], ...]:
    result, feed, text, coverage = briefing.result, briefing.feed, briefing.text, briefing.result["coverage"]
    users, requests = coverage["users"], coverage["requests"]
    days = (briefing.day(coverage["days"][end]) for end in ("first", "last"))
    values = {
        "realtime.facts.feed": f"{feed['feed_id']}, {text('facts.revision', revision=feed['revision'])}",
        "facts.owner": feed["owner"] or text("facts.unknown"),
        "realtime.facts.day": briefing.day(result["date"]),
        "realtime.facts.history": text("facts.period_value", **dict(zip(("start", "end"), days, strict=True))),
        "facts.arms": briefing.listed(feed["arms"]),
        "realtime.facts.users": text(
            "realtime.facts.parts",
            **{part: numbers.count(users[part]) for part in ("learned", "threshold", "measured")},
        ),
    }
    if requests:
        values |= {
            "realtime.facts.requests": text(
                "realtime.facts.parts",
                **{part: numbers.count(requests[part]) for part in ("learned", "threshold", "measured")},
            ),
            "realtime.facts.unknown_users": numbers.count(requests["unknown_users"]),
        }
    values |= {"facts.digest": result_digest(result)[:16], "facts.schema": str(result["schema_version"])}
    return tuple((text(key), value) for key, value in values.items())
