import numpy as np
import pytest

from causal_tasks.effects import cross_fitted_proxy, ratio_of_means, ratio_student_t
from causal_tasks.effects.ratio import linearised
from causal_tasks.errors import InputError


def sessions(seed, n=4000, effect=0.05, degrees=3.0, more=0.2):
    """Numerator, denominator, treatment and a covariate: more per session, and a few more sessions, of the treated."""
    rng = np.random.default_rng(seed)
    treatment = rng.integers(0, 2, n)
    covariate = rng.normal(size=n)
    denominator = 1.0 + rng.poisson(3 + more * treatment)
    errors = rng.normal(size=n) if np.isinf(degrees) else rng.standard_t(degrees, n)
    numerator = denominator * (0.4 + effect * treatment) + covariate + errors
    return numerator, denominator, treatment, covariate


def test_many_degrees_of_freedom_are_the_difference_of_the_ratios_with_its_error():
    numerator, denominator, treatment, _ = sessions(1)
    plain = ratio_of_means(numerator, denominator, treatment)
    effect = ratio_student_t(numerator, denominator, treatment, degrees=1e9)
    assert effect.method == "ratio_student_t"
    assert effect.estimate == pytest.approx(plain.estimate, rel=1e-5)
    assert effect.standard_error == pytest.approx(plain.standard_error, rel=1e-3)
    assert effect.relative_interval == pytest.approx(plain.relative_interval, rel=1e-3)
    assert effect.variance_ratio == pytest.approx(1, abs=2e-3)


def test_the_error_holds_the_noise_of_the_ratio_and_of_the_denominator():
    numerator, denominator, treatment, covariate = sessions(2, n=1000, effect=0.5)
    effect = ratio_student_t(numerator, denominator, treatment, proxy=covariate)
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(200):
        rows = rng.integers(0, 1000, 1000)
        drawn = ratio_student_t(numerator[rows], denominator[rows], treatment[rows], proxy=covariate[rows])
        draws.append([drawn.estimate, drawn.relative])
    assert effect.standard_error == pytest.approx(np.std(draws, axis=0)[0], rel=0.15)
    half = (effect.relative_interval[1] - effect.relative_interval[0]) / 2
    assert half / 1.96 == pytest.approx(np.std(draws, axis=0)[1], rel=0.15)


def test_it_beats_cupac_under_heavy_tails_and_is_not_flagged():
    numerator, denominator, treatment, covariate = sessions(3, n=20_000)
    effect = ratio_student_t(numerator, denominator, treatment, proxy=covariate)
    assert effect.variance_ratio_cupac == pytest.approx(0.5, abs=0.1)
    assert effect.variance_ratio < effect.variance_ratio_cupac
    assert effect.interval[0] < 0.05 < effect.interval[1]
    assert "not_average_effect" not in effect.notes


def test_it_is_unbiased_and_covers_the_truth():
    found = [ratio_student_t(*sessions(seed, n=1000)[:3]) for seed in range(150)]
    estimates = np.array([effect.estimate for effect in found])
    assert abs(estimates.mean() - 0.05) < 3 * estimates.std() / np.sqrt(150)
    assert 0.9 <= np.mean([effect.interval[0] <= 0.05 <= effect.interval[1] for effect in found]) <= 0.99


def test_gross_errors_in_the_numerator_hardly_move_it():
    numerator, denominator, treatment, covariate = sessions(4, n=20_000, degrees=np.inf, more=0)
    rng = np.random.default_rng(0)
    gross = rng.choice(20_000, 40, replace=False)
    numerator[gross] += rng.uniform(50, 300, 40)
    effect = ratio_student_t(numerator, denominator, treatment, proxy=covariate)
    assert effect.variance_ratio_cupac < 0.3
    assert effect.interval[0] < 0.05 < effect.interval[1]


def test_covariates_become_a_proxy_of_the_linearised_outcome():
    numerator, denominator, treatment, covariate = sessions(5)
    expected = cross_fitted_proxy(linearised(numerator, denominator, treatment == 0), covariate)
    given = ratio_student_t(numerator, denominator, treatment, proxy=expected)
    assert ratio_student_t(numerator, denominator, treatment, covariate) == given


def test_the_linearised_outcome_is_zero_on_average_in_control():
    numerator, denominator, treatment, _ = sessions(6)
    linear = linearised(numerator, denominator, treatment == 0)
    plain = ratio_of_means(numerator, denominator, treatment)
    assert linear[treatment == 0].mean() == pytest.approx(0, abs=1e-12)
    divided = linear[treatment == 1].mean() / denominator[treatment == 1].mean()
    assert divided == pytest.approx(plain.estimate, rel=1e-12)


def test_rows_repeated_within_a_cluster_count_once():
    numerator, denominator, treatment, covariate = sessions(7, n=600)
    once = ratio_student_t(numerator, denominator, treatment, proxy=covariate)
    twice = [np.tile(array, 2) for array in (numerator, denominator, treatment, covariate)]
    effect = ratio_student_t(*twice[:3], proxy=twice[3], clusters=np.tile(np.arange(600), 2))
    assert effect.interval == pytest.approx(once.interval, abs=1e-5)


def test_an_arm_without_denominator_is_refused_by_name():
    with pytest.raises(InputError, match="denominators of the treatment arm sum to zero"):
        ratio_student_t([1.0, 2.0, 0.0, 0.0], [1.0, 2.0, 0.0, 0.0], [0, 0, 1, 1])
