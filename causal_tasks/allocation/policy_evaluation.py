"""What policies bring and cost, read off an experiment whose units they were not learned from.

Every unit gets a score for each arm whose mean over any units is unbiased for what the arm would bring there. Scores
are summed by policy and random group of units once; a bootstrap draw is a weighting of groups (see ``Resampling``), so
that all that depends on the sample, the choice of the price included, is repeated in each draw at little cost.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Self, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from causal_tasks.allocation.forecast import Forecast
from causal_tasks.allocation.knapsack.lagrangian import best_arms
from causal_tasks.allocation.knapsack.path import BudgetPath
from causal_tasks.allocation.responses import Observed
from causal_tasks.errors import InputError
from causal_tasks.evaluation.resampling import Resampling

Estimator = Literal["aipw", "hajek", "horvitz_thompson"]
ESTIMATORS = get_args(Estimator)

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Codes = NDArray[np.intp]

PRICES = 64
"""Prices at which the policy of a forecast is looked at, evenly spaced in what it predicts to spend."""

SAMPLE = 20_000
"""Units whose predictions say which prices these are."""

FEWEST_GROUPS = 10
"""Independent groups in a fold below which it says little about the rest."""


class Totals(NamedTuple):
    """Sums by policy: shape (…, K) each.

    Attributes:
        outcome: Scores.
        outcome_weight: What to divide them by: units, or inverse propensities where the estimator normalises itself.
        cost: Scores.
        cost_weight: Likewise.
    """

    outcome: NDArray[np.float64]
    outcome_weight: NDArray[np.float64]
    cost: NDArray[np.float64]
    cost_weight: NDArray[np.float64]

    @property
    def mean_outcome(self) -> NDArray[np.float64]:
        """Per unit, shape (…, K)."""
        return _ratio(self.outcome, self.outcome_weight)

    @property
    def mean_cost(self) -> NDArray[np.float64]:
        """Per unit, shape (…, K)."""
        return _ratio(self.cost, self.cost_weight)

    def less(self, other: "Totals") -> "Totals":
        """Sums over the units that are not among the other's."""
        return Totals(*(mine - its for mine, its in zip(self, other, strict=True)))


class Mix(NamedTuple):
    """Two policies for every draw and budget, and the share of units that follow the second.

    Attributes:
        first: Shape (R, B), position of a policy.
        second: Shape (R, B).
        share: Shape (R, B).
    """

    first: Codes
    second: Codes
    share: Vector

    def of(self, values: Matrix) -> Matrix:
        """What the mix makes of one number for every draw and policy: shape (R, K) to (R, B)."""
        first, second = (np.take_along_axis(values, policy, axis=1) for policy in (self.first, self.second))
        return first + self.share * (second - first)


Choose = Callable[[Totals, Vector], Mix]
"""From sums by draw and policy, shape (R, K), and budgets: the mix of policies that spends each."""


