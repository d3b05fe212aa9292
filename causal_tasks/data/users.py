"""Assembles the table of analysed units: levels of text features, part files; on disk, never whole in memory."""

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from causal_tasks.data.caps import MetricCap, capped
from causal_tasks.data.cohort import Cohort
from causal_tasks.data.columns import PREFIXES
from causal_tasks.data.feature_contracts import FeatureColumn
from causal_tasks.data.join import FEATURE, Plan
from causal_tasks.data.parts import buckets, folds, parts
from causal_tasks.experiment import Experiment

PART_ROWS = 250_000
"""Rows of a part file: fixed, so that files do not depend on slices, partitions or threads."""

_ANY_DICTIONARY = 1 << 30
"""Bytes of a dictionary page that are always enough: a fallback to plain pages would lose unused levels."""


def user_rows(
    joined: pd.DataFrame, cohort: Cohort, experiment: Experiment, features: Sequence[FeatureColumn], plan: Plan
) -> pa.Table:
    """Joined units as the rows that are written, but for caps and levels.

    Args:
        joined: One row per unit, in the cohort's order.
        cohort: The same units.
        experiment: What was stated.
        features: Columns to write.
        plan: What was joined.
    """
    who: dict[str, Any] = {
        "unit": cohort.ids,
        "arm": arm_labels(cohort.arm, experiment),
        "start": pa.array(cohort.start).cast(pa.date32()),
    }
    if cohort.cluster is not None:
        who["cluster"] = cohort.cluster
    outcomes = [a.name for a in (*plan.outcome, *plan.before)] + list(plan.periods.names if plan.periods else ())
    return written_rows(
        who,
        {f.name: as_written(pa.array(joined[FEATURE + f.name], f.read, from_pandas=True), f) for f in features},
        {name: pa.array(joined[name], pa.float64(), from_pandas=True) for name in outcomes},
        experiment,
    )


def arm_labels(codes: npt.NDArray[np.int8], experiment: Experiment) -> pa.Array:
    """Labels of arms from their positions in ``Experiment.arms``, shape (n,)."""
    return pa.array(experiment.arms, pa.string()).take(pa.array(codes))


def as_written(values: Any, feature: FeatureColumn) -> Any:
    """A feature's values in the type in which they are written; text gets its levels once all of them are known."""
    return values if feature.kind == "categorical" else values.cast(feature.written)


def written_rows(
    who: Mapping[str, Any], features: Mapping[str, Any], outcomes: Mapping[str, Any], experiment: Experiment
) -> pa.Table:
    """Rows in the order of their columns, with the part and fold of every unit.

    Args:
        who: ``unit``, ``arm``, ``start`` where it is known, ``cluster`` where units were randomised together.
        features: As written.
        outcomes: ``y__<metric>`` and the like, float64.
        experiment: Its id decides the parts.
    """
    randomised = who["cluster"] if "cluster" in who else who["unit"]
    bucket = buckets(randomised.to_pandas(), experiment.experiment_id)
    in_order = {name: outcomes[name] for name in sorted(outcomes, key=_place_of_outcome)}
    cut = {"part": pa.array(parts(bucket), pa.string()), "fold": pa.array(folds(bucket))}
    return pa.table({**who, **features, **in_order, **cut})


def _place_of_outcome(name: str) -> int:
    return PREFIXES.index(name[: name.index("__") + 2])


class Draft:
    """Rows of analysed units on local disk, read back through the memory map.

    Args:
        folder: An empty folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: list[Path] = []

    def add(self, rows: pa.Table) -> None:
        """Append rows."""
        path = self._folder / f"{len(self._files):05d}.arrow"
        with pa.ipc.new_file(path, rows.schema) as writer:
            writer.write_table(rows)
        self._files.append(path)

    def table(self) -> pa.Table:
        """All rows in order, without reading them into memory."""
        return pa.concat_tables(pa.ipc.open_file(pa.memory_map(str(path))).read_all() for path in self._files)


def feature_levels(draft: pa.Table, features: Sequence[FeatureColumn]) -> dict[str, pa.Array]:
    """Sorted levels of every text feature."""
    levels = {f.name: pc.unique(draft[f.name]).drop_null() for f in features if f.kind == "categorical"}
    return {name: found.take(pc.array_sort_indices(found)).cast(pa.string()) for name, found in levels.items()}


def feature_profile(draft: pa.Table, features: Sequence[FeatureColumn]) -> dict[str, dict[str, Any]]:
    """Kind, number of distinct values and share of units without a value, by feature."""
    return {
        feature.name: {
            "kind": feature.kind,
            "levels": pc.count_distinct(draft[feature.name]).as_py(),
            "missing": draft[feature.name].null_count / draft.num_rows,
            "reasons": [],
        }
        for feature in features
    }


def part_files(
    draft: pa.Table, caps: Mapping[str, MetricCap], levels: dict[str, pa.Array]
) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the Parquet files that hold the rows, every file with all levels of every text feature."""
    for number, first in enumerate(range(0, draft.num_rows, PART_ROWS)):
        rows = capped(draft.slice(first, PART_ROWS), caps)
        for name, known in levels.items():
            codes = pc.index_in(rows[name].cast(pa.string()).combine_chunks(), value_set=known)
            coded = pa.DictionaryArray.from_arrays(codes, known)
            rows = rows.set_column(rows.column_names.index(name), name, coded)
        if pa.types.is_large_string(rows.schema.field("unit").type):
            rows = rows.set_column(0, "unit", rows["unit"].cast(pa.string()))
        buffer = io.BytesIO()
        # One chunk per column: where pages end must not tell how the rows were computed.
        pq.write_table(
            rows.combine_chunks(), buffer, row_group_size=PART_ROWS, dictionary_pagesize_limit=_ANY_DICTIONARY
        )
        yield f"part-{number:05d}.parquet", buffer.getvalue()
