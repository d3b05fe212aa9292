import numpy as np
import pytest
from scipy.stats import norm, ttest_1samp

from causal_tasks.errors import InputError
from causal_tasks.evaluation import Estimate
from causal_tasks.evaluation.estimate import mean_estimate


@pytest.mark.parametrize(("estimate", "error"), [(0.3, 0.1), (-0.3, 0.1), (0.0, 2.0)])
def test_the_one_sided_p_value_is_that_of_zero_or_below(estimate, error):
    found = Estimate.of(estimate, error)
    assert found.one_sided_p_value == pytest.approx(norm.sf(estimate / error))
    assert found.p_value == pytest.approx(2 * min(found.one_sided_p_value, 1 - found.one_sided_p_value))


def test_without_uncertainty_the_one_sided_p_value_is_zero_above_zero_and_one_else():
    assert [Estimate.of(value, 0.0).one_sided_p_value for value in (1.0, 0.0, -1.0)] == [0.0, 1.0, 1.0]


def test_the_mean_has_its_plain_standard_error():
    values = np.random.default_rng(0).gamma(2, size=500)
    found, oracle = mean_estimate(values), ttest_1samp(values, 0)
    assert found.estimate == pytest.approx(values.mean())
    assert found.estimate / found.standard_error == pytest.approx(oracle.statistic)


def test_the_mean_of_clusters_of_equal_size_has_the_standard_error_of_cluster_means():
    values = np.random.default_rng(1).normal(size=(200, 5))
    found, means = (
        mean_estimate(values.ravel(), clusters=np.repeat(np.arange(200), 5)),
        mean_estimate(values.mean(axis=1)),
    )
    assert found.standard_error == pytest.approx(means.standard_error)


@pytest.mark.parametrize("values", [[], [1.0]])
def test_fewer_than_two_values_show_no_uncertainty(values):
    with pytest.raises(InputError, match="independent units"):
        mean_estimate(np.array(values))
