"""Part ``choice``: what the automatic choice of a method gains and loses, where the truth is known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.document import mean_and_error, table
from causal_tasks.allocation.comparison import Comparison, compare_forecasts
from causal_tasks.allocation.forecast import Forecast
from causal_tasks.allocation.methods import budget_model
from causal_tasks.allocation.oracle import oracle_gain
from causal_tasks.allocation.responses import Responses
from causal_tasks.allocation.stages.choose import MARGIN, choice_of, nuisance_of
from causal_tasks.data.coupon_problems import CouponProblem, dose_problem

METHODS = ("two_stage_s_lightgbm", "two_stage_t_lightgbm", "decision_factor", "decision_focused", "clusters_uplift")
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
"""Budgets, of the mean cost if everybody got the dearest arm."""

TEST = 20_000

MARGINS = {"the highest value": 0.0, "one standard error (the rule)": MARGIN, "two standard errors": 2.0}
"""Standard errors by which a method must beat the best two-stage one to be chosen."""


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
    Case("12,500 users, noise 10", 12_500, 10.0),
    Case("40,000 users, noise 3", 40_000, 3.0),
)


def section(seeds: int) -> str:
    """The table: shares of the oracle's gain that margins lead to, and how often and how far they lead astray."""
    rows = [row for case in CASES for row in _rows(case, [_choose(case, seed) for seed in range(seeds)])]
    header = (
        "experiment",
        "leaves the best two-stage method for one that beats it by",
        "fraction of the oracle's gain",
        "above the best two-stage method",
        "left it",
        "of these truly worse",
        "by at most",
    )
    names = ", ".join(f"`{name}`" for name in METHODS)
    return (
        f"{seeds} experiments of each kind; methods compared: {names}. Four fifths of the users are learned from, one "
        f"fifth decides; {TEST:,} other users, whose truth is known, tell what the choice is worth. Mean ± standard "
        "error; six budgets of 10 to 60 % of the dearest allocation.\n\n" + table(header, rows)
    )


def _choose(case: Case, seed: int) -> list[tuple[float, float, bool]]:
    """By margin: fractions of the oracle's gain by the chosen and the best two-stage method, and if they differ."""
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
    found = _compared(deciding, forecasts, budgets.tolist(), seed)
    choices = [choice_of(found, METHODS, margin=margin) for margin in MARGINS.values()]
    return [(gains[c["chosen"]], gains[c["baseline"]], c["chosen"] != c["baseline"]) for c in choices]


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


def _rows(case: Case, found: Sequence[Sequence[tuple[float, float, bool]]]) -> list[list[str]]:
    rows = []
    for at, title in enumerate(MARGINS):
        chosen, baseline, left = (np.array(values) for values in zip(*(picks[at] for picks in found), strict=True))
        lost = baseline - chosen
        rows.append(
            [
                case.title,
                title,
                mean_and_error(chosen),
                mean_and_error(chosen - baseline, sign="+"),
                f"{left.sum()} of {len(found)}",
                str(int((lost > 0).sum())),
                f"{max(lost.max(), 0):.3f}",
            ]
        )
    return rows
