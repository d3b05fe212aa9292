"""What is shared and who departs is found in simulated experiments, where the rule on alpha says that it can be."""

import numpy as np
import pytest

from causal_tasks.data.creative_problems import CreativeProblem, creative_problem
from causal_tasks.segments import CreativeSegments


def fitted(problem: CreativeProblem, lam: float, alpha: float) -> CreativeSegments:
    """At a share ``lam`` of the largest penalty."""
    model = CreativeSegments(lam=lam, alpha=alpha, relative=True, n_lams=5, tol=1e-6)
    creative = np.array(problem.creatives)[problem.creative]
    return model.fit(problem.X, problem.response, creative=creative, segment=problem.segment)


def alike(shared: int) -> CreativeProblem:
    """One segment of three creatives with the same coefficients, equal in size at ``shared`` of 300 covariates."""
    return creative_problem(
        6_000, 300, 1, 3, shared=shared, strength=1.5, base_rate=0.3, correlation=0.0, appeal=0.1, seed=1
    )


@pytest.fixture(scope="module")
def eight():
    return alike(8)


def test_exactly_the_shared_covariates_are_found_where_sharing_is_cheap(eight):
    model = fitted(eight, 0.05, 0.1)
    found = model.gamma_[0]
    np.testing.assert_array_equal(found != 0, eight.gamma[0] != 0)
    assert (np.sign(found) == np.sign(eight.gamma[0])).all()
    assert np.corrcoef(found, eight.gamma[0])[0, 1] > 0.99


def test_the_dearer_sharing_is_the_less_is_shared(eight):
    found = [np.count_nonzero(fitted(eight, 0.05, alpha).gamma_) for alpha in (0.1, 0.25, 0.4)]
    assert found[0] == 8 > found[1]
    assert found[2] == 0


@pytest.mark.parametrize(("shared", "is_shared"), [(4, True), (16, False)])
def test_a_signal_is_shared_where_alpha_is_below_its_bound(shared, is_shared):
    alpha = 0.25
    assert (alpha < 1 / (1 + np.sqrt(shared))) == is_shared
    problem = alike(shared)
    model = fitted(problem, 0.05, alpha)
    np.testing.assert_array_equal(model.gamma_[0] != 0, (problem.gamma[0] != 0) & is_shared)
    if not is_shared:
        assert (np.abs(model.delta_[:, problem.gamma[0] != 0]) > 0.1).all(), "each creative repeats the signal instead"


def test_the_creative_that_departs_is_told_and_people_get_their_segment():
    problem = creative_problem(9_000, 60, 2, 3, apart=1, strength=1.0, departure=1.0, base_rate=0.3, seed=3)
    model = fitted(problem, 0.2, 0.1)
    np.testing.assert_array_equal(model.delta_.any(axis=1), problem.delta.any(axis=1))
    for found, true in zip(model.gamma_, problem.gamma, strict=True):
        assert (found[true != 0] * true[true != 0] > 0).all()
    new = problem.others(5_000, seed=9)
    best = np.array(problem.segments)[(new.X @ problem.gamma.T).argmax(axis=1)]
    assert (model.predict(new.X) == best).mean() > 0.9
