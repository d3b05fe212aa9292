"""What an experiment asks of the join: aggregates, windows and columns, in the join's own terms."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from causal_tasks.data.columns import outcome_columns, pre_window_columns
from causal_tasks.data.contracts import identity_schema, require_days, require_no_null, require_numbers
from causal_tasks.data.feature_contracts import FeatureColumn, eligibility_columns, feature_columns
from causal_tasks.data.join import FEATURE, METRIC, Aggregate, PeriodMeans, Plan
from causal_tasks.data.periods import outcome_stretches, periods, pre_window_stretches
from causal_tasks.data.rows import Days, Source, Units
from causal_tasks.data.tables import ParquetTable
from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment, Metric

_NO_COLUMNS = pa.schema([])


@dataclass(frozen=True, slots=True)
class Input:
    """A table cut to the row groups that matter, and how its rows are read.

    Attributes:
        table: The table.
        source: How its rows are read.
        unread: Columns that the experiment does not name, and that may tell two rows of a unit and day apart.
    """

    table: ParquetTable
    source: Source
    unread: pa.Schema = _NO_COLUMNS


def metric_days(experiment: Experiment) -> Days:
    """The days of pre-window and outcome window around the day of first exposure."""
    window = experiment.window
    return Days(window.pre_days, window.offset + window.days, skipped=window.offset)


def feature_days(experiment: Experiment) -> Days:
    """The days on which a feature row may lie: not too old, and not after what ``snapshot`` allows."""
    return Days(experiment.features.max_age, 1 if experiment.window.snapshot == "assignment_day" else 0)


def metrics_input(table: ParquetTable, experiment: Experiment, units: Units, device: str) -> Input:
    """The metrics table as the join reads it.

    Raises:
        InputError: A column is missing or of the wrong type, or an id has no value.
    """
    days, column = metric_days(experiment), experiment.tables.date_column
    table = _cut(table, column, units, days, remedy="correct the dates, or write the rows that are missing")
    names = list(dict.fromkeys(name for metric in experiment.metrics for name in metric.columns))
    require_numbers(table, names)
    require_no_null(table, (experiment.unit,))
    values = pa.schema([(name, pa.float64()) for name in names])
    source = Source("metrics", experiment.unit, column, days, values, METRIC, _NO_COLUMNS, table.filesystem, device)
    return Input(table, source, identity_schema(table, {experiment.unit, column, *names}))


def features_input(
    table: ParquetTable, experiment: Experiment, units: Units, device: str
) -> tuple[Input, tuple[FeatureColumn, ...]]:
    """The features table as the join reads it, and the features that are written.

    Raises:
        InputError: A column is missing or has a name or type that it must not have, or an id has no value.
    """
    days, column = feature_days(experiment), experiment.tables.date_column
    dated = table.has(column)
    if dated:
        require_days(table, column)
        require_no_null(table, (column,))
        remedy = f"raise features.max_age ({experiment.features.max_age} days), or write feature rows for those days"
        table = _cut(table, column, units, days, remedy=remedy)
    used = feature_columns(table, experiment.features, taken={experiment.unit, column})
    read = {feature.name: feature.read for feature in (*used, *eligibility_columns(table, experiment.eligible))}
    require_no_null(table, (experiment.unit,))
    source = Source(
        "features",
        experiment.unit,
        column if dated else None,
        days,
        pa.schema(list(read.items())),
        FEATURE,
        _NO_COLUMNS,
        table.filesystem,
        device,
    )
    return Input(table, source), used


def join_plan(experiment: Experiment, features: Source) -> Plan:
    """What the join makes of a partition."""
    pre = experiment.window.pre_days > 0
    return Plan(
        days=metric_days(experiment),
        outcome=tuple(a for m in experiment.metrics for a in _aggregates(m, outcome_columns(m))),
        before=tuple(a for m in experiment.metrics for a in _aggregates(m, pre_window_columns(m)) if pre),
        periods=_period_means(experiment),
        feature_span=features.places,
        features=tuple(features.values.names),
        eligible=experiment.eligible,
    )


def _aggregates(metric: Metric, names: Sequence[str]) -> Iterator[Aggregate]:
    fill = 0.0 if metric.fill == "zero" else None
    how = "sum" if metric.is_ratio else metric.aggregate
    for name, column in zip(names, metric.columns, strict=True):
        yield Aggregate(name, METRIC + column, how, fill)


def _period_means(experiment: Experiment) -> PeriodMeans | None:
    names = tuple(period.column for period in periods(experiment))
    if not names:
        return None
    primary, window = experiment.primary, experiment.window
    (column,), (before,), (outcome,) = primary.columns, pre_window_columns(primary), outcome_columns(primary)
    return PeriodMeans(
        METRIC + column, pre_window_stretches(window), outcome_stretches(window), names, (before, outcome)
    )


def _cut(table: ParquetTable, column: str, units: Units, days: Days, *, remedy: str) -> ParquetTable:
    first, last = units.dates(days)
    cut = table.between(column, first, last)
    if not cut.rows:
        raise InputError(f"{table.name} table: no row from {first} to {last}, the days that matter", remedy=remedy)
    return cut
