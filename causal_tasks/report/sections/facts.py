"""Data and run facts: how users were counted, what was analysed when, and how the run went."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from causal_tasks.report import numbers
from causal_tasks.report.briefing import Briefing
from causal_tasks.rule import Rule


@dataclass(frozen=True, slots=True)
class WaterfallRow:
    """One step from raw records to analysed users; cells are texts by arm, then their sum."""

    step: str
    cells: tuple[str, ...]
    is_drop: bool


@dataclass(frozen=True, slots=True)
class Waterfall:
    """How many users of each arm are left after each step."""

    title: str
    arms: tuple[str, ...]
    rows: tuple[WaterfallRow, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """Name and value of each fact, and the stages that ran."""

    rows: tuple[tuple[str, str], ...]
    stages: tuple[tuple[str, ...], ...]


def tell_waterfall(briefing: Briefing) -> Waterfall:
    """The section on how users were counted."""
    steps, arms = briefing.result["waterfall"]["steps"], briefing.experiment.arms
    texts = "dataset_waterfall" if briefing.experiment.dataset else "waterfall"
    totals = {step["step"]: sum(step["units"].get(arm, 0) for arm in arms) for step in steps}
    rows = []
    for step in steps:
        is_drop = step["step"] not in {"rows", "first_exposure", "analysed"}
        by_arm = [step["dropped" if is_drop else "units"].get(arm, 0) for arm in arms]
        shown = [numbers.count(-n if is_drop else n) for n in (*by_arm, sum(by_arm))]
        rows.append(WaterfallRow(briefing.text(f"{texts}.{step['step']}"), tuple(shown), is_drop))
    first, analysed = totals["first_exposure"], totals["analysed"]
    title = briefing.text(
        f"{texts}.title",
        first=numbers.count(first),
        analysed=numbers.count(analysed),
        share=numbers.percent(analysed / first if first else None),
    )
    return Waterfall(title, arms, tuple(rows))


def tell_facts(briefing: Briefing, digest: str) -> Facts:
    """The footer.

    Args:
        briefing: The result and its language.
        digest: Fingerprint of the result.
    """
    experiment, profile, text = briefing.experiment, briefing.result["profile"], briefing.text
    mining = experiment.mining
    values = {
        "experiment": f"{experiment.experiment_id}, {text('facts.revision', revision=experiment.revision)}",
        "owner": experiment.owner or text("facts.unknown"),
        "period": _period(briefing),
        "arms": text("words.comma").join(experiment.arms),
        "eligible": (experiment.eligible or Rule()).in_words(briefing.language, experiment.features.display_names()),
        "window": _window(briefing),
        "cutoff": _cutoff(briefing),
        **_sources(briefing),
        "features": text("facts.features_value", used=len(profile["features_used"]), dropped=len(profile["dropped"])),
        "mining": text(
            "facts.mining_value",
            candidates=len(mining.candidates),
            finalists=mining.finalists,
            trials=mining.trials,
            depth=mining.max_depth,
            share=numbers.percent(mining.min_share, 0),
            seed=mining.seed,
        ),
        "digest": digest[:16],
        "schema": str(briefing.result["schema_version"]),
    }
    rows = tuple((text(f"facts.{name}"), value) for name, value in values.items() if value is not None)
    return Facts(rows, tell_stages(briefing.result))


def tell_stages(result: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    """Key, seconds, peak memory, device and attempt of every stage that ran; finished texts."""
    return tuple(
        (
            key,
            f"{numbers.fixed(stage['seconds'], 1)} s",
            f"{numbers.count(stage['peak_memory_mb'])} MB",
            stage["device"],
            stage["attempt"],
        )
        for key, stage in result["run"]["stages"].items()
    )


def _period(briefing: Briefing) -> str | None:
    """From when to when; None for a dataset whose days nobody stated."""
    experiment, unknown = briefing.experiment, briefing.text("facts.unknown")
    if experiment.dataset and not (experiment.started_at or experiment.ended_at):
        return None
    zone = ZoneInfo(experiment.window.timezone)
    start, end = (
        numbers.calendar_day(moment.astimezone(zone).date(), briefing.language) if moment else unknown
        for moment in (experiment.started_at, experiment.ended_at)
    )
    return briefing.text("facts.period_value", start=start, end=end)


def _window(briefing: Briefing) -> str | None:
    """Which days count; None for a dataset, which holds no days."""
    window, text = briefing.experiment.window, briefing.text
    if briefing.experiment.dataset:
        return None
    return text(
        "facts.window_value",
        days=window.days,
        first_day=text(f"facts.first_day.{window.first_day}"),
        pre_days=window.pre_days,
        timezone=window.timezone,
    )


def _sources(briefing: Briefing) -> dict[str, str]:
    """The dataset and its size, or the size of each table."""
    sizes = {name: numbers.count(table["rows"]) for name, table in briefing.result["profile"]["tables"].items()}
    if dataset := briefing.experiment.dataset:
        return {"dataset": briefing.text("facts.dataset_value", uri=dataset.uri, rows=sizes["dataset"])}
    return {"tables": briefing.text("words.comma").join(f"{name} {rows}" for name, rows in sizes.items())}


def _cutoff(briefing: Briefing) -> str | None:
    """The last day in the metrics table; None for a dataset."""
    last_day = briefing.result["profile"]["last_metrics_day"]
    return numbers.calendar_day(date.fromisoformat(last_day), briefing.language) if last_day else None
