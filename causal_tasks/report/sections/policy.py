"""What each way to roll out is worth against not rolling out at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from causal_tasks.report import numbers
from causal_tasks.report.briefing import Briefing
from causal_tasks.report.tone import tone_of

USERS = 1_000
"""Users for whom gains are told."""


@dataclass(frozen=True, slots=True)
class PolicyBar:
    """The gain of one way to roll out, for ``USERS`` users, in the metric's unit times users."""

    label: str
    gain: float
    low: float
    high: float
    tone: str
    numbers: str


@dataclass(frozen=True, slots=True)
class Policies:
    """What can be done with one treatment.

    Attributes:
        treatment: Named where there are several.
        title: Which way gains most, and whether reliably.
        caption: What was subtracted, and which rules are meant.
        axis: Of the gains.
        bars: Nobody, everybody, then the others.
        rows: Way, share treated, gain against nobody, against everybody, against as many at random; finished texts.
    """

    treatment: str | None
    title: str
    caption: str
    axis: str
    bars: tuple[PolicyBar, ...]
    rows: tuple[tuple[str, ...], ...]


def tell_policies(briefing: Briefing) -> tuple[Policies, ...]:
    """The value of each rollout by treatment; empty where nothing was mined, or by an older version."""
    found = briefing.evidence.get("policy") or {}
    return tuple(_policies(briefing, treatment, record) for treatment, record in found.items() if record["policies"])


def gain_of(briefing: Briefing, value: Mapping[str, Any] | None) -> str:
    """A gain for ``USERS`` users with its interval, such as ``+1,290 minutes [+940, +1,640]``; a dash without one."""
    if value is None or value["estimate"] is None:
        return numbers.MISSING
    spread = USERS * numbers.half_width(value["interval"])
    digits = numbers.decimals_for(spread) if spread else 0
    number = numbers.fixed(USERS * value["estimate"], digits, signed=True)
    unit = _unit(briefing)
    low, high = value["interval"]
    bounds = (
        ""
        if low is None or high is None
        else f" [{', '.join(numbers.fixed(USERS * bound, digits, signed=True) for bound in (low, high))}]"
    )
    return f"{number} {unit}{bounds}" if unit else f"{number}{bounds}"


def _unit(briefing: Briefing) -> str:
    """Of a gain summed over users: users for a share, else the metric's unit."""
    return briefing.text("policy.users") if briefing.primary.percent else briefing.primary.unit


def _policies(briefing: Briefing, treatment: str, record: Mapping[str, Any]) -> Policies:
    text, unit = briefing.text, _unit(briefing)
    cost = record["cost"]
    spent = "policy.cost" if cost else "policy.no_cost"
    return Policies(
        treatment=briefing.named(treatment),
        title=_title(briefing, record["policies"]),
        caption=text(
            spent, cost=briefing.primary.size(cost) if not briefing.primary.percent else numbers.fixed(cost, 4)
        )
        + text("policy.note"),
        axis=text("policy.axis", unit=unit) if unit else text("policy.axis_plain"),
        bars=(
            PolicyBar(text("policy.none"), 0.0, 0.0, 0.0, "unclear", numbers.fixed(0.0, 0)),
            *(_bar(briefing, policy) for policy in record["policies"] if policy["vs_none"]["estimate"] is not None),
        ),
        rows=tuple(_row(briefing, policy) for policy in record["policies"]),
    )


def _title(briefing: Briefing, policies: Sequence[Mapping[str, Any]]) -> str:
    """The way that gains most, whether it gains at all, and whether more than treating everybody."""
    text = briefing.text
    known = [policy for policy in policies if policy["vs_none"]["estimate"] is not None]
    best = max(known, key=lambda policy: policy["vs_none"]["estimate"], default=None)
    if best is None or tone_of(best["vs_none"]["interval"], 1) != "good":
        return text("policy.nothing")
    name, gain = text(f"policy.{best['policy']}"), gain_of(briefing, best["vs_none"])
    if best["policy"] == "all":
        return text("policy.best_all", gain=gain)
    over_all = best["vs_all"]
    is_better = over_all is not None and tone_of(over_all["interval"], 1) == "good"
    return text("policy.better" if is_better else "policy.close", policy=name, gain=gain)


def _bar(briefing: Briefing, policy: Mapping[str, Any]) -> PolicyBar:
    value = policy["vs_none"]
    low, high = value["interval"]
    gain = USERS * value["estimate"]
    return PolicyBar(
        label=_label(briefing, policy),
        gain=gain,
        low=gain if low is None else USERS * low,
        high=gain if high is None else USERS * high,
        tone=tone_of(value["interval"], 1),
        numbers=gain_of(briefing, value),
    )


def _label(briefing: Briefing, policy: Mapping[str, Any]) -> str:
    name = briefing.text(f"policy.{policy['policy']}")
    if policy["policy"] == "all":
        return name
    return briefing.text("policy.with_share", policy=name, share=numbers.percent(policy["share"], 0))


def _row(briefing: Briefing, policy: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        briefing.text(f"policy.{policy['policy']}"),
        numbers.percent(policy["share"]),
        *(gain_of(briefing, policy[against]) for against in ("vs_none", "vs_all", "vs_random")),
    )
