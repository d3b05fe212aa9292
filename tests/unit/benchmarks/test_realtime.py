"""What the benchmarks of real-time uplift measure by: agreement with the truth, intervals, worlds as a feed tells them."""

import numpy as np
import pytest

from benchmarks.realtime.__main__ import PAGE, PARTS
from benchmarks.realtime.ablations import agreement
from benchmarks.realtime.models import best_single_arm, request_columns, true_value
from benchmarks.realtime.paired import by_method, differences, with_interval
from benchmarks.realtime.worlds import World, requests_of
from causal_tasks.data.video_feed import request_rows, simulate_feed
from causal_tasks.data.video_platform import VideoPlatform
from causal_tasks.dynamic.requests import Requests, shown_plays
from causal_tasks.settings import Settings


@pytest.fixture(scope="module")
def world():
    return World.live(VideoPlatform(seed=3, users=300), 2)


def test_agreement_counts_best_arms_ranks_relative_effects_and_values_decisions_by_the_truth():
    truth = np.array([[10.0, 12.0, 9.0], [10.0, 9.0, 8.0], [10.0, 14.0, 13.0]])
    perfect = agreement(truth * [[3.0], [1.0], [2.0]], truth)
    assert perfect == (100.0, pytest.approx(1.0), pytest.approx((12 + 10 + 14) / 3))
    turned = agreement(np.array([[1.0, 1.1, 1.3], [1.0, 1.2, 1.2], [1.0, 1.0, 1.0]]), truth)
    assert turned.best_arm == 0
    assert turned.value == pytest.approx((9 + 9 + 10) / 3)


def test_a_paired_interval_is_students():
    assert with_interval(np.array([1.0, 3.0])) == "+2.00 [-10.71, +14.71]"
    values = by_method([{"a": 1.0, "b": 0.5}, {"a": 3.0, "b": 0.5}])
    assert "| a − b | +1.5 [-11.2, +14.2] |" in differences(values, [("a", "b")], digits=1)


def test_users_learn_choose_or_measure_and_requests_know_their_week(world):
    user = np.arange(300)
    parts = np.array([world.learning(user), world.choosing(user), world.measuring(user)])
    assert (parts.sum(axis=0) == 1).all()
    assert parts.mean(axis=1) == pytest.approx([0.6, 0.2, 0.2], abs=0.08)
    logged, weeks = world.logged, world.weeks
    np.testing.assert_array_equal(weeks.user[logged.week], logged.user)
    np.testing.assert_array_equal(weeks.arm[logged.week], logged.arm)
    summed = np.bincount(logged.week, logged.reward, len(weeks.user))
    assert summed == pytest.approx(weeks.watched, abs=1.0)


def test_requests_of_a_simulation_are_those_that_its_feed_tells(tmp_path):
    feed = simulate_feed(Settings(lake=f"file://{tmp_path}"), users=50, days=7)
    platform = VideoPlatform(seed=7, users=50)
    day = next(platform.days(1))
    told = request_rows(platform, day).to_pandas()
    read, built = Requests.from_frame(told, feed), requests_of([day.arrivals], platform.durations)
    np.testing.assert_array_equal(read.context, built.context)
    for one, other in ((read.recent, built.recent), (read.candidates, built.candidates)):
        np.testing.assert_array_equal(one.offsets, other.offsets)
        np.testing.assert_array_equal(one.tokens, other.tokens)
    assert (shown_plays(told, feed).lengths == 10).all()
    columns = request_columns(built)
    assert columns.filter(like="candidates").sum(axis=1).to_numpy() == pytest.approx(1)
    assert len(columns.columns) == 3 + 9 + 3


def test_a_true_value_is_the_mean_of_expected_rewards_of_users_that_measure(world):
    rows = world.measuring(world.logged.user)
    best = world.logged.truth[rows].argmax(axis=1)
    assert true_value(world, best) == pytest.approx(world.logged.truth[rows].max(axis=1).mean())
    assert best_single_arm(world) in range(4)


def test_the_page_has_a_place_for_every_part():
    page = PAGE.read_text()
    for part in (*PARTS, "gpu"):
        assert page.count(f"<!-- {part}:begin -->") == page.count(f"<!-- {part}:end -->") == 1
