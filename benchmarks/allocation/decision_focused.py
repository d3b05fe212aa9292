"""Decision-focused learning against the two-stage forecast that it starts from: what every loss adds or takes away."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from time import process_time
from typing import Any

import numpy as np

from benchmarks.document import mean_and_error, table
from causal_tasks.allocation.decision_focused import DecisionFocused
from causal_tasks.allocation.forecast import Forecast
from causal_tasks.allocation.knapsack.lagrangian import best_arms
from causal_tasks.allocation.networks.fine_tuning import FirstStage, Plan
from causal_tasks.allocation.networks.forecaster import Forecaster
from causal_tasks.allocation.networks.prices import prices_of
from causal_tasks.allocation.oracle import oracle_gain
from causal_tasks.allocation.responses import Responses
from causal_tasks.base_models import DesignMatrix
from causal_tasks.data.coupon_problems import CouponProblem, dose_problem
from causal_tasks.uplift.networks.trainer import threads

FIRST_SEED = 10_000
"""The defaults were chosen on draws of smaller seeds."""

UNITS = 12_500
"""Of which a fifth is held out to stop and to choose."""

TEST = 20_000
TRAINED = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
BETWEEN = (0.15, 0.35, 0.55)
"""Budgets, as shares of what the dearest arm would cost for everybody."""

NETWORKS: Mapping[str, tuple[int, ...]] = {"linear": (), "32x32": (32, 32)}

TWO_STAGE, DEFAULT = "two stages", "doubly robust (default)"

PLAIN = {"loss": "policy_learning", "alpha": 0.0}
ENTROPY = {"loss": "maximum_entropy"}

VARIANTS: Mapping[str, Mapping[str, Any]] = {
    DEFAULT: {},
    "doubly robust, last epoch": {"keep": "last"},
    "doubly robust, temperature 0.3": {"temperature": 0.3},
    "doubly robust, temperature 1": {"temperature": 1.0},
    "doubly robust, alpha 1": {"alpha": 1.0},
    "doubly robust, alpha 0": {"alpha": 0.0},
    "maximum entropy, temperature 0.1": ENTROPY,
    "maximum entropy, temperature 0.3": {**ENTROPY, "temperature": 0.3},
    "policy learning (temperature 1), alpha 10": {"loss": "policy_learning"},
    "policy learning, alpha 1": {"loss": "policy_learning", "alpha": 1.0},
    "policy learning, alpha 0": PLAIN,
    "policy learning, alpha 0, last epoch": {**PLAIN, "keep": "last"},
    "policy learning, alpha 0, constant baseline, last epoch": {**PLAIN, "baseline": "constant", "keep": "last"},
    "maximum entropy, temperature 0.1, constant baseline": {**ENTROPY, "baseline": "constant"},
    "finite difference, floor 0.3": {"loss": "finite_difference", "temperature": 0.3},
}
"""Parameters of ``DecisionFocused``; others are the default's."""

COLD = "cold start: policy learning, alpha 0, 100 epochs at the warm start's rate"
COLD_PARAMETERS: Mapping[str, Any] = {**PLAIN, "warm_start": False, "epochs": 100, "learning_rate": 3e-3}

TIMED: Mapping[str, Mapping[str, Any]] = {
    "doubly robust": {},
    "finite difference": {"loss": "finite_difference"},
    "doubly robust, mini-batches of 512": {"batch_size": 512},
}
REPEATS = 5
EPOCHS = 10
"""Of a run that is timed; runs of prediction and of every loss take turns."""


@dataclass(frozen=True, slots=True)
class Score:
    """How good decisions are.

    Attributes:
        trained: Fraction of the oracle's gain at the budgets that were trained on.
        between: The same at others.
        overrun: True cost over the budget at the smallest budget, where units are chosen by predicted costs.
        kept: Whether an epoch of fine-tuning was kept.
    """

    trained: float
    between: float
    overrun: float
    kept: bool


def section(seeds: int) -> str:
    """The tables of every network and what an epoch costs."""
    parts = [
        f"`dose_problem`: five arms, {UNITS:,} randomised units of which a fifth is held out to stop and to choose, "
        f"{TEST:,} new ones; budgets of {_shares(TRAINED)} of what the dearest arm would cost for everybody, scores at "
        f"budgets between them ({_shares(BETWEEN)}), for which nothing was trained, in a column of their own. All "
        f"variants start from the forecast of two stages. Paired differences over {seeds} draws, mean ± standard "
        "error; the defaults were chosen on other draws. True cost over budget: of what is bought from predicted costs "
        "at the smallest budget. Temperatures and floors are in standard deviations of a unit's scores; alpha weighs "
        "the prediction loss. Unless stated alpha is 10, the baseline is of the unit, and the epoch of the best "
        "held-out value is kept, the warm start included."
    ]
    for title, hidden in NETWORKS.items():
        parts.append(f"**{title}**\n\n{_table([_draw(hidden, seed) for seed in range(seeds)])}")
    parts.append(_speed())
    return "\n\n".join(parts)


