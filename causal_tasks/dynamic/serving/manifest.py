"""The one file that says which scores, which model and which decision serve a feed now."""

from datetime import date as Date  # noqa: N812 - a field below has the name
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError

from causal_tasks.errors import InputError
from causal_tasks.experiment_parts import Part
from causal_tasks.feed import Feed
from causal_tasks.lake import manifest_uri
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage, Uri, json_bytes

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Address = Annotated[str, Field(min_length=1)]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$")]
"""Path below a folder that leads nowhere else."""


class LookupFile(Part):
    """A file that ``write_lookup`` has written.

    Attributes:
        uri: Its address.
        sha256: What ``write_lookup`` returned.
    """

    uri: Address
    sha256: Sha256


class InterestFolder(Part):
    """A folder in which a ``RealTimeInterest`` was saved.

    Attributes:
        uri: Its address.
        files: SHA-256 of each of its files, by path.
    """

    uri: Address
    files: Annotated[dict[FileName, Sha256], Field(min_length=1)]

    @classmethod
    def of(cls, uri: Uri, storage: Storage) -> Self:
        """The folder as it is now: every file is read for its digest."""
        names = [file.path for file in storage.list_files(uri, hash_local=False)]
        return cls(uri=uri, files={name: sha256(storage.read_bytes(f"{uri}/{name}")).hexdigest() for name in names})


class Manifest(Part):
    """Content of ``LAKE/serving/<feed_id>/manifest.json``; all that a server needs to know.

    Attributes:
        format: Raised when servers can no longer read what was published before.
        feed: The feed as it was stated when this was learned: a server reads no other statement.
        date: Day that was scored.
        lookup: Scores of its users.
        interest: The request-time model; None: preference alone decides.
        decision: ``DynamicDecision.to_json()``.
        published: When.
    """

    format: Literal[1] = 1
    feed: Feed
    date: Date
    lookup: LookupFile
    interest: InterestFolder | None = None
    decision: dict[str, Any]
    published: datetime

    @classmethod
    def parse(cls, content: bytes, *, source: str) -> Self:
        """The manifest that a file holds.

        Raises:
            InputError: It holds none.
        """
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            found = "; ".join(
                f"{'.'.join(map(str, problem['loc'])) or 'manifest'}: {problem['msg']}" for problem in error.errors()
            )
            raise InputError(f"{source}: {found}", remedy="publish the feed's day again") from error


def read_manifest(feed_id: str, settings: Settings) -> Manifest | None:
    """What serves a feed now; None where nothing was ever published.

    Raises:
        InputError: The file is no manifest.
    """
    uri = manifest_uri(feed_id, settings)
    try:
        return Manifest.parse(Storage(settings).read_bytes(uri), source=uri)
    except FileNotFoundError:
        return None


def publish(manifest: Manifest, settings: Settings) -> bool:
    """Make a manifest the one that serves; returns False where a later day, or a later revision, serves already.

    Two callers at the same moment are not kept apart: a scheduler lets one task at a time publish.

    Raises:
        InputError: The file that is there is no manifest.
    """
    serving = read_manifest(manifest.feed.feed_id, settings)
    if serving and (serving.feed.revision, serving.date) > (manifest.feed.revision, manifest.date):
        return False
    Storage(settings).write_bytes(
        manifest_uri(manifest.feed.feed_id, settings), json_bytes(manifest.model_dump(mode="json"))
    )
    return True
