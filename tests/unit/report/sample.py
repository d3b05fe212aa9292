"""Complete, realistic inputs of the report: a music app's autoplay experiment with each kind of ending."""

from typing import Any, Literal

from causal_tasks.experiment import Experiment
from causal_tasks.pipelines import MINE
from causal_tasks.pipelines.execution import run_stage
from causal_tasks.report.result import Findings, assemble
from causal_tasks.rule import Condition, Rule
from causal_tasks.run_folder import RunFolder
from causal_tasks.settings import Settings
from tests.unit.report import sample_models as models

Ending = Literal[
    "found_both", "found_positive", "found_negative", "nothing_found", "leads_only", "invalid", "too_small", "no_model"
]
ENDINGS: tuple[Ending, ...] = Ending.__args__

STATEMENT: dict[str, Any] = {
    "experiment_id": "music_autoplay",
    "name": "自动连播下一张专辑",
    "owner": "growth",
    "status": "finished",
    "started_at": "2026-09-07T00:00:00+08:00",
    "ended_at": "2026-10-05T00:00:00+08:00",
    "control": "control",
    "treatments": ["treatment"],
    "window": {"days": 7, "pre_days": 14},
    "metrics": [
        {
            "name": "play_minutes",
            "role": "primary",
            "cap": {"quantile": 0.999},
            "display": {"zh": "播放时长", "en": "play time"},
            "unit": {"zh": "分钟", "en": "minutes"},
        },
        {"name": "active", "aggregate": "any", "role": "guardrail", "display": {"zh": "活跃率", "en": "share active"}},
        {"name": "skips", "direction": "down", "display": {"zh": "切歌次数", "en": "skips"}, "unit": {"zh": "次"}},
        {"name": "spend", "display": {"zh": "付费金额", "en": "spend"}, "unit": {"zh": "元", "en": "yuan"}},
    ],
    "features": {
        "dictionary": {
            "age": {"display": {"zh": "年龄", "en": "age"}},
            "night_share": {"display": {"zh": "夜间收听占比", "en": "share of night listening"}},
            "member_level": {"display": {"zh": "会员等级", "en": "member level"}},
            "tenure_days": {"display": {"zh": "注册天数", "en": "days since sign-up"}},
            "device": {"display": {"zh": "设备", "en": "device"}},
        }
    },
    "mining": {"candidates": list(models.CANDIDATES)},
}
NAMES = {name: entry["display"] for name, entry in STATEMENT["features"]["dictionary"].items()}


def experiment(**changes: Any) -> Experiment:
    """The sample experiment with some fields changed."""
    return Experiment.model_validate(STATEMENT | changes)


def average_effect(estimate, error, mean, *, relative=True, n=39_800, notes=()):
    low, high = estimate - 1.96 * error, estimate + 1.96 * error
    return {
        "estimate": estimate,
        "standard_error": error,
        "interval": [low, high],
        "p_value": 0.2,
        "relative": estimate / mean if relative else None,
        "relative_interval": [low / mean, high / mean] if relative else None,
        "control_mean": mean,
        "n_control": n,
        "n_treatment": n + 14,
        "level": 0.95,
        "method": "cuped",
        "notes": list(notes),
    }


def measured(metric, role, *numbers, treatment="treatment"):
    effect = average_effect(*numbers)
    return {"metric": metric, "treatment": treatment, "role": role, "effect": effect, "unadjusted": effect}


def effects(treatments=("treatment",)):
    found = []
    for metric, role, numbers in (
        ("play_minutes", "primary", (0.42, 0.35, 96.4)),
        ("active", "guardrail", (0.0041, 0.0016, 0.713)),
        ("skips", "diagnostic", (0.83, 0.21, 18.2)),
        ("spend", "diagnostic", (-0.004, 0.031, 1.37)),
    ):
        found += [measured(metric, role, *numbers, treatment=treatment) for treatment in treatments]
    return found


def segment(rule, number, kind, estimate, error, share, grade, *, treatment="treatment", q=0.0004):
    def inner(value, spread):
        return {
            "estimate": value,
            "standard_error": spread,
            "interval": [value - 1.96 * spread, value + 1.96 * spread],
            "p_value": 0.0001,
        }

    return {
        "id": f"s{number}",
        "treatment": treatment,
        "kind": kind,
        "rule": rule.to_json(),
        "words": {"zh": rule.in_words("zh", _names()), "en": rule.in_words("en", _names())},
        "sql": rule.to_sql(),
        "share": share,
        "n_control": round(16_000 * share),
        "n_treatment": round(16_040 * share),
        "control_mean": 88.1,
        "effect": inner(estimate, error),
        "rest": inner(0.1, 0.5),
        "contrast": inner(estimate - 0.1, error * 1.2),
        "relative": estimate / 88.1,
        "q_value": q,
        "predicted": estimate * 1.3,
        "grade": grade,
    }


