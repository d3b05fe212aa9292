"""Which other experiments of the assignments table our units are in."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from causal_tasks.data.cohort import Cohort, count_by_arm
from causal_tasks.data.contracts import TIME
from causal_tasks.data.rows import Units
from causal_tasks.data.tables import Chunk, ParquetTable, read_pieces
from causal_tasks.experiment import Experiment

MOST_ROWS = 50_000_000
"""Rows of the assignments table up to which other experiments are looked at: it takes a scan of the whole table."""

_MOST_EXPERIMENTS = 20
_CHUNK_ROWS = 1_000_000
_PLACES = 1 << 32
"""Above any position of a unit, so that experiment and unit fit one number."""

Pairs = npt.NDArray[np.int64]


def other_experiments(
    table: ParquetTable, experiment: Experiment, cohort: Cohort, *, threads: int
) -> dict[str, dict[str, int]] | None:
    """Units by our arm in each of the other experiments that hold most of them, at most 20.

    Only assignments before the end of ours count.

    Args:
        table: The assignments table.
        experiment: Ours.
        cohort: Our units.
        threads: Threads that read.

    Returns:
        By name of the other experiment; None where the table cannot tell: it names no experiments, or it has more than
        ``MOST_ROWS`` rows.
    """
    column = experiment.tables.experiment_column
    if column is None or table.rows > MOST_ROWS:
        return None
    others = tuple(f for f in table.files if not f.is_folder_key(column) or f.keys[column] != experiment.experiment_id)
    if not others:
        return {}
    units = Units(cohort.ids, cohort.start)

    def seen(chunk: Chunk) -> dict[str, Pairs]:
        return _positions_by_experiment(chunk, table, experiment, units)

    with ThreadPoolExecutor(threads) as pool:
        found = _together(pool.map(seen, replace(table, files=others).chunks(_CHUNK_ROWS)))
    largest = sorted(found, key=lambda name: (-len(found[name]), name))[:_MOST_EXPERIMENTS]
    return {
        name: dict(zip(experiment.arms, count_by_arm(cohort.arm[found[name]], experiment.arms).tolist(), strict=True))
        for name in largest
    }


def _positions_by_experiment(
    chunk: Chunk, table: ParquetTable, experiment: Experiment, units: Units
) -> dict[str, Pairs]:
    """Positions of our units, each once, by name of another experiment."""
    column, time = str(experiment.tables.experiment_column), experiment.tables.time_column
    schema = pa.schema([(column, pa.string()), (experiment.unit, units.ids.type), (time, TIME)])
    rows = read_pieces(chunk, schema, filesystem=table.filesystem)
    other = pc.fill_null(pc.not_equal(rows[column], experiment.experiment_id), False)
    if experiment.ended_at is not None:
        other = pc.and_(other, pc.fill_null(pc.less(rows[time], pa.scalar(experiment.ended_at, TIME)), False))
    rows = rows.filter(pc.and_(other, pc.is_valid(rows[experiment.unit])))
    positions = units.positions(rows[experiment.unit])
    names = rows[column].combine_chunks().dictionary_encode()
    codes = names.indices.to_numpy()
    pairs = np.unique(codes[positions >= 0].astype(np.int64) * _PLACES + positions[positions >= 0])
    return {
        name: pairs[np.searchsorted(pairs, code * _PLACES) : np.searchsorted(pairs, (code + 1) * _PLACES)] % _PLACES
        for code, name in enumerate(names.dictionary.to_pylist())
    }


def _together(found: Iterable[Mapping[str, Pairs]]) -> dict[str, Pairs]:
    """Positions of all chunks, each once, for the experiments that hold any."""
    gathered: dict[str, list[Pairs]] = {}
    for by_name in found:
        for name, positions in by_name.items():
            gathered.setdefault(name, []).append(positions)
    together = {name: np.unique(np.concatenate(parts)) for name, parts in gathered.items()}
    return {name: positions for name, positions in together.items() if len(positions)}
