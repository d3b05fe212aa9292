"""Decision factors against two stages: direct return on cost for one treatment, marginal returns for several."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.document import mean_and_error, table
from benchmarks.peers.direct_rank import direct_rank
from causal_tasks.allocation.cost_curves import true_aucc
from causal_tasks.allocation.decision_factor import DecisionFactor
from causal_tasks.allocation.forecast import Forecast
from causal_tasks.allocation.oracle import oracle_gain
from causal_tasks.allocation.responses import Responses
from causal_tasks.allocation.two_stage import TwoStage
from causal_tasks.data.coupon_problems import CouponProblem, binary_problem, dose_problem

TEST_SEED = 1_000_000
BINARY_TEST = 100_000
DOSE_TEST = 20_000
DOSE_UNITS = 15_000
"""Of which a fifth tells when to stop."""

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
"""Budgets, as shares of what the dearest arm would cost for everybody."""

SMALLEST_STEP = 0.05
"""Of the mean extra cost: below, the ratio of two predictions is cut. ``DecisionFactor`` cuts at the same."""

SCHEDULE = {"weight_decay": 1e-3, "validation_share": 0.2}
"""What two stages share with decision factors."""

RATIO, DRP, DRP_ROBUST = "two stages, ratio", "DRP as published", "DRP, doubly robust"
ORACLE = "oracle"
TWO_STAGE = "two stages"
DPM = {
    "DPM, as published": {"means": "arm"},
    "DPM, doubly robust": {},
    "every arm with control, doubly robust": {"kind": "direct_roi"},
}

Scores = Mapping[str, NDArray[np.float64]]
"""By method, one value for each seed."""


@dataclass(frozen=True, slots=True)
class Row:
    """One experiment of one treatment.

    Attributes:
        units: Of the experiment.
        hidden: Layers of every network.
        share: Probability of treatment.
    """

    units: int
    hidden: tuple[int, ...]
    share: float

    @property
    def title(self) -> str:
        return f"{self.units // 1000}k, {_layers(self.hidden)}, {self.share:g}"


ROWS = (
    Row(20_000, (), 0.5),
    Row(100_000, (), 0.5),
    Row(20_000, (16,), 0.5),
    Row(100_000, (16,), 0.5),
    Row(100_000, (16,), 0.85),
)


def section(seeds: int) -> str:
    """Both tables."""
    binary = {row.title: _paired([_areas(row, seed) for seed in range(seeds)]) for row in ROWS}
    dose = {
        f"{_layers(hidden)}, noise {noise:g}": _paired([_gains(hidden, noise, seed) for seed in range(seeds)])
        for hidden in ((), (32, 32))
        for noise in (1.0, 3.0)
    }
    return "\n\n".join(
        [
            f"One treatment, `binary_problem`: area under the true cost curve of {BINARY_TEST:,} new units, mean ± "
            f"standard deviation over {seeds} experiments. All networks have the same layers, weight decay and "
            "held-out share. As published, guesses of effects start from the arms' means, with `means='arm'`; doubly "
            "robust is the default.",
            _levels("units, network, share treated", binary),
            "Paired differences, mean ± standard error:",
            _differences(binary, [(DRP, RATIO), (DRP_ROBUST, RATIO), (DRP_ROBUST, DRP)]),
            f"Five arms, `dose_problem`, {DOSE_UNITS:,} units: fraction of the oracle's gain on {DOSE_TEST:,} new "
            f"units, mean of the budgets {', '.join(f'{share:.0%}' for share in SHARES)} of what the dearest arm would "
            "cost for everybody. The generator's returns diminish for every unit, which DPM takes for granted. What "
            "doubly robust guesses start from are networks of two hidden layers, also beside a linear factor.",
            _levels("network, noise", dose),
            "Paired differences, mean ± standard error:",
            _differences(dose, [(method, TWO_STAGE) for method in DPM]),
        ]
    )


def _areas(row: Row, seed: int) -> dict[str, float]:
    """Area under the true cost curve by method."""
    data = _responses(binary_problem(row.units, seed=seed, share=row.share))
    test = binary_problem(BINARY_TEST, seed=TEST_SEED)
    gain, extra_cost = (levels[:, 1] - levels[:, 0] for levels in (test.true_outcome, test.true_cost))
    shared = {"hidden": row.hidden, "random_state": seed}
    returns = {
        "random": np.random.default_rng(seed).random(BINARY_TEST),
        RATIO: _ratio(_two_stage(row.hidden, seed).fit_responses(data).predict(test.X)),
        "uplift rank": DecisionFactor("uplift_rank", means="arm", **shared).fit_responses(data).roi(test.X),
        "direct rank (Du et al.)": direct_rank(data, test.X, hidden=row.hidden, seed=seed),
        DRP: DecisionFactor("direct_roi", means="arm", **shared).fit_responses(data).roi(test.X),
        DRP_ROBUST: DecisionFactor("direct_roi", **shared).fit_responses(data).roi(test.X),
        ORACLE: gain / extra_cost,
    }
    return _told_of(
        f"{row.title}, seed {seed}", {name: true_aucc(roi, gain, extra_cost) for name, roi in returns.items()}
    )


def _gains(hidden: tuple[int, ...], noise: float, seed: int) -> dict[str, float]:
    """Fraction of the oracle's gain by method."""
    data = _responses(dose_problem(DOSE_UNITS, seed=seed, noise=noise))
    test = dose_problem(DOSE_TEST, seed=TEST_SEED)
    truth = Forecast.checked(test.true_outcome, test.true_cost)
    budgets = np.array(SHARES) * test.true_cost.mean(axis=0).max()
    models = {
        TWO_STAGE: _two_stage(hidden, seed),
        **{
            name: DecisionFactor(**parameters, hidden=hidden, random_state=seed)  # type: ignore[arg-type]
            for name, parameters in DPM.items()
        },
    }
    return _told_of(
        f"{_layers(hidden)}, noise {noise:g}, seed {seed}",
        {
            name: oracle_gain(model.fit_responses(data).predict(test.X), truth, budgets)
            for name, model in models.items()
        },
    )


