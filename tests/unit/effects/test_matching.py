import numpy as np
import pandas as pd
import pytest

from causal_tasks.effects import difference_in_differences, difference_in_means, match_on_propensity
from causal_tasks.effects.matched_effect import matched_effect
from causal_tasks.effects.matched_units import match_in_buckets, match_nearest
from causal_tasks.errors import InputError
from tests.unit.effects.confounded import linear


def matched(sample, **options):
    arguments = {"propensity": sample.propensity, "pre_outcome": sample.pre_outcome, **options}
    return match_on_propensity(sample.outcome, sample.treated, sample.covariates, **arguments)


def test_the_effect_is_the_mean_over_buckets_weighed_by_their_treated():
    sample = linear(2000, seed=1)
    found = matched(sample, overlap=(0.0, 1.0))
    edges = np.quantile(sample.propensity[sample.treated], np.linspace(0, 1, 21))
    inside = (sample.propensity >= edges[0]) & (sample.propensity <= edges[-1])
    bucket = np.clip(np.searchsorted(edges, sample.propensity, side="right") - 1, 0, 19)
    means = pd.DataFrame({"y": sample.outcome, "t": sample.treated, "b": bucket})[inside].groupby(["b", "t"])["y"]
    difference = means.mean().unstack()[True] - means.mean().unstack()[False]
    treated = means.size().unstack()[True]
    assert found.effect.estimate == pytest.approx((difference * treated).sum() / treated.sum(), rel=1e-12)
    assert found.effect.method == "matching"
    assert (found.matched["treatment"], found.matched["control"]) == (
        treated.sum(),
        means.size().unstack()[False].sum(),
    )


def test_weights_do_what_drawing_equal_numbers_does_on_average():
    """The reference draws as many controls as there are treated in each bucket; here all of them count, with weights."""
    sample = linear(1500, seed=2, strength=0.3)
    units = match_in_buckets(sample.propensity, sample.treated, buckets=5)
    random = np.random.default_rng(0)
    draws = []
    for _ in range(400):
        chosen = [
            random.choice(controls, treated, replace=False)
            for stratum in range(5)
            if len(controls := np.flatnonzero((units.stratum == stratum) & ~sample.treated))
            >= (treated := int(((units.stratum == stratum) & sample.treated).sum()))
        ]
        assert len(chosen) == 5
        draws.append(sample.outcome[np.concatenate(chosen)].mean())
    weighted = np.average(sample.outcome[~sample.treated], weights=units.weights[~sample.treated])
    assert weighted == pytest.approx(np.mean(draws), abs=4 * np.std(draws) / 20)
    assert units.n_control > 2 * units.n_treatment
    assert units.effective_control > units.n_treatment


def test_five_buckets_pass_the_balance_table_and_are_off_twenty_are_not():
    """An average over samples, as the error of one would hide it; nobody gains anything."""
    few, many = [], []
    for seed in range(12):
        sample = linear(8000, seed=100 + seed, strength=0.7)
        few.append(matched(sample, buckets=5))
        many.append(matched(sample, buckets=20))
    worst = np.mean([found.worst_difference for found in few])
    bias = {name: np.mean([f.effect.estimate for f in found]) for name, found in (("few", few), ("many", many))}
    assert worst < 0.1
    assert bias["few"] > 0.08
    assert abs(bias["many"]) < 0.03
    assert all("few_buckets: 5" in found.notes for found in few)
    assert not any("few_buckets: 20" in found.notes for found in many)


@pytest.mark.parametrize("options", [{"buckets": 10}, {"method": "nearest"}])
def test_the_standard_error_is_that_of_repeated_samples(options):
    runs = [matched(linear(600, seed=seed, strength=0.5), pre_outcome=None, **options).effect for seed in range(200)]
    estimates, errors = (np.array([getattr(run, name) for run in runs]) for name in ("estimate", "standard_error"))
    covered = np.mean([run.interval[0] <= estimates.mean() <= run.interval[1] for run in runs])
    assert errors.mean() == pytest.approx(estimates.std(), rel=0.15)
    assert 0.91 <= covered <= 0.99


def test_the_error_of_pairs_is_that_of_their_differences():
    sample = linear(2000, seed=3)
    units = match_nearest(sample.propensity, sample.treated, caliper=0.2)
    effect = matched_effect(sample.outcome, sample.treated, units.stratum)
    pairs = pd.Series(np.where(sample.treated, 1, -1) * sample.outcome).groupby(units.stratum).sum().drop(-1)
    assert effect.n_control == effect.n_treatment == len(pairs)
    assert effect.estimate == pytest.approx(pairs.mean())
    assert effect.standard_error == pytest.approx(pairs.std() / np.sqrt(len(pairs)), rel=1e-9)


def test_nearest_neighbours_are_balanced_where_controls_abound():
    sample = linear(4000, seed=4, strength=0.6)
    found = matched(sample, method="nearest", caliper=0.05)
    assert found.matched["treatment"] == found.matched["control"] == found.matched["effective_control"]
    assert found.worst_difference < 0.1 < found.balance["before"].abs().max()
    assert set(np.unique(found.weights)) == {0.0, 1.0}


