"""Screening changes how much is read, never what is found."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causal_tasks.segments.exposures import Exposures
from causal_tasks.segments.host_rows import HostRows
from causal_tasks.segments.path import PenaltyForm, SegmentPath
from tests.unit.segments.optimality import largest_of
from tests.unit.segments.random_experiments import random_experiment, respond

WIDTH = 40


def wide_experiment(seed, **parameters):
    """Three creatives that agree on two of many covariates."""
    random = np.random.default_rng(seed)
    made = random_experiment(seed, creatives=(3,), covariates=WIDTH, people=120, **parameters)
    response = respond(made.X[:, :2] @ [1.0, -1.0], made.family, random)
    for name in made.segment:
        if made.family != "gaussian":
            response[np.flatnonzero(made.creative == name)[:2]] = [0, 1]
    return replace(made, response=response)


def path_of(experiment, **arguments):
    exposures = Exposures.checked(
        experiment.X,
        experiment.response,
        creative=experiment.creative,
        segment=experiment.segment,
        family=experiment.family,
        dtype=np.float64,
    )
    form = PenaltyForm(experiment.parameters.get("alpha", 0.1))
    return SegmentPath(exposures.rows([0, 1, 2]), form, **({"tol": 1e-10, "max_passes": 20_000} | arguments))


@given(
    seed=st.integers(0, 10_000),
    family=st.sampled_from(["binomial", "poisson", "gaussian"]),
    alpha=st.sampled_from([0.0, 0.05, 0.2, 0.45]),
    n_lams=st.sampled_from([2, 15]),
)
@settings(max_examples=12, deadline=None)
def test_a_path_is_the_same_with_and_without_screening(seed, family, alpha, n_lams):
    experiment = wide_experiment(seed, family=family, alpha=alpha)
    lam = 0.1 * largest_of(experiment)
    screened, whole = (experiment.fitted(lam, n_lams=n_lams, screening=screening) for screening in (True, False))
    np.testing.assert_allclose(screened.path_["objective"], whole.path_["objective"], rtol=1e-9)
    np.testing.assert_array_equal(screened.path_["shared"], whole.path_["shared"])
    np.testing.assert_array_equal(screened.path_["apart"], whole.path_["apart"])
    np.testing.assert_allclose(screened.beta_, whole.beta_, atol=1e-4)


@pytest.fixture
def widths(monkeypatch):
    """Of the rows that were cut from others."""
    seen, cut = [], HostRows.columns

    def columns(rows, chosen):
        seen.append(len(chosen))
        return cut(rows, chosen)

    monkeypatch.setattr(HostRows, "columns", columns)
    return seen


def test_strong_penalties_are_solved_on_few_covariates(widths):
    experiment = wide_experiment(1)
    experiment.fitted(0.5 * largest_of(experiment), n_lams=10)
    assert 0 < max(widths) <= WIDTH / 4
    widths.clear()
    experiment.fitted(0.5 * largest_of(experiment), n_lams=10, screening=False)
    assert widths == []


@pytest.mark.parametrize("share", [0.5, 0.02])
def test_what_screening_has_left_out_by_mistake_comes_back(share, widths):
    # At the second penalty creatives depart as well, which no choice of covariates describes.
    path = path_of(wide_experiment(1))
    lam = share * path.largest_lam
    (right,) = path_of(wide_experiment(1), screening=False).solve([lam])
    assert right.point.shared.any()
    nothing = np.zeros(WIDTH, dtype=bool)
    mended = path._solved_on_few(path.start, path._form.at(lam, 3), nothing)
    assert widths[0] == 0
    assert mended.converged
    assert right.point.apart.any() == mended.point.apart.any() == (share == 0.02)
    assert mended.certificate.objective == pytest.approx(right.certificate.objective, rel=1e-9)
    np.testing.assert_allclose(mended.point.beta, right.point.beta, atol=1e-4)
