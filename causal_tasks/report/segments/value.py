"""What the assignment is worth on users that nothing was learned from, and who responds to what."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from causal_tasks.report import numbers
from causal_tasks.report.charts.gains import GainBar, Gains
from causal_tasks.report.sections.effects import ShownEffect
from causal_tasks.report.segments.briefing import SegmentsBriefing
from causal_tasks.report.segments.headline import difference, gain_over_best, separate_over_segment
from causal_tasks.report.tone import tone_of

_AGAINST = {
    "best_creative": "vs_best_creative",
    "best_segment": "vs_best_segment",
    "mix": "vs_mix",
}
"""The difference in which the assigned segments are held against a policy.

Not against control, which nearly any message beats by so much that the other bars would shrink to nothing; nor against
separate models, which pick one creative where a segment mixes several.
"""

_POLICIES = ("segments", "best_in_segment", "separate", "best_creative", "best_segment", "mix", "control")
"""In the order in which they are listed."""

_OVER_BEST = {
    "segments": "vs_best_creative",
    "best_in_segment": "best_in_segment_vs_best_creative",
    "separate": "separate_vs_best_creative",
}
"""The difference in which a policy is held against the best single creative."""

_NO_CHOICE = ("one_segment", "nothing_found")
"""Verdicts with which everybody is assigned the same segment, so that its gain says nothing about assigning."""

_SHADES = 5
"""Of the table of responses, from pale to dark."""


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """One way to choose what users are shown.

    Attributes:
        policy: In words.
        mean: Response under it, with its interval.
        over_best: Against the best single creative for everybody; None where that was not compared.
        is_assignment: Whether it is the assignment by segments.
    """

    policy: str
    mean: str
    over_best: ShownEffect | None
    is_assignment: bool


@dataclass(frozen=True, slots=True)
class Cell:
    """Response of those assigned one segment and shown another.

    Attributes:
        mean: In words; a dash where too few users are.
        interval: ``[low, high]``; empty where too few users are.
        users: How many.
        shade: 1 (lowest of its row) to 5; 0 where nothing is known.
        is_own: Whether they were shown what they were assigned.
    """

    mean: str
    interval: str
    users: str
    shade: int
    is_own: bool


@dataclass(frozen=True, slots=True)
class Matrix:
    """Who responds to what.

    Attributes:
        shown: Headings of columns.
        rows: Assigned segment, and a cell for each column.
    """

    shown: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]


@dataclass(frozen=True, slots=True)
class Value:
    """The section on value.

    Attributes:
        rows: Every policy.
        gains: For the chart.
        separate: What separate models pick against the best creative of the assigned segment.
        over_control: The assigned segments against control for everybody; None where control is a creative too.
        matrix: Assigned by shown segment.
        creatives: Creative, segment, users, response with its interval; finished texts.
    """

    rows: tuple[PolicyRow, ...]
    gains: Gains
    separate: ShownEffect
    over_control: ShownEffect | None
    matrix: Matrix
    creatives: tuple[tuple[str, str, str, str], ...]


def tell_value(briefing: SegmentsBriefing) -> Value | None:
    """The section on value; None where nothing was learned."""
    if not briefing.is_learned:
        return None
    means = briefing.result["policies"]
    return Value(
        rows=tuple(_row(briefing, name, means[name]) for name in _POLICIES if means[name]),
        gains=_gains(briefing),
        separate=separate_over_segment(briefing),
        over_control=difference(briefing, "vs_control") if briefing.result["differences"]["vs_control"] else None,
        matrix=_matrix(briefing),
        creatives=tuple(_creative(briefing, record) for record in briefing.result["creatives"]),
    )


def _policy(briefing: SegmentsBriefing, name: str) -> str:
    return briefing.text(f"creatives.policy.{name}", **briefing.named_best)


def _row(briefing: SegmentsBriefing, name: str, mean: Mapping[str, Any]) -> PolicyRow:
    compared = _OVER_BEST.get(name)
    return PolicyRow(
        policy=_policy(briefing, name),
        mean=briefing.response.estimated(mean),
        over_best=difference(briefing, compared) if compared else None,
        is_assignment=name == "segments",
    )


def _gains(briefing: SegmentsBriefing) -> Gains:
    text, response = briefing.text, briefing.result["response"]
    unit = briefing.axis_unit(response)
    told = {"metric": briefing.response_name, "unit": unit}
    code = briefing.result["verdict"]["code"]
    return Gains(
        title=text(f"creatives.gains.{code if code in _NO_CHOICE else gain_over_best(briefing).tone}"),
        x_title=text("creatives.gains.x" if unit else "creatives.gains.x_plain", **told),
        bars=tuple(_bar(briefing, policy, name) for policy, name in _AGAINST.items()),
    )


def _bar(briefing: SegmentsBriefing, policy: str, name: str) -> GainBar:
    record, scale = briefing.result["differences"][name], briefing.response.scale
    low, high = record["interval"]
    shown = difference(briefing, name)
    return GainBar(
        label=briefing.text("creatives.gains.over", policy=_policy(briefing, policy)),
        gain=scale * record["estimate"],
        low=scale * low,
        high=scale * high,
        tone=tone_of(record["interval"], briefing.metric(briefing.result["response"]).sign),
        numbers=f"{shown.estimate} {shown.interval}",
    )


def _matrix(briefing: SegmentsBriefing) -> Matrix:
    cells = {(cell["assigned"], cell["shown"]): cell for cell in briefing.result["matrix"]}
    names = [record["segment"] for record in briefing.segments]
    shown = [name for name in (*names, None) if any(column == name for _, column in cells)]
    rows = [(name, [cells.get((name, column)) for column in shown]) for name in names]
    rows = [(name, row) for name, row in rows if any(cell and cell["users"] for cell in row)]
    sign = briefing.metric(briefing.result["response"]).sign
    spread = max((high - low for low, high in (_range(row, sign) for _, row in rows)), default=0.0)
    return Matrix(
        shown=tuple(briefing.text("creatives.no_message") if name is None else name for name in shown),
        rows=tuple(
            (
                name,
                tuple(
                    _cell(briefing, cell, _shade(cell, _range(row, sign), spread, sign), is_own=column == name)
                    for column, cell in zip(shown, row, strict=True)
                ),
            )
            for name, row in rows
        ),
    )


def _range(row: list[Mapping[str, Any] | None], sign: int) -> tuple[float, float]:
    """Lowest and highest response of a row, more being better."""
    known = [sign * cell["response"]["estimate"] for cell in row if cell and cell["response"]]
    return (min(known), max(known)) if known else (0.0, 0.0)


def _shade(cell: Mapping[str, Any] | None, ends: tuple[float, float], spread: float, sign: int) -> int:
    """How far a response lies above the lowest of its row, against the widest row of the table.

    So a row in which all messages do alike stays pale.
    """
    if not cell or not cell["response"]:
        return 0
    above = sign * float(cell["response"]["estimate"]) - ends[0]
    return 1 + round((_SHADES - 1) * above / spread) if spread else 1


def _cell(briefing: SegmentsBriefing, cell: Mapping[str, Any] | None, shade: int, *, is_own: bool) -> Cell:
    users = numbers.count(cell["users"] if cell else 0)
    if not cell or not cell["response"]:
        return Cell(numbers.MISSING, "", users, 0, is_own)
    found, response = cell["response"], briefing.response
    spread = numbers.half_width(found["interval"])
    return Cell(response.level(found["estimate"], spread), response.range(found["interval"]), users, shade, is_own)


def _creative(briefing: SegmentsBriefing, record: Mapping[str, Any]) -> tuple[str, str, str, str]:
    segment = briefing.text("creatives.reference") if record["is_reference"] else record["segment"]
    mean = briefing.response.estimated(record["response"]) if record["response"] else numbers.MISSING
    return record["creative"], segment, numbers.count(record["users"]), mean