def _names():
    return experiment().features.display_names()


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


def subpopulations(ending: Ending):
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
        "leads_only": [lead, weak],
        "invalid": [{**positive, "grade": "promising"}],
    }.get(ending)


def tree():
    def node(rule, share, estimate, children=()):
        words = {"zh": rule.in_words("zh", _names()), "en": rule.in_words("en", _names())}
        effect = {
            "estimate": estimate,
            "standard_error": 1.0,
            "interval": [estimate - 2, estimate + 2],
            "p_value": 0.01,
        }
        return {
            "rule": rule.to_json(),
            "words": words,
            "n": round(32_000 * share),
            "share": share,
            "predicted": estimate,
            "effect": effect,
            "children": list(children),
        }

    leaf = node(YOUNG_NIGHT, 0.164, 7.9)
    return node(
        Rule(), 1.0, 0.4, [node(Rule.of([YOUNG_NIGHT.conditions[0]]), 0.4, 3.3, [leaf]), node(LONG_VIP, 0.127, -6.2)]
    )


def evidence(*, flat=False, treatments=("treatment",)):
    def gain(share):
        return 0.42 * share + (0.0 if flat else 5.2 * share * (1 - share))

    curve = [
        {
            "share": i / 100,
            "gain": gain(i / 100),
            "low": gain(i / 100) - 0.7 * (i / 100) ** 0.5,
            "high": gain(i / 100) + 0.7 * (i / 100) ** 0.5,
        }
        for i in range(101)
    ]
    buckets = [
        {
            "bucket": i,
            "n_control": 1602 - i,
            "n_treatment": 1598 + i,
            "mean_control": 80.0 + 3 * i,
            "mean_treatment": 80.0 + 3 * i + 9.0 - 1.7 * i,
            "difference": 9.0 - 1.7 * i,
            "interval": [6.6 - 1.7 * i, 11.4 - 1.7 * i],
        }
        for i in range(1, 11)
    ]
    qini = {
        "estimate": 0.0 if flat else 0.87,
        "standard_error": 0.2,
        "interval": [-0.39, 0.39] if flat else [0.48, 1.26],
    }
    auuc = {
        "estimate": qini["estimate"] + 0.21,
        "standard_error": 0.25,
        "interval": [-0.28, 0.7] if flat else [0.59, 1.57],
        "random": 0.21,
    }
    return {
        "rules_examined": 14,
        "n_estimation": 32_040,
        "auuc": dict.fromkeys(treatments, auuc),
        "qini": dict.fromkeys(treatments, qini),
        "curve": dict.fromkeys(treatments, curve),
        "buckets": dict.fromkeys(treatments, buckets),
        "detectable": {arm: {"0.1": 3.51, "0.2": 2.48, "0.3": 2.03} for arm in treatments},
    }


def check(code, status="pass", subject=None, value=None, threshold=None, **details):
    return {
        "code": code,
        "status": status,
        "subject": subject,
        "value": value,
        "threshold": threshold,
        "details": details,
    }


def checks(ending: Ending):
    broken, small = ending == "invalid", ending == "too_small"
    return [
        check(
            "sample_ratio",
            "fail" if broken else "pass",
            value=2.1e-9 if broken else 0.62,
            threshold=0.001,
            deviation=0.011,
        ),
        check("sample_ratio_analysed", value=0.41, threshold=0.001),
        check("contamination", "warn", value=0.0132, threshold=0.01, units=1063),
        check("sensitive_feature"),
        check("high_cardinality", value=9, threshold=1000),
        check("contamination_symmetry", value=0.77, threshold=0.001),
        check("maturity", value=0.006, threshold=0.2),
        check("duplicates", value=0.0007, threshold=0.01),
        check("feature_coverage", value=0.031, threshold=0.2),
        check("metric_coverage", value=0.18, threshold=0.8),
        check("pre_period", subject="play_minutes", value=0.33, threshold=0.001),
        check("constant_feature", "warn", subject="app_region", value=1.0, threshold=0.999),
        check("id_like_feature", "warn", subject="install_id", value=0.998, threshold=0.5),
        check("missing_feature_by_arm", value=0.4, threshold=0.001),
        check("arm_size", "warn" if small else "pass", value=612 if small else 39_800, threshold=1000, arm="treatment"),
        check("constant_metric", value=0, threshold=0),
        check("no_feature_left", value=5, threshold=1),
        check("cap", subject="play_minutes", value=0.001, threshold=0.01),
    ]


