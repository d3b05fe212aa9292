"""A complete, realistic result on creative segments: a music app's push messages, with each kind of ending."""

from collections.abc import Mapping
from typing import Any

from tests.unit.report.allocation.sample import FAILURE, estimate
from tests.unit.report.sample import RUN
from tests.unit.report.sample_checks import checks, validity

__all__ = ["FAILURE", "SEGMENTS", "STATEMENT", "estimate", "number", "result"]

CONTROL = "无推送"
SEGMENTS: dict[str, tuple[str, ...]] = {
    "怀旧": ("老歌回忆", "当年今日", "老友歌单"),
    "发现": ("新歌速递", "每周发现"),
    "优惠": ("半价会员",),
}
ALPHAS = (0.05, 0.1, 0.2)

STATEMENT: dict[str, Any] = {
    "experiment_id": "push_messages",
    "name": "推送文案",
    "owner": "growth",
    "control": CONTROL,
    "dataset": {"uri": "s3://lake/push.parquet"},
    "window": {"days": 1, "pre_days": 0},
    "metrics": [
        {
            "name": "opened",
            "role": "primary",
            "aggregate": "any",
            "display": {"zh": "打开率", "en": "opens"},
        }
    ],
    "features": {
        "dictionary": {
            "age": {"display": {"zh": "年龄", "en": "age"}},
            "plan": {"display": {"zh": "会员", "en": "plan"}},
            "country": {"display": {"zh": "地区", "en": "country"}},
        }
    },
}


def number(column: str, coefficient: float) -> dict[str, Any]:
    """The coefficient of a number."""
    return {"term": {"column": column, "kind": "number", "level": None}, "coefficient": coefficient}


def level(column: str, value: str, coefficient: float) -> dict[str, Any]:
    """The coefficient of one level."""
    return {"term": {"column": column, "kind": "level", "level": value}, "coefficient": coefficient}


def missing(column: str, coefficient: float) -> dict[str, Any]:
    """The coefficient of having no value."""
    return {"term": {"column": column, "kind": "missing", "level": None}, "coefficient": coefficient}


SHARED = (
    (number("age", 0.412), level("plan", "premium", -0.2), missing("country", 0.11), number("night_share", 0.05)),
    (number("age", -0.33), number("new_songs", 0.214), level("plan", "premium", 0.09)),
    (),
)
VERDICTS = ("together", "partly", "flat")


def result(code: str = "segments_pay", **changes: Any) -> dict[str, Any]:
    """The content of ``segments.json`` for a run that ended like that.

    Args:
        code: Of the verdict.
        changes: Of the result; of ``statement`` the changed fields, of ``named`` the segments and their creatives.
    """
    named: Mapping[str, tuple[str, ...]] = changes.pop("named", SEGMENTS)
    creatives = [creative for group in named.values() for creative in group]
    statement = STATEMENT | {"treatments": creatives} | changes.pop("statement", {})
    segmenting = {"segments": {name: list(group) for name, group in named.items()}}
    gain = {
        "segments_pay": 0.0124,
        "segments_not_shown": 0.0012,
        "segments_harm": -0.008,
        "nothing_found": 0.0,
        "one_segment": -0.003,
    }.get(code)
    told = {
        "schema_version": 1,
        "experiment": statement | {"segmenting": segmenting},
        "validity": validity("invalid" if code == "invalid" else "found_both"),
        "verdict": {"code": code, "reason": {"invalid": "sample_ratio", "not_possible": "arm_size"}.get(code)},
        "checks": checks({"invalid": "invalid", "not_possible": "too_small"}.get(code, "found_both")),
        "arms": [statement["control"], *creatives],
        "reference": [statement["control"]],
        "response": "opened",
        "family": "binomial",
        "users": {
            "learned": 36_000,
            "measured": 24_000,
            "reference": 6_000,
            "without_response": 12,
            "assigned": None if gain is None else 70_000,
        },
        "notes": [],
        "failures": [],
        "run": {
            "stages": RUN["stages"],
            "models": {
                "segments": "stages/learn_segments/segments/model",
                "separate": "stages/learn_segments/separate",
            },
            "notes": [],
            "assignments": None if gain is None else "stages/assign_segments/0123456789ab/assignments.parquet",
        },
    }
    told |= _nothing(named) if gain is None else _learned(code, gain, named)
    return told | changes


