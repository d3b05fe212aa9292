"""What decisions are measured on: requests whose arm was drawn, with features of that morning."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from causal_tasks.data.parts import DISCOVERY_BUCKETS, buckets
from causal_tasks.dynamic.decision import uniform_of
from causal_tasks.dynamic.decision_log import (
    DecisionLog,
    log_of_periods,
    log_of_requests,
    requests_by_day,
    sampled_share,
)
from causal_tasks.dynamic.periods import CHOOSE, MEASURE, Drawn, read_periods
from causal_tasks.dynamic.responses import Preferences
from causal_tasks.errors import InputError
from tests.unit.dynamic.feed_tables import ARMS, MONDAY, SmallLake

DATE = MONDAY + timedelta(days=7)
HELD_OUT = [user for user in range(200) if buckets(pd.Series([user]), "videos")[0] >= DISCOVERY_BUCKETS][:6]
LEARNED = next(user for user in range(200) if buckets(pd.Series([user]), "videos")[0] < DISCOVERY_BUCKETS)


class AgeAsPreference:
    """Models that predict ``age`` plus the position of the arm."""

    features = ("age",)
    interest = None

    def predicted(self, X):
        combined = (X["age"].to_numpy()[:, None] + np.arange(3)).astype(np.float32)
        return Preferences(ARMS, combined, {"watch_seconds_7d": combined}, combined[:, 1:] > 2)


@pytest.fixture
def lake(tmp_path):
    lake = SmallLake(tmp_path)
    lake.write_draws(MONDAY, [*HELD_OUT[:5], LEARNED], ["control", "more_long", "more_short"] * 2)
    for day in (MONDAY, MONDAY + timedelta(days=1)):
        lake.write_users(day, HELD_OUT[:4], tier=["a", "b", None, "a"])
    return lake


def log_of(lake, **changes):
    tables = lake.tables(**changes)
    return log_of_requests(tables, Drawn.read(tables, DATE), DATE, AgeAsPreference())


def test_a_request_counts_with_its_users_features_of_that_morning_and_what_it_brought(lake):
    lake.write_users(MONDAY + timedelta(days=1), HELD_OUT[3::-1], tier=["a", "b", None, "a"])
    for ahead in (0, 1):
        lake.write_requests(MONDAY + timedelta(days=ahead), HELD_OUT[:2], ["control", "more_long"])
    log, counts = log_of(lake, segment="tier")
    assert log.users.tolist() == HELD_OUT[:2] * 2
    assert log.arm.tolist() == [0, 1, 0, 1]
    assert log.preference.tolist() == [[0, 1, 2], [1, 2, 3], [3, 4, 5], [2, 3, 4]]
    assert log.allowed.tolist() == [[False, False], [False, True], [True, True], [True, True]]
    assert log.segment.tolist() == ["a", "b", "a", "missing"]
    assert log.reward.tolist() == [9.0] * 4
    assert counts == {"read": 4, "not_drawn": 0, "crossed": 0, "unknown_users": 0, "sampled_share": 1.0}


def test_requests_of_learned_users_of_other_arms_and_of_the_unknown_do_not_count(lake):
    users = [LEARNED, HELD_OUT[0], HELD_OUT[1], HELD_OUT[4], HELD_OUT[5]]
    lake.write_requests(MONDAY, users, ["more_short", "more_long", "more_long", "more_long", "control"])
    log, counts = log_of(lake)
    assert log.users.tolist() == [HELD_OUT[1]]
    assert counts == {"read": 4, "not_drawn": 1, "crossed": 1, "unknown_users": 1, "sampled_share": 1.0}


def test_a_request_without_an_arm_is_none_of_a_user_for_whom_nothing_was_drawn(lake):
    lake.write_requests(MONDAY, [HELD_OUT[0], HELD_OUT[5]], ["control", None])
    log, counts = log_of(lake)
    assert log.users.tolist() == [HELD_OUT[0]]
    assert (counts["not_drawn"], counts["crossed"]) == (1, 0)


def test_where_no_request_has_the_drawn_arm_the_remedy_says_what_to_write(lake):
    lake.write_requests(MONDAY, HELD_OUT[:1], ["more_long"])
    with pytest.raises(InputError, match="of 1 requests of held-out users") as refused:
        log_of(lake)
    assert "drawn arm" in refused.value.remedy


def test_a_reward_that_is_missing_is_refused(lake):
    lake.write_requests(MONDAY, HELD_OUT[:1], ["control"], watch_seconds=[np.nan])
    with pytest.raises(InputError, match="'watch_seconds' has no finite value in 1 of 1 requests"):
        log_of(lake)


def test_the_days_before_are_read_and_not_the_day_itself(lake):
    lake.write_requests(DATE, HELD_OUT[:1], ["control"])
    with pytest.raises(InputError, match="requests table: no row from 2026-09-28 to 2026-10-11"):
        sampled_share(lake.tables(), DATE)


def test_a_sample_keeps_the_same_requests_and_follows_neither_arm_nor_exploration(lake):
    many = 8000
    lake.write_requests(MONDAY, [HELD_OUT[0]] * many, ["control", "more_long"] * (many // 2))
    tables = lake.tables(learning={"days": 14, "requests": 2000})
    assert sampled_share(tables, DATE) == 0.25
    ((_, kept),) = requests_by_day(tables, DATE, range(1000), share=0.25, shown=False)
    ((_, again),) = requests_by_day(tables, DATE, range(1000), share=0.25, shown=False)
    assert kept["request_id"].tolist() == again["request_id"].tolist()
    assert len(kept) == pytest.approx(2000, abs=160)
    assert (kept["arm"] == "control").mean() == pytest.approx(0.5, abs=0.05)
    assert (uniform_of(kept["request_id"].tolist()) < 0.1).mean() == pytest.approx(0.1, abs=0.03)


def test_parts_and_weeks_of_a_log():
    days = np.arange("2026-10-04", "2026-10-13", dtype="datetime64[D]")
    rows = len(days)
    log = DecisionLog(
        users=np.arange(rows),
        bucket=np.linspace(600, 999, rows).astype(np.int64),
        date=days,
        segment=np.full(rows, "all", dtype=object),
        arm=np.zeros(rows, dtype=np.intp),
        reward=np.ones(rows),
        preference=np.ones((rows, 3), dtype=np.float32),
        interest=None,
        allowed=np.ones((rows, 2), dtype=bool),
    )
    assert log.week.tolist() == ["2026-09-28", *["2026-10-05"] * 7, "2026-10-12"]
    assert [date.fromisoformat(week).weekday() for week in set(log.week)] == [0, 0, 0]
    assert log.of(CHOOSE).users.tolist() + log.of(MEASURE).users.tolist() == list(range(rows))


def test_periods_are_worth_their_weighted_responses_once_these_are_over(lake):
    lake.write_metrics(MONDAY, 7, HELD_OUT[:3], watch_seconds=[1.0, 2.0, 3.0], active=[1, 0, 1])
    responses = [{"name": "watch_seconds", "weight": 2}, {"name": "active", "weight": 10}]
    tables = lake.tables(responses=responses)
    known = read_periods(tables, Drawn.read(tables, DATE), DATE, range(1000))
    longer = {"watch_seconds_14d": np.full(len(known), np.nan)}
    periods = replace(known, outcomes=dict(known.outcomes) | longer)
    tables = lake.tables(responses=[*responses, {"name": "watch_seconds", "days": 14, "weight": 0}])
    log = log_of_periods(tables.feed, periods, AgeAsPreference())
    assert dict(zip(log.users.tolist(), log.reward, strict=True)) == dict(
        zip(HELD_OUT[:4], [84.0, 28.0, 112.0, 0.0], strict=True)
    )
    assert log.interest is None
