"""A complete, realistic result of a feed's day: a short-video feed with two treatments, with each kind of ending."""

from typing import Any

from tests.unit.report.allocation.sample import estimate
from tests.unit.report.sample import RUN

__all__ = ["CODES", "estimate", "preference_only", "result"]

CODES = ("pays", "not_shown", "harms", "guard_broken", "invalid")
ARMS = ("control", "more_long", "more_short")
GAIN = {"pays": 2.6, "not_shown": 0.4, "harms": -1.9, "guard_broken": 2.6, "invalid": 2.6}
WATCH, ACTIVE = "watch_seconds_7d", "active_7d"

FEED: dict[str, Any] = {
    "feed_id": "videos",
    "revision": 1,
    "name": "短视频",
    "owner": "recommendation",
    "control": "control",
    "treatments": {"more_long": "long", "more_short": "short"},
    "arms": list(ARMS),
    "durations": {"labels": ["short", "medium", "long"], "edges": [20.0, 60.0]},
    "responses": [
        {
            "key": WATCH,
            "name": "watch_seconds",
            "days": 7,
            "weight": 1.0,
            "guarded": False,
            "tolerance": 0.0,
            "display": {"zh": "观看时长", "en": "watch time"},
            "unit": {"zh": "秒", "en": "s"},
        },
        {
            "key": ACTIVE,
            "name": "active",
            "days": 7,
            "weight": 0.0,
            "guarded": True,
            "tolerance": 0.01,
            "display": {"zh": "活跃天数", "en": "active days"},
            "unit": {"zh": "天", "en": "days"},
        },
    ],
    "reward": "watch_seconds",
    "segment": "activity",
    "delivery": {"languages": ["zh", "en"], "wecom": "wecom_default", "theme": "safe"},
}


def result(code: str = "pays", **changes: Any) -> dict[str, Any]:
    """The content of a day's ``result.json`` that ended like that.

    Args:
        code: Of the verdict.
        changes: Of the result; of ``feed`` the changed fields.
    """
    feed = FEED | changes.pop("feed", {})
    gain, used = GAIN[code], code == "pays"
    thresholds = {"more_long": 12.5, "more_short": None}
    told = {
        "schema_version": 1,
        "feed": feed,
        "date": "2026-10-31",
        "measured_by": "request",
        "verdict": {"code": code, "reasons": []},
        "coverage": _coverage(0.72 if code != "invalid" else 1e-9),
        "policies": _policies(gain),
        "differences": {
            "dynamic_vs_control": _relative(gain, 0.5),
            "dynamic_vs_preference": _relative(gain - 1.4, 0.35),
            "dynamic_vs_interest": _relative(gain - 1.2, 0.4),
            "dynamic_vs_best_arm": _relative(gain - 0.5, 0.45),
            "preference_vs_control": _relative(1.4, 0.45),
        },
        "thresholds": {
            "chosen": thresholds,
            "per_treatment": True,
            "interest_weight": 0.5,
            "switched_share": {"more_long": 0.32, "more_short": 0.0},
            "curve": [_point(arm, xi) for arm in ARMS[1:] for xi in (-20.0, 0.0, 10.0, 12.5, 40.0, None)],
        },
        "guards": [_guard("broken" if code == "guard_broken" else "kept")],
        "drift": _drift(thresholds),
        "pareto": {"responses": [WATCH, ACTIVE], "rows": [_weighting(1.0), _weighting(0.5), _weighting(0.0)]},
        "preference": [_ranking(response, arm) for response in (WATCH, ACTIVE) for arm in ARMS[1:]],
        "training": {
            "preference": {
                "how": "refreshed",
                "from": "2026-10-30",
                "anew_on": "2026-10-27",
                "reason": None,
                "users": 3600,
                "periods": 14_390,
            },
            "interest": {"how": "anew", "requests": 100_500, "labelled": {"more_long": 0.83, "more_short": 0.91}},
        },
        "served": {
            "date": "2026-10-31",
            "switched_on": used,
            "thresholds": thresholds if used else dict.fromkeys(ARMS[1:]),
            "exploration": 0.05,
            "stage": "reranking",
            "boost": 0.2,
            "users": 6000,
        },
        "notes": [],
        "run": {"published": True, "kept": None, "stages": RUN["stages"], "notes": []},
    }
    return told | changes


