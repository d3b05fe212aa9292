"""A complete, realistic allocation: a food app's coupons, three budgets, with each kind of ending."""

import math
from typing import Any

from tests.unit.report.sample import RUN
from tests.unit.report.sample_checks import checks, validity

ARMS = ("无券", "满30减5", "满30减10")
BUDGETS = (0.4, 0.8, 1.25)
FAILURE = {
    "error": "InputError",
    "message": "clusters: 3 units in cluster 7",
    "remedy": "lower the number of clusters",
}

STATEMENT: dict[str, Any] = {
    "experiment_id": "lunch_coupons",
    "name": "午间红包",
    "owner": "growth",
    "control": ARMS[0],
    "treatments": list(ARMS[1:]),
    "dataset": {"uri": "s3://lake/coupons.parquet"},
    "window": {"days": 1, "pre_days": 0},
    "metrics": [
        {
            "name": "orders",
            "role": "primary",
            "display": {"zh": "午间下单", "en": "lunch orders"},
            "unit": {"zh": "单", "en": "orders"},
        },
        {
            "name": "coupon_cost",
            "display": {"zh": "红包成本", "en": "coupon cost"},
            "unit": {"zh": "元", "en": "yuan"},
        },
    ],
    "budgeting": {"cost": "coupon_cost", "budgets": list(BUDGETS)},
}

METHODS = ("decision_focused", "two_stage_t_lightgbm", "two_stage_s_lightgbm", "decision_factor")


def estimate(value: float, error: float) -> dict[str, Any]:
    """An estimate as it is written in a result."""
    half = 1.96 * error
    return {
        "estimate": value,
        "standard_error": error,
        "interval": [value - half, value + half],
        "p_value": math.erfc(abs(value / error) / math.sqrt(2)) if error else 0.0,
    }


def result(code: str = "targeting_pays", **changes: Any) -> dict[str, Any]:
    """The content of ``allocation.json`` for a run that ended like that.

    Args:
        code: Of the verdict.
        changes: Of the result; of ``statement`` the changed fields, of ``budgets`` the amounts, of ``arms`` the labels.
    """
    arms = tuple(changes.pop("arms", ARMS))
    amounts = tuple(changes.pop("budgets", BUDGETS))
    statement = STATEMENT | {"control": arms[0], "treatments": list(arms[1:])} | changes.pop("statement", {})
    budgeting = {"seed": 0} | statement["budgeting"] | {"budgets": list(amounts)}
    gain = {"targeting_pays": 0.118, "targeting_not_shown": 0.021, "targeting_harms": -0.09}.get(code)
    told = {
        "schema_version": 1,
        "experiment": statement | {"budgeting": budgeting},
        "validity": validity("invalid" if code == "invalid" else "found_both"),
        "verdict": {"code": code, "reason": {"invalid": "sample_ratio", "not_possible": "arm_size"}.get(code)},
        "checks": checks({"invalid": "invalid", "not_possible": "too_small"}.get(code, "found_both")),
        "arms": list(arms),
        "outcome": "orders",
        "cost": budgeting.get("cost"),
        "prices": budgeting.get("prices"),
        "users": {
            "fitted": 48_120,
            "compared": 11_930,
            "measured": 39_950,
            "allocated": 100_000,
            "without_values": 0,
        },
        "spend_range": [0.0, 1.42],
        "notes": [],
        "failures": [],
        "run": {
            "stages": RUN["stages"],
            "methods": {name: {"seconds": 41.3, "peak_memory_mb": 900.0, "device": "cpu"} for name in METHODS},
            "notes": [],
            "allocation": "stages/assign/0123456789ab/allocation.parquet",
        },
    }
    told |= _nothing(amounts) if gain is None else _allocated(gain, arms, amounts)
    if gain is None:
        told |= {"spend_range": None, "users": told["users"] | {"allocated": None}}
    return told | changes


def _nothing(amounts: tuple[float, ...]) -> dict[str, Any]:
    return {
        "methods": {"chosen": None, "baseline": None, "reason": None, "level": None, "board": [], "failed": {}},
        "overall": None,
        "budgets": [{"budget": budget, "weight": 1 / len(amounts), "total": 1e5 * budget} for budget in amounts],
        "curve": {},
    }


def _allocated(gain: float, arms: tuple[str, ...], amounts: tuple[float, ...]) -> dict[str, Any]:
    overall = {
        "vs_constant": estimate(gain, 0.021),
        "vs_control": estimate(gain + 0.3, 0.034),
        "vs_two_stage": estimate(0.031, 0.012),
    }
    return {
        "methods": {
            "chosen": METHODS[0],
            "baseline": METHODS[1],
            "reason": "better",
            "level": 0.9875,
            "board": [_method(name, rank) for rank, name in enumerate(METHODS)],
            "failed": {"clusters": FAILURE, "bilevel": None},
        },
        "overall": overall,
        "budgets": [_budget(budget, gain, arms, amounts) for budget in amounts],
        "curve": _curve(gain),
    }


def _method(name: str, rank: int) -> dict[str, Any]:
    baseline = METHODS.index("two_stage_t_lightgbm")
    return {
        "method": name,
        "kind": "TwoStage",
        "is_two_stage": name.startswith("two_stage"),
        "value": estimate(3.42 - 0.03 * rank, 0.041),
        "difference": None if rank == baseline else estimate(0.031 * (baseline - rank), 0.012),
        "values": [],
        "notes": [],
    }


def _budget(budget: float, gain: float, arms: tuple[str, ...], amounts: tuple[float, ...]) -> dict[str, Any]:
    reach = budget / max(amounts)
    treated = [0.9 * reach * (index + 1) for index in range(len(arms) - 1)]
    treated = [share / sum(treated) * min(0.92, 0.3 + 0.6 * reach) for share in treated]
    policy = {"outcome": estimate(3.1 + gain + 0.3 * reach, 0.041), "cost": estimate(budget, 0.006)}
    return {
        "budget": budget,
        "weight": 1 / len(amounts),
        "total": 1e5 * budget,
        "shadow_price": 0.9 - 0.6 * reach,
        "marginal_return": 0.9 - 0.6 * reach,
        "ten_percent_more": 0.1 * budget * (0.9 - 0.6 * reach),
        "shares": dict(zip(arms, [1 - sum(treated), *treated], strict=True)),
        "constant_shares": dict(zip(arms, [0.55, 0.45, *[0.0] * (len(arms) - 2)], strict=True)),
        "policies": {"chosen": policy, "two_stage": policy, "constant": policy, "control": policy},
        "differences": {
            "vs_constant": estimate(gain * (1.2 - 0.3 * reach), 0.026),
            "vs_control": estimate(0.12 + 0.3 * reach + gain, 0.034),
            "vs_two_stage": estimate(0.031, 0.014),
        },
        "allocated_cost": estimate(1.01 * budget, 0.007),
        "column": f"arm__{budget:g}",
        "notes": [],
    }


def _curve(gain: float) -> dict[str, Any]:
    spends = [1.42 * step / 12 for step in range(13)]
    return {
        name: [
            {"spend": s, "gain": g, "low": g - 0.07 * (s > 0), "high": g + 0.07 * (s > 0)}
            for s in spends
            for g in [scale * (1 - math.exp(-2 * s)) + (gain + extra) * math.sin(math.pi * s / 1.5)]
        ]
        for name, scale, extra in (("chosen", 0.45, 0.0), ("two_stage", 0.45, -0.03), ("constant", 0.45, -gain))
    }
