"""What money buys: the gain over control against what is spent, for the chosen method and what it is held against."""

from dataclasses import dataclass

from causal_tasks.report.allocation.briefing import AllocationBriefing
from causal_tasks.report.allocation.headline import gain_over_all

_POLICIES = ("chosen", "two_stage", "constant")
"""In the order in which they are listed; the first one is the reader's."""


@dataclass(frozen=True, slots=True)
class SpendingLine:
    """Gain against spend of one policy: ``spend``, ``gain``, ``low``, ``high`` in the units of the axes."""

    policy: str
    label: str
    points: tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True, slots=True)
class Spending:
    """The cost curve.

    Attributes:
        title: What it says.
        caption: How to read it.
        x_title: Of the horizontal axis.
        y_title: Of the vertical axis.
        lines: The chosen method first.
    """

    title: str
    caption: str
    x_title: str
    y_title: str
    lines: tuple[SpendingLine, ...]


def tell_spending(briefing: AllocationBriefing) -> Spending | None:
    """The cost curve; None where nothing was allocated."""
    if not briefing.is_allocated:
        return None
    text, curve = briefing.text, briefing.result["curve"]
    scale = briefing.outcome.scale
    lines = tuple(
        SpendingLine(
            policy,
            text(f"allocation.policy.{policy}", method=briefing.result["methods"]["chosen"]),
            tuple((p["spend"], scale * p["gain"], scale * p["low"], scale * p["high"]) for p in curve[policy]),
        )
        for policy in _POLICIES
        if curve.get(policy)
    )
    unit, money = briefing.axis_unit(briefing.result["outcome"]), briefing.money.unit
    metric, control = briefing.outcome_name, briefing.experiment.control
    return Spending(
        title=text(f"allocation.curve.{gain_over_all(briefing).tone}"),
        caption=text("allocation.curve.caption", control=control),
        x_title=text("allocation.curve.x", unit=money) if money else text("allocation.curve.x_plain"),
        y_title=text("allocation.curve.y", metric=metric, unit=unit)
        if unit
        else text("allocation.curve.y_plain", metric=metric),
        lines=lines,
    )
