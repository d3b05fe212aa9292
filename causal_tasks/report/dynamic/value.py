"""What deciding request by request is worth, on users that had no part in learning or in the choice of thresholds."""

from dataclasses import dataclass

from causal_tasks.report import numbers
from causal_tasks.report.charts.gains import GainBar, Gains
from causal_tasks.report.dynamic.briefing import DayBriefing
from causal_tasks.report.sections.effects import ShownEffect

_POLICIES = ("dynamic", "preference", "interest", "best_arm", "control")
"""In the order in which they are listed."""

_RIVALS = ("control", "best_arm", "interest", "preference")
"""What the decision is held against, in the order of the chart."""

_UNCLEAR = ("not_shown", "invalid")
"""Verdicts by which nothing is known of the decision."""


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """One way to decide.

    Attributes:
        policy: In words.
        value: Reward under it, with its interval.
        gain: Of the decision over it; None for the decision itself.
        changed: Share of requests that get a treatment.
        matched: Requests whose arm happened to be the one that it gives.
        is_decision: Whether it is the one that the verdict is about.
    """

    policy: str
    value: str
    gain: ShownEffect | None
    changed: str
    matched: str
    is_decision: bool


@dataclass(frozen=True, slots=True)
class Value:
    """The section on value.

    Attributes:
        rows: Every way to decide.
        gains: For the chart.
        metric: Heading of the column of values.
        note: On whom and how it was measured, and what is not in it.
    """

    rows: tuple[PolicyRow, ...]
    gains: Gains
    metric: str
    note: str


def tell_value(briefing: DayBriefing) -> Value:
    """The section on value."""
    text, coverage = briefing.text, briefing.result["coverage"]
    requests = coverage["requests"] or {"measured": None}
    per = text(f"realtime.per.{briefing.unit}")
    return Value(
        rows=tuple(_row(briefing, name) for name in _POLICIES if _is_told(briefing, name)),
        gains=_gains(briefing, per),
        metric=text("realtime.columns.value", metric=briefing.reward_name, per=per),
        note=text(
            f"realtime.value_note.{briefing.unit}",
            users=numbers.count(coverage["users"]["measured"]),
            requests=numbers.count(requests["measured"]),
        ),
    )


def _is_told(briefing: DayBriefing, name: str) -> bool:
    """Whether a way to decide was measured, and is not another one by a second name."""
    twice = name == "best_arm" and briefing.best_arm == briefing.feed["control"]
    return name in briefing.result["policies"] and not twice


def _row(briefing: DayBriefing, name: str) -> PolicyRow:
    told = briefing.result["policies"][name]
    return PolicyRow(
        policy=briefing.policy(name),
        value=briefing.reward.estimated(told["value"]),
        gain=None if name == "dynamic" else briefing.difference(f"dynamic_vs_{name}"),
        changed=numbers.percent(1 - told["shares"][briefing.feed["control"]]),
        matched=numbers.count(told["matched"]),
        is_decision=name == "dynamic",
    )


def _gains(briefing: DayBriefing, per: str) -> Gains:
    unit = briefing.reward.unit
    told = {"metric": briefing.reward_name, "per": per, "unit": unit}
    rivals = [name for name in _RIVALS if _is_told(briefing, name)]
    return Gains(
        title=briefing.text(f"realtime.gains.{_tone(briefing)}.{briefing.unit}"),
        x_title=briefing.text("realtime.gains.x" if unit else "realtime.gains.x_plain", **told),
        bars=tuple(_bar(briefing, name) for name in rivals),
    )


def _tone(briefing: DayBriefing) -> str:
    """What the chart says of the decision: never more than the verdict, which an interval alone may not carry."""
    return "unclear" if briefing.code in _UNCLEAR else briefing.difference("dynamic_vs_control").tone


def _bar(briefing: DayBriefing, name: str) -> GainBar:
    record = briefing.result["differences"][f"dynamic_vs_{name}"]
    shown = briefing.difference(f"dynamic_vs_{name}")
    low, high = record["interval"]
    return GainBar(
        label=briefing.text("realtime.gains.over", policy=briefing.policy(name)),
        gain=record["estimate"],
        low=low,
        high=high,
        tone=shown.tone,
        numbers=f"{shown.estimate} {shown.interval}",
    )
