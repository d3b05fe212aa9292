"""Which caveats hold: chosen by machine, so that none depends on who reads the result."""

from collections.abc import Iterator, Mapping
from typing import Any

from causal_tasks.experiment import Experiment
from causal_tasks.report.tone import tone_of
from causal_tasks.report.verdict import heterogeneity_of

BALANCED = 0.1
"""Standardised mean difference below which a feature counts as alike in both arms."""

MANY_TRIMMED = 0.3
"""Share of users without a counterpart above which a finding is about a remainder."""

PRE_TREND_LEVEL = 0.05


def caveats(experiment: Experiment, result: Mapping[str, Any]) -> list[str]:
    """Codes of the caveats that hold, most important first; their texts are ``notes.<code>`` in the catalogues.

    Args:
        experiment: As stated.
        result: The result without notes and verdict.
    """
    rules, balance = result["subpopulations"], (result["balance"] or {}).values()
    grades = {rule["grade"] for rule in rules}
    primary = [record for record in result["effects"] if record["role"] == "primary"]
    headlines = {record.get("headline") for record in primary}
    notes = {note for record in primary for note in record["effect"]["notes"]}
    failed = {failure["stage"] for failure in result["failures"]}
    holds = {
        "observational": not experiment.randomized,
        "did_headline": "did" in headlines,
        "did_refused": "did_refused" in notes,
        "pre_trend_untested": "pre_trend_untested" in notes,
        "pre_trend": not experiment.randomized and any(_pre_trends(result)),
        "imbalance": any(arm["worst_after"] >= BALANCED for arm in balance),
        "matching_placebo": any(tone_of((arm["placebo"] or {}).get("interval"), 1) != "unclear" for arm in balance),
        "trimmed": any(arm["trimmed"]["share"] > MANY_TRIMMED for arm in balance),
        "omnibus_failed": heterogeneity_of(result["evidence"]) == "absent",
        "chance": _no_more_than_chance(result["placebo"]),
        "several_treatments": len(experiment.treatments) > 1,
        "promising_only": "promising" in grades and "confirmed" not in grades,
        "guardrail_harmed": any(_guardrails_harmed(experiment, result)),
        "not_actionable": any(rule["grade"] == "confirmed" and not rule.get("actionable", True) for rule in rules),
        "candidates_failed": bool(failed & {"train", "tune"}),
        "replicates_failed": any(str(failure["item"]).startswith("seed") for failure in _failures(result, "replicate")),
        "placebos_failed": bool((result["placebo"] or {}).get("missing")),
        "stability_not_measured": "stability_not_measured" in (result["evidence"] or {}).get("notes", ()),
    }
    return [code for code, applies in holds.items() if applies]


def _failures(result: Mapping[str, Any], stage: str) -> Iterator[Mapping[str, Any]]:
    return (failure for failure in result["failures"] if failure["stage"] == stage)


def _pre_trends(result: Mapping[str, Any]) -> Iterator[bool]:
    """Of each event study, whether the arms were on different paths before exposure."""
    for record in result["did"]:
        if trend := (record["event_study"] or {}).get("pre_trend"):
            p_value = trend["p_value"]
            yield p_value is not None and p_value < PRE_TREND_LEVEL


def _guardrails_harmed(experiment: Experiment, result: Mapping[str, Any]) -> Iterator[bool]:
    signs = {metric.name: metric.sign for metric in experiment.metrics}
    for record in result["effects"]:
        if record["role"] == "guardrail":
            yield tone_of(record["effect"]["interval"], signs[record["metric"]]) == "bad"


def _no_more_than_chance(placebo: Mapping[str, Any] | None) -> bool:
    """Whether the search finds as many rules where there is nothing to find."""
    if placebo is None or placebo["expected"] is None:
        return False
    return bool(0 < placebo["found"] <= placebo["expected"])
