"""CSV files as tables: read whole, types inferred from all rows, kept on local disk as Parquet while they are used."""

from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.csv
import pyarrow.fs
import pyarrow.parquet as pq

from causal_tasks.data.tables import ParquetFile, ParquetTable, arrow_filesystem
from causal_tasks.errors import InputError
from causal_tasks.storage import Storage, Uri

SUFFIXES = (".csv", ".csv.gz")

MISSING = (*pyarrow.csv.ConvertOptions().null_values, "\\N")
"""Cells that mean "no value", in columns of text too: empty, NA, NaN, NULL and their spellings, and Hive's mark."""

_ROW_GROUP = 250_000


def is_csv(uri: Uri) -> bool:
    """Whether ``uri`` names a CSV file, compressed or not."""
    return uri.endswith(SUFFIXES)


def csv_table(storage: Storage, uri: Uri, name: str, folder: Path) -> ParquetTable:
    """A CSV file as a table, which lives as long as ``folder``.

    Args:
        storage: Reads it.
        uri: A comma-separated file in UTF-8, with a row of column names.
        name: Name of the table, for messages.
        folder: Where its Parquet copy is put.

    Raises:
        InputError: The file is missing, broken or empty.
    """
    return local_table(read_csv(storage, uri, name), name, uri, folder / "table.parquet")


def local_table(rows: pa.Table, name: str, uri: Uri, path: Path) -> ParquetTable:
    """Rows as the table that a reader of Parquet files would make of them.

    Args:
        rows: All of them.
        name: Name of the table, for messages.
        uri: Where they come from, for messages.
        path: Where they are put.
    """
    pq.write_table(rows, path, row_group_size=_ROW_GROUP, compression="zstd")
    metadata = pq.read_metadata(path)
    groups = tuple(range(metadata.num_row_groups))
    file = ParquetFile(name, PurePosixPath(uri).name, str(path), metadata, {}, groups)
    return ParquetTable(name, uri, pyarrow.fs.LocalFileSystem(), (file,))


def read_csv(storage: Storage, uri: Uri, name: str) -> pa.Table:
    """All rows of a CSV file, each column in the narrowest type that holds every value.

    Args:
        storage: Reads it.
        uri: The file.
        name: Name of the table, for messages.

    Raises:
        InputError: It is missing, broken or empty.
    """
    if not storage.exists(uri):
        raise InputError(f"{name} table: there is no file {uri}", remedy="write it there, or correct its address")
    filesystem, path = arrow_filesystem(storage, uri)
    options = pyarrow.csv.ConvertOptions(strings_can_be_null=True, null_values=MISSING)
    try:
        with filesystem.open_input_stream(path) as stream:
            rows = pyarrow.csv.read_csv(stream, convert_options=options)
        columns = rows.column_names
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
        # A broken .gz is an OSError without a number; whatever has one is the store's trouble and may pass.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise InputError(
            f"{name} table: {uri} is no valid CSV file ({error})",
            remedy="write it comma-separated, in UTF-8, with one row of column names, and compressed only as .gz",
        ) from error
    _require_sound(rows, columns, f"{name} table", uri)
    return rows


def _require_sound(rows: pa.Table, columns: list[str], table: str, uri: Uri) -> None:
    if repeated := sorted({column for column in columns if columns.count(column) > 1}):
        raise InputError(
            f"{table}: {uri} has several columns {', '.join(map(repr, repeated))}", remedy="rename or remove one"
        )
    if not rows.num_rows:
        raise InputError(f"{table}: {uri} has column names, but no row", remedy="write its rows first")
    if odd := [field.name for field in rows.schema if pa.types.is_binary(field.type)]:
        raise InputError(
            f"{table}: column {odd[0]!r} of {uri} holds text that is not UTF-8", remedy="save the file as UTF-8"
        )
