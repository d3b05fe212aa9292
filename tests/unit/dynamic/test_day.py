"""A feed's day: filled once, from one statement, and never half written."""

from datetime import date
from threading import Barrier, Thread

import pytest

from causal_tasks.dynamic.day import FeedDay, load_feed, stated_feeds
from causal_tasks.errors import InputError
from causal_tasks.pipelines import daily
from causal_tasks.pipelines.daily import DAILY, run_day, run_day_stage
from causal_tasks.pipelines.declaration import Pipeline, Stage
from causal_tasks.stage_files import Attempt
from tests.unit.dynamic.feed_tables import SmallLake, statement

DAY = date(2026, 10, 31)
calls: list[str] = []


def first(context):
    calls.append("first")
    if context.feed.owner == "nobody":
        context.write_json("half.json", 1)
        raise InputError("no owner", remedy="state one")
    return {"number": context.write_json("number.json", 20)}


def last(context):
    calls.append("last")
    number = context.read_json("first", "number") + context.date.day
    return {"result": context.write_json("result.json", number), "report": context.write_bytes("r.html", b"<p>")}


@pytest.fixture
def lake(tmp_path, monkeypatch):
    calls.clear()
    stages = (
        Stage(name="first", run=f"{__name__}:first", code=1),
        Stage(name="last", run=f"{__name__}:last", code=1, needs=("first",)),
    )
    monkeypatch.setattr(daily, "DAILY", Pipeline("small", stages, publishes=DAILY.publishes))
    return SmallLake(tmp_path)


def opened(lake, day=DAY, **changes):
    return FeedDay.open(lake.feed(**changes), day, lake.settings)


def test_stages_read_those_before_them_and_the_last_one_is_published(lake):
    assert run_day(lake.feed(), DAY, lake.settings) == 51
    day = opened(lake)
    assert day.uri == f"{lake.uri}/feed-days/videos/r1/2026-10-31"
    assert lake.storage.read_bytes(f"{day.uri}/report.html") == b"<p>"
    assert day.manifest("last").inputs == {"first": day.manifest("first").fingerprint}
    assert day.output("last", "picture") is None


def test_what_is_done_is_adopted_and_not_done_twice(lake):
    day = opened(lake)
    assert [run_day_stage(day, "first").adopted for _ in range(2)] == [False, True]
    run_day(lake.feed(), DAY, lake.settings)
    assert calls == ["first", "last"]


@pytest.mark.parametrize("name", ["result.json", "report.html"])
def test_a_report_whose_writer_was_killed_before_it_was_copied_is_published_by_the_next_one(lake, name):
    run_day(lake.feed(), DAY, lake.settings)
    lake.storage.delete(f"{opened(lake).uri}/{name}")
    assert run_day(lake.feed(), DAY, lake.settings) == 51
    assert lake.storage.exists(f"{opened(lake).uri}/{name}")
    assert calls == ["first", "last"]


def test_a_paused_feed_is_not_scored(lake):
    with pytest.raises(InputError, match="'videos' is paused") as refused:
        run_day(lake.feed(status="paused"), DAY, lake.settings)
    assert "active" in refused.value.remedy
    assert calls == []


def test_a_stage_whose_input_is_missing_says_so(lake):
    with pytest.raises(InputError, match=r"stage 'first' of feed videos\.r1 on 2026-10-31 has not been done"):
        run_day_stage(opened(lake), "last")


def test_a_failed_stage_leaves_its_reason_and_no_manifest_and_can_be_done_again(lake):
    with pytest.raises(InputError, match="no owner"):
        run_day_stage(opened(lake, owner="nobody"), "first")
    day = opened(lake)
    assert day.manifest("first") is None
    (record,) = [f.path for f in lake.storage.list_files(f"{day.uri}/first") if f.path.startswith("failure-")]
    assert lake.storage.read_json(f"{day.uri}/first/{record}")["remedy"] == "state one"
    assert not run_day_stage(day, "first").adopted


def test_of_two_that_do_a_stage_at_once_one_is_kept_and_both_name_it(lake):
    day, start, kept = opened(lake), Barrier(2), []

    def do():
        attempt = Attempt(day.instance("first", code=1, inputs=[]))
        written = lake.storage.write_json(f"{attempt.folder}/number.json", id(attempt))
        start.wait()
        kept.append(attempt.commit({"number": written}, {}))

    threads = [Thread(target=do) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert kept[0] == kept[1] == day.manifest("first")


@pytest.mark.parametrize(
    "changes",
    [{"name": "Short videos"}, {"owner": "we"}, {"serving": {"exploration": 0.2}}, {"delivery": {"languages": ["en"]}}],
)
def test_names_and_what_is_served_may_change_within_a_revision(lake, changes):
    opened(lake)
    opened(lake, date(2026, 11, 1), **changes)


@pytest.mark.parametrize("changes", [{"segment": "tier"}, {"learning": {"days": 7}}, {"control": "none"}])
def test_what_is_learned_may_not(lake, changes):
    opened(lake)
    with pytest.raises(InputError, match="raise revision") as refused:
        opened(lake, date(2026, 11, 1), **changes)
    assert next(iter(changes)) in refused.value.message
    opened(lake, date(2026, 11, 1), revision=2, **changes)


def test_the_days_before_are_of_the_same_revision(lake):
    assert opened(lake, revision=3).before(31).uri == f"{lake.uri}/feed-days/videos/r3/2026-09-30"


def test_another_day_or_statement_has_another_fingerprint(lake):
    def fingerprint(day):
        return day.instance("first", code=1, inputs=[]).fingerprint

    day = opened(lake)
    assert fingerprint(day) == fingerprint(opened(lake, owner="we"))
    assert fingerprint(day) != fingerprint(day.before(1))
    assert fingerprint(day) != fingerprint(opened(lake, revision=2, segment="tier"))


def test_feeds_are_listed_and_loaded_by_id(lake):
    lake.storage.write_json(f"{lake.uri}/feeds/videos.json", statement(lake.uri))
    lake.storage.write_json(f"{lake.uri}/feeds/other.json", statement(lake.uri))
    lake.storage.write_bytes(f"{lake.uri}/feeds/broken.json", b"{")
    lake.storage.write_json(f"{lake.uri}/feeds/archive/old.json", {})
    assert stated_feeds(lake.settings) == ["broken", "other", "videos"]
    assert load_feed("videos", lake.settings) == lake.feed()
    assert load_feed(f"{lake.uri}/feeds/other.json", lake.settings) == lake.feed()
    for feed, words in (("nobody", "there is no feed at"), ("broken", "is no JSON"), ("other", "states feed_id 'vid")):
        with pytest.raises(InputError, match=words):
            load_feed(feed, lake.settings)
