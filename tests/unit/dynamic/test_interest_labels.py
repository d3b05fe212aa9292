"""The labels of the request-time model in closed form, and what their means say of the true interest."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from causal_tasks.dynamic.interest_labels import interest_labels
from causal_tasks.dynamic.ragged import Ragged
from causal_tasks.errors import InputError

SHORT, BETWEEN, LONG = 0, 1, 2
"""Plays of items of the first category; the second category's are three further."""

SHOWN = Ragged.of([[LONG, LONG, SHORT], [SHORT, BETWEEN], [], [LONG, 3 + LONG], [3 + BETWEEN, 3 + SHORT]])
USER = ["a", "a", "a", "b", "b"]


def test_ratio_in_closed_form():
    labels = interest_labels(SHOWN, USER, [0, 1], kind="ratio", prior_requests=2.0)
    # (long + 1) / (short + 1) of the first category: 3/2, 1/2, -, 2, -; everybody's mean 4/3.
    relative = np.array([1.5, 0.5, np.nan, 2.0, np.nan])
    usual_a, usual_b = (1.5 + 0.5 + 2 * 4 / 3) / 4, (2 + 2 * 4 / 3) / 3
    relative /= [usual_a, usual_a, usual_a, usual_b, usual_b]
    assert_allclose(labels[:, 0], relative / np.nanmean(relative), rtol=1e-6)
    # The second: -, -, -, 2, 1/2, of one user, whose mean is everybody's.
    assert_allclose(labels[:, 1], np.array([np.nan, np.nan, np.nan, 2.0, 0.5]) / 1.25, rtol=1e-6)


def test_smoothing_is_added_to_both_counts():
    labels = interest_labels(SHOWN, USER, [1], kind="ratio", smoothing=0.5)[:, 0]
    assert labels[3] / labels[4] == pytest.approx((1.5 / 0.5) / (0.5 / 1.5), rel=1e-6)


def test_share_in_closed_form():
    labels = interest_labels(SHOWN, USER, [0], kind="share", prior_requests=0.0)
    # Long plays over all: 2/3, 0, -, 1, -, by the users' own means 1/3 and 1.
    assert_allclose(labels[:, 0], [2, 0, np.nan, 1, np.nan], rtol=1e-6)


def test_a_strong_prior_compares_with_everybody():
    labels = interest_labels(SHOWN, USER, [0], kind="share", prior_requests=1e12)
    assert_allclose(labels[:, 0], np.array([2 / 3, 0, np.nan, 1, np.nan]) / (5 / 9), rtol=1e-6)


plays = st.lists(st.lists(st.integers(0, 8), max_size=6), min_size=1, max_size=30)


@given(plays, st.sampled_from(["ratio", "share"]), st.integers(1, 4))
def test_mean_is_one_and_a_label_is_there_where_the_category_was_shown(lists, kind, users):
    user = np.arange(len(lists)) % users
    labels = interest_labels(Ragged.of(lists), user, [2, 0, 1], kind=kind)
    assert labels.shape == (len(lists), 3)
    for column, category in zip(labels.T, [2, 0, 1], strict=True):
        own = [[token % 3 for token in tokens if token // 3 == category] for tokens in lists]
        succeeded = kind == "ratio" or any(LONG in tokens for tokens in own)
        assert_array_equal(np.isfinite(column), [bool(tokens) and succeeded for tokens in own])
        if np.isfinite(column).any():
            assert np.nanmean(column) == pytest.approx(1, rel=1e-5)
            assert np.nanmin(column) >= 0


def test_users_may_be_called_anything_and_rows_stand_in_any_order():
    labels = interest_labels(SHOWN, USER, [0, 1])
    order = np.array([3, 1, 4, 0, 2])
    shuffled = interest_labels(SHOWN.take(order), pd.Series([7, 3, 7, 3, 3], dtype="int64[pyarrow]"), [0, 1])
    assert_allclose(shuffled, labels[order], rtol=1e-6)


def simulated(chance, items, seed):
    """Requests that showed so many items of the category, each played long with that chance."""
    random = np.random.default_rng(seed)
    return [
        np.where(random.random(number) < p, LONG, np.where(random.random(number) < 0.7, SHORT, BETWEEN)).tolist()
        for p, number in zip(chance, items, strict=True)
    ]


def test_the_share_tells_the_factor_of_interest_whatever_is_shown_and_the_ratio_does_not():
    rows = 24_000
    items, interest = np.tile([2, 2, 12, 12], rows // 4), np.tile([0.5, 1.5], rows // 2)
    shown, user = Ragged.of(simulated(0.3 * interest, items, seed=3)), np.arange(rows) // 240

    def contrast(kind, number):
        labels = interest_labels(shown, user, [0], kind=kind)[:, 0]
        high, low = (labels[(items == number) & (interest == level)].mean() for level in (1.5, 0.5))
        return high / low

    assert contrast("share", 2) == pytest.approx(3, rel=0.08)
    assert contrast("share", 12) == pytest.approx(3, rel=0.08)
    # By enumeration of all outcomes: 1.90 and 3.58.
    assert contrast("ratio", 2) == pytest.approx(1.90, rel=0.04)
    assert contrast("ratio", 12) == pytest.approx(3.58, rel=0.06)


def test_no_request_has_no_label():
    assert interest_labels(Ragged.of([]), [], [0, 2]).shape == (0, 2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"user": ["a"]}, "user has 1 values of which 0 are missing, there are 5 requests"),
        ({"user": ["a", "a", None, "b", "b"]}, "user has 5 values of which 1 are missing"),
        ({"kind": "odds"}, "kind='odds'"),
        ({"smoothing": 0.0}, "smoothing=0.0"),
        ({"smoothing": float("nan")}, "smoothing=nan"),
        ({"prior_requests": -1.0}, "prior_requests=-1.0"),
    ],
)
def test_wrong_arguments_are_refused(arguments, words):
    with pytest.raises(InputError) as refused:
        interest_labels(**{"shown": SHOWN, "user": USER, "buckets": [0]} | arguments)
    assert words in refused.value.message
