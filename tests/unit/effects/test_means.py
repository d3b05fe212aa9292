import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from causal_tasks.effects import cuped, difference_in_means
from causal_tasks.errors import InputError


def experiment(seed, n=400, share=0.3, effect=0.5, slope=1.0, scale=(1.0, 2.0)):
    rng = np.random.default_rng(seed)
    treatment = (rng.random(n) < share).astype(int)
    covariate = rng.gamma(2.0, 1.0, n)
    noise = rng.normal(size=n) * np.where(treatment == 1, scale[1], scale[0])
    return 3 + effect * treatment + slope * covariate + noise, treatment, covariate


def cluster_experiment(seed, clusters=60, size=8):
    rng = np.random.default_rng(seed)
    ids = np.repeat(np.arange(clusters), size)
    treatment = (ids % 2).astype(int)
    outcome = 10 + 0.3 * treatment + rng.normal(size=clusters)[ids] + rng.normal(size=len(ids))
    return outcome, treatment, ids


@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
def test_the_difference_in_means_is_welchs_test(level):
    outcome, treatment, _ = experiment(1)
    effect = difference_in_means(outcome, treatment, level=level)
    welch = stats.ttest_ind(outcome[treatment == 1], outcome[treatment == 0], equal_var=False)
    assert effect.p_value == pytest.approx(welch.pvalue, rel=1e-9)
    assert effect.estimate / effect.standard_error == pytest.approx(welch.statistic, rel=1e-12)
    assert effect.interval == pytest.approx(tuple(welch.confidence_interval(level)), rel=1e-9)
    assert (effect.n_control, effect.n_treatment) == ((treatment == 0).sum(), (treatment == 1).sum())


def test_welchs_test_holds_for_the_smallest_arms():
    outcome, treatment = [1.0, 4.0, 2.0, 7.0, 9.0], [0, 0, 1, 1, 1]
    welch = stats.ttest_ind([2.0, 7.0, 9.0], [1.0, 4.0], equal_var=False)
    assert difference_in_means(outcome, treatment).p_value == pytest.approx(welch.pvalue, rel=1e-9)


def test_cuped_has_the_coefficient_of_least_squares_on_arm_and_covariates():
    outcome, treatment, covariate = experiment(2)
    covariates = np.column_stack([covariate, covariate**2 * 1e-9])
    ols = sm.OLS(outcome, np.column_stack([np.ones_like(outcome), treatment, covariates])).fit(cov_type="HC1")
    effect = cuped(outcome, treatment, covariates)
    assert effect.estimate == pytest.approx(ols.params[1], rel=1e-8)
    assert effect.standard_error == pytest.approx(ols.bse[1], rel=0.01)


def test_cluster_errors_are_the_sandwich_of_least_squares():
    outcome, treatment, ids = cluster_experiment(3)
    design = np.column_stack([np.ones_like(outcome), treatment])
    ols = sm.OLS(outcome, design).fit(cov_type="cluster", cov_kwds={"groups": ids, "use_correction": False})
    per_arm = 30
    effect = difference_in_means(outcome, treatment, clusters=[f"c{i}" for i in ids])
    assert effect.standard_error == pytest.approx(ols.bse[1] * np.sqrt(per_arm / (per_arm - 1)), rel=1e-9)
    assert effect.standard_error > 1.5 * difference_in_means(outcome, treatment).standard_error


def test_clusters_of_equal_size_give_welchs_test_on_cluster_means():
    outcome, treatment, ids = cluster_experiment(4)
    means = pd.Series(outcome).groupby(ids).mean()
    odd = means.index % 2 == 1
    welch = stats.ttest_ind(means[odd], means[~odd], equal_var=False)
    assert difference_in_means(outcome, treatment, clusters=ids).p_value == pytest.approx(welch.pvalue, rel=1e-9)


def test_clusters_in_both_arms_give_the_paired_test():
    rng = np.random.default_rng(5)
    pairs = 25
    control = rng.normal(size=pairs)
    treated = control + 0.2 + rng.normal(size=pairs) * 0.3
    ids = np.tile(np.arange(pairs), 2)
    effect = difference_in_means(np.r_[control, treated], np.r_[np.zeros(pairs), np.ones(pairs)], clusters=ids)
    paired = stats.ttest_rel(treated, control)
    assert effect.p_value == pytest.approx(paired.pvalue, rel=1e-9)
    assert effect.interval == pytest.approx(tuple(paired.confidence_interval()), rel=1e-9)


