"""What all engines are asked: where the tables are, and which columns, windows and days count."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from benchmarks.workload import tables_of
from causal_tasks.data.cohort import maturity_cutoff
from causal_tasks.data.tables import EPOCH
from causal_tasks.experiment import Experiment
from causal_tasks.lake import TableName, source_uris
from causal_tasks.settings import Settings


@dataclass(frozen=True, slots=True)
class Outcome:
    """One column that the join makes of the metrics table.

    Attributes:
        name: Such as ``y__spend`` or ``pre__spend``.
        column: Of the metrics table.
        how: ``sum``, or ``any`` day with another value than zero, as 1 or 0; a user without rows has 0.
        after_exposure: Whether the days of the outcome window count, or those before it.
    """

    name: str
    column: str
    how: Literal["sum", "any"]
    after_exposure: bool


@dataclass(frozen=True, slots=True)
class Question:
    """One experiment on a local lake.

    Attributes:
        experiment: What was stated: sums and ``any`` only, no ratio, one time zone, no cluster.
        settings: Where the lake is.
        features: Columns of the features table to look up.
        cutoff: First day that no outcome window may touch.
    """

    experiment: Experiment
    settings: Settings
    features: tuple[str, ...]
    cutoff: date

    def files(self, table: TableName) -> str:
        """Pattern of a table's Parquet files."""
        return source_uris(self.experiment, self.settings)[table].removeprefix("file://") + "/*.parquet"

    @property
    def metric_columns(self) -> tuple[str, ...]:
        """Columns of the metrics table to aggregate."""
        return tuple(column for metric in self.experiment.metrics for column in metric.columns)

    def outcomes(self) -> Iterator[Outcome]:
        """The columns to make of them, in their order."""
        for prefix, after_exposure in (("y__", True), ("pre__", False)):
            for metric in self.experiment.metrics:
                yield Outcome(prefix + metric.name, metric.columns[0], metric.aggregate, after_exposure)  # type: ignore[arg-type]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the answer, in their order."""
        return ("unit", "arm", "start", *self.features, *(outcome.name for outcome in self.outcomes()))


def ask(experiment: Experiment, settings: Settings) -> Question:
    """The question that an experiment asks of its tables."""
    tables = tables_of(experiment, settings)
    others = {experiment.unit, experiment.tables.date_column, *experiment.features.exclude}
    last_day = tables["metrics"].last_day(experiment.tables.date_column)
    return Question(
        experiment=experiment,
        settings=settings,
        features=tuple(name for name in tables["features"].columns if name not in others),
        cutoff=EPOCH + timedelta(days=maturity_cutoff(experiment, last_day)),
    )
