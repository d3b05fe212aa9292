"""Learners over a base model that knows nothing but group means: every answer follows by hand."""

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator

from causal_tasks.base_models import BASE_MODELS, DesignMatrix
from causal_tasks.errors import InputError
from causal_tasks.uplift import SLearner, TLearner, XLearner


class GroupMeans(BaseEstimator):
    """Predicts the mean outcome of the rows with the same features."""

    library: ClassVar[str] = "numpy"
    suffix: ClassVar[str] = ".txt"

    def fit(self, X, outcome, *, sample_weight=None):
        weight = np.ones(len(X)) if sample_weight is None else sample_weight
        frame = X.assign(_w=weight, _y=np.asarray(outcome) * weight)
        sums = frame.groupby(list(X.columns), observed=True)[["_w", "_y"]].sum()
        self.means_ = sums["_y"] / sums["_w"]
        self.columns_ = list(X.columns)
        return self

    def predict(self, X):
        keys = X[self.columns_].apply(tuple, axis=1) if len(self.columns_) > 1 else X[self.columns_[0]]
        return keys.map(self.means_).to_numpy(dtype=np.float32)

    def used_features(self):
        return frozenset(self.columns_)


def data(treatments=1, n=600, seed=0):
    random = np.random.default_rng(seed)
    X = pd.DataFrame({"group": random.integers(0, 3, n)})
    arm = random.choice(treatments + 1, n, p=[0.7, 0.3] if treatments == 1 else [0.5, 0.3, 0.2])
    outcome = X["group"] + arm * (X["group"] == 2) + random.normal(size=n)
    return X, outcome.to_numpy(), arm


def cell_mean(X, outcome, arm, group, which):
    return outcome[(X["group"] == group) & (arm == which)].mean()


@pytest.mark.parametrize("learner", [SLearner, TLearner, XLearner])
@pytest.mark.parametrize("treatments", [1, 2])
def test_with_group_means_every_learner_finds_the_difference_in_means_of_the_group(learner, treatments):
    """S and T by definition; X because both of its effect models have the same group mean, so that weights cancel."""
    X, outcome, arm = data(treatments)
    shares = dict.fromkeys(range(treatments + 1), 0.3)
    fitted = learner(GroupMeans()).fit(X, outcome, arm, propensity=shares)
    groups = pd.DataFrame({"group": [0, 1, 2]})
    expected = np.array(
        [
            [cell_mean(X, outcome, arm, g, k) - cell_mean(X, outcome, arm, g, 0) for k in range(1, treatments + 1)]
            for g in range(3)
        ]
    )
    np.testing.assert_allclose(fitted.predict(groups).reshape(3, -1), expected, rtol=1e-5)
    outcomes = fitted.predict_outcomes(groups)
    np.testing.assert_allclose(outcomes[:, 0], [cell_mean(X, outcome, arm, g, 0) for g in range(3)], rtol=1e-5)
    np.testing.assert_allclose(outcomes[:, 1:] - outcomes[:, :1], expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("learner", "propensity", "fits"),
    [
        (SLearner, None, [{0, 1, 2}]),
        (TLearner, None, [{0}, {1}, {2}]),
        (XLearner, {0: 0.5, 1: 0.3, 2: 0.2}, [{0}, {1}, {2}, {0}, {1}, {0}, {2}]),
        (XLearner, None, [{0}, {1}, {2}, {0}, {1}, {0, 1}, {0}, {2}, {0, 2}]),
    ],
    ids=["S", "T", "X", "X, unknown propensity"],
)
def test_treatments_share_the_controls_model_and_nothing_is_fitted_that_is_not_needed(learner, propensity, fits):
    arms_of_fits = []

    class Recorded(GroupMeans):
        def fit(self, X, outcome, *, sample_weight=None):
            arms_of_fits.append(set(arm[X.index]))
            return super().fit(X, outcome, sample_weight=sample_weight)

    X, outcome, arm = data(treatments=2)
    learner(Recorded()).fit(X, outcome, arm, propensity=propensity)
    assert arms_of_fits == fits
    assert any(len(arms) == 1 for arms in fits) == learner.FITS_EACH_ARM


def test_every_arm_has_an_indicator_of_its_own():
    X, outcome, arm = data(treatments=2)
    (model,) = SLearner(GroupMeans()).fit(X, outcome, arm).models_.values()
    assert {cell[:3] for cell in model.means_.index} == {(1, 0, 0), (0, 1, 0), (0, 0, 1)}


class OneColumn(GroupMeans):
    """Sees one feature in models of outcomes, another in models of effects: the two sides of X then differ."""

    def fit(self, X, outcome, *, sample_weight=None):
        # Imputed effects are the only targets here with a mean below 5.
        column = "effect" if np.mean(outcome) < 5 else "outcome"
        return super().fit(X[[column]], outcome, sample_weight=sample_weight)


