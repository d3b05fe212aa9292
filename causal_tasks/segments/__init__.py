"""Segments of people by the kind of message they respond to, learned from creatives that were shown at random."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from causal_tasks.segments.assigned_table import assign_table
    from causal_tasks.segments.balance import (
        ColumnMoments,
        ExposureBalance,
        UnbalancedExposureWarning,
        exposure_balance,
    )
    from causal_tasks.segments.covariate_columns import Term
    from causal_tasks.segments.covariates import CovariateTerms
    from causal_tasks.segments.creative_segments import CreativeSegments
    from causal_tasks.segments.creative_segments_cv import CreativeSegmentsCV
    from causal_tasks.segments.exposures import Exposures
    from causal_tasks.segments.parquet_exposures import exposures_from_parquet
    from causal_tasks.segments.separate import SeparateCreatives, SeparateCreativesCV
    from causal_tasks.segments.summary import SegmentSummary
    from causal_tasks.segments.value import Assignment, assignment_value, compare_assignments

__all__ = [
    "Assignment",
    "ColumnMoments",
    "CovariateTerms",
    "CreativeSegments",
    "CreativeSegmentsCV",
    "ExposureBalance",
    "Exposures",
    "SegmentSummary",
    "SeparateCreatives",
    "SeparateCreativesCV",
    "Term",
    "UnbalancedExposureWarning",
    "assign_table",
    "assignment_value",
    "compare_assignments",
    "exposure_balance",
    "exposures_from_parquet",
]

_HOMES = {
    "Assignment": "value",
    "ColumnMoments": "balance",
    "CovariateTerms": "covariates",
    "CreativeSegments": "creative_segments",
    "CreativeSegmentsCV": "creative_segments_cv",
    "ExposureBalance": "balance",
    "Exposures": "exposures",
    "SegmentSummary": "summary",
    "SeparateCreatives": "separate",
    "SeparateCreativesCV": "separate",
    "Term": "covariate_columns",
    "UnbalancedExposureWarning": "balance",
    "assign_table": "assigned_table",
    "assignment_value": "value",
    "compare_assignments": "value",
    "exposure_balance": "balance",
    "exposures_from_parquet": "parquet_exposures",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