def test_a_confounder_that_is_not_a_covariate_fails_the_placebo_and_did_removes_it():
    sample = linear(4000, seed=5)
    blind = sample._replace(covariates=sample.covariates[["x2", "x3", "x4"]])
    found = matched(blind, propensity=None)
    assert found.placebo.interval[0] > 0
    assert "placebo_failed" in found.notes
    assert found.worst_difference < 0.1
    assert found.effect.interval[0] > 0.5
    assert found.did.method == "matching_did"
    assert found.did.interval[0] <= 0 <= found.did.interval[1]
    sighted = matched(sample, propensity=None)
    assert sighted.placebo.interval[0] <= 0 <= sighted.placebo.interval[1]
    assert "placebo_failed" not in sighted.notes


def test_balance_alone_is_noted_as_no_proof():
    found = matched(linear(1000, seed=6), pre_outcome=None)
    assert "no_placebo" in found.notes
    assert found.placebo is found.did is None
    assert found.effect.notes == found.notes


def test_the_estimate_of_did_is_that_of_weighted_difference_in_differences():
    sample = linear(1500, seed=7)
    found = matched(sample)
    weighted = difference_in_differences(
        sample.outcome, sample.treated, sample.pre_outcome, weights=found.weights * (found.weights > 0)
    )
    assert found.did.estimate == pytest.approx(weighted.estimate, rel=1e-9)
    assert found.did.control_mean == pytest.approx(weighted.control_mean, rel=1e-9)
    assert found.did.standard_error == pytest.approx(weighted.standard_error, rel=0.2)


def test_whoever_lies_outside_the_overlap_is_trimmed_and_counted():
    sample = linear(3000, seed=8, strength=2.0)
    found = matched(sample)
    outside = (sample.propensity < 0.05) | (sample.propensity > 0.95)
    assert found.trimmed == {
        "treatment": (outside & sample.treated).sum(),
        "control": (outside & ~sample.treated).sum(),
        "share": outside.mean(),
    }
    assert not found.weights[outside].any()
    assert sum(found.overlap["treatment"]) == sample.treated.sum()
    assert sum(found.overlap["control"]) == (~sample.treated).sum()
    assert len(found.overlap["edges"]) == 21
    lost = int(sample.treated.sum() - found.matched["treatment"])
    assert f"unmatched_treatment: {lost}" in found.notes
    assert found.weights[~sample.treated].sum() == pytest.approx(found.matched["treatment"])


def test_a_bucket_without_controls_leaves_its_treated_unmatched():
    treated = np.array([True] * 8 + [False] * 6)
    propensity = np.array([0.2] * 4 + [0.8] * 4 + [0.2] * 3 + [0.3, 0.1, 0.9])
    units = match_in_buckets(propensity, treated, buckets=2)
    assert units.weights.tolist() == [1.0] * 4 + [0.0] * 4 + [1.0] * 4 + [0.0, 0.0]


def test_equal_propensities_make_one_bucket_and_the_difference_in_means():
    sample = linear(300, seed=9)
    found = matched(sample, propensity=0.4)
    plain = difference_in_means(sample.outcome, sample.treated)
    assert found.effect.estimate == pytest.approx(plain.estimate)
    assert found.effect.standard_error == pytest.approx(plain.standard_error, rel=0.01)
    assert found.effect.control_mean == pytest.approx(plain.control_mean)


@pytest.mark.parametrize("method", ["buckets", "nearest"])
def test_clusters_widen_the_interval_as_their_sums_do(method):
    random = np.random.default_rng(10)
    sample = linear(2000, seed=10, strength=0.5)
    cluster = random.integers(0, 100, 2000)
    shared = sample._replace(outcome=sample.outcome + 3 * random.normal(size=100)[cluster])
    alone = matched(shared, method=method, overlap=(0.0, 1.0))
    together = matched(shared, method=method, overlap=(0.0, 1.0), clusters=cluster)
    assert together.effect.estimate == alone.effect.estimate
    weighted = difference_in_differences(
        shared.outcome, shared.treated, np.zeros(2000), weights=together.weights, clusters=cluster
    )
    assert together.effect.standard_error == pytest.approx(weighted.standard_error, rel=1e-9)


def test_arms_without_any_overlap_are_refused_with_the_reason():
    treated = np.arange(400) % 2 == 1
    with pytest.raises(InputError, match="have any like them in the other arm"):
        match_on_propensity(np.zeros(400), treated, treated.astype(float))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "full"}, "method is 'full'"),
        ({"buckets": 0}, "buckets is 0"),
        ({"method": "nearest", "caliper": 0.0}, r"caliper is 0\.0"),
        ({"overlap": (0.9, 0.1)}, "overlap is"),
        ({"propensity": 1.0}, "propensity has values from 1 to 1"),
    ],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(InputError, match=message):
        matched(linear(200, seed=11), **options)


def test_too_few_matched_units_or_clusters_leave_the_effect_undefined():
    treated = np.arange(8) < 4
    few = matched_effect(np.arange(8.0), treated, np.array([0, 0, -1, -1, 0, 0, 0, 0]))
    assert (few.n_treatment, few.notes) == (2, ("too_few_matched",))
    assert np.isnan(few.estimate)
    one = matched_effect(np.arange(8.0), treated, np.zeros(8, dtype=int), clusters=treated.astype(int))
    assert one.notes == ("too_few_clusters",)
