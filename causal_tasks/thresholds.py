"""Bounds of the validity checks: what a user may loosen or tighten for one experiment."""

from typing import Annotated

from pydantic import Field

from causal_tasks.experiment_parts import Part

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class Thresholds(Part):
    """Bounds of all checks: a check warns or fails beyond its bound, not at it. Shares are shares of 1.

    Attributes:
        p_value: p-value (for features q-value) below which a test of alikeness fails or warns.
        sample_ratio_warn: p-value below which the sample ratio warns.
        sample_ratio_deviation: Share by which an arm must be off before a sample ratio fails; else every tiny
            deviation of a huge experiment would.
        contamination_warn: Share of units in two arms.
        contamination_fail: The same.
        immature_warn: Share of units whose window is not complete.
        immature_fail: The same.
        other_experiment: Share of our units below which another experiment is too small to be compared by arm.
        before_exposure: Share of the outcome window that lies before the exposure, on its day.
        duplicates: Share of a table's rows that repeat another.
        unknown_ids_warn: Share of units whose ids have a format of which a table knows no id.
        unknown_ids_fail: The same.
        without_features: Share of units without any feature row.
        without_metrics: Share of units without any metrics row where that means zero; high, as absent users are normal.
        without_outcome: Share of units without a primary outcome where that leaves them out.
        scale: How far, relatively, a ratio of medians or means may be off a factor of units and still look like it.
        top_share: Share of a metric that 0.1 % of the units with a value hold, from which on its tail is heavy.
        tail_index: Hill's index of a metric's largest values below which its tail is heavy.
        unbalanced: Largest arm per smallest arm from which on means of a heavy tail cannot be trusted.
        capped: Share of the values other than zero that a metric's cap cuts.
        constant: Share of one value, missing included, above which a feature counts as constant.
        distinct: Distinct values per known value above which a text counts as an id.
        levels: Number of levels above which a text is no basis for rules.
        copy_correlation: Correlation with an outcome above which a feature is a copy of it.
        informative_missing: Standardised difference of the outcome between units with and without a feature's value.
        units_per_arm: Units with a primary outcome below which an arm is too small to be mined.
        clusters_per_arm: Clusters with a primary outcome below which it is, where those were assigned.
        events_per_arm: Units with another than the commonest primary outcome below which it is.
        propensity: Least share of an arm among units alike, in an observational comparison; below it or above one
            minus it, units have no counterpart and are left out.
        trimmed: Share of units left out for that reason.
        effective_units: Effective number of matched controls.
        imbalance_warn: Standardised difference of a covariate after matching.
        imbalance_fail: The same.

    Source: Statsig, Eppo and GrowthBook use the same bounds for sample ratio and contamination; grf for the propensity.
    """

    p_value: Share = 0.001
    sample_ratio_warn: Share = 0.01
    sample_ratio_deviation: Share = 0.001
    contamination_warn: Share = 0.01
    contamination_fail: Share = 0.10
    immature_warn: Share = 0.20
    immature_fail: Share = 0.50
    other_experiment: Share = 0.01
    before_exposure: Share = 0.10
    duplicates: Share = 0.01
    unknown_ids_warn: Share = 0.01
    unknown_ids_fail: Share = 0.20
    without_features: Share = 0.20
    without_metrics: Share = 0.80
    without_outcome: Share = 0.20
    scale: Share = 0.05
    top_share: Share = 0.20
    tail_index: float = Field(default=2.5, ge=0)
    unbalanced: float = Field(default=3.0, ge=1)
    capped: Share = 0.01
    constant: Share = 0.999
    distinct: Share = 0.5
    levels: Count = 1000
    copy_correlation: Share = 0.98
    informative_missing: float = Field(default=0.1, ge=0)
    units_per_arm: Count = 1000
    clusters_per_arm: Count = 50
    events_per_arm: Count = 50
    propensity: float = Field(default=0.05, ge=0, lt=0.5)
    trimmed: Share = 0.30
    effective_units: Count = 1000
    imbalance_warn: float = Field(default=0.1, ge=0)
    imbalance_fail: float = Field(default=0.25, ge=0)
