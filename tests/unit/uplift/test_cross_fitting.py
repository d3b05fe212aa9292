import numpy as np
import pandas as pd
import pytest

from causal_tasks.base_models import LightGBM
from causal_tasks.errors import InputError
from causal_tasks.uplift import TLearner, XLearner, predict_out_of_fold


def problem(n=1_000):
    random = np.random.default_rng(0)
    X = pd.DataFrame(random.normal(size=(n, 2)), columns=["a", "b"], index=np.arange(n) + 7)
    arm = random.integers(0, 2, n)
    outcome = X["a"].to_numpy() * arm + random.normal(size=n)
    outcome[::20] = np.nan
    return X, outcome, arm, random.integers(0, 4, n)


def learner(kind=TLearner):
    return kind(LightGBM(n_estimators=20, learning_rate=0.2, min_child_samples=20))


def test_folds_fitted_at_two_times_join_to_what_one_cross_fit_gives():
    whole = predict_out_of_fold(learner(), *problem())
    last, others = (predict_out_of_fold(learner(), *problem(), held_out=folds) for folds in ([3], [1, 0, 2]))
    joined = last.joined(others)
    pd.testing.assert_frame_equal(joined.outcomes, whole.outcomes)
    assert list(joined.learners) == list(whole.learners)
    X = problem()[0].head(20)
    pd.testing.assert_frame_equal(joined.predict_outcomes(X), whole.predict_outcomes(X))


def test_only_users_of_the_folds_that_are_left_out_are_predicted():
    X, _, _, fold = problem()
    some = predict_out_of_fold(learner(), *problem(), held_out=[2])
    assert some.outcomes.index.tolist() == X.index[fold == 2].tolist()
    assert list(some.learners) == [2]


def test_a_fold_without_users_cannot_be_left_out():
    with pytest.raises(InputError, match=r"nobody is in the folds \[4\]"):
        predict_out_of_fold(learner(), *problem(), held_out=[3, 4])


def test_every_folds_learner_is_told_the_known_shares():
    known = predict_out_of_fold(learner(XLearner), *problem(), propensity={0: 0.25, 1: 0.75}, held_out=[0, 1])
    unknown = predict_out_of_fold(learner(XLearner), *problem(), held_out=[0, 1])
    assert [one.propensity_.tolist() for one in known.learners.values()] == [[0.25, 0.75]] * 2
    assert all(one.propensity_estimated_ for one in unknown.learners.values())
    assert not any(one.propensity_estimated_ for one in known.learners.values())


@pytest.mark.parametrize("held_out", [None, [0]])
def test_an_arm_that_one_fold_has_for_itself_is_refused(held_out):
    X, outcome, arm, fold = problem()
    arm[(fold == 0) & (arm == 1)] = 2
    with pytest.raises(InputError, match=r"all users of the arms \[2\] that have an outcome are in fold 0; assign"):
        predict_out_of_fold(learner(), X, outcome, arm, fold, held_out=held_out)
