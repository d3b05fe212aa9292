"""The optimum: as Clarabel finds it, the same however the problem is put, and honest about how near it is."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causal_tasks.segments.certificate import Point, certify
from causal_tasks.segments.creative_segments import CreativeSegments
from causal_tasks.segments.host_rows import HostRows
from causal_tasks.segments.likelihood import likelihood_of
from causal_tasks.segments.penalty import Penalty
from tests.unit.segments.cvxpy_reference import clarabel_optimum
from tests.unit.segments.optimality import coefficients, largest_of, segment_problems
from tests.unit.segments.random_experiments import experiments, random_experiment, respond

pytestmark = pytest.mark.filterwarnings("ignore:alpha")

shares = st.sampled_from([0.9, 0.5, 0.2, 0.05])


def lam_of(experiment, share, **parameters):
    """A share of the largest penalty; where no penalty removes anything, of 10."""
    return share * (largest_of(experiment, **parameters) or 10.0)


def objectives_of(experiment, model, lam):
    """Of every segment, at a model's coefficients; without what is constant, those of counts may be below zero."""
    problems = segment_problems(experiment, lam)
    return np.array([problem.objective(*coefficients(model, segment, names)) for segment, names, problem in problems])


@given(experiment=experiments(), share=shares, as_sparse=st.booleans())
@settings(max_examples=50, deadline=None)
def test_the_objective_is_that_of_clarabel(experiment, share, as_sparse):
    lam = lam_of(experiment, share)
    model = experiment.fitted(lam, as_sparse=as_sparse)
    parts = objectives_of(experiment, model, lam)
    size = np.abs(parts).sum()
    assert model.objective_ == pytest.approx(parts.sum(), abs=1e-11 * size)
    assert -1e-12 * size <= model.duality_gap_ <= 1e-8 * size
    optima = [clarabel_optimum(problem) for *_, problem in segment_problems(experiment, lam)]
    for part, optimum in zip(parts, optima, strict=True):
        assert part - optimum.objective <= 1e-8 * abs(part)
        if optimum.vouched:
            assert optimum.objective - part <= 1e-8 * abs(part)


@given(experiment=experiments(), share=shares)
@settings(max_examples=40, deadline=None)
def test_the_optimum_is_never_further_below_than_the_gap_says(experiment, share):
    lam = lam_of(experiment, share)
    least = experiment.fitted(lam).objective_
    for tol, max_iter in [(1e-1, 20_000), (1e-4, 20_000), (1e-12, 7)]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rough = experiment.fitted(lam, tol=tol, max_iter=max_iter)
        parts = np.abs(objectives_of(experiment, rough, lam))
        assert rough.duality_gap_ >= rough.objective_ - least - 1e-9 * parts.sum()
        if max_iter > 7:
            assert rough.duality_gap_ <= tol * parts.sum()