def preference_only(code: str = "pays", **changes: Any) -> dict[str, Any]:
    """The same of a feed without a table of requests, so that values are of periods."""
    told = result(code)
    kept = ("dynamic", "best_arm", "control")
    told |= {
        "measured_by": "period",
        "coverage": told["coverage"] | {"requests": None},
        "policies": {name: told["policies"][name] for name in kept},
        "differences": {name: told["differences"][f"dynamic_vs_{name}"] for name in kept[1:]},
        "thresholds": told["thresholds"] | {"interest_weight": None},
        "drift": None,
        "training": told["training"] | {"interest": None},
        "notes": ["preference_only"],
    }
    told["differences"] = {f"dynamic_vs_{name}": found for name, found in told["differences"].items()}
    return told | changes


def _coverage(p_value: float) -> dict[str, Any]:
    shares = dict(zip(ARMS, (0.334, 0.333, 0.333), strict=True))
    return {
        "days": {"first": "2026-10-03", "last": "2026-10-30"},
        "periods": {"learned": 14_390, "held_out": 9_590, "not_finished": 2_401, "without_features": 0},
        "requests": {
            "read": 168_000,
            "learned": 100_500,
            "threshold": 33_400,
            "measured": 33_800,
            "unknown_users": 120,
            "sampled_share": 1.0,
        },
        "users": {"learned": 3_600, "threshold": 1_190, "measured": 1_210, "scored": 6_000},
        "arms": {arm: {"periods": 4_800, "share": share, "expected": 1 / 3} for arm, share in shares.items()},
        "shares_p_value": p_value,
    }


def _policies(gain: float) -> dict[str, Any]:
    values = {
        "dynamic": (59.8 + gain, (0.41, 0.32, 0.27)),
        "preference": (61.2, (0.35, 0.34, 0.31)),
        "interest": (61.0, (0.45, 0.30, 0.25)),
        "best_arm": (60.3, (0.0, 1.0, 0.0)),
        "control": (59.8, (1.0, 0.0, 0.0)),
    }
    policies = {
        name: {"value": estimate(value, 0.46), "matched": 11_300, "shares": dict(zip(ARMS, shares, strict=True))}
        for name, (value, shares) in values.items()
    }
    policies["best_arm"]["arm"] = "more_long"
    return policies


def _relative(value: float, error: float) -> dict[str, Any]:
    found = estimate(value, error)
    relative = {"estimate": value / 59.8, "interval": [bound / 59.8 for bound in found["interval"]]}
    return found | {"relative": relative}


def _point(treatment: str, xi: float | None) -> dict[str, Any]:
    value = 59.8 if xi is None else 62.4 - 0.05 * abs(xi - 12.5)
    return {
        "treatment": treatment,
        "xi": xi,
        "value": value,
        "interval": [value - 0.9, value + 0.9],
        "switched_share": 0.4,
    }


def _guard(state: str) -> dict[str, Any]:
    change = {"kept": -0.004, "broken": -0.2}[state]
    return {
        "response": ACTIVE,
        "difference": estimate(change, 0.015),
        "control_mean": 4.1,
        "tolerance": 0.01,
        "largest_fall": 0.041,
        "kept": state == "kept",
        "shown": state == "kept",
    }


def _drift(deployed: dict[str, float | None]) -> dict[str, Any]:
    weeks = ("2026-10-05", "2026-10-12", "2026-10-19")
    rows = [
        {
            "segment": segment,
            "week": week,
            "requests": 4_200,
            "users": 200,
            "thresholds": deployed,
            "difference": estimate(0.0, 0.0),
            "alarm": False,
            "note": "",
        }
        for segment in ("high", "low")
        for week in weeks
    ]
    rows[5] |= {
        "thresholds": {"more_long": 40.0, "more_short": None},
        "difference": estimate(1.4, 0.45),
        "alarm": True,
    }
    rows[3] |= {"thresholds": None, "difference": None, "note": "few"}
    return {"deployed": deployed, "alarms": 1, "cells": 5, "rows": rows}


def _weighting(share: float) -> dict[str, Any]:
    return {
        "weights": {WATCH: share / 2_890, ACTIVE: (1 - share) / 4.1},
        "switched_share": 0.4,
        "values": {WATCH: estimate(2_890 + 120 * share, 40.0), ACTIVE: estimate(4.1, 0.03)},
        "changes": {WATCH: estimate(120 * share, 40.0), ACTIVE: estimate(-0.02, 0.02)},
        "dominated": share == 0,
        "guards_kept": share > 0,
        "stated": share == 1,
    }


def _ranking(response: str, treatment: str) -> dict[str, Any]:
    scale = 1.0 if response == WATCH else 0.002
    return {
        "response": response,
        "treatment": treatment,
        "auuc": estimate(21 * scale, 4.6 * scale),
        "effect": estimate(15 * scale, 15 * scale),
        "published": None,
    }
