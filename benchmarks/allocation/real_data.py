"""What methods gain on public experiments, each unit forecast by models that have not seen it, with intervals."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from benchmarks.allocation.experiments import (
    EXPERIMENTS,
    PROMOTION,
    PURCHASE,
    RealExperiment,
    data_folder,
    starbucks,
)
from benchmarks.document import table
from causal_tasks.allocation.comparison import CONTROL, SAME_MIX, Comparison, compare_forecasts
from causal_tasks.allocation.forecast import Forecast
from causal_tasks.allocation.knapsack.lagrangian import best_arms
from causal_tasks.allocation.methods import budget_model
from causal_tasks.allocation.responses import Responses
from causal_tasks.errors import InputError
from causal_tasks.evaluation.estimate import Estimate

METHODS = ("two_stage_t_lightgbm", "two_stage_network", "decision_factor", "decision_focused", "clusters")
"""The first forecasts the units whose arm a policy would have changed (AIPW) and is what others are compared with."""

REPLICATES = 500

EVERYBODY = "everybody"


def section(_: int) -> str:
    """One table for each experiment; they are not simulated, so nothing is repeated."""
    folder, parts = data_folder(), []
    for file, read in EXPERIMENTS.items():
        experiment = read(folder / file)
        forecasts, refused = forecast_all(experiment, METHODS)
        parts += [f"### {experiment.title}", *described(experiment, compare(experiment, forecasts))]
        parts += [f"{name.replace('_', ' ')} does not apply: {reason}." for name, reason in refused.items()]
        if read is starbucks:
            parts.append(exercise(experiment.responses, forecasts))
    return "\n\n".join(parts)


def forecast_all(experiment: RealExperiment, methods: Sequence[str]) -> tuple[dict[str, Forecast], dict[str, str]]:
    """``out_of_fold`` of every method, and why those that are left out refuse the data."""
    forecasts, refused = {}, {}
    for name in methods:
        try:
            forecasts[name] = out_of_fold(experiment, name)
        except InputError as error:
            refused[name] = str(error)
    return forecasts, refused


def out_of_fold(experiment: RealExperiment, method: str, *, seed: int = 0) -> Forecast:
    """Outcome and cost of all units under every arm, from models fitted on the other half."""
    data = experiment.responses
    half = data.held_out(0.5, seed=seed)
    outcome, cost = (np.empty((len(data), len(data.labels)), dtype=np.float32) for _ in range(2))
    for inside in (half, ~half):
        model = budget_model(method, budgets=experiment.budgets, random_state=seed)
        model.fit_responses(data.take(~inside))
        outcome[inside], cost[inside] = model.predict(data.X.take(np.flatnonzero(inside)))
    return Forecast(outcome, cost)


def compare(experiment: RealExperiment, forecasts: Mapping[str, Forecast]) -> Comparison:
    """Every forecast at every budget; the first is the baseline and speaks for units in other arms."""
    data, baseline = experiment.responses, next(iter(forecasts))
    known = None if data.price is None else dict(zip(data.labels, data.price.tolist(), strict=True))
    return compare_forecasts(
        data.outcome,
        np.array(data.labels, dtype=object)[data.arm],
        cost=data.cost if known is None else known,
        forecasts=forecasts,
        baseline=baseline,
        budgets=experiment.budgets,
        arms=data.labels,
        nuisance=forecasts[baseline],
        replicates=REPLICATES,
    )


def described(experiment: RealExperiment, found: Comparison) -> list[str]:
    """What is measured, and the gain over control of every policy at every budget."""
    header = ["policy", *(f"at {budget:g}" for budget in found.budgets), "against the same mix", "against two stages"]
    rows = []
    for name in found.names[:-1]:
        gains = [told(found.difference(name, CONTROL, k)) for k in range(len(found.budgets))]
        paired = ["" if name == other else told(found.difference(name, other)) for other in (SAME_MIX, found.baseline)]
        rows.append([name.replace("_", " "), *gains, *paired])
    said = f"Outcome: {experiment.outcome}, gain over control per unit. {experiment.money}"
    remarks = [f"{name.replace('_', ' ')} ({', '.join(codes)})" for name, codes in found.notes.items() if codes]
    return [said, table(header, rows), *(["Notes: " + "; ".join(remarks) + "."] if remarks else [])]


def exercise(data: Responses, forecasts: Mapping[str, Forecast]) -> str:
    """Starbucks' own scores of whom a policy chooses when a purchase is worth 10 USD and money has the price 1.

    IRR is the difference in purchase rates among those chosen. NIR counts both arms of those chosen: 10 USD for each
    purchase of the promoted, less 0.15 USD for each of them and 10 USD for each purchase of the others.
    """
    chosen = {EVERYBODY: np.ones(len(data), dtype=np.bool_)}
    chosen |= {name: best_arms(forecast, 1.0) == 1 for name, forecast in forecasts.items()}
    rows = []
    for name, users in chosen.items():
        irr, nir = incremental(data.take(users))
        rows.append([name.replace("_", " "), f"{100 * users.mean():.1f} %", told(irr, digits=5), told(nir, digits=2)])
    published = ["published for everybody", "100 %", "0.00945", "-2334.60"]
    return table(["promotion to", "share", "IRR", "NIR, USD"], [*rows, published])


def incremental(chosen: Responses) -> tuple[Estimate, Estimate]:
    """Incremental response rate and net incremental revenue among the users chosen, normal intervals."""
    promoted = chosen.arm == 1
    spent = [chosen.outcome[promoted] - PROMOTION, chosen.outcome[~promoted]]
    variances, sizes = [np.var(v, ddof=1) for v in spent], [len(v) for v in spent]
    rate = (chosen.outcome[promoted].mean() - chosen.outcome[~promoted].mean()) / PURCHASE
    error = np.sqrt(sum(v / n for v, n in zip(variances, sizes, strict=True))) / PURCHASE
    total = spent[0].sum() - spent[1].sum()
    spread = np.sqrt(sum(v * n for v, n in zip(variances, sizes, strict=True)))
    return Estimate.of(float(rate), float(error)), Estimate.of(float(total), float(spread))


def told(found: Estimate, *, digits: int = 3) -> str:
    """A number with its interval."""
    number: Callable[[float], str] = f"{{:+.{digits}f}}".format
    low, high = found.interval
    return f"{number(found.estimate)} [{number(low)}, {number(high)}]"
