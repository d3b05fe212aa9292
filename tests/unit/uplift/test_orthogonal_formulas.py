"""R and DR against their formulas, written down a second time, and what one wrong nuisance does to them."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from causal_tasks.uplift import DRLearner, RLearner, TLearner
from causal_tasks.uplift.nuisances import draw_folds
from causal_tasks.uplift.training_data import TrainingData
from tests.unit.uplift.test_learner_formulas import GroupMeans, data

BOTH = pytest.mark.parametrize("learner", [RLearner, DRLearner])
SHARES = {1: {0: 0.7, 1: 0.3}, 2: {0: 0.5, 1: 0.3, 2: 0.2}}


def folds_of(X, outcome, arm, *, clusters=None, folds=3, seed=0):
    users = TrainingData.checked(X, outcome, arm, control=None, propensity=None, sample_weight=None, clusters=clusters)
    return draw_folds(users, folds, seed)


class Reference:
    """R and DR by scikit-learn alone: the residual regression of EconML's ``NonParamDML``, the scores of its ``DRLearner``."""

    def __init__(self, X, outcome, arm, fold, shares, weight, arms):
        self.X, self.outcome, self.arm, self.fold, self.shares = X, outcome, arm, fold, shares
        self.weight, self.arms = np.ones(len(X)) if weight is None else weight, arms

    def fitted(self, rows, target, weight=1.0):
        w = (self.weight * weight)[rows]
        return LinearRegression().fit(self.X[rows], target[rows], sample_weight=w)

    def crossed(self, rows, target):
        """Held-out predictions, and the mean of all folds' models as a function."""
        models = [self.fitted(rows & (self.fold != k), target) for k in range(self.fold.max() + 1)]
        predictions = np.column_stack([model.predict(self.X) for model in models])
        return predictions[np.arange(len(self.X)), self.fold], lambda new: np.mean(
            [model.predict(new) for model in models], axis=0
        )

    def r_outcomes(self, new):
        effects, baselines = [], []
        for k in range(1, self.arms):
            rows, treated = np.isin(self.arm, (0, k)), (self.arm == k) * 1.0
            mean, mean_of = self.crossed(rows, self.outcome)
            if self.shares is None:
                e, e_of = self.crossed(rows, treated)
                e, e_new = np.clip(e, 0.05, 0.95), np.clip(e_of(new), 0.05, 0.95)
            else:
                e = e_new = self.shares[k] / (self.shares[0] + self.shares[k])
            target = (self.outcome - mean) / (treated - e)
            effects.append(self.fitted(rows, target, (treated - e) ** 2).predict(new))
            baselines.append(mean_of(new) - e_new * effects[-1])
        baseline = np.mean(baselines, axis=0)
        return np.column_stack([baseline, *(baseline + effect for effect in effects)])

    def dr_outcomes(self, new):
        everybody = np.ones(len(self.X), bool)
        means, mean_of = zip(*[self.crossed(self.arm == k, self.outcome) for k in range(self.arms)], strict=True)
        if self.shares is None:
            e = np.column_stack(
                [np.clip(self.crossed(everybody, (self.arm == k) * 1.0)[0], 0.05, 0.95) for k in range(self.arms)]
            )
            e = e / e.sum(axis=1, keepdims=True)
        else:
            e = np.tile([self.shares[k] for k in range(self.arms)], (len(self.X), 1))
        score = [means[k] + (self.arm == k) * (self.outcome - means[k]) / e[:, k] for k in range(self.arms)]
        baseline = mean_of[0](new)
        effects = [self.fitted(everybody, score[k] - score[0]).predict(new) for k in range(1, self.arms)]
        return np.column_stack([baseline, *(baseline + effect for effect in effects)])


@pytest.mark.parametrize("propensity", ["known", "unknown"])
@pytest.mark.parametrize("extra", [None, "weights", "clusters"])
@pytest.mark.parametrize("treatments", [1, 2])
@BOTH
def test_outcomes_are_those_of_the_formulas(learner, treatments, extra, propensity):
    random = np.random.default_rng(0)
    X = random.normal(size=(400, 3)).astype("float32").astype(float)
    odds = np.exp(0.5 * X[:, :1] * np.arange(treatments + 1))
    arm = (random.random((400, 1)) > np.cumsum(odds / odds.sum(axis=1, keepdims=True), axis=1)).sum(axis=1)
    outcome = X[:, 1] + arm * X[:, 2] + random.normal(size=400)
    shares = SHARES[treatments] if propensity == "known" else None
    weight = random.uniform(0.5, 2, 400) if extra == "weights" else None
    clusters = random.integers(0, 60, 400) if extra == "clusters" else None
    fold = folds_of(X, outcome, arm, clusters=clusters, folds=4, seed=7)
    reference = Reference(X, outcome, arm, fold, shares, weight, treatments + 1)
    fitted = learner(LinearRegression(), folds=4, random_state=7).fit(
        X, outcome, arm, propensity=shares, sample_weight=weight, clusters=clusters
    )
    new = random.normal(size=(50, 3)).astype("float32").astype(float)
    expected = reference.r_outcomes(new) if learner is RLearner else reference.dr_outcomes(new)
    np.testing.assert_allclose(fitted.predict_outcomes(new), expected, rtol=1e-5, atol=1e-5)
    assert fitted.propensity_estimated_ == (shares is None)