def _nothing(named: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    return {
        "model": None,
        "best": None,
        "balance": None,
        "policies": None,
        "differences": None,
        "segments": [{"segment": name, "creatives": list(group)} for name, group in named.items()],
        "creatives": [],
        "matrix": [],
        "selection": {"curve": []},
    }


def _learned(code: str, gain: float, named: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    flat = code == "nothing_found"
    names = list(named)
    best = named[names[0]][min(1, len(named[names[0]]) - 1)]
    return {
        "model": {
            "alpha": 0.1,
            "lam": 31.2,
            "lam_share": 0.21,
            "lam_max": 148.0,
            "rule": "one_standard_error",
            "count_intercepts": False,
            "objective": 9321.5,
            "duality_gap": 3.1e-5,
            "relative_gap": 3.3e-9,
            "covariates": 14,
            "columns": 23,
            "people": 36_000,
            "separate_lams": {creative: 40.1 for group in named.values() for creative in group},
        },
        "best": {"creative": best, "segment": names[0]},
        "segments": [_segment(position, names, named, flat=flat) for position in range(len(names))],
        "creatives": _creatives(named),
        "policies": {
            "segments": estimate(0.0881 + gain, 0.0023),
            "best_in_segment": estimate(0.0893 + gain, 0.0031),
            "separate": estimate(0.0885 + gain, 0.0032),
            "best_creative": estimate(0.0881, 0.0044),
            "best_segment": estimate(0.0869, 0.0026),
            "mix": estimate(0.0790, 0.0018),
            "control": estimate(0.0512, 0.0031),
        },
        "differences": {
            "vs_best_creative": estimate(gain, 0.0021),
            "vs_best_segment": estimate(gain + 0.0012, 0.0022),
            "vs_separate": estimate(-0.0004, 0.0019),
            "vs_mix": estimate(gain + 0.0091, 0.0016),
            "vs_control": estimate(gain + 0.0369, 0.0038),
            "best_in_segment_vs_best_creative": estimate(gain + 0.0012, 0.0030),
            "separate_vs_best_creative": estimate(gain + 0.0004, 0.0029),
            "separate_vs_best_in_segment": estimate(-0.0008, 0.0019),
        },
        "matrix": _matrix(names),
        "selection": {"curve": _curve()},
        "balance": {
            "p_value": 0.41,
            "flagged": False,
            "largest": [
                {**number("age", 0.0), "creative": best, "difference": 0.021, "p_value": 0.41},
                {**level("plan", "premium", 0.0), "creative": best, "difference": -0.013, "p_value": 0.9},
            ],
        },
    }


def _segment(position: int, names: list[str], named: Mapping[str, tuple[str, ...]], *, flat: bool) -> dict[str, Any]:
    group = list(named[names[position]])
    verdict = "flat" if flat else VERDICTS[position % len(VERDICTS)]
    differs = group[-1:] if verdict == "partly" else []
    terms = [number("age", 0.19), level("plan", "premium", -0.12)]
    return {
        "segment": names[position],
        "creatives": group,
        "people": 6_000 * len(group),
        "verdict": verdict,
        "shared": [] if flat else list(SHARED[position % len(SHARED)]),
        "agrees": [creative for creative in group if creative not in differs],
        "differs": [{"creative": creative, "norm": 0.225, "terms": terms} for creative in differs],
        "best_creative": group[0],
        "assigned": 70_000 * (position == 0) if flat else 70_000 // len(names),
        "share": float(position == 0) if flat else 1 / len(names),
    }


def _creatives(named: Mapping[str, tuple[str, ...]]) -> list[dict[str, Any]]:
    shown = [(creative, name) for name, group in named.items() for creative in group]
    rows = [
        {
            "creative": creative,
            "segment": segment,
            "is_reference": False,
            "users": 4_000,
            "response": estimate(0.07 + 0.004 * position, 0.004),
        }
        for position, (creative, segment) in enumerate(shown)
    ]
    reference = {"creative": CONTROL, "segment": None, "is_reference": True, "users": 4_000}
    return [*rows, {**reference, "response": estimate(0.0512, 0.0031)}]


def _matrix(names: list[str]) -> list[dict[str, Any]]:
    cells = [
        {
            "assigned": assigned,
            "shown": shown,
            "users": 2_800 - 300 * column,
            "response": estimate(0.06 + 0.005 * row + (0.04 if assigned == shown else 0.004 * column), 0.005),
        }
        for row, assigned in enumerate(names)
        for column, shown in enumerate(names)
    ]
    rest = [
        {"assigned": name, "shown": None, "users": 1_300, "response": estimate(0.05 + 0.003 * row, 0.006)}
        for row, name in enumerate(names)
    ]
    return [*cells, *rest]


def _curve() -> list[dict[str, Any]]:
    steps = [0.01 ** (step / 19) for step in range(20)]
    return [
        {
            "alpha": alpha,
            "lam": 148.0 * share,
            "lam_share": share,
            "log_likelihood": -0.3312 + difference,
            "standard_error": 0.002,
            "difference": difference,
            "difference_se": 0.0006 * (share - 0.08) ** 2 + 0.0001,
            "shared": step,
            "apart": step // 8,
            "chosen": alpha == 0.1 and step == 6,
        }
        for alpha in ALPHAS
        for step, share in enumerate(steps)
        for difference in [-0.0042 * abs(step - 9) ** 1.5 / 27 - 0.003 * abs(alpha - 0.1)]
    ]
