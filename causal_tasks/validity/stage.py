"""Stage ``validate``: whether the experiment can be trusted, and whether it can be mined.

The checks, by what they look at:

==========================  =====================================================================================
assignment_checks           sample_ratio, sample_ratio_analysed, contamination, contamination_symmetry, maturity
table_checks                duplicates, feature_coverage, metric_coverage, cap
metric_checks               pre_period, constant_metric, arm_size
feature_checks              sensitive_feature, constant_feature, id_like_feature, high_cardinality,
                            missing_feature_by_arm, no_feature_left
==========================  =====================================================================================

A check that fails about the experiment makes it invalid; it is mined all the same, so that the reader sees what there
is, unless mining makes no sense: arms too small, a primary metric that does not vary, no feature left.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from causal_tasks.data.columns import outcome_columns, pre_window_columns
from causal_tasks.experiment import Experiment
from causal_tasks.run_folder import StageContext
from causal_tasks.storage import Uri
from causal_tasks.validity.arms import Arms
from causal_tasks.validity.assignment_checks import assignment_checks
from causal_tasks.validity.feature_checks import Screening, screen_features
from causal_tasks.validity.grading import Check, Code, Thresholds
from causal_tasks.validity.metric_checks import arm_size, metric_checks
from causal_tasks.validity.table_checks import cap_checks, table_checks

TRUST: frozenset[Code] = frozenset(
    {
        "sample_ratio",
        "sample_ratio_analysed",
        "contamination",
        "contamination_symmetry",
        "maturity",
        "constant_metric",
    }
)
"""Checks whose failure makes the experiment invalid."""

STOPS: frozenset[Code] = frozenset({"constant_metric", "arm_size", "no_feature_left"})
"""Checks that keep it from being mined: the first and last by failing, the second by warning."""

HOUSEKEEPING: frozenset[Code] = frozenset(
    {"sensitive_feature", "constant_feature", "id_like_feature", "high_cardinality"}
)
"""Checks that leave out a feature and say nothing about the experiment."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What all checks come to.

    Attributes:
        status: ``invalid`` where a check of ``TRUST`` failed, ``warning`` where any but ``HOUSEKEEPING`` did not pass.
        mining: Whether subpopulations are searched.
        reason: The check that made it invalid, else the one that keeps it from being mined; None where neither did.
    """

    status: Literal["valid", "warning", "invalid"]
    mining: bool
    reason: Code | None

    def to_dict(self) -> dict[str, Any]:
        """The verdict as JSON values."""
        return {"status": self.status, "mining": self.mining, "reason": self.reason}


def validate(context: StageContext) -> dict[str, Uri]:
    """Write ``checks``, ``features``, ``items`` and ``verdict``; returns their addresses."""
    experiment = context.experiment
    profile = context.read_json("prepare", "profile")
    waterfall = context.read_json("prepare", "waterfall")
    users = context.read_table("prepare", "users", _columns(experiment, profile))
    checks, screening = run_checks(users, waterfall, profile, experiment)
    verdict = judge(checks)
    return {
        "checks": context.write_json("checks.json", [check.to_dict() for check in checks]),
        "features": context.write_json(
            "features.json", {"used": list(screening.used), "dropped": dict(screening.dropped)}
        ),
        "items": context.write_json("items.json", list(experiment.mining.candidates) if verdict.mining else []),
        "verdict": context.write_json("verdict.json", verdict.to_dict()),
    }


def run_checks(
    users: pd.DataFrame,
    waterfall: Mapping[str, Any],
    profile: Mapping[str, Any],
    experiment: Experiment,
    thresholds: Thresholds | None = None,
) -> tuple[list[Check], Screening]:
    """Every check, and which features are left.

    Args:
        users: One row per analysed unit: arm, cluster, features, outcomes and pre-window.
        waterfall: From rows to analysed units.
        profile: What was seen while joining.
        experiment: As stated.
        thresholds: Bounds; None: the defaults.
    """
    bounds = thresholds or Thresholds()
    arms = Arms.of(users, experiment.arms)
    screening = screen_features(users, list(profile["features"]), arms, experiment, bounds)
    checks = [
        *assignment_checks(waterfall["steps"], profile["transitions"], arms, experiment, bounds),
        *table_checks(profile, len(users), bounds),
        *metric_checks(users, arms, experiment, bounds),
        *cap_checks(profile, bounds),
        arm_size(users, arms, experiment.primary, bounds),
        *screening.checks,
    ]
    return checks, screening


def judge(checks: Sequence[Check]) -> Verdict:
    """What the checks come to."""
    distrust = [check.code for check in checks if check.code in TRUST and check.status == "fail"]
    stops = [check.code for check in checks if _stops(check)]
    noticed = [check for check in checks if check.status != "pass" and check.code not in HOUSEKEEPING]
    return Verdict(
        status="invalid" if distrust else "warning" if noticed else "valid",
        mining=not stops,
        reason=next(iter([*distrust, *stops]), None),
    )


def _stops(check: Check) -> bool:
    # A secondary metric that does not vary only warns, and hinders nobody.
    return check.code in STOPS and check.status == ("warn" if check.code == "arm_size" else "fail")


def _columns(experiment: Experiment, profile: Mapping[str, Any]) -> list[str]:
    columns = ["arm", *(["cluster"] if experiment.cluster else []), *profile["features"]]
    for metric in experiment.metrics:
        columns += outcome_columns(metric)
        if experiment.window.pre_days:
            columns += pre_window_columns(metric)
    return columns
