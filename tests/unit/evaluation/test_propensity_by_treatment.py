"""Scores of rankings whose users were treated with a probability of their own."""

import numpy as np
import pytest

from causal_tasks.errors import InputError
from causal_tasks.evaluation import auuc, auuc_interval, compare


def observed(n=4000, seed=0):
    """Two treatments, chosen the likelier the larger x; only the first one works, and for negative x alone."""
    random = np.random.default_rng(seed)
    x = random.normal(size=n)
    odds = np.exp(np.column_stack([np.zeros(n), x - 0.5, 0.5 * x]))
    arm = (random.random((n, 1)) > np.cumsum(odds / odds.sum(axis=1, keepdims=True), axis=1)).sum(axis=1)
    propensity = odds[:, 1:] / (odds[:, :1] + odds[:, 1:])
    outcome = x + (arm == 1) * (x < 0) + random.normal(size=n)
    uplift = np.column_stack([-x, random.normal(size=n)])
    return outcome, uplift, arm, propensity


def test_one_column_for_each_treatment_is_the_mean_of_single_scores():
    outcome, uplift, arm, propensity = observed()
    together = auuc(outcome, uplift, arm, propensity=propensity)
    alone = [
        auuc(outcome[rows], uplift[rows, k - 1], arm[rows], propensity=propensity[rows, k - 1])
        for k in (1, 2)
        for rows in [np.isin(arm, (0, k))]
    ]
    assert together == pytest.approx(np.mean(alone), rel=1e-12)
    one = np.isin(arm, (0, 1))
    assert auuc(outcome[one], uplift[one, 0], arm[one], propensity=propensity[one, :1]) == pytest.approx(alone[0])


def test_users_without_a_probability_are_left_out_of_that_ranking_alone():
    outcome, uplift, arm, propensity = observed()
    out = (propensity[:, 0] < 0.2) & (arm < 2)
    propensity[out, 0] = np.nan
    outcome_elsewhere = outcome.copy()
    kept = ~np.isnan(propensity[:, 0]) & np.isin(arm, (0, 1))
    first = auuc(outcome[kept], uplift[kept, 0], arm[kept], propensity=propensity[kept, 0])
    second_rows = np.isin(arm, (0, 2))
    second = auuc(outcome[second_rows], uplift[second_rows, 1], arm[second_rows], propensity=propensity[second_rows, 1])
    assert auuc(outcome, uplift, arm, propensity=propensity) == pytest.approx((first + second) / 2, rel=1e-12)
    outcome_elsewhere[out & (arm == 1)] = 1e9
    assert auuc(outcome_elsewhere, uplift, arm, propensity=propensity) == auuc(
        outcome, uplift, arm, propensity=propensity
    )
    scored = auuc_interval(outcome, uplift, arm, propensity=propensity)
    assert scored.estimate == pytest.approx((first + second) / 2, rel=1e-12)
    assert 0 < scored.standard_error < 0.1
    paired = compare(outcome, uplift, uplift[:, ::-1], arm, propensity=propensity)
    assert paired.interval[0] < paired.estimate < paired.interval[1]


def test_weights_undo_the_confounding_that_a_plain_score_mistakes_for_a_gain():
    """The treatment does nothing; whoever has a large x takes it and does well, so ranking by nothing seems to gain."""
    random = np.random.default_rng(1)
    x = random.normal(size=20_000)
    propensity = 1 / (1 + np.exp(-x))
    arm = (random.random(20_000) < propensity).astype(int)
    outcome, uplift = x + random.normal(size=20_000), random.normal(size=20_000)
    assert auuc(outcome, uplift, arm) > 0.3
    assert abs(auuc(outcome, uplift, arm, propensity=propensity)) < 0.05


@pytest.mark.parametrize(
    ("propensity", "message"),
    [
        (lambda p: p[:, :1], r"propensity of shape \(4000, 1\) cannot describe 2 treatments of 4000 users"),
        (lambda p: p[:, 0], r"propensity of shape \(4000,\) cannot describe 2 treatments"),
        (lambda p: np.where(p > 0.9, 1.0, p), "to 1"),
        (lambda p: np.column_stack([p[:, 0], np.full(4000, np.nan)]), "missing for every user"),
    ],
)
def test_probabilities_that_do_not_fit_are_refused(propensity, message):
    outcome, uplift, arm, known = observed()
    with pytest.raises(InputError, match=message):
        auuc(outcome, uplift, arm, propensity=propensity(known))
