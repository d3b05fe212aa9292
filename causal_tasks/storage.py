"""Files in S3-compatible stores and local folders, with errors a person can act on."""

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import fsspec

from causal_tasks.errors import ConfigurationError, InputError, StorageError
from causal_tasks.settings import Settings

Uri = str


class StoredFile(NamedTuple):
    """A file under a folder.

    Attributes:
        path: Relative to the folder.
        size: In bytes.
        digest: ETag on S3, sha256 of the content locally.
    """

    path: str
    size: int
    digest: str


class Storage:
    """Reads and writes whole objects under ``s3://`` and ``file://`` URIs."""

    def __init__(self, settings: Settings) -> None:
        self._options = settings.storage_options
        self._settings = settings

    def filesystem(self, uri: Uri) -> tuple[Any, str]:
        """The fsspec file system of ``uri`` and the path in it.

        Raises:
            InputError: The URI names no supported store.
        """
        scheme, separator, path = uri.partition("://")
        if separator and scheme == "s3":
            return fsspec.filesystem("s3", **self._options), path
        if separator and scheme == "file":
            return fsspec.filesystem("file"), path
        raise InputError(f"{uri!r} is no address of a file", remedy="use s3://bucket/key or file:///folder/file")

    def read_bytes(self, uri: Uri) -> bytes:
        """The content of one file.

        Raises:
            FileNotFoundError: There is none.
        """
        with _explained(uri):
            filesystem, path = self.filesystem(uri)
            content: bytes = filesystem.cat_file(path)
            return content

    def write_bytes(self, uri: Uri, data: bytes) -> Uri:
        """Write one file, whole or not at all; returns ``uri``."""
        with _explained(uri):
            filesystem, path = self.filesystem(uri)
            if uri.startswith("file://"):
                _temporary_beside(Path(path), data).replace(path)
            else:
                filesystem.pipe_file(path, data)
        return uri

    def create_exclusively(self, uri: Uri, data: bytes) -> bool:
        """Write ``data`` unless the file exists; returns whether the file now holds exactly ``data``.

        Of any number of concurrent callers one wins. Callers of whom only one may go on put something unique into
        ``data``: then a winner whose acknowledgement got lost still recognises itself.
        """
        with _explained(uri):
            filesystem, path = self.filesystem(uri)
            if uri.startswith("file://"):
                _link_exclusively(Path(path), data)
            else:
                _put_exclusively(filesystem, path, data)
        return self.read_bytes(uri) == data

    def exists(self, uri: Uri) -> bool:
        """Whether a file (not a folder: emptied S3 prefixes linger) is there."""
        with _explained(uri):
            filesystem, path = self.filesystem(uri)
            try:
                # Not isfile: s3fs answers False there to whatever goes wrong.
                return bool(filesystem.info(path)["type"] == "file")
            except FileNotFoundError as error:
                if _is_missing_bucket(error):
                    raise
                return False

    def list_files(self, uri: Uri, *, suffix: str = "", hash_local: bool = True) -> list[StoredFile]:
        """Every file at or under ``uri`` whose name ends in ``suffix``, sorted by path; empty where there is none.

        Args:
            uri: A file or folder.
            suffix: Such as ``.parquet``.
            hash_local: Whether to read local files for their digest; S3 tells it anyway.
        """
        with _explained(uri):
            filesystem, path = self.filesystem(uri)
            root = path.rstrip("/")
            found = _found(filesystem, root)
            if uri.startswith("s3://") and not found:
                filesystem.ls(root.split("/", 1)[0])
        return [
            StoredFile(
                name.removeprefix(root).lstrip("/") or root.rsplit("/", 1)[-1],
                int(info["size"]),
                str(info["ETag"]).strip('"') if "ETag" in info else _sha256(name) if hash_local else "",
            )
            for name, info in found.items()
            if name.endswith(suffix) and not any(part.startswith((".", "_")) for part in name[len(root) :].split("/"))
        ]

    def content_digest(self, uri: Uri) -> str | None:
        """The sha256 over names and contents of every file at or under ``uri``; None where there is none."""
        with _explained(uri):
            filesystem, path = self.filesystem(uri)
            contents = {
                name.removeprefix(path): hashlib.sha256(filesystem.cat_file(name)).hexdigest()
                for name in _found(filesystem, path)
            }
        return digest_of(contents) if contents else None

    def download(self, uri: Uri, folder: Path) -> None:
        """Copy every file under ``uri`` to where it is relative to it under a local ``folder``."""
        for file in self.list_files(uri, hash_local=False):
            path = folder / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.read_bytes(f"{uri}/{file.path}"))

    def delete(self, uri: Uri) -> None:
        """Delete a file or a folder with all that is in it."""
        with _explained(uri):
            filesystem, path = self.filesystem(uri)
            filesystem.rm(path, recursive=True)

    def read_json(self, uri: Uri) -> Any:
        """The value of a JSON file."""
        return json.loads(self.read_bytes(uri))

    def write_json(self, uri: Uri, value: Any) -> Uri:
        """Write a JSON file; returns ``uri``."""
        return self.write_bytes(uri, json_bytes(value))

    def read_table(self, uri: Uri, columns: Sequence[str] | None = None) -> Any:
        """A Parquet file or folder as a pandas frame, only ``columns`` of it, in file order."""
        import pyarrow.dataset

        with _explained(uri):
            filesystem, path = self.filesystem(uri)
            dataset = pyarrow.dataset.dataset(path.rstrip("/"), format="parquet", filesystem=filesystem)
            return dataset.to_table(columns=list(columns) if columns is not None else None).to_pandas()

    def write_table(self, uri: Uri, frame: Any) -> Uri:
        """Write a pandas frame as one Parquet file, without its index; returns ``uri``."""
        import io

        buffer = io.BytesIO()
        frame.to_parquet(buffer, index=False)
        return self.write_bytes(uri, buffer.getvalue())

    def presigned_url(self, uri: Uri, *, hours: int) -> str:
        """A link with which anybody can read one file for ``hours``; the path itself for local files."""
        if uri.startswith("file://"):
            return uri
        with _explained(uri):
            _, path = self.filesystem(uri)
            options = dict(self._options)
            if public := self._settings.s3_public_endpoint:
                options["client_kwargs"] = options["client_kwargs"] | {"endpoint_url": public}
            filesystem = fsspec.filesystem("s3", **options, config_kwargs={"signature_version": "s3v4"})
            return str(filesystem.url(path, expires=hours * 3600))

    def check_exclusive_creation(self, root: Uri) -> None:
        """Prove that the store at ``root`` refuses to create a file twice.

        Raises:
            ConfigurationError: It does not, so concurrent runs could overwrite each other.
        """
        uri = f"{root}/.probe-{uuid4().hex}"
        try:
            first, second = self.create_exclusively(uri, b"first"), self.create_exclusively(uri, b"second")
        finally:
            if self.exists(uri):
                self.delete(uri)
        if not first or second:
            raise ConfigurationError(
                f"the store at {root} does not honour conditional creation (If-None-Match: *)",
                remedy="use a store that does: AWS S3, MinIO, SeaweedFS 4.48 or newer",
            )


