"""Rules of the sample, by how the run ended, and the tree that they come from."""

from typing import Any, Literal

from causal_tasks.rule import Condition, Rule
from tests.unit.report.sample_effects import estimate_of
from tests.unit.report.sample_experiment import names

Ending = Literal[
    "found_both",
    "found_positive",
    "found_negative",
    "nothing_found",
    "no_rule",
    "leads_only",
    "invalid",
    "too_small",
    "no_model",
]
ENDINGS: tuple[Ending, ...] = Ending.__args__

YOUNG_NIGHT = Rule.of(
    [Condition(feature="age", op="<=", value=25.0), Condition(feature="night_share", op=">", value=0.3)]
)
NEW_MEMBER = Rule.of(
    [
        Condition(feature="member_level", op="in", value=("silver", "gold")),
        Condition(feature="tenure_days", op="<=", value=90.0),
    ]
)
LONG_VIP = Rule.of(
    [
        Condition(feature="member_level", op="in", value=("vip",)),
        Condition(feature="tenure_days", op=">", value=730.0, missing=True),
    ]
)
TABLET = Rule.of([Condition(feature="device", op="in", value=("pad",))])

REASONS = {"confirmed": [], "promising": ["fcr", "stability"], "not_supported": ["omnibus", "interval", "users"]}


def segment(
    rule, number, kind, estimate, error, share, grade, *, treatment="treatment", q=0.0004, **more: Any
) -> dict[str, Any]:
    shrunken = 0.8 * estimate
    return {
        "id": f"s{number}",
        "treatment": treatment,
        "kind": kind,
        "rule": rule.to_json(),
        "words": {"zh": rule.in_words("zh", names()), "en": rule.in_words("en", names())},
        "sql": rule.to_sql(),
        "share": share,
        "n_control": round(16_000 * share),
        "n_treatment": round(16_040 * share),
        "control_mean": 88.1,
        "effect": estimate_of(estimate, error),
        "rest": estimate_of(0.1, 0.5),
        "contrast": estimate_of(estimate - 0.1, error * 1.2),
        "fcr_interval": [estimate - 2.4 * error, estimate + 2.4 * error],
        "shrunken": shrunken,
        "in_sample": estimate_of(1.4 * estimate, 0.8 * error),
        "relative": estimate / 88.1,
        "q_value": q,
        "predicted": estimate * 1.3,
        "metric_share": 0.9 * share,
        "stability": {
            "jaccard": 0.83 if grade == "confirmed" else 0.47,
            "frequency": 0.92,
            "seeds": 0.79,
            "features": {condition.feature: 0.96 for condition in rule.conditions},
            "cuts": {
                condition.feature: [0.9 * condition.value, condition.value, 1.2 * condition.value]
                for condition in rule.conditions
                if isinstance(condition.value, float)
            },
        },
        "overlap": {"s2": 0.07} if number == 1 else {},
        "unique_share": 0.97 * share,
        "guardrails": [
            {
                "metric": "active",
                "effect": estimate_of(0.011 if kind == "positive" else -0.014, 0.004),
                "tone": "good" if kind == "positive" else "bad",
            }
        ],
        "sample_ratio_p": 0.41,
        "actionable": rule is not LONG_VIP,
        "reasons": REASONS[grade],
        "grade": grade,
    } | more


def subpopulations(ending: Ending) -> list[dict[str, Any]] | None:
    positive = segment(YOUNG_NIGHT, 1, "positive", 7.9, 1.1, 0.164, "confirmed")
    second = segment(NEW_MEMBER, 2, "positive", 3.6, 0.9, 0.118, "confirmed", q=0.021)
    lead = segment(TABLET, 3, "positive", 2.4, 1.2, 0.046, "promising", q=0.18)
    negative = segment(LONG_VIP, 4, "negative", -6.2, 1.2, 0.127, "confirmed")
    weak = segment(TABLET, 5, "negative", -0.8, 1.4, 0.046, "not_supported", q=0.6)
    return {
        "found_both": [positive, second, lead, negative],
        "found_positive": [positive, weak],
        "found_negative": [negative],
        "nothing_found": [weak],
        "no_rule": [weak],
        "leads_only": [lead, weak],
        "invalid": [{**positive, "grade": "promising", "reasons": ["invalid"]}],
    }.get(ending)


def tree() -> dict[str, Any]:
    def node(rule, share, estimate, children=()):
        return {
            "rule": rule.to_json(),
            "words": {"zh": rule.in_words("zh", names()), "en": rule.in_words("en", names())},
            "n": round(32_000 * share),
            "share": share,
            "predicted": estimate,
            "effect": estimate_of(estimate, 1.0),
            "children": list(children),
        }

    leaf = node(YOUNG_NIGHT, 0.164, 7.9)
    return node(
        Rule(), 1.0, 0.4, [node(Rule.of([YOUNG_NIGHT.conditions[0]]), 0.4, 3.3, [leaf]), node(LONG_VIP, 0.127, -6.2)]
    )


def follow_up(rules: list[dict[str, Any]], experiment: dict[str, Any]) -> list[dict[str, Any]]:
    """A sized follow-up experiment for each confirmed rule."""
    return [
        {
            "rule": rule["id"],
            "treatment": rule["treatment"],
            "n_per_arm": 4_120,
            "days": 9.4,
            "daily_users": 877.0,
            "effect": rule["shrunken"],
            "detectable": abs(rule["shrunken"]),
            "power": 0.8,
            "level": 0.05,
            "refuted_below": rule["shrunken"],
            "experiment": experiment
            | {
                "experiment_id": f"{experiment['experiment_id']}-{rule['id']}",
                "treatments": [rule["treatment"]],
                "status": "running",
                "eligible": rule["rule"],
                "follows": follows(rule, experiment["experiment_id"]),
            },
        }
        for rule in rules
        if rule["grade"] == "confirmed"
    ]


def follows(rule: dict[str, Any], experiment_id: str = "music_autoplay") -> dict[str, Any]:
    """What a follow-up experiment says about the rule that it follows."""
    return {
        "experiment_id": experiment_id,
        "revision": 1,
        "rule": rule["id"],
        "treatment": rule["treatment"],
        "kind": rule["kind"],
        "predicted": {"estimate": rule["shrunken"], "interval": rule["fcr_interval"]},
    }


def placebo(rules: list[dict[str, Any]]) -> dict[str, Any]:
    """What the same search found where nothing could be found: once in the pre-window, twice with arms dealt anew."""

    def run(item, examined, discovered, confirmed, promising):
        counts = {"examined": examined, "discovered": discovered, "confirmed": confirmed, "promising": promising}
        return {"item": item, "users": 79_614, **counts}

    return {
        "items": [run("pre_period", 13, 1, 0, 2), run("permuted_1", 15, 1, 1, 0), run("permuted_2", 12, 0, 0, 1)],
        "missing": [],
        "expected": 1 / 3,
        "expected_discovered": 2 / 3,
        "found": sum(rule["grade"] == "confirmed" for rule in rules),
        "found_discovered": sum(rule["q_value"] <= 0.1 for rule in rules),
    }
