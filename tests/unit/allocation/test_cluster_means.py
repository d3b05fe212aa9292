import numpy as np
import pytest

from causal_tasks.allocation.cluster_means import ClusterMeans
from causal_tasks.allocation.responses import Responses
from causal_tasks.errors import InputError

ARMS = 3


def experiment(n=600, clusters=4, *, seed=0, weighted=False, price=None):
    random = np.random.default_rng(seed)
    shares = np.array([0.5, 0.3, 0.2])
    propensity = random.dirichlet(8 * shares, n) if weighted else np.broadcast_to(shares, (n, ARMS))
    arm = (random.random(n)[:, None] > propensity.cumsum(axis=1)).sum(axis=1).clip(max=ARMS - 1)
    cluster = random.integers(0, clusters, n)
    outcome = 5.0 * cluster + arm * (1 + 0.5 * cluster) + random.normal(size=n)
    cost = arm * (1 + 0.2 * cluster) * random.gamma(4, 0.25, n)
    data = Responses.checked(
        random.normal(size=(n, 1)), outcome, arm, cost=cost if price is None else price, propensity=propensity
    )
    return data, cluster


def weighted_mean(data, values, rows):
    return np.average(values[rows], weights=1 / data.propensity[rows, data.arm[rows]])


@pytest.mark.parametrize("weighted", [False, True])
def test_without_shrinkage_means_are_those_of_the_units_weighed_by_their_propensity(weighted):
    data, cluster = experiment(weighted=weighted)
    means = ClusterMeans.of(data, cluster, clusters=4, shrinkage=0)
    for k in range(4):
        for arm in range(ARMS):
            rows = (cluster == k) & (data.arm == arm)
            assert means.units[k, arm] == rows.sum()
            assert means.outcome[k, arm] == pytest.approx(weighted_mean(data, data.outcome, rows))
            assert means.cost[k, arm] == pytest.approx(weighted_mean(data, data.cost, rows))
    np.testing.assert_allclose(means.share, np.bincount(cluster) / len(data))


def test_under_boundless_shrinkage_arms_differ_as_they_do_among_all_units():
    data, cluster = experiment()
    means = ClusterMeans.of(data, cluster, clusters=4, shrinkage=1e12)
    overall = [weighted_mean(data, data.outcome, data.arm == arm) for arm in range(ARMS)]
    np.testing.assert_allclose(
        np.diff(means.outcome, axis=1), np.broadcast_to(np.diff(overall), (4, ARMS - 1)), atol=1e-8
    )
    spent = [weighted_mean(data, data.cost, data.arm == arm) for arm in range(ARMS)]
    np.testing.assert_allclose(means.cost[:, 2] / means.cost[:, 1], spent[2] / spent[1], rtol=1e-8)
    assert (np.diff(means.outcome.mean(axis=1)) > 3).all(), "the level of a cluster stays"


def test_pseudo_units_weigh_as_much_as_units():
    """One cluster has a mean of n units; n pseudo-units draw it half way."""
    data, cluster = experiment(clusters=2)
    none, all_, half = (
        ClusterMeans.of(data, cluster, clusters=2, shrinkage=by)
        for by in (0, 1e12, float((cluster + 3 * data.arm == 4).sum()))
    )
    assert half.outcome[1, 1] == pytest.approx((none.outcome[1, 1] + all_.outcome[1, 1]) / 2)


@pytest.mark.parametrize("shrinkage", ["empirical_bayes", 0, 10])
def test_what_costs_nothing_stays_free_and_no_cost_is_negative(shrinkage):
    data, cluster = experiment()
    cost = ClusterMeans.of(data, cluster, clusters=4, shrinkage=shrinkage).cost
    np.testing.assert_array_equal(cost[:, 0], 0.0)
    assert (cost >= 0).all()


def test_known_prices_have_no_error():
    data, cluster = experiment(price={0: 0.0, 1: 1.0, 2: 2.5})
    means = ClusterMeans.of(data, cluster, clusters=4)
    np.testing.assert_array_equal(means.cost, np.broadcast_to([0.0, 1.0, 2.5], (4, ARMS)))
    assert not means.cost_error.any()


