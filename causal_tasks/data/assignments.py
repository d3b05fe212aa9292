"""Reads one experiment's rows of the assignments table."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from causal_tasks.data.contracts import assignments_schema
from causal_tasks.data.tables import Chunk, ParquetTable, read_pieces
from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment

_CHUNK_ROWS = 1_000_000


def read_assignments(table: ParquetTable, experiment: Experiment, *, threads: int) -> pa.Table:
    """The rows of the experiment: unit, arm, time in UTC, and the cluster where the experiment names one.

    Args:
        table: The assignments table.
        experiment: What was stated.
        threads: Threads that read.

    Raises:
        InputError: The table breaks its contract, has no row of the experiment, or a value is missing in one.
    """
    schema = assignments_schema(table, experiment)
    column = experiment.tables.experiment_column
    where = None
    wanted = table
    if column is not None:
        if not any(file.is_folder_key(column) for file in table.files):
            where = pc.field(column) == experiment.experiment_id
        wanted = replace(
            table,
            files=tuple(
                f for f in table.files if not f.is_folder_key(column) or f.keys[column] == experiment.experiment_id
            ),
        )

    def read(chunk: Chunk) -> pa.Table:
        return read_pieces(chunk, schema, filesystem=table.filesystem, where=where)

    with ThreadPoolExecutor(threads) as pool:
        rows = pa.concat_tables([schema.empty_table(), *pool.map(read, wanted.chunks(_CHUNK_ROWS))])
    if not rows.num_rows:
        _raise_no_row(table, experiment)
    for name in schema.names:
        if count := rows[name].null_count:
            raise InputError(
                f"assignments table: column {name!r} has no value in {count} of {rows.num_rows} rows of experiment "
                f"{experiment.experiment_id!r}",
                remedy="remove those rows or fill in their values",
            )
    return rows


def _raise_no_row(table: ParquetTable, experiment: Experiment) -> None:
    column = experiment.tables.experiment_column
    if column is None:
        raise InputError("assignments table: no row", remedy="write its rows first")
    schema = pa.schema([(column, pa.string())])
    ids: set[str] = set()
    for chunk in table.chunks(_CHUNK_ROWS):
        found = pc.unique(read_pieces(chunk, schema, filesystem=table.filesystem)[column]).to_pylist()
        ids.update(str(value) for value in found)
    shown = ", ".join(map(repr, sorted(ids)[:5])) + (", …" if len(ids) > 5 else "")
    raise InputError(
        f"assignments table: no row of experiment {experiment.experiment_id!r}; it has {shown}",
        remedy="correct experiment_id, or tables.experiment_column",
    )
