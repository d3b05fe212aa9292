"""Experiment and logs together: whether learned gates of distillation beat what is simpler."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.document import mean_and_error, table
from causal_tasks.allocation.bilevel import LEARNED, BilevelDecisionFocused
from causal_tasks.allocation.decision_focused import DecisionFocused
from causal_tasks.allocation.forecast import Forecast
from causal_tasks.allocation.networks.students import Preparation, Student
from causal_tasks.allocation.oracle import oracle_gain
from causal_tasks.allocation.pooled import PooledTwoStage
from causal_tasks.allocation.responses import Responses
from causal_tasks.allocation.two_stage import TwoStage
from causal_tasks.base_models import DesignMatrix
from causal_tasks.data.coupon_problems import CouponProblem, confounded_logs, dose_problem, position_biased_logs

LOGS = 30_000
TEST = 20_000
SHARES = (0.15, 0.3, 0.45)
"""Budgets, as shares of what the dearest arm would cost for everybody."""

GATES = (0.0, 0.5, 1.0)
FIXED = tuple(f"fixed gate {gate:g}" for gate in GATES)
POLICY, DIFFERENCE = "learned gates, policy", "learned gates, finite difference"
BEST_FIXED, DEFAULT = "best fixed gate by validation", "best of fixed and learned (policy) by validation"
TEACHER, POOLED = "two stages", "two stages, pooled"
METHODS = {
    "everybody the same mix": "experiment",
    TEACHER: "experiment",
    "decision-focused, policy learning": "experiment",
    "two stages on the logs": "logs",
    POOLED: "both",
    **dict.fromkeys((*FIXED, BEST_FIXED, POLICY, DIFFERENCE, DEFAULT), "both"),
}
"""Rows of the table, and the units that each learns from."""

RIVALS = (TEACHER, POOLED, *FIXED, BEST_FIXED)
"""What learned gates have to beat."""

Gains = Mapping[str, NDArray[np.float64]]
"""Fraction of the oracle's gain by method, one value for each draw."""


@dataclass(frozen=True, slots=True)
class Setting:
    """An experiment beside logs.

    Attributes:
        experiment: Its units.
        noise: Standard deviation of its outcomes.
        logs: Draws so many logged units from a seed.
    """

    experiment: int
    noise: float
    logs: Callable[[int, int], CouponProblem]


def _confounded(experiment: int, gamma: float) -> Setting:
    return Setting(experiment, float(np.hypot(1, gamma)), lambda n, seed: confounded_logs(n, seed=seed, gamma=gamma))


SETTINGS: Mapping[str, Setting] = {
    "3,000 randomised, hidden trait, gamma 2": _confounded(3_000, 2.0),
    "1,000 randomised, hidden trait, gamma 4": _confounded(1_000, 4.0),
    "3,000 randomised, position bias": Setting(
        3_000, 2.0, lambda n, seed: position_biased_logs(n, seed=seed, severity=0.5, noise=2.0)
    ),
}


def section(seeds: int) -> str:
    """Fractions of the oracle's gain in every setting, and what the learned gates add."""
    shares = ", ".join(f"{share:.0%}" for share in SHARES)
    head = (
        f"{LOGS:,} logged units, whose arms a hidden trait or a hidden position helped to choose, beside a small "
        f"experiment; budgets of {shares} of what the dearest arm would cost for everybody. Mean of {seeds} draws ± "
        f"standard error; {TEST:,} new units."
    )
    found, kept = {}, []
    for title, setting in SETTINGS.items():
        draws = [_draw(setting, seed) for seed in range(seeds)]
        found[title] = {method: np.array([gains[method] for gains, _ in draws]) for method in METHODS}
        count = sum(name == POLICY for _, name in draws)
        kept.append(f"Kept by validation, {title}: the learned gates in {count} of {seeds} draws.")
    return "\n\n".join([head, _levels(found), _differences(found), *kept])


def _draw(setting: Setting, seed: int) -> tuple[dict[str, float], str]:
    """Fraction of the oracle's gain by method, and which gates were best by validation."""
    experiment = _responses(dose_problem(setting.experiment, seed=3 * seed, noise=setting.noise))
    logs = _responses(setting.logs(LOGS, 3 * seed + 1))
    test = dose_problem(TEST, seed=3 * seed + 2)
    truth = Forecast.checked(test.true_outcome, test.true_cost)
    budgets = [share * float(test.true_cost.mean(axis=0).max()) for share in SHARES]
    two_stage = TwoStage("network", random_state=seed)
    focused = DecisionFocused(loss="policy_learning", budgets=budgets, random_state=seed)
    pooled = PooledTwoStage("network", random_state=seed)
    forecasts = {
        "everybody the same mix": _same_for_everybody(experiment, TEST),
        TEACHER: two_stage.fit_responses(experiment).predict(test.X),
        "decision-focused, policy learning": focused.fit_responses(experiment).predict(test.X),
        "two stages on the logs": two_stage.fit_responses(logs).predict(test.X),
        POOLED: pooled.fit_responses(experiment, logs=logs).predict(test.X),
    }
    students = _students(experiment, logs, budgets, seed)
    forecasts |= {name: student.forecaster.predict(DesignMatrix.of(test.X)) for name, student in students.items()}
    best_fixed, best = (max(names, key=lambda name: students[name].value) for names in (FIXED, (*FIXED, POLICY)))
    forecasts |= {BEST_FIXED: forecasts[best_fixed], DEFAULT: forecasts[best]}
    gains = {name: oracle_gain(forecast, truth, budgets) for name, forecast in forecasts.items()}
    print(
        f"seed {seed}: {', '.join(f'{name} {gain:.3f}' for name, gain in gains.items())}", file=sys.stderr, flush=True
    )
    return gains, best


def _students(experiment: Responses, logs: Responses, budgets: Sequence[float], seed: int) -> dict[str, Student]:
    """As ``BilevelDecisionFocused`` trains them, from one preparation."""
    policy = Preparation.of(experiment, logs, BilevelDecisionFocused(budgets=budgets, random_state=seed).plan)
    difference = replace(policy, plan=replace(policy.plan, surrogate="finite_difference"))
    fixed = {name: policy.trained(gate) for name, gate in zip(FIXED, GATES, strict=True)}
    return fixed | {POLICY: policy.trained(LEARNED), DIFFERENCE: difference.trained(LEARNED)}


def _responses(problem: CouponProblem) -> Responses:
    return Responses.checked(problem.X, problem.outcome, problem.treatment, cost=problem.cost)


def _same_for_everybody(experiment: Responses, units: int) -> Forecast:
    """Arm means: at every price all units have the same best arm."""
    count = np.bincount(experiment.arm)
    outcome, cost = (np.bincount(experiment.arm, seen) / count for seen in (experiment.outcome, experiment.cost))
    return Forecast.checked(np.tile(outcome, (units, 1)), cost)


def _levels(found: Mapping[str, Gains]) -> str:
    rows = [
        [method, units, *(mean_and_error(gains[method]) for gains in found.values())]
        for method, units in METHODS.items()
    ]
    return table(["fraction of the oracle's gain", "learns from", *found], rows)


def _differences(found: Mapping[str, Gains]) -> str:
    rows = [
        [f"{ours} − {rival}", *(mean_and_error(gains[ours] - gains[rival]) for gains in found.values())]
        for ours in (POLICY, DEFAULT)
        for rival in RIVALS
    ]
    return table(["paired difference", *found], rows)
