"""Spends a budget anew with the model that a run chose: other users, another amount, nothing trained."""

import math
from collections.abc import Mapping

from causal_tasks.allocation.allocated_table import AllocatedTable, Purse, write_allocation
from causal_tasks.allocation.chosen_model import ChosenModel
from causal_tasks.errors import InputError
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage, Uri
from causal_tasks.uplift.feature_table import FeatureTable
from causal_tasks.uplift.user_batches import NewLevels, Progress

ARM = "arm"
"""Column with everybody's arm."""


def reallocate(
    run: str,
    table: Uri,
    output: Uri,
    *,
    budget: float,
    per_user: bool = False,
    capacity: Mapping[str, int] | None = None,
    unit: str | None = None,
    new_levels: NewLevels = "error",
    about: Mapping[str, str] | None = None,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> AllocatedTable:
    """Write which arm every user of a table gets, by the method that a run chose.

    Whether the budget pays is for the run's report to say; here the model is taken at its word. Users are taken to be
    like those of the experiment: hand over only those whom its ``eligible`` would let in.

    Args:
        run: Run id ``<experiment_id>.r<revision>``, or address of the run folder.
        table: Address of a Parquet file or a folder of them, with the model's features.
        output: Address of the Parquet file to write; never replaced, and written whole or not at all. It has the ids,
            ``arm``, ``outcome__<arm>`` and ``cost__<arm>``, and in its metadata what the budget came to.
        budget: For all users together, or per user on average.
        per_user: Whether it is the latter.
        capacity: By arm, users who may get it at most; None: no bound.
        unit: Column of ids; None: that of the run's experiment, or the number of the row for a dataset without ids.
        new_levels: Whether a categorical value that the model does not know is an error or counts as missing.
        about: What the metadata say besides.
        settings: Where the lake is and how many threads may be used; None: those of the environment.
        progress: Called after every batch that was predicted.

    Raises:
        InputError: The run has chosen no model, the table lacks a column, a value does not fit, an arm is unknown, the
            budget is not above zero or below what the cheapest arms cost, or a file is at ``output``.
        ConfigurationError: ``output`` cannot be written.
    """
    settings = settings or Settings()
    if not 0 < budget < math.inf:
        raise InputError(f"budget is {budget:g}", remedy="give an amount above zero, in units of cost")
    chosen, storage = ChosenModel.read(run, settings), Storage(settings)
    experiment = chosen.experiment
    if unknown := sorted(set(capacity or {}) - set(experiment.arms)):
        raise InputError(f"capacity names unknown arms {unknown}", remedy=f"use some of {list(experiment.arms)}")
    numbered = unit is None and experiment.dataset is not None and experiment.dataset.row_numbers
    ids = None if numbered else unit or experiment.unit
    return write_allocation(
        chosen.model,
        FeatureTable.checked(storage, table, chosen.model.features_, (), unit=ids),
        [Purse(ARM, budget, per_user, capacity or {})],
        storage=storage,
        uri=output,
        unit=unit or experiment.unit,
        about={"run": chosen.uri, "method": chosen.method, "table": table, **(about or {})},
        new_levels=new_levels,
        progress=progress,
    )
