"""A feed's days through the real scheduler: a backfilled day, one message, and a broken feed that harms nobody."""

import json
import time
from datetime import UTC, date, datetime, timedelta

import pytest

from causal_tasks.data.video_feed import simulate_feed
from causal_tasks.dynamic.serving.manifest import read_manifest
from causal_tasks.lake import feed_uri
from causal_tasks.pipelines.daily import DAILY
from causal_tasks.storage import Storage

pytestmark = pytest.mark.stack

DAY = date(2026, 10, 28)
STAGES = [stage.name for stage in DAILY.stages]
USERS = 500


@pytest.fixture(scope="module")
def airflow(stack):
    api = stack.airflow()
    deadline = time.monotonic() + 90
    while DAILY.name not in api.dags():
        assert not api.import_errors()
        assert time.monotonic() < deadline
        time.sleep(1)
    return api


def backfilled(airflow, day):
    """States of the tasks of a day's run."""
    before = set(airflow.runs(DAILY.name))
    begin = datetime.combine(day, datetime.min.time(), UTC)
    backfill = airflow.backfill(DAILY.name, begin - timedelta(hours=12), begin + timedelta(hours=12))
    deadline = time.monotonic() + 420
    while not airflow.request("GET", f"/backfills/{backfill}")["completed_at"]:
        assert time.monotonic() < deadline
        time.sleep(1)
    (run,) = set(airflow.runs(DAILY.name)) - before
    return airflow.task_states(DAILY.name, run)


@pytest.fixture(scope="module")
def states(stack, airflow):
    """A simulated feed, one whose file states nothing, and one that is paused."""
    lake, storage = stack.settings, Storage(stack.settings)
    feed = simulate_feed(lake, users=USERS, days=21)
    storage.write_bytes(feed_uri("cut_short", lake), b'{"feed_id": "cut_short", ')
    paused = feed.model_dump(mode="json") | {"feed_id": "paused", "status": "paused"}
    storage.write_json(feed_uri("paused", lake), paused)
    return backfilled(airflow, DAY)


def test_a_day_is_learned_scored_measured_and_published(stack, states):
    assert {stage: states[f"day.{stage}[videos]"] for stage in STAGES} == dict.fromkeys(STAGES, "success")
    result = Storage(stack.settings).read_json(f"{stack.settings.lake}/feed-days/videos/r1/{DAY}/result.json")
    assert result["coverage"]["users"]["scored"] == USERS
    assert read_manifest("videos", stack.settings).date == DAY


def test_a_broken_feed_is_red_and_a_paused_one_skipped(states):
    assert states["day.learn[cut_short]"] == states["day.interest[cut_short]"] == "failed"
    assert states["day.learn[paused]"] == states["day.interest[paused]"] == "skipped"
    # A task that never ran has no name of its own, only its place: feeds are in the order of their ids.
    assert states["day.report[0]"] == "upstream_failed"
    assert states["day.report[1]"] == "skipped"
    assert states["day.notify[cut_short]"] == "skipped"


def test_the_group_is_told_of_the_first_day_once(stack, states):
    assert states["day.notify[videos]"] == "success"
    texts = [json.dumps(message) for message in stack.messages() if message["msgtype"] == "markdown_v2"]
    (told,) = [text for text in texts if "feed-days" in text]
    assert f"videos/r1/{DAY}/report.html" in told
