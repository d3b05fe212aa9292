"""One day of a feed: its folder, what its stages wrote, and the days of the same revision before it."""

from dataclasses import dataclass
from datetime import date as Date  # noqa: N812 - a field below has the name
from datetime import timedelta
from typing import Any, Self

from causal_tasks.errors import InputError
from causal_tasks.feed import Feed
from causal_tasks.frozen_statement import freeze, require_unchanged
from causal_tasks.lake import feed_days_folder, feed_uri, feeds_folder
from causal_tasks.settings import Settings
from causal_tasks.stage_files import MANIFEST, Manifest, StageFiles, StageInstance
from causal_tasks.storage import Storage, Uri, digest_of

_SUFFIX = ".json"
_FROZEN = "feed.json"
_MAY_CHANGE = frozenset({"name", "owner", "status", "delivery", "serving"})
"""Fields of a feed's statement that change neither what is learned nor what is measured."""


@dataclass(frozen=True, slots=True)
class FeedDay:
    """The folder of one day, in that of the feed's revision.

    A stage's attempts and its manifest are in ``<stage>/``. A day is filled once: a stage whose manifest is there is
    not done again, whatever tables hold meanwhile.

    Attributes:
        feed: As stated now.
        date: The day.
        settings: Where and how to run.
    """

    feed: Feed
    date: Date
    settings: Settings

    @classmethod
    def open(cls, feed: Feed, date: Date, settings: Settings) -> Self:
        """The day's folder; whoever comes first freezes the statement of the feed's revision.

        Raises:
            InputError: An earlier day of this revision was made from a different statement.
            ConfigurationError: The store does not honour conditional creation.
        """
        uri = f"{feed_days_folder(feed, settings)}/{_FROZEN}"
        frozen = Feed.parse(freeze(uri, feed.model_dump(mode="json"), settings), source=uri)
        require_unchanged(feed.run_id, _semantics(frozen), _semantics(feed), may_change=_MAY_CHANGE)
        return cls(feed, date, settings)

    @property
    def uri(self) -> Uri:
        """The address of the folder."""
        return f"{feed_days_folder(self.feed, self.settings)}/{self.date}"

    @property
    def storage(self) -> Storage:
        """Reads and writes its files."""
        return Storage(self.settings)

    def before(self, days: int) -> "FeedDay":
        """The day that lies so many days before this one, whether it was filled or not."""
        return FeedDay(self.feed, self.date - timedelta(days=days), self.settings)

    def manifest_uri(self, stage: str) -> Uri:
        """Where the manifest of a stage is or will be."""
        return f"{self.uri}/{stage}/{MANIFEST}"

    def manifest(self, stage: str) -> Manifest | None:
        """What a stage wrote; None where it has not been done."""
        try:
            return Manifest.read(self.manifest_uri(stage), self.storage)
        except FileNotFoundError:
            return None

    def instance(self, stage: str, *, code: int, inputs: list[Manifest]) -> StageInstance:
        """A stage of this day, to be attempted.

        Args:
            stage: Its name.
            code: Revision of its code.
            inputs: Manifests of what it reads.
        """
        fingerprint = digest_of(
            {
                "stage": stage,
                "code": code,
                "feed": _semantics(self.feed),
                "date": str(self.date),
                "inputs": {manifest.key: manifest.digests for manifest in inputs},
            }
        )
        return StageInstance(stage, None, fingerprint, f"{self.uri}/{stage}", self.uri, self.settings, self.storage)

    def output(self, stage: str, name: str) -> Uri | None:
        """Where an output of a stage is; None where the stage has not been done or wrote no such thing."""
        found = self.manifest(stage)
        return f"{self.uri}/{found.outputs[name].path}" if found and name in found.outputs else None


@dataclass(frozen=True, slots=True)
class DayContext(StageFiles):
    """What a stage of a day gets to work with.

    Attributes:
        day: The day.
    """

    day: FeedDay

    @property
    def feed(self) -> Feed:
        """As stated now."""
        return self.day.feed

    @property
    def date(self) -> Date:
        """The day's date."""
        return self.day.date


def load_feed(feed: str, settings: Settings) -> Feed:
    """The feed stated at an address, or under an id in the lake.

    Raises:
        InputError: There is no such file, it states no valid feed, or a feed of another id.
    """
    uri = feed_uri(feed, settings)
    try:
        content: Any = Storage(settings).read_json(uri)
    except FileNotFoundError as error:
        raise InputError(f"there is no feed at {uri}", remedy="write its statement, or correct the id") from error
    except ValueError as error:
        raise InputError(f"{uri} is no JSON: {error}", remedy="correct the statement and write it again") from error
    stated = Feed.parse(content, source=uri)
    if "://" not in feed and stated.feed_id != feed:
        raise InputError(f"{uri} states feed_id {stated.feed_id!r}", remedy="name the file after its feed_id")
    return stated


def stated_feeds(settings: Settings) -> list[str]:
    """Ids of all feeds in the lake, sorted, whatever their files say."""
    files = Storage(settings).list_files(feeds_folder(settings), suffix=_SUFFIX, hash_local=False)
    return [file.path.removesuffix(_SUFFIX) for file in files if "/" not in file.path]


def _semantics(feed: Feed) -> dict[str, Any]:
    """Everything that decides what is learned and measured, as JSON values."""
    return feed.model_dump(mode="json", exclude=set(_MAY_CHANGE))
