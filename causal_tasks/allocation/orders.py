"""Standing orders: a budget that is spent anew every night on the users of a table, by the model that a run chose."""

import json
from typing import Annotated, Any, Literal, Self

import pyarrow.parquet as pq
from pydantic import Field, ValidationError

from causal_tasks.allocation.allocated_table import METADATA
from causal_tasks.allocation.reallocation import reallocate
from causal_tasks.budgeting_options import Positive
from causal_tasks.errors import InputError
from causal_tasks.experiment_parts import Name, Part
from causal_tasks.lake import allocations_folder, budgets_folder
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage, Uri

_SUFFIX = ".json"
_DATE = "{date}"


class BudgetOrder(Part):
    """Content of ``LAKE/budgets/<id>.json``.

    Attributes:
        run: Run id ``<experiment_id>.r<revision>`` whose model decides.
        table: Address of a Parquet file or a folder of them; ``{date}`` stands for the day, as in 2026-10-31.
        unit: Column of ids; None: that of the run's experiment.
        budget: For all users of the table together, or per user on average.
        per_user: Whether it is the latter.
        capacity: By arm, users who may get it at most.
        new_levels: Whether a categorical value that the model does not know is an error or counts as missing.
        status: Nothing is spent while it is paused.
    """

    run: Annotated[str, Field(min_length=1)]
    table: Annotated[str, Field(min_length=1)]
    unit: Name | None = None
    budget: Positive
    per_user: bool = False
    capacity: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    new_levels: Literal["error", "missing"] = "error"
    status: Literal["active", "paused"] = "active"

    @classmethod
    def read(cls, order: str, settings: Settings) -> Self:
        """The order of that id.

        Raises:
            InputError: There is none, or it is no valid order.
        """
        uri = f"{budgets_folder(settings)}/{order}{_SUFFIX}"
        try:
            return cls.model_validate(Storage(settings).read_json(uri))
        except FileNotFoundError as error:
            raise InputError(f"there is no order at {uri}", remedy="write it, or correct the id") from error
        except (ValidationError, ValueError) as error:
            raise InputError(f"{uri}: {error}", remedy="correct the order and write it again") from error


def standing_orders(settings: Settings) -> list[str]:
    """Ids of all orders in the lake, sorted."""
    files = Storage(settings).list_files(budgets_folder(settings), suffix=_SUFFIX, hash_local=False)
    return [file.path.removesuffix(_SUFFIX) for file in files if "/" not in file.path]


def fill_order(order: str, day: str, settings: Settings) -> dict[str, Any] | None:
    """Spend an order's budget for a day; None where it is paused.

    ``LAKE/allocations/<id>/<day>.parquet`` says who gets what, ``….json`` beside it what that comes to. A day is filled
    once: what is there stays, whatever the order says meanwhile.

    Args:
        order: Its id.
        day: As in 2026-10-31.
        settings: Where the lake is and how many threads may be used.

    Returns:
        The summary: ``order``, ``date``, ``run``, ``method``, ``table``, ``rows``, ``new_levels`` and ``spending``.

    Raises:
        InputError: As for ``BudgetOrder.read`` and ``reallocate``.
    """
    stated, storage = BudgetOrder.read(order, settings), Storage(settings)
    if stated.status == "paused":
        return None
    uri = f"{allocations_folder(order, settings)}/{day}"
    if not storage.exists(f"{uri}.parquet"):
        reallocate(
            stated.run,
            stated.table.replace(_DATE, day),
            f"{uri}.parquet",
            budget=stated.budget,
            per_user=stated.per_user,
            capacity=stated.capacity,
            unit=stated.unit,
            new_levels=stated.new_levels,
            about={"order": order, "date": day},
            settings=settings,
        )
    summary = _summary(storage, f"{uri}.parquet")
    storage.write_json(f"{uri}.json", summary)
    return summary


def _summary(storage: Storage, uri: Uri) -> dict[str, Any]:
    """What the metadata of an allocation say."""
    filesystem, path = storage.filesystem(uri)
    metadata = pq.read_schema(path, filesystem=filesystem).metadata
    told: dict[str, Any] = json.loads(metadata[METADATA.encode()])
    return told
