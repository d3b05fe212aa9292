"""q-values against statsmodels; adjusted intervals against their own promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from statsmodels.stats.multitest import multipletests

from causal_tasks.evaluation.estimate import Estimate
from causal_tasks.subpopulations.multiplicity import FALSE_DISCOVERY_RATE, coverage_adjusted, q_values


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_q_values_are_those_of_benjamini_and_hochberg(p_values):
    np.testing.assert_allclose(q_values(p_values), multipletests(p_values, method="fdr_bh")[1], atol=1e-12)


def test_a_rule_without_evidence_counts_in_the_family():
    assert q_values([0.01, None, None]) == pytest.approx([0.03, 1.0, 1.0])
    assert q_values([]) == []


def test_where_all_rules_are_selected_the_interval_is_the_plain_one():
    estimate = Estimate.of(2.0, 0.5)
    assert coverage_adjusted(estimate, selected=7, examined=7) == pytest.approx(estimate.interval)


def test_the_stricter_the_selection_the_wider_the_interval():
    low, high = coverage_adjusted(Estimate.of(2.0, 0.5), selected=1, examined=20)
    assert (low, high) == pytest.approx((2 - norm.ppf(0.99875) * 0.5, 2 + norm.ppf(0.99875) * 0.5))


def test_of_selected_rules_plain_intervals_miss_too_often_and_adjusted_ones_do_not():
    """Contrast and effect of a rule share their noise, as they do where a rule covers few users."""
    random = np.random.default_rng(0)
    missed = {"plain": [], "adjusted": []}
    for _ in range(2000):
        truth = np.where(random.random(12) < 0.25, 2.0, 0.0)
        observed = truth + random.normal(size=12)
        selected = np.array(q_values((2 * norm.sf(abs(observed))).tolist())) <= FALSE_DISCOVERY_RATE
        for k in np.flatnonzero(selected):
            estimate = Estimate.of(observed[k], 1.0)
            adjusted = coverage_adjusted(estimate, selected=int(selected.sum()), examined=12)
            for name, (low, high) in (("plain", estimate.interval), ("adjusted", adjusted)):
                missed[name].append((not low <= truth[k] <= high) / selected.sum())
    shares = {name: sum(values) / 2000 for name, values in missed.items()}
    assert shares["plain"] > 0.08
    assert shares["adjusted"] < 0.055
