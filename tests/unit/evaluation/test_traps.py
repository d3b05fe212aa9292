"""Mistakes that were measured in peer libraries, each with the data on which it shows."""

import tracemalloc

import numpy as np
import pytest
import statsmodels.api as sm

from causal_tasks.evaluation import (
    autoc,
    auuc,
    auuc_interval,
    best_linear_predictor,
    budget_curve,
    compare_rates,
    dr_scores,
    gain_curve,
    group_effects,
    toc_curve,
)


def one_over_q_autoc(scores, uplift):
    """What causalml 0.18 calls AUTOC: the mean of the TOC weighted by 1 / q."""
    n = len(scores)
    k = np.arange(1, n + 1)
    toc = np.cumsum(scores[np.argsort(-uplift)]) / k - scores.mean()
    weight = 1 / k
    return (toc * weight).sum() / weight.sum()


def test_weighting_the_toc_by_one_over_q_grows_with_the_number_of_users_and_ours_does_not():
    ours, theirs = [], []
    for n in (1_000, 10_000, 100_000):
        effects = (np.arange(n) + 0.5) / n
        ours.append(autoc(effects, effects).estimate)
        theirs.append(one_over_q_autoc(effects, effects))
    assert ours == pytest.approx([0.25] * 3, rel=0.01)
    assert np.diff(theirs).min() > 0.005
    assert theirs[0] > 0.4


def test_dividing_auuc_by_the_average_effect_makes_it_meaningless_and_per_user_stays():
    """Same spread of effects, average effect 0: the normalised score has no scale."""
    per_user, normalised = [], []
    for seed in range(200):
        random = np.random.default_rng(seed)
        x, treatment = random.random(2_000), random.integers(0, 2, 2_000)
        outcome = (x - 0.5) * treatment + 0.5 * random.normal(size=2_000)
        per_user.append(auuc(outcome, x, treatment))
        normalised.append(auuc(outcome, x, treatment, definition="causalml"))
    # Effects x - 1/2: the best s gain s (1 - s) / 2 per user, in all 1/12.
    assert np.mean(per_user) == pytest.approx(1 / 12, abs=0.003)
    assert np.std(per_user) < 0.02
    assert np.max(normalised) > 20 * np.median(normalised)


def test_noise_that_grows_with_the_score_fools_plain_errors_of_the_best_linear_predictor_and_not_ours():
    plain, ours = [], []
    for seed in range(400):
        random = np.random.default_rng(seed)
        score, treatment = random.exponential(size=1_000), random.integers(0, 2, 1_000)
        outcome = score * random.normal(size=1_000)
        zeros = np.zeros(1_000)
        scores = dr_scores(outcome, treatment, zeros, zeros, 0.5)
        plain.append(sm.OLS(scores, sm.add_constant(score)).fit().pvalues[1])
        found = best_linear_predictor(outcome, score, treatment, mean_control=zeros, propensity=0.5)
        ours.append(found.heterogeneity.p_value)
    assert np.mean(np.array(plain) < 0.05) > 0.12
    assert np.mean(np.array(ours) < 0.05) < 0.08


def test_no_score_depends_on_the_order_of_rows_within_ties():
    random = np.random.default_rng(1)
    uplift, treatment = random.integers(0, 3, 900) / 10, random.integers(0, 2, 900)
    outcome = random.normal(size=900)
    scores = 2 * (2 * treatment - 1) * outcome
    by_outcome = np.argsort(outcome)
    for rows in (by_outcome, by_outcome[::-1]):
        assert autoc(scores[rows], uplift[rows]).estimate == pytest.approx(autoc(scores, uplift).estimate)
        assert auuc(outcome[rows], uplift[rows], treatment[rows]) == pytest.approx(auuc(outcome, uplift, treatment))


@pytest.mark.parametrize(
    "band",
    [
        lambda y, s, w, g: auuc_interval(y, s, w),
        lambda y, s, w, g: gain_curve(y, s, w),
        lambda y, s, w, g: autoc(g, s),
        lambda y, s, w, g: toc_curve(g, s),
        lambda y, s, w, g: compare_rates(g, s, y),
        lambda y, s, w, g: budget_curve(g, s, cost=1.0),
        lambda y, s, w, g: group_effects(g, s, joint=True),
    ],
    ids=["auuc", "gain", "autoc", "toc", "compare", "budget", "groups"],
)
def test_a_thousand_draws_take_no_array_of_users_times_draws(band):
    """At 200,000 users such an array has 1.6 GB; every array of the users has 1.6 MB."""
    n = 200_000
    random = np.random.default_rng(2)
    outcome, uplift, treatment = random.normal(size=n), random.normal(size=n), random.integers(0, 2, n)
    scores = 2 * (2 * treatment - 1) * outcome
    tracemalloc.start()
    try:
        band(outcome, uplift, treatment, scores)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 50e6
