"""What drives the predicted effect: features by importance, and who stands at either end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from causal_tasks.report import numbers
from causal_tasks.report.briefing import Briefing

MOST_DRAWN = 12
"""Features in the picture."""

MOST_CHARACTERISTICS = 15
"""Rows of the table of characteristics; those with the largest differences come first."""


@dataclass(frozen=True, slots=True)
class DriverBar:
    """One feature: its importance as a share, with its interval."""

    label: str
    importance: float
    low: float
    high: float
    numbers: str


@dataclass(frozen=True, slots=True)
class Drivers:
    """What drives the effect of one treatment.

    Attributes:
        treatment: Named where there are several.
        title: The strongest features.
        x_title: Of the axis of importance.
        bars: Strongest first; empty where no model was selected.
        characteristics: Feature, mean in the top fifth, in the bottom fifth, difference, standardised; finished texts.
    """

    treatment: str | None
    title: str
    x_title: str
    bars: tuple[DriverBar, ...]
    characteristics: tuple[tuple[str, ...], ...]


def tell_drivers(briefing: Briefing) -> tuple[Drivers, ...]:
    """The drivers of each treatment's effect; empty where neither importance nor characteristics are known."""
    ranked = briefing.result["drivers"]
    compared = briefing.evidence.get("characteristics") or {}
    told = (
        _drivers(briefing, treatment, ranked.get(treatment, ()), compared.get(treatment, ()))
        for treatment in briefing.experiment.treatments
    )
    return tuple(drivers for drivers in told if drivers.bars or drivers.characteristics)


def _drivers(
    briefing: Briefing, treatment: str, ranked: Sequence[Mapping[str, Any]], compared: Sequence[Mapping[str, Any]]
) -> Drivers:
    text = briefing.text
    bars = tuple(_bar(briefing, row) for row in ranked[:MOST_DRAWN])
    strongest = text("words.comma").join([bar.label for bar in bars if bar.low > 0][:3])
    return Drivers(
        treatment=briefing.named(treatment),
        title=text("drivers.title", features=strongest) if strongest else text("drivers.none"),
        x_title=text("drivers.x"),
        bars=bars,
        characteristics=tuple(_characteristic(briefing, row) for row in compared[:MOST_CHARACTERISTICS]),
    )


def _bar(briefing: Briefing, row: Mapping[str, Any]) -> DriverBar:
    importance = row["importance"]
    low, high = row["interval"]
    return DriverBar(
        label=briefing.covariate_name(row["feature"], None),
        importance=importance,
        low=max(0.0, importance if low is None else low),
        high=importance if high is None else high,
        numbers=numbers.percent(importance, 0),
    )


def _characteristic(briefing: Briefing, row: Mapping[str, Any]) -> tuple[str, ...]:
    """Means of a numeric feature, shares of a level."""
    is_share = row["level"] is not None
    difference, interval = row["difference"]["estimate"], row["difference"]["interval"]
    scale = 100 if is_share else 1
    digits = 1 if is_share else min(6, numbers.decimals_for(difference) + 1)

    def written(value: float | None, *, signed: bool = False) -> str:
        return numbers.fixed(None if value is None else scale * value, digits, signed=signed)

    unit = "%" if is_share else ""
    bounds = ", ".join(written(bound, signed=True) for bound in interval)
    return (
        briefing.covariate_name(row["feature"], row["level"]),
        f"{written(row['top'])}{unit}",
        f"{written(row['bottom'])}{unit}",
        f"{written(difference, signed=True)} [{bounds}]",
        numbers.fixed(row["standardized"], 2, signed=True),
    )
