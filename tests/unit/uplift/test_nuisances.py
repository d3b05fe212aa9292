"""Folds inside a learner, and what its cross-fitted models say."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression

from causal_tasks.base_models import DesignMatrix
from causal_tasks.errors import InputError
from causal_tasks.uplift.nuisances import arm_shares, cross_fit, draw_folds, share_among_two
from causal_tasks.uplift.training_data import TrainingData


def data(arm, clusters=None, outcome=None):
    n = len(arm)
    return TrainingData(
        X=DesignMatrix(pd.DataFrame({"x": np.arange(n, dtype="float32")})),
        outcome=np.arange(n, dtype=float) if outcome is None else outcome,
        arm=np.asarray(arm, dtype=np.intp),
        labels=tuple(f"arm {k}" for k in range(max(arm) + 1)),
        propensity=None,
        weight=None,
        clusters=None if clusters is None else pd.factorize(np.asarray(clusters))[0],
    )


@settings(max_examples=80, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=12, max_size=60),
    folds=st.integers(2, 5),
    whole_arms=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_clusters_are_never_divided_and_folds_are_of_like_size(sizes, folds, whole_arms, seed):
    random = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(len(sizes)), sizes)
    # The first clusters see to it that every arm is in as many of them as there are folds.
    arm_of_cluster = np.concatenate([np.tile([0, 1], 6), random.integers(0, 2, len(sizes) - 12)])
    arm = arm_of_cluster[clusters] if whole_arms else random.integers(0, 2, len(clusters))
    shuffled = random.permutation(len(clusters))
    clusters, arm = clusters[shuffled], arm[shuffled]
    assume(all(len(np.unique(clusters[arm == k])) >= folds for k in (0, 1)))
    fold = draw_folds(data(arm, clusters), folds, seed)
    assert (pd.Series(fold).groupby(clusters).nunique() == 1).all()
    rows = np.bincount(fold, minlength=folds)
    assert len(rows) == folds
    assert np.ptp(rows) <= 2 * max(sizes)
    if whole_arms:
        for k in (0, 1):
            assert np.ptp(np.bincount(fold[arm == k], minlength=folds)) <= max(sizes)


@settings(max_examples=40, deadline=None)
@given(arm=st.lists(st.integers(0, 2), min_size=20, max_size=200), folds=st.integers(2, 6), seed=st.integers(0, 99))
def test_every_fold_of_independent_users_has_the_same_share_of_each_arm(arm, folds, seed):
    arm = [0, 0, 1, 1, 2, 2, *arm]
    fold = draw_folds(data(arm), folds, seed)
    for k in range(3):
        assert np.ptp(np.bincount(fold[np.array(arm) == k], minlength=folds)) <= 1


def test_folds_depend_on_the_seed_alone():
    users = data(np.arange(200) % 2)
    assert np.array_equal(draw_folds(users, 3, 5), draw_folds(users, 3, 5))
    assert not np.array_equal(draw_folds(users, 3, 5), draw_folds(users, 3, 6))


@pytest.mark.parametrize("folds", [1, 0, 2.0, "3", None])
def test_a_number_of_folds_that_is_none_is_refused(folds):
    with pytest.raises(InputError, match=r"folds is .*; use a whole number, 2 or more"):
        draw_folds(data(np.arange(20) % 2), folds, 0)


def test_fewer_clusters_than_folds_are_refused():
    with pytest.raises(InputError, match="there are 3 clusters for 5 folds; use fewer folds"):
        draw_folds(data(np.arange(12) % 2, clusters=np.arange(12) % 3), 5, 0)
    with pytest.raises(InputError, match="there are 4 users for 5 folds"):
        draw_folds(data([0, 0, 1, 1]), 5, 0)


def test_an_arm_that_no_model_could_learn_without_a_fold_is_refused():
    clusters = np.concatenate([np.arange(20), np.full(5, 20)])
    with pytest.raises(InputError, match="all 5 users of arm 'arm 1' are in one fold of clusters; leave out arms"):
        draw_folds(data(np.repeat([0, 1], [20, 5]), clusters), 3, 0)


def test_a_user_is_predicted_by_the_models_that_have_not_seen_it_and_of_the_right_users_only():
    random = np.random.default_rng(0)
    arm, outcome = random.integers(0, 2, 300), random.normal(size=300)
    users = data(arm, outcome=outcome)
    fold = draw_folds(users, 3, 0)
    asked = np.flatnonzero(np.arange(300) % 2 == 0)
    fitted = cross_fit(users, LinearRegression(), fold, outcome, learned=users.rows_of(1), asked=asked)
    x = np.arange(300.0)[:, None]
    for number, model in enumerate(fitted.models):
        rows = (fold != number) & (arm == 1)
        expected = LinearRegression().fit(x[rows], outcome[rows])
        assert model.coef_[0] == pytest.approx(expected.coef_[0], rel=1e-4)
        unseen = fold[asked] == number
        np.testing.assert_allclose(fitted.means[unseen], expected.predict(x[asked[unseen]]), rtol=1e-4, atol=1e-5)


def test_shares_of_arms_sum_to_one_and_keep_the_proportions_of_the_models():
    means = [np.array([0.5, 0.4, -0.2]), np.array([0.3, 0.8, 0.6]), np.array([0.2, 0.4, 0.6])]
    shares = arm_shares(means)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_allclose(shares[0], [0.5, 0.3, 0.2])
    np.testing.assert_allclose(shares[1], [0.25, 0.5, 0.25])
    np.testing.assert_allclose(shares[2], np.array([0.05, 0.6, 0.6]) / 1.25)


def test_the_control_has_what_the_only_treatment_leaves():
    np.testing.assert_allclose(arm_shares([np.array([0.2, 1.3, -1.0])]), [[0.8, 0.2], [0.05, 0.95], [0.95, 0.05]])


def test_a_share_among_two_arms_leaves_the_others_out():
    assert share_among_two(np.array([0.5, 0.3, 0.2]), 2) == pytest.approx(0.2 / 0.7)