@dataclass(frozen=True, slots=True)
class Folds:
    """Groups of units dealt to folds, and bootstrap draws of groups.

    Attributes:
        group: Shape (n,), group of each unit.
        fold: Shape (groups,), fold of each group.
        weights: Shape (1 + replicates, groups), how often each draw holds each group; first the sample itself.
    """

    group: NDArray[np.uint8]
    fold: Codes
    weights: Matrix

    @classmethod
    def deal(cls, resampling: Resampling, folds: int) -> Self:
        """Deal groups to folds.

        Raises:
            InputError: There are fewer than two folds or too few independent groups.
        """
        groups = resampling.weights.shape[1]
        if folds < 2 or groups < FEWEST_GROUPS * folds:
            raise InputError(
                f"{groups} independent groups of units cannot be dealt to {folds} folds",
                remedy=f"use two or more folds of {FEWEST_GROUPS} groups or more",
            )
        weights = np.vstack([np.ones(groups), resampling.weights])
        return cls(resampling.group, np.arange(groups) % folds, weights)

    def sums(self, values: NDArray[np.floating[Any]]) -> Vector:
        """Sums of one number of each unit by group, shape (groups,)."""
        return np.asarray(np.bincount(self.group, values, minlength=len(self.fold)), dtype=np.float64)

    def all(self, totals: Totals) -> Totals:
        """Sums of all units by draw and policy, shape (1 + replicates, K)."""
        return Totals(*(self.weights @ values for values in totals))

    def read(self, totals: Totals, choose: Choose, budgets: Vector) -> tuple[Matrix, Matrix]:
        """Mean outcome and cost of the policy for each budget, chosen on the other folds and read on each.

        Args:
            totals: Sums by group and policy, shape (groups, K).
            choose: Which mix of the policies spends a budget.
            budgets: Per unit, shape (B,).

        Returns:
            Shape (1 + replicates, B) each, the mean over folds.
        """
        everybody = self.all(totals)
        outcome, cost = (np.zeros((len(self.weights), len(budgets))) for _ in range(2))
        folds = int(self.fold.max()) + 1
        for fold in range(folds):
            inside = self.fold == fold
            here = Totals(*(self.weights[:, inside] @ values[inside] for values in totals))
            mix = choose(everybody.less(here), budgets)
            outcome += mix.of(here.mean_outcome) / folds
            cost += mix.of(here.mean_cost) / folds
        return outcome, cost


@dataclass(frozen=True, slots=True)
class ArmScores:
    """What each unit says about each arm: shape (n, M) each, float32.

    Attributes:
        outcome: Scores.
        cost: Scores; the prices themselves where those are known.
        weight: Inverse propensity of the arm a unit is in, else 0; None: the estimator divides by the number of units.
        known_cost: Whether costs are prices, which no estimator needs to weight.
    """

    outcome: NDArray[np.float32]
    cost: NDArray[np.float32]
    weight: NDArray[np.float32] | None
    known_cost: bool

    @classmethod
    def of(cls, seen: Observed, estimator: Estimator, nuisance: Forecast) -> Self:
        """Scores m + 1{arm} (y - m) / p.

        Args:
            seen: Units of an experiment.
            estimator: ``aipw``: m is ``nuisance``; ``hajek`` and ``horvitz_thompson``: m is 0.
            nuisance: Mean outcome and cost under every arm, from models or arms that have not seen the unit.

        Source: Robins, Rotnitzky, Zhao (1994); Hajek (1971); Horvitz, Thompson (1952); for policies under a budget
        Zhou et al. (2024), section 4, the expected outcome metric.
        """
        zero = np.broadcast_to(np.float32(0), nuisance.outcome.shape)
        means = nuisance if estimator == "aipw" else Forecast(zero, zero)
        known = seen.price is not None
        cost = np.broadcast_to(np.float32(seen.price), zero.shape) if known else _scores(seen, seen.cost, means.cost)
        weight = _scores(seen, np.ones(len(seen.arm)), zero) if estimator == "hajek" else None
        return cls(_scores(seen, seen.outcome, means.outcome), cost, weight, known)

    def totals(self, policies: Iterable[Codes], folds: Folds) -> Totals:
        """Sums by group and policy, shape (groups, K).

        Args:
            policies: Arms of all units, shape (n,), one policy after the other.
            folds: Of the units.
        """
        units, rows = folds.sums(np.ones(len(folds.group))), []
        for arm in policies:
            of_arm = (np.arange(len(arm)), arm)
            outcome, cost = (folds.sums(values[of_arm]) for values in (self.outcome, self.cost))
            weight = units if self.weight is None else folds.sums(self.weight[of_arm])
            rows.append((outcome, weight, cost, units if self.known_cost else weight))
        return Totals(*(np.stack(column, axis=1) for column in zip(*rows, strict=True)))


def arm_means(seen: Observed, folds: Folds) -> Forecast:
    """For every unit the mean outcome and cost of each arm in the other folds."""
    fold, arms = folds.fold[folds.group], len(seen.labels)
    weight = 1 / seen.propensity[np.arange(len(fold)), seen.arm]
    cells = (int(folds.fold.max()) + 1) * arms
    by_cell = (
        np.bincount(fold * arms + seen.arm, w, cells) for w in (weight, weight * seen.outcome, weight * seen.cost)
    )
    elsewhere, *sums = (inside.sum(axis=0) - inside for inside in (sums.reshape(-1, arms) for sums in by_cell))
    return Forecast(*(_ratio(total, elsewhere)[fold].astype(np.float32) for total in sums))


