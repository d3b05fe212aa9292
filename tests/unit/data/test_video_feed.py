"""A simulated feed keeps the contract of feeds, and its truth fits its tables."""

import json
from datetime import date

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from causal_tasks.cli import app
from causal_tasks.data.video_feed import simulate_feed
from causal_tasks.errors import InputError
from causal_tasks.feed import Feed
from causal_tasks.settings import Settings

FIRST, LAST = "2026-10-19", "2026-11-01"


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    return tmp_path_factory.mktemp("lake")


@pytest.fixture(scope="module")
def made(lake):
    return simulate_feed(Settings(lake=f"file://{lake}"), users=1_500, days=14, seed=3)


def _table(lake, name):
    parts = sorted((lake / "tables/videos" / name).glob("*/*.parquet"))
    return pd.concat([pq.read_table(part, partitioning=None).to_pandas() for part in parts], ignore_index=True)


@pytest.fixture(scope="module")
def requests(made, lake):
    return _table(lake, "requests")


@pytest.fixture(scope="module")
def truth(made, lake):
    return pd.concat([pd.read_parquet(part) for part in sorted((lake / "truth/videos-requests").glob("*/*.parquet"))])


def test_the_statement_in_the_lake_is_the_feed_and_names_columns_that_are_there(made, lake, requests):
    written = json.loads((lake / "feeds/videos.json").read_text())
    assert Feed.parse(written, source="test") == made
    columns = made.columns
    assert {columns.request, columns.reward, columns.candidates, made.unit, made.arm_column} <= set(requests)
    assert {columns.recent_durations, columns.recent_played, columns.shown_durations, columns.shown_played} <= set(
        requests
    )
    assert set(columns.context) <= set(requests)
    assert {response.name for response in made.responses} <= set(_table(lake, "metrics"))
    assert made.segment in _table(lake, "users")


def test_users_are_told_of_every_morning_and_one_more_and_assignments_of_every_week(made, lake):
    users, assignments = _table(lake, "users"), _table(lake, "assignments")
    assert users["date"].min() == date.fromisoformat(FIRST)
    assert users["date"].max() == date(2026, 11, 2)
    assert (users.groupby("date").size() == 1_500).all()
    assert assignments["date"].unique().tolist() == [date(2026, 10, 19), date(2026, 10, 26)]
    assert set(assignments["arm"]) == set(made.arms)
    assert _table(lake, "metrics")["date"].max() == date.fromisoformat(LAST)


def test_metrics_are_sums_of_requests_and_requests_carry_the_arm_of_their_week(made, lake, requests):
    metrics = _table(lake, "metrics").set_index(["user_id", "date"])
    summed = requests.groupby(["user_id", "date"])["watch_seconds"].sum()
    assert (metrics["active"] == 1).all()
    assert metrics["watch_seconds"].sort_index().to_numpy() == pytest.approx(summed.sort_index().to_numpy(), abs=1.0)
    assignments = _table(lake, "assignments").rename(columns={"date": "week", "arm": "drawn"})
    week = requests["date"].map(lambda day: date(2026, 10, 19) if day < date(2026, 10, 26) else date(2026, 10, 26))
    joined = requests.assign(week=week).merge(assignments, on=["user_id", "week"])
    assert len(joined) == len(requests)
    assert (joined["arm"] == joined["drawn"]).all()


def test_requests_are_unique_and_their_lists_belong_together(requests):
    assert requests["request_id"].is_unique
    lengths = {name: requests[name].map(len) for name in requests if name.startswith(("recent", "shown", "cand"))}
    assert (lengths["recent_durations"] == lengths["recent_played"]).all()
    assert lengths["recent_durations"].min() == 0
    assert set(lengths["shown_durations"]) == set(lengths["shown_played"]) == {10}
    assert set(lengths["candidates"]) == {24}
    played = requests["shown_played"].map(np.sum)
    assert played.to_numpy() == pytest.approx(requests["watch_seconds"].to_numpy(), abs=0.06)


def test_the_truth_tells_what_arms_and_policies_bring(made, lake, requests, truth):
    told = json.loads((lake / "truth/videos.json").read_text())
    assert truth["request_id"].tolist() == requests["request_id"].tolist()
    rewards = truth[[f"reward__{arm}" for arm in made.arms]].to_numpy()
    assert told["reward"] == pytest.approx(dict(zip(made.arms, rewards.mean(axis=0), strict=True)))
    preference = pd.read_parquet(lake / "truth/videos.parquet").set_index("user_id")
    liked = preference.loc[truth["user_id"]].to_numpy().argmax(axis=1)
    policies = told["policies"]
    assert policies["best_arm_by_user"] == pytest.approx(rewards[np.arange(len(rewards)), liked].mean())
    assert policies["best_arm_by_request"] == pytest.approx(rewards.max(axis=1).mean())
    assert policies["best_arm_by_request"] > 1.04 * policies["best_arm_by_user"]
    assert policies["best_arm_by_user"] > 1.08 * policies["best_arm_for_everybody"]
    arm = pd.Index(made.arms).get_indexer(requests["arm"])
    gap = requests["watch_seconds"].to_numpy() - rewards[np.arange(len(rewards)), arm]
    assert abs(gap.mean()) < 4 * gap.std() / np.sqrt(len(gap))
    assert truth[[f"interest__{name}" for name in made.treatments]].mean().to_numpy() == pytest.approx(1, abs=0.03)


def test_a_later_end_leaves_the_earlier_days_as_they_are(made, lake, tmp_path):
    simulate_feed(Settings(lake=f"file://{tmp_path}"), users=1_500, days=7, last_day=date(2026, 10, 25), seed=3)
    shorter = sorted(path.relative_to(tmp_path) for path in (tmp_path / "tables").rglob("*.parquet"))
    assert len(shorter) == 8 + 1 + 7 + 7
    for path in shorter:
        assert (tmp_path / path).read_bytes() == (lake / path).read_bytes(), path


def test_simulating_again_replaces_and_never_touches_a_real_feed(tmp_path):
    settings = Settings(lake=f"file://{tmp_path}")
    simulate_feed(settings, users=50, days=8)
    simulate_feed(settings, users=40, days=7, bucketing="four")
    assert len(list((tmp_path / "tables/videos/requests").iterdir())) == 7
    assert _table(tmp_path, "users")["user_id"].nunique() == 40
    (tmp_path / "feeds/real.json").write_text("{}")
    with pytest.raises(InputError, match="was not simulated"):
        simulate_feed(settings, feed_id="real", users=50)
    with pytest.raises(InputError, match="6 days"):
        simulate_feed(settings, users=50, days=6)


def test_the_command_writes_a_feed_and_says_what_comes_next(tmp_path):
    lake = f"file://{tmp_path}"
    options = ["--users", "100", "--days", "7", "--bucketing", "four", "--last-day", "2026-10-31", "--lake", lake]
    answer = CliRunner().invoke(app, ["simulate-videos", *options])
    assert answer.exit_code == 0, answer.output
    assert "daily videos 2026-11-01" in " ".join(answer.output.split())
    assert len(Feed.parse(json.loads((tmp_path / "feeds/videos.json").read_text()), source="test").arms) == 5
