"""The table of budgets, and which share of users gets which arm at each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from causal_tasks.report import numbers
from causal_tasks.report.allocation.briefing import AllocationBriefing
from causal_tasks.report.sections.curves import scored
from causal_tasks.report.sections.effects import ShownEffect, show_effect


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """What one budget brings.

    Attributes:
        budget: Per user.
        total: For all users of the run.
        outcome: Expected per user, with its interval.
        cost: Measured cost per user of arms given by the method's forecast, as in the file, with its interval.
        over_all: Gain over the same for everybody at that cost.
        over_control: Gain over control for everybody.
        over_two_stage: Gain over the best two-stage method with its interval; a dash where that one was chosen.
        next: What a little more money brings.
        more: What ten per cent more budget brings per user.
        column: Of the file of allocations.
        notes: What a reader must know of it.
    """

    budget: str
    total: str
    outcome: str
    cost: str
    over_all: ShownEffect
    over_control: ShownEffect
    over_two_stage: str
    next: str
    more: str
    column: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ShareBar:
    """At one budget, the share of every arm: as a number, and as text."""

    budget: str
    shares: tuple[float, ...]
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shares:
    """Who gets what.

    Attributes:
        title: How many get anything at the smallest and at the largest budget.
        x_title: Of the axis of shares.
        arms: Control first.
        bars: By budget, smallest first.
    """

    title: str
    x_title: str
    arms: tuple[str, ...]
    bars: tuple[ShareBar, ...]

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """Budget, then the share of every arm; finished texts."""
        return [(bar.budget, *bar.texts) for bar in self.bars]


def tell_budgets(briefing: AllocationBriefing) -> tuple[BudgetRow, ...]:
    """A row for every budget, smallest first; empty where nothing was allocated."""
    return tuple(_row(briefing, record) for record in _ascending(briefing)) if briefing.is_allocated else ()


def tell_shares(briefing: AllocationBriefing) -> Shares | None:
    """The share of every arm by budget; None where nothing was allocated."""
    if not briefing.is_allocated:
        return None
    text, arms, records = briefing.text, tuple(briefing.result["arms"]), _ascending(briefing)
    bars = tuple(
        ShareBar(
            briefing.money.per_user(record["budget"]),
            tuple(record["shares"][arm] for arm in arms),
            tuple(numbers.percent(record["shares"][arm]) for arm in arms),
        )
        for record in records
    )
    treated = [numbers.percent(1 - record["shares"][arms[0]], 0) for record in (records[0], records[-1])]
    said = "one" if len(records) == 1 else "several"
    title = text(
        f"allocation.arms.{said}",
        control=arms[0],
        low=treated[0],
        high=treated[-1],
        smallest=bars[0].budget,
        largest=bars[-1].budget,
    )
    return Shares(title, text("allocation.arms.x"), arms, bars)


def _ascending(briefing: AllocationBriefing) -> list[Mapping[str, Any]]:
    return sorted(briefing.budgets, key=lambda record: float(record["budget"]))


def _row(briefing: AllocationBriefing, record: Mapping[str, Any]) -> BudgetRow:
    money, outcome, chosen = briefing.money, briefing.result["outcome"], record["policies"]["chosen"]
    differences, more = record["differences"], record["ten_percent_more"]
    margin, sign = differences["vs_two_stage"], briefing.metric(outcome).sign
    return BudgetRow(
        budget=money.per_user(record["budget"]),
        total=money.total(record["total"]),
        outcome=briefing.outcome.estimated(chosen["outcome"]),
        cost=numbers.MetricFormat(briefing.language, money.unit, percent=False).estimated(record["allocated_cost"]),
        over_all=show_effect(briefing, outcome, differences["vs_constant"]),
        over_control=show_effect(briefing, outcome, differences["vs_control"]),
        over_two_stage=scored(briefing.outcome, margin["estimate"], margin["interval"]) if margin else numbers.MISSING,
        next=briefing.return_in_words(record["marginal_return"]),
        more=briefing.outcome.difference(sign * more) if more else numbers.fixed(0.0, 0),
        column=record["column"],
        notes=briefing.notes(record["notes"]),
    )
