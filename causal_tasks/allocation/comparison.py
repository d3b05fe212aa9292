"""What policies bring at budgets, estimated on the same units of an experiment, with their differences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causal_tasks.allocation.forecast import ROUNDING, Forecast
from causal_tasks.allocation.policy_evaluation import (
    ESTIMATORS,
    ArmScores,
    Estimator,
    Folds,
    Mix,
    Totals,
    along_prices,
    always_control,
    arm_means,
    best_constant,
    policies_along_prices,
    price_grid,
    price_position,
)
from causal_tasks.allocation.responses import Observed, Propensity
from causal_tasks.effects.arguments import finite, require_rows
from causal_tasks.errors import InputError
from causal_tasks.evaluation.estimate import LEVEL, Estimate
from causal_tasks.evaluation.resampling import Resampling

SAME_MIX = "same_mix"
"""Everybody gets the same lottery over arms, the best one at the budget: what a policy must beat to pay."""

CONTROL = "control"
"""Everybody stays in control, whatever the budget."""

REPLICATES = 200

Vector = NDArray[np.float64]
Drawn = NDArray[np.float64]
"""Shape (1 + replicates, B): the estimate at every budget, then that of each bootstrap draw."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What several policies bring at several budgets on the same units; a budget is named by its position.

    Attributes:
        names: Those of the forecasts, then ``same_mix`` and ``control``.
        baseline: Against which differences are taken unless said otherwise.
        budgets: Per unit, shape (B,).
        weights: How likely each budget is, together 1, shape (B,).
        outcomes: By name, outcome per unit.
        costs: By name, cost per unit.
        shadow_prices: By name of a forecast, shape (B,): see ``ExpectedOutcome``.
        notes: By name of a forecast, codes: ``budget_not_binding:<budget>`` where every unit has its best arm for
            less; ``mixed_with_cheapest:<budget>`` where the cheapest arm of every unit costs more than was predicted,
            so that some units get the arm that is cheapest on average.
        same_mix_shares: Share of units that ``same_mix`` gives each arm, chosen on all units, shape (B, M).
        level: Of intervals.
        allocated: By name, cost per unit of the arms handed over as ``allocations``, shape (1 + replicates, number).
    """

    names: tuple[str, ...]
    baseline: str
    budgets: Vector
    weights: Vector
    outcomes: Mapping[str, Drawn]
    costs: Mapping[str, Drawn]
    shadow_prices: Mapping[str, Vector]
    notes: Mapping[str, tuple[str, ...]]
    same_mix_shares: NDArray[np.float64]
    level: float
    allocated: Mapping[str, Drawn] = field(default_factory=dict)

    def outcome(self, name: str, budget: int | None = None) -> Estimate:
        """Outcome per unit at a budget; None: the weighted mean over budgets."""
        return self._estimate(self.outcomes[name], budget)

    def cost(self, name: str, budget: int | None = None) -> Estimate:
        """Cost per unit at a budget; None: the weighted mean over budgets."""
        return self._estimate(self.costs[name], budget)

    def allocated_cost(self, name: str, position: int) -> Estimate:
        """Cost per unit of one of the ``allocations``: of arms given by forecast, whatever they cost in truth."""
        return self._estimate(self.allocated[name], position)

    def difference(self, name: str, other: str | None = None, budget: int | None = None) -> Estimate:
        """Outcome per unit above another policy's, on the same units, folds and draws; None: the baseline's."""
        return self._estimate(self.outcomes[name] - self.outcomes[other or self.baseline], budget)

    def _estimate(self, drawn: Drawn, budget: int | None) -> Estimate:
        values = drawn @ self.weights if budget is None else drawn[:, budget]
        return Estimate.of(float(values[0]), float(values[1:].std(ddof=1)), level=self.level)


def compare_forecasts(
    outcome: ArrayLike,
    treatment: ArrayLike,
    *,
    cost: Mapping[Any, float] | ArrayLike,
    forecasts: Mapping[str, Forecast],
    baseline: str,
    budgets: Sequence[float] | Vector,
    weights: Sequence[float] | Vector | None = None,
    control: Any = None,
    arms: Sequence[Any] | None = None,
    propensity: Propensity | None = None,
    estimator: Estimator = "aipw",
    nuisance: Forecast | None = None,
    folds: int = 2,
    replicates: int = REPLICATES,
    level: float = LEVEL,
    clusters: ArrayLike | None = None,
    seed: int = 0,
    allocations: Mapping[str, Sequence[NDArray[np.intp]]] | None = None,
) -> Comparison:
    """``expected_outcome`` of several forecasts at several budgets, on the same folds and bootstrap draws.

    Other arguments are those of ``expected_outcome``: ``forecasts`` go by name, ``baseline`` is one of the names,
    ``same_mix`` or ``control``, and ``weights`` say how likely each of ``budgets`` is: only their ratios count, and
    None takes all for alike. A budget of weight 0 is only looked at: where it lies below the cost of the cheapest arm,
    that arm is everybody's. ``allocations`` are by name arms of the units, shape (n,) each, as a solver gave them: a
    policy is compared at the price at which it costs the budget on these units, a solver spends by the forecast's word.

    Raises:
        InputError: As for ``expected_outcome``, a name is taken or unknown, a weight is negative or all are 0.
    """
    seen = Observed.checked(outcome, treatment, cost=cost, control=control, propensity=propensity, arms=arms)
    names = _names(forecasts, baseline)
    checked = {name: _fitting(forecast, seen, name=f"forecast {name!r}") for name, forecast in forecasts.items()}
    money = _positive(budgets, name="budgets")
    likely = np.ones(len(money)) if weights is None else _likely(weights)
    require_rows(len(likely), name="weights", rows=len(money))
    if estimator not in ESTIMATORS:
        raise InputError(f"estimator {estimator!r} is unknown", remedy=f"use one of {', '.join(ESTIMATORS)}")
    parts = Folds.deal(Resampling.of(len(seen.arm), clusters=clusters, seed=seed, draws=_enough(replicates)), folds)
    means = arm_means(seen, parts) if nuisance is None else _fitting(nuisance, seen, name="nuisance")
    scores = ArmScores.of(seen, estimator, means)
    constants = scores.totals((np.full(len(seen.arm), arm) for arm in range(len(seen.labels))), parts)
    sample = Totals(*(values[:1] for values in parts.all(constants)))
    arm_costs = sample.mean_cost[0]
    _require_affordable(money[likely > 0], arm_costs, seen.labels)
    read = {
        SAME_MIX: parts.read(constants, best_constant, money),
        CONTROL: parts.read(constants, always_control, money),
    }
    prices, notes = {}, {}
    for name, forecast in checked.items():
        grid = price_grid(forecast)
        totals = scores.totals(policies_along_prices(forecast, grid, last=int(arm_costs.argmin())), parts)
        read[name] = parts.read(totals, along_prices, money)
        position = price_position(parts.all(totals).mean_cost[:1], money)[0]
        prices[name] = np.interp(position, np.arange(len(grid) - 1), grid[:-1])
        notes[name] = _notes(position, money, cheapest=len(grid) - 1)
    return Comparison(
        names=names,
        baseline=baseline,
        budgets=money,
        weights=likely / likely.sum(),
        outcomes={name: read[name][0] for name in names},
        costs={name: read[name][1] for name in names},
        shadow_prices=prices,
        notes=notes,
        same_mix_shares=_shares(best_constant(sample, money), arms=len(seen.labels)),
        level=level,
        allocated={
            name: parts.all(scores.totals(given, parts)).mean_cost for name, given in (allocations or {}).items()
        },
    )


def _shares(mix: Mix, *, arms: int) -> NDArray[np.float64]:
    """Share of each arm in the first draw's mix of constant policies, shape (B, M)."""
    shares = np.zeros((mix.share.shape[1], arms))
    budget = np.arange(len(shares))
    shares[budget, mix.first[0]] += 1 - mix.share[0]
    shares[budget, mix.second[0]] += mix.share[0]
    return shares


