"""Checks of the sample, how users were counted, and what was seen while joining."""

from tests.unit.report.sample_rules import Ending


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
