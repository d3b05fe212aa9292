"""The columns from which the event study is made."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causal_tasks.data.periods import Stretches, periods
from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment
from tests.unit.data.lake import STATEMENT, daily, day, healthy

START = day("2026-03-03")
"""Day of first exposure of the four units of the healthy lake."""


def plays(*rows):
    """Rows of (unit, days after the start, plays)."""
    return daily([(unit, START + timedelta(days=after), value) for unit, after, value in rows], "plays")


def stated(**changes):
    return Experiment.model_validate(STATEMENT | changes)


@given(st.integers(1, 366).flatmap(lambda days: st.tuples(st.just(days), st.integers(1, min(days, 20)))))
def test_stretches_follow_each_other_are_nearly_equal_and_know_their_days(sizes):
    stretches = Stretches(*sizes)
    spans = stretches.spans
    assert [day for first, last in spans for day in range(first, last + 1)] == list(range(stretches.days))
    lengths = [last - first + 1 for first, last in spans]
    assert len(spans) == stretches.count
    assert max(lengths) - min(lengths) <= 1
    days = np.arange(stretches.days)
    assert stretches.number(days).tolist() == np.repeat(np.arange(stretches.count), lengths).tolist()


def test_two_weeks_before_are_cut_by_two_days_and_a_week_after_by_day(tmp_path):
    window = {"days": 7, "pre_days": 14, "timezone": "UTC"}
    found = periods(stated(window=window))
    assert [period.column for period in found] == [f"period__{k}" for k in range(14)]
    days = [(period.first_day, period.last_day) for period in found]
    assert days == [(first, first + 1) for first in range(-14, 0, 2)] + [(d, d) for d in range(7)]
    profile = healthy(tmp_path).prepare({"window": window}).profile
    assert profile["periods"][0] == {"column": "period__0", "first_day": -14, "last_day": -13}
    assert len(profile["periods"]) == 14


def test_a_window_that_starts_on_the_next_day_has_no_period_of_the_day_itself():
    found = periods(stated(window={"days": 2, "pre_days": 2, "first_day": "next"}))
    assert [(period.first_day, period.last_day) for period in found] == [(-2, -2), (-1, -1), (1, 1), (2, 2)]


@pytest.mark.parametrize(
    "changes",
    [
        {"window": {"days": 3, "pre_days": 1}},
        {"metrics": [{"name": "plays", "role": "primary", "aggregate": "mean"}]},
        {"metrics": [{"name": "plays", "role": "primary", "aggregate": "any"}]},
        {"metrics": [{"name": "rate", "numerator": "plays", "denominator": "plays", "role": "primary"}]},
    ],
)
def test_there_are_none_where_days_do_not_add_up_or_nothing_can_be_compared(changes, tmp_path):
    prepared = healthy(tmp_path).prepare(changes)
    assert prepared.profile["periods"] == []
    assert not [name for name in prepared.users if name.startswith("period__")]


def test_a_period_holds_the_mean_per_day_before_any_cap(tmp_path):
    rows = [(1, -3, 6.0), (1, -1, 1.0), (1, 0, 10.0), (1, 2, 4.0), (2, -2, 5.0), (2, 1, 2.0), (2, 1, 3.0), (3, 16, 1.0)]
    prepared = healthy(tmp_path, metrics=plays(*rows)).prepare(
        {
            "window": {"days": 3, "pre_days": 3, "timezone": "UTC"},
            "metrics": [{"name": "plays", "role": "primary", "cap": {"value": 5.0}}],
        }
    )
    users = prepared.users
    columns = [f"period__{k}" for k in range(6)]
    assert users[columns].to_numpy().tolist() == [
        [6.0, 0.0, 1.0, 10.0, 0.0, 4.0],
        [0.0, 5.0, 0.0, 0.0, 5.0, 0.0],
        [0.0] * 6,
        [0.0] * 6,
    ]
    assert users["y__plays"].tolist() == [5.0, 5.0, 0.0, 0.0]


def test_periods_of_a_window_add_up_to_its_sum(tmp_path):
    rng = np.random.default_rng(0)
    rows = [
        (int(u), int(d), float(v))
        for u, d, v in zip(rng.integers(1, 5, 60), rng.integers(-10, 5, 60), rng.lognormal(0, 2, 60), strict=True)
    ]
    window = {"days": 5, "pre_days": 10, "timezone": "UTC"}
    prepared = healthy(tmp_path, metrics=plays(*rows, (1, 16, 0.0))).prepare({"window": window})
    days = [(period["last_day"] - period["first_day"] + 1) for period in prepared.profile["periods"]]
    sums = prepared.users[[f"period__{k}" for k in range(12)]] * days
    np.testing.assert_allclose(sums.iloc[:, :7].sum(axis=1), prepared.users["pre__plays"], rtol=1e-12)
    np.testing.assert_allclose(sums.iloc[:, 7:].sum(axis=1), prepared.users["y__plays"], rtol=1e-12)


def test_a_unit_without_rows_in_a_window_lacks_its_periods_where_it_lacks_the_outcome(tmp_path):
    rows = plays((1, -1, 3.0), (1, 0, 2.0), (2, -2, 5.0), (3, 2, 4.0), (3, 16, 1.0), (2, 1, None))
    users = (
        healthy(tmp_path, metrics=rows)
        .prepare({"metrics": [{"name": "plays", "role": "primary", "when_missing": "drop"}]})
        .users
    )
    nothing = [np.nan] * 3
    np.testing.assert_equal(
        users[[f"period__{k}" for k in range(5)]].to_numpy(),
        [[0.0, 3.0, 2.0, 0.0, 0.0], [5.0, 0.0, *nothing], [np.nan, np.nan, 0.0, 0.0, 4.0], [np.nan, np.nan, *nothing]],
    )
    np.testing.assert_equal(users["y__plays"].to_numpy(), [2.0, np.nan, 4.0, np.nan])


def test_a_feature_may_not_be_called_as_a_period_is(tmp_path):
    features = daily([(u, day("2026-03-01"), u) for u in (1, 2)], "period__0")
    with pytest.raises(InputError, match="'period__0' has a reserved beginning"):
        healthy(tmp_path, features=features).prepare()