def test_an_arm_that_a_cluster_lacks_is_counted_and_taken_from_all_units():
    data, cluster = experiment()
    rows = np.flatnonzero((cluster != 2) | (data.arm != 1))
    data, cluster = data.take(rows), cluster[rows]
    for shrinkage in ("empirical_bayes", 0, 10):
        means = ClusterMeans.of(data, cluster, clusters=4, shrinkage=shrinkage)
        assert means.empty_cells == 1
        assert np.isfinite(means.outcome_error).all()
        assert means.outcome_error[2, 1] > means.outcome_error[2, 0]
        overall = weighted_mean(data, data.outcome, data.arm == 1) - weighted_mean(data, data.outcome, data.arm == 0)
        assert means.outcome[2, 1] - means.outcome[2, 0] == pytest.approx(overall, abs=1.5)


def test_a_cluster_without_units_is_like_everybody():
    data, cluster = experiment()
    means = ClusterMeans.of(data, cluster, clusters=5)
    assert means.share[4] == 0
    assert means.empty_cells == ARMS
    np.testing.assert_allclose(
        means.outcome[4], [weighted_mean(data, data.outcome, data.arm == a) for a in range(ARMS)]
    )
    np.testing.assert_allclose(means.cost[4], [weighted_mean(data, data.cost, data.arm == a) for a in range(ARMS)])


def noisy(effect_spread, *, seed, clusters=60, n=6000):
    """Effects of clusters spread as told around 1, under much noise; also the true means."""
    random = np.random.default_rng(seed)
    level, effect = random.normal(0, 5, clusters), random.normal(1, effect_spread, (clusters, ARMS - 1))
    truth = level[:, None] + np.column_stack([np.zeros(clusters), effect])
    cluster, arm = random.integers(0, clusters, n), random.integers(0, ARMS, n)
    outcome = truth[cluster, arm] + random.normal(0, 4, n)
    data = Responses.checked(random.normal(size=(n, 1)), outcome, arm, cost={0: 0, 1: 1, 2: 1})
    return data, cluster, truth


def effect_error(means, truth):
    return float(np.mean((np.diff(means.outcome, axis=1) - np.diff(truth, axis=1)) ** 2))


@pytest.mark.parametrize("spread", [0.0, 0.5, 3.0])
def test_empirical_bayes_errs_about_as_little_as_the_best_number_of_pseudo_units(spread):
    bayes, best, plain = [], [], []
    for seed in range(6):
        data, cluster, truth = noisy(spread, seed=seed)
        errors = {
            by: effect_error(ClusterMeans.of(data, cluster, clusters=60, shrinkage=by), truth)
            for by in ("empirical_bayes", 0, 1, 10, 100, 1000, 1e6)
        }
        bayes.append(errors.pop("empirical_bayes"))
        plain.append(errors[0])
        best.append(min(errors.values()))
    assert np.mean(bayes) < 1.1 * np.mean(best) + 0.05
    assert np.mean(bayes) <= np.mean(plain) * 1.01


def test_standard_errors_cover_the_truth():
    """Of contrasts within a cluster, which leave out the level that all arms share."""
    inside = []
    for seed in range(8):
        data, cluster, truth = noisy(2.0, seed=100 + seed)
        means = ClusterMeans.of(data, cluster, clusters=60)
        difference = (means.outcome[:, 1] - means.outcome[:, 2]) - (truth[:, 1] - truth[:, 2])
        error = np.hypot(means.outcome_error[:, 1], means.outcome_error[:, 2])
        inside.append(np.abs(difference) < 1.96 * error)
    assert 0.92 < np.mean(inside) < 0.98


def test_a_forecast_gives_a_unit_the_means_of_its_cluster():
    data, cluster = experiment()
    means = ClusterMeans.of(data, cluster, clusters=4)
    forecast = means.forecast(np.array([3, 0]))
    np.testing.assert_allclose(forecast.outcome, means.outcome[[3, 0]], rtol=1e-6)
    np.testing.assert_allclose(forecast.cost, means.cost[[3, 0]], rtol=1e-6)


@pytest.mark.parametrize("shrinkage", ["none", -1.0, float("nan")])
def test_an_unknown_shrinkage_is_refused(shrinkage):
    data, cluster = experiment(200)
    with pytest.raises(InputError, match="shrinkage"):
        ClusterMeans.of(data, cluster, clusters=4, shrinkage=shrinkage)
