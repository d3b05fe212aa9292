"""One run's files: created exclusively, resumable, never half written.

A stage instance lives in ``stages/<stage>[/<item>]/<fingerprint>/``: parts under an attempt id, then ``stage.json``,
the manifest, created exclusively and last. Readers follow manifests and never list attempts.
"""

import platform
import resource
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self, TypeVar
from uuid import uuid4

from pydantic import BaseModel, ConfigDict

from causal_tasks.errors import CausalTasksError, InputError
from causal_tasks.experiment import NOT_SEMANTIC, Experiment
from causal_tasks.lake import run_uri
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage, Uri, json_bytes

T = TypeVar("T")


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
class StageContext:
    """What a stage gets to work with.

    Attributes:
        experiment: As frozen in the run folder.
        inputs: Manifests by stage name; several where that stage is mapped.
        item: What this instance is mapped over.
        folder: Where this attempt writes.
        run_uri: The run folder.
        settings: Where and how to run.
        storage: Reads and writes files.
        failures: Failed instances of the stages it needs, by ``stage/item``; None where nothing was recorded (killed
            or out of memory).
        memo: What items that run in one process share, see ``shared``.
    """

    experiment: Experiment
    inputs: Mapping[str, Sequence[Manifest]]
    item: str | None
    folder: Uri
    run_uri: Uri
    settings: Settings
    storage: Storage
    failures: Mapping[str, Failure | None] = field(default_factory=dict)
    memo: dict[Hashable, Any] = field(default_factory=dict)

    def shared(self, key: Hashable, make: Callable[[], T]) -> T:
        """What ``make`` makes, made once for all items of this stage that run in this process and written nowhere.

        Args:
            key: Names all that tells this object from others of the same stage, such as its columns.
            make: Must not depend on the item beyond ``key``, and nobody may change what it made: an item has to
                give the same outputs alone and after others.
        """
        if key not in self.memo:
            self.memo[key] = make()
        made: T = self.memo[key]
        return made

    @property
    def shared_folder(self) -> Uri:
        """What all attempts at this stage instance share; what one leaves here the next one finds."""
        return self.folder.rsplit("/", 1)[0]

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


class RunFolder:
    """The folder of one revision of an experiment.

    Attributes:
        uri: Its address.
        experiment: As frozen in it.
        settings: Where and how to run.
        storage: Reads and writes its files.
    """

    def __init__(self, uri: Uri, experiment: Experiment, settings: Settings) -> None:
        self.uri = uri
        self.experiment = experiment
        self.settings = settings
        self.storage = Storage(settings)

    @classmethod
    def open(cls, experiment: Experiment, settings: Settings) -> Self:
        """The experiment's run folder, created and frozen by whoever comes first.

        Raises:
            InputError: A run of this revision exists and was made from a different statement.
            ConfigurationError: The store does not honour conditional creation.
        """
        uri = run_uri(experiment, settings)
        storage = Storage(settings)
        frozen_uri = f"{uri}/experiment.json"
        if not storage.exists(frozen_uri):
            storage.check_exclusive_creation(settings.lake)
            storage.create_exclusively(frozen_uri, json_bytes(experiment.model_dump(mode="json", by_alias=True)))
        folder = cls.existing(uri, settings)
        stated, frozen = experiment.semantics(), folder.experiment.semantics()
        if stated != frozen:
            changes = ", ".join(
                f"{name}: {frozen.get(name)!r} -> {stated.get(name)!r}"
                for name in sorted(stated.keys() | frozen.keys())
                if stated.get(name) != frozen.get(name)
            )
            raise InputError(
                f"{experiment.run_id} was run from a different statement ({changes})",
                remedy=f"raise revision (only {', '.join(sorted(NOT_SEMANTIC))} may change within one)",
            )
        folder.experiment = experiment
        return folder

    @classmethod
    def existing(cls, uri: Uri, settings: Settings) -> Self:
        """A run folder that was opened before.

        Raises:
            InputError: There is no run at ``uri``.
        """
        try:
            statement = Storage(settings).read_json(f"{uri}/experiment.json")
        except FileNotFoundError as error:
            raise InputError(f"there is no run at {uri}", remedy="start it with its first stage") from error
        return cls(uri, Experiment.parse(statement, source=f"{uri}/experiment.json"), settings)

    def _instance(self, stage: str, item: str | None) -> Uri:
        return f"{self.uri}/stages/{stage}" + (f"/{item}" if item else "")

    def manifest_uri(self, stage: str, item: str | None, fingerprint: str) -> Uri:
        """Where the manifest of a stage instance is or will be."""
        return f"{self._instance(stage, item)}/{fingerprint}/stage.json"

    def read_manifest(self, uri: Uri) -> Manifest:
        """The manifest at ``uri``.

        Raises:
            FileNotFoundError: That stage instance has not been committed.
        """
        return Manifest.model_validate(self.storage.read_json(uri))

    def begin(self, stage: str, item: str | None, fingerprint: str) -> "Attempt":
        """Start an attempt at a stage instance."""
        return Attempt(self, stage, item, fingerprint)

    def last_failure(self, stage: str, item: str | None) -> Failure | None:
        """The newest failure record of a stage instance, whatever its fingerprint; None where there is none."""
        instance = self._instance(stage, item)
        records = [
            Failure.model_validate(self.storage.read_json(f"{instance}/{file.path}"))
            for file in self.storage.list_files(instance, suffix=".json", hash_local=False)
            if file.path.count("/") == 1 and file.path.rsplit("/", 1)[-1].startswith("failure-")
        ]
        return max(records, key=lambda record: record.at, default=None)

    def publish(self, files: Mapping[str, Uri], manifests: Sequence[Manifest], *, record: str = "run.json") -> Uri:
        """Put views at fixed names at the root of the run folder and, last, the record of what is behind them.

        Args:
            files: Addresses of the views by the names that they get.
            manifests: Of all stage instances behind them.
            record: Name of the record.

        Returns:
            The address of the record.
        """
        for name, source in files.items():
            self.storage.write_bytes(f"{self.uri}/{name}", self.storage.read_bytes(source))
        behind = {
            "experiment_id": self.experiment.experiment_id,
            "revision": self.experiment.revision,
            "manifests": {
                m.key: self.manifest_uri(m.stage, m.item, m.fingerprint).removeprefix(f"{self.uri}/") for m in manifests
            },
            "published_at": datetime.now(UTC).isoformat(),
        }
        return self.storage.write_json(f"{self.uri}/{record}", behind)

    def sweep(self, *, older_than: timedelta = timedelta(days=1)) -> list[Uri]:
        """Delete attempts that no manifest names and that began longer ago than ``older_than``; returns them."""
        stages = f"{self.uri}/stages"
        files = [file.path for file in self.storage.list_files(stages, hash_local=False)]
        committed = {
            f"{path.removesuffix('/stage.json')}/{self.read_manifest(f'{stages}/{path}').run.attempt}"
            for path in files
            if path.endswith("/stage.json")
        }
        attempts = {
            f"{head}/attempt-{tail.split('/', 1)[0]}"
            for head, mark, tail in (p.partition("/attempt-") for p in files)
            if mark
        }
        threshold = (datetime.now(UTC) - older_than).strftime(_ATTEMPT_TIME)
        swept = sorted(a for a in attempts - committed if a.rsplit("attempt-", 1)[1][: len(threshold)] < threshold)
        for attempt in swept:
            self.storage.delete(f"{stages}/{attempt}")
        return [f"{stages}/{attempt}" for attempt in swept]