def test_the_relative_interval_agrees_with_a_bootstrap():
    outcome, treatment, covariate = experiment(6, n=3000)
    effect = cuped(outcome, treatment, covariate)
    rng = np.random.default_rng(0)
    draws = [
        cuped(outcome[rows], treatment[rows], covariate[rows]).relative
        for rows in (rng.integers(0, len(outcome), len(outcome)) for _ in range(400))
    ]
    assert effect.relative == pytest.approx(effect.estimate / outcome[treatment == 0].mean(), rel=1e-12)
    half = (effect.relative_interval[1] - effect.relative_interval[0]) / 2
    assert half / 1.96 == pytest.approx(np.std(draws), rel=0.1)


def test_a_control_mean_within_four_standard_errors_of_zero_has_no_relative_effect():
    rng = np.random.default_rng(7)
    control = rng.normal(size=400)
    control += 3.5 / 20 * control.std(ddof=1) - control.mean()
    treated = rng.normal(1, 1, 400)
    effect = difference_in_means(np.r_[control, treated], np.repeat([0, 1], 400))
    assert effect.relative is None
    low, high = effect.relative_interval
    for bound in (low, high):  # Fieller: at its ends, treatment - (1 + R) control is just significant
        combined = treated.mean() - (1 + bound) * control.mean()
        error = np.sqrt(treated.var(ddof=1) / 400 + (1 + bound) ** 2 * control.var(ddof=1) / 400)
        quantile = (effect.interval[1] - effect.estimate) / effect.standard_error
        assert abs(combined) == pytest.approx(quantile * error, rel=1e-9)


def test_a_control_mean_of_noise_has_no_relative_interval_either():
    rng = np.random.default_rng(8)
    control = rng.normal(size=400)
    outcome = np.r_[control - control.mean() + 0.001, rng.normal(1, 1, 400)]
    effect = difference_in_means(outcome, np.repeat([0, 1], 400))
    assert (effect.relative, effect.relative_interval) == (None, None)


def test_intervals_cover_the_truth_as_often_as_they_say():
    covered = {"plain": 0, "cuped": 0, "clusters": 0}
    runs = 600
    for seed in range(runs):
        outcome, treatment, covariate = experiment(seed, n=120)
        for name, effect in (
            ("plain", difference_in_means(outcome, treatment)),
            ("cuped", cuped(outcome, treatment, covariate)),
        ):
            covered[name] += effect.interval[0] <= 0.5 <= effect.interval[1]
        outcome, treatment, ids = cluster_experiment(seed, clusters=16)
        low, high = difference_in_means(outcome, treatment, clusters=ids).interval
        covered["clusters"] += low <= 0.3 <= high
    for name, count in covered.items():
        assert 0.925 <= count / runs <= 0.975, name


def test_cuped_removes_the_share_of_variance_that_the_covariate_explains():
    rng = np.random.default_rng(9)
    n, rho = 40_000, 0.8
    covariate = rng.normal(size=n)
    outcome = rho * covariate + np.sqrt(1 - rho**2) * rng.normal(size=n)
    treatment = np.arange(n) % 2
    ratio = (
        cuped(outcome, treatment, covariate).standard_error / difference_in_means(outcome, treatment).standard_error
    ) ** 2
    assert ratio == pytest.approx(1 - rho**2, rel=0.03)


values = arrays(float, 30, elements=st.floats(-100, 100).map(lambda x: round(x, 3)))
arms = st.permutations([0] * 13 + [1] * 17)


def estimators(covariate):
    yield difference_in_means
    if all(np.ptp(covariate[half]) > 1 for half in (slice(0, 15), slice(15, 30))):
        yield lambda outcome, treatment, **options: cuped(outcome, treatment, covariate, **options)


@settings(max_examples=40, deadline=None)
@given(outcome=values, covariate=values, treatment=arms, shift=st.floats(-50, 50), scale=st.floats(0.01, 100))
def test_effects_move_with_scale_and_constant_effect_and_ignore_shifts(outcome, covariate, treatment, shift, scale):
    treatment = np.array(treatment)
    for estimate in estimators(covariate):
        plain = estimate(outcome, treatment)
        scaled = estimate(outcome * scale, treatment)
        shifted = estimate(outcome + shift, treatment)
        treated = estimate(outcome + shift * treatment, treatment)
        near = {"rel": 1e-6, "abs": 1e-8}
        assert scaled.estimate == pytest.approx(plain.estimate * scale, **near)
        assert scaled.standard_error == pytest.approx(plain.standard_error * scale, **near)
        assert shifted.estimate == pytest.approx(plain.estimate, **near)
        assert treated.estimate == pytest.approx(plain.estimate + shift, **near)
        assert treated.standard_error == pytest.approx(plain.standard_error, **near)