def price_grid(forecast: Forecast) -> Vector:
    """Prices of money from 0, where every unit has its best arm, to infinity, where it has its cheapest: shape (K,)."""
    path = BudgetPath.of(Forecast(*(values[:: -(-len(values) // SAMPLE)] for values in forecast)))
    goals = np.linspace(path.spend[0], path.spend[-1], PRICES)
    at = np.searchsorted(path.spend, goals, side="right") - 1
    return np.append(np.unique(path.price[at]), np.inf)


def policies_along_prices(forecast: Forecast, grid: Vector, *, last: int) -> Iterator[Codes]:
    """The best arms of all units at each price, shape (n,); then one arm for everybody."""
    yield from (best_arms(forecast, price) for price in grid)
    yield np.full(len(forecast.cost), last)


def price_position(cost: Matrix, budgets: Vector) -> Matrix:
    """How far along the price grid each budget is spent: shape (R, B), a fraction between two prices.

    Estimated costs are noisy and need not fall as the price rises; the falling curve nearest to them is used.

    Args:
        cost: Mean cost by draw and policy, shape (R, K): at rising prices, then of the cheapest arm for everybody.
        budgets: Shape (B,).
    """
    positions = np.arange(cost.shape[1], dtype=np.float64)[::-1]
    found = np.empty((len(cost), len(budgets)))
    for draw, curve in enumerate(cost):
        falling = isotonic_regression(curve[:-1], increasing=False).x
        rising = np.concatenate([[min(curve[-1], falling[-1])], falling[::-1]])
        found[draw] = np.interp(budgets, rising, positions)
    return found


def along_prices(rest: Totals, budgets: Vector) -> Mix:
    """The two neighbouring prices whose mix spends each budget."""
    position = price_position(rest.mean_cost, budgets)
    first = np.floor(position).astype(np.intp)
    return Mix(first, np.minimum(first + 1, rest.cost.shape[-1] - 1), position - first)


def best_constant(rest: Totals, budgets: Vector) -> Mix:
    """The best mix of two arms, each for a random share of all units, that costs no more than each budget."""
    outcome, cost = rest.mean_outcome, rest.mean_cost
    cheaper, dearer = (codes.ravel() for codes in np.indices((cost.shape[1],) * 2))
    low, high = cost[:, cheaper, None], cost[:, dearer, None]
    span = np.where(high > low, high - low, np.inf)
    share = np.clip((budgets - low) / span, 0, 1)
    value = outcome[:, cheaper, None] + share * (outcome[:, dearer, None] - outcome[:, cheaper, None])
    # In a draw in which no arm fits a budget, the cheapest is the nearest there is.
    fits = (low <= budgets) | (low == cost.min(axis=1)[:, None, None])
    best = np.where(fits, value, -np.inf).argmax(axis=1)
    return Mix(cheaper[best], dearer[best], np.take_along_axis(share, best[:, None], axis=1)[:, 0])


def always_control(rest: Totals, budgets: Vector) -> Mix:
    """Everybody in the first arm, whatever the budget."""
    shape = (len(rest.cost), len(budgets))
    return Mix(np.zeros(shape, np.intp), np.zeros(shape, np.intp), np.zeros(shape))


def _scores(seen: Observed, values: Vector, means: NDArray[np.float32]) -> NDArray[np.float32]:
    scores, unit = np.array(means, dtype=np.float32), np.arange(len(values))
    predicted = scores[unit, seen.arm]
    scores[unit, seen.arm] += (values - predicted) / seen.propensity[unit, seen.arm]
    return scores


def _ratio(total: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    if not (weight > 0).all():
        raise InputError(
            "a policy gives no unit of some fold and draw the arm that it was in",
            remedy="pass more units or fewer folds, or a nuisance of models that know every arm",
        )
    return total / weight
