"""A new manifest takes over whole; a broken one, or a store that is down, leaves what serves in place."""

import shutil
import time
from datetime import timedelta
from pathlib import Path

import pytest

from causal_tasks.dynamic.serving.hot_swap import HotSwap
from causal_tasks.errors import StorageError
from causal_tasks.lake import manifest_uri
from causal_tasks.storage import Storage
from tests.unit.dynamic.serving.published_feed import DAY, FEED, publish_day

NEXT = DAY + timedelta(days=1)


@pytest.fixture
def lake(tmp_path):
    return tmp_path / "lake"


@pytest.fixture
def swap(tmp_path, lake):
    """One that serves the first day."""
    settings, _ = publish_day(lake)
    made = HotSwap("videos", settings, cache=tmp_path / "cache", poll=60)
    made.look()
    assert (made.problem, made.served.manifest.date) == (None, DAY)
    return made


def publish_next(lake, break_it=None):
    """Publish the second day, with other scores and another model, after which something of it breaks."""
    settings, manifest = publish_day(lake, NEXT, seed=1, exploration=0.3)
    if break_it:
        break_it(Path(manifest.lookup.uri.removeprefix("file://")).parent, settings)
    return settings


def test_a_new_manifest_takes_over_whole(swap, lake):
    before = swap.served
    publish_next(lake)
    swap.look()
    assert swap.served.manifest.date == NEXT
    assert swap.served.decider.decision.exploration == 0.3
    assert before.manifest.date == DAY, "who still holds the old one has all of it"
    assert before.decider.lookup.find(7) is not None
    assert (before.decider.lookup.find(7).preference != swap.served.decider.lookup.find(7).preference).any()


def test_the_same_manifest_is_not_loaded_again(swap):
    before = swap.served
    swap.look()
    assert swap.served is before


def truncate(folder, settings):
    path = folder / "lookup.safetensors"
    path.write_bytes(path.read_bytes()[:-1])


def alter(folder, settings):
    path = folder / "lookup.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def lose_model(folder, settings):
    shutil.rmtree(folder / "interest")


def alter_model(folder, settings):
    path = folder / "interest" / "model.json"
    path.write_text(path.read_text().replace("RealTimeInterest", "LongTermUplift"))


def write_manifest(change):
    def broken(folder, settings):
        storage, uri = Storage(settings), manifest_uri("videos", settings)
        storage.write_bytes(uri, change(storage.read_bytes(uri)))

    return broken


