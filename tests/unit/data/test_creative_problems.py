"""Simulated creatives: the response follows the truth that is told, dense or sparse, and departs where it is asked to."""

import numpy as np
import pytest
from scipy.special import expit

from causal_tasks.data.creative_problems import BLOCKS, creative_problem
from causal_tasks.errors import InputError


def as_array(X):
    return X.toarray() if hasattr(X, "toarray") else X


def problem(rows=2_000, *, sparse=False, **parameters):
    given = {"covariates": 60, "segments": 2, "creatives_per_segment": 3, "seed": 1} | parameters
    return creative_problem(rows, **given, sparse=sparse)


@pytest.mark.parametrize("sparse", [False, True])
def test_a_seed_decides_everything_and_others_share_the_truth_alone(sparse):
    first, again, other = problem(sparse=sparse), problem(sparse=sparse), problem(sparse=sparse, seed=2)
    for name in ("creative", "response", "gamma", "delta", "intercept"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    np.testing.assert_array_equal(as_array(first.X), as_array(again.X))
    assert not np.array_equal(first.gamma, other.gamma)
    more = first.others(500, seed=9)
    assert more.gamma is first.gamma
    assert more.X.shape == (500, 60)
    assert not np.array_equal(as_array(more.X), as_array(first.X[:500]))


@pytest.mark.parametrize("sparse", [False, True])
def test_responses_have_the_probabilities_of_the_creative_that_was_shown(sparse):
    made = problem(200_000, sparse=sparse, apart=1, strength=1.0)
    beta = made.gamma[made.segment_of] + made.delta
    expected = expit(as_array(made.X) @ beta.T + made.intercept)
    every = made.probabilities()
    np.testing.assert_allclose(every, expected, rtol=1e-5)
    for k in range(6):
        likely = (every[:, k] > np.quantile(every[:, k], 0.8)) & (made.creative == k)
        bound = 4 * np.sqrt(0.25 / likely.sum())
        assert abs(made.response[likely].mean() - every[likely, k].mean()) < bound
    assert np.bincount(made.creative) == pytest.approx(np.full(6, 200_000 / 6), rel=0.03)


@pytest.mark.parametrize("sparse", [False, True])
def test_what_is_shared_and_what_departs_has_the_strength_asked_for_over_people(sparse):
    made = problem(50_000, sparse=sparse, apart=1, strength=0.7, departure=0.4, shared=5)
    deviations = [(made.X @ coefficients.T).std(axis=0) for coefficients in (made.gamma, made.delta)]
    np.testing.assert_allclose(deviations[0], [0.7, 0.7], rtol=0.02)
    np.testing.assert_allclose(deviations[1], [0, 0, 0.4, 0, 0, 0.4], rtol=0.02)
    assert ((made.gamma != 0).sum(axis=1) == 5).all()
    assert not ((made.gamma[0] != 0) & (made.gamma[1] != 0)).any()


def test_nothing_apart_means_that_creatives_differ_by_appeal_alone():
    made = problem(appeal=0.0)
    assert not made.delta.any()
    every = made.probabilities()
    np.testing.assert_allclose(every[:, :3], every[:, [0]] * np.ones(3))
    np.testing.assert_allclose(made.segment_probabilities(), every[:, [0, 3]])


def test_a_segment_with_few_creatives_has_all_of_them_apart_and_unequal_segments_are_mixed_by_their_size():
    made = problem(creatives_per_segment=(3, 1), apart=2)
    assert (np.linalg.norm(made.delta, axis=1) > 0).tolist() == [False, True, True, True]
    assert made.segment == {f"message_{k}": f"segment_{1 if k < 4 else 2}" for k in range(1, 5)}
    every = made.probabilities()
    expected = np.column_stack([every[:, :3].mean(axis=1), every[:, 3]])
    np.testing.assert_allclose(made.segment_probabilities(), expected)


def test_dense_covariates_are_standard_normal_and_correlated_as_asked():
    X = problem(100_000, covariates=4, shared=2, correlation=0.3).X
    assert X.dtype == np.float32
    np.testing.assert_allclose(np.cov(X.T), np.where(np.eye(4), 1.0, 0.3), atol=0.02)


def test_sparse_covariates_are_one_level_of_each_column_the_first_most_common():
    X = problem(20_000, sparse=True).X
    by_column = X.toarray().reshape(-1, BLOCKS, 3)
    assert X.dtype == np.float32
    assert (by_column.sum(axis=2) == 1).all()
    np.testing.assert_allclose(by_column.mean(axis=(0, 1)), np.array([6, 3, 2]) / 11, atol=0.005)


@pytest.mark.parametrize("sparse", [False, True])
def test_at_mean_covariates_the_probability_is_the_base_rate(sparse):
    made = problem(sparse=sparse, strength=0.01, appeal=0.0, base_rate=0.2)
    np.testing.assert_allclose(made.probabilities().mean(axis=0), 0.2, atol=0.001)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"creatives_per_segment": (3,)}, "2 segments with"),
        ({"creatives_per_segment": 0}, r"with \[0, 0\] creatives"),
        ({"shared": 61}, "shared is 61 of 60"),
        ({"apart": -1}, "apart is -1"),
        ({"sparse": True, "covariates": 50}, "50 sparse covariates"),
        ({"base_rate": 1.0}, "base_rate 1.0"),
        ({"correlation": 1.0}, "correlation is 1.0"),
        ({"rows": 0}, "a problem of 0 people"),
    ],
)
def test_what_cannot_be_drawn_is_refused(wrong, said):
    with pytest.raises(InputError, match=said):
        problem(**wrong)
