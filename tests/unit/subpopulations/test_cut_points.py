"""Cut points that can be read and still split like the tree's."""

from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causal_tasks.subpopulations.cut_points import round_cut

columns = st.one_of(
    st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=60).map(np.array),
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=60).map(lambda v: np.array(v, dtype=np.float32)),
    st.lists(st.integers(-(2**40), 2**40), min_size=2, max_size=60).map(np.array),
    st.lists(st.booleans(), min_size=2, max_size=60).map(np.array),
    st.lists(st.integers(0, 20).map(lambda tenth: tenth / 10), min_size=2, max_size=60).map(
        lambda v: np.array(v, dtype=np.float32)
    ),
)


def middle_cut(values, position):
    """A cut between two neighbouring values, as a tree makes it."""
    distinct = np.unique(values).astype(np.float64)
    at = position % max(len(distinct) - 1, 1)
    return float(distinct[at : at + 2].mean())


@given(values=columns, position=st.integers(0, 100), tolerance=st.sampled_from([0.0, 0.01, 0.1, 0.5]))
@settings(max_examples=150)
def test_a_rounded_cut_moves_no_more_users_than_allowed_and_leaves_nobody_alone(values, position, tolerance):
    cut = middle_cut(values, position)
    before, after = values <= np.float64(cut), values <= round_cut(values, cut, tolerance=tolerance)
    if before.all() or not before.any():
        assert round_cut(values, cut, tolerance=tolerance) == cut
        return
    assert (before != after).sum() <= tolerance * len(values)
    assert 0 < after.sum() < len(values)


@given(values=columns, position=st.integers(0, 100))
def test_more_tolerance_never_makes_a_cut_less_round(values, position):
    cut = middle_cut(values, position)
    if not 0 < (values <= np.float64(cut)).sum() < len(values):
        return
    steps = [
        Decimal(repr(round_cut(values, cut, tolerance=t))).normalize().as_tuple().exponent for t in (0.0, 0.1, 0.5)
    ]
    zero = [round_cut(values, cut, tolerance=t) == 0 for t in (0.0, 0.1, 0.5)]
    assert all(is_zero or a <= b for (a, b), is_zero in zip(pairwise(steps), zero[1:], strict=True))


@pytest.mark.parametrize(
    ("values", "cut", "rounded"),
    [
        (np.arange(10), 3.5, 3.0),
        (np.array([False, True]), 0.5, 0.0),
        (np.array([0.0, 0.0, 12.7]), 6.35, 0.0),
        (np.array([-5.0, -0.012, 0.0, 3.0]), -0.006, -0.01),
        (np.array([28.31, 31.9]), 29.8712, 30.0),
        (np.array([2.41, 2.62]), 2.515, 2.5),
        (np.array([1234567.0, 1299999.0]), 1267283.0, 1270000.0),
        (np.array([0.2, 0.3], dtype=np.float32), 0.25, 0.2),
        (np.array([-31.0, -29.0]), -30.0, -30.0),
    ],
)
def test_the_roundest_number_between_two_neighbours_is_taken(values, cut, rounded):
    assert round_cut(values, cut, tolerance=0.0) == rounded


def test_a_tolerance_trades_a_few_users_for_a_rounder_number():
    values = np.arange(1000) + 0.5
    assert round_cut(values, 503.0, tolerance=0.0) == 503
    assert round_cut(values, 503.0, tolerance=0.01) == 500


@given(low=st.floats(2**-20, 2**20, width=32))
def test_neighbours_in_single_precision_are_still_told_apart(low):
    values = np.array([low, np.nextafter(np.float32(low), np.float32(np.inf))], dtype=np.float32)
    cut = round_cut(values, float(values.astype(np.float64).mean()), tolerance=0.0)
    assert (values <= cut).tolist() == [True, False]