BREAKS = {
    "truncated lookup": (truncate, "the manifest names"),
    "altered lookup": (alter, "the manifest names"),
    "no lookup": (lambda folder, settings: (folder / "lookup.safetensors").unlink(), "lookup.safetensors is missing"),
    "no model": (lose_model, "is missing"),
    "altered model": (alter_model, "the manifest names"),
    "garbage": (write_manifest(lambda content: b"\x00garbage"), "Invalid JSON"),
    "cut short": (write_manifest(lambda content: content[: len(content) // 2]), "Invalid JSON"),
    "other feed": (write_manifest(lambda content: content.replace(b'"videos"', b'"other"')), "is of feed 'other'"),
    "other arms": (write_manifest(lambda content: content.replace(b'"more_short"', b'"more_brief"')), "has arms"),
    "other context": (write_manifest(lambda content: content.replace(b'"minutes_today"', b'"minutes"')), "context"),
    "no decision": (write_manifest(lambda content: content.replace(b'"thresholds"', b'"threshold"')), "thresholds"),
    "unknown store": (write_manifest(lambda content: content.replace(b"file://", b"ftp://")), "no address of a file"),
    "no manifest": (
        lambda folder, settings: Storage(settings).delete(manifest_uri("videos", settings)),
        "manifest.json is missing",
    ),
}


@pytest.mark.parametrize(("break_it", "words"), BREAKS.values(), ids=BREAKS)
def test_what_is_broken_leaves_the_old_day_serving_until_it_is_mended(swap, lake, break_it, words):
    before = swap.served
    publish_next(lake, break_it)
    swap.look()
    assert swap.served is before
    assert words in swap.problem
    shutil.rmtree(lake)
    publish_next(lake)
    swap.look()
    assert (swap.problem, swap.served.manifest.date) == (None, NEXT)


def test_a_store_that_is_down_is_told_and_outlived(swap, lake, monkeypatch):
    before = swap.served
    publish_next(lake)
    with monkeypatch.context() as down:
        down.setattr(Storage, "read_bytes", refuse)
        swap.look()
        assert swap.served is before
        assert swap.problem == "StorageError: lake: no answer; try later"
    swap.look()
    assert (swap.problem, swap.served.manifest.date) == (None, NEXT)


def refuse(storage, uri):
    raise StorageError("lake: no answer", remedy="try later")


def test_nothing_serves_before_the_first_manifest(tmp_path, lake):
    settings, _ = publish_day(lake)
    swap = HotSwap("other", settings, cache=tmp_path / "cache", poll=60)
    swap.look()
    assert swap.served is None
    assert "other/manifest.json is missing" in swap.problem


def test_a_server_that_starts_while_the_store_is_down_serves_its_copies(swap, lake, tmp_path, monkeypatch):
    restarted = HotSwap("videos", publish_next(lake), cache=tmp_path / "cache", poll=60)
    with monkeypatch.context() as down:
        down.setattr(Storage, "read_bytes", refuse)
        restarted.look()
    assert "no answer" in restarted.problem
    assert restarted.served.manifest.date == DAY
    assert restarted.served.decider.lookup.find(7) is not None
    restarted.look()
    assert (restarted.problem, restarted.served.manifest.date) == (None, NEXT)


def test_a_copy_that_was_damaged_is_made_again(swap, tmp_path):
    copy = tmp_path / "cache" / "videos" / swap.served.manifest.lookup.sha256
    whole = copy.read_bytes()
    copy.unlink()  # in place it would change under the server that has it mapped
    copy.write_bytes(whole[:-5])
    restarted = HotSwap("videos", swap._storage._settings, cache=tmp_path / "cache", poll=60)
    restarted.look()
    assert restarted.problem is None
    assert copy.read_bytes() == whole


def test_only_copies_of_what_serves_are_kept(swap, lake, tmp_path):
    other = tmp_path / "cache" / "videos" / "notes.txt"
    other.write_text("not ours")
    publish_next(lake)
    swap.look()
    manifest = swap.served.manifest
    names = {path.name for path in (tmp_path / "cache" / "videos").iterdir()}
    assert names >= {"manifest.json", "notes.txt", manifest.lookup.sha256}
    assert len(names) == 4
    assert swap.served.decider.lookup.find(7) is not None


def test_a_feed_without_requests_is_decided_by_preference_alone(tmp_path, lake):
    feed = FEED.model_copy(update={"tables": FEED.tables.model_copy(update={"requests": None})})
    settings, _ = publish_day(lake, feed=feed, interest=False)
    swap = HotSwap("videos", settings, cache=tmp_path / "cache", poll=60)
    swap.look()
    assert swap.problem is None


def test_it_looks_less_often_only_for_files_that_are_no_use(swap, lake):
    manifest = lake / "serving" / "videos" / "manifest.json"
    whole = manifest.read_bytes()
    assert swap._next_wait(60) == 60
    manifest.unlink()
    swap.look()
    assert swap.problem
    assert swap._next_wait(60) == 60
    manifest.write_bytes(whole.replace(swap.served.manifest.lookup.sha256.encode(), b"0" * 64))
    swap.look()
    assert "SHA-256" in swap.problem
    assert [swap._next_wait(wait) for wait in (60, 120, 240, 300)] == [120, 240, 300, 300]
    manifest.write_bytes(whole)
    swap.look()
    assert swap.problem is None
    assert swap._next_wait(300) == 60


def test_a_thread_looks_until_it_is_stopped(swap, lake):
    swap._poll = 0.02
    swap.start()
    try:
        publish_next(lake)
        deadline = time.monotonic() + 20
        while swap.served.manifest.date == DAY:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        swap.stop()
    assert not swap._thread.is_alive()
