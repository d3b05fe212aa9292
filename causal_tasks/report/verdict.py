"""What the run says: one code, one sentence in each language, and what to do about it."""

from collections.abc import Mapping
from typing import Any

from causal_tasks.experiment import Experiment
from causal_tasks.report.headline import Headline
from causal_tasks.rule import LANGUAGES


def verdict(experiment: Experiment, validity: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    """The ``verdict`` of a result.

    Args:
        experiment: As stated.
        validity: The verdict of ``validate``.
        result: The result without its verdict.

    Returns:
        ``code``, ``validity``, ``observational``, ``heterogeneity``, ``headline`` and ``action`` by language.
    """
    code = _code(validity, result)
    story = story_of(code, result)
    spoken = {language: Headline(experiment, validity, result, language) for language in LANGUAGES}
    return {
        "code": code,
        "validity": validity["status"],
        "observational": not experiment.randomized,
        "heterogeneity": heterogeneity_of(result["evidence"]),
        "headline": {language: told.headline(story) for language, told in spoken.items()},
        "action": {language: told.action(story) for language, told in spoken.items()},
    }


def story_of(code: str, result: Mapping[str, Any]) -> str:
    """Which words tell a verdict: of a follow-up experiment what it says about its rule, else what mining found.

    Args:
        code: Of the verdict.
        result: With ``subpopulations``, ``evidence`` and ``confirmation``.
    """
    if result["confirmation"] and code != "invalid":
        return f"follow_up_{result['confirmation']['verdict']}"
    return mining_story(code, result)


def mining_story(code: str, result: Mapping[str, Any]) -> str:
    """Which words tell what mining found.

    Where nothing is confirmed it matters whether effects differ at all: if not, it is ``one_decision`` for all users;
    if they do, there are promising rules (``leads_only``) or none (``no_rule``). Everything else is told by its code.

    Args:
        code: Of the verdict.
        result: With ``subpopulations`` and ``evidence``.
    """
    if code != "nothing_found":
        return code
    heterogeneity = heterogeneity_of(result["evidence"])
    if heterogeneity == "absent":
        return "one_decision"
    if any(rule["grade"] == "promising" for rule in result["subpopulations"]):
        return "leads_only"
    return "no_rule" if heterogeneity == "present" else code


def heterogeneity_of(evidence: Mapping[str, Any] | None) -> str:
    """Whether effects differ among users at all.

    Returns:
        ``present`` if they do for any treatment, ``absent`` if a test could have seen it and saw nothing, else
        ``unknown``.
    """
    tests = [found["omnibus"] for found in ((evidence or {}).get("heterogeneity") or {}).values()]
    if any(test["passed"] for test in tests):
        return "present"
    return "absent" if any(test["p_value"] is not None for test in tests) else "unknown"


def _code(validity: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    kinds = {rule["kind"] for rule in result["subpopulations"] if rule["grade"] == "confirmed"}
    if validity["status"] == "invalid":
        return "invalid"
    if not validity["mining"]:
        return "too_small"
    if result["evidence"] is None:
        return "no_model"
    if kinds == {"positive", "negative"}:
        return "found_both"
    return f"found_{kinds.pop()}" if kinds else "nothing_found"
