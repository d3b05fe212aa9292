"""BLP and calibration against statsmodels, group effects against closed forms."""

from itertools import permutations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri

from causal_tasks.errors import InputError
from causal_tasks.evaluation import best_linear_predictor, calibration, dr_scores, group_effects


def experiment(seed, n=3_000, propensity=0.5):
    """Effects x, predictions of them, outcome models and a propensity; a dict of arguments."""
    random = np.random.default_rng(seed)
    x = random.random(n)
    treatment = (random.random(n) < propensity).astype(int)
    baseline = 10 + 2 * random.normal(size=n)
    outcome = baseline + x * treatment + random.normal(size=n)
    return {
        "outcome": outcome,
        "uplift": x,
        "treatment": treatment,
        "mean_control": baseline,
        "mean_treatment": baseline + x,
        "propensity": propensity,
    }


def scores_of(data):
    names = ("outcome", "treatment", "mean_control", "mean_treatment", "propensity")
    return dr_scores(*(data[name] for name in names))


def blp_of(data, **options):
    names = ("outcome", "uplift", "treatment")
    rest = {name: data[name] for name in ("mean_control", "propensity")}
    return best_linear_predictor(*(data[name] for name in names), **rest, **options)


def calibration_of(data, **options):
    return calibration(scores_of(data), data["uplift"], **{k: v for k, v in data.items() if k != "uplift"}, **options)


def varying_propensity(n=3_000):
    return 0.2 + 0.6 * np.random.default_rng(99).random(n)


@pytest.mark.parametrize("propensity", [0.3, varying_propensity()])
def test_the_best_linear_predictor_is_weighted_least_squares_with_hc3_errors(propensity):
    data = experiment(0, propensity=propensity)
    e, spread = data["propensity"], data["uplift"] - data["uplift"].mean()
    moved = data["treatment"] - e
    design = np.column_stack([np.ones(3_000), data["mean_control"], moved, moved * spread])
    oracle = sm.WLS(data["outcome"], design, weights=np.broadcast_to(1 / (e * (1 - e)), 3_000)).fit(cov_type="HC3")
    found = blp_of(data)
    for estimate, position in ((found.average, 2), (found.heterogeneity, 3)):
        assert estimate.estimate == pytest.approx(oracle.params[position])
        assert estimate.standard_error == pytest.approx(oracle.bse[position])
        assert estimate.p_value == pytest.approx(oracle.pvalues[position], abs=1e-12)


def test_the_best_linear_predictor_sums_over_clusters_as_statsmodels_does():
    data, clusters = experiment(1), np.arange(3_000) % 100
    spread = data["uplift"] - data["uplift"].mean()
    moved = data["treatment"] - 0.5
    design = np.column_stack([np.ones(3_000), data["mean_control"], moved, moved * spread])
    oracle = sm.WLS(data["outcome"], design).fit(cov_type="cluster", cov_kwds={"groups": clusters})
    found = blp_of(data, clusters=clusters)
    assert found.average.standard_error == pytest.approx(oracle.bse[2])
    assert found.heterogeneity.standard_error == pytest.approx(oracle.bse[3])


def test_true_effects_as_predictions_have_slope_one_and_the_right_average():
    found = blp_of(experiment(2, n=50_000))
    assert found.heterogeneity.interval[0] < 1 < found.heterogeneity.interval[1]
    assert found.average.interval[0] < 0.5 < found.average.interval[1]
    assert found.heterogeneity.one_sided_p_value < 1e-6


def test_predictions_in_another_unit_change_the_slope_alone():
    data = experiment(3)
    found, scaled = blp_of(data), blp_of(data | {"uplift": 1e-7 * data["uplift"] + 5})
    assert scaled.average.estimate == pytest.approx(found.average.estimate, rel=1e-6)
    assert scaled.heterogeneity.estimate == pytest.approx(1e7 * found.heterogeneity.estimate, rel=1e-5)
    assert scaled.heterogeneity.p_value == pytest.approx(found.heterogeneity.p_value, rel=1e-4, abs=1e-12)


def test_a_model_that_predicts_one_outcome_for_all_is_as_good_as_none():
    data = experiment(4)
    found = blp_of(data | {"mean_control": np.full(3_000, 7.0)})
    assert found.average.standard_error > blp_of(data).average.standard_error


def test_the_one_sided_test_of_heterogeneity_keeps_its_size():
    p_values = []
    for seed in range(300):
        data = experiment(seed, n=500)
        p_values.append(blp_of(data | {"uplift": np.random.default_rng(seed).normal(size=500)}))
    rejected = np.mean([found.heterogeneity.one_sided_p_value < 0.05 for found in p_values])
    assert 0.02 <= rejected <= 0.08


def test_calibration_is_least_squares_without_intercept_and_with_hc3_errors():
    data = experiment(5, propensity=varying_propensity())
    e, m0, m1 = (data[name] for name in ("propensity", "mean_control", "mean_treatment"))
    moved, mean = data["treatment"] - e, data["uplift"].mean()
    design = np.column_stack([moved * mean, moved * (data["uplift"] - mean)])
    oracle = sm.OLS(data["outcome"] - (1 - e) * m0 - e * m1, design).fit(cov_type="HC3")
    found = calibration_of(data)
    for estimate, position in ((found.average, 0), (found.spread, 1)):
        assert estimate.estimate == pytest.approx(oracle.params[position])
        assert estimate.standard_error == pytest.approx(oracle.bse[position])


