"""One run's files: created exclusively, resumable, never half written.

A stage instance lives in ``stages/<stage>[/<item>]/<fingerprint>/``, see ``stage_files``.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypeVar

from causal_tasks.errors import InputError
from causal_tasks.experiment import NOT_SEMANTIC, Experiment
from causal_tasks.frozen_statement import freeze, require_unchanged
from causal_tasks.lake import run_uri
from causal_tasks.settings import Settings
from causal_tasks.stage_files import (
    MANIFEST,
    Attempt,
    Execution,
    Failure,
    Manifest,
    Output,
    StageFiles,
    StageInstance,
    sweep_attempts,
)
from causal_tasks.storage import Storage, Uri

__all__ = ["Attempt", "Execution", "Failure", "Manifest", "Output", "RunFolder", "StageContext"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StageContext(StageFiles):
    """What a stage gets to work with.

    Attributes:
        experiment: As frozen in the run folder.
        item: What this instance is mapped over.
        failures: Failed instances of the stages it needs, by ``stage/item``; None where nothing was recorded (killed
            or out of memory).
        memo: What items that run in one process share, see ``shared``.
    """

    experiment: Experiment
    item: str | None
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
        freeze(f"{uri}/experiment.json", experiment.model_dump(mode="json", by_alias=True), settings)
        folder = cls.existing(uri, settings)
        require_unchanged(
            experiment.run_id, folder.experiment.semantics(), experiment.semantics(), may_change=NOT_SEMANTIC
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
        return f"{self._instance(stage, item)}/{fingerprint}/{MANIFEST}"

    def read_manifest(self, uri: Uri) -> Manifest:
        """The manifest at ``uri``.

        Raises:
            FileNotFoundError: That stage instance has not been committed.
        """
        return Manifest.read(uri, self.storage)

    def begin(self, stage: str, item: str | None, fingerprint: str) -> "Attempt":
        """Start an attempt at a stage instance."""
        folder = f"{self._instance(stage, item)}/{fingerprint}"
        return Attempt(StageInstance(stage, item, fingerprint, folder, self.uri, self.settings, self.storage))

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
        return sweep_attempts(f"{self.uri}/stages", self.storage, older_than=older_than)
