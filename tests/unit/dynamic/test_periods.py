"""Periods under a drawn arm: whose they are, what was known before, and what they brought."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from causal_tasks.data.parts import buckets
from causal_tasks.dynamic.periods import CHOOSE, LEARN, MEASURE, Drawn, in_part, read_periods
from causal_tasks.errors import InputError
from tests.unit.dynamic.feed_tables import ARMS, MONDAY, SmallLake

NEXT = MONDAY + timedelta(days=7)
DATE = MONDAY + timedelta(days=14)
EVERYBODY = range(1000)


@pytest.fixture
def lake(tmp_path):
    """Three users in two weeks; user 2 is not in the second week's table of users."""
    lake = SmallLake(tmp_path)
    lake.write_users(MONDAY, [2, 1, 3], device=["b", "a", "c"])
    lake.write_users(NEXT, [3, 1], device=["c", "a"])
    lake.write_draws(MONDAY, [1, 2, 3], ARMS)
    lake.write_draws(NEXT, [1, 2, 3], ("more_short", "control", "control"))
    lake.write_metrics(MONDAY, 7, [1, 2], watch_seconds=[1.0, 2.0], active=[1, 1])
    lake.write_metrics(NEXT, 7, [1], watch_seconds=[10.0], active=[1])
    return lake


def periods(lake, *, date=DATE, part=EVERYBODY, **changes):
    tables = lake.tables(**changes)
    return read_periods(tables, Drawn.read(tables, date), date, part)


def by_user(found, key):
    weeks = zip(found.users, found.date.astype(str), found.outcomes[key], strict=True)
    return {(user, str(week)): value for user, week, value in weeks}


def test_a_period_has_the_features_of_its_first_morning_and_the_sums_of_its_days(lake):
    found = periods(lake)
    assert by_user(found, "watch_seconds_7d") == {
        (1, "2026-10-05"): 7.0,
        (2, "2026-10-05"): 14.0,
        (3, "2026-10-05"): 0.0,
        (1, "2026-10-12"): 70.0,
        (3, "2026-10-12"): 0.0,
    }
    rows = pd.DataFrame({"user": found.users, "arm": found.arm, "device": found.X["device"], "age": found.X["age"]})
    assert rows.to_numpy().tolist() == [
        [1, "control", "a", 1.0],
        [2, "more_long", "b", 0.0],
        [3, "more_short", "c", 2.0],
        [1, "more_short", "a", 1.0],
        [3, "control", "c", 0.0],
    ]
    assert found.without_features == 1


def test_nothing_of_the_day_itself_or_later_is_read(lake):
    found = periods(lake, date=DATE - timedelta(days=1))
    assert set(found.date.astype(str)) == {"2026-10-05"}
    assert found.not_finished == 3


def test_a_response_that_is_not_over_is_missing_while_shorter_ones_count(lake):
    found = periods(lake, responses=[{"name": "active"}, {"name": "watch_seconds", "days": 14, "weight": 0}])
    assert by_user(found, "active_7d")[1, "2026-10-12"] == 7.0
    assert by_user(found, "watch_seconds_14d") == {
        (1, "2026-10-05"): 77.0,
        (2, "2026-10-05"): 14.0,
        (3, "2026-10-05"): 0.0,
        (1, "2026-10-12"): pytest.approx(np.nan, nan_ok=True),
        (3, "2026-10-12"): pytest.approx(np.nan, nan_ok=True),
    }


def test_a_response_that_is_over_for_nobody_is_named_with_its_days(lake):
    responses = [{"name": "active"}, {"name": "watch_seconds", "days": 14, "weight": 0}]
    with pytest.raises(InputError, match="'watch_seconds_14d', which takes 14 days") as refused:
        periods(lake, date=NEXT, responses=responses)
    assert "wait" in refused.value.remedy


def test_a_response_longer_than_the_time_between_draws_is_known_to_outlast_it(lake):
    def outlasted(days):
        tables = lake.tables(responses=[{"name": "active", "days": days}])
        return Drawn.read(tables, DATE).outlasted()

    assert not outlasted(7)
    assert outlasted(8)


def test_a_user_is_under_the_newest_draw_and_not_for_longer_than_a_response(lake):
    drawn = Drawn.read(lake.tables(), DATE)
    units = pd.Series([1, 3, 9])

    def under(ahead):
        return drawn.under(units, MONDAY + timedelta(days=ahead)).tolist()

    assert under(6) == ["control", "more_short", None]
    assert under(7) == ["more_short", "control", None]
    assert under(13) == ["more_short", "control", None]
    assert under(14) == [None, None, None]


def test_every_user_is_of_one_part_whatever_else_is_in_the_table(lake):
    feed, ids = lake.feed(), pd.Series(range(3000))
    parts = np.stack([in_part(ids, feed, part) for part in (LEARN, CHOOSE, MEASURE)])
    assert (parts.sum(axis=0) == 1).all()
    assert np.abs(parts.mean(axis=1) - [0.6, 0.2, 0.2]).max() < 0.03
    assert in_part(ids[5:9], feed, LEARN).tolist() == parts[0, 5:9].tolist()


def test_only_users_of_the_part_are_read(lake):
    (bucket,) = buckets(pd.Series([1]), "videos")
    with pytest.raises(InputError, match=r"under \['more_long'\]"):
        periods(lake, part=[bucket])


def test_before_a_period_is_over_nothing_can_be_learned(lake):
    with pytest.raises(InputError, match="no period of the 14 days before 2026-10-10 is over") as refused:
        periods(lake, date=MONDAY + timedelta(days=5))
    assert "wait" in refused.value.remedy


def test_a_feature_without_a_value_on_a_morning_is_of_the_kind_of_the_others(lake):
    lake.write_users(MONDAY, [2, 1, 3], device=[None] * 3)
    found = periods(lake)
    assert found.X["device"].dtype == "category"
    assert found.X["device"].isna().tolist() == [True] * 3 + [False] * 2


def test_a_feature_that_is_text_on_one_day_and_a_number_on_another_is_named_with_both_days(lake):
    lake.write_users(MONDAY, [2, 1, 3], device=[1, 2, 3])
    with pytest.raises(InputError, match="'device' is text on 2026-10-12, but numbers on 2026-10-05") as refused:
        periods(lake)
    assert "one type" in refused.value.remedy
