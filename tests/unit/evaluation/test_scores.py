"""Doubly robust scores against closed forms and simulated truth."""

import numpy as np
import pytest

from causal_tasks.errors import InputError
from causal_tasks.evaluation.scores import dr_scores, mean_scores


def test_scores_follow_the_formula_for_a_treated_and_a_control_user():
    scores = dr_scores([5.0, 2.0], [1, 0], [1.0, 1.5], [3.0, 4.0], [0.25, 0.4])
    treated = 3.0 - 1.0 + (5.0 - 3.0) / 0.25
    control = 4.0 - 1.5 - (2.0 - 1.5) / (1 - 0.4)
    np.testing.assert_allclose(scores, [treated, control])


def test_perfect_models_leave_the_individual_effect():
    random = np.random.default_rng(0)
    mean_control, effect = random.normal(size=(2, 50))
    treatment = random.integers(0, 2, 50)
    scores = dr_scores(mean_control + treatment * effect, treatment, mean_control, mean_control + effect, 0.5)
    np.testing.assert_allclose(scores, effect, atol=1e-12)


def test_arm_means_as_models_and_observed_shares_give_the_difference_in_means():
    random = np.random.default_rng(1)
    outcome, treatment = random.gamma(2, size=301), random.random(301) < 0.3
    mean_control, mean_treatment = outcome[~treatment].mean(), outcome[treatment].mean()
    scores = dr_scores(outcome, treatment, np.full(301, mean_control), np.full(301, mean_treatment), treatment.mean())
    assert scores.mean() == pytest.approx(mean_treatment - mean_control)


def test_scores_are_the_difference_of_the_arms_mean_scores():
    random = np.random.default_rng(2)
    outcome, mean_control, mean_treatment = random.normal(size=(3, 40))
    treatment, propensity = random.integers(0, 2, 40), random.uniform(0.2, 0.8, 40)
    difference = mean_scores(outcome, treatment, mean_treatment, propensity) - mean_scores(
        outcome, 1 - treatment, mean_control, 1 - propensity
    )
    np.testing.assert_allclose(dr_scores(outcome, treatment, mean_control, mean_treatment, propensity), difference)


def simulated(seed, *, model):
    """Mean score and its standard error where propensity depends on x, the effect is 1 + x on average 1."""
    random = np.random.default_rng(seed)
    x = random.normal(size=4000)
    propensity = 1 / (1 + np.exp(-x))
    treatment = random.random(4000) < propensity
    outcome = 2 * x + treatment * (1 + x) + random.normal(size=4000)
    mean_control, mean_treatment = model(x)
    scores = dr_scores(outcome, treatment, mean_control, mean_treatment, np.clip(propensity, 0.02, 0.98))
    return scores.mean(), scores.std(ddof=1) / np.sqrt(4000)


@pytest.mark.parametrize("model", [lambda x: (2 * x, 1 + 3 * x), lambda x: (0 * x, 0 * x), lambda x: (-x, x**2)])
def test_the_mean_score_is_unbiased_even_with_wrong_models(model):
    errors = np.array([(mean - 1) / se for mean, se in (simulated(seed, model=model) for seed in range(40))])
    assert abs(errors.mean()) < 4 / np.sqrt(40)
    assert 0.7 < errors.std(ddof=1) < 1.35


def test_good_models_make_scores_more_precise():
    assert simulated(0, model=lambda x: (2 * x, 1 + 3 * x))[1] < 0.7 * simulated(0, model=lambda x: (0 * x, 0 * x))[1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"treatment": [0, 2]}, "treatment"),
        ({"treatment": ["a", "b"]}, "treatment"),
        ({"propensity": 0.0}, "between 0 and 1"),
        ({"propensity": [0.5, 1.0]}, "between 0 and 1"),
        ({"propensity": [0.5]}, "propensity has 1 rows"),
        ({"outcome": [1.0, np.nan]}, "outcome has 1 missing"),
        ({"mean_control": [1.0]}, "predicted mean 1"),
        ({"mean_treatment": [np.inf, 1.0]}, "predicted mean has 1 missing or infinite"),
    ],
)
def test_unusable_arguments_are_refused_by_name(changes, message):
    usable = {
        "outcome": [1.0, 2.0],
        "treatment": [0, 1],
        "mean_control": [1.0, 1.0],
        "mean_treatment": [2.0, 2.0],
        "propensity": 0.5,
    }
    with pytest.raises(InputError, match=message):
        dr_scores(**usable | changes)
