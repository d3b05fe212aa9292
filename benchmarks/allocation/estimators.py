"""How precise the estimators of a policy's outcome are, and how often their intervals hold the truth."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.document import table
from causal_tasks.allocation.comparison import CONTROL, compare_forecasts
from causal_tasks.allocation.forecast import Forecast
from causal_tasks.allocation.knapsack.path import budget_path
from causal_tasks.data.coupon_problems import CouponProblem, dose_problem

REPETITIONS = 150
"""At least: eight would not tell a spread."""

USERS = 5_000
PRICE = 0.8
"""Of money, at which the fixed policy decides on the true outcomes and costs."""

BUDGET = 0.36
"""Per user, of the second table: 30 % of what the dearest arm for everybody costs."""

LABELS: Mapping[str, tuple[str, bool]] = {
    "Horvitz-Thompson": ("horvitz_thompson", False),
    "Hajek": ("hajek", False),
    "AIPW, arm means": ("aipw", False),
    "AIPW, quadratic model": ("aipw", True),
}
"""Estimator, and whether it gets the forecasts of ``quadratic_nuisance``."""


def section(seeds: int) -> str:
    """A fixed policy, then one at a budget whose price is chosen on another half."""
    problems = [dose_problem(USERS, seed=seed) for seed in range(max(seeds, REPETITIONS))]
    models = [quadratic_nuisance(problem) for problem in problems]
    fixed, at_budget = [], []
    many = dose_problem(200_000, seed=10_000)
    truth = budget_path(many.true_outcome, many.true_cost).value_at(BUDGET * 200_000) / 200_000
    for label, (estimator, modelled) in LABELS.items():
        gains, outcomes = [], []
        for problem, model in zip(problems, models, strict=True):
            nuisance = model if modelled else None
            gains.append(fixed_policy_error(problem, estimator, nuisance))
            outcomes.append(_outcome(problem, estimator, nuisance))
        errors = np.array(gains)
        fixed.append([label, f"{errors.std(ddof=1):.3f}", f"{errors.mean():+.3f} ± {_error(errors):.3f}"])
        estimates = np.array([one.estimate for one in outcomes])
        claimed = np.mean([one.standard_error for one in outcomes])
        held = np.mean([one.interval[0] < truth < one.interval[1] for one in outcomes])
        bias = f"{estimates.mean() - truth:+.3f} ± {_error(estimates):.3f}"
        at_budget.append([label, f"{estimates.std(ddof=1):.3f}", f"{claimed:.3f}", f"{100 * held:.0f} %", bias])
    gain = np.mean([_gain(problem) for problem in problems])
    return "\n\n".join(
        [
            f"Experiments of {USERS:,} users and five arms, {len(problems)} times. First the gain over control of a "
            f"fixed good policy (true mean {gain:.2f}):",
            table(["estimator", "sd", "bias ± its error"], fixed),
            f"Then the outcome of the best policy at a budget of {BUDGET} per user, its price chosen on the other half "
            f"(truth {truth:.3f}), and its 95 % interval from 200 bootstrap draws:",
            table(
                ["estimator", "sd", "mean of claimed errors", "intervals that hold the truth", "bias ± its error"],
                at_budget,
            ),
        ]
    )


def quadratic_nuisance(problem: CouponProblem) -> Forecast:
    """Least squares on squares and products of features, arm by arm, each half predicted from the other."""
    features, pairs = problem.X, np.triu_indices(problem.X.shape[1])
    design = np.column_stack([np.ones(len(features)), features, features[:, pairs[0]] * features[:, pairs[1]]])
    predicted, half = np.empty((2, *problem.true_outcome.shape)), np.arange(len(design)) % 2
    targets = np.column_stack([problem.outcome, problem.cost])
    for arm in range(predicted.shape[2]):
        for part in (0, 1):
            rows = (half != part) & (problem.treatment == arm)
            fitted = np.linalg.lstsq(design[rows], targets[rows], rcond=None)[0]
            predicted[:, half == part, arm] = (design[half == part] @ fitted).T
    return Forecast.checked(predicted[0], np.maximum(predicted[1], 0))


def fixed_policy_error(problem: CouponProblem, estimator: Any, nuisance: Forecast | None) -> float:
    """Estimated less true gain over control of the policy that decides at ``PRICE``."""
    net = problem.true_outcome - PRICE * problem.true_cost
    found = compare_forecasts(
        problem.outcome,
        problem.treatment,
        cost=problem.cost,
        forecasts={"fixed": Forecast.checked(net, np.zeros_like(net))},
        baseline=CONTROL,
        budgets=[2 * problem.true_cost.max()],
        propensity=problem.propensity,
        estimator=estimator,
        nuisance=nuisance,
        replicates=2,
    )
    return found.difference("fixed").estimate - _gain(problem)


def _outcome(problem: CouponProblem, estimator: Any, nuisance: Forecast | None) -> Any:
    found = compare_forecasts(
        problem.outcome,
        problem.treatment,
        cost=problem.cost,
        forecasts={"best": Forecast.checked(problem.true_outcome, problem.true_cost)},
        baseline="best",
        budgets=[BUDGET],
        propensity=problem.propensity,
        estimator=estimator,
        nuisance=nuisance,
    )
    return found.outcome("best")


def _gain(problem: CouponProblem) -> float:
    arm = (problem.true_outcome - PRICE * problem.true_cost).argmax(axis=1)
    return float((problem.true_outcome[np.arange(len(arm)), arm] - problem.true_outcome[:, 0]).mean())


def _error(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))
