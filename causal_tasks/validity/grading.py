"""What a check is, and from where on it warns or fails."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

Status = Literal["pass", "warn", "fail"]

Code = Literal[
    "sample_ratio",
    "sample_ratio_analysed",
    "contamination",
    "contamination_symmetry",
    "maturity",
    "overlapping_experiments",
    "exposure_day_counts",
    "duplicates",
    "id_format",
    "feature_coverage",
    "metric_coverage",
    "pre_period",
    "missing_outcome_by_arm",
    "unit_scale",
    "constant_metric",
    "heavy_tail",
    "cap",
    "arm_size",
    "schema_drift",
    "sensitive_feature",
    "constant_feature",
    "id_like_feature",
    "high_cardinality",
    "missing_feature_by_arm",
    "outcome_copy",
    "feature_differs_by_arm",
    "missing_feature_informative",
    "arm_predictable",
    "no_feature_left",
    "overlap",
    "matched_sample",
    "balance_after_matching",
    "placebo",
]
CODES: tuple[Code, ...] = get_args(Code)
"""Every check, in the order in which results list them."""


@dataclass(frozen=True, slots=True)
class Check:
    """One finding about the data.

    Attributes:
        code: What was checked.
        status: How it went.
        subject: The metric, feature, table or arm that it speaks of; None: the whole experiment.
        value: What was found: a share, a count, or the p-value of a test.
        threshold: The bound that decided ``status``; where it passed, the nearest one.
        details: Figures behind ``value``, JSON values.
    """

    code: Code
    status: Status
    subject: str | None = None
    value: float | None = None
    threshold: float | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The check as JSON values."""
        return asdict(self)


def grade(
    code: Code,
    value: float,
    *,
    warn: float | None = None,
    fail: float | None = None,
    lower_is_worse: bool = False,
    subject: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> Check:
    """The check that ``value`` gives: it fails or warns beyond a bound, not at it.

    Args:
        code: What was checked.
        value: What was found.
        warn: Bound of a warning; None: it never warns.
        fail: Bound of a failure; None: it never fails.
        lower_is_worse: True for p-values and counts of units.
        subject: What it speaks of.
        details: Figures behind ``value``.
    """

    def beyond(bound: float | None) -> bool:
        return bound is not None and (value < bound if lower_is_worse else value > bound)

    status: Status = "fail" if beyond(fail) else "warn" if beyond(warn) else "pass"
    threshold = fail if status == "fail" or warn is None else warn
    return Check(code, status, subject, value, threshold, details or {})
