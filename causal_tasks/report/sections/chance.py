"""Rules that the same search finds where there is nothing to find, beside the rules that it found."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from causal_tasks.report import numbers
from causal_tasks.report.briefing import Briefing


@dataclass(frozen=True, slots=True)
class Chance:
    """Rules expected by chance against rules found.

    Attributes:
        sentence: Both numbers and how they came about.
        brief: The same in a few words.
        rows: Run, rules examined, below the bound of q, promising, well supported; finished texts.
    """

    sentence: str
    brief: str
    rows: tuple[tuple[str, ...], ...]


def tell_chance(briefing: Briefing) -> Chance | None:
    """What placebo runs found; None where there were none."""
    placebo = briefing.result["placebo"]
    if placebo is None or placebo["expected"] is None:
        return None
    text = briefing.text
    told = {
        "expected": numbers.fixed(placebo["expected"], 1 if placebo["expected"] else 0),
        "found": numbers.count(placebo["found"]),
    }
    return Chance(
        sentence=text("chance.sentence", runs=numbers.count(len(placebo["items"])), **told),
        brief=text("chance.brief", **told),
        rows=tuple(_row(briefing, item) for item in placebo["items"]),
    )


def _row(briefing: Briefing, item: Mapping[str, Any]) -> tuple[str, ...]:
    kind, _, number = str(item["item"]).partition("_")
    name = "permuted" if kind == "permuted" else "pre_period"
    return (
        briefing.text(f"chance.{name}", number=number),
        *(numbers.count(item[key]) for key in ("examined", "discovered", "promising", "confirmed")),
    )
