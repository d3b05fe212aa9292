"""Spends budgets on the users of a table: two passes over it, so that memory does not grow with its features."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from causal_tasks.allocation.budget_model import BudgetModel
from causal_tasks.allocation.forecast import Forecast
from causal_tasks.allocation.knapsack import Allocation, allocate
from causal_tasks.base_models import DesignMatrix
from causal_tasks.base_models.design import CHUNK_ROWS
from causal_tasks.errors import InputError
from causal_tasks.storage import Storage, Uri
from causal_tasks.uplift.feature_table import FeatureTable
from causal_tasks.uplift.new_parquet import new_parquet
from causal_tasks.uplift.user_batches import NewLevels, Progress, user_batches, written_schema

MORE = 1.1
"""What is asked beside every budget: what ten per cent more would bring."""

METADATA = "causal_tasks.allocation"
"""Key of the Parquet file's metadata that holds the summary."""


@dataclass(frozen=True, slots=True)
class Purse:
    """What may be spent.

    Attributes:
        column: Name of the column with everybody's arm.
        budget: For all users together, or per user on average.
        per_user: Whether it is the latter.
        capacity: By arm, users who may get it at most; arms that are not named have no bound.
    """

    column: str
    budget: float
    per_user: bool = True
    capacity: Mapping[str, int] = field(default_factory=dict)

    def total(self, rows: int) -> float:
        """The budget for all of ``rows`` users."""
        return self.budget * rows if self.per_user else self.budget


@dataclass(frozen=True, slots=True)
class AllocatedTable:
    """A table that says who gets which arm.

    Attributes:
        uri: Where it is.
        rows: Users.
        spending: By column: ``budget`` (total), ``spend``, ``value``, ``shadow_price``, ``marginal_return``,
            ``ten_percent_more`` (value gained per user by a budget ten per cent larger), ``shares`` of users by arm,
            ``notes``: all as the model predicts them, outcomes on the benefit scale.
        new_levels: Rows by categorical feature with a value that the model does not know, which it took for missing.
    """

    uri: Uri
    rows: int
    spending: Mapping[str, Mapping[str, Any]]
    new_levels: Mapping[str, int]


def write_allocation(
    model: BudgetModel,
    table: FeatureTable,
    purses: list[Purse],
    *,
    storage: Storage,
    uri: Uri,
    unit: str,
    about: Mapping[str, Any],
    new_levels: NewLevels = "error",
    progress: Progress | None = None,
) -> AllocatedTable:
    """Write who gets which arm of every row of a table, in its order.

    The file has the column of ids, for every purse a column with the arm's label, and ``outcome__<arm>`` and
    ``cost__<arm>``, what the model predicts, in float32. In memory are, beside the model, some 65,536 rows of the
    columns that are read and one number per user and purse; predictions of all users lie in files on local disk.

    Args:
        model: What it says decides.
        table: Users, with the model's features.
        purses: At least one.
        storage: Where the file is written.
        uri: Of the Parquet file; never replaced, and written whole or not at all.
        unit: Name of the column of ids.
        about: What the file's metadata say besides how the budgets were spent.
        new_levels: Whether a categorical value that the model does not know is an error or counts as missing.
        progress: Called after every batch that was predicted, with rows done and rows of the table.

    Raises:
        InputError: A value does not fit, a budget is below what the cheapest arms cost, or a file is at ``uri``.
        ConfigurationError: It cannot be written.
    """
    if storage.exists(uri):
        raise InputError(f"{uri} exists", remedy="choose another address, or remove the file")
    rows, arms = table.table.rows, [str(arm) for arm in model.arms_]
    with TemporaryDirectory() as folder:
        forecast = Forecast(*(_numbers_on_disk(Path(folder) / name, (rows, len(arms))) for name in Forecast._fields))
        lost = _predict(model, table, forecast, new_levels=new_levels, progress=progress)
        chosen, spending = {}, {}
        for purse in purses:
            found = _spend(forecast, purse, purse.total(rows), arms)
            chosen[purse.column] = found.arm.astype(np.int16)
            spending[purse.column] = _told(found, forecast, purse, arms)
        summary = {**about, "rows": rows, "spending": spending, "new_levels": lost}
        schema = _schema(table, unit, list(chosen), arms, summary)
        with new_parquet(storage, uri, schema) as writer:
            begin = 0
            for ids in _ids(table):
                part = slice(begin, begin + len(ids))
                labels = [pa.array(arms).take(pa.array(arm[part])) for arm in chosen.values()]
                levels = [pa.array(values[part, arm]) for values in forecast for arm in range(len(arms))]
                writer.write_table(pa.table([ids.cast(schema.field(0).type), *labels, *levels], schema=schema))
                begin = part.stop
    return AllocatedTable(uri, rows, spending, lost)


def _ids(table: FeatureTable) -> Iterator[pa.ChunkedArray | pa.Array]:
    """Ids of the users, or the numbers of their rows, some at a time."""
    if table.unit:
        yield from (batch[table.unit] for batch in table.batches([table.unit]))
        return
    for begin in range(0, table.table.rows, CHUNK_ROWS):
        yield pa.array(np.arange(begin, min(begin + CHUNK_ROWS, table.table.rows)))


def _numbers_on_disk(path: Path, shape: tuple[int, int]) -> NDArray[np.float32]:
    return np.memmap(path, dtype=np.float32, mode="w+", shape=shape)


def _predict(
    model: BudgetModel,
    table: FeatureTable,
    into: Forecast,
    *,
    new_levels: NewLevels,
    progress: Progress | None,
) -> dict[str, int]:
    """Fill ``into``; returns rows by feature with a value that the model does not know."""
    begin, lost = 0, Counter[str]()
    for batch in user_batches(table, new_levels=new_levels, lost=lost, progress=progress):
        rows = slice(begin, begin + len(batch.known))
        into.outcome[rows], into.cost[rows] = model.predict(DesignMatrix(batch.known))
        begin = rows.stop
    return dict(lost)


def _spend(forecast: Forecast, purse: Purse, budget: float, arms: list[str]) -> Allocation:
    capacity = dict(purse.capacity) or None
    return allocate(forecast.outcome, forecast.cost, budget=budget, capacity=capacity, arms=arms)


def _told(found: Allocation, forecast: Forecast, purse: Purse, arms: list[str]) -> dict[str, Any]:
    rows = len(found.arm)
    more = _spend(forecast, purse, MORE * found.budget, arms)
    shares = np.bincount(found.arm, minlength=len(arms)) / rows
    return {
        "budget": found.budget,
        "spend": found.cost,
        "value": found.value,
        "shadow_price": found.shadow_price,
        "marginal_return": found.marginal_return,
        "ten_percent_more": (more.value - found.value) / rows,
        "shares": dict(zip(arms, shares.tolist(), strict=True)),
        "notes": list(found.notes),
    }


def _schema(
    table: FeatureTable, unit: str, columns: list[str], arms: list[str], summary: Mapping[str, Any]
) -> pa.Schema:
    written = [(name, pa.string()) for name in columns]
    written += [(f"{what}__{arm}", pa.float32()) for what in Forecast._fields for arm in arms]
    return written_schema(table, unit, written, {METADATA: summary})