def _draw(hidden: tuple[int, ...], seed: int) -> dict[str, Score]:
    data = _responses(dose_problem(UNITS, seed=FIRST_SEED + 2 * seed))
    score = _scorer(dose_problem(TEST, seed=FIRST_SEED + 2 * seed + 1))
    budgets = [share * float(data.cost[data.arm == len(data.labels) - 1].mean()) for share in TRAINED]
    shared: dict[str, Any] = {"hidden": hidden, "budgets": budgets, "random_state": seed}
    with threads(1):
        first = FirstStage.of(data, DecisionFocused(**shared).plan)
        scores = {TWO_STAGE: score(first.forecaster, kept=False)}
        for name, parameters in VARIANTS.items():
            forecaster, training = first.fine_tuned(DecisionFocused(**{**shared, **parameters}).plan)
            scores[name] = score(forecaster, kept=training.best > 0)
        plan = DecisionFocused(**{**shared, **COLD_PARAMETERS}).plan
        forecaster, training = FirstStage.of(data, plan).fine_tuned(plan)
        scores[COLD] = score(forecaster, kept=training.best > 0)
    told = ", ".join(f"{name} {found.trained - scores[TWO_STAGE].trained:+.3f}" for name, found in scores.items())
    print(f"{hidden} seed {seed}: {scores[TWO_STAGE].trained:.3f}; {told}", file=sys.stderr, flush=True)
    return scores


def _scorer(test: CouponProblem) -> Callable[..., Score]:
    truth = Forecast.checked(test.true_outcome, test.true_cost)
    dearest = float(test.true_cost[:, -1].mean())
    units = DesignMatrix.of(test.X)

    def score(forecaster: Forecaster, *, kept: bool) -> Score:
        forecast = forecaster.predict(units)
        trained, between = (oracle_gain(forecast, truth, np.array(s) * dearest) for s in (TRAINED, BETWEEN))
        smallest = TRAINED[0] * dearest
        arm = best_arms(forecast, float(prices_of(forecast, np.array([smallest]))[0]))
        return Score(trained, between, float(test.true_cost[np.arange(TEST), arm].mean()) / smallest, kept)

    return score


def _table(draws: list[dict[str, Score]]) -> str:
    """Levels of two stages, then what every other row adds to them."""
    start = [draw[TWO_STAGE] for draw in draws]
    rows = [
        [
            f"{TWO_STAGE}, level",
            mean_and_error([score.trained for score in start]),
            mean_and_error([score.between for score in start]),
            mean_and_error([score.overrun for score in start]),
            "",
        ]
    ]
    for name in (*VARIANTS, COLD):
        found = [draw[name] for draw in draws]
        rows.append(
            [
                name,
                mean_and_error(
                    [score.trained - before.trained for score, before in zip(found, start, strict=True)], sign="+"
                ),
                mean_and_error(
                    [score.between - before.between for score, before in zip(found, start, strict=True)], sign="+"
                ),
                mean_and_error([score.overrun for score in found]),
                f"{sum(score.kept for score in found)} of {len(found)}",
            ]
        )
    return table(["", "trained budgets", "budgets between", "true cost over budget", "fine-tuning kept"], rows)


def _speed() -> str:
    """Processor seconds of an epoch of fine-tuning beside those of one of prediction."""
    plans = [
        DecisionFocused(keep="last", epochs=EPOCHS, warm_epochs=EPOCHS, **parameters).plan
        for parameters in TIMED.values()
    ]
    rows = []
    for units in (UNITS, 8 * UNITS):
        with threads(1):
            first = FirstStage.of(_responses(dose_problem(units, seed=0)), plans[0])
            runs = [[_prediction(first, plans[0]), *(_decision(first, plan) for plan in plans)] for _ in range(REPEATS)]
        prediction, *decisions = (median(column) for column in zip(*runs, strict=True))
        told = [f"{value:.3f} ({value / prediction:.2f})" for value in decisions]
        rows.append([f"{units:,}", f"{prediction:.3f}", *told])
    return (
        "Processor seconds of an epoch and, in brackets, over those of a prediction epoch: 32x32, one thread, six "
        f"budgets, mini-batches of {plans[0].warm.batch_size} in prediction and of {plans[0].schedule.batch_size} in "
        "fine-tuning unless stated, each epoch with its look at the held-out units; median of "
        f"{REPEATS} runs of {EPOCHS} epochs.\n\n" + table(["units", "prediction", *TIMED], rows)
    )


def _prediction(first: FirstStage, plan: Plan) -> float:
    forecaster = first.forecaster.another(seed=0)
    return _seconds(lambda: forecaster.learn_to_predict(first.units, first.unseen, plan.warm))


def _decision(first: FirstStage, plan: Plan) -> float:
    return _seconds(lambda: first.fine_tuned(plan))


def _seconds(epochs: Callable[[], object]) -> float:
    begin = process_time()
    epochs()
    return (process_time() - begin) / EPOCHS


def _responses(problem: CouponProblem) -> Responses:
    return Responses.checked(problem.X, problem.outcome, problem.treatment, cost=problem.cost)


def _shares(shares: tuple[float, ...]) -> str:
    return ", ".join(f"{share:.0%}" for share in shares)