@pytest.mark.parametrize("treatments", [1, 2])
def test_r_with_group_means_weighs_what_is_left_of_outcomes_by_what_is_left_of_treatments(treatments):
    """In a group tau minimises a sum of squares in one number: sum (T - e) (Y - m) / sum (T - e)^2."""
    X, outcome, arm = data(treatments)
    fold = folds_of(X, outcome, arm)
    fitted = RLearner(GroupMeans()).fit(X, outcome, arm, propensity=SHARES[treatments])
    uplift = fitted.predict(pd.DataFrame({"group": [0, 1, 2]})).reshape(3, -1)
    for k in range(1, treatments + 1):
        e = SHARES[treatments][k] / (SHARES[treatments][0] + SHARES[treatments][k])
        for group in range(3):
            rows = (X["group"] == group).to_numpy() & np.isin(arm, (0, k))
            m = np.array([outcome[rows & (fold != number)].mean() for number in range(3)])[fold[rows]]
            left = (arm[rows] == k) - e
            assert uplift[group, k - 1] == pytest.approx(left @ (outcome[rows] - m) / (left @ left), rel=1e-4)


@pytest.mark.parametrize("treatments", [1, 2])
def test_dr_with_group_means_averages_the_scores_of_the_group(treatments):
    X, outcome, arm = data(treatments)
    fold, shares = folds_of(X, outcome, arm), SHARES[treatments]
    fitted = DRLearner(GroupMeans()).fit(X, outcome, arm, propensity=shares)
    uplift = fitted.predict(pd.DataFrame({"group": [0, 1, 2]})).reshape(3, -1)
    for group in range(3):
        rows = (X["group"] == group).to_numpy()
        mean_scores = []
        for k in range(treatments + 1):
            mu = np.array([outcome[rows & (arm == k) & (fold != number)].mean() for number in range(3)])[fold[rows]]
            mean_scores.append(np.mean(mu + (arm[rows] == k) * (outcome[rows] - mu) / shares[k]))
        np.testing.assert_allclose(uplift[group], np.array(mean_scores[1:]) - mean_scores[0], rtol=1e-4)


def test_only_the_ratios_of_known_propensities_count():
    X, outcome, arm = data(treatments=2)
    for learner in (RLearner, DRLearner):
        one, other = (
            learner(GroupMeans()).fit(X, outcome, arm, propensity={0: 0.5 * c, 1: 0.3 * c, 2: 0.2 * c}).predict(X)
            for c in (1.0, 0.5)
        )
        np.testing.assert_allclose(one, other, rtol=1e-6)


N = 20_000


class Misled(GroupMeans):
    """Group means, but some nuisances overlook the groups: arms have targets of 0 and 1, effects all users."""

    def __init__(self, *, outcome=False, propensity=False, rows=N):
        self.outcome, self.propensity, self.rows = outcome, propensity, rows

    def fit(self, X, outcome, *, sample_weight=None):
        is_arm = np.isin(outcome, (0, 1)).all()
        overlooks = self.propensity if is_arm else self.outcome and len(X) < self.rows
        return super().fit(X[["constant"]] if overlooks else X, outcome, sample_weight=sample_weight)


def confounded(seed=0):
    """Groups with larger outcomes are treated more often; the effect is 1 in group 2 and nothing else."""
    random = np.random.default_rng(seed)
    X = pd.DataFrame({"group": random.integers(0, 3, N), "constant": np.zeros(N, int)})
    arm = (random.random(N) < np.array([0.2, 0.5, 0.8])[X["group"]]).astype(int)
    outcome = 3.0 * X["group"] + arm * (X["group"] == 2) + random.normal(size=N)
    return X, outcome.to_numpy(), arm


CELLS = pd.DataFrame({"group": [0, 1, 2], "constant": [0, 0, 0]})


@pytest.mark.parametrize(
    ("learner", "wrong"),
    [(DRLearner, {"outcome": True}), (DRLearner, {"propensity": True}), (RLearner, {"outcome": True})],
    ids=["DR, wrong outcome models", "DR, wrong propensities", "R, wrong outcome model"],
)
def test_one_wrong_nuisance_does_not_bias_the_effect(learner, wrong):
    X, outcome, arm = confounded()
    uplift = learner(Misled(**wrong)).fit(X, outcome, arm).predict(CELLS)
    np.testing.assert_allclose(uplift, [0, 0, 1], atol=0.15)


def test_with_both_nuisances_wrong_or_none_to_correct_it_the_effect_is_biased():
    X, outcome, arm = confounded()
    for learner in (RLearner, DRLearner):
        uplift = learner(Misled(outcome=True, propensity=True)).fit(X, outcome, arm).predict(CELLS)
        assert np.abs(uplift - [0, 0, 1]).max() > 0.5
    uplift = TLearner(Misled(outcome=True)).fit(X, outcome, arm).predict(CELLS)
    assert np.abs(uplift - [0, 0, 1]).max() > 0.5
