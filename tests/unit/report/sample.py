"""Complete, realistic inputs of the report: a music app's autoplay experiment with each kind of ending."""

from typing import Any

from causal_tasks.report.result import Findings, assemble
from tests.unit.report import sample_models as models
from tests.unit.report.sample_checks import check, checks, profile, validity, waterfall
from tests.unit.report.sample_effects import average_effect, balance, did, effects, estimates, measured
from tests.unit.report.sample_evidence import evidence
from tests.unit.report.sample_experiment import STATEMENT, Experiment, experiment
from tests.unit.report.sample_rules import (
    ENDINGS,
    LONG_VIP,
    NEW_MEMBER,
    TABLET,
    YOUNG_NIGHT,
    Ending,
    follow_up,
    follows,
    placebo,
    segment,
    subpopulations,
    tree,
)

__all__ = [
    "ARMS",
    "ENDINGS",
    "LONG_VIP",
    "NEW_MEMBER",
    "RUN",
    "STATEMENT",
    "TABLET",
    "YOUNG_NIGHT",
    "Ending",
    "Experiment",
    "assemble",
    "average_effect",
    "balance",
    "check",
    "checks",
    "did",
    "effects",
    "estimates",
    "evidence",
    "experiment",
    "findings",
    "follow_up_result",
    "follows",
    "measured",
    "observational",
    "of_version_2",
    "placebo",
    "profile",
    "result",
    "segment",
    "several_arms",
    "subpopulations",
    "tree",
    "validity",
    "waterfall",
]

_FLAT = frozenset({"nothing_found"})
"""Endings in which effects do not differ among users."""


def findings(ending: Ending = "found_both", **changes: Any) -> Findings:
    """What the stages wrote when the run ended like that."""
    trained, mined = ending not in {"too_small", "no_model"}, subpopulations(ending)
    failed = models.every_candidate_failed() if ending == "no_model" else models.FAILURES if trained else {}
    values: dict[str, Any] = {
        "waterfall": waterfall(),
        "profile": profile(),
        "checks": checks(ending),
        "features": {
            "used": ["age", "night_share", "member_level", "tenure_days", "device"],
            "dropped": {"app_region": "constant_feature", "install_id": "id_like_feature"},
        },
        "validity": validity(ending),
        "effects": effects(),
        "did": did(),
        "cards": models.cards() if trained else {},
        "ranking": models.ranking() if trained else [],
        "tuning": models.tuning() if trained else {},
        "selection": models.selection() if trained else None,
        "drivers": models.drivers() if trained else {},
        "subpopulations": mined,
        "tree": {"treatment": tree()} if mined is not None else None,
        "evidence": evidence(flat=ending in _FLAT) if mined is not None else None,
        "follow_up": follow_up(mined or [], STATEMENT),
        "placebo": placebo(mined) if mined is not None else None,
        "failures": failed,
    }
    return Findings(**(values | changes))


RUN: dict[str, Any] = {
    "stages": {
        "prepare": {
            "attempt": "attempt-20261006T030000-0123456789ab",
            "started_at": "2026-10-06T03:00:00+00:00",
            "seconds": 41.2,
            "peak_memory_mb": 812.4,
            "host": "worker-1",
            "device": "cpu",
        }
    },
    "candidates": {
        name: {key: card[key] for key in ("device", "peak_memory_mb", "seconds")}
        for name, card in models.cards().items()
    },
    "notes": [],
}


def result(ending: Ending = "found_both", changes: dict[str, Any] | None = None, **stated: Any) -> dict[str, Any]:
    """The content of ``result.json`` for a run that ended like that.

    Args:
        ending: How the run ended.
        changes: Of the findings.
        stated: Changed fields of the experiment.
    """
    return assemble(experiment(**stated), findings(ending, **(changes or {})), RUN)


def observational(changes: dict[str, Any] | None = None, **stated: Any) -> dict[str, Any]:
    """A comparison without randomisation: matched, with one lead and nothing confirmed."""
    lead = segment(
        YOUNG_NIGHT, 1, "positive", 7.9, 1.1, 0.164, "promising", reasons=["observational"], sample_ratio_p=None
    )
    primary = measured("play_minutes", "primary", 1.92, 0.61, 96.4, headline="matching")
    primary["estimates"] = [
        average_effect(3.1, 0.5, 96.4, method="difference_in_means"),
        primary["effect"],
        average_effect(1.71, 0.64, 96.4, method="matching_did", notes=["trimmed: 3896"]),
    ]
    found = {
        "subpopulations": [lead],
        "effects": [primary, *effects()[1:]],
        "balance": balance(),
        "evidence": evidence() | {"trimmed": {"treatment": 1_204}},
        "follow_up": [],
        "checks": [c for c in checks("found_both") if not c["code"].startswith("sample_ratio")],
    }
    return result("leads_only", found | (changes or {}), randomized=False, **stated)


