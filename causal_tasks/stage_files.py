"""What a stage writes: parts under an attempt, and a manifest that is created exclusively and last.

Readers follow manifests and never list attempts, so nothing that they find is half written.
"""

import platform
import resource
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from pydantic import BaseModel, ConfigDict

from causal_tasks.errors import CausalTasksError, InputError
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage, Uri, json_bytes

MANIFEST = "stage.json"


class Output(BaseModel):
    """A file or folder that a stage wrote.

    Attributes:
        path: Relative to the run folder.
        digest: sha256 over names and contents.
    """

    model_config = ConfigDict(frozen=True)

    path: str
    digest: str


class Execution(BaseModel):
    """How a stage ran: the part of a manifest that is no result.

    Attributes:
        attempt: Id of the attempt that was committed.
        started_at: When it began.
        seconds: Until it was committed.
        peak_memory_mb: The most that its process has held by then, for items that ran before it in there too.
        host: Name of the machine.
        device: ``cpu`` or ``cuda``.
    """

    model_config = ConfigDict(frozen=True)

    attempt: str
    started_at: datetime
    seconds: float
    peak_memory_mb: float
    host: str
    device: str


class Manifest(BaseModel):
    """What a stage instance read and wrote.

    Attributes:
        stage: Name of the stage.
        item: What it was mapped over; None for a plain stage.
        fingerprint: Digest of everything that decides the outputs.
        inputs: Fingerprints of the stage instances it read, by ``stage[/item]``.
        outputs: Files and folders by name.
        run: How it ran.
    """

    model_config = ConfigDict(frozen=True)

    stage: str
    item: str | None
    fingerprint: str
    inputs: dict[str, str]
    outputs: dict[str, Output]
    run: Execution

    @property
    def key(self) -> str:
        """``stage`` or ``stage/item``."""
        return f"{self.stage}/{self.item}" if self.item else self.stage

    @classmethod
    def read(cls, uri: Uri, storage: Storage) -> Self:
        """The manifest at ``uri``.

        Raises:
            FileNotFoundError: That stage instance has not been committed.
        """
        return cls.model_validate(storage.read_json(uri))

    @property
    def digests(self) -> dict[str, str]:
        """Digest by output: what the fingerprints of later stages are made of."""
        return {name: output.digest for name, output in sorted(self.outputs.items())}


class Failure(BaseModel):
    """Why an attempt failed.

    Attributes:
        stage: Name of the stage.
        item: What it was mapped over.
        error: Class of the error.
        message: What was found.
        remedy: What to do about it.
        at: When.
    """

    model_config = ConfigDict(frozen=True)

    stage: str
    item: str | None
    error: str
    message: str
    remedy: str
    at: datetime

    @property
    def reason(self) -> dict[str, str]:
        """What of the record is a result: error, message and remedy, without when it happened."""
        return {"error": self.error, "message": self.message, "remedy": self.remedy}

    @classmethod
    def of(cls, error: BaseException, *, stage: str, item: str | None) -> Self:
        """The record of ``error``."""
        message, remedy = f"{type(error).__name__}: {error}", "see the log of this attempt"
        if isinstance(error, CausalTasksError):
            message, remedy = error.message, error.remedy
        return cls(
            stage=stage, item=item, error=type(error).__name__, message=message, remedy=remedy, at=datetime.now(UTC)
        )


@dataclass(frozen=True, slots=True)
class StageFiles:
    """What a stage reads of those before it, and where it writes.

    Attributes:
        inputs: Manifests by stage name; several where that stage is mapped.
        folder: Where this attempt writes.
        run_uri: What the paths in manifests are relative to.
        settings: Where and how to run.
        storage: Reads and writes files.
    """

    inputs: Mapping[str, Sequence[Manifest]]
    folder: Uri
    run_uri: Uri
    settings: Settings
    storage: Storage

    def uri(self, stage: str, output: str, item: str | None = None) -> Uri:
        """Where an output of an earlier stage is.

        Raises:
            KeyError: No input manifest has it.
        """
        for manifest in self.inputs[stage]:
            if manifest.item == item:
                return f"{self.run_uri}/{manifest.outputs[output].path}"
        raise KeyError(f"{stage}/{item}")

    def read_json(self, stage: str, output: str, item: str | None = None) -> Any:
        """The value of a JSON output of an earlier stage."""
        return self.storage.read_json(self.uri(stage, output, item))

    def read_table(self, stage: str, output: str, columns: Sequence[str] | None = None, item: str | None = None) -> Any:
        """A Parquet output of an earlier stage as a pandas frame."""
        return self.storage.read_table(self.uri(stage, output, item), columns)

    def write_json(self, name: str, value: Any) -> Uri:
        """Write ``<folder>/<name>``; returns its URI."""
        return self.storage.write_json(f"{self.folder}/{name}", value)

    def write_table(self, name: str, frame: Any) -> Uri:
        """Write ``<folder>/<name>`` as one Parquet file; returns its URI."""
        return self.storage.write_table(f"{self.folder}/{name}", frame)

    def write_bytes(self, name: str, data: bytes) -> Uri:
        """Write ``<folder>/<name>``; returns its URI."""
        return self.storage.write_bytes(f"{self.folder}/{name}", data)

    def write_folder(self, name: str, source: Path) -> Uri:
        """Write every file under ``source`` to ``<folder>/<name>/…``; returns the URI of that folder."""
        for file in sorted(path for path in source.rglob("*") if path.is_file()):
            self.write_bytes(f"{name}/{file.relative_to(source).as_posix()}", file.read_bytes())
        return f"{self.folder}/{name}"


