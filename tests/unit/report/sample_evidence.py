"""Evidence of the sample: how well users are ranked, whether effects differ at all, what each rollout is worth."""

from typing import Any

from tests.unit.report.sample_effects import estimate_of


def evidence(*, flat=False, treatments=("treatment",), rules=("s1",)) -> dict[str, Any]:
    """By treatment, of users whose effects differ or, if ``flat``, do not."""

    def by_arm(value):
        return dict.fromkeys(treatments, value)

    qini = estimate_of(0.0 if flat else 0.87, 0.2)
    auuc = {
        "estimate": qini["estimate"] + 0.21,
        "standard_error": 0.25,
        "interval": [-0.28, 0.7] if flat else [0.59, 1.57],
        "random": 0.21,
    }
    return {
        "rules_examined": 14,
        "n_estimation": 32_040,
        "auuc": by_arm(auuc),
        "qini": by_arm(qini),
        "autoc": by_arm(estimate_of(0.08 if flat else 2.41, 0.55, p_value=0.44 if flat else 0.00001)),
        "curve": by_arm(_curve(flat=flat)),
        "toc": by_arm(_toc(flat=flat)),
        "buckets": by_arm(_buckets()),
        "detectable": by_arm({"0.1": 3.51, "0.2": 2.48, "0.3": 2.03}),
        "heterogeneity": by_arm(heterogeneity(flat=flat)),
        "characteristics": by_arm(_characteristics()),
        "policy": by_arm(policy(flat=flat, rules=rules)),
        "family": {"examined": 14, "selected": 0 if flat else 4, "q": 0.1},
    }


def heterogeneity(*, flat=False) -> dict[str, Any]:
    """Of one treatment: the omnibus test, best linear predictor, five groups and calibration."""
    middle = (0.5, 0.4, 0.3, 0.5, 0.4) if flat else (6.1, 2.2, 0.6, -1.1, -4.9)
    groups = [
        {
            "group": number + 1,
            "n": 6_408,
            "predicted": 1.15 * value + 0.1 * (2 - number),
            "effect": estimate_of(value, 0.8),
        }
        for number, value in enumerate(middle)
    ]
    return {
        "omnibus": {
            "p_value": 0.51 if flat else 0.00002,
            "passed": not flat,
            "tests": {"autoc": 0.44 if flat else 0.00001, "blp": 0.37 if flat else 0.00002},
        },
        "blp": {
            "average": estimate_of(0.41, 0.36, p_value=0.25),
            "heterogeneity": estimate_of(0.05 if flat else 0.86, 0.16, p_value=0.37 if flat else 0.00002),
        },
        "calibration": {
            "average": estimate_of(0.97, 0.41),
            "spread": estimate_of(0.05 if flat else 0.86, 0.16),
            "r2": None if flat else 0.83,
            "points": [
                {
                    "predicted": 7.0 - 0.7 * point,
                    "observed": 0.4 if flat else 6.1 - 0.6 * point + (0.9 if point % 3 else -0.9),
                    "standard_error": 1.4,
                    "n": 1_602,
                }
                for point in range(20)
            ],
        },
        "groups": groups,
        "top_minus_bottom": estimate_of(middle[0] - middle[-1], 1.13),
        "monotone": not flat,
    }


def policy(*, flat=False, rules=("s1",)) -> dict[str, Any]:
    """What each rollout is worth, per user; targeting the rule is best unless effects do not differ."""

    def one(name, share, gain, error, over_all=None, over_random=None):
        return {
            "policy": name,
            "share": share,
            "vs_none": estimate_of(gain, error),
            "vs_all": None if over_all is None else estimate_of(over_all, 0.29),
            "vs_random": None if over_random is None else estimate_of(over_random, 0.2),
            "spend": 0.02 * share,
        }

    if flat:
        return {"cost": 0.02, "policies": [one("all", 1.0, 0.4, 0.35)], "rules": []}
    return {
        "cost": 0.02,
        "policies": [
            one("all", 1.0, 0.40, 0.35),
            one("rules", 0.164, 1.29, 0.18, 0.89, 1.22),
            one("avoid", 0.873, 1.19, 0.31, 0.79, 0.83),
            one("model", 0.47, 1.68, 0.27, 1.28, 1.48),
        ],
        "rules": list(rules),
    }


def _curve(*, flat: bool) -> list[dict[str, float]]:
    def gain(share):
        return 0.42 * share + (0.0 if flat else 5.2 * share * (1 - share))

    return [
        {
            "share": i / 100,
            "gain": gain(i / 100),
            "low": gain(i / 100) - 0.7 * (i / 100) ** 0.5,
            "high": gain(i / 100) + 0.7 * (i / 100) ** 0.5,
        }
        for i in range(101)
    ]


def _toc(*, flat: bool) -> list[dict[str, float]]:
    """The first point stands for nobody, so it has the value of the next one."""
    shares = [max(i, 1) / 100 for i in range(101)]
    gains = [0.0 if flat else 6.5 * (1 - share) for share in shares]
    return [
        {
            "share": i / 100,
            "toc": gain,
            "low": gain - 0.35 * (1 / share - 1) ** 0.5,
            "high": gain + 0.35 * (1 / share - 1) ** 0.5,
        }
        for i, (share, gain) in enumerate(zip(shares, gains, strict=True))
    ]


def _buckets() -> list[dict[str, Any]]:
    return [
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


def _characteristics() -> list[dict[str, Any]]:
    def row(feature, level, top, bottom, error, standardized):
        difference = estimate_of(top - bottom, error)
        return {
            "feature": feature,
            "level": level,
            "top": top,
            "bottom": bottom,
            "difference": difference,
            "standardized": standardized,
        }

    return [
        row("age", None, 21.4, 38.9, 0.2, -1.31),
        row("night_share", None, 0.41, 0.17, 0.004, 1.12),
        row("member_level", "vip", 0.05, 0.44, 0.006, -0.98),
        row("device", "pad", 0.06, 0.05, 0.004, 0.04),
    ]
