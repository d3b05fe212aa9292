"""Puts the file of a public data set into the lake, as a dataset with its experiment."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from causal_tasks.data.contracts import require
from causal_tasks.data.csv_files import local_table
from causal_tasks.data.dataset import open_dataset, read_dataset
from causal_tasks.data.public_layouts import LAYOUTS, Layout
from causal_tasks.data.tables import ParquetTable, read_pieces
from causal_tasks.errors import InputError
from causal_tasks.experiment import Dataset, Experiment
from causal_tasks.lake import experiment_uri
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage, Uri


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import wrote.

    Attributes:
        experiment: As stated.
        dataset_uri: Its data.
        experiment_uri: Its statement.
        rows: Number of users.
        remarks: What to know about the data, one sentence each.
    """

    experiment: Experiment
    dataset_uri: Uri
    experiment_uri: Uri
    rows: int
    remarks: tuple[str, ...]


def import_public(layout: str, file: Uri, settings: Settings, *, experiment_id: str | None = None) -> Imported:
    """Copy a public data set's file into the lake and state its experiment, which can then be mined.

    The file is held against its layout and the experiment's contract before anything is written; the statement is
    written last. Importing the same file again changes nothing.

    Args:
        layout: Name of the data set.
        file: The file as it was published: CSV or Parquet.
        settings: Where the lake is.
        experiment_id: Of the experiment; None: the layout's name.

    Raises:
        InputError: The layout is unknown, the file does not have it, or another experiment has this id.
    """
    if layout not in LAYOUTS:
        raise InputError(f"there is no layout {layout!r}", remedy=f"use one of {', '.join(LAYOUTS)}")
    known, name, storage = LAYOUTS[layout], experiment_id or layout, Storage(settings)
    statement_uri = experiment_uri(name, settings)
    dataset = Dataset(uri=f"{settings.lake}/datasets/{name}/part-0.parquet", **known.statement["dataset"])
    with TemporaryDirectory() as folder:
        rows = _rows(open_dataset(storage, file, Path(folder)), known)
        design, remarks = _design(rows[dataset.arm_column], known)
        stated = Experiment.parse(
            {
                **known.statement,
                **design,
                "experiment_id": name,
                "name": known.title,
                "status": "finished",
                "dataset": dataset.model_dump(),
            },
            source=f"layout {layout}",
        )
        copy = Path(folder) / "copy.parquet"
        read_dataset(local_table(rows, "dataset", file, copy), stated, dataset, threads=settings.threads)
        _require_free_id(storage, statement_uri, stated)
        storage.write_bytes(dataset.uri, copy.read_bytes())
    storage.write_json(statement_uri, stated.model_dump(mode="json", by_alias=True))
    return Imported(stated, dataset.uri, statement_uri, rows.num_rows, (*known.remarks, *remarks))


def _rows(table: ParquetTable, layout: Layout) -> pa.Table:
    """The layout's columns of a file; codes as text, all else in the type of the first file."""
    for column in layout.columns:
        require(
            table,
            column,
            {"integer", "number", "boolean", "text"},
            remedy=f"take the file as it was published: {layout.source}",
        )
    for column in layout.categories:
        require(table, column, {"integer", "text"}, remedy="write the codes as integers or as text")
    types = table.files[0].types
    schema = pa.schema([(c, pa.string() if c in layout.categories else types[c]) for c in layout.columns])
    pieces = [piece for chunk in table.chunks(table.rows) for piece in chunk]
    return read_pieces(pieces, schema, filesystem=table.filesystem)


def _design(arms: pa.ChunkedArray, layout: Layout) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Whether the file's arms were drawn at random and with which shares, as fields of the experiment; and remarks."""
    if layout.randomised_arms is None:
        return {}, ()
    counts = {str(found["values"]): found["counts"] for found in pc.value_counts(arms).to_pylist()}
    if counts == layout.randomised_arms:
        total = sum(counts.values())
        shares = {arm: count / total for arm, count in layout.randomised_arms.items()}
        return {"shares": shares}, (
            "this is the randomised file; its design's shares were not published, so those of the file are taken",
        )
    return {"randomized": False}, (
        f"arms {counts} are not those of the randomised file ({dict(layout.randomised_arms)}): treatment depended on "
        "the user, so the experiment says randomized: false, and differences may come from who was treated",
    )


def _require_free_id(storage: Storage, uri: Uri, stated: Experiment) -> None:
    if not storage.exists(uri):
        return
    existing = Experiment.parse(storage.read_json(uri), source=uri)
    if existing.semantics() != stated.semantics():
        raise InputError(
            f"{uri} states another experiment", remedy="choose another id with --experiment-id, or remove that file"
        )
