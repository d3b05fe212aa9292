"""One table with one row per user, in place of the three tables: held against its contract, read and written."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from causal_tasks.data.caps import applied_caps
from causal_tasks.data.cohort import arm_codes, count_by_arm, require_every_arm
from causal_tasks.data.columns import outcome_columns
from causal_tasks.data.contracts import column_of, id_type, require, require_no_null, require_numbers
from causal_tasks.data.csv_files import csv_table, is_csv
from causal_tasks.data.feature_contracts import FeatureColumn, eligibility_columns, feature_columns
from causal_tasks.data.rows import known_values
from causal_tasks.data.tables import Chunk, ParquetTable, open_table, read_pieces
from causal_tasks.data.users import (
    arm_labels,
    as_written,
    feature_levels,
    feature_profile,
    part_files,
    written_rows,
)
from causal_tasks.data.waterfall import Waterfall
from causal_tasks.errors import InputError
from causal_tasks.experiment import Dataset, Experiment, Metric
from causal_tasks.run_folder import StageContext
from causal_tasks.storage import Storage, Uri

_CHUNK_ROWS = 1_000_000
_NAME = "dataset"

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class WideRows:
    """The rows of a dataset that keeps its contract, sorted by unit.

    Attributes:
        ids: Distinct and ascending, int64 or large_string, shape (n,).
        arm: Position in ``Experiment.arms``, shape (n,).
        cluster: What was randomised together, shape (n,); None where the experiment names no cluster.
        values: Columns of features, of the rule in ``eligible`` and of metrics, as they were read, n rows.
        features: The features that are written.
    """

    ids: pa.Array
    arm: npt.NDArray[np.int8]
    cluster: pa.Array | None
    values: pa.Table
    features: tuple[FeatureColumn, ...]

    def where(self, keep: Mask) -> "WideRows":
        """The rows for which ``keep``, shape (n,), holds."""
        kept = pa.array(keep)
        cluster = None if self.cluster is None else self.cluster.filter(kept)
        return WideRows(self.ids.filter(kept), self.arm[keep], cluster, self.values.filter(kept), self.features)

    def without(self, columns: Sequence[str]) -> int:
        """How many rows have no value in any of ``columns``."""
        missing = np.ones(len(self.ids), dtype=bool)
        for column in columns:
            missing &= pc.is_null(self.values[column]).to_numpy()
        return int(missing.sum())


def prepare_dataset(context: StageContext, dataset: Dataset) -> dict[str, Uri]:
    """Write ``users``, ``waterfall`` and ``profile`` of an experiment whose data is one dataset.

    Raises:
        InputError: The dataset is missing or breaks its contract, or no user is left to analyse.
    """
    experiment = context.experiment
    with TemporaryDirectory() as folder:
        table = open_dataset(context.storage, dataset.uri, Path(folder))
        rows = read_dataset(table, experiment, dataset, threads=context.settings.threads)
    eligible = is_eligible(rows, experiment)
    analysed = rows.where(eligible)
    _require_somebody(analysed, int((~eligible).sum()), experiment)
    users = user_rows(analysed, experiment)
    caps = applied_caps(users, experiment)
    for name, content in part_files(users, caps, feature_levels(users, rows.features)):
        context.write_bytes(f"users/{name}", content)
    profile: dict[str, Any] = {
        "cutoff": None,
        "last_metrics_day": None,
        "tables": {_NAME: {"files": len(table.files), "rows": table.rows}},
        "features": feature_profile(users, rows.features),
        "units_without_features": analysed.without([feature.name for feature in rows.features]),
        "units_without_metrics": analysed.without(_metric_columns(experiment)),
        "caps": {name: asdict(cap) for name, cap in caps.items()},
        "periods": [],
        "duplicate_rows": {},
        "transitions": {},
        "exposure_day_elapsed": None,
        "other_experiments": None,
        "unknown_id_formats": {},
        "filled_outcomes": filled_outcomes(analysed, experiment),
        "dropped_metrics_rows": {},
    }
    return {
        "users": f"{context.folder}/users",
        "waterfall": context.write_json("waterfall.json", waterfall(rows.arm, eligible, experiment)),
        "profile": context.write_json("profile.json", profile),
    }


def open_dataset(storage: Storage, uri: Uri, folder: Path) -> ParquetTable:
    """The dataset at ``uri``: a CSV file, a Parquet file, or a folder of Parquet files.

    Args:
        storage: Reads it.
        uri: Where it is.
        folder: Where a CSV file's Parquet copy is put; the table lives as long as it.

    Raises:
        InputError: There is none, it is broken, or it has no row.
    """
    if is_csv(uri):
        return csv_table(storage, uri, _NAME, folder)
    if not uri.endswith(".parquet") and storage.exists(uri):
        raise InputError(
            f"{_NAME} table: the name of {uri} tells no format", remedy="let it end in .csv, .csv.gz or .parquet"
        )
    return open_table(storage, uri, _NAME)


def read_dataset(table: ParquetTable, experiment: Experiment, dataset: Dataset, *, threads: int) -> WideRows:
    """The rows of a dataset, held against the experiment's statement.

    Args:
        table: The dataset.
        experiment: What was stated.
        dataset: Its statement on the dataset.
        threads: Threads that read.

    Raises:
        InputError: A column is missing or of the wrong type, an id is missing or repeated, an arm is unknown or empty,
            or a metric has a value that its aggregate cannot have.
    """
    who = _who_columns(table, experiment, dataset)
    metrics = _metric_columns(experiment)
    for role, column in who.items():
        if column in metrics:
            raise InputError(f"{column_of(table, column)} is both {role} and a metric", remedy="correct one of them")
    # The column of ids is no feature even where row numbers take its place.
    taken = {*who.values(), *metrics, experiment.unit}
    features = feature_columns(table, experiment.features, taken=taken)
    conditions = eligibility_columns(table, experiment.eligible, taken=taken)
    require_numbers(table, metrics)
    require_no_null(table, who.values())
    types = {feature.name: feature.read for feature in (*features, *conditions)} | dict.fromkeys(metrics, pa.float64())
    types |= {column: pa.string() if role == "arm" else id_type(table, column) for role, column in who.items()}

    rows = _read(table, pa.schema(list(types.items())), threads)
    ids = rows[who["unit"]].combine_chunks() if "unit" in who else pa.array(np.arange(rows.num_rows))
    order = pc.array_sort_indices(ids)
    ids = ids.take(order)
    _require_distinct(ids, table, experiment)
    arm = arm_codes(rows[who["arm"]], experiment, table=_NAME)[order.to_numpy()]
    require_every_arm(arm, experiment, table=_NAME)
    for metric in experiment.metrics:
        _require_shares(rows, metric, table)
    cluster = rows[who["cluster"]].combine_chunks().take(order) if "cluster" in who else None
    values = rows.select([name for name in types if name not in who.values()]).take(order)
    return WideRows(ids, arm, cluster, values, features)


def _who_columns(table: ParquetTable, experiment: Experiment, dataset: Dataset) -> dict[str, str]:
    """The columns that say who a row is about, by role."""
    columns = {"arm": dataset.arm_column}
    remedy = "write the arm's label as text or as an integer, or correct dataset.arm_column"
    require(table, dataset.arm_column, {"text", "integer", "boolean"}, remedy=remedy)
    remedy = "write it as 64-bit integers or as text, or correct "
    if not dataset.row_numbers:
        columns["unit"] = experiment.unit
        id_type(table, experiment.unit, remedy=f"{remedy}unit; set dataset.row_numbers where no column holds ids")
    if experiment.cluster:
        columns["cluster"] = experiment.cluster
        id_type(table, experiment.cluster, remedy=f"{remedy}cluster")
    return columns


def _metric_columns(experiment: Experiment) -> list[str]:
    return list(dict.fromkeys(name for metric in experiment.metrics for name in metric.columns))


def _read(table: ParquetTable, schema: pa.Schema, threads: int) -> pa.Table:
    def read(chunk: Chunk) -> pa.Table:
        rows = read_pieces(chunk, schema, filesystem=table.filesystem)
        return pa.table(known_values(rows, schema, table=table.name, chunk=chunk), schema=schema)

    with ThreadPoolExecutor(threads) as pool:
        return pa.concat_tables(pool.map(read, table.chunks(_CHUNK_ROWS)))


def _require_distinct(ids: pa.Array, table: ParquetTable, experiment: Experiment) -> None:
    """Check that no id comes twice in ``ids``, which are sorted."""
    repeats = pc.equal(ids[1:], ids[:-1])
    if count := pc.sum(repeats).as_py():
        example = ids[pc.index(repeats, True).as_py()].as_py()
        raise InputError(
            f"{column_of(table, experiment.unit)} repeats an id in {count} of {len(ids)} rows, such as {example!r}",
            remedy="write one row per user, or correct unit; set dataset.row_numbers where every row is another user",
        )


def _require_shares(rows: pa.Table, metric: Metric, table: ParquetTable) -> None:
    """Check that a metric of aggregate ``any`` is 0 or 1, as it is no longer made from daily rows."""
    if metric.aggregate != "any" or metric.is_ratio:
        return
    values = pc.unique(rows[metric.columns[0]]).drop_null()
    odd = values.filter(pc.invert(pc.is_in(values, value_set=pa.array([0.0, 1.0]))))
    if len(odd):
        raise InputError(
            f"{column_of(table, metric.columns[0])} holds {odd[0].as_py():g}, but metric {metric.name!r} has aggregate "
            "'any', which is 0 or 1",
            remedy="use aggregate 'sum', which takes values as they are, or write 0 and 1",
        )


def is_eligible(rows: WideRows, experiment: Experiment) -> Mask:
    """Which rows fulfil the rule in ``eligible``, shape (n,)."""
    rule = experiment.eligible
    if rule is None or not rule.conditions:
        return np.ones(len(rows.ids), dtype=bool)
    known = rows.values.select(list(rule.features)).to_pandas()
    return np.asarray(rule.mask(known), dtype=bool)


def _require_somebody(analysed: WideRows, not_eligible: int, experiment: Experiment) -> None:
    counts = count_by_arm(analysed.arm, experiment.arms)
    if empty := [arm for arm, count in zip(experiment.arms, counts, strict=True) if not count]:
        raise InputError(
            f"no unit is left to analyse in arm {', '.join(map(repr, empty))}: {not_eligible} units do not fulfil "
            "eligible",
            remedy="loosen eligible",
        )


def user_rows(rows: WideRows, experiment: Experiment) -> pa.Table:
    """The rows as ``prepare`` writes them, but for caps and levels."""
    who: dict[str, Any] = {"unit": rows.ids, "arm": arm_labels(rows.arm, experiment)}
    if rows.cluster is not None:
        who["cluster"] = rows.cluster
    features = {feature.name: as_written(rows.values[feature.name], feature) for feature in rows.features}
    outcomes = {
        name: pc.fill_null(rows.values[column], 0.0) if metric.fill == "zero" else rows.values[column]
        for metric in experiment.metrics
        for name, column in zip(outcome_columns(metric), metric.columns, strict=True)
    }
    return written_rows(who, features, outcomes, experiment)


def filled_outcomes(rows: WideRows, experiment: Experiment) -> dict[str, dict[str, int]]:
    """Users by arm whose missing value of a metric is taken for zero, by metric."""
    filled = {}
    for metric in experiment.metrics:
        if metric.fill == "zero":
            missing = np.zeros(len(rows.ids), dtype=bool)
            for column in metric.columns:
                missing |= pc.is_null(rows.values[column]).to_numpy()
            filled[metric.name] = dict(
                zip(experiment.arms, count_by_arm(rows.arm[missing], experiment.arms).tolist(), strict=True)
            )
    return filled


def waterfall(arm: npt.NDArray[np.int8], eligible: Mask, experiment: Experiment) -> dict[str, Any]:
    """Rows in, users dropped by the rule in ``eligible``, users out, by arm.

    Args:
        arm: Position of each row's arm, shape (n,).
        eligible: Which rows are analysed, shape (n,).
        experiment: Names the arms.
    """
    counts = count_by_arm(arm, experiment.arms)
    steps = Waterfall(experiment.arms, rows=counts, units=counts)
    steps.drop("not_eligible", count_by_arm(arm[~eligible], experiment.arms))
    return steps.finish()
