"""The whole report on an allocation in one language: every text and number finished, nothing laid out yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from causal_tasks.report import numbers
from causal_tasks.report.allocation.briefing import AllocationBriefing
from causal_tasks.report.allocation.budgets import BudgetRow, Shares, tell_budgets, tell_shares
from causal_tasks.report.allocation.headline import action_of, headline_of
from causal_tasks.report.allocation.methods import Methods, tell_methods
from causal_tasks.report.allocation.spending import Spending, tell_spending
from causal_tasks.report.result import result_digest
from causal_tasks.report.sections.checks import Checks, tell_checks
from causal_tasks.report.sections.facts import Facts, tell_stages
from causal_tasks.report.text import Catalog
from causal_tasks.rule import Language


@dataclass(frozen=True, slots=True)
class Use:
    """How allocations are taken over.

    Attributes:
        file: What the file of allocations holds.
        path: Where it is in the run folder.
        columns: Budget, column of the file, budget in total; finished texts.
        command: That allocates other users or another budget.
    """

    file: str
    path: str
    columns: tuple[tuple[str, str, str], ...]
    command: str


@dataclass(frozen=True, slots=True)
class AllocationContent:
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
    outcome: str
    control: str
    budgets: tuple[BudgetRow, ...]
    spending: Spending | None
    shares: Shares | None
    methods: Methods
    use: Use | None
    checks: Checks
    facts: Facts

    @property
    def further(self) -> list[tuple[str, str, str, str]]:
        """Budget, measured cost, gain over two-stage, and what ten per cent more would bring; finished texts."""
        return [(row.budget, row.cost, row.over_two_stage, row.more) for row in self.budgets]


def tell_allocation(result: Mapping[str, Any], language: Language) -> AllocationContent:
    """The report on ``result``, the content of ``allocation.json``, in ``language``."""
    briefing = AllocationBriefing.of(result, language)
    experiment, text, code = briefing.experiment, briefing.text, result["verdict"]["code"]
    checks, budgets = tell_checks(briefing), tell_budgets(briefing)
    run_notes = (text(f"notes.{note}") for note in result["run"]["notes"])
    return AllocationContent(
        language=language,
        text=text,
        theme=experiment.delivery.theme,
        title=briefing.title,
        report_id=experiment.run_id,
        story=code,
        badge=text(f"allocation.badge.{code}"),
        headline=headline_of(briefing, checks),
        action=action_of(briefing),
        notes=(*briefing.notes(result["notes"]), *run_notes),
        outcome=briefing.outcome_name,
        control=experiment.control,
        budgets=budgets,
        spending=tell_spending(briefing),
        shares=tell_shares(briefing),
        methods=tell_methods(briefing),
        use=_use(briefing, budgets) if budgets else None,
        checks=checks,
        facts=Facts(_facts(briefing), tell_stages(briefing.result)),
    )


def _use(briefing: AllocationBriefing, budgets: tuple[BudgetRow, ...]) -> Use:
    experiment, first = briefing.experiment, briefing.budgets[0]["budget"]
    command = (
        f"causal-tasks reallocate {experiment.run_id} users.parquet allocation.parquet --budget-per-user {first:g}"
    )
    return Use(
        file=briefing.text("allocation.use.file", unit=experiment.unit),
        path=briefing.result["run"]["allocation"],
        columns=tuple((row.budget, row.column, row.total) for row in budgets),
        command=command,
    )


def _facts(briefing: AllocationBriefing) -> tuple[tuple[str, str], ...]:
    experiment, result, text = briefing.experiment, briefing.result, briefing.text
    values = {
        "facts.experiment": f"{experiment.experiment_id}, {text('facts.revision', revision=experiment.revision)}",
        "facts.owner": experiment.owner or text("facts.unknown"),
        "facts.arms": text("words.comma").join(result["arms"]),
        "allocation.facts.outcome": briefing.outcome_name,
        "allocation.facts.cost": _cost(briefing),
        **_users(briefing),
        "allocation.facts.seed": str(result["experiment"]["budgeting"]["seed"]),
        "facts.digest": result_digest(result)[:16],
        "facts.schema": str(result["schema_version"]),
    }
    return tuple((text(key), value) for key, value in values.items())


def _cost(briefing: AllocationBriefing) -> str:
    """The metric that says what users cost, or what each arm costs."""
    result, text = briefing.result, briefing.text
    if result["cost"] is not None:
        return briefing.metric_name(result["cost"])
    told = [text("allocation.facts.price", arm=arm, price=f"{price:g}") for arm, price in result["prices"].items()]
    return text("allocation.facts.prices", prices=text("words.comma").join(told))


def _users(briefing: AllocationBriefing) -> dict[str, str]:
    """How many users served for what, and what they could cost; empty where nothing was planned."""
    users, spend, text = briefing.result["users"], briefing.result["spend_range"], briefing.text
    if spend is None:
        return {}
    counted = {name: numbers.count(users[name]) for name in ("fitted", "compared", "measured", "allocated")}
    low, high = (briefing.money.mean(cost) for cost in spend)
    return {
        "allocation.facts.users": text("allocation.facts.users_value", **counted),
        "allocation.facts.range": text("allocation.facts.range_value", low=low, high=high),
    }
