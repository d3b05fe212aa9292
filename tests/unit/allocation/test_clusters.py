import tracemalloc

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from threadpoolctl import threadpool_info, threadpool_limits

from causal_tasks.allocation import clusters
from causal_tasks.allocation.clusters import ClusterAllocation
from causal_tasks.allocation.knapsack.lagrangian import best_arms
from causal_tasks.allocation.networks.cluster_classifier import ClusterClassifier
from causal_tasks.allocation.partition import Partition
from causal_tasks.errors import InputError

LABELS = np.array(["none", "coupon"], dtype=object)
BUDGETS = (0.2, 0.4)
QUICK = {"hidden": (16,), "epochs": 25, "learning_rate": 1e-2, "batch_size": 128, "budgets": BUDGETS}
ON = ("hidden", "uplift")


def experiment(n=3000, *, seed=0, groups=4):
    """Groups far from each other: a coupon of cost 1 brings 3 in the first half of them and nothing in the others."""
    random = np.random.default_rng(seed)
    group = random.integers(0, groups, n)
    X = 4.0 * np.column_stack([group % 2, group // 2]) + random.normal(0, 0.3, (n, 2))
    arm = random.integers(0, 2, n)
    outcome = 2.0 * group + 3.0 * arm * (group < groups / 2) + random.normal(size=n)
    return X, group, arm, outcome, arm * random.gamma(4, 0.25, n)


def fitted(on="hidden", *, n=3000, **arguments):
    X, _, arm, outcome, cost = experiment(n)
    model = ClusterAllocation(on, **(QUICK | arguments))
    return model.fit(X, outcome, LABELS[arm], cost=cost, control="none")


@pytest.fixture(scope="module", params=ON)
def model(request):
    return fitted(request.param, clusters=8)


def test_coupons_go_to_the_groups_that_respond(model):
    X, group, *_ = experiment(seed=1)
    arm = best_arms(model.predict(X), 1.0)
    assert ((arm == 1) == (group < 2)).mean() > 0.95


def test_units_of_a_cluster_have_one_forecast_that_of_its_means(model):
    X = experiment(seed=1)[0]
    cluster, forecast = model.assign_cluster(X), model.predict(X)
    np.testing.assert_array_equal(forecast.outcome, model.means_.outcome.astype(np.float32)[cluster])
    assert len(np.unique(forecast.outcome, axis=0)) == len(np.unique(cluster)) <= model.clusters_ == 8


def test_a_classifier_with_the_layers_of_the_network_says_the_same(model):
    X = experiment(seed=1)[0]
    assert (model.assign_cluster(X, distilled=True) == model.assign_cluster(X)).mean() > 0.99
    assert model.distillation_.accuracy.estimate > 0.99
    assert abs(model.distillation_.value_loss.estimate) < 0.02


def test_a_small_classifier_learns_clusters_that_are_separate():
    model = fitted(clusters=4, hidden=(), distilled=(8,), epochs=60)
    X, group, *_ = experiment(seed=1)
    said = model.assign_cluster(X, distilled=True)
    assert (said == model.assign_cluster(X)).mean() > 0.98
    assert model.distillation_.accuracy.estimate > 0.98
    assert (pd.crosstab(said, group) > 0).sum().sum() == 4, "with no hidden layer clusters are those of the features"


def test_a_classifier_too_small_for_the_clusters_is_said_to_be_wrong():
    model = fitted(clusters=40, distilled=(1,))
    X = experiment(seed=1)[0]
    right = (model.assign_cluster(X, distilled=True) == model.assign_cluster(X)).mean()
    low, high = model.distillation_.accuracy.interval
    assert low - 0.03 < right < high + 0.03
    assert right < 0.8


def test_the_number_of_clusters_with_the_largest_value_on_held_out_units_is_taken():
    model = fitted(clusters=None, on="uplift")
    assert set(model.values_) == {5, 10, 20, 60, 200}
    assert model.clusters_ == max(model.values_, key=lambda clusters: model.values_[clusters].estimate)
    assert all(value.standard_error > 0 for value in model.values_.values())


def test_more_clusters_than_the_units_allow_are_not_tried():
    assert set(fitted(clusters=None, n=300).values_) == {5, 10, 20}


def test_plans_spend_no_more_than_each_budget(model):
    solved = model.programme()
    assert (solved.shared.cost <= np.array(BUDGETS) + 1e-6).all()
    table = model.serving_table()
    assert len(table) == len(BUDGETS) * model.clusters_
    assert set(table["arm"]) | set(table["otherwise"]) <= set(LABELS)
    divided = ((table["share"] > 1e-6) & (table["share"] < 1 - 1e-6)).groupby(table["budget"]).sum()
    assert (divided <= 1).all()
    shared = model.serving_table(shared=True)
    assert (shared.groupby("cluster")["arm"].nunique() == 1).all()


def test_the_table_gives_coupons_to_the_groups_that_respond(model):
    X, group, *_ = experiment(seed=1)
    table = model.serving_table()
    for budget in BUDGETS:
        rows = table[table["budget"] == budget].set_index("cluster").loc[model.assign_cluster(X)]
        given = np.where(rows["arm"] == "coupon", rows["share"], 0.0)
        assert given[group >= 2].mean() < 0.02
        assert given.mean() == pytest.approx(budget, abs=0.04)


def test_a_saved_model_does_the_same(model, tmp_path):
    X = experiment(seed=1)[0]
    model.save(tmp_path)
    loaded = ClusterAllocation.load(tmp_path)
    for before, after in zip(model.predict(X), loaded.predict(X), strict=True):
        np.testing.assert_array_equal(before, after)
    for distilled in (True, False):
        np.testing.assert_array_equal(
            model.assign_cluster(X, distilled=distilled), loaded.assign_cluster(X, distilled=distilled)
        )
    pd.testing.assert_frame_equal(model.serving_table(shared=True), loaded.serving_table(shared=True))
    assert (loaded.values_, loaded.distillation_) == (model.values_, model.distillation_)


def test_units_that_are_all_alike_are_served_alike():
    _, _, arm, outcome, cost = experiment(400)
    model = ClusterAllocation(clusters=3, **QUICK)
    model.fit(np.ones((400, 2)), outcome, arm, cost=cost)
    assert len(np.unique(model.predict(np.ones((5, 2))).outcome, axis=0)) == 1


def test_yes_or_no_outcomes_are_clustered_by_their_uplift():
    X, group, arm, _, cost = experiment(4000)
    random = np.random.default_rng(1)
    outcome = random.random(len(X)) < 0.1 + 0.15 * group + 0.4 * arm * (group < 2)
    model = ClusterAllocation("uplift", clusters=6, **QUICK)
    model.fit(X, outcome.astype(float), LABELS[arm], cost=(cost > 0).astype(float), control="none")
    arms = best_arms(model.predict(X), 0.2)
    assert ((arms == 1) == (group < 2)).mean() > 0.95
    assert model.distillation_.accuracy.estimate > 0.75


def test_the_same_seed_gives_the_same_clusters():
    X = experiment(seed=1)[0]
    first, second = (fitted(clusters=8, n=1000).assign_cluster(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_an_arm_that_a_cluster_lacks_is_noted():
    model = fitted(clusters=200, n=300)
    assert model.notes_ == (f"arm_missing_in_cluster:{model.means_.empty_cells}",)
    assert model.means_.empty_cells > 100
    assert np.isfinite(model.predict(experiment(seed=1)[0]).outcome).all()
    assert fitted(clusters=5, n=1000).notes_ == ()


def test_categories_missing_values_and_known_prices_are_taken_as_they_come(tmp_path):
    X, _, arm, outcome, _ = experiment(600)
    frame = pd.DataFrame(X, columns=["a", "b"])
    frame.loc[::5, "a"] = np.nan
    frame["level"] = pd.Categorical(np.where(X[:, 1] > 2, "high", "low"))
    model = ClusterAllocation(clusters=5, **(QUICK | {"epochs": 2}))
    model.fit(frame, outcome, LABELS[arm], cost={"none": 0.0, "coupon": 2.0}, control="none")
    np.testing.assert_array_equal(np.unique(model.predict(frame).cost, axis=0), [[0.0, 2.0]])
    model.save(tmp_path)
    np.testing.assert_array_equal(ClusterAllocation.load(tmp_path).assign_cluster(frame), model.assign_cluster(frame))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"clusters": 5000}, "5000 clusters of 800 units"),
        ({"clusters": 1}, "clusters is 1"),
        ({"clusters": 2.5}, "clusters is 2.5"),
        ({"clusters": 5, "n_jobs": 0}, "n_jobs is 0"),
        ({"patience": 0}, "patience=0"),
        ({"distilled": (0,)}, r"hidden layers have \[0\]"),
        ({"on": "outcome"}, "'outcome' is unknown"),
        ({"clusters": 5, "shrinkage": -1}, "shrinkage -1"),
        ({"clusters": 5, "budgets": (0.5, -1.0)}, r"budgets are \[0\.5, -1\.0\]"),
    ],
)
def test_what_cannot_be_clustered_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        fitted(**({"n": 1000} | arguments))


