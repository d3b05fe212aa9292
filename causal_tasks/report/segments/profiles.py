"""What each segment turned out to be: whether its creatives act alike, and whom their message speaks to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from causal_tasks.report import numbers
from causal_tasks.report.segments.briefing import SegmentsBriefing

MOST_NAMED = 4
"""Terms that a sentence names."""


@dataclass(frozen=True, slots=True)
class CoefficientBar:
    """One term of the model: its coefficient per standard deviation, as number and text."""

    label: str
    coefficient: float
    numbers: str


@dataclass(frozen=True, slots=True)
class Coefficients:
    """The largest coefficients that the creatives of a segment share.

    Attributes:
        title: Whom the message speaks to.
        x_title: Of the axis.
        bars: Largest first.
    """

    title: str
    x_title: str
    bars: tuple[CoefficientBar, ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """One segment.

    Attributes:
        segment: Its name.
        creatives: Their names.
        verdict: ``together``, ``partly``, ``apart``, ``flat`` or ``single``.
        word: The same as a word.
        sentence: The same as a sentence.
        differs: What is special about single creatives, one sentence for each.
        whom: Whom the message speaks to, in words; empty where no feature tells.
        facts: Name and value: how many were shown its creatives, how many were assigned it, which creative did best.
        share: Of users that were assigned it.
        coefficients: None where all are zero.
    """

    segment: str
    creatives: str
    verdict: str
    word: str
    sentence: str
    differs: tuple[str, ...]
    whom: str
    facts: tuple[tuple[str, str], ...]
    share: str
    coefficients: Coefficients | None


def tell_profiles(briefing: SegmentsBriefing) -> tuple[Profile, ...]:
    """Every segment in the order in which they were stated; empty where nothing was learned."""
    return tuple(_profile(briefing, record) for record in briefing.segments) if briefing.is_learned else ()


def _profile(briefing: SegmentsBriefing, record: Mapping[str, Any]) -> Profile:
    text, verdict = briefing.text, record["verdict"]
    whom = text("words.comma").join(briefing.whom(weighted) for weighted in record["shared"][:MOST_NAMED])
    said = _said(briefing, record)
    sentence = text(
        f"creatives.verdict.{said}",
        number=len(record["creatives"]),
        differs=briefing.listed(told["creative"] for told in record["differs"]),
    )
    return Profile(
        segment=record["segment"],
        creatives=briefing.listed(record["creatives"]),
        verdict=verdict,
        word=text(f"creatives.word.{verdict}"),
        sentence=sentence,
        differs=tuple(_special(briefing, told) for told in record["differs"]),
        whom=text("creatives.whom", whom=whom) if whom else "",
        facts=_facts(briefing, record),
        share=numbers.percent(record["share"], 0),
        coefficients=_coefficients(briefing, record["segment"], record["shared"]),
    )


def _said(briefing: SegmentsBriefing, record: Mapping[str, Any]) -> str:
    """Which sentence tells the verdict on a segment."""
    if record["verdict"] == "partly" and not record["agrees"]:
        return "partly_none_agree"
    if record["verdict"] == "flat" and any(other["shared"] for other in briefing.segments):
        return "flat_rest"
    return str(record["verdict"])


def _special(briefing: SegmentsBriefing, told: Mapping[str, Any]) -> str:
    """What a creative adds to what its segment shares."""
    whom = briefing.listed(briefing.whom(weighted) for weighted in told["terms"][:MOST_NAMED])
    return briefing.text("creatives.special", creative=told["creative"], whom=whom)


def _facts(briefing: SegmentsBriefing, record: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    text = briefing.text
    assigned = text(
        "creatives.assigned", users=numbers.count(record["assigned"]), share=numbers.percent(record["share"])
    )
    facts = [
        (text("creatives.facts.people"), numbers.count(record["people"])),
        (text("creatives.facts.assigned"), assigned),
    ]
    if len(record["creatives"]) > 1:
        facts.append((text("creatives.facts.best"), record["best_creative"]))
    return tuple(facts)


def _coefficients(briefing: SegmentsBriefing, segment: str, shared: Sequence[Mapping[str, Any]]) -> Coefficients | None:
    if not shared:
        return None
    bars = tuple(
        CoefficientBar(
            briefing.term_name(weighted["term"]),
            weighted["coefficient"],
            numbers.fixed(weighted["coefficient"], _decimals(shared), signed=True),
        )
        for weighted in shared
    )
    return Coefficients(segment, briefing.text("creatives.coefficient"), bars)


def _decimals(shared: Sequence[Mapping[str, Any]]) -> int:
    """As many for all bars as give the largest two digits, at least two."""
    return max(2, numbers.decimals_for(max(abs(weighted["coefficient"]) for weighted in shared)))
