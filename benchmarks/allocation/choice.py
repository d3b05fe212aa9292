"""Part ``choice``: what the automatic choice of a method gains and loses, where the truth is known."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.document import mean_and_error, table
from causal_tasks.allocation.comparison import Comparison, compare_forecasts
from causal_tasks.allocation.forecast import Forecast
from causal_tasks.allocation.methods import budget_model, is_two_stage
from causal_tasks.allocation.oracle import oracle_gain
from causal_tasks.allocation.responses import Responses
from causal_tasks.allocation.stages.choose import choice_of, nuisance_of
from causal_tasks.data.coupon_problems import CouponProblem, dose_problem

METHODS = ("two_stage_s_lightgbm", "two_stage_t_lightgbm", "decision_factor", "decision_focused", "clusters_uplift")
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
"""Budgets, of the mean cost if everybody got the dearest arm."""

TEST = 20_000


@dataclass(frozen=True, slots=True)
class Case:
    """A kind of experiment.

    Attributes:
        title: In the table.
        users: Of the experiment; four fifths are learned from, one fifth decides.
        noise: Standard deviation of the outcome around its mean.
    """

    title: str
    users: int
    noise: float


CASES = (
    Case("12,500 users, noise 1", 12_500, 1.0),
    Case("12,500 users, noise 3", 12_500, 3.0),
    Case("40,000 users, noise 3", 40_000, 3.0),
)


def section(seeds: int) -> str:
    """The table: shares of the oracle's gain, and how the choice compares with its two-stage baseline."""
    rows = [_row(case, [_choose(case, seed) for seed in range(seeds)]) for case in CASES]
    header = (
        "experiment",
        "baseline (best two-stage on fold 4)",
        "highest value on fold 4",
        "automatic choice",
        "choice - baseline",
        "left the baseline",
        "of these truly worse",
    )
    names = ", ".join(f"`{name}`" for name in METHODS)
    return (
        f"{seeds} experiments of each kind; methods compared: {names}. Fraction of the oracle's gain on {TEST:,} other "
        "users, mean ± standard error; six budgets of 10 to 60 % of the dearest allocation. The automatic choice "
        "leaves the best two-stage method only for one that beats it beyond noise; taking the highest value instead "
        "would do so more often.\n\n" + table(header, rows)
    )


def _choose(case: Case, seed: int) -> tuple[dict[str, float], str, str, str]:
    """Fractions of the oracle's gain by method; the chosen method, its baseline, and the one of highest value."""
    learned = dose_problem(case.users * 4 // 5, seed=3 * seed, noise=case.noise)
    deciding = dose_problem(case.users // 5, seed=3 * seed + 1, noise=case.noise)
    test = dose_problem(TEST, seed=3 * seed + 2, noise=case.noise)
    truth = Forecast.checked(test.true_outcome, test.true_cost)
    budgets = np.array(SHARES) * test.true_cost[:, -1].mean()
    data = Responses.checked(learned.X, learned.outcome, learned.treatment, cost=learned.cost)
    gains: dict[str, float] = {}
    forecasts: dict[str, Forecast] = {}
    for name in METHODS:
        model = budget_model(name, budgets=budgets.tolist(), random_state=seed).fit_responses(data)
        forecasts[name] = model.predict(deciding.X)
        gains[name] = oracle_gain(model.predict(test.X), truth, budgets)
    choice = choice_of(_compared(deciding, forecasts, budgets.tolist(), seed), METHODS)
    return gains, choice["chosen"], choice["baseline"], choice["board"][0]["method"]


def _compared(
    problem: CouponProblem, forecasts: Mapping[str, Forecast], budgets: Sequence[float], seed: int
) -> Comparison:
    nuisance = nuisance_of(problem.outcome, problem.treatment, forecasts)
    return compare_forecasts(
        problem.outcome,
        problem.treatment,
        cost=problem.cost,
        forecasts=forecasts,
        baseline=METHODS[0],
        budgets=budgets,
        propensity=problem.propensity,
        nuisance=forecasts[nuisance] if nuisance else None,
        seed=seed,
    )


def _row(case: Case, found: Sequence[tuple[dict[str, float], str, str, str]]) -> list[str]:
    baseline, highest, chosen = (np.array([gains[at] for gains, at in picks]) for picks in _picked(found))
    left = Counter(choice for _, choice, _, _ in found if not is_two_stage(choice))
    worse = sum(gains[choice] < gains[base] for gains, choice, base, _ in found if not is_two_stage(choice))
    told = f"{sum(left.values())} of {len(found)}"
    if left:
        told += f" ({', '.join(f'{name} {count}' for name, count in left.items())})"
    return [
        case.title,
        mean_and_error(baseline),
        mean_and_error(highest),
        mean_and_error(chosen),
        mean_and_error(chosen - baseline, sign="+"),
        told,
        str(worse),
    ]


def _picked(
    found: Sequence[tuple[dict[str, float], str, str, str]],
) -> tuple[list[tuple[dict[str, float], str]], ...]:
    return (
        [(gains, base) for gains, _, base, _ in found],
        [(gains, highest) for gains, _, _, highest in found],
        [(gains, choice) for gains, choice, _, _ in found],
    )