def test_a_budget_that_the_network_cannot_keep_is_noted_and_no_fault():
    X, _, arm, outcome, cost = experiment(400)
    model = ClusterAllocation(clusters=3, **QUICK).fit(X, outcome, arm, cost=cost + 1.0)
    assert {"budget_below_cheapest:0.2", "budget_below_cheapest:0.4"} <= set(model.notes_)
    with pytest.raises(InputError, match=r"budget of 0\.2 per unit is below"):
        model.programme()


def test_units_that_told_the_classifier_when_to_stop_do_not_measure_it(monkeypatch):
    told, measured = [], []
    learn, estimate = ClusterClassifier.learn, clusters.mean_estimate
    monkeypatch.setattr(ClusterClassifier, "learn", lambda *a, **k: told.append(len(a[1])) or learn(*a, **k))
    monkeypatch.setattr(clusters, "mean_estimate", lambda values: measured.append(len(values)) or estimate(values))
    fitted(clusters=4, n=1000)
    of_partitions, *of_classifier = measured
    assert of_partitions == 200
    assert of_classifier == [200 - told[0]] * 2
    assert told[0] == pytest.approx(100, abs=2)


def test_a_clone_is_unfitted_and_has_the_same_parameters(model):
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "means_")


def test_where_numbers_are_far_from_zero_clusters_are_the_same():
    numbers = np.random.default_rng(0).normal(size=(400, 2)).astype(np.float32)
    weight = np.ones(2, dtype=np.float32)
    here, far = (
        Partition.learn(numbers + np.float32(shift), 5, weight=weight, seed=0).nearest(numbers + np.float32(shift))
        for shift in (0.0, 4096.0)
    )
    assert (here == far).mean() > 0.98


