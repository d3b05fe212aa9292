"""What a policy brings at a budget, estimated on units of an experiment, with its uncertainty."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import ArrayLike

from causal_tasks.allocation.comparison import REPLICATES, compare_forecasts
from causal_tasks.allocation.forecast import Forecast
from causal_tasks.allocation.policy_evaluation import Estimator
from causal_tasks.allocation.responses import Propensity
from causal_tasks.evaluation.estimate import LEVEL, Estimate


@dataclass(frozen=True, slots=True)
class ExpectedOutcome:
    """What the policy of a forecast brings at a budget.

    Attributes:
        outcome: Per unit, in outcome units.
        cost: Per unit, in units of cost: the budget but for the noise of choosing the price.
        shadow_price: Price of money at which the policy's estimated cost is the budget; 0 where money is no limit.
        budget: Per unit.
        estimator: As asked for.
        notes: Codes, see ``Comparison``.
    """

    outcome: Estimate
    cost: Estimate
    shadow_price: float
    budget: float
    estimator: Estimator
    notes: tuple[str, ...]


def expected_outcome(
    outcome: ArrayLike,
    treatment: ArrayLike,
    *,
    cost: Mapping[Any, float] | ArrayLike,
    forecast: Forecast,
    budget: float,
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
) -> ExpectedOutcome:
    """The expected outcome metric: what the best arms of a forecast bring at the price that spends a budget.

    The price is chosen on one part of the units, so that the policy's estimated cost is the budget, and the outcome is
    read on the other; then the parts change places. Intervals are of a bootstrap over units that chooses the price
    anew in each draw.

    Args:
        outcome: Shape (n,), larger is better; of units that the forecast was not learned from.
        treatment: Shape (n,), arm labels.
        cost: Shape (n,), what each unit cost; or by label what an arm costs for everybody.
        forecast: Outcome and cost of every unit under every arm, shape (n, M) each.
        budget: Per unit, in units of cost.
        control: Label of the control arm; None: 0.
        arms: Labels in the order of the forecast's columns, control first; None: control, then the treatments sorted.
        propensity: Probability of every arm by label, or shape (n, M); None: units were randomised and the shares of
            ``treatment`` are taken.
        estimator: ``horvitz_thompson``: units in the arm that the policy gives them, weighted by 1 / p, divided by n,
            as printed; ``hajek``: divided by their weights, as in the released code; ``aipw``: ``nuisance`` speaks for
            units that were in another arm too, which is the most precise.
        nuisance: For ``aipw``: outcome and cost, shape (n, M) each, from models that have not seen the units; None: the
            means of the arms in the other folds.
        folds: Parts of the units.
        replicates: Bootstrap draws.
        level: Of intervals.
        clusters: Shape (n,), units that are not independent.
        seed: Of folds and draws.

    Raises:
        InputError: As for ``Responses.checked``; a forecast does not fit the units; the budget is not above zero, or
            below the cost of the cheapest arm; a fold has fewer than 10 independent units or none whose arm is the
            policy's; or ``level`` is no share.

    Source: Zhao, Fang, Simchi-Levi (2017), "Uplift modeling with multiple treatments and general response types"; at a
    budget Zhou et al. (2024), "Decision focused causal learning for direct counterfactual marketing optimization". The
    second part of the units, AIPW and the bootstrap are additions.
    """
    name = "forecast"
    found = compare_forecasts(
        outcome,
        treatment,
        cost=cost,
        forecasts={name: forecast},
        baseline=name,
        budgets=(budget,),
        control=control,
        arms=arms,
        propensity=propensity,
        estimator=estimator,
        nuisance=nuisance,
        folds=folds,
        replicates=replicates,
        level=level,
        clusters=clusters,
        seed=seed,
    )
    price = float(found.shadow_prices[name][0])
    return ExpectedOutcome(found.outcome(name), found.cost(name), price, float(budget), estimator, found.notes[name])
