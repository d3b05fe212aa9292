"""A message is sent where a day says what the days before it have not."""

from datetime import date

import pytest

from causal_tasks.dynamic.day import FeedDay
from causal_tasks.dynamic.day_news import news_of
from tests.unit.dynamic.feed_tables import SmallLake

DAY = date(2026, 10, 31)


def result(code="pays", *, published=True, alarms=(), broken=()):
    weeks = ("2026-10-19", "2026-10-26")
    return {
        "verdict": {"code": code},
        "drift": {"rows": [{"segment": "low", "week": week, "alarm": week in alarms} for week in weeks]},
        "guards": [{"response": key, "kept": key not in broken} for key in ("active_7d", "views_7d")],
        "run": {"published": published},
    }


@pytest.fixture
def day(tmp_path):
    lake = SmallLake(tmp_path)
    return FeedDay.open(lake.feed(), DAY, lake.settings)


def told_before(day, ago, before):
    day.storage.write_json(f"{day.before(ago).uri}/result.json", before)


def test_the_first_day_is_news_and_one_that_is_not_served_is_none(day):
    assert news_of(day, result()) == ("first",)
    assert news_of(day, result(published=False)) == ()


def test_a_day_like_the_one_before_is_no_news(day):
    told_before(day, 1, result(alarms=["2026-10-19"], broken=["views_7d"]))
    assert news_of(day, result(alarms=["2026-10-19"], broken=["views_7d"])) == ()
    assert news_of(day, result()) == ()


@pytest.mark.parametrize(
    ("now", "news"),
    [
        (result("not_shown"), ("verdict_changed",)),
        (result(alarms=["2026-10-19", "2026-10-26"]), ("alarm",)),
        (result("guard_broken", broken=["active_7d"]), ("verdict_changed", "guard_broken")),
    ],
)
def test_what_is_new_since_the_newest_earlier_day_is_named(day, now, news):
    told_before(day, 20, result("harms"))
    told_before(day, 3, result(alarms=["2026-10-19"]))
    assert news_of(day, now) == news


def test_after_a_month_without_a_result_a_day_is_the_first_again(day):
    told_before(day, 32, result())
    assert news_of(day, result()) == ("first",)


def test_a_day_that_was_filled_afterwards_and_told_to_nobody_does_not_count(day):
    told_before(day, 1, result(published=False))
    assert news_of(day, result()) == ("first",)
    told_before(day, 2, result("harms"))
    assert news_of(day, result()) == ("verdict_changed",)
