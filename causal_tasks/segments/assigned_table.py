"""Assigns a segment to every user of a table, a batch at a time, so that memory does not grow with rows."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from causal_tasks.errors import InputError
from causal_tasks.segments.learned_segments import LearnedSegments
from causal_tasks.segments.statement import response_metric, stated_response
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage, Uri
from causal_tasks.uplift.feature_table import FeatureTable
from causal_tasks.uplift.new_parquet import new_parquet
from causal_tasks.uplift.user_batches import NewLevels, Progress, UserBatch, user_batches, written_schema

SEGMENT, CREATIVE, SEPARATE = "segment", "creative", "separate"
"""Columns: the segment, its creative that did best, and the creative that separate models would choose."""

METADATA = "causal_tasks.segments"
"""Key of the Parquet file's metadata that says what assigned the segments."""


@dataclass(frozen=True, slots=True)
class AssignedTable:
    """A table that says who belongs to which segment.

    Attributes:
        uri: Where it is.
        rows: Users.
        users: By segment.
        new_levels: Rows by categorical feature with a value that the models do not know, which they took for missing.
    """

    uri: Uri
    rows: int
    users: Mapping[str, int]
    new_levels: Mapping[str, int]


def assign_table(
    run: str,
    table: Uri,
    output: Uri,
    *,
    unit: str | None = None,
    new_levels: NewLevels = "error",
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> AssignedTable:
    """Write which segment every user of a table belongs to, by what a run has learned.

    Whether assigning pays is for the run's report to say. Users are taken to be like those of the experiment: hand over
    only those whom its ``eligible`` would let in.

    Args:
        run: Run id ``<experiment_id>.r<revision>``, or address of the run folder.
        table: Address of a Parquet file or a folder of them, with the features of the models.
        output: Address of the Parquet file to write, see ``write_assignments``.
        unit: Column of ids; None: that of the run's experiment, or the number of the row for a dataset without ids.
        new_levels: Whether a categorical value that the models do not know is an error or counts as missing.
        settings: Where the lake is; None: those of the environment.
        progress: Called after every batch.

    Raises:
        InputError: The run has learned nothing, the table lacks a column, a value does not fit, or a file is at
            ``output``.
        ConfigurationError: ``output`` cannot be written.
    """
    settings = settings or Settings()
    learned, storage = LearnedSegments.of_run(run, settings), Storage(settings)
    experiment = learned.experiment
    numbered = unit is None and experiment.dataset is not None and experiment.dataset.row_numbers
    ids = None if numbered else unit or experiment.unit
    return write_assignments(
        learned,
        FeatureTable.checked(storage, table, learned.features, (), unit=ids),
        storage=storage,
        uri=output,
        unit=unit or experiment.unit,
        about={"run": experiment.run_id, "table": table},
        new_levels=new_levels,
        progress=progress,
    )


def write_assignments(
    learned: LearnedSegments,
    table: FeatureTable,
    *,
    storage: Storage,
    uri: Uri,
    unit: str,
    about: Mapping[str, Any],
    new_levels: NewLevels = "error",
    progress: Progress | None = None,
) -> AssignedTable:
    """Write the segment of every row of a table, in its order.

    The file has the column of ids, ``segment``, ``creative`` (of that segment, the one that did best among users of the
    discovery part who are assigned it), ``separate`` (the creative that one model for each creative would choose),
    ``score__<segment>``, whose largest decides, and ``response__<creative>``, what is expected of the user, in the
    metric's own unit; both in float32. In memory are, beside the models, some 65,536 rows of the columns that are read.

    Args:
        learned: Decides.
        table: Users, with its features.
        storage: Where the file is written.
        uri: Of the Parquet file; never replaced, and written whole or not at all.
        unit: Name of the column of ids.
        about: What the file's metadata say.
        new_levels: Whether a categorical value that the models do not know is an error or counts as missing.
        progress: Called after every batch.

    Raises:
        InputError: A value does not fit, or a file is at ``uri``.
        ConfigurationError: It cannot be written.
    """
    if storage.exists(uri):
        raise InputError(f"{uri} exists", remedy="choose another address, or remove the file")
    segments, creatives = learned.segments.segments_, learned.segments.creatives_
    columns = [(name, pa.string()) for name in (SEGMENT, CREATIVE, SEPARATE)]
    columns += [(f"score__{segment}", pa.float32()) for segment in segments]
    columns += [(f"response__{creative}", pa.float32()) for creative in creatives]
    schema = written_schema(table, unit, columns, {METADATA: about})
    users, lost = Counter(dict.fromkeys(segments, 0)), Counter[str]()
    with new_parquet(storage, uri, schema) as writer:
        for batch in user_batches(table, new_levels=new_levels, lost=lost, progress=progress):
            rows = _assigned(learned, batch, schema)
            users.update(rows[SEGMENT].to_pylist())
            writer.write_table(rows)
    return AssignedTable(uri, table.table.rows, dict(users), dict(lost))


def chosen_segments(scores: NDArray[np.floating], segments: tuple[str, ...], *, best: str) -> NDArray[np.object_]:
    """The segment of the largest score, shape (n,); of equal ones ``best`` if it is among them, else the first.

    Where nothing was found all scores are equal, and what did best for everybody is what everybody should get.

    Args:
        scores: Shape (n, m).
        segments: Names of the columns.
        best: The segment that did best on the discovery part.
    """
    order = sorted(range(len(segments)), key=lambda position: segments[position] != best)
    chosen = np.array(order)[scores[:, order].argmax(axis=1)]
    return np.asarray(np.array(segments, dtype=object)[chosen])


def _assigned(learned: LearnedSegments, batch: UserBatch, schema: pa.Schema) -> pa.Table:
    model, best = learned.segments, learned.best
    scores = model.segment_scores(batch.known)
    segment = chosen_segments(scores, model.segments_, best=best["segment"])
    creative = [best["in_segment"][name] for name in segment]
    expected = stated_response(model.predict_response(batch.known), response_metric(learned.experiment), learned.family)
    numbers = [*scores.T, *expected.T]
    columns = [batch.ids.cast(schema.field(0).type), segment, creative, learned.separate.predict(batch.known)]
    return pa.table([*columns, *(values.astype(np.float32) for values in numbers)], schema=schema)
