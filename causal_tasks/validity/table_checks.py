"""Checks of the tables as they were joined."""

from collections.abc import Mapping
from typing import Any

from causal_tasks.validity.grading import Check, Thresholds, grade


def table_checks(profile: Mapping[str, Any], units: int, thresholds: Thresholds) -> list[Check]:
    """Duplicates, where rows may repeat, and coverage.

    Args:
        profile: What ``prepare`` saw while joining.
        units: Analysed units.
        thresholds: Bounds.
    """
    duplicates = [_duplicates(profile, thresholds)] if profile["duplicate_rows"] else []
    return [
        *duplicates,
        grade(
            "feature_coverage",
            profile["units_without_features"] / units,
            warn=thresholds.without_features,
            details={"units": profile["units_without_features"]},
        ),
        grade(
            "metric_coverage",
            profile["units_without_metrics"] / units,
            warn=thresholds.without_metrics,
            details={"units": profile["units_without_metrics"]},
        ),
    ]


def cap_checks(profile: Mapping[str, Any], thresholds: Thresholds) -> list[Check]:
    """How many units each cap cuts."""
    return [
        grade("cap", cap["share_capped"], warn=thresholds.capped, subject=metric, details={"cap": cap["value"]})
        for metric, cap in profile["caps"].items()
    ]


def _duplicates(profile: Mapping[str, Any], thresholds: Thresholds) -> Check:
    """The table with the largest share of duplicates among the rows that were looked at."""
    rows = {table: facts["rows"] for table, facts in profile["tables"].items()}
    rows["metrics"] -= profile["dropped_metrics_rows"]["outside_cohort_or_windows"]
    duplicates = profile["duplicate_rows"]
    shares = {table: count / rows[table] if rows.get(table) else 0.0 for table, count in duplicates.items()}
    worst = max(shares, key=lambda table: shares[table])
    return grade(
        "duplicates",
        shares[worst],
        warn=thresholds.duplicates,
        subject=worst if shares[worst] > 0 else None,
        details={"duplicates": dict(duplicates), "rows": rows},
    )
