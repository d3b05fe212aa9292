"""Average effects of the sample: several estimators, difference in differences, and matching."""

from typing import Any


def estimate_of(value: float, error: float, p_value: float = 0.0001) -> dict[str, Any]:
    """Any number with its uncertainty."""
    return {
        "estimate": value,
        "standard_error": error,
        "interval": [value - 1.96 * error, value + 1.96 * error],
        "p_value": p_value,
    }


def average_effect(estimate, error, mean, *, relative=True, n=39_800, method="cuped", notes=(), **more):
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
        "method": method,
        "notes": list(notes),
        "variance_ratio": None,
        "variance_ratio_cupac": None,
        "equivalent_sample": None,
    } | more


def measured(metric, role, *numbers, treatment="treatment", headline="cuped", **more):
    effect = average_effect(*numbers, method=METHODS.get(headline, headline), **more)
    return {
        "metric": metric,
        "treatment": treatment,
        "role": role,
        "effect": effect,
        "unadjusted": effect,
        "estimates": [effect],
        "headline": headline,
    }


METHODS = {"did": "difference_in_differences"}
"""Names of estimators whose headline is called differently."""


def estimates(estimate, error, mean) -> list[dict[str, Any]]:
    """Every estimator of the primary metric beside CUPED; STATE differs from the average effect and says so."""

    def seen_by(method, moved, ratio, *notes):
        saving = {"variance_ratio": ratio, "equivalent_sample": round(79_614 / ratio)}
        beside = ratio / 0.58 if method in {"mlrate", "student_t"} else None
        spread = error * (ratio / 0.64) ** 0.5
        return average_effect(
            estimate + moved, spread, mean, method=method, notes=notes, variance_ratio_cupac=beside, **saving
        )

    return [
        seen_by("difference_in_means", 0.09, 1.0),
        seen_by("cuped", 0.0, 0.64, "missing_pre_window: 312"),
        seen_by("cupac", -0.02, 0.58),
        seen_by("mlrate", -0.01, 0.57),
        seen_by("student_t", -0.4, 0.41, "degrees: 3.20", "not_average_effect"),
        seen_by("difference_in_differences", 0.05, 0.88),
    ]


def effects(treatments=("treatment",)):
    found = []
    for metric, role, numbers in (
        ("play_minutes", "primary", (0.42, 0.35, 96.4)),
        ("active", "guardrail", (0.0041, 0.0016, 0.713)),
        ("skips", "diagnostic", (0.83, 0.21, 18.2)),
        ("spend", "diagnostic", (-0.004, 0.031, 1.37)),
    ):
        more = {"estimates": estimates(*numbers)} if role == "primary" else {}
        found += [measured(metric, role, *numbers, treatment=treatment) | more for treatment in treatments]
    return found


def event_study(trend: float = 0.0) -> dict[str, Any]:
    """Seven stretches before and seven after the start; before it the arms part by ``trend`` per day."""
    before = [(day, day + 1) for day in range(-14, 0, 2)]
    after = [(day, day) for day in range(7)]
    periods = [
        {
            "first_day": first,
            "last_day": last,
            **{
                key: value
                for key, value in estimate_of(
                    trend * (first + 2) if first < 0 else 0.06 + 0.012 * first,
                    0.0 if last == -1 else 0.07,
                ).items()
                if key != "p_value"
            },
            "reference": last == -1,
        }
        for first, last in (*before, *after)
    ]
    return {
        "per": "user and day",
        "periods": periods,
        "pre_trend": {
            "p_value": 0.0004 if trend else 0.52,
            "statistic": 24.1 if trend else 5.2,
            "degrees": 6,
            "slope": estimate_of(trend, 0.004),
        },
    }


def did(treatments=("treatment",), trend: float = 0.0) -> list[dict[str, Any]]:
    """Every metric by every treatment; only the primary one has an event study."""
    found = []
    for treatment in treatments:
        for metric, numbers in (("play_minutes", (0.47, 0.41, 96.4)), ("active", (0.0038, 0.0021, 0.713))):
            effect = average_effect(*numbers, method="difference_in_differences")
            studied = event_study(trend) if metric == "play_minutes" else None
            found.append({"metric": metric, "treatment": treatment, "effect": effect, "event_study": studied})
    return found


def balance(treatments=("treatment",), *, worst_after=0.043, placebo=(0.11, 0.21)) -> dict[str, Any]:
    """Arms that differ before matching and hardly after it."""
    edges = [bucket / 20 for bucket in range(21)]
    covariates = [
        {"feature": "tenure_days", "level": None, "before": 0.71, "after": worst_after},
        {"feature": "member_level", "level": "vip", "before": -0.48, "after": -0.018},
        {"feature": "age", "level": None, "before": 0.33, "after": 0.012},
        {"feature": "pre__play_minutes", "level": None, "before": 0.29, "after": -0.008},
        {"feature": "night_share", "level": None, "before": -0.14, "after": 0.021},
        {"feature": "device", "level": "pad", "before": 0.06, "after": -0.002},
    ]
    one = {
        "method": "buckets",
        "buckets": 20,
        "n_treatment": 9_812,
        "n_control": 39_800,
        "matched_treatment": 9_604,
        "matched_control": 36_112,
        "effective_control": 11_930.4,
        "trimmed": {"treatment": 208, "control": 3_688, "share": 0.0785},
        "overlap": {
            "edges": edges,
            "treatment": [max(0, round(1_050 - 14 * (bucket - 9.5) ** 2)) for bucket in range(20)],
            "control": [round(6_400 * 0.8**bucket) for bucket in range(20)],
        },
        "covariates": covariates,
        "worst_after": worst_after,
        "placebo": None if placebo is None else estimate_of(*placebo, p_value=0.6),
    }
    return dict.fromkeys(treatments, one)
