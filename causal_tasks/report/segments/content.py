"""The whole report on creative segments in one language: every text and number finished, nothing laid out yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from causal_tasks.report import numbers
from causal_tasks.report.result import result_digest
from causal_tasks.report.sections.checks import Checks, tell_checks
from causal_tasks.report.sections.facts import Facts, tell_stages
from causal_tasks.report.segments.briefing import SegmentsBriefing
from causal_tasks.report.segments.headline import action_of, headline_of
from causal_tasks.report.segments.profiles import Profile, tell_profiles
from causal_tasks.report.segments.selection import Selection, tell_selection
from causal_tasks.report.segments.value import Value, tell_value
from causal_tasks.report.text import Catalog
from causal_tasks.rule import Language

_REMARKS = ("arm_not_learned_from", "family_chosen")
"""Notes that say how a run went as it should; the others are to be read before anything else."""


@dataclass(frozen=True, slots=True)
class Use:
    """How the assignment is taken over.

    Attributes:
        file: What the file holds.
        path: Where it is in the run folder.
        columns: Column and meaning; finished texts.
        command: That assigns segments to other users.
    """

    file: str
    path: str
    columns: tuple[tuple[str, str], ...]
    command: str


@dataclass(frozen=True, slots=True)
class SegmentsContent:
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
    remarks: tuple[str, ...]
    response: str
    control: str
    profiles: tuple[Profile, ...]
    value: Value | None
    selection: Selection | None
    use: Use | None
    checks: Checks
    facts: Facts


def tell_segments(result: Mapping[str, Any], language: Language) -> SegmentsContent:
    """The report on ``result``, the content of ``segments.json``, in ``language``."""
    briefing = SegmentsBriefing.of(result, language)
    experiment, text, code = briefing.experiment, briefing.text, result["verdict"]["code"]
    checks = tell_checks(briefing)
    run_notes = (text(f"notes.{note}") for note in result["run"]["notes"])
    return SegmentsContent(
        language=language,
        text=text,
        theme=experiment.delivery.theme,
        title=briefing.title,
        report_id=experiment.run_id,
        story=code,
        badge=text(f"creatives.badge.{code}"),
        headline=headline_of(briefing, checks),
        action=action_of(briefing),
        notes=(*briefing.notes(note for note in result["notes"] if not note.startswith(_REMARKS)), *run_notes),
        remarks=briefing.notes(note for note in result["notes"] if note.startswith(_REMARKS)),
        response=briefing.response_name,
        control=experiment.control,
        profiles=tell_profiles(briefing),
        value=tell_value(briefing),
        selection=tell_selection(briefing),
        use=_use(briefing) if briefing.is_learned else None,
        checks=checks,
        facts=Facts(_facts(briefing), tell_stages(briefing.result)),
    )


def _use(briefing: SegmentsBriefing) -> Use:
    text, run_id = briefing.text, briefing.experiment.run_id
    told = ("segment", "creative", "separate", "score__", "response__")
    return Use(
        file=text("creatives.use.file"),
        path=briefing.result["run"]["assignments"],
        columns=tuple((f"{name}…" if name.endswith("__") else name, text(f"creatives.use.{name}")) for name in told),
        command=f"causal-tasks assign-segments {run_id} users.parquet assigned.parquet",
    )


def _facts(briefing: SegmentsBriefing) -> tuple[tuple[str, str], ...]:
    experiment, result, text = briefing.experiment, briefing.result, briefing.text
    values = {
        "facts.experiment": f"{experiment.experiment_id}, {text('facts.revision', revision=experiment.revision)}",
        "facts.owner": experiment.owner or text("facts.unknown"),
        "creatives.facts.segments": text("words.semicolon").join(
            _named(briefing, record) for record in briefing.segments
        ),
        **({"creatives.facts.reference": briefing.listed(result["reference"])} if result["reference"] else {}),
        "creatives.facts.response": briefing.response_name,
        **_users(briefing),
        "facts.digest": result_digest(result)[:16],
        "facts.schema": str(result["schema_version"]),
    }
    return tuple((text(key), value) for key, value in values.items())


def _named(briefing: SegmentsBriefing, record: Mapping[str, Any]) -> str:
    return briefing.text("words.of_arm", arm=record["segment"], value=briefing.listed(record["creatives"]))


def _users(briefing: SegmentsBriefing) -> dict[str, str]:
    """How many users served for what; empty where nothing was learned."""
    if not briefing.is_learned:
        return {}
    counted = {name: numbers.count(briefing.result["users"][name]) for name in ("learned", "measured", "assigned")}
    return {"creatives.facts.users": briefing.text("creatives.facts.users_value", **counted)}
