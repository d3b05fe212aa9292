"""What a day's decision means for each response, on periods made by hand."""

import numpy as np
import pandas as pd
import pytest

from causal_tasks.dynamic.day_responses import arms_by_period, told_guards, told_pareto, told_preference
from causal_tasks.dynamic.periods import Periods
from causal_tasks.dynamic.responses import Preferences
from tests.unit.dynamic.feed_tables import ARMS, SmallLake
from tests.unit.dynamic.logs import planted_log

RESPONSES = [
    {"name": "watch_seconds", "weight": 1},
    {"name": "active", "weight": 0, "guarded": True, "tolerance": 0.1},
    {"name": "stayed", "days": 1, "weight": 0},
]


@pytest.fixture
def feed(tmp_path):
    return SmallLake(tmp_path).feed(responses=RESPONSES)


def periods_of(rows=3000, *, active=(4.0, 4.0, 4.0), seed=0):
    """Periods in which treatment 1 brings watch time to users whose ``x`` is above zero, else takes some."""
    generator = np.random.default_rng(seed)
    x, arm = generator.normal(size=rows), generator.integers(0, 3, rows)
    gain = np.column_stack([np.zeros(rows), 30 * np.sign(x), np.full(rows, -10.0)])
    watched = 200 + gain[np.arange(rows), arm] + generator.normal(0, 40, rows)
    outcomes = {
        "watch_seconds_7d": watched,
        "active_7d": np.array(active)[arm] + generator.normal(0, 1, rows),
        "stayed_1d": (generator.random(rows) < 0.3 + 0.2 * (arm == 1) * (x > 0)).astype(float),
    }
    users = pd.Series(np.arange(rows) // 2)
    dates = np.full(rows, np.datetime64("2026-10-05")) + 7 * (np.arange(rows) % 2)
    labels = np.array(ARMS, dtype=object)[arm]
    periods = Periods(users, dates, labels, pd.DataFrame({"x": x}), np.full(rows, "all", dtype=object), outcomes, 0, 0)
    by_response = {
        "watch_seconds_7d": (200 + gain).astype(np.float32),
        "active_7d": np.tile(np.float32(active), (rows, 1)),
        "stayed_1d": (0.3 + gain / 100).astype(np.float32),
    }
    predicted = Preferences(ARMS, by_response["watch_seconds_7d"], by_response, np.ones((rows, 2), dtype=bool))
    return periods, predicted


def test_every_response_and_treatment_has_its_ranking_and_effect(feed):
    periods, predicted = periods_of()
    rows, _ = told_preference(periods, predicted, feed)
    told = {(row["response"], row["treatment"]): row for row in rows}
    assert len(told) == 6
    watched = told["watch_seconds_7d", "more_long"]
    assert watched["auuc"]["interval"][0] > 0
    assert watched["effect"]["interval"][0] < 0 < watched["effect"]["interval"][1]
    assert told["watch_seconds_7d", "more_short"]["effect"]["estimate"] == pytest.approx(-10, abs=4)


def test_published_scores_are_told_of_responses_of_0_and_1_only(feed):
    periods, predicted = periods_of()
    rows, notes = told_preference(periods, predicted, feed)
    told = {(row["response"], row["treatment"]): row["published"] for row in rows}
    assert notes == []
    assert told["watch_seconds_7d", "more_long"] is None
    assert told["stayed_1d", "more_long"]["qini"]["z"] > 2


def test_where_nobody_responds_published_scores_are_left_out_with_a_note(feed):
    periods, predicted = periods_of()
    nobody = periods.outcomes | {"stayed_1d": np.zeros(len(periods))}
    fields = {name: getattr(periods, name) for name in Periods.__dataclass_fields__}
    rows, notes = told_preference(Periods(**fields | {"outcomes": nobody}), predicted, feed)
    assert notes == ["no_published_scores:stayed_1d"]
    assert {row["published"] for row in rows} == {None}


def test_a_period_has_the_arms_that_its_requests_would_get_and_control_without_any(feed):
    periods = periods_of(6)[0]
    log, _ = planted_log(8)
    asked = type(log)(
        **{name: getattr(log, name) for name in log.__dataclass_fields__}
        | {
            "users": np.array([0, 0, 0, 0, 1, 1, 2, 9]),
            "date": np.array(
                [
                    "2026-10-05",
                    "2026-10-11",
                    "2026-10-11",
                    "2026-10-12",
                    "2026-10-18",
                    "2026-10-19",
                    "2026-10-04",
                    "2026-10-05",
                ],
                dtype="datetime64[D]",
            ),
        }
    )
    shares = arms_by_period(periods, asked, np.array([1, 1, 0, 2, 1, 1, 1, 1]), feed)
    assert shares.tolist() == [
        pytest.approx([1 / 3, 2 / 3, 0]),
        [0, 0, 1],
        [1, 0, 0],
        [0, 1, 0],
        [1, 0, 0],
        [1, 0, 0],
    ]


@pytest.mark.parametrize(
    ("active", "kept", "shown"),
    [((4.0, 4.0, 4.0), True, True), ((4.0, 3.0, 3.0), False, False), ((4.0, 3.6, 3.6), True, False)],
)
def test_a_guard_is_broken_shown_to_be_kept_or_neither(feed, active, kept, shown):
    periods, _ = periods_of(active=active)
    (guard,) = told_guards(periods, np.tile([0.0, 0.5, 0.5], (len(periods), 1)), feed)
    assert (guard["kept"], guard["shown"]) == (kept, shown)
    assert guard["largest_fall"] == pytest.approx(0.1 * guard["control_mean"])
    assert guard["difference"]["estimate"] == pytest.approx(active[1] - 4.0, abs=0.15)


def test_responses_that_are_not_over_are_left_out_of_guards(feed):
    periods, _ = periods_of()
    half = periods.outcomes["active_7d"].copy()
    half[::2] = np.nan
    late = Periods(**{n: getattr(periods, n) for n in Periods.__dataclass_fields__} | {"outcomes": {"active_7d": half}})
    (guard,) = told_guards(late, np.zeros(len(periods), dtype=np.intp), feed)
    assert guard["difference"]["estimate"] == 0
    assert guard["control_mean"] == pytest.approx(half[(periods.arm == "control") & np.isfinite(half)].mean())


def test_the_stated_weights_come_first_and_weighting_the_guard_only_brings_less_watch_time(feed):
    periods, predicted = periods_of(active=(4.0, 4.0, 4.4))
    told = told_pareto(periods, predicted, feed)
    assert told["responses"] == ["watch_seconds_7d", "active_7d"]
    stated, watched, *_, active = told["rows"]
    assert stated["stated"]
    assert stated["weights"] == {"watch_seconds_7d": 1, "active_7d": 0}
    assert watched["values"] == stated["values"]
    assert active["weights"]["watch_seconds_7d"] == 0
    assert active["changes"]["active_7d"]["interval"][0] > 0
    assert active["values"]["watch_seconds_7d"]["estimate"] < watched["values"]["watch_seconds_7d"]["estimate"]


def test_there_is_no_trade_where_one_response_counts(tmp_path):
    feed = SmallLake(tmp_path).feed(responses=[{"name": "watch_seconds"}, {"name": "stayed", "days": 1, "weight": 0}])
    assert told_pareto(*periods_of(), feed) is None
