import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from causal_tasks.effects.t_regression import TOLERANCE, ScaleCollapseError, fit_student_t
from causal_tasks.errors import InputError
from tests.unit.effects.heavy_tails import tailed


def regression(seed, n=2000, degrees=3.0, **options):
    outcome, treatment, proxy = tailed(seed, n=n, degrees=degrees, **options)
    return outcome, np.column_stack([np.ones(n), treatment, (proxy - 5) / 2])


def log_likelihood(outcome, design, coefficients, scale, degrees):
    return stats.t.logpdf(outcome - design @ coefficients, degrees, scale=scale).mean()


@pytest.mark.parametrize("degrees", [1e6, 1e8])
def test_many_degrees_of_freedom_are_least_squares(degrees):
    outcome, design = regression(1)
    fit = fit_student_t(outcome, design, degrees=degrees)
    squares = np.linalg.lstsq(design, outcome)[0]
    assert fit.coefficients == pytest.approx(squares, abs=1e-6 * np.abs(squares).max())
    assert fit.scale == pytest.approx(np.std(outcome - design @ squares), rel=1e-3)


@pytest.mark.parametrize("degrees", [2.5, 3.0, 8.0])
def test_the_fit_is_the_maximum_of_the_likelihood(degrees):
    outcome, design = regression(2, degrees=degrees)
    fit = fit_student_t(outcome, design)
    start = np.r_[np.linalg.lstsq(design, outcome)[0], 0.0, np.log(5.0)]
    direct = optimize.minimize(
        lambda p: -log_likelihood(outcome, design, p[:3], np.exp(p[3]), np.exp(p[4])),
        start,
        method="BFGS",
        options={"gtol": 1e-9},
    ).x
    assert fit.coefficients == pytest.approx(direct[:3], abs=2e-5)
    assert fit.scale == pytest.approx(np.exp(direct[3]), rel=1e-4)
    assert fit.degrees == pytest.approx(np.exp(direct[4]), rel=1e-3)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    degrees=st.sampled_from([0.8, 1.5, 3.0, 10.0, np.inf]),
    fixed=st.sampled_from([None, 4.0, 10.0]),
    gross=st.integers(0, 5),
)
def test_the_likelihood_never_falls_and_is_the_one_of_the_t_distribution(seed, degrees, fixed, gross):
    outcome, design = regression(seed, n=300, degrees=degrees)
    outcome[:gross] += 1e4
    fit = fit_student_t(outcome, design, degrees=fixed)
    steps = np.diff(fit.log_likelihoods)
    assert (steps >= -1e-12).all()
    assert fit.converged
    assert abs(steps[-1]) <= TOLERANCE * max(1.0, abs(fit.log_likelihoods[-1]))
    if fixed is not None:
        assert fit.degrees == fixed
    nearby = [fit.coefficients + shift for shift in 1e-3 * fit.scale * np.vstack([np.eye(3), -np.eye(3)])]
    best = log_likelihood(outcome, design, fit.coefficients, fit.scale, fit.degrees)
    assert all(log_likelihood(outcome, design, b, fit.scale, fit.degrees) <= best + 1e-9 for b in nearby)
    assert log_likelihood(outcome, design, fit.coefficients, 1.02 * fit.scale, fit.degrees) <= best + 1e-9


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), shift=st.floats(-1e4, 1e4), scale=st.floats(1e-6, 1e6))
def test_the_fit_moves_with_scale_and_shift(seed, shift, scale):
    outcome, design = regression(seed, n=200)
    plain, moved = fit_student_t(outcome, design), fit_student_t(scale * (outcome + shift), design)
    near = {"abs": 1e-3 * plain.scale}
    assert moved.coefficients[1:] / scale == pytest.approx(plain.coefficients[1:], **near)
    assert moved.scale / scale == pytest.approx(plain.scale, rel=1e-3)


def test_the_influence_says_what_an_added_unit_of_outcome_does():
    outcome, design = regression(3, n=400)
    fit = fit_student_t(outcome, design, degrees=4.0)
    influence, response = fit.influence(outcome, design, 1)
    assert influence.sum() == pytest.approx(0, abs=1e-5)
    for unit in (0, 7, 123):
        moved = outcome.copy()
        moved[unit] += 0.05
        change = fit_student_t(moved, design, degrees=4.0).coefficients[1] - fit.coefficients[1]
        # The scale, whose own move is not part of it, is orthogonal only on average.
        assert change / 0.05 == pytest.approx(response[unit], abs=2e-4)


@pytest.mark.parametrize(
    ("outcome", "share"),
    [
        (np.r_[np.zeros(900), np.random.default_rng(0).lognormal(size=100)], "90%"),
        (np.r_[np.zeros(90), np.ones(10)], "90%"),
        (np.ones(100), "100%"),
    ],
)
def test_an_outcome_that_is_mostly_one_value_is_refused_with_its_share(outcome, share):
    shuffled = np.random.default_rng(1).permutation(outcome)
    design = np.column_stack([np.ones(len(outcome)), np.arange(len(outcome)) % 2])
    with pytest.raises(ScaleCollapseError, match=f"scale .* goes to zero.* {share} of them have one value"):
        fit_student_t(shuffled, design)
    assert issubclass(ScaleCollapseError, InputError)


def test_a_tail_so_heavy_that_only_equal_values_keep_any_weight_is_refused_too():
    random = np.random.default_rng(318)
    outcome = np.exp(random.normal(0, 8, 2000)) * (random.random(2000) < 0.3)
    with pytest.raises(ScaleCollapseError, match="70% of them have one value"):
        fit_student_t(outcome, np.column_stack([np.ones(2000), np.arange(2000) % 2]))


def test_one_gross_error_does_not_pass_for_a_collapse():
    outcome, design = regression(4, n=20_000)
    clean = fit_student_t(outcome, design)
    outcome[0] = 1e9
    assert fit_student_t(outcome, design).coefficients[1] == pytest.approx(clean.coefficients[1], abs=0.01)