_ATTEMPT_TIME = "%Y%m%dT%H%M%S"


@dataclass(frozen=True, slots=True)
class StageInstance:
    """A stage, and what it is mapped over, in a folder of its own.

    Attributes:
        stage: Name of the stage.
        item: What it is mapped over; None for a plain stage.
        fingerprint: See ``Manifest``.
        folder: Holds its attempts and its manifest.
        run_uri: What the paths in its manifest are relative to.
        settings: Where and how to run.
        storage: Reads and writes files.
    """

    stage: str
    item: str | None
    fingerprint: str
    folder: Uri
    run_uri: Uri
    settings: Settings
    storage: Storage

    @property
    def manifest_uri(self) -> Uri:
        """Where its manifest is or will be."""
        return f"{self.folder}/{MANIFEST}"


class Attempt:
    """One try at a stage instance.

    Attributes:
        folder: Where it writes.
    """

    def __init__(self, instance: StageInstance) -> None:
        self._instance = instance
        self._began, self._clock = datetime.now(UTC), time.monotonic()
        self._id = f"attempt-{self._began.strftime(_ATTEMPT_TIME)}-{uuid4().hex[:12]}"
        self.folder = f"{instance.folder}/{self._id}"

    def commit(self, outputs: Mapping[str, Uri], inputs: Mapping[str, str]) -> Manifest:
        """Name the outputs in the manifest; returns it, or the one of whoever committed first.

        Args:
            outputs: URIs under ``folder`` by name.
            inputs: Fingerprints of what was read, by ``stage[/item]``.
        """
        instance = self._instance
        manifest = Manifest(
            stage=instance.stage,
            item=instance.item,
            fingerprint=instance.fingerprint,
            inputs=dict(inputs),
            outputs={name: self._described(uri) for name, uri in outputs.items()},
            run=Execution(
                attempt=self._id,
                started_at=self._began,
                seconds=round(time.monotonic() - self._clock, 3),
                peak_memory_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
                host=platform.node(),
                device=instance.settings.device,
            ),
        )
        written = json_bytes(manifest.model_dump(mode="json"))
        if instance.storage.create_exclusively(instance.manifest_uri, written):
            return manifest
        return Manifest.read(instance.manifest_uri, instance.storage)

    def fail(self, error: BaseException) -> Failure:
        """Record why the attempt failed; returns the record."""
        instance = self._instance
        failure = Failure.of(error, stage=instance.stage, item=instance.item)
        instance.storage.write_json(f"{instance.folder}/failure-{self._id}.json", failure.model_dump(mode="json"))
        return failure

    def record(self, error: BaseException) -> None:
        """Leave a failure record; where even that fails, ``error`` says so and stays the one that is raised."""
        try:
            self.fail(error)
        except Exception as second:  # noqa: BLE001 - said in the first
            error.add_note(f"This failure could not be recorded: {second}")

    def _described(self, uri: Uri) -> Output:
        path = uri.removeprefix(f"{self._instance.run_uri}/")
        if path == uri or not uri.startswith(self.folder):
            raise InputError(
                f"stage {self._instance.stage!r} wrote {uri} outside its folder {self.folder}",
                remedy="write below context.folder",
            )
        digest = self._instance.storage.content_digest(uri)
        if digest is None:
            raise InputError(
                f"stage {self._instance.stage!r} named {uri} as output but wrote nothing there",
                remedy="write it or do not name it",
            )
        return Output(path=path, digest=digest)


def sweep_attempts(stages: Uri, storage: Storage, *, older_than: timedelta = timedelta(days=1)) -> list[Uri]:
    """Delete attempts under ``stages`` that no manifest names and that began longer ago than ``older_than``.

    Returns:
        Their addresses.
    """
    files = [file.path for file in storage.list_files(stages, hash_local=False)]
    committed = {
        f"{path.removesuffix(f'/{MANIFEST}')}/{Manifest.read(f'{stages}/{path}', storage).run.attempt}"
        for path in files
        if path.endswith(f"/{MANIFEST}")
    }
    attempts = {
        f"{head}/attempt-{tail.split('/', 1)[0]}"
        for head, mark, tail in (p.partition("/attempt-") for p in files)
        if mark
    }
    threshold = (datetime.now(UTC) - older_than).strftime(_ATTEMPT_TIME)
    swept = sorted(a for a in attempts - committed if a.rsplit("attempt-", 1)[1][: len(threshold)] < threshold)
    for attempt in swept:
        storage.delete(f"{stages}/{attempt}")
    return [f"{stages}/{attempt}" for attempt in swept]