@settings(max_examples=40, deadline=None)
@given(outcome=values, covariate=values, treatment=arms, order=st.permutations(range(30)))
def test_swapping_the_arms_turns_the_sign_and_order_of_rows_is_irrelevant(outcome, covariate, treatment, order):
    treatment, order = np.array(treatment), np.array(order)
    near = {"rel": 1e-7, "abs": 1e-8}
    effect = difference_in_means(outcome, treatment)
    swapped = difference_in_means(outcome, treatment, control=1)
    assert swapped.estimate == pytest.approx(-effect.estimate, **near)
    assert swapped.interval == pytest.approx((-effect.interval[1], -effect.interval[0]), **near)
    shuffled = difference_in_means(outcome[order], treatment[order])
    assert shuffled.interval == pytest.approx(effect.interval, **near)


@pytest.mark.parametrize(
    ("treatment", "control"),
    [
        ([False, False, True, True], None),
        (pd.Categorical(["base", "base", "new", "new"], categories=["new", "unused", "base"]), "base"),
        (pd.Series(["base", "base", "new", "new"], index=[9, 8, 7, 6]), "base"),
        ([0.0, 0.0, 1.0, 1.0], None),
    ],
)
def test_arm_labels_may_be_of_any_kind(treatment, control):
    assert difference_in_means([1.0, 2.0, 4.0, 7.0], treatment, control=control).estimate == 4.0


def test_a_constant_outcome_has_no_effect_and_says_so_with_certainty():
    effect = difference_in_means([2.0] * 6, [0, 0, 0, 1, 1, 1])
    assert (effect.estimate, effect.standard_error, effect.p_value) == (0.0, 0.0, 1.0)
    assert effect.relative_interval == (0.0, 0.0)
    assert difference_in_means([2.0] * 3 + [3.0] * 3, [0, 0, 0, 1, 1, 1]).p_value == 0.0


good = [1.0, 2.0, 3.0, 5.0], [0, 0, 1, 1], [1.0, 2.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("outcome", "treatment", "covariates", "message"),
    [
        ([1.0, float("nan"), 3.0, 5.0], good[1], good[2], r"outcome has 1 missing .* row 1"),
        (["a", "b", "c", "d"], good[1], good[2], "outcome is not numeric"),
        ([good[0]], good[1], good[2], "outcome has shape"),
        (good[0], [0, 0, 1, 2], good[2], "3 labels"),
        (good[0], [1, 1, 2, 2], good[2], "control arm 0 has no unit"),
        (good[0], [0, 0, 0, 0], good[2], "every row is in the control arm"),
        (good[0], [0, 0, 0, 1], good[2], r"an arm has 1 unit"),
        (good[0], [0, 0, 1, None], good[2], "treatment is missing for 1 of 4"),
        (good[0], [0, 0, 1], good[2], "treatment has 3 rows, the outcome 4"),
        (good[0], good[1], [1.0, 1.0, 1.0, 1.0], "covariate 0 is constant"),
        (good[0], good[1], [1.0, 1.0, 2.0, 2.0], "covariate 0 is constant within each arm"),
        (good[0], good[1], [1.0, np.inf, 1.0, 2.0], "covariates has 1 missing or infinite"),
        (good[0], good[1], [1.0, 2.0], "covariates have 2 rows"),
        (good[0], good[1], np.eye(4)[:, :2], "2 covariates for 4 units"),
    ],
)
def test_wrong_arguments_are_refused_with_what_was_found(outcome, treatment, covariates, message):
    with pytest.raises(InputError, match=message):
        cuped(outcome, treatment, covariates)


def test_one_cluster_per_arm_is_refused():
    with pytest.raises(InputError, match="control arm are in one cluster"):
        difference_in_means(good[0], good[1], clusters=["a", "a", "b", "c"])
    with pytest.raises(InputError, match="clusters is missing for 1"):
        difference_in_means(good[0], good[1], clusters=["a", None, "b", "c"])


def test_a_level_that_is_no_share_is_refused():
    with pytest.raises(InputError, match="level is 95"):
        difference_in_means(good[0], good[1], level=95)