def json_bytes(value: Any) -> bytes:
    """Canonical JSON: sorted keys, UTF-8, no NaN."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, indent=1, allow_nan=False).encode()


def digest_of(value: Any) -> str:
    """The sha256 of a value's canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, allow_nan=False).encode()).hexdigest()


def _found(filesystem: Any, root: str) -> dict[str, dict[str, Any]]:
    """The files at or under ``root``, sorted; an emptied S3 folder lingers as an entry that is none."""
    listed: dict[str, dict[str, Any]] = filesystem.find(root, detail=True)
    return {name: info for name, info in sorted(listed.items()) if info["type"] == "file"}


def _sha256(path: str) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _temporary_beside(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
        os.fchmod(file.fileno(), 0o644)
    return Path(file.name)


def _link_exclusively(path: Path, data: bytes) -> None:
    temporary = _temporary_beside(path, data)
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass  # somebody else won; the caller compares contents
    finally:
        temporary.unlink()


def _put_exclusively(filesystem: Any, path: str, data: bytes) -> None:
    try:
        with filesystem.open(path, "xb") as file:
            file.write(data)
    except FileExistsError:
        pass  # as above
    except OSError as error:
        if error.errno != errno.EINVAL or not filesystem.exists(path):
            raise


def _is_missing_bucket(error: FileNotFoundError) -> bool:
    answer: dict[str, Any] = getattr(error.__cause__, "response", {})
    return bool(answer.get("Error", {}).get("Code") == "NoSuchBucket")


@contextmanager
def _explained(uri: Uri) -> Iterator[None]:
    """Turn the store's errors into ours; a missing key stays ``FileNotFoundError``."""
    from botocore.exceptions import BotoCoreError, NoCredentialsError

    place = uri if uri.startswith("file://") else f"{uri} (store)"
    try:
        yield
    except FileNotFoundError as error:
        if _is_missing_bucket(error):
            bucket = uri.removeprefix("s3://").split("/", 1)[0]
            raise ConfigurationError(
                f"bucket {bucket!r} does not exist", remedy="create it or correct CAUSAL_LAKE"
            ) from error
        raise
    except (PermissionError, NoCredentialsError) as error:
        raise ConfigurationError(
            f"{place}: access refused", remedy="check the access key, the secret and their rights"
        ) from error
    except (BotoCoreError, ConnectionError, TimeoutError) as error:
        raise StorageError(
            f"{place}: no answer ({type(error).__name__})",
            remedy="check that the store runs and its address is right",
        ) from error
    except OSError as error:
        if error.errno in {errno.EBUSY, getattr(errno, "EREMOTEIO", errno.EIO)}:
            raise StorageError(f"{place}: the store is busy ({error})", remedy="try again later") from error
        raise
