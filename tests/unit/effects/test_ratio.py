import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causal_tasks.effects import difference_in_means, ratio_of_means
from causal_tasks.errors import InputError


def sessions(seed, n=2000):
    rng = np.random.default_rng(seed)
    treatment = rng.integers(0, 2, n)
    denominator = rng.poisson(4, n).astype(float)
    rate = rng.beta(2, 3, n) + 0.05 * treatment
    return rng.poisson(rate * denominator).astype(float), denominator, treatment


def test_the_standard_error_is_the_textbook_delta_method():
    numerator, denominator, treatment = sessions(1)
    variance = 0.0
    for arm in (0, 1):
        top, bottom = numerator[treatment == arm], denominator[treatment == arm]
        ratio, covariance = top.mean() / bottom.mean(), np.cov(top, bottom)
        spread = covariance[0, 0] - 2 * ratio * covariance[0, 1] + ratio**2 * covariance[1, 1]
        variance += spread / (len(top) * bottom.mean() ** 2)
    effect = ratio_of_means(numerator, denominator, treatment)
    assert effect.standard_error == pytest.approx(np.sqrt(variance), rel=1e-9)


def test_the_interval_agrees_with_a_bootstrap():
    numerator, denominator, treatment = sessions(2)
    effect = ratio_of_means(numerator, denominator, treatment)
    rng = np.random.default_rng(0)
    estimates, relatives = [], []
    for _ in range(500):
        rows = rng.integers(0, len(numerator), len(numerator))
        drawn = ratio_of_means(numerator[rows], denominator[rows], treatment[rows])
        estimates.append(drawn.estimate)
        relatives.append(drawn.relative)
    assert effect.standard_error == pytest.approx(np.std(estimates), rel=0.1)
    assert (effect.relative_interval[1] - effect.relative) / 1.96 == pytest.approx(np.std(relatives), rel=0.1)


def test_a_denominator_of_ones_gives_the_difference_in_means():
    numerator, denominator, treatment = sessions(3)
    ratio, mean = (
        ratio_of_means(numerator, np.ones_like(denominator), treatment),
        difference_in_means(numerator, treatment),
    )
    assert ratio.interval == pytest.approx(mean.interval, rel=1e-12)
    assert ratio.relative_interval == pytest.approx(mean.relative_interval, rel=1e-12)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.floats(0.01, 100))
def test_a_common_scale_cancels_and_swapped_arms_turn_the_sign(seed, scale):
    numerator, denominator, treatment = sessions(seed, n=60)
    effect = ratio_of_means(numerator, denominator, treatment)
    scaled = ratio_of_means(numerator * scale, denominator * scale, treatment)
    swapped = ratio_of_means(numerator, denominator, treatment, control=1)
    assert scaled.interval == pytest.approx(effect.interval, rel=1e-9, abs=1e-12)
    assert swapped.estimate == pytest.approx(-effect.estimate, rel=1e-9, abs=1e-12)
    assert swapped.p_value == pytest.approx(effect.p_value, rel=1e-9)


def test_units_of_repeated_rows_are_clusters():
    numerator, denominator, treatment = sessions(4)
    twice = [np.tile(array, 2) for array in (numerator, denominator, treatment)]
    once = ratio_of_means(numerator, denominator, treatment)
    clustered = ratio_of_means(*twice, clusters=np.tile(np.arange(len(numerator)), 2))
    assert clustered.interval == pytest.approx(once.interval, rel=1e-9)


def test_an_arm_without_denominator_is_refused_by_name():
    with pytest.raises(InputError, match="denominators of the treatment arm sum to zero"):
        ratio_of_means([1.0, 2.0, 0.0, 0.0], [1.0, 2.0, 0.0, 0.0], [0, 0, 1, 1])
    with pytest.raises(InputError, match="denominator has 3 rows, the numerator 4"):
        ratio_of_means([1.0, 2.0, 0.0, 0.0], [1.0, 2.0, 0.0], [0, 0, 1, 1])