def test_x_weights_the_controls_effects_by_the_propensity_and_the_treateds_by_the_rest():
    """All users are alike to the outcome models; the treated and the controls differ in their own outcomes."""
    X = pd.DataFrame({"outcome": np.zeros(8, int), "effect": [0, 0, 1, 1, 0, 0, 1, 1]})
    arm = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    outcome = np.array([10.0, 10.0, 12.0, 12.0, 13.0, 13.0, 15.0, 17.0])
    fitted = XLearner(OneColumn()).fit(X, outcome, arm, propensity={0: 0.8, 1: 0.2})
    # mu_0 = 11 and mu_1 = 14.5 for all; tau_0 = 14.5 - Y of the controls, tau_1 = Y - 11 of the treated.
    tau_0, tau_1 = np.array([4.5, 2.5]), np.array([2.0, 5.0])
    cells = pd.DataFrame({"outcome": [0, 0], "effect": [0, 1]})
    np.testing.assert_allclose(fitted.predict(cells), 0.2 * tau_0 + 0.8 * tau_1, rtol=1e-5)


def test_x_uses_the_share_among_the_two_arms_that_are_compared():
    X = pd.DataFrame({"outcome": np.zeros(6, int), "effect": np.zeros(6, int)})
    arm = np.array([0, 0, 1, 1, 2, 2])
    outcome = np.array([10.0, 10.0, 12.0, 12.0, 11.0, 11.0])
    fitted = XLearner(OneColumn()).fit(X, outcome, arm, propensity={0: 0.5, 1: 0.3, 2: 0.2})
    assert fitted._propensity(DesignMatrix(X), 1) == pytest.approx(0.3 / 0.8)
    assert fitted._propensity(DesignMatrix(X), 2) == pytest.approx(0.2 / 0.7)


@pytest.mark.parametrize("base_model", BASE_MODELS.values())
def test_x_predicts_mean_effects_where_no_control_user_converts_and_imputed_effects_are_0_and_1(base_model):
    random = np.random.default_rng(0)
    X = pd.DataFrame({"group": random.integers(0, 2, 4_000).astype("float32")})
    arm = random.integers(0, 2, 4_000)
    converts = arm * (random.random(4_000) < np.where(X["group"] == 1, 0.6, 0.1))
    learner = XLearner(base_model(min_child_samples=20)).fit(X, converts, arm, propensity={0: 0.5, 1: 0.5})
    rates = [converts[(arm == 1) & (X["group"] == group)].mean() for group in (0, 1)]
    np.testing.assert_allclose(learner.predict(pd.DataFrame({"group": [0, 1]})), rates, atol=0.02)


def test_an_unknown_propensity_is_modelled_and_kept_within_its_bounds():
    X, outcome, _ = data(n=3_000)
    arm = (np.random.default_rng(1).random(3_000) < np.array([0.004, 0.5, 0.9])[X["group"]]).astype(int)
    fitted = XLearner(GroupMeans()).fit(X, outcome, arm)
    assert fitted.propensity_estimated_
    shares = [arm[X["group"] == group].mean() for group in range(3)]
    groups = DesignMatrix(pd.DataFrame({"group": [0, 1, 2]}))
    np.testing.assert_allclose(fitted._propensity(groups, 1), np.clip(shares, 0.05, 0.95), rtol=1e-5)


def test_weights_count_as_repetitions_do():
    X, outcome, arm = data(n=200)
    weight = np.random.default_rng(2).integers(1, 4, 200)
    rows = np.repeat(np.arange(200), weight)
    shares = {0: 0.7, 1: 0.3}
    for learner in (SLearner, TLearner, XLearner):
        weighted = learner(GroupMeans()).fit(X, outcome, arm, propensity=shares, sample_weight=weight)
        repeated = learner(GroupMeans()).fit(X.iloc[rows], outcome[rows], arm[rows], propensity=shares)
        np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-4)


@pytest.mark.parametrize(
    ("propensity", "message"),
    [
        ({0: 0.5}, r"names the arms \[0\], treatment has \[0, 1\]"),
        ({0: 0.5, 1: 0.3, 2: 0.2}, r"names the arms \[0, 1, 2\], treatment has \[0, 1\]"),
        ({"0": 0.5, "1": 0.5}, r"names the arms \['0', '1'\]"),
        ({0: 1.0, 1: 0.0}, "give every arm a share between 0 and 1"),
        ({0: 0.5, 1: float("nan")}, "give every arm a share between 0 and 1"),
    ],
)
def test_a_propensity_must_give_every_arm_a_share(propensity, message):
    X, outcome, arm = data()
    with pytest.raises(InputError, match=message):
        XLearner(GroupMeans()).fit(X, outcome, arm, propensity=propensity)


def test_s_refuses_a_feature_that_stands_for_its_treatment():
    X, outcome, arm = data()
    with pytest.raises(InputError, match="treatment:1"):
        SLearner(GroupMeans()).fit(X.assign(**{"treatment:1": 0}), outcome, arm)


def test_only_an_s_learner_can_overlook_its_treatment():
    class Overlooks(GroupMeans):
        def fit(self, X, outcome, *, sample_weight=None):
            return super().fit(X[["group"]], outcome, sample_weight=sample_weight)

    X, outcome, arm = data(treatments=2)
    assert not SLearner(Overlooks()).fit(X, outcome, arm).uses_treatment()
    assert SLearner(GroupMeans()).fit(X, outcome, arm).uses_treatment()
    assert TLearner(Overlooks()).fit(X, outcome, arm).uses_treatment()