def test_calibration_tells_predictions_that_are_too_small_and_too_extreme():
    data = experiment(6, n=40_000)
    right = calibration_of(data)
    assert right.average.estimate == pytest.approx(1, abs=0.05)
    assert right.spread.estimate == pytest.approx(1, abs=0.1)
    assert right.r2 > 0.9
    halved = calibration_of(data | {"uplift": data["uplift"] / 2})
    assert halved.average.estimate == pytest.approx(2 * right.average.estimate)
    assert halved.spread.estimate == pytest.approx(2 * right.spread.estimate)
    extreme = calibration_of(data | {"uplift": 3 * data["uplift"] - 1})
    assert extreme.spread.estimate == pytest.approx(right.spread.estimate / 3)
    assert extreme.r2 < 0


def test_r2_compares_group_errors_with_those_of_one_effect_for_all():
    random = np.random.default_rng(7)
    scores, uplift = random.normal(size=(2, 1_000))
    outcome, treatment = random.normal(size=1_000), random.integers(0, 2, 1_000)
    zeros = np.zeros(1_000)
    found = calibration(
        scores,
        uplift,
        outcome=outcome,
        treatment=treatment,
        mean_control=zeros,
        mean_treatment=zeros,
        propensity=0.5,
    )
    groups = np.array_split(np.argsort(-uplift), 5)
    gates, predicted = (np.array([values[g].mean() for g in groups]) for values in (scores, uplift))
    assert found.r2 == pytest.approx(1 - np.abs(gates - predicted).sum() / np.abs(gates - scores.mean()).sum())


def test_the_average_of_predictions_around_zero_is_not_compared():
    data = experiment(8)
    centred = data["uplift"] - data["uplift"].mean()
    found = calibration_of(data | {"uplift": centred})
    assert found.average is None
    assert found.spread.estimate == pytest.approx(calibration_of(data).spread.estimate, rel=0.1)


def test_the_points_of_calibration_are_the_group_effects_of_so_many_groups():
    data = experiment(9)
    points, table = calibration_of(data, points=10).points, group_effects(scores_of(data), data["uplift"], groups=10)
    np.testing.assert_allclose(points["observed"], table.table["estimate"])
    np.testing.assert_allclose(points["standard_error"], table.table["standard_error"])
    assert points["predicted"].is_monotonic_decreasing
    assert points["n"].tolist() == [300] * 10


def test_group_effects_are_means_of_scores_with_their_plain_standard_errors():
    random = np.random.default_rng(10)
    scores, uplift = random.normal(size=(2, 1_000))
    found = group_effects(scores, uplift, groups=4)
    groups = np.array_split(np.argsort(-uplift), 4)
    table = found.table
    assert table["group"].tolist() == [1, 2, 3, 4]
    assert table["n"].tolist() == [250] * 4
    np.testing.assert_allclose(table["estimate"], [scores[g].mean() for g in groups])
    np.testing.assert_allclose(table["predicted"], [uplift[g].mean() for g in groups])
    errors = np.array([scores[g].std(ddof=1) / np.sqrt(250) for g in groups])
    np.testing.assert_allclose(table["standard_error"], errors)
    np.testing.assert_allclose(table["high"] - table["low"], 2 * 1.959964 * errors, rtol=1e-6)
    assert found.top_minus_bottom.estimate == pytest.approx(table["estimate"][0] - table["estimate"][3])
    assert found.top_minus_bottom.standard_error == pytest.approx(np.hypot(errors[0], errors[3]))


def test_ties_across_a_border_give_what_breaking_them_at_random_gives_on_average():
    scores, uplift = np.array([9.0, 1.0, 4.0, 2.0, 7.0]), np.array([0.9, 0.5, 0.5, 0.5, 0.1])
    found = group_effects(scores, uplift, groups=2).table
    orders = [np.array([0, *middle, 4]) for middle in permutations((1, 2, 3))]
    # Half of the third user is in either group.
    tops = [(scores[o[0]] + scores[o[1]] + scores[o[2]] / 2) / 2.5 for o in orders]
    assert found["estimate"][0] == pytest.approx(np.mean(tops))
    assert found["estimate"].mean() == pytest.approx(scores.mean())


@given(
    st.lists(st.tuples(st.integers(-9, 9), st.integers(0, 4)), min_size=12, max_size=40),
    st.integers(2, 6),
    st.randoms(use_true_random=False),
)
def test_group_effects_depend_on_the_order_of_predictions_and_not_on_that_of_rows(rows, groups, random):
    scores, uplift = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    columns = ["n", "estimate", "standard_error"]
    expected = group_effects(scores, uplift, groups=groups).table
    shuffled = random.sample(range(len(rows)), len(rows))
    for again in (
        group_effects(scores[shuffled], uplift[shuffled], groups=groups).table,
        group_effects(scores, np.exp(uplift), groups=groups).table,
    ):
        np.testing.assert_allclose(again[columns], expected[columns], atol=1e-9)
    assert expected["estimate"].mean() == pytest.approx(scores.mean())


