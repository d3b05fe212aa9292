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
    "duplicates",
    "feature_coverage",
    "metric_coverage",
    "pre_period",
    "constant_metric",
    "cap",
    "arm_size",
    "sensitive_feature",
    "constant_feature",
    "id_like_feature",
    "high_cardinality",
    "missing_feature_by_arm",
    "no_feature_left",
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


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Bounds of all checks; shares are shares of 1.

    Attributes:
        p_value: Below which a test of alikeness fails or warns.
        sample_ratio_warn: p-value below which the sample ratio warns.
        sample_ratio_deviation: Share by which an arm must be off before a sample ratio fails; else every tiny
            deviation of a huge experiment would.
        contamination_warn: Share of units in two arms.
        contamination_fail: The same.
        immature_warn: Share of units whose window is not complete.
        immature_fail: The same.
        duplicates: Share of a table's rows that repeat another.
        without_features: Share of units without any feature row.
        without_metrics: Share of units without any metrics row; high, as absent users are normal.
        capped: Share of units cut by a metric's cap.
        constant: Share of one value, missing included, above which a feature counts as constant.
        distinct: Distinct values per known value above which a text counts as an id.
        levels: Number of levels above which a text is no basis for rules.
        units_per_arm: Units with a primary outcome below which an arm is too small to be mined.
        events_per_arm: Units with another than the commonest primary outcome below which it is.

    Source: Statsig, Eppo and GrowthBook use the same bounds for sample ratio and contamination.
    """

    p_value: float = 0.001
    sample_ratio_warn: float = 0.01
    sample_ratio_deviation: float = 0.001
    contamination_warn: float = 0.01
    contamination_fail: float = 0.10
    immature_warn: float = 0.20
    immature_fail: float = 0.50
    duplicates: float = 0.01
    without_features: float = 0.20
    without_metrics: float = 0.80
    capped: float = 0.01
    constant: float = 0.999
    distinct: float = 0.5
    levels: int = 1000
    units_per_arm: int = 1000
    events_per_arm: int = 50


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
