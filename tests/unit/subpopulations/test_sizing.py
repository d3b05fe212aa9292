"""Sizes of follow-ups against statsmodels and against the variance of simulated means."""

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.power import NormalIndPower

from causal_tasks.errors import InputError
from causal_tasks.subpopulations import sizing
from causal_tasks.subpopulations.sizing import Noise, days_to_enrol, detectable_effect, users_per_arm


def test_the_examples_hold():
    assert doctest.testmod(sizing).failed == 0


@given(
    standardised=st.floats(0.01, 1.5), power=st.sampled_from([0.5, 0.8, 0.95]), level=st.sampled_from([0.9, 0.95, 0.99])
)
def test_users_per_arm_are_those_of_statsmodels(standardised, power, level):
    expected = NormalIndPower().solve_power(effect_size=standardised, alpha=1 - level, power=power)
    found = users_per_arm(3 * standardised, Noise(9.0, 9.0), level=level, power=power)
    # statsmodels counts the far tail too, which matters only where n is a handful.
    assert expected - 1 <= found <= expected * 1.01 + 1


def test_the_detectable_effect_is_the_one_that_the_size_is_for():
    noise = Noise(4.0, 5.0)
    assert detectable_effect(users_per_arm(0.2, noise), noise) == pytest.approx(0.2, rel=1e-3)


def test_a_difference_between_halves_that_is_half_as_large_needs_sixteen_times_the_users():
    """Gelman's rule: each half has half the users, so the difference has twice the standard error."""
    common, between = users_per_arm(1.0, Noise(1.0, 1.0)), users_per_arm(0.5, Noise(4.0, 4.0))
    assert between == pytest.approx(16 * common, rel=0.05)


def test_an_effect_of_zero_has_no_size():
    with pytest.raises(InputError, match="cannot be told from zero"):
        users_per_arm(0.0, Noise(1.0, 1.0))


def test_noise_without_history_is_the_sample_variance_of_each_arm():
    outcome = np.array([1.0, 2.0, 4.0, 10.0, 30.0])
    treated = np.array([False, False, False, True, True])
    noise = Noise.of(outcome, treated)
    assert noise.control == pytest.approx(outcome[:3].var(ddof=1))
    assert noise.treatment == pytest.approx(outcome[3:].var(ddof=1))
    assert noise.explained == 0


def test_history_takes_away_the_squared_correlation():
    random = np.random.default_rng(0)
    n, rho = 50_000, 0.7
    before = random.normal(size=n)
    outcome = rho * before + np.sqrt(1 - rho**2) * random.normal(size=n)
    treated = random.random(n) < 0.5
    noise = Noise.of(outcome + 5 * treated, treated, before=before + 3)
    assert noise.explained == pytest.approx(rho**2, abs=0.01)
    assert noise.of_difference == pytest.approx(2 * (1 - rho**2), rel=0.03)


def test_missing_history_counts_as_average():
    random = np.random.default_rng(1)
    before = random.normal(size=20_000)
    outcome = before + random.normal(size=20_000)
    treated = random.random(20_000) < 0.5
    half = np.where(random.random(20_000) < 0.5, np.nan, before)
    whole, some = (Noise.of(outcome, treated, before=b) for b in (before, half))
    none = Noise.of(outcome, treated, before=np.full(20_000, np.nan))
    assert whole.explained == pytest.approx(0.5, abs=0.02)
    assert some.explained == pytest.approx(0.25, abs=0.02)
    assert none == Noise.of(outcome, treated)


def test_clusters_that_vary_together_need_more_users():
    """With clusters of m users and intra-class correlation r the variance of a mean grows by 1 + (m - 1) r."""
    random = np.random.default_rng(2)
    clusters, m, r = 8_000, 5, 0.3
    code = np.repeat(np.arange(clusters), m)
    outcome = np.sqrt(r) * random.normal(size=clusters)[code] + np.sqrt(1 - r) * random.normal(size=clusters * m)
    treated = (np.arange(clusters) % 2 == 0)[code]
    noise = Noise.of(outcome, treated, clusters=code)
    assert noise.of_difference / Noise.of(outcome, treated).of_difference == pytest.approx(1 + (m - 1) * r, rel=0.05)


def test_an_arm_of_one_user_or_one_cluster_has_no_variance():
    with pytest.raises(InputError, match="1 user"):
        Noise.of([1.0, 2.0, 3.0], np.array([True, False, False]))
    with pytest.raises(InputError, match="one cluster"):
        Noise.of([1.0, 2.0, 3.0, 4.0], np.array([True, True, False, False]), clusters=[1, 1, 2, 3])


@pytest.mark.parametrize(
    ("by_day", "needed", "days"),
    [
        ([10, 10, 10], 25, 3),
        ([10, 10, 10], 30, 3),
        ([10, 10, 10], 31, 4),
        ([50, 20, 10, 10], 100, 5),  # the first rush does not repeat
        ([50, 20, 10, 10], 131, 9),
        ([50, 0], 60, None),
    ],
)
def test_enrolment_goes_on_at_the_rate_of_its_second_half(by_day, needed, days):
    assert days_to_enrol(np.array(by_day), needed) == days
