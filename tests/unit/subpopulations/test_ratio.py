"""Effects on ratios: those of the covered users themselves, whatever everybody's ratio is."""

import json

import numpy as np
import pandas as pd
import pytest

from causal_tasks.effects import ratio_of_means
from causal_tasks.errors import InputError
from causal_tasks.subpopulations import Ratio, mine
from causal_tasks.subpopulations.evidence import Scores

BASELINE, MEAN = 0.4, 20.0
LOW, UNCHANGED, HIGH = 0.100, 0.099, 0.700


def simulated(seed=0, *, n=40_000, treated_ratio=UNCHANGED, propensity=0.5):
    """In the lower half of x the ratio is .1 and treatment adds 30 % denominators; in the other nothing happens."""
    random = np.random.default_rng(seed)
    x = random.random(n)
    treated = random.random(n) < propensity
    low = x <= 0.5
    below = random.gamma(20, 1, n) * np.where(low & treated, 1.3, 1.0)
    ratio = np.where(low, np.where(treated, treated_ratio, LOW), HIGH)
    above = ratio * below + random.normal(0, 0.5, n)
    return x, treated, above, below


def linear(above, below):
    return (above - BASELINE * below) / MEAN


def models(x):
    """What perfect models of the linearised outcome say."""
    low = x <= 0.5
    control = np.where(low, LOW - BASELINE, HIGH - BASELINE)
    return control, np.where(low, 1.3 * (UNCHANGED - BASELINE), control)


def mined(*, own=True, empty=False, **options):
    x, treated, above, below = simulated()
    if empty:
        above, below = (np.where((x <= 0.5) & ~treated, 0.0, side) for side in (above, below))
    control, treatment = models(x)
    return mine(
        pd.DataFrame({"x": x}),
        pd.DataFrame({1: treatment - control + np.random.default_rng(1).normal(0, 0.01, len(x))}),
        linear(above, below),
        treated.astype(int),
        discovery=np.arange(len(x)) % 2 == 0,
        means=pd.DataFrame({0: control, 1: treatment}),
        baseline=BASELINE,
        ratio=Ratio(above, below) if own else None,
        stability_trees=0,
        **options,
    )


def scores_of(x, treated, above, below, *, propensity=0.5, means=None, **options):
    control, treatment = models(x) if means is None else (np.full(len(x), mean) for mean in means)
    return Scores.of(linear(above, below), treated, control, treatment, propensity, denominator=below / MEAN, **options)


def test_more_denominators_where_the_ratio_is_low_are_no_effect_on_it():
    (shown,) = (rule for rule in mined().subpopulations if rule.words["en"].startswith("x ≤"))
    (before,) = (rule for rule in mined(own=False).subpopulations if rule.words["en"].startswith("x ≤"))
    assert before.effect.estimate == pytest.approx(-0.087, abs=0.006)
    assert shown.effect.estimate == pytest.approx(-0.001, abs=4 * shown.effect.standard_error)
    assert shown.effect.standard_error < 0.001
    assert shown.control_mean == pytest.approx(LOW, abs=0.002)
    assert shown.rest.estimate == pytest.approx(0, abs=4 * shown.rest.standard_error)
    assert shown.contrast.estimate == pytest.approx(shown.effect.estimate - shown.rest.estimate)
    assert shown.in_sample.estimate == pytest.approx(-0.001, abs=4 * shown.in_sample.standard_error)
    assert shown.relative == pytest.approx(shown.effect.estimate / shown.control_mean)
    assert shown.predicted == before.predicted
    assert (before.grade, shown.grade) == ("confirmed", "not_supported")


def test_nodes_of_the_tree_tell_their_own_ratio_too():
    found = mined()
    effects = {node.words["en"]: node.effect for node in found.trees["1"].children}
    (shown,) = (rule for rule in found.subpopulations if rule.words["en"] in effects and rule.kind == "negative")
    assert effects[shown.words["en"]] == shown.effect


def test_where_less_is_better_the_same_effects_are_told_of_the_other_kind():
    up, down = mined(), mined(sign=-1)
    mirrored = {rule.rule: rule for rule in down.subpopulations}
    (rule,) = (rule for rule in up.subpopulations if rule.kind == "negative")
    assert mirrored[rule.rule].kind == "positive"
    assert (mirrored[rule.rule].effect, mirrored[rule.rule].contrast) == (rule.effect, rule.contrast)


def test_without_a_difference_in_denominators_it_is_the_linearised_effect_in_another_unit():
    x, treated, above, _ = simulated(n=2000)
    below = np.where(x <= 0.5, 30.0, 10.0)
    scores = scores_of(x, treated, above, below, means=(0.1, 0.2))
    plain = Scores.of(linear(above, below), treated, np.full(2000, 0.1), np.full(2000, 0.2), 0.5)
    own, linearised = (each.assess(x <= 0.5, baseline=BASELINE) for each in (scores, plain))
    for estimate, scale in (("effect", MEAN / 30), ("rest", MEAN / 10)):
        found, expected = getattr(own, estimate), getattr(linearised, estimate)
        assert found.estimate == pytest.approx(scale * expected.estimate, rel=1e-9)
        assert found.standard_error == pytest.approx(scale * expected.standard_error, rel=1e-9)
    difference = MEAN / 30 * linearised.effect.estimate - MEAN / 10 * linearised.rest.estimate
    assert own.contrast.estimate == pytest.approx(difference, rel=1e-9)
    assert own.control_mean - BASELINE == pytest.approx(MEAN / 30 * (linearised.control_mean - BASELINE), rel=1e-9)


