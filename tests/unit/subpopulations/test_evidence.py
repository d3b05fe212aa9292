"""Evidence on rules against regression, resampling and other libraries."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import norm

from causal_tasks.errors import InputError
from causal_tasks.subpopulations.evidence import Scores


def simulated(seed=0, *, n=2000, propensity=0.4):
    random = np.random.default_rng(seed)
    x = random.normal(size=n)
    treated = random.random(n) < propensity
    outcome = 5 + x + treated * (0.5 + (x > 1)) + random.normal(size=n)
    return x, outcome, treated


def scores_of(seed=0, *, clusters=None, **options):
    x, outcome, treated = simulated(seed, **options)
    return x > 1, Scores.of(outcome, treated, 5 + x, 5.5 + x, options.get("propensity", 0.4), clusters=clusters)


def test_effect_rest_and_contrast_are_a_regression_of_the_scores_on_membership():
    inside, scores = scores_of()
    evidence = scores.assess(inside)
    # HC2 equals Welch's standard error where the only regressor is a group.
    fitted = sm.OLS(scores.effect, sm.add_constant(inside.astype(float))).fit(cov_type="HC2", use_t=False)
    assert evidence.rest.estimate == pytest.approx(fitted.params[0])
    assert evidence.rest.standard_error == pytest.approx(fitted.bse[0])
    assert evidence.contrast.estimate == pytest.approx(fitted.params[1])
    assert evidence.contrast.standard_error == pytest.approx(fitted.bse[1])
    assert evidence.contrast.p_value == pytest.approx(fitted.pvalues[1])
    assert evidence.contrast.interval == pytest.approx(tuple(fitted.conf_int()[1]))
    within = scores.effect[inside]
    assert evidence.effect.estimate == pytest.approx(within.mean())
    assert evidence.effect.standard_error == pytest.approx(within.std(ddof=1) / np.sqrt(len(within)))


def test_shares_and_sizes_are_counted_by_arm():
    treated = simulated()[2]
    inside, scores = scores_of()
    evidence = scores.assess(inside)
    assert evidence.share == inside.mean()
    assert (evidence.n_control, evidence.n_treatment) == ((inside & ~treated).sum(), (inside & treated).sum())
    assert evidence.independent_per_arm == min(evidence.n_control, evidence.n_treatment)


def test_repeating_every_user_in_a_cluster_adds_no_certainty():
    inside, once = scores_of()
    x, outcome, treated = simulated()
    copies = np.repeat(np.arange(2000), 5)
    repeated = Scores.of(
        outcome[copies], treated[copies], 5 + x[copies], 5.5 + x[copies], 0.4, clusters=[f"c{k}" for k in copies]
    )
    one, many = once.assess(inside), repeated.assess(inside[copies])
    assert many.independent_per_arm == one.independent_per_arm
    for estimate in ("effect", "rest", "contrast"):
        assert getattr(many, estimate).standard_error == pytest.approx(getattr(one, estimate).standard_error)


def test_a_contrast_within_clusters_is_surer_when_clusters_share_their_level():
    random = np.random.default_rng(3)
    cluster = np.repeat(np.arange(300), 20)
    inside = np.tile(np.arange(20) < 10, 300)
    treated = random.random(6000) < 0.5
    outcome = treated * random.normal(0, 3, 300)[cluster] + random.normal(size=6000)
    mean = np.zeros(6000)
    evidence = Scores.of(outcome, treated, mean, mean, 0.5, clusters=cluster).assess(inside)
    independent = np.hypot(evidence.effect.standard_error, evidence.rest.standard_error)
    assert evidence.contrast.standard_error < 0.5 * independent


def test_the_control_mean_and_the_relative_effect_say_the_same_with_and_without_models():
    inside, scores = scores_of()
    _, outcome, treated = simulated()
    evidence = scores.assess(inside)
    plain = outcome[inside & ~treated].mean()
    assert evidence.control_mean == pytest.approx(plain, abs=0.3)
    assert evidence.relative == pytest.approx(evidence.effect.estimate / evidence.control_mean)


def test_a_baseline_moves_the_control_mean_and_with_it_the_relative_effect():
    inside, scores = scores_of()
    evidence, moved = scores.assess(inside), scores.assess(inside, baseline=3.0)
    assert moved.control_mean == pytest.approx(evidence.control_mean + 3)
    assert moved.relative == pytest.approx(evidence.effect.estimate / (evidence.control_mean + 3))
    assert moved.effect == evidence.effect


def test_there_is_no_relative_effect_where_the_control_mean_is_near_zero():
    inside, scores = scores_of()
    assert scores.assess(inside, baseline=-scores.control[inside].mean()).relative is None


@pytest.mark.parametrize("covered", [[], [0], [0, 1, 2]])
def test_a_rule_with_fewer_than_two_users_in_an_arm_says_nothing_and_its_counterpart_still_does(covered):
    treated = np.array([False, True, True] + [False, True] * 50)
    outcome = np.arange(103.0)
    inside = np.isin(np.arange(103), covered)
    evidence = Scores.of(outcome, treated, np.zeros(103), np.zeros(103), 0.5).assess(inside)
    assert evidence.effect is None
    assert evidence.contrast is None
    assert evidence.relative is None
    assert evidence.rest is not None


def test_one_cluster_in_an_arm_is_no_evidence():
    treated = np.tile([False, True], 50)
    scores = Scores.of(np.arange(100.0), treated, np.zeros(100), np.zeros(100), 0.5, clusters=treated)
    assert scores.assess(np.ones(100, dtype=bool)).effect is None
    assert scores.detectable([0.1]) == {0.1: None}


def test_a_user_without_cluster_is_refused():
    with pytest.raises(InputError, match="missing for 1 of 3"):
        Scores.of(np.ones(3), np.array([False, True, True]), np.ones(3), np.ones(3), 0.5, clusters=["a", None, "b"])


def test_intervals_cover_the_true_effect_of_a_group():
    hits = 0
    for seed in range(200):
        inside, scores = scores_of(seed, n=400)
        low, high = scores.assess(inside).effect.interval
        hits += low <= 1.5 <= high
    assert 0.91 <= hits / 200 <= 0.985


def test_the_detectable_effect_is_the_textbook_formula_when_models_leave_noise_only():
    x, outcome, treated = simulated(n=20_000)
    scores = Scores.of(outcome, treated, 5 + x, 5.5 + x + (x > 1), 0.4)
    noise = [outcome[treated] - (5.5 + x + (x > 1))[treated], outcome[~treated] - (5 + x)[~treated]]
    per_arm = sum(residual.var(ddof=1) / (0.1 * len(residual)) for residual in noise)
    textbook = (norm.ppf(0.975) + norm.ppf(0.8)) * np.sqrt(per_arm)
    detectable = scores.detectable((0.1, 0.4))
    # The scores also carry the spread of effects between users: sd of (x > 1) is 0.37 against noise of 1 / 0.24.
    assert detectable[0.1] == pytest.approx(textbook, rel=0.03)
    assert detectable[0.4] == pytest.approx(detectable[0.1] / 2)


def test_rare_outcomes_are_counted_in_the_arm_and_direction_where_they_are_rarest():
    outcome = np.array([1, 1, 1, 0] * 10 + [1, 0] * 20, dtype=float)
    treated = np.repeat([True, False], 40)
    scores = Scores.of(outcome, treated, np.full(80, 0.5), np.full(80, 0.75), 0.5)
    assert scores.assess(np.ones(80, dtype=bool)).rarer_outcomes == 10
    assert scores_of()[1].assess(scores_of()[0]).rarer_outcomes is None
