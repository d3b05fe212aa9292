"""Keeps a server on the newest manifest: looks for one, checks what it names, and only then lets it decide."""

import hashlib
import logging
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from causal_tasks.dynamic.decision import DynamicDecision
from causal_tasks.dynamic.lookup import Lookup
from causal_tasks.dynamic.real_time import RealTimeInterest
from causal_tasks.dynamic.serving.decider import Decider
from causal_tasks.dynamic.serving.manifest import InterestFolder, Manifest
from causal_tasks.errors import InputError
from causal_tasks.lake import manifest_uri
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage, Uri, digest_of

MAX_WAIT_SECONDS = 300.0
"""After files that were no use the next wait is twice as long, up to this: gigabytes are not copied for ever."""

_STOP_SECONDS = 5.0
_COPY = re.compile(r"[0-9a-f]{64}")
_NEWEST = "manifest.json"

logger = logging.getLogger("causal_tasks")


@dataclass(frozen=True, slots=True)
class Served:
    """What decides now.

    Attributes:
        manifest: It was loaded by.
        decider: Decides.
        since: When it took over, seconds since 1970.
    """

    manifest: Manifest
    decider: Decider
    since: float


class HotSwap:
    """Watches a feed's manifest.

    Args:
        feed_id: Of the feed.
        settings: Where its lake is.
        cache: Local folder for copies, of this process alone; older copies of the feed in it are deleted. With copies
            of what it served last a server starts while the store is down.
        poll: Seconds between looks.

    Attributes:
        served: What decides now; None before the first manifest was loaded. Replaced whole, so that whoever reads it
            once has manifest and models that belong together.
        problem: Why the manifest that is there does not serve; None: it does.
        looked: When it last looked, seconds since 1970; None: never.
    """

    def __init__(self, feed_id: str, settings: Settings, *, cache: Path, poll: float) -> None:
        self.served: Served | None = None
        self.problem: str | None = None
        self.looked: float | None = None
        self._feed_id, self._uri, self._poll = feed_id, manifest_uri(feed_id, settings), poll
        self._cache = cache.resolve() / feed_id
        self._storage = Storage(settings)
        self._content: bytes | None = None
        self._copied_in_vain = False
        self._stop = threading.Event()
        # A daemon: a store that does not answer must not keep a server from ending.
        self._thread = threading.Thread(target=self._watch, name="hot-swap", daemon=True)

    def start(self) -> None:
        """Begin to look, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """End looking."""
        self._stop.set()
        self._thread.join(_STOP_SECONDS)

    def look(self) -> None:
        """Let the manifest that is there decide where it is another one; where that fails, what decides stays."""
        problem, self._copied_in_vain = None, False
        try:
            content = self._storage.read_bytes(self._uri)
            if content != self._content:
                self._copied_in_vain = True
                self.served = self._load(content)
                self._content, self._copied_in_vain = content, False
                logger.info("%s: %s serves", self._feed_id, self.served.manifest.date)
                self._forget_others(content, self.served.manifest)
        except FileNotFoundError as error:
            problem = f"{error.filename or error} is missing"
        except Exception as error:  # noqa: BLE001 - whatever a manifest or a store does, the server goes on
            problem = f"{type(error).__name__}: {error}"
        if problem and problem != self.problem:
            logger.warning("%s: %s", self._feed_id, problem)
        if problem and self.served is None:
            self.served = self._served_last()
        self.problem, self.looked = problem, time.time()

    def _watch(self) -> None:
        wait = self._poll
        while True:
            self.look()
            wait = self._next_wait(wait)
            if self._stop.wait(wait):
                return

    def _next_wait(self, wait: float) -> float:
        """Seconds to the next look; a manifest that is not there yet is asked for as often as ever."""
        return min(2 * wait, max(MAX_WAIT_SECONDS, self._poll)) if self._copied_in_vain else self._poll

    def _load(self, content: bytes) -> Served:
        """Check, copy and open what a manifest names, and let it predict once."""
        manifest = Manifest.parse(content, source=self._uri)
        feed = manifest.feed
        if feed.feed_id != self._feed_id:
            raise InputError(f"{self._uri} is of feed {feed.feed_id!r}", remedy=f"publish a day of {self._feed_id!r}")
        lookup, model = self._lookup_path(manifest), None
        self._copy(manifest.lookup.uri, lookup, manifest.lookup.sha256)
        if manifest.interest:
            folder = self._interest_path(manifest.interest)
            for name, digest in manifest.interest.files.items():
                self._copy(f"{manifest.interest.uri}/{name}", folder / name, digest)
            model = RealTimeInterest.load(folder)
        decider = Decider(feed, Lookup.open(lookup), model, DynamicDecision.from_json(manifest.decision))
        decider.rehearse()
        return Served(manifest, decider, time.time())

    def _served_last(self) -> Served | None:
        """What the newest copies of an earlier process hold; None where there are none that are whole."""
        try:
            served = self._load((self._cache / _NEWEST).read_bytes())
        except Exception as error:  # noqa: BLE001 - then nothing serves, as without copies
            logger.info("%s: no copies to serve: %s", self._feed_id, error)
            return None
        logger.warning("%s: %s serves, from copies", self._feed_id, served.manifest.date)
        return served

    def _copy(self, uri: Uri, path: Path, digest: str) -> None:
        """Copy a file unless its copy is there.

        Raises:
            InputError: It is not the file that the manifest means.
        """
        if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == digest:
            return
        content = self._storage.read_bytes(uri)
        if (found := hashlib.sha256(content).hexdigest()) != digest:
            raise InputError(
                f"{uri} has SHA-256 {found}, the manifest names {digest}", remedy="publish the feed's day again"
            )
        # In one step: a file that is mapped must never be cut short.
        self._storage.write_bytes(f"file://{path}", content)

    def _lookup_path(self, manifest: Manifest) -> Path:
        return self._cache / manifest.lookup.sha256

    def _interest_path(self, model: InterestFolder) -> Path:
        return self._cache / digest_of(model.files)

    def _forget_others(self, content: bytes, manifest: Manifest) -> None:
        """Keep the copies of what serves now, and only these; a file that is still mapped lives on."""
        self._storage.write_bytes(f"file://{self._cache / _NEWEST}", content)
        kept = {self._lookup_path(manifest)}
        kept |= {self._interest_path(manifest.interest)} if manifest.interest else set()
        for path in self._cache.iterdir():
            if _COPY.fullmatch(path.name) and path not in kept:
                self._storage.delete(f"file://{path}")