@pytest.mark.parametrize("clustered", [False, True])
def test_around_the_arms_own_means_it_is_the_ratio_of_means(clustered):
    x, treated, above, below = (
        column[np.random.default_rng(2).integers(0, 4000, 6000)] for column in simulated(n=4000)
    )
    clusters = np.random.default_rng(3).integers(0, 1500, 6000) if clustered else None
    inside = x <= 0.5
    outcome = linear(above, below)
    means = [outcome[inside & arm].mean() for arm in (~treated, treated)]
    share = treated[inside].mean()
    found = scores_of(x, treated, above, below, propensity=share, means=means, clusters=clusters).assess(inside).effect
    expected = ratio_of_means(
        above[inside], below[inside], treated[inside], clusters=None if clusters is None else clusters[inside]
    )
    assert found.estimate == pytest.approx(expected.estimate, rel=1e-9)
    assert found.standard_error == pytest.approx(expected.standard_error, rel=0.01)


@pytest.mark.parametrize("means", [None, (0.0, 0.0)])
def test_intervals_cover_the_true_effect_on_the_groups_ratio(means):
    effect, contrast = [], []
    for seed in range(400):
        x, treated, above, below = simulated(seed, n=800, treated_ratio=0.12, propensity=0.4)
        evidence = scores_of(x, treated, above, below, propensity=0.4, means=means).assess(x <= 0.5)
        for estimate, hits in ((evidence.effect, effect), (evidence.contrast, contrast)):
            hits.append(estimate.interval[0] <= 0.02 <= estimate.interval[1])
    assert 0.92 <= np.mean(effect) <= 0.98
    assert 0.92 <= np.mean(contrast) <= 0.98


def test_propensities_undo_that_users_with_more_denominators_are_treated_more_often():
    random = np.random.default_rng(4)
    x = random.random(40_000)
    propensity = 0.2 + 0.6 * x
    treated = random.random(40_000) < propensity
    below = 5 + 30 * x
    above = x * below
    scores = scores_of(x, treated, above, below, propensity=propensity, means=(0.0, 0.0))
    everybody = np.ones(40_000, dtype=bool)
    found = scores.assess(everybody).effect
    assert ratio_of_means(above, below, treated).estimate > 0.1
    assert abs(found.estimate) < 4 * found.standard_error
    assert found.standard_error < 0.02


def test_a_group_without_denominators_in_control_is_not_told():
    found = mined(empty=True)
    (node,) = (node for node in found.trees["1"].children if node.words["en"].startswith("x ≤"))
    assert node.effect is None
    assert found.subpopulations == ()
    assert {rule.q_value for rule in found.examined} == {1.0}
    json.dumps([found.trees["1"].to_json(), found.detectable], allow_nan=False)


def test_a_group_with_a_handful_of_denominators_says_nothing():
    """The delta method would find no noise in the ratio of a single user."""
    x, treated, above, below = simulated(n=2000)
    few = np.zeros(2000)
    few[np.flatnonzero(~treated)[:1]] = 20.0
    below = np.where(treated, below, few)
    everybody = np.ones(2000, dtype=bool)
    evidence = scores_of(x, treated, np.minimum(above, below), below).assess(everybody)
    assert (evidence.effect, evidence.control_mean, evidence.relative) == (None, None, None)


@pytest.mark.parametrize("scale", [1.0, 3.5])
def test_the_mean_by_which_an_outcome_was_divided_is_read_from_it(scale):
    _, _, above, below = simulated(n=100)
    outcome = ((above - BASELINE * below) / scale).astype("float32").astype(float)
    found = Ratio(above, below).relative_denominator(outcome, baseline=BASELINE)
    np.testing.assert_allclose(found, below / scale, rtol=1e-5)


def test_an_outcome_that_is_always_zero_has_any_mean():
    _, _, _, below = simulated(n=100)
    np.testing.assert_array_equal(Ratio(0 * below, below).relative_denominator(np.zeros(100), baseline=0.0), below)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda above, below: (above, below, 0.3), "outcome is not"),
        (lambda above, below: (-above, -below, BASELINE), "outcome is not"),
        (lambda above, below: (above, below[::-1], BASELINE), "outcome is not"),
        (lambda above, below: (above * np.nan, below, BASELINE), "numerator"),
    ],
)
def test_a_ratio_that_the_outcome_is_not_made_of_is_refused(change, message):
    _, _, above, below = simulated(n=100)
    numerator, denominator, baseline = change(above, below)
    with pytest.raises(InputError, match=message):
        Ratio(numerator, denominator).relative_denominator(linear(above, below), baseline=baseline)
