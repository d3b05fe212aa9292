"""A manifest moves forward only, and what is none is refused."""

import json
from datetime import timedelta

import pytest

from causal_tasks.dynamic.serving.manifest import Manifest, publish, read_manifest
from causal_tasks.errors import InputError
from causal_tasks.lake import manifest_uri
from causal_tasks.storage import Storage
from tests.unit.dynamic.serving.published_feed import DAY, FEED, publish_day


def test_what_was_published_is_read_back(tmp_path):
    settings, manifest = publish_day(tmp_path, thresholds=(1.0, float("inf")))
    assert read_manifest("videos", settings) == manifest
    assert manifest.decision["thresholds"] == [1.0, None]


def test_nothing_was_published(tmp_path):
    settings, _ = publish_day(tmp_path)
    assert read_manifest("other", settings) is None


def test_an_earlier_day_never_replaces_a_later_one(tmp_path):
    settings, first = publish_day(tmp_path)
    earlier = first.model_copy(update={"date": DAY - timedelta(days=1)})
    assert not publish(earlier, settings)
    assert read_manifest("videos", settings) == first
    later = first.model_copy(update={"date": DAY + timedelta(days=1)})
    assert publish(later, settings)
    assert read_manifest("videos", settings) == later


def test_a_day_that_is_done_again_and_a_newer_revision_replace(tmp_path):
    settings, first = publish_day(tmp_path)
    again = first.model_copy(update={"decision": first.decision | {"exploration": 0.5}})
    assert publish(again, settings)
    revised = first.model_copy(
        update={"feed": FEED.model_copy(update={"revision": 2}), "date": DAY - timedelta(days=9)}
    )
    assert publish(revised, settings)
    assert not publish(again, settings)
    assert read_manifest("videos", settings) == revised


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "Invalid JSON"),
        (b"{", "Invalid JSON"),
        (b"\xff\xfe", "Invalid JSON"),
        (b"[]", "manifest: "),
        (b"{}", "feed: Field required; date: Field required; lookup: Field required"),
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path, content, words):
    settings, _ = publish_day(tmp_path)
    Storage(settings).write_bytes(manifest_uri("videos", settings), content)
    with pytest.raises(InputError, match=r"manifest\.json: ") as refused:
        read_manifest("videos", settings)
    assert words in refused.value.message


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("format", 2, "format: "),
        ("surplus", 1, "surplus: "),
        ("lookup", {"uri": "s3://a", "sha256": "abc"}, "lookup.sha256: "),
        ("interest", {"uri": "s3://a", "files": {}}, "interest.files: "),
        ("interest", {"uri": "s3://a", "files": {"../up": "0" * 64}}, "interest.files.../up"),
        ("interest", {"uri": "s3://a", "files": {"/etc/passwd": "0" * 64}}, "interest.files./etc/passwd"),
    ],
)
def test_a_wrong_field_is_named(tmp_path, field, value, words):
    _, manifest = publish_day(tmp_path)

    stated = manifest.model_dump(mode="json") | {field: value}
    with pytest.raises(InputError) as refused:
        Manifest.parse(json.dumps(stated).encode(), source="test")
    assert words in refused.value.message