def _two_stage(hidden: tuple[int, ...], seed: int) -> TwoStage:
    return TwoStage("network", settings={"hidden": hidden, **SCHEDULE}, random_state=seed)


def _ratio(forecast: Forecast) -> NDArray[np.float32]:
    gain, extra_cost = (levels[:, 1] - levels[:, 0] for levels in forecast)
    ratio: NDArray[np.float32] = gain / np.maximum(extra_cost, SMALLEST_STEP * extra_cost.mean())
    return ratio


def _responses(problem: CouponProblem) -> Responses:
    return Responses.checked(problem.X, problem.outcome, problem.treatment, cost=problem.cost)


def _layers(hidden: tuple[int, ...]) -> str:
    return f"{'x'.join(map(str, hidden))} hidden" if hidden else "linear"


def _told_of(title: str, scores: dict[str, float]) -> dict[str, float]:
    print(f"{title}: {', '.join(f'{name} {score:.4f}' for name, score in scores.items())}", file=sys.stderr, flush=True)
    return scores


def _paired(draws: list[dict[str, float]]) -> Scores:
    return {name: np.array([scores[name] for scores in draws]) for name in draws[0]}


def _levels(title: str, found: Mapping[str, Scores]) -> str:
    methods = list(next(iter(found.values())))
    rows = [
        [row, *(f"{s[name].mean():.3f} ± {s[name].std(ddof=1):.3f}" for name in methods)] for row, s in found.items()
    ]
    return table([title, *methods], rows)


def _differences(found: Mapping[str, Scores], pairs: list[tuple[str, str]]) -> str:
    rows = []
    for row, scores in found.items():
        differences = [scores[ours] - scores[theirs] for ours, theirs in pairs]
        rows.append([row, *(mean_and_error(d, sign="+") for d in differences)])
    return table(["", *(f"{ours} − {theirs}" for ours, theirs in pairs)], rows)
