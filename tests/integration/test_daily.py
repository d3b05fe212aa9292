"""A feed's days from tables to what is served, without Airflow: learned, refreshed, filled afterwards, repeated."""

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from causal_tasks.cli import app
from causal_tasks.data.video_feed import simulate_feed
from causal_tasks.dynamic.day import FeedDay, load_feed
from causal_tasks.dynamic.lookup import Lookup
from causal_tasks.dynamic.serving.manifest import read_manifest
from causal_tasks.feed import Feed
from causal_tasks.pipelines.daily import DAILY, run_day, run_day_stage
from causal_tasks.settings import Settings
from causal_tasks.storage import Storage

FIRST, SECOND, EARLIER = date(2026, 10, 27), date(2026, 10, 28), date(2026, 10, 26)
USERS = 600


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    settings = Settings(lake=f"file://{tmp_path_factory.mktemp('daily')}")
    simulate_feed(settings, users=USERS, days=21)
    return settings


def stated(lake, **changes):
    """The simulated feed with changes."""
    return Feed.parse(load_feed("videos", lake).model_dump(mode="json") | changes, source="test")


@pytest.fixture(scope="module")
def days(lake):
    """Results of two days in a row and of one before them that is filled last."""
    feed = load_feed("videos", lake)
    return {day: run_day(feed, day, lake) for day in (FIRST, SECOND, EARLIER)}


def test_a_day_learns_and_the_next_one_refreshes(days):
    first, second = (days[day]["training"]["preference"] for day in (FIRST, SECOND))
    assert (first["how"], first["reason"]) == ("anew", "first")
    assert (second["how"], second["from"], second["anew_on"]) == ("refreshed", str(FIRST), str(FIRST))
    assert first["periods"] == second["periods"]
    assert days[FIRST]["training"]["interest"]["how"] == "anew"


def test_every_user_of_the_morning_is_scored_and_found_in_the_lookup(lake, days):
    day = FeedDay(load_feed("videos", lake), SECOND, lake)
    scores = pq.read_table(day.output("score", "scores").removeprefix("file://")).to_pandas()
    assert len(scores) == days[SECOND]["coverage"]["users"]["scored"] == USERS
    arms = days[SECOND]["feed"]["arms"]
    weights = {response.key: response.weight for response in day.feed.responses}
    for arm in arms:
        combined = sum(weight * scores[f"y__{arm}__{key}"] for key, weight in weights.items())
        np.testing.assert_allclose(scores[f"y__{arm}"], combined, rtol=1e-5)
    lookup = Lookup.open(Path(day.output("score", "lookup").removeprefix("file://")))
    rows = lookup.find_many(scores["user_id"])
    np.testing.assert_array_equal(lookup.preference[rows], scores[[f"y__{arm}" for arm in arms]])
    np.testing.assert_array_equal(lookup.allowed[rows], scores[[f"allowed__{arm}" for arm in arms[1:]]])


def test_what_is_told_was_measured_on_users_whom_nothing_was_learned_or_chosen_on(days):
    users = days[FIRST]["coverage"]["users"]
    assert users["learned"] + users["threshold"] + users["measured"] <= USERS
    requests = days[FIRST]["coverage"]["requests"]
    assert requests["read"] == requests["threshold"] + requests["measured"]
    assert requests["not_drawn"] == requests["crossed"] == requests["unknown_users"] == 0
    assert set(days[FIRST]["policies"]) == {"dynamic", "preference", "interest", "best_arm", "control"}


def test_the_later_day_is_served_although_an_earlier_one_was_filled_after_it(lake, days):
    assert read_manifest("videos", lake).date == SECOND
    assert days[FIRST]["run"]["published"]
    assert (days[EARLIER]["run"]["published"], days[EARLIER]["run"]["kept"]) == (False, str(SECOND))
    assert days[EARLIER]["training"]["preference"]["how"] == "anew"


def test_a_day_is_filled_once_and_a_repeated_job_changes_no_file(lake, days):
    day = FeedDay(load_feed("videos", lake), FIRST, lake)
    before = Storage(lake).list_files(day.uri)
    assert run_day(day.feed, FIRST, lake) == days[FIRST]
    assert Storage(lake).list_files(day.uri) == before
    assert {stage.name for stage in DAILY.stages} <= {file.path.split("/")[0] for file in before}


def test_the_same_tables_give_the_same_models_in_another_revision(lake, days):
    def digests(feed):
        day = FeedDay.open(feed, FIRST, lake)
        for stage in ("learn", "interest"):
            run_day_stage(day, stage)
        return [day.manifest(stage).digests for stage in ("learn", "interest")]

    assert digests(stated(lake, revision=2)) == digests(load_feed("videos", lake))


def test_a_feed_without_requests_decides_by_preference_alone(lake):
    tables = load_feed("videos", lake).tables.model_dump() | {"requests": None}
    feed = stated(lake, feed_id="coarse", tables=tables)
    result = run_day(feed, FIRST, lake)
    assert result["measured_by"] == "period"
    assert set(result["policies"]) == {"dynamic", "best_arm", "control"}
    assert (result["training"]["interest"], result["coverage"]["requests"]) == (None, None)
    assert "preference_only" in result["notes"]
    assert read_manifest("coarse", lake).interest is None


def test_the_command_line_tells_the_headline_and_where_the_report_is(lake, days):
    done = CliRunner().invoke(app, ["daily", "videos", str(FIRST), "--lake", lake.lake])
    assert done.exit_code == 0, done.output
    assert f"{FeedDay(load_feed('videos', lake), FIRST, lake).uri}/report.html" in done.output
    assert "dynamic" in done.output
    refused = CliRunner().invoke(app, ["daily", "videos", "today", "--lake", lake.lake])
    assert "'today' is no date" in str(refused.exception)


def test_before_the_first_period_is_over_the_command_says_what_to_do(lake):
    done = CliRunner().invoke(app, ["daily", "videos", "2026-10-15", "--lake", lake.lake])
    assert "no period of the" in str(done.exception)
    assert "wait" in str(done.exception)
