"""How the models were trained, how well preference ranks users, and what other weights of responses would bring."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from causal_tasks.report import numbers
from causal_tasks.report.dynamic.briefing import DayBriefing
from causal_tasks.report.sections.curves import scored
from causal_tasks.report.sections.effects import ShownEffect

_PUBLISHED = ("qini", "auuc", "lift_at_30")
"""Scores by scikit-uplift's definitions, where they are known."""


@dataclass(frozen=True, slots=True)
class Training:
    """The section on models.

    Attributes:
        preference: How the preference model was trained.
        interest: How the interest model was; None where there is none.
        ranking: Response, treatment, AUUC and average effect with their intervals; finished texts.
        published: Response, treatment and the published scores; empty where no response is 0 or 1.
    """

    preference: str
    interest: str | None
    ranking: tuple[tuple[str, str, str, str], ...]
    published: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class TradeRow:
    """One weighting of responses.

    Attributes:
        weights: In words.
        changes: Of every response from what it is where nothing is changed.
        states: In words: stated, dominated, guard kept or broken.
        is_stated: Whether it is the feed's.
        is_dominated: Whether another one is at least as good in every response.
    """

    weights: str
    changes: tuple[ShownEffect, ...]
    states: str
    is_stated: bool
    is_dominated: bool


@dataclass(frozen=True, slots=True)
class Trade:
    """What other weights would bring: names of responses, and a row for each weighting."""

    responses: tuple[str, ...]
    rows: tuple[TradeRow, ...]


def tell_training(briefing: DayBriefing) -> Training:
    """The section on models."""
    rows = briefing.result["preference"]
    return Training(
        preference=_preference(briefing),
        interest=_interest(briefing),
        ranking=tuple(_ranking(briefing, row) for row in rows),
        published=tuple(_published(briefing, row) for row in rows if row["published"]),
    )


def tell_trade(briefing: DayBriefing) -> Trade | None:
    """The table of weightings; None where there is but one response."""
    pareto = briefing.result["pareto"]
    if not pareto or len(pareto["responses"]) < 2:
        return None
    keys = pareto["responses"]
    return Trade(
        responses=tuple(briefing.response_name(key) for key in keys),
        rows=tuple(_trade_row(briefing, keys, row) for row in pareto["rows"]),
    )


def _preference(briefing: DayBriefing) -> str:
    told, text = briefing.result["training"]["preference"], briefing.text
    code, _, feature = (told["reason"] or "").partition(":")
    why = text(f"realtime.training.why.{code}", feature=feature) if code else ""
    return text(
        f"realtime.training.{told['how']}",
        users=numbers.count(told["users"]),
        periods=numbers.count(told["periods"]),
        source=briefing.day(told["from"]) if told["from"] else "",
        anew=briefing.day(told["anew_on"]),
        why=why,
    )


def _interest(briefing: DayBriefing) -> str | None:
    told, text = briefing.result["training"]["interest"], briefing.text
    if told is None:
        return None
    labelled = (
        text("words.of_arm", arm=arm, value=numbers.percent(share, 0)) for arm, share in told["labelled"].items()
    )
    return text(
        "realtime.training.interest",
        requests=numbers.count(told["requests"]),
        labelled=text("words.semicolon").join(labelled),
    )


def _ranking(briefing: DayBriefing, row: Mapping[str, Any]) -> tuple[str, str, str, str]:
    response = briefing.response(row["response"])
    auuc, effect = (scored(response, row[name]["estimate"], row[name]["interval"]) for name in ("auuc", "effect"))
    return briefing.response_name(row["response"]), row["treatment"], auuc, effect


def _published(briefing: DayBriefing, row: Mapping[str, Any]) -> tuple[str, ...]:
    """Each score beside the standard deviation that random rankings of the same users have."""
    scores = (row["published"][name] for name in _PUBLISHED)
    shown = (
        briefing.text(
            "realtime.training.score",
            value=numbers.fixed(score["value"], numbers.decimals_for(score["null_sd"])),
            sd=numbers.fixed(score["null_sd"], numbers.decimals_for(score["null_sd"])),
        )
        for score in scores
    )
    return briefing.response_name(row["response"]), row["treatment"], *shown


def _comparable(briefing: DayBriefing, keys: list[str], weights: Mapping[str, float]) -> dict[str, float]:
    """The weights above zero, the first as it is stated, or 1: only their ratios decide."""
    used = {key: weights[key] for key in keys if weights.get(key)}
    first = next(iter(used))
    scale = (briefing.weight(first) or 1.0) / used[first]
    return {key: weight * scale for key, weight in used.items()}


def _trade_row(briefing: DayBriefing, keys: list[str], row: Mapping[str, Any]) -> TradeRow:
    text = briefing.text
    weights = (
        text("words.of_arm", arm=briefing.response_name(key), value=numbers.fixed(weight, numbers.decimals_for(weight)))
        for key, weight in _comparable(briefing, keys, row["weights"]).items()
    )
    states = {
        "stated": row["stated"],
        "dominated": row["dominated"],
        "guard_open": row["guards_kept"] is False,
    }
    return TradeRow(
        weights=text("words.semicolon").join(weights),
        changes=tuple(briefing.effect(row["changes"][key], briefing.response(key)) for key in keys),
        states=briefing.listed(text(f"realtime.trade.{state}") for state, holds in states.items() if holds),
        is_stated=row["stated"],
        is_dominated=row["dominated"],
    )
