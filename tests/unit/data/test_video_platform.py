"""The simulated platform does what its truth says, and the same viewers meet the same days under every policy."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causal_tasks.data.video_moods import RAISED, interest_of_moods
from causal_tasks.data.video_platform import PERIOD, VideoPlatform, rollout
from causal_tasks.data.video_requests import RECENT, list_columns, show
from causal_tasks.data.video_slates import Slates, expected_seconds, played_seconds
from causal_tasks.data.video_viewers import BUCKETINGS, LIKED, bounds, mean_durations
from causal_tasks.errors import InputError


@pytest.fixture(scope="module")
def platform():
    return VideoPlatform(seed=5, users=4_000)


@pytest.fixture(scope="module")
def days(platform):
    return list(platform.days(9))


def test_every_video_lies_in_its_category_and_all_categories_are_met(platform, days):
    candidates = days[0].arrivals.candidates
    category = platform.slates.category(candidates)
    low, high = bounds(platform.durations)[category].transpose(2, 0, 1)
    assert ((candidates >= low - 1e-5) & (candidates < high)).all()
    means = [candidates[category == b].mean() for b in range(3)]
    assert means == pytest.approx(mean_durations(platform.durations), rel=0.02)


@pytest.mark.parametrize("seconds", [14.0, 90.0])
@pytest.mark.parametrize("liking", [0.05, 0.4])
def test_plays_last_as_long_as_expected_and_two_thirds_of_the_engaged_reach_80_per_cent(seconds, liking):
    n = 200_000
    chance = np.random.default_rng(0).random(n, dtype=np.float32)
    played = played_seconds(chance, np.full(n, liking, np.float32), np.full(n, seconds, np.float32))
    assert played.mean() == pytest.approx(expected_seconds(liking, seconds), abs=5 * played.std() / np.sqrt(n) + 1e-3)
    assert (played >= 0.8 * seconds).mean() == pytest.approx(liking * 2 / 3, abs=0.005)
    assert played.max() <= seconds


@given(
    category=st.lists(st.integers(0, 2), min_size=24, max_size=24),
    boost=st.sampled_from([0.1, 0.3, 0.8]),
    arm=st.integers(1, 3),
)
def test_an_arm_adds_to_its_category_what_the_pool_has_and_keeps_the_order_within_both_groups(category, boost, arm):
    slates = Slates(BUCKETINGS["three"], raised=(2, 1, 0), boost=boost)
    pool = np.array([category], dtype=np.int8)
    control, shown = slates.shown(pool, 0)[0], slates.shown(pool, arm)[0]
    assert control.tolist() == [True] * 10 + [False] * 14
    assert shown.sum() == 10
    inside = pool[0] == slates.raised[arm - 1]
    assert shown[inside].sum() == min(control[inside].sum() + slates.added, inside.sum(), 10)
    for group in (inside, ~inside):
        assert (np.diff(shown[group].astype(int)) <= 0).all()  # the ones ranked first


def test_the_expected_reward_of_every_arm_is_the_mean_of_what_it_brings(platform, days):
    arrivals, random = days[0].arrivals, np.random.default_rng(1)
    for arm in range(len(platform.arms)):
        chosen = np.full(len(arrivals), arm)
        gap = []
        for _ in range(20):
            again = type(arrivals)(
                **{field.name: getattr(arrivals, field.name) for field in fields(arrivals) if field.name != "chance"},
                chance=random.random(arrivals.chance.shape, dtype=np.float32),
            )
            gap.append((show(again, chosen, platform.slates).reward - arrivals.reward[:, arm]).mean())
        assert abs(np.mean(gap)) < 4 * np.std(gap, ddof=1) / np.sqrt(len(gap)) + 0.02


def test_preference_is_the_reward_at_usual_interest_over_all_pools(platform, days):
    pools = np.concatenate([day.arrivals.candidates for day in days])
    user = 11
    liking = np.broadcast_to(platform.viewers.liking[user], (len(pools), 3))
    reward = platform.slates.expected_reward(pools, liking)
    error = reward.std(axis=0) / np.sqrt(len(pools))
    assert (abs(reward.mean(axis=0) - platform.preference[user]) < 4 * error).all()
    assert platform.slates.mean_counts().sum(axis=1) == pytest.approx([10.0] * 4)


def test_viewers_differ_in_their_best_arm_and_no_liking_exceeds_one(platform):
    best = np.bincount(platform.preference.argmax(axis=1), minlength=4) / len(platform.preference)
    assert (best[1:] > 0.2).all()
    relative = platform.preference[:, 1:] / platform.preference[:, :1] - 1
    assert (relative.std(axis=0) > 0.08).all()
    for name in BUCKETINGS:
        viewers = VideoPlatform(seed=0, users=5_000, bucketing=name).viewers
        assert viewers.liking.max() == pytest.approx(LIKED)
        assert LIKED * interest_of_moods(len(BUCKETINGS[name].labels)).max() < 1


def test_interest_is_one_on_average_moves_within_a_day_and_shows_in_what_was_played_before(platform, days):
    arrivals = [day.arrivals for day in days]
    interest = np.concatenate([each.interest for each in arrivals])
    assert interest.mean(axis=0) == pytest.approx([1.0] * 3, abs=0.02)
    raised = interest.argmax(axis=1)
    assert interest.max() == pytest.approx(RAISED, rel=0.1)
    assert np.bincount(raised).min() > 0.2 * len(raised)
    user = np.concatenate([each.user for each in arrivals])
    first = np.concatenate([each.visit for each in arrivals]) == 1
    assert (raised[1:] != raised[:-1])[~first[1:] & (user[1:] == user[:-1])].mean() > 0.2
    durations = np.concatenate([each.recent_durations for each in arrivals])
    played = np.concatenate([each.recent_played for each in arrivals])
    long_play = (played >= 0.8 * durations) & (platform.slates.category(durations) == 0) & ~np.isnan(durations)
    short = (platform.slates.category(durations) == 0) & ~np.isnan(durations)
    shares = [long_play[raised == mood].sum() / short[raised == mood].sum() for mood in range(3)]
    assert shares[0] > 1.5 * max(shares[1:])
    assert 0.05 < np.isnan(durations).all(axis=1).mean() < 0.15
    assert durations.shape[1] == RECENT


def test_lists_end_where_a_row_does():
    durations = np.array([[10.0, 20.0, np.nan], [np.nan] * 3, [30.0, np.nan, np.nan]], dtype=np.float32)
    told, played = list_columns(durations, durations / 2)
    assert told.to_pylist() == [[10.0, 20.0], [], [30.0]]
    assert played.to_pylist() == [[5.0, 10.0], [], [15.0]]


def test_an_arm_is_drawn_evenly_for_a_user_and_week(platform, days):
    drawn = np.array([day.drawn for day in days])
    assert (drawn[:PERIOD] == drawn[0]).all()
    assert (drawn[PERIOD:] == drawn[PERIOD]).all()
    table = np.histogram2d(drawn[0], drawn[PERIOD], bins=4)[0]
    assert table == pytest.approx(np.full((4, 4), 250.0), abs=80)
    assert [day.period for day in days[::PERIOD]] == [days[0].date, days[PERIOD].date]
    for day in days:
        assert (day.plays.arm == day.drawn[day.arrivals.user]).all()


def test_a_viewer_meets_the_same_day_under_every_policy_and_more_days_change_no_earlier_one(platform, days):
    other = list(platform.days(3, lambda arrivals, _: np.ones(len(arrivals), dtype=np.intp)))
    for one, two in zip(days, other, strict=False):
        keys = [list(zip(day.arrivals.user, day.arrivals.visit, strict=True)) for day in (one, two)]
        places = [{key: row for row, key in enumerate(of_day)} for of_day in keys]
        both = sorted(places[0].keys() & places[1].keys())
        assert len(both) > 0.5 * len(keys[0])
        rows = [np.array([place[key] for key in both]) for place in places]
        np.testing.assert_array_equal(one.arrivals.candidates[rows[0]], two.arrivals.candidates[rows[1]])
        np.testing.assert_array_equal(one.arrivals.chance[rows[0]], two.arrivals.chance[rows[1]])
    for short, long in zip(platform.days(2), days, strict=False):
        np.testing.assert_array_equal(short.plays.played, long.plays.played)


def test_metrics_are_what_requests_brought_and_only_viewers_who_came_have_any(days):
    day = days[3]
    metrics = day.metrics()
    assert metrics["watch_seconds"].sum() == pytest.approx(day.plays.reward.sum(), rel=1e-4)
    assert metrics["views"].sum() == day.plays.views.sum()
    assert (metrics.loc[~day.active] == 0).all(axis=None)
    assert (metrics["active"] == metrics[["active_enter", "active_slide"]].max(axis=1)).all()
    assert (metrics["app_seconds"] >= metrics["watch_seconds"]).all()
    assert set(day.arrivals.user) == set(np.flatnonzero(day.active))
    came = np.sum([each.active for each in days[1:8]], axis=0)
    np.testing.assert_array_equal(days[8].features["days_active_7d"], came)


def test_pleased_viewers_watch_more_and_come_more_often_by_both_entries():
    platform = VideoPlatform(seed=2, users=2_000)
    good, bad = (
        rollout(platform, 30, lambda arrivals, _, choose=choose: choose(arrivals.reward, axis=1))
        for choose in (np.argmax, np.argmin)
    )
    assert list(good.lifetime) == ["enter_lt7", "slide_lt7", "enter_lt30", "slide_lt30"]
    for name in ("watch_seconds", "app_seconds", "views"):
        assert good.totals[name].mean() > 1.1 * bad.totals[name].mean()
    difference = good.lifetime - bad.lifetime
    assert (difference.mean() > 4 * difference.std() / np.sqrt(2_000)).all()
    assert list(rollout(platform, 7, None).lifetime) == ["enter_lt7", "slide_lt7"]


def test_four_categories_and_a_choice_of_treatments():
    platform = VideoPlatform(seed=1, users=300, bucketing="four", treatments=("very_long", "short"))
    assert platform.arms == ("control", "more_short", "more_very_long")
    assert platform.slates.raised == (0, 3)
    day = next(platform.days(1))
    assert day.arrivals.interest.shape[1] == 4
    assert day.arrivals.reward.shape[1] == platform.preference.shape[1] == 3
    assert set(day.plays.arm) == {0, 1, 2}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"users": 0}, "0 users"),
        ({"seed": -1}, "seed is -1"),
        ({"bucketing": "five"}, "'five'"),
        ({"boost": 1.0}, "boost is 1.0"),
        ({"requests_per_day": 0.5}, "requests_per_day is 0.5"),
        ({"treatments": ("longest",)}, "longest"),
        ({"treatments": ()}, "treatments raise"),
    ],
)
def test_arguments_out_of_range_are_refused(wrong, said):
    with pytest.raises(InputError, match=said):
        VideoPlatform(**{"seed": 0, "users": 10} | wrong)


def test_a_rollout_has_a_week_at_least(platform):
    with pytest.raises(InputError, match="6 days"):
        rollout(platform, 6, None)
