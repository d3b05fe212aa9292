"""Conditions for an optimum and bounds on it, recomputed in plain numpy from what the estimator reports."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.segments.optimality import (
    allowed_error,
    coefficients,
    dual_bound,
    largest_of,
    pooled,
    segment_problems,
    stationary_error,
    with_best_intercepts,
)
from tests.unit.segments.random_experiments import experiments, random_experiment

pytestmark = pytest.mark.filterwarnings("ignore:alpha")

FAMILIES = ["binomial", "poisson", "gaussian"]


@given(experiment=experiments(), share=st.sampled_from([0.7, 0.3, 0.05]), as_sparse=st.booleans())
@settings(max_examples=40, deadline=None)
def test_the_conditions_for_an_optimum_hold(experiment, share, as_sparse):
    lam = share * (largest_of(experiment) or 10.0)
    model = experiment.fitted(lam, as_sparse=as_sparse, tol=1e-12)
    for segment, creatives, problem in segment_problems(experiment, lam):
        intercept, beta, gamma = coefficients(model, segment, creatives)
        gap = 1e-12 * (abs(problem.objective(intercept, beta, gamma)) + len(problem.response))
        allowed = allowed_error(problem, intercept, beta, gap)
        assert stationary_error(problem, intercept, beta, gamma) <= allowed < 0.01 * len(problem.response)


def test_the_conditions_notice_coefficients_that_are_not_optimal():
    experiment = random_experiment(0)
    lam = 0.2 * largest_of(experiment)
    model = experiment.fitted(lam, tol=1e-12)
    (segment, creatives, problem), *_ = segment_problems(experiment, lam)
    intercept, beta, gamma = coefficients(model, segment, creatives)
    assert stationary_error(problem, intercept, beta, gamma) <= 1e-4 * lam
    for wrong in (intercept + 0.1, beta, gamma), (intercept, beta * 0.9, gamma * 0.9), (intercept, beta, gamma + 0.1):
        assert stationary_error(problem, *wrong) > 0.01 * lam


@given(experiment=experiments(alphas=(0.05, 0.2, 0.4)), share=st.sampled_from([0.7, 0.3, 0.05]))
@settings(max_examples=30, deadline=None)
def test_a_dual_point_made_of_the_residuals_proves_the_optimum(experiment, share):
    lam = share * largest_of(experiment)
    model = experiment.fitted(lam, tol=1e-12)
    for segment, creatives, problem in segment_problems(experiment, lam):
        intercept, beta, gamma = coefficients(model, segment, creatives)
        objective, least = problem.objective(intercept, beta, gamma), dual_bound(problem, intercept, beta)
        assert -1e-10 * abs(objective) <= objective - least <= 1e-6 * abs(objective)


@given(experiment=experiments(alphas=(0.05, 0.2, 0.49, 0.5, 0.8)))
@settings(max_examples=30, deadline=None)
def test_the_largest_penalty_is_the_first_that_leaves_nothing(experiment):
    largest = largest_of(experiment)
    above, below = experiment.fitted(1.0001 * largest), experiment.fitted(0.99 * largest)
    assert above.lam_max_ == below.lam_max_ == pytest.approx(largest, rel=1e-8)
    assert not above.gamma_.any()
    assert not above.delta_.any()
    assert below.beta_.any()
    means = [experiment.response[experiment.creative == name].mean() for name in above.creatives_]
    link = {"binomial": lambda m: np.log(m / (1 - m)), "poisson": np.log, "gaussian": lambda m: m}[experiment.family]
    intercept = link(np.array(means))
    np.testing.assert_allclose(above.intercept_, intercept, atol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_without_a_penalty_on_what_is_shared_the_largest_one_leaves_no_departure(family):
    experiment = random_experiment(8, family=family, alpha=0.0, covariates=3, people=60)
    largest = largest_of(experiment)
    above, below = experiment.fitted(1.0001 * largest), experiment.fitted(0.99 * largest)
    assert above.lam_max_ == pytest.approx(largest, rel=1e-5)
    assert not above.delta_.any()
    assert below.delta_.any()
    for segment, creatives, problem in segment_problems(experiment, 1.0001 * largest):
        intercept, _, gamma = coefficients(above, segment, creatives)
        together = pooled(problem)
        np.testing.assert_allclose(gamma, together, atol=1e-4)
        beta = np.tile(together, (len(creatives), 1))
        np.testing.assert_allclose(intercept, with_best_intercepts(problem, intercept * 0, beta), atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_without_a_penalty_on_what_departs_every_creative_has_its_own_maximum_of_likelihood(family):
    experiment = random_experiment(9, family=family, alpha=1.0, covariates=2, people=80)
    model = experiment.fitted(3.0)
    assert not model.gamma_.any()
    for segment, creatives, problem in segment_problems(experiment, 3.0):
        _, beta, _ = coefficients(model, segment, creatives)
        for k in range(problem.creatives):
            shown = problem.creative == k
            alone = replace(
                problem, X=problem.X[shown], response=problem.response[shown], creative=np.zeros(shown.sum(), dtype=int)
            )
            np.testing.assert_allclose(beta[k], pooled(alone), atol=1e-4)


def test_too_few_iterations_are_told():
    experiment = random_experiment(0)
    with pytest.warns(UserWarning, match="max_iter"):
        model = experiment.fitted(0.05 * largest_of(experiment), max_iter=5)
    assert model.duality_gap_ > 1e-10 * model.objective_
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        experiment.fitted(0.05 * largest_of(experiment))
