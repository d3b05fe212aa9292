"""Runs the join on the engine, one slice of the cohort at a time."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import pandas as pd
import pyarrow as pa

from causal_tasks import frames
from causal_tasks.data.join import POSITION, REPEATED_ROWS, Plan, join_partition, newest
from causal_tasks.data.plan import Input
from causal_tasks.data.rows import KEY, Units, load_rows

_UNITS_PER_PARTITION = 100_000
_FEWEST_UNITS_PER_PARTITION = 10_000
"""Below it a partition's overhead outweighs a further thread."""

_LEAST_CHUNK_ROWS, _MOST_CHUNK_ROWS = 250_000, 2_000_000
"""Rows read at a time: the more, the fewer lookup tables of ids are built; the fewer, the less memory."""


@dataclass(frozen=True, slots=True)
class JoinJob:
    """What is joined.

    Attributes:
        units: The cohort.
        metrics: Rows to aggregate.
        features: Rows to look up.
        plan: What the join makes of a partition.
    """

    units: Units
    metrics: Input
    features: Input
    plan: Plan

    def run(self, engine: frames.Engine, *, slices: int) -> Iterator[tuple[range, pd.DataFrame]]:
        """Join one slice of the cohort after the other, each with a scan of the tables.

        Yields:
            Positions in the cohort, and one row for each in that order, as ``join_partition`` makes them.
        """
        for positions in frames.slices(len(self.units.ids), slices):
            yield positions, self._joined_exactly(engine, self.units.slice(positions))

    def _joined_exactly(self, engine: frames.Engine, units: Units) -> pd.DataFrame:
        """The slice's rows, with repeated metrics rows told from rows that differ in a column nobody asked for.

        A table by user, day and platform repeats itself where platforms agree. Columns that the experiment does not
        name are read only where that matters.
        """
        joined = _joined(engine, units, self.metrics, self.features, self.plan)
        if joined[REPEATED_ROWS].any() and len(self.metrics.unread):
            identified = replace(self.metrics, source=replace(self.metrics.source, identity=self.metrics.unread))
            return _joined(engine, units, identified, self.features, self.plan)
        return joined


def _joined(engine: frames.Engine, units: Units, metrics: Input, features: Input, plan: Plan) -> pd.DataFrame:
    bounds = _bounds(units, engine.threads)
    shared = engine.share(units)
    metric_rows = _rows(metrics, units, shared)
    # Cut before they move: a unit has many feature rows and keeps one.
    feature_rows = _rows(features, units, shared).map_partitions(newest, plan.feature_span, meta=features.source.meta)
    parts = (
        frames.read(
            [range(low, high) for low, high in pairwise(bounds)],
            _positions,
            meta=_positions(range(0), device=engine.device),
            device=engine.device,
        ),
        frames.gather(metric_rows, key=KEY, bounds=[bound * plan.days.span for bound in bounds]),
        frames.gather(feature_rows, key=KEY, bounds=[bound * plan.feature_span for bound in bounds]),
    )
    result: pd.DataFrame = engine.compute(frames.map_together(join_partition, *parts, plan=plan))
    return result.reset_index(drop=True)


def _rows(source: Input, units: Units, shared: Any) -> Any:
    size = min(max(len(units.ids), _LEAST_CHUNK_ROWS), _MOST_CHUNK_ROWS)
    return frames.read(
        source.table.chunks(size), load_rows, meta=source.source.meta, source=source.source, units=shared
    )


def _bounds(units: Units, threads: int) -> list[int]:
    count = len(units.ids)
    partitions = max(1, -(-count // _UNITS_PER_PARTITION), min(threads, count // _FEWEST_UNITS_PER_PARTITION))
    return [units.first + count * i // partitions for i in range(partitions + 1)]


def _positions(positions: range, *, device: str) -> Any:
    return frames.on_device(pa.table({POSITION: pa.array(positions, pa.int64())}), device)
