"""Checks of the tables as they were joined."""

from collections.abc import Mapping
from typing import Any

from causal_tasks.thresholds import Thresholds
from causal_tasks.validity.grading import Check, grade


def table_checks(profile: Mapping[str, Any], units: int, thresholds: Thresholds) -> list[Check]:
    """Duplicates and formats of ids, where the tables can tell, and who has features.

    Args:
        profile: What ``prepare`` saw while joining.
        units: Analysed units.
        thresholds: Bounds.
    """
    duplicates = [_duplicates(profile, thresholds)] if profile["duplicate_rows"] else []
    formats = [_id_format(profile["unknown_id_formats"], units, thresholds)] if profile["unknown_id_formats"] else []
    without_features = profile["units_without_features"]
    return [
        *duplicates,
        *formats,
        grade(
            "feature_coverage",
            without_features / units,
            fail=thresholds.without_features,
            details={"units": without_features},
        ),
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


def _id_format(unknown: Mapping[str, Mapping[str, int]], units: int, thresholds: Thresholds) -> Check:
    """The table that knows no id in the format of the most units: those are probably devices where it has users."""
    shares = {table: sum(formats.values()) / units for table, formats in unknown.items()}
    worst = max(shares, key=lambda table: shares[table])
    return grade(
        "id_format",
        shares[worst],
        warn=thresholds.unknown_ids_warn,
        fail=thresholds.unknown_ids_fail,
        subject=worst if shares[worst] > 0 else None,
        details={"units": {table: dict(formats) for table, formats in unknown.items()}},
    )
