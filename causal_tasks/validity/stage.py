"""Stage ``validate``: whether the experiment can be trusted, and whether it can be mined.

The checks, by what they look at:

==========================  =====================================================================================
assignment_checks           sample_ratio, sample_ratio_analysed, contamination, contamination_symmetry, maturity,
                            overlapping_experiments, exposure_day_counts
table_checks                duplicates, id_format, feature_coverage
metric_checks               metric_coverage, pre_period, missing_outcome_by_arm, constant_metric, arm_size
distribution_checks         unit_scale, heavy_tail, cap
feature_checks              sensitive_feature, constant_feature, id_like_feature, high_cardinality,
                            missing_feature_by_arm, outcome_copy, feature_differs_by_arm, no_feature_left
feature_remarks             schema_drift, missing_feature_informative
arm_prediction              arm_predictable
observational               overlap, matched_sample, balance_after_matching, placebo: without randomisation only
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
from causal_tasks.validity.distribution_checks import distribution_checks
from causal_tasks.validity.feature_checks import Screening, screen_features
from causal_tasks.validity.grading import CODES, Check, Code
from causal_tasks.validity.metric_checks import metric_checks
from causal_tasks.validity.observational import confounders, observational_design
from causal_tasks.validity.sample_ratio import DAY
from causal_tasks.validity.table_checks import table_checks

TRUST: frozenset[Code] = frozenset(
    {
        "sample_ratio",
        "sample_ratio_analysed",
        "contamination",
        "contamination_symmetry",
        "maturity",
        "id_format",
        "pre_period",
        "missing_outcome_by_arm",
        "constant_metric",
        "heavy_tail",
        "overlap",
        "matched_sample",
        "balance_after_matching",
        "placebo",
    }
)
"""Checks whose failure makes the experiment invalid."""

STOPS: frozenset[Code] = frozenset({"constant_metric", "arm_size", "no_feature_left", "matched_sample"})
"""Checks that keep it from being mined: ``arm_size`` by warning, the others by failing."""

HOUSEKEEPING: frozenset[Code] = frozenset(
    {
        "exposure_day_counts",
        "sensitive_feature",
        "constant_feature",
        "id_like_feature",
        "high_cardinality",
        "missing_feature_informative",
    }
)
"""Checks that tidy up or remark on something, and say nothing against the experiment."""


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
    """Write ``checks``, ``features``, ``items`` and ``verdict``; returns their addresses.

    Of a comparison that was not randomised also ``propensity`` and ``balance``.
    """
    experiment = context.experiment
    profile = context.read_json("prepare", "profile")
    waterfall = context.read_json("prepare", "waterfall")
    users = context.read_table("prepare", "users", _columns(experiment, profile))
    checks, screening = run_checks(users, waterfall, profile, experiment)
    matched = {}
    if not experiment.randomized:
        adjusted = confounders(list(profile["features"]), screening)
        design = observational_design(users, adjusted, experiment, n_jobs=context.settings.threads)
        checks += design.checks
        matched = {
            "propensity": context.write_table("propensity.parquet", design.propensity),
            "balance": context.write_json("balance.json", design.balance),
        }
    verdict = judge(checks)
    return matched | {
        "checks": context.write_json("checks.json", [check.to_dict() for check in checks]),
        "features": context.write_json(
            "features.json", {"used": list(screening.used), "dropped": dict(screening.dropped)}
        ),
        "items": context.write_json("items.json", list(experiment.mining.candidates) if verdict.mining else []),
        "verdict": context.write_json("verdict.json", verdict.to_dict()),
    }


def run_checks(
    users: pd.DataFrame, waterfall: Mapping[str, Any], profile: Mapping[str, Any], experiment: Experiment
) -> tuple[list[Check], Screening]:
    """Every check, in the order of ``CODES``, and which features are left.

    Args:
        users: One row per analysed unit: arm, start, cluster, features, outcomes and pre-window.
        waterfall: From rows to analysed units.
        profile: What was seen while joining.
        experiment: As stated, with the bounds.
    """
    arms, features = Arms.of(users, experiment.arms), list(profile["features"])
    assigned = assignment_checks(waterfall["steps"], profile, users, arms, experiment)
    skewed = any(check.code in _SAMPLE_RATIOS and check.status != "pass" for check in assigned)
    screening = screen_features(users, features, arms, experiment)
    checks = [
        *assigned,
        *table_checks(profile, len(users), experiment.thresholds),
        *metric_checks(users, profile, arms, experiment, skewed=skewed),
        *distribution_checks(users, features, profile, arms, experiment),
        *screening.checks,
    ]
    return sorted(checks, key=lambda check: CODES.index(check.code)), screening


_SAMPLE_RATIOS: frozenset[Code] = frozenset({"sample_ratio", "sample_ratio_analysed"})


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
    columns = ["arm", *profile["features"]]
    if experiment.cluster:
        columns.append("cluster")
    if not experiment.dataset:
        columns.append(DAY)
    if not experiment.randomized:
        columns += ["unit", "part", "fold"]
    for metric in experiment.metrics:
        columns += outcome_columns(metric)
        if experiment.window.pre_days:
            columns += pre_window_columns(metric)
    return columns
