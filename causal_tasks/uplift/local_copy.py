"""A copy on local disk of a folder in the store, for libraries that read files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from causal_tasks.errors import InputError
from causal_tasks.storage import Storage, Uri


@contextmanager
def local_copy(storage: Storage, uri: Uri) -> Iterator[Path]:
    """The folder at ``uri`` as a local one, until the block ends.

    Raises:
        InputError: What the block raises, with the address in place of the copy, which is of no use to who reads it.
    """
    with TemporaryDirectory() as name:
        storage.download(uri, Path(name))
        try:
            yield Path(name)
        except InputError as error:
            raise InputError(error.message.replace(name, uri), remedy=error.remedy) from error