def validity(ending: Ending):
    if ending == "invalid":
        return {"status": "invalid", "mining": True, "reason": "sample_ratio"}
    if ending == "too_small":
        return {"status": "warning", "mining": False, "reason": "arm_size"}
    return {"status": "warning", "mining": True, "reason": None}


def waterfall():
    def step(name, control, treatment, dropped=(0, 0)):
        return {
            "step": name,
            "units": {"control": control, "treatment": treatment},
            "dropped": {"control": dropped[0], "treatment": dropped[1]},
        }

    return {
        "steps": [
            step("rows", 40_911, 40_870),
            step("first_exposure", 40_302, 40_328),
            step("two_arms", 39_771 + 270, 39_796 + 272, (531 - 270, 532 - 272)),
            step("immature", 39_800, 39_814, (241, 254)),
            step("analysed", 39_800, 39_814),
        ]
    }


def profile():
    return {
        "cutoff": "2026-10-05",
        "last_metrics_day": "2026-10-06",
        "tables": {
            "assignments": {"files": 2, "rows": 81_781},
            "metrics": {"files": 28, "rows": 1_904_223},
            "features": {"files": 5, "rows": 391_002},
        },
        "features": {"age": {"kind": "numeric", "levels": 0, "missing": 0.06, "reasons": []}},
        "units_without_features": 2460,
        "units_without_metrics": 14_330,
        "caps": {"play_minutes": {"value": 2210.4, "share_capped": 0.001}},
        "duplicate_rows": {"assignments": 611, "metrics": 98, "features": 0},
        "transitions": {"control": {"treatment": 531}, "treatment": {"control": 532}},
        "dropped_metrics_rows": {"unknown_unit": 120},
    }


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
        "cards": models.cards() if trained else {},
        "ranking": models.ranking() if trained else [],
        "tuning": models.tuning() if trained else {},
        "selection": models.selection() if trained else None,
        "subpopulations": mined,
        "tree": {"treatment": tree()} if mined is not None else None,
        "evidence": evidence(flat=ending == "nothing_found") if mined is not None else None,
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
        "effects": [*primary, *(e for e in effects(arms) if e["role"] != "primary")],
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


def run_report(lake: str, ending: Ending = "found_both", **stated: Any) -> dict[str, Any]:
    """Commit the stages before by hand, run the real report stage on them, and return the URIs of its outputs."""
    run = RunFolder.open(experiment(**stated), Settings(lake=lake))
    found = findings(ending)
    stages: dict[tuple[str, str | None], dict[str, Any]] = {
        ("prepare", None): {"waterfall": found.waterfall, "profile": found.profile},
        ("validate", None): {
            "checks": found.checks,
            "features": found.features,
            "items": list(run.experiment.mining.candidates) if found.validity["mining"] else [],
            "verdict": found.validity,
        },
        ("measure", None): {"effects": found.effects},
        **{("train", name): {"card": trained} for name, trained in found.cards.items()},
        **{("tune", name): {"tuning": tuned} for name, tuned in found.tuning.items()},
    }
    if found.selection:
        stages["shortlist", None] = {"items": list(found.tuning), "ranking": found.ranking, "failed": {}}
        stages["select", None] = {"selection": found.selection}
    if found.evidence:
        stages["mine", None] = {
            "subpopulations": found.subpopulations,
            "tree": found.tree,
            "evidence": found.evidence,
        }
    manifests = [_commit(run, stage, item, outputs) for (stage, item), outputs in stages.items()]
    for failure in found.failures.values():
        if failure:
            attempt = run.begin(failure.stage, failure.item, "0" * 64)
            uri = f"{run.manifest_uri(failure.stage, failure.item, '0' * 64).removesuffix('/stage.json')}/failure-{attempt.folder.rsplit('/', 1)[1]}.json"
            run.storage.write_json(uri, failure.model_dump(mode="json"))
    done = run_stage(MINE, "report", run=run, inputs=manifests)
    assert done is not None
    manifest = run.read_manifest(done.manifest)
    return {name: f"{run.uri}/{output.path}" for name, output in manifest.outputs.items()}


def _commit(run: RunFolder, stage: str, item: str | None, outputs: dict[str, Any]) -> str:
    attempt = run.begin(stage, item, "0" * 64)
    uris = {name: run.storage.write_json(f"{attempt.folder}/{name}.json", value) for name, value in outputs.items()}
    attempt.commit(uris, {})
    return run.manifest_uri(stage, item, "0" * 64)
