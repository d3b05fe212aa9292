from collections.abc import Callable
from dataclasses import fields

import numpy as np
import pytest

from causal_tasks.data.coupon_problems import (
    CouponProblem,
    binary_problem,
    confounded_logs,
    dose_problem,
    position_biased_logs,
)
from causal_tasks.errors import InputError

PROBLEMS: list[Callable[..., CouponProblem]] = [binary_problem, dose_problem, confounded_logs, position_biased_logs]
LOGS: list[Callable[..., CouponProblem]] = [confounded_logs, position_biased_logs]


def _difference_by_arm(problem: CouponProblem, weight: np.ndarray) -> np.ndarray:
    """Weighted mean outcomes of the arms, less control's."""
    arms = problem.propensity.shape[1]
    total = np.bincount(problem.treatment, weight * problem.outcome, minlength=arms)
    means = total / np.bincount(problem.treatment, weight, minlength=arms)
    return means - means[0]


def _seen(values: np.ndarray, problem: CouponProblem) -> np.ndarray:
    return values[np.arange(len(values)), problem.treatment]


@pytest.mark.parametrize("make", PROBLEMS)
def test_a_seed_decides_all_of_a_problem(make: Callable[..., CouponProblem]) -> None:
    first, again, other = make(500, seed=3), make(500, seed=3), make(500, seed=4)
    for field in fields(CouponProblem):
        assert np.array_equal(getattr(first, field.name), getattr(again, field.name))
    assert not np.array_equal(first.X, other.X)


@pytest.mark.parametrize("make", PROBLEMS)
def test_shapes_agree_probabilities_add_up_and_dearer_arms_cost_and_bring_more(
    make: Callable[..., CouponProblem],
) -> None:
    problem = make(400, seed=1)
    n, arms = problem.propensity.shape
    assert problem.X.shape == (400, 8)
    assert (
        problem.true_outcome.shape == problem.true_cost.shape == (n, arms) == (400, 2 if make is binary_problem else 5)
    )
    assert np.allclose(problem.propensity.sum(axis=1), 1)
    assert (np.diff(problem.true_outcome, axis=1) > 0).all()
    assert (np.diff(problem.true_cost, axis=1) > 0).all()
    assert (problem.cost >= 0).all()


@pytest.mark.parametrize("make", PROBLEMS)
def test_costs_that_were_seen_have_the_true_mean(make: Callable[..., CouponProblem]) -> None:
    problem = make(200_000, seed=5)
    error = problem.cost - _seen(problem.true_cost, problem)
    assert abs(error.mean()) < 4 * error.std() / np.sqrt(len(error))


@pytest.mark.parametrize("make", [binary_problem, dose_problem])
def test_outcomes_of_an_experiment_have_the_true_mean_and_arms_their_shares(make: Callable[..., CouponProblem]) -> None:
    problem = make(200_000, seed=6)
    error = problem.outcome - _seen(problem.true_outcome, problem)
    assert abs(error.mean()) < 4 * error.std() / np.sqrt(len(error))
    shares = np.bincount(problem.treatment) / len(error)
    assert np.allclose(shares, problem.propensity[0], atol=4 * 0.5 / np.sqrt(len(error)))


@pytest.mark.parametrize("make", LOGS)
def test_arms_of_logs_are_drawn_by_their_propensities(make: Callable[..., CouponProblem]) -> None:
    problem = make(100_000, seed=7)
    shares = np.bincount(problem.treatment, minlength=5) / 100_000
    assert np.allclose(shares, problem.propensity.mean(axis=0), atol=4 * 0.5 / np.sqrt(100_000))


@pytest.mark.parametrize("make", LOGS)
def test_arms_of_logs_mislead_and_the_hidden_propensity_sets_them_right(make: Callable[..., CouponProblem]) -> None:
    problem = make(400_000, seed=8)
    truth = (problem.true_outcome - problem.true_outcome[:, :1]).mean(axis=0)
    naive = _difference_by_arm(problem, np.ones(len(problem.outcome)))
    corrected = _difference_by_arm(problem, 1 / _seen(problem.propensity, problem))
    assert naive[-1] > 2 * truth[-1]
    assert np.abs(corrected - truth).max() < 0.25


def test_without_severity_or_gamma_logs_mislead_only_by_what_is_seen() -> None:
    for problem in (confounded_logs(300_000, seed=9, gamma=0), position_biased_logs(300_000, seed=9, severity=0)):
        error = problem.outcome - _seen(problem.true_outcome, problem)
        means = np.bincount(problem.treatment, error) / np.bincount(problem.treatment)
        assert np.abs(means).max() < 0.03


def test_the_return_on_cost_of_the_binary_problem_lies_between_0_05_and_0_95() -> None:
    problem = binary_problem(50_000, seed=2, share=0.85)
    ratio = np.diff(problem.true_outcome)[:, 0] / np.diff(problem.true_cost)[:, 0]
    assert 0.05 < ratio.min() < 0.2
    assert 0.8 < ratio.max() < 0.95
    assert abs(problem.treatment.mean() - 0.85) < 0.01


def test_returns_of_the_dose_problem_diminish_for_every_unit() -> None:
    problem = dose_problem(1_000, seed=2, arms=7)
    slopes = np.diff(problem.true_outcome, axis=1) / np.diff(problem.true_cost, axis=1)
    assert (np.diff(slopes, axis=1) < 0).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: binary_problem(0, seed=1), "0 units"),
        (lambda: binary_problem(10, seed=1, share=1.0), "share 1.0"),
        (lambda: dose_problem(10, seed=1, arms=1), "arms is 1"),
        (lambda: dose_problem(10, seed=1, noise=-1.0), "noise -1.0"),
        (lambda: position_biased_logs(10, seed=1, severity=-0.5), "severity -0.5"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call: Callable[[], CouponProblem], message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
