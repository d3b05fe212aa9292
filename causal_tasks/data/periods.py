"""The periods of an event study: short stretches of the days before and after the start of a unit's treatment."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from causal_tasks.data.columns import period_column
from causal_tasks.experiment import Experiment, Window

MOST_PERIODS = 7
"""Of a window: a week is shown by day, a longer window in as many stretches."""


@dataclass(frozen=True, slots=True)
class Stretches:
    """Consecutive days cut into stretches that are as equally long as whole days allow.

    Attributes:
        days: How many days there are.
        count: How many stretches, at most one for each day.
    """

    days: int
    count: int

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """First and last day of every stretch, counted from 0."""
        starts = [self.days * number // self.count for number in range(self.count + 1)]
        return tuple((first, after - 1) for first, after in pairwise(starts))

    def number(self, day: Any) -> Any:
        """In which stretch a day lies, both counted from 0, by integer arithmetic that whole columns allow too."""
        return ((day + 1) * self.count - 1) // self.days


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of days for which ``prepare`` writes the primary metric's mean per day.

    Attributes:
        column: Of ``users``.
        first_day: Counted from the day of first exposure, negative before it.
        last_day: Likewise.
    """

    column: str
    first_day: int
    last_day: int


def pre_window_stretches(window: Window) -> Stretches:
    """Of the days before exposure; there must be one."""
    return Stretches(window.pre_days, min(window.pre_days, MOST_PERIODS))


def outcome_stretches(window: Window) -> Stretches:
    """Of the days of the outcome window."""
    return Stretches(window.days, min(window.days, MOST_PERIODS))


def periods(experiment: Experiment) -> tuple[Period, ...]:
    """The periods that are written, in the order of their days; none where there is no event study.

    An event study needs daily rows of a metric that adds up over days, and two periods before the start to compare.
    """
    window, primary = experiment.window, experiment.primary
    if experiment.dataset or primary.is_ratio or primary.aggregate != "sum" or window.pre_days < 2:
        return ()
    before = [(first - window.pre_days, last - window.pre_days) for first, last in pre_window_stretches(window).spans]
    after = [(first + window.offset, last + window.offset) for first, last in outcome_stretches(window).spans]
    return tuple(Period(period_column(number), *days) for number, days in enumerate([*before, *after]))
