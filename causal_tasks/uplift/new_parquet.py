"""A Parquet file that is written a part at a time, and is there whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq

from causal_tasks.errors import ConfigurationError, InputError
from causal_tasks.storage import Storage, Uri

_UPLOAD_BYTES = 16 << 20
"""Size of the parts of an upload: a store takes 10,000 of them."""


@contextmanager
def new_parquet(storage: Storage, uri: Uri, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    """A writer whose file appears at ``uri`` when the block ends, and never where it raises.

    Raises:
        InputError: There is a file at ``uri`` when the block ends.
        ConfigurationError: The folder cannot be written.
    """
    if uri.startswith("file://"):
        path = Path(storage.filesystem(uri)[1])
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
                temporary = Path(file.name)
        except OSError as error:
            raise ConfigurationError(
                f"{path.parent} cannot be written ({error.strerror})",
                remedy="choose another folder, or correct its rights",
            ) from error
        try:
            with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
                yield writer
            _link(temporary, path, uri)
        finally:
            temporary.unlink()
        return
    with TemporaryDirectory() as folder:
        temporary = Path(folder) / "table.parquet"
        with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
            yield writer
        _upload(temporary, storage, uri)


def _link(temporary: Path, path: Path, uri: Uri) -> None:
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
        os.fchmod(file.fileno(), 0o644)
    try:
        os.link(temporary, path)
    except FileExistsError as error:
        raise _written_meanwhile(uri) from error


def _upload(temporary: Path, storage: Storage, uri: Uri) -> None:
    filesystem, path = storage.filesystem(uri)
    try:
        target = filesystem.open(path, "xb", block_size=_UPLOAD_BYTES)
        try:
            with temporary.open("rb") as source:
                shutil.copyfileobj(source, target, _UPLOAD_BYTES)
        except BaseException:
            # Closing it would put what has come so far in place.
            target.discard()
            target.closed = True
            raise
        target.close()
    except OSError as error:
        # The store's answer to a second creation arrives as one or the other error.
        if isinstance(error, FileExistsError) or storage.exists(uri):
            raise _written_meanwhile(uri) from error
        raise


def _written_meanwhile(uri: Uri) -> InputError:
    return InputError(f"{uri} was written by somebody else meanwhile", remedy="choose another address")