def follow_up_result(realised: float = 5.2, error: float = 0.9, **changes: Any) -> dict[str, Any]:
    """A follow-up experiment on the first rule, in which the effect turned out to be ``realised``."""
    rule = segment(YOUNG_NIGHT, 1, "positive", 7.9, 1.1, 0.164, "confirmed")
    found = {"effects": [measured("play_minutes", "primary", realised, error, 91.0), *effects()[1:]]}
    follow = {"follows": follows(rule), "eligible": rule["rule"], "experiment_id": "music_autoplay.r1.s1"}
    return result("nothing_found", found | changes, **follow)


def of_version_2(ending: Ending = "found_both") -> dict[str, Any]:
    """A result as it was written before schema version 3."""
    now = result(ending)
    rule_fields = {
        "id", "treatment", "kind", "rule", "words", "sql", "share", "n_control", "n_treatment", "control_mean", "effect",
        "rest", "contrast", "relative", "q_value", "predicted", "grade",
    }  # fmt: skip
    evidence_fields = {"rules_examined", "n_estimation", "auuc", "qini", "curve", "buckets", "detectable"}
    effect_fields = {"metric", "treatment", "role", "effect", "unadjusted"}
    added = {"did", "balance", "drivers", "follow_up", "placebo", "confirmation"}
    return {key: value for key, value in now.items() if key not in added} | {
        "schema_version": 2,
        "experiment": {key: value for key, value in now["experiment"].items() if key != "follows"},
        "effects": [{key: record[key] for key in effect_fields} for record in now["effects"]],
        "subpopulations": [{key: rule[key] for key in rule_fields} for rule in now["subpopulations"]],
        "evidence": now["evidence"] and {key: now["evidence"][key] for key in evidence_fields},
        "verdict": {key: now["verdict"][key] for key in ("code", "validity", "headline", "action")},
    }


ARMS = ("新人推荐", "夜间歌单", "相似歌手")


def several_arms(arms: tuple[str, ...] = ARMS, changes: dict[str, Any] | None = None, **stated: Any) -> dict[str, Any]:
    """A result with several treatments: the first helps and harms, the second helps, the others do nothing much."""
    first, second, *others = arms
    rules = [
        segment(YOUNG_NIGHT, 1, "positive", 7.9, 1.1, 0.164, "confirmed", treatment=first),
        segment(NEW_MEMBER, 2, "positive", 3.6, 0.9, 0.118, "confirmed", treatment=second, q=0.021),
        segment(TABLET, 3, "positive", 2.4, 1.2, 0.046, "promising", treatment=second, q=0.18),
        segment(LONG_VIP, 4, "negative", -6.2, 1.2, 0.127, "confirmed", treatment=first),
        *(segment(TABLET, 5, "negative", -0.8, 1.4, 0.046, "not_supported", treatment=arm, q=0.6) for arm in others),
    ]
    primary = [
        measured("play_minutes", "primary", estimate, 0.35, 96.4, treatment=arm)
        for arm, estimate in zip(arms, (0.42, 1.9, -0.1, -1.2), strict=False)
    ]
    found = {
        "subpopulations": rules,
        "tree": {arm: tree() for arm in arms},
        "evidence": evidence(treatments=arms),
        "follow_up": follow_up(rules, STATEMENT),
        "effects": [*primary, *(e for e in effects(arms) if e["role"] != "primary")],
        "did": did(arms),
        "drivers": models.drivers(arms),
        "cards": models.cards(arms),
        "waterfall": {
            "steps": [
                {
                    "step": step["step"],
                    **{
                        key: {"control": step[key]["control"], **dict.fromkeys(arms, step[key]["treatment"])}
                        for key in ("units", "dropped")
                    },
                }
                for step in waterfall()["steps"]
            ]
        },
    }
    return result("found_both", found | (changes or {}), treatments=list(arms), **stated)
