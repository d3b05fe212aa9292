"""Groups of units with one arm each: what they cost beside deciding for every unit, and what they are good for."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import psutil
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.tree import DecisionTreeRegressor

from benchmarks.document import gigabytes, mean_and_error, table
from causal_tasks.allocation.cluster_means import ClusterMeans
from causal_tasks.allocation.clusters import ClusterAllocation
from causal_tasks.allocation.forecast import Forecast
from causal_tasks.allocation.oracle import oracle_gain
from causal_tasks.allocation.programme import Plan
from causal_tasks.allocation.responses import Responses
from causal_tasks.allocation.two_stage import TwoStage
from causal_tasks.data.coupon_problems import CouponProblem, dose_problem

EXPERIMENT = 20_000
TEST = 20_000
NOISES = (1.0, 5.0, 15.0)
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
"""Budgets, as shares of what the dearest arm would cost for everybody."""

LAYERS = (64, 32)
GROUPS = 20
SMALL = (16,)
SCORED = 10_000_000
BLOCK = 1_000_000

HIDDEN, UPLIFT = "clusters on the hidden layer, K chosen", "clusters on predicted uplifts, K chosen"
NETWORK = "every unit: two-stage network"

Floats = NDArray[np.float64]


def section(seeds: int) -> str:
    """All tables."""
    shares = ", ".join(f"{share:.0%}" for share in SHARES)
    head = (
        f"`dose_problem`, {EXPERIMENT:,} randomised units, five arms, budgets of {shares} of what the dearest arm "
        f"would cost for everybody; mean of {seeds} draws ± standard error on {TEST:,} new units."
    )
    draws = {noise: [_Draw.of(noise, seed) for seed in range(seeds)] for noise in NOISES}
    plain = draws[NOISES[0]]
    return "\n\n".join(
        [head, _gains(draws), _chosen(draws), _planned(plain), _distilled(plain), _scored(plain[0].models[HIDDEN])]
    )


@dataclass(frozen=True, slots=True)
class _Draw:
    """One experiment and the units that are to be served.

    Attributes:
        test: Those units, with the truth.
        budgets: Per unit.
        data: The experiment.
        models: The two kinds of clusters, fitted.
        gains: Fraction of the oracle's gain by method.
    """

    test: CouponProblem
    budgets: Floats
    data: Responses
    models: Mapping[str, ClusterAllocation]
    gains: Mapping[str, float]

    @classmethod
    def of(cls, noise: float, seed: int) -> "_Draw":
        problem = dose_problem(EXPERIMENT, seed=2 * seed, noise=noise)
        test = dose_problem(TEST, seed=2 * seed + 1)
        data = Responses.checked(problem.X, problem.outcome, problem.treatment, cost=problem.cost)
        budgets = np.array(SHARES) * test.true_cost.mean(axis=0).max()

        def clusters(on: str, **arguments: object) -> ClusterAllocation:
            model = ClusterAllocation(on, hidden=LAYERS, budgets=budgets.tolist(), random_state=seed)
            return model.set_params(**arguments).fit_responses(data)

        models = {HIDDEN: clusters("hidden"), UPLIFT: clusters("uplift")}
        network = TwoStage("network", settings={"hidden": LAYERS}, random_state=seed).fit_responses(data)
        forecasts = {
            "everybody the same mix": _grouped(data, np.zeros(EXPERIMENT, np.intp), np.zeros(TEST, np.intp), 1),
            NETWORK: network.predict(test.X),
            "every unit: two-stage T-learner, LightGBM": TwoStage("t_lightgbm").fit_responses(data).predict(test.X),
            "every unit: two-stage S-learner, LightGBM": TwoStage("s_lightgbm").fit_responses(data).predict(test.X),
            f"random groups, K = {GROUPS}": _random(data, seed),
            f"leaves of a tree on predicted uplifts, K = {GROUPS}": _leaves(data, network, test),
            "clusters on the features, K chosen": clusters("hidden", hidden=()).predict(test.X),
            **{name: model.predict(test.X) for name, model in models.items()},
            **{f"{name}, plain means": _unshrunken(data, model, test) for name, model in models.items()},
        }
        truth = Forecast.checked(test.true_outcome, test.true_cost)
        gains = {name: oracle_gain(forecast, truth, budgets) for name, forecast in forecasts.items()}
        return cls(test, budgets, data, models, gains)


def _grouped(data: Responses, learned: NDArray[np.intp], served: NDArray[np.intp], groups: int) -> Forecast:
    """Forecast of the served units from the means of their groups in the experiment."""
    return ClusterMeans.of(data, learned, clusters=groups).forecast(served)


def _random(data: Responses, seed: int) -> Forecast:
    random = np.random.default_rng(seed)
    return _grouped(data, random.integers(0, GROUPS, EXPERIMENT), random.integers(0, GROUPS, TEST), GROUPS)


def _unshrunken(data: Responses, model: ClusterAllocation, test: CouponProblem) -> Forecast:
    learned, served = (model.assign_cluster(X) for X in (data.X, test.X))
    return ClusterMeans.of(data, learned, clusters=model.clusters_, shrinkage=0.0).forecast(served)


def _leaves(data: Responses, network: TwoStage, test: CouponProblem) -> Forecast:
    features = data.X.frame.to_numpy()
    predicted = network.predict(data.X)
    uplifts = np.hstack([levels[:, 1:] - levels[:, :1] for levels in predicted])
    tree = DecisionTreeRegressor(max_leaf_nodes=GROUPS, random_state=0).fit(features, uplifts)
    learned, served = (tree.apply(values) for values in (features, test.X))
    leaves = np.unique(learned)
    return _grouped(data, *(np.searchsorted(leaves, found) for found in (learned, served)), len(leaves))


def _gains(draws: Mapping[float, list[_Draw]]) -> str:
    names = list(draws[NOISES[0]][0].gains)

    def column(noise: float, name: str) -> Floats:
        return np.array([draw.gains[name] for draw in draws[noise]])

    rows = [
        [name]
        + [mean_and_error(column(noise, name)) for noise in NOISES]
        + [mean_and_error(column(noise, name) - column(noise, NETWORK)) for noise in NOISES]
        for name in names
    ]
    header = ["fraction of the oracle's gain"]
    header += [f"noise {noise:g}" for noise in NOISES] + [f"noise {noise:g}: less the network's" for noise in NOISES]
    return table(header, rows)


def _chosen(draws: Mapping[float, list[_Draw]]) -> str:
    rows = []
    for name in (HIDDEN, UPLIFT):
        found = [[draw.models[name].clusters_ for draw in draws[noise]] for noise in NOISES]
        rows.append([name, *(", ".join(map(str, sorted(each))) for each in found)])
    return table(["K that validation chose, by draw", *(f"noise {noise:g}" for noise in NOISES)], rows)


def _planned(draws: list[_Draw]) -> str:
    """True outcome and spending of the plans, the mean over budgets."""
    rows = []
    for name in (HIDDEN, UPLIFT):
        found = [_true_plans(draw, draw.models[name]) for draw in draws]
        for plan in found[0]:
            outcome, spent = (np.array([each[plan][at] for each in found]) for at in (0, 1))
            rows.append([f"{name}: {plan}", mean_and_error(outcome), mean_and_error(spent)])
    return (
        "Plans of the stochastic programme at noise 1, six budgets alike; a plan that is dearer than the budget is cut."
        "\n\n" + table(["plan", "true gain over control per unit", "true cost over budget"], rows)
    )


def _true_plans(draw: _Draw, model: ClusterAllocation) -> dict[str, tuple[float, float]]:
    solved, cluster = model.programme(), model.assign_cluster(draw.test.X)
    budgets = range(len(draw.budgets))
    plans = {
        "one plan for each budget": [(plan, 0) for plan in solved.by_budget],
        "one plan for all budgets": [(solved.shared, row) for row in budgets],
        "the plan for the mean budget": [(solved.for_mean, row) for row in budgets],
    }
    control = draw.test.true_outcome[:, 0].mean()

    def mean(chosen: list[tuple[Plan, int]], levels: Floats) -> float:
        return float(np.mean([_served(plan, row, cluster, levels) for plan, row in chosen]))

    return {
        name: (
            mean(chosen, draw.test.true_outcome) - control,
            mean(chosen, draw.test.true_cost) / float(draw.budgets.mean()),
        )
        for name, chosen in plans.items()
    }


def _served(plan: Plan, row: int, cluster: NDArray[np.intp], levels: Floats) -> float:
    units, kept = np.arange(len(cluster)), plan.kept[row][cluster]
    planned, other = levels[units, plan.arm[cluster]], levels[units, plan.otherwise[cluster]]
    return float(np.mean(kept * planned + (1 - kept) * other))


def _distilled(draws: list[_Draw]) -> str:
    """Accuracy and true loss of the classifiers."""
    rows = []
    for name in (HIDDEN, UPLIFT):
        for layers in (None, SMALL):
            accuracy, claimed, lost = np.array([_stand_in(draw, name, layers) for draw in draws]).T
            told = "the network's layers" if layers is None else f"{layers[0]} hidden units"
            rows.append([f"{name}; {told}", mean_and_error(accuracy), mean_and_error(claimed), mean_and_error(lost)])
    header = [
        "classifier, noise 1",
        "units in their cluster",
        "loss that it states, outcome per unit",
        "true loss, fraction of the oracle's gain",
    ]
    return table(header, rows)


def _stand_in(draw: _Draw, name: str, layers: tuple[int, ...] | None) -> tuple[float, float, float]:
    """Accuracy on new units, the loss that the model states, and the true one, for all budgets alike."""
    model = draw.models[name]
    if layers is not None:
        model = clone(model).set_params(clusters=model.clusters_, distilled=layers).fit_responses(draw.data)
    exact, said = (model.assign_cluster(draw.test.X, distilled=by) for by in (False, True))
    truth = Forecast.checked(draw.test.true_outcome, draw.test.true_cost)
    right, wrong = (oracle_gain(model.means_.forecast(cluster), truth, draw.budgets) for cluster in (exact, said))
    return float((exact == said).mean()), model.distillation_.value_loss.estimate, right - wrong


def _scored(model: ClusterAllocation) -> str:
    random = np.random.default_rng(0)
    block = pd.DataFrame(random.normal(size=(BLOCK, 8)).astype(np.float32), columns=list(model.feature_names_in_))
    process = psutil.Process()
    before, peak, rows = process.memory_info().rss, 0, []
    for told, score in (
        ("forecast of every arm", model.predict),
        ("cluster by the classifier", lambda X: model.assign_cluster(X, distilled=True)),
    ):
        begin, cpu = time.perf_counter(), time.process_time()
        for _ in range(SCORED // BLOCK):
            score(block)
            peak = max(peak, process.memory_info().rss)
        rows.append([told, f"{time.perf_counter() - begin:.0f}", f"{time.process_time() - cpu:.0f}"])
    return (
        f"{SCORED:,} units scored on one thread, {BLOCK:,} at a time, K = {model.clusters_}; memory grew by "
        f"{gigabytes(max(0, peak - before))} GB.\n\n" + table(["of every unit", "seconds", "seconds of CPU"], rows)
    )
