"""What an allocation comes to: one sentence, and what to do about it."""

from causal_tasks.report.allocation.briefing import AllocationBriefing
from causal_tasks.report.sections.checks import Checks
from causal_tasks.report.sections.effects import ShownEffect, show_effect


def headline_of(briefing: AllocationBriefing, checks: Checks) -> str:
    """The verdict in one sentence."""
    code, text = briefing.result["verdict"]["code"], briefing.text
    if not briefing.is_allocated:
        failed = text("words.comma").join(checks.names("fail"))
        return text(f"allocation.headline.{code}", failed=failed)
    gain = gain_over_all(briefing)
    sentence = text(
        f"allocation.headline.{code}",
        budgets=_budgets(briefing),
        metric=briefing.outcome_name,
        gain=gain.estimate,
        interval=gain.interval,
    )
    return text("words.semicolon").join([sentence, _shares(briefing)])


def action_of(briefing: AllocationBriefing) -> str:
    """What to do about it."""
    verdict, text = briefing.result["verdict"], briefing.text
    if not briefing.is_allocated:
        remedy = text(f"checks.{verdict['reason']}.remedy") if verdict["reason"] else ""
        return text(f"allocation.action.{verdict['code']}", remedy=remedy)
    return text(f"allocation.action.{verdict['code']}", method=briefing.result["methods"]["chosen"])


def gain_over_all(briefing: AllocationBriefing) -> ShownEffect:
    """Gain of targeting over the same for everybody, the mean over all budgets: one number, so that none is picked."""
    return show_effect(briefing, briefing.result["outcome"], briefing.result["overall"]["vs_constant"])


def _budgets(briefing: AllocationBriefing) -> str:
    money, amounts = briefing.money, sorted(record["budget"] for record in briefing.budgets)
    if len(amounts) == 1:
        return briefing.text("allocation.one_budget", budget=money.per_user(amounts[0]))
    low, high = money.per_user(amounts[0]), money.per_user(amounts[-1])
    return briefing.text("allocation.several_budgets", number=len(amounts), low=low, high=high)


def _shares(briefing: AllocationBriefing) -> str:
    """Who is to get what at the likeliest budget, the first of them where several are: of the policy to be used."""
    likeliest = max(briefing.budgets, key=lambda record: float(record["weight"]))
    pays = briefing.result["verdict"]["code"] == "targeting_pays"
    return briefing.text(
        "allocation.shares" if pays else "allocation.constant_shares",
        budget=briefing.money.per_user(likeliest["budget"]),
        shares=briefing.shares_in_words(likeliest["shares" if pays else "constant_shares"]),
    )
