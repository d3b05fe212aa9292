"""Shrinkage by hand, by regression to the truth, and for the best of eight leaves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.meta_analysis import combine_effects

from causal_tasks.evaluation.estimate import Estimate
from causal_tasks.subpopulations.shrinkage import shrunken, variance_between


def groups(effects, errors):
    return [Estimate.of(effect, error) for effect, error in zip(effects, errors, strict=True)]


def test_with_equal_errors_it_is_the_variance_of_estimates_beyond_that_of_noise():
    effects = [1.0, 2.0, 4.0]
    assert variance_between(groups(effects, [0.5] * 3)) == pytest.approx(np.var(effects, ddof=1) - 0.25)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(0.1, 3)), min_size=2, max_size=12))
def test_with_unequal_errors_it_is_that_of_dersimonian_and_laird(pairs):
    effects, errors = (np.array(column) for column in zip(*pairs, strict=True))
    expected = combine_effects(effects, errors**2, method_re="chi2").tau2
    assert variance_between(groups(effects, errors)) == pytest.approx(max(0.0, expected), abs=1e-9)


def test_estimates_that_differ_less_than_their_noise_do_not_differ():
    assert variance_between(groups([1.0, 1.1, 0.9], [0.5] * 3)) == 0.0


@pytest.mark.parametrize("number", [0, 1])
def test_fewer_than_two_groups_say_nothing_about_differences(number):
    assert variance_between(groups([1.0] * number, [0.5] * number)) is None


def test_groups_without_noise_differ_by_what_is_seen():
    assert variance_between(groups([1.0, 3.0], [0.0, 0.0])) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("between", "error", "expected"), [(0.0, 0.5, 1.0), (0.25, 0.5, 1.5), (1e9, 0.5, 2.0), (0.0, 0.0, 2.0)]
)
def test_an_effect_moves_to_the_average_by_its_share_of_noise(between, error, expected):
    assert shrunken(Estimate.of(2.0, error), average=1.0, between=between) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("spread", "raw", "shrunk", "truth"),
    [(0.0, 0.092, 0.032, 0.020), (0.03, 0.103, 0.044, 0.042), (0.06, 0.132, 0.081, 0.086)],
)
def test_the_best_of_eight_leaves_is_flattered_and_shrinkage_takes_most_of_it_back(spread, raw, shrunk, truth):
    random = np.random.default_rng(0)
    seen = []
    for _ in range(2000):
        effects = 0.02 + spread * random.normal(size=8)
        leaves = groups(effects + 0.05 * random.normal(size=8), [0.05] * 8)
        best = int(np.argmax([leaf.estimate for leaf in leaves]))
        average = float(np.mean([leaf.estimate for leaf in leaves]))
        pulled = shrunken(leaves[best], average=average, between=variance_between(leaves))
        seen.append((leaves[best].estimate, pulled, effects[best]))
    np.testing.assert_allclose(np.mean(seen, axis=0), [raw, shrunk, truth], atol=0.006)
