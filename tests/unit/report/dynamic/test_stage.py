"""The stage of a feed's day writes every view of the one result."""

from datetime import date

import pytest

from causal_tasks.pipelines import daily
from causal_tasks.pipelines.daily import DAILY, run_day
from causal_tasks.pipelines.declaration import Pipeline, Stage
from causal_tasks.report.dynamic import stage as views
from tests.unit.dynamic.feed_tables import SmallLake
from tests.unit.report.dynamic import sample
from tests.unit.report.test_picture import needs_font

DAY = date(2026, 10, 31)


def publish(context):
    return {"result": context.write_json("result.json", sample.result())}


@pytest.fixture
def lake(tmp_path, monkeypatch):
    stages = (
        Stage(name="publish", run=f"{__name__}:publish", code=1),
        Stage(name="report", run=DAILY["report"].run, code=1, needs=("publish",)),
    )
    monkeypatch.setattr(daily, "DAILY", Pipeline("small", stages, publishes=DAILY.publishes))
    return SmallLake(tmp_path)


def reported(lake):
    feed = lake.feed()
    result = run_day(feed, DAY, lake.settings)
    return result, daily.FeedDay.open(feed, DAY, lake.settings)


@needs_font
def test_page_message_and_picture_tell_the_published_result(lake):
    result, day = reported(lake)
    assert {name: value for name, value in result.items() if name != "run"} == {
        name: value for name, value in sample.result().items() if name != "run"
    }
    assert list(result["run"]["stages"]) == ["publish"]
    page = lake.storage.read_bytes(f"{day.uri}/report.html").decode()
    assert "watch time +4.3% [+2.7%, +6.0%]" in page
    messages = lake.storage.read_json(day.output("report", "message"))
    assert "+4.3%" in messages["en"]["markdown_v2"]["content"]
    assert lake.storage.read_bytes(day.output("report", "picture")).startswith(b"\x89PNG")


def test_without_a_font_the_picture_is_left_out_and_that_is_said(lake, monkeypatch):
    monkeypatch.setattr(views, "find_font", lambda: None)
    result, day = reported(lake)
    assert day.output("report", "picture") is None
    assert result["run"]["notes"] == ["picture_left_out"]
    assert "No picture" in lake.storage.read_json(day.output("report", "message"))["en"]["markdown_v2"]["content"]
