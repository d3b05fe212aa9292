"""What each way to roll out is worth against not rolling out at all."""

import math
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


def gain_of(value: Mapping[str, Any] | None, unit: str = "") -> str:
    """A gain for ``USERS`` users with its interval, such as ``+1,290 minutes [+940, +1,640]``; a dash without one.

    Two digits of the half width are kept, as everywhere, before the point too.
    """
    if value is None or value["estimate"] is None:
        return numbers.MISSING
    spread = USERS * numbers.half_width(value["interval"])
    digits = numbers.decimals_for(spread) if spread else 0
    step = 10.0 ** max(0, math.floor(math.log10(spread)) - 1) if spread else 1.0

    def written(gain: float) -> str:
        return numbers.fixed(step * round(USERS * gain / step) if step > 1 else USERS * gain, digits, signed=True)

    number = f"{written(value['estimate'])} {unit}" if unit else written(value["estimate"])
    low, high = value["interval"]
    return number if low is None or high is None else f"{number} [{written(low)}, {written(high)}]"


def _unit(briefing: Briefing) -> str:
    """Of a gain summed over users: users for a share, else the metric's unit."""
    return briefing.text("policy.users") if briefing.primary.percent else briefing.primary.unit


def _policies(briefing: Briefing, treatment: str, record: Mapping[str, Any]) -> Policies:
    text, unit = briefing.text, _unit(briefing)
    return Policies(
        treatment=briefing.named(treatment),
        title=_title(briefing, record["policies"]),
        caption=_caption(briefing, record["cost"]),
        axis=text("policy.axis", unit=unit) if unit else text("policy.axis_plain"),
        bars=(
            PolicyBar(text("policy.none"), 0.0, 0.0, 0.0, "unclear", numbers.fixed(0.0, 0)),
            *(_bar(briefing, policy) for policy in record["policies"] if policy["vs_none"]["estimate"] is not None),
        ),
        rows=tuple(_row(briefing, policy) for policy in record["policies"]),
    )


def _caption(briefing: Briefing, cost: float) -> str:
    """What was taken off, whom gains count for, and whether they can be relied on."""
    text = briefing.text
    spent = text("policy.cost", cost=briefing.primary.size(cost)) if cost else text("policy.no_cost")
    doubt = "" if briefing.experiment.randomized else text("policy.observational")
    return f"{spent}{text('policy.note')}{doubt}"


def _title(briefing: Briefing, policies: Sequence[Mapping[str, Any]]) -> str:
    """The way that gains most, whether it gains at all, and whether more than treating everybody."""
    text = briefing.text
    known = [policy for policy in policies if policy["vs_none"]["estimate"] is not None]
    best = max(known, key=lambda policy: policy["vs_none"]["estimate"], default=None)
    if best is None or tone_of(best["vs_none"]["interval"], 1) != "good":
        return text("policy.nothing")
    name, gain = text(f"policy.{best['policy']}"), gain_of(best["vs_none"], _unit(briefing))
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
        numbers=gain_of(value),
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
        *(gain_of(policy[against]) for against in ("vs_none", "vs_all", "vs_random")),
    )
