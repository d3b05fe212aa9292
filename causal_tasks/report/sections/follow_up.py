"""The next experiment, sized, and what it would take to refute the finding; and what a follow-up said of its rule."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from causal_tasks.report import numbers
from causal_tasks.report.briefing import Briefing
from causal_tasks.report.sections.effects import ShownEffect, show_effect


@dataclass(frozen=True, slots=True)
class Planned:
    """One follow-up experiment.

    Attributes:
        who: The users whom it is about.
        treatment: Named where there are several.
        users: How many in each arm.
        days: About how many days that takes; empty where it is not known.
        effect: The effect that it is sized for.
        detectable: The smallest effect that it sees with its power.
        refuted: What result would refute the finding.
        statement: The experiment as JSON text, ready to be loaded.
    """

    who: str
    treatment: str | None
    users: str
    days: str
    effect: str
    detectable: str
    refuted: str
    statement: str


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What a follow-up experiment says about the rule that it was made for.

    Attributes:
        verdict: ``confirmed``, ``retired`` or ``open``.
        word: The same in words.
        source: Which rule of which run it is.
        who: The users whom the rule covers.
        predicted: As the earlier run predicted it.
        realised: As this experiment measured it.
        meaning: How the verdict is reached.
    """

    verdict: str
    word: str
    source: str
    who: str
    predicted: ShownEffect
    realised: ShownEffect
    meaning: str


def tell_follow_up(briefing: Briefing) -> tuple[Planned, ...]:
    """The follow-up experiments that the findings call for."""
    rules = {(rule["treatment"], rule["id"]): rule for rule in briefing.result["subpopulations"]}
    return tuple(
        _planned(briefing, record, rules[record["treatment"], record["rule"]])
        for record in briefing.result["follow_up"]
        if (record["treatment"], record["rule"]) in rules
    )


def tell_confirmation(briefing: Briefing) -> Confirmation | None:
    """What this run says about an earlier one's rule; None where it follows none."""
    found, eligible = briefing.result["confirmation"], briefing.experiment.eligible
    if not found or eligible is None:
        return None
    text, primary = briefing.text, briefing.experiment.primary.name
    return Confirmation(
        verdict=found["verdict"],
        word=text(f"badge.follow_up_{found['verdict']}"),
        source=text("confirmation.source", run=f"{found['experiment_id']}.r{found['revision']}", rule=found["rule"]),
        who=eligible.in_words(briefing.language, briefing.experiment.features.display_names()),
        predicted=show_effect(briefing, primary, found["predicted"]),
        realised=show_effect(briefing, primary, found["realised"]),
        meaning=text(f"confirmation.{found['verdict']}"),
    )


def _planned(briefing: Briefing, record: Mapping[str, Any], rule: Mapping[str, Any]) -> Planned:
    text, metric = briefing.text, briefing.primary
    spread = record["detectable"]
    return Planned(
        who=rule["words"][briefing.language],
        treatment=briefing.named(rule["treatment"]),
        users=numbers.count(record["n_per_arm"]),
        days="" if record["days"] is None else text("follow_up.days", days=numbers.count(record["days"])),
        detectable=metric.size(record["detectable"]),
        effect=metric.difference(record["effect"], spread),
        refuted=text(
            f"follow_up.refuted_{'rise' if record['effect'] > 0 else 'fall'}",
            bound=metric.difference(record["refuted_below"], spread),
        ),
        statement=_statement(record["experiment"]),
    )


def _statement(experiment: Mapping[str, Any]) -> str:
    """JSON text with one line for each field, and for each item of a list of records."""
    lines = []
    for field, value in experiment.items():
        written = json.dumps(value, ensure_ascii=False)
        if isinstance(value, list) and value and isinstance(value[0], dict):
            items = ",\n".join(f"    {json.dumps(item, ensure_ascii=False)}" for item in value)
            written = f"[\n{items}\n  ]"
        lines.append(f"  {json.dumps(field)}: {written}")
    return "{\n" + ",\n".join(lines) + "\n}"