def test_predictions_that_are_all_equal_make_groups_that_are_all_alike():
    scores = np.random.default_rng(11).normal(size=100)
    found = group_effects(scores, np.ones(100))
    np.testing.assert_allclose(found.table["estimate"], scores.mean())
    assert found.top_minus_bottom.estimate == pytest.approx(0, abs=1e-12)
    assert found.top_minus_bottom.standard_error == pytest.approx(0, abs=1e-9)


def test_falling_effects_are_monotone_and_rising_ones_are_not():
    effects = np.linspace(1, 0, 100)
    assert group_effects(effects, effects).monotone
    assert not group_effects(effects, -effects).monotone


def test_joint_intervals_of_disjoint_groups_have_the_width_that_independence_demands():
    scores, uplift = np.random.default_rng(12).normal(size=(2, 5_000))
    single, joint = (group_effects(scores, uplift, joint=flag).table for flag in (False, True))
    wider = (joint["high"] - joint["low"]) / (single["high"] - single["low"])
    sidak = ndtri(0.5 + 0.95 ** (1 / 5) / 2)
    np.testing.assert_allclose(wider, sidak / 1.959964, rtol=0.01)


def test_joint_intervals_hold_all_groups_at_their_level():
    held = []
    for seed in range(200):
        scores, uplift = np.random.default_rng(seed).normal(size=(2, 500))
        table = group_effects(scores, uplift, joint=True).table
        held.append(((table["low"] <= 0) & (table["high"] >= 0)).all())
    assert 0.9 <= np.mean(held) <= 0.99


def test_groups_of_clusters_have_the_errors_of_cluster_means():
    scores, uplift = np.random.default_rng(13).normal(size=(2, 1_000))
    repeated = [np.repeat(values, 4) for values in (scores, uplift)]
    clusters = np.repeat([f"household {i}" for i in range(1_000)], 4)
    honest, single = group_effects(*repeated, clusters=clusters), group_effects(scores, uplift)
    np.testing.assert_allclose(honest.table["standard_error"], single.table["standard_error"])
    assert honest.top_minus_bottom.standard_error == pytest.approx(single.top_minus_bottom.standard_error)


def test_clusters_that_lie_in_several_groups_tie_their_means_together():
    random = np.random.default_rng(14)
    shared = np.repeat(random.normal(size=500), 4)
    scores, uplift = shared + 0.1 * random.normal(size=2_000), random.normal(size=2_000)
    found = group_effects(scores, uplift, clusters=np.repeat(np.arange(500), 4))
    apart = np.hypot(*found.table["standard_error"].iloc[[0, 4]])
    # Each cluster has 0.8 users in either group, so that part of what they share cancels.
    assert found.top_minus_bottom.standard_error < 0.95 * apart


def test_a_constant_outcome_is_no_effect_without_any_rounding_error():
    data = experiment(15, n=1_003)
    constant = np.full(1_003, 0.1)
    data |= {"outcome": constant, "mean_control": constant, "mean_treatment": constant}
    found = blp_of(data)
    for estimate in (found.average, found.heterogeneity):
        assert (estimate.estimate, estimate.standard_error, estimate.p_value) == (0.0, 0.0, 1.0)
    assert calibration_of(data).spread.p_value == 1.0
    assert calibration_of(data).r2 is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"uplift": np.ones(40)}, "uplift is the same for every user"),
        ({"uplift": np.ones(3)}, "uplift has 3 rows, expected 40"),
        ({"outcome": np.full(40, np.nan)}, "outcome has 40 missing"),
        ({"treatment": np.full(40, 2)}, "treatment"),
        ({"propensity": 1.0}, "between 0 and 1"),
        ({"mean_control": np.ones(4)}, "mean_control has 4 rows, expected 40"),
    ],
)
def test_unusable_arguments_are_refused_by_name(changes, message):
    with pytest.raises(InputError, match=message):
        blp_of(experiment(0, n=40) | changes)


def test_calibration_refuses_scores_of_other_users():
    data = experiment(0, n=60)
    with pytest.raises(InputError, match="uplift has 60 rows, expected 59"):
        calibration(np.ones(59), data["uplift"], **{k: v for k, v in data.items() if k != "uplift"})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"groups": 1}, "1 groups of 20 users"),
        ({"groups": 11}, "11 groups of 20 users"),
        ({"level": 95}, "level is 95"),
        ({"clusters": ["a"] * 10 + ["b"] * 10}, "independent users"),
        ({"clusters": ["a"] * 4}, "clusters has 4 rows"),
    ],
)
def test_groups_that_cannot_be_formed_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        group_effects(np.arange(20.0), np.arange(20.0), **options)


def test_a_slope_that_one_user_alone_determines_is_refused():
    uplift = np.zeros(40)
    uplift[0] = 1.0
    with pytest.raises(InputError, match="one user alone"):
        blp_of(experiment(0, n=40) | {"uplift": uplift})