_ATTEMPT_TIME = "%Y%m%dT%H%M%S"


class Attempt:
    """One try at a stage instance.

    Attributes:
        folder: Where it writes.
    """

    def __init__(self, run: RunFolder, stage: str, item: str | None, fingerprint: str) -> None:
        self._run, self._stage, self._item, self._fingerprint = run, stage, item, fingerprint
        self._began, self._clock = datetime.now(UTC), time.monotonic()
        self._id = f"attempt-{self._began.strftime(_ATTEMPT_TIME)}-{uuid4().hex[:12]}"
        self._manifest_uri = run.manifest_uri(stage, item, fingerprint)
        self.folder = f"{self._manifest_uri.removesuffix('/stage.json')}/{self._id}"

    def commit(self, outputs: Mapping[str, Uri], inputs: Mapping[str, str]) -> Manifest:
        """Name the outputs in the manifest; returns it, or the one of whoever committed first.

        Args:
            outputs: URIs under ``folder`` by name.
            inputs: Fingerprints of what was read, by ``stage[/item]``.
        """
        run = self._run
        manifest = Manifest(
            stage=self._stage,
            item=self._item,
            fingerprint=self._fingerprint,
            inputs=dict(inputs),
            outputs={name: self._described(uri) for name, uri in outputs.items()},
            run=Execution(
                attempt=self._id,
                started_at=self._began,
                seconds=round(time.monotonic() - self._clock, 3),
                peak_memory_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
                host=platform.node(),
                device=run.settings.device,
            ),
        )
        if run.storage.create_exclusively(self._manifest_uri, json_bytes(manifest.model_dump(mode="json"))):
            return manifest
        return run.read_manifest(self._manifest_uri)

    def fail(self, error: BaseException) -> Failure:
        """Record why the attempt failed; returns the record."""
        failure = Failure.of(error, stage=self._stage, item=self._item)
        uri = f"{self._manifest_uri.removesuffix('/stage.json')}/failure-{self._id}.json"
        self._run.storage.write_json(uri, failure.model_dump(mode="json"))
        return failure

    def _described(self, uri: Uri) -> Output:
        path = uri.removeprefix(f"{self._run.uri}/")
        if path == uri or not uri.startswith(self.folder):
            raise InputError(
                f"stage {self._stage!r} wrote {uri} outside its folder {self.folder}",
                remedy="write below context.folder",
            )
        digest = self._run.storage.content_digest(uri)
        if digest is None:
            raise InputError(
                f"stage {self._stage!r} named {uri} as output but wrote nothing there",
                remedy="write it or do not name it",
            )
        return Output(path=path, digest=digest)
