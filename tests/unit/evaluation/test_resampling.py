"""Groups of users, draws of them, and the borders between which a ranking is summed."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causal_tasks.errors import InputError
from causal_tasks.evaluation.ranking import block_ends, borders
from causal_tasks.evaluation.resampling import Resampling


@pytest.mark.parametrize("make", [Resampling.of, Resampling.half_samples])
def test_running_sums_are_those_of_the_users_that_each_draw_holds(make):
    random = np.random.default_rng(0)
    n, values, rows = 700, random.normal(size=700), random.permutation(700)
    resampling, ends = make(n, seed=3), np.array([0, 10, 10, 400, 700])
    users, sums = resampling.running(rows, ends, lambda part: [values[part]])
    for draw in (0, 1, 500, 999):
        weight = resampling.weights[draw][resampling.group[rows]]
        np.testing.assert_allclose(users[draw], [weight[:end].sum() for end in ends])
        np.testing.assert_allclose(sums[draw], [(weight * values)[:end].sum() for end in ends])


def test_half_samples_hold_half_of_the_groups_once():
    weights = Resampling.half_samples(10_000).weights
    assert set(np.unique(weights)) == {0.0, 1.0}
    assert (weights.sum(axis=1) == 100).all()


def ratio_to_plain_error(n, seed):
    values = np.random.default_rng(seed).exponential(size=n)
    halves = Resampling.half_samples(n, seed=seed)
    users, sums = halves.running(np.arange(n), np.array([0, n]), lambda part: [values[part]])
    return (sums[:, 1] / users[:, 1]).std(ddof=1) / (values.std(ddof=1) / np.sqrt(n))


@pytest.mark.parametrize("n", [60, 1_000, 20_000])
def test_the_mean_of_half_samples_spreads_as_the_mean_of_all_users(n):
    assert np.mean([ratio_to_plain_error(n, seed) for seed in range(20)]) == pytest.approx(1, abs=0.05)


def test_groups_are_of_nearly_equal_size_and_hold_whole_clusters():
    clusters = np.repeat(np.arange(900), 3)
    group = Resampling.of(2_700, clusters=clusters).group.reshape(900, 3)
    assert (group == group[:, :1]).all()
    assert set(np.bincount(group[:, 0])) == {4, 5}


def test_one_user_alone_shows_no_uncertainty():
    for n in (0, 1):
        with pytest.raises(InputError, match=f"{n} independent units"):
            Resampling.half_samples(n)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=60), st.integers(1, 12))
def test_a_block_of_equal_scores_is_in_the_stretch_of_its_middle(scores, stretches):
    ranked = np.sort(scores)[::-1].astype(float)
    n, ends = len(ranked), block_ends(ranked)
    found = borders(ends, np.arange(stretches + 1) / stretches)
    assert (found[0], found[-1]) == (0, n)
    for start, stop in pairwise(ends):
        stretch = np.searchsorted(found, start, side="right") - 1
        assert found[stretch] <= start < stop <= found[stretch + 1]
        assert abs((start + stop) / 2 / n - (stretch + 0.5) / stretches) <= 0.5 / stretches + 1e-9