def test_the_nearest_of_many_centers_is_found_in_little_memory():
    random = np.random.default_rng(0)
    numbers = random.normal(size=(300_000, 4)).astype(np.float32)
    partition = Partition(random.normal(size=(200, 4)).astype(np.float32), np.ones(4, dtype=np.float32))
    tracemalloc.start()
    found = partition.nearest(numbers)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6, "all distances at once are 240 MB"
    np.testing.assert_array_equal(found[-5:], partition.nearness(numbers[-5:]).argmax(axis=1))


def test_centers_are_learned_on_as_many_threads_as_they_may(monkeypatch):
    used = []
    learn = Partition.learn

    def counted(*arguments, **keywords):
        used.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "openmp")
        return learn(*arguments, **keywords)

    monkeypatch.setattr(Partition, "learn", counted)
    with threadpool_limits(2, user_api="openmp"):
        fitted(clusters=4, n=1000)
    assert set(used) == {1}


def test_the_nearest_center_is_the_one_at_the_smallest_distance():
    random = np.random.default_rng(0)
    numbers, center = random.normal(size=(50, 3)), random.normal(size=(7, 3))
    weight = np.array([1.0, 3.0, 0.0])
    partition = Partition(center.astype(np.float32), weight.astype(np.float32))
    distance = ((numbers[:, None] * weight - center) ** 2).sum(axis=2)
    np.testing.assert_array_equal(partition.nearest(numbers.astype(np.float32)), distance.argmin(axis=1))