@pytest.mark.parametrize("family", ["binomial", "poisson", "gaussian"])
def test_from_one_half_on_alpha_shares_nothing_and_warns(family):
    experiment = random_experiment(4, family=family)
    lam = lam_of(experiment, 0.1, alpha=0.5)
    with pytest.warns(UserWarning, match="alpha"):
        half = experiment.fitted(lam, alpha=0.5)
    with pytest.warns(UserWarning, match="alpha"):
        most = experiment.fitted(lam * 0.5 / 0.2, alpha=0.8)
    assert not half.gamma_.any()
    assert not most.gamma_.any()
    assert half.delta_.any()
    assert most.objective_ == pytest.approx(half.objective_, rel=1e-10)
    np.testing.assert_allclose(most.beta_, half.beta_, atol=1e-4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        experiment.fitted(lam, alpha=0.49)


def test_a_segment_by_itself_is_what_it_is_among_others():
    # As it is, not standardised: the scale of all people differs from that of a segment's.
    experiment = random_experiment(1, creatives=(3, 1, 2), standardize=False)
    lam = lam_of(experiment, 0.1)
    together, total = experiment.fitted(lam), 0.0
    for j, segment in enumerate(together.segments_):
        chosen = np.array([experiment.segment[name] == segment for name in experiment.creative])
        alone = experiment.rows(chosen).fitted(lam)
        at = [list(together.creatives_).index(name) for name in alone.creatives_]
        np.testing.assert_allclose(together.beta_[at], alone.beta_, atol=1e-5)
        np.testing.assert_allclose(together.intercept_[at], alone.intercept_, atol=1e-5)
        assert together.gamma_[j].any() == alone.gamma_[0].any()
        total += alone.objective_
    assert together.objective_ == pytest.approx(total, rel=1e-9)


def test_a_path_ends_where_a_cold_start_does():
    experiment = random_experiment(2, family="binomial")
    lam = lam_of(experiment, 0.03)
    cold, warm = experiment.fitted(lam, n_lams=1), experiment.fitted(lam, n_lams=30)
    assert warm.objective_ == pytest.approx(cold.objective_, rel=1e-9)
    np.testing.assert_allclose(warm.beta_, cold.beta_, atol=1e-5)
    assert len(warm.path_) == 30
    assert warm.path_["lam"].is_monotonic_decreasing
    assert warm.path_["lam"].iloc[-1] == pytest.approx(lam)
    assert (warm.path_["duality_gap"] <= 1e-10 * warm.path_["objective"]).all()
    assert warm.path_["objective"].is_monotonic_decreasing, "a weaker penalty cannot cost more"


@pytest.mark.parametrize("family", ["binomial", "poisson", "gaussian"])
def test_single_precision_finds_the_optimum_of_double_precision(family):
    experiment = random_experiment(5, family=family, people=200)
    experiment = replace(
        experiment, X=experiment.X.astype(np.float32).astype(float), parameters={"family": family, "standardize": False}
    )
    lam = lam_of(experiment, 0.05)
    double, single = experiment.fitted(lam), experiment.fitted(lam, dtype="float32", tol=1e-8)
    assert single.duality_gap_ <= 1e-8 * abs(single.objective_)
    assert single.objective_ == pytest.approx(double.objective_, rel=1e-8)
    np.testing.assert_allclose(single.beta_, double.beta_, atol=1e-3)


@given(seed=st.integers(0, 10_000), family=st.sampled_from(["binomial", "poisson", "gaussian"]), share=shares)
@settings(max_examples=15, deadline=None)
def test_order_units_and_copies_of_people_change_nothing(seed, family, share):
    experiment = random_experiment(seed, family=family)
    lam = lam_of(experiment, share)
    first = experiment.fitted(lam)
    random = np.random.default_rng(seed)
    shuffled = random.permutation(len(experiment.X))
    reordered = replace(experiment.rows(shuffled), segment=dict(reversed(experiment.segment.items()))).fitted(lam)
    units = replace(experiment, X=experiment.X * random.uniform(0.01, 100, 5) + random.normal(size=5)).fitted(lam)
    twice = experiment.rows(np.repeat(shuffled, 2)).fitted(2 * lam)
    assert reordered.objective_ == pytest.approx(first.objective_, rel=1e-9)
    assert units.objective_ == pytest.approx(first.objective_, rel=1e-6), "scales are rounded to 32 bits"
    assert twice.objective_ == pytest.approx(2 * first.objective_, rel=1e-9)
    for other in (reordered, units, twice):
        at = [list(other.creatives_).index(name) for name in first.creatives_]
        np.testing.assert_allclose(other.beta_[at], first.beta_, atol=1e-4)
        np.testing.assert_allclose(other.intercept_[at], first.intercept_, atol=1e-4)


def test_a_creative_by_itself_is_a_group_lasso_or_a_lasso_whichever_is_cheaper():
    # With one creative gamma and delta describe the same coefficients: the lasso's price of a common signal is lower.
    experiment = random_experiment(3, creatives=(1,), people=400, family="gaussian", alpha=0.1)
    lam = lam_of(experiment, 0.05)
    model = experiment.fitted(lam)
    assert model.gamma_.any()
    assert not model.delta_.any(), "one creative has nothing to depart from"


def test_separable_responses_have_finite_coefficients():
    experiment = random_experiment(6, creatives=(2,), covariates=3)
    separated = replace(experiment, response=(experiment.X[:, 0] > 0).astype(float))
    lam = lam_of(separated, 0.01)
    model = separated.fitted(lam)
    assert model.duality_gap_ <= 1e-10 * model.objective_
    least = sum(clarabel_optimum(problem).objective for *_, problem in segment_problems(separated, lam))
    assert model.objective_ == pytest.approx(least, rel=1e-8)


def test_more_covariates_than_people_and_constant_ones_are_no_obstacle():
    experiment = random_experiment(7, creatives=(2,), covariates=80, people=20)
    experiment.X[:, [3, 40]] = 5.0
    lam = lam_of(experiment, 0.2)
    model = experiment.fitted(lam)
    assert not model.beta_[:, [3, 40]].any()
    assert 0 < np.count_nonzero(model.beta_[0]) < 80
    ((_, _, problem),) = segment_problems(experiment, lam)
    assert model.objective_ == pytest.approx(clarabel_optimum(problem).objective, rel=1e-8)


@pytest.mark.parametrize(("family", "alpha"), [("binomial", 0.0), ("binomial", 1.0), ("poisson", 1.0)])
def test_a_level_at_which_nobody_responds_is_no_obstacle_where_nothing_penalises_it(family, alpha):
    # Its coefficient goes to minus infinity, and the dual point to the border of what is allowed.
    random = np.random.default_rng(0)
    X = np.column_stack([random.normal(size=(1_200, 2)), random.random(1_200) < 0.05])
    response = respond(X[:, 0], family, random) * (X[:, 2] == 0)
    creative = random.choice(["a", "b"], 1_200)
    model = CreativeSegments(1.0, alpha, family=family, n_lams=2, max_iter=100, tol=1e-7)
    model.fit(X, response, creative=creative, segment={"a": "one", "b": "one"})
    assert model.converged_
    assert model.predict_response(X)[X[:, 2] == 1].max() < 1e-4


def test_the_gap_is_no_smaller_than_it_is_where_units_are_far_apart():
    random = np.random.default_rng(1)
    X, noise = random.normal(size=(300, 4)) * [1e9, 1.0, 1e-3, 1.0], random.normal(size=300)
    response = X @ [1e-9, 1.0, 1e3, 1.0] + noise
    rows = HostRows([[(X, response)]], likelihood_of("gaussian"))
    start = Point(rows.null_intercepts(), np.zeros(4), np.zeros((1, 4)))
    free = Penalty.of(1.0, 1.0, 1)
    columns = np.column_stack([np.ones(300), X / X.std(axis=0)])
    least = ((response - columns @ np.linalg.lstsq(columns, response, rcond=None)[0]) ** 2).sum() / 2
    certificate = certify(rows, start, free)
    assert certificate.objective - certificate.gap == pytest.approx(least, rel=1e-9)
