import numpy as np
import pytest
import statsmodels.api as sm

from causal_tasks.effects import cross_fitted_proxy, cupac, cuped, difference_in_means, mlrate
from causal_tasks.errors import InputError
from tests.unit.effects.heavy_tails import clustered


def experiment(seed, n=3000, share=0.5, slope=0.0):
    """Outcome, treatment, covariates and the average effect, 1; ``slope``: how it grows with the first covariate."""
    rng = np.random.default_rng(seed)
    covariates = rng.normal(size=(n, 3))
    treatment = (rng.random(n) < share).astype(int)
    base = 2 * np.abs(covariates[:, 0]) + covariates[:, 1] ** 2
    effect = 1 + slope * (np.abs(covariates[:, 0]) - np.sqrt(2 / np.pi))
    return 5 + base + effect * treatment + rng.normal(size=n), treatment, covariates


def known_proxy(covariates):
    return 2 * np.abs(covariates[:, 0]) + covariates[:, 1] ** 2


def test_cupac_is_cuped_on_the_proxy():
    outcome, treatment, covariates = experiment(1)
    proxy = cross_fitted_proxy(outcome, covariates)
    on_proxy, fitted = cuped(outcome, treatment, proxy), cupac(outcome, treatment, covariates)
    assert fitted.method == "cupac"
    assert cupac(outcome, treatment, proxy=proxy) == fitted
    assert fitted.interval == on_proxy.interval
    assert fitted.relative_interval == on_proxy.relative_interval


def test_a_curved_dependence_that_cuped_misses_is_removed():
    outcome, treatment, covariates = experiment(2)
    plain, line, model = (
        difference_in_means(outcome, treatment),
        cuped(outcome, treatment, covariates),
        cupac(outcome, treatment, covariates),
    )
    assert model.standard_error < 0.7 * line.standard_error
    assert model.variance_ratio == pytest.approx((model.standard_error / plain.standard_error) ** 2, rel=1e-12)
    assert line.variance_ratio == pytest.approx(1, abs=0.05)


def test_the_equivalent_sample_gives_a_plain_difference_the_same_error():
    outcome, treatment, covariates = experiment(3, n=4000)
    effect = cupac(outcome, treatment, covariates)
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 4000, effect.equivalent_sample)
    larger = difference_in_means(outcome[rows], treatment[rows])
    assert larger.standard_error == pytest.approx(effect.standard_error, rel=0.05)


@pytest.mark.parametrize("share", [0.5, 0.2])
def test_mlrate_is_least_squares_with_an_interaction(share):
    outcome, treatment, covariates = experiment(4, share=share)
    proxy = known_proxy(covariates)
    centred = proxy - proxy.mean()
    design = np.column_stack([np.ones(len(proxy)), treatment, proxy, treatment * centred])
    ols = sm.OLS(outcome, design).fit(cov_type="HC1")
    effect = mlrate(outcome, treatment, proxy=proxy)
    assert effect.estimate == pytest.approx(ols.params[1], rel=1e-10)
    noise_of_mean = ols.params[3] ** 2 * proxy.var() / len(proxy)
    assert effect.standard_error == pytest.approx(np.sqrt(ols.bse[1] ** 2 + noise_of_mean), rel=0.005)


def test_mlrates_cluster_errors_are_the_sandwich_of_statsmodels():
    outcome, treatment, proxy, ids = clustered(5)
    design = np.column_stack([np.ones(len(ids)), treatment, proxy, treatment * (proxy - proxy.mean())])
    ols = sm.OLS(outcome, design).fit(cov_type="cluster", cov_kwds={"groups": ids, "use_correction": False})
    effect = mlrate(outcome, treatment, proxy=proxy, clusters=ids)
    assert effect.standard_error == pytest.approx(ols.bse[1] * np.sqrt(100 / 99), rel=0.005)
    assert effect.standard_error > 1.3 * mlrate(outcome, treatment, proxy=proxy).standard_error


def test_mlrates_error_holds_the_noise_of_the_mean_proxy():
    outcome, treatment, covariates = experiment(6, n=2000, slope=4.0)
    effect = mlrate(outcome, treatment, proxy=known_proxy(covariates))
    rng = np.random.default_rng(0)
    draws = [
        mlrate(outcome[rows], treatment[rows], proxy=known_proxy(covariates[rows])).estimate
        for rows in (rng.integers(0, 2000, 2000) for _ in range(400))
    ]
    assert effect.standard_error == pytest.approx(np.std(draws), rel=0.1)


def test_both_are_unbiased_and_cover_the_truth_with_a_proxy_fitted_on_the_same_users():
    runs, estimates, covered = 60, [], []
    for seed in range(runs):
        outcome, treatment, covariates = experiment(seed, n=600, share=0.3, slope=1.0)
        proxy = cross_fitted_proxy(outcome, covariates)
        pair = cupac(outcome, treatment, proxy=proxy), mlrate(outcome, treatment, proxy=proxy)
        estimates.append([effect.estimate for effect in pair])
        covered.append([effect.interval[0] <= 1 <= effect.interval[1] for effect in pair])
    error = np.std(estimates, axis=0, ddof=1) / np.sqrt(runs)
    assert (np.abs(np.mean(estimates, axis=0) - 1) < 3 * error).all()
    assert (np.mean(covered, axis=0) >= 0.87).all()


@pytest.mark.parametrize("estimator", [cupac, mlrate])
def test_rows_repeated_within_a_cluster_count_once(estimator):
    outcome, treatment, covariates = experiment(7, n=500)
    proxy = known_proxy(covariates)
    twice = [np.tile(array, 2) for array in (outcome, treatment, proxy)]
    effect = estimator(twice[0], twice[1], proxy=twice[2], clusters=np.tile(np.arange(500), 2))
    once = estimator(outcome, treatment, proxy=proxy)
    assert effect.interval == pytest.approx(once.interval, rel=1e-9)
    assert effect.relative_interval == pytest.approx(once.relative_interval, rel=1e-9)


@pytest.mark.parametrize("estimator", [cupac, mlrate])
def test_a_constant_effect_is_added_whole_and_swapped_arms_turn_the_sign(estimator):
    outcome, treatment, covariates = experiment(8, n=500)
    proxy = known_proxy(covariates)
    plain = estimator(outcome, treatment, proxy=proxy)
    assert estimator(outcome + 3 * treatment, treatment, proxy=proxy).estimate == pytest.approx(plain.estimate + 3)
    assert estimator(outcome, treatment, proxy=proxy, control=1).estimate == pytest.approx(-plain.estimate)
    assert estimator(outcome, treatment, proxy=7 * proxy - 100).interval == pytest.approx(plain.interval, rel=1e-9)


@pytest.mark.parametrize("estimator", [cupac, mlrate])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "no covariates and no proxy"),
        ({"proxy": [1.0, 1.0, 1.0, 2.0, 3.0, 4.0]}, "constant in an arm"),
        ({"proxy": [1.0, 2.0]}, "proxy has 2 rows, the outcome 6"),
    ],
)
def test_wrong_arguments_are_refused(estimator, arguments, message):
    with pytest.raises(InputError, match=message):
        estimator([1.0, 2.0, 4.0, 3.0, 7.0, 5.0], [0, 0, 0, 1, 1, 1], **arguments)