def _names(forecasts: Mapping[str, Forecast], baseline: str) -> tuple[str, ...]:
    if taken := [name for name in (SAME_MIX, CONTROL) if name in forecasts]:
        raise InputError(f"forecasts have the names {taken}, which are taken", remedy="name them otherwise")
    names = (*forecasts, SAME_MIX, CONTROL)
    if baseline not in names:
        raise InputError(f"baseline {baseline!r} is unknown", remedy=f"use one of {', '.join(names)}")
    return names


def _fitting(forecast: Forecast, seen: Observed, *, name: str) -> Forecast:
    checked, shape = Forecast.checked(*forecast), (len(seen.arm), len(seen.labels))
    if checked.outcome.shape != shape:
        raise InputError(
            f"{name} has shape {checked.outcome.shape}, units and arms are {shape}",
            remedy=f"pass one row per unit and one column for each of {list(seen.labels)}",
        )
    return checked


def _positive(values: Sequence[float] | Vector, *, name: str) -> Vector:
    numbers = finite(values, name=name)
    if not len(numbers) or not (numbers > 0).all():
        raise InputError(f"{name} are {numbers.tolist()}", remedy="pass at least one, all above zero")
    return numbers


def _likely(weights: Sequence[float] | Vector) -> Vector:
    numbers = finite(weights, name="weights")
    if (numbers < 0).any() or not numbers.sum() > 0:
        raise InputError(f"weights are {numbers.tolist()}", remedy="pass none below zero, and one above")
    return numbers


def _enough(replicates: int) -> int:
    if replicates < 2:
        raise InputError(f"{replicates} replicates show no uncertainty", remedy="draw two or more")
    return replicates


def _require_affordable(budgets: Vector, arm_costs: Vector, labels: tuple[Any, ...]) -> None:
    # Costs are float32.
    if (too_low := budgets < arm_costs.min() * (1 - ROUNDING)).any():
        raise InputError(
            f"budgets {budgets[too_low].tolist()} per unit are below {arm_costs.min():g}, the cost of "
            f"{labels[arm_costs.argmin()]!r}, the cheapest arm",
            remedy="raise the budget; it counts what control costs too",
        )


def _notes(position: Vector, budgets: Vector, *, cheapest: int) -> tuple[str, ...]:
    return tuple(
        f"{code}:{budget:g}"
        for at, budget in zip(position, budgets, strict=True)
        for code, holds in (("budget_not_binding", at == 0), ("mixed_with_cheapest", at > cheapest))
        if holds
    )
