"""Names of the columns in which ``prepare`` writes what it makes of a metric."""

from causal_tasks.experiment import Metric

_PERIOD = "period__"

PREFIXES = ("y__", "pre__", "num__", "den__", "prenum__", "preden__", _PERIOD)
"""Beginnings of these names, in the order in which the columns are written."""


def outcome_columns(metric: Metric) -> tuple[str, ...]:
    """The outcome: one column, or numerator and denominator of a ratio."""
    return _columns(metric, value="y__", numerator="num__", denominator="den__")


def pre_window_columns(metric: Metric) -> tuple[str, ...]:
    """The same for the days before exposure; written where the experiment has a pre-window."""
    return _columns(metric, value="pre__", numerator="prenum__", denominator="preden__")


def period_column(number: int) -> str:
    """The primary metric's mean per day in one of the periods of an event study, counted from 0."""
    return f"{_PERIOD}{number}"


def _columns(metric: Metric, *, value: str, numerator: str, denominator: str) -> tuple[str, ...]:
    prefixes = (numerator, denominator) if metric.is_ratio else (value,)
    return tuple(f"{prefix}{metric.name}" for prefix in prefixes)
