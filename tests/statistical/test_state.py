"""How STATE does against CUPAC on the design of its authors, whose truth is known."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from causal_tasks.base_models import LightGBM
from causal_tasks.effects import cupac, difference_in_means, mlrate, student_t_effect
from tests.statistical.page import table, write_section

DESIGNS = {"normal": np.inf, "t(3)": 3.0, "t(5)": 5.0, "0.2 % outliers": np.inf}
"""Degrees of freedom of the errors, by design."""

RUNS, USERS, POPULATION = 300, 20_000, 200_000
CENTRES = np.array([5.0, 0.0, 3.0, 3.0, 7.0])
SPREAD = 25.0
EFFECT = 20.0

PROXIES = ("known", "model")
"""The mean outcome given the covariates as it was simulated, and as a model of other users tells it."""

ESTIMATORS = ("difference_in_means", "cupac", "mlrate", "student_t")


@dataclass(frozen=True, slots=True)
class Row:
    """What many experiments of one design came to.

    Attributes:
        design: Name of the design.
        proxy: One of ``PROXIES``.
        variance: Of the estimates, by estimator.
        ratio: Variance of STATE / variance of CUPAC.
        theory: What that ratio is with the known proxy; None where errors have no t distribution.
        coverage: Share of STATE's 95 % intervals that hold the truth.
        cupac_coverage: The same of CUPAC.
        flagged: Share of experiments in which STATE says that it is not the average effect.
        bias: Mean estimate of STATE minus the truth.
    """

    design: str
    proxy: str
    variance: dict[str, float]
    ratio: float
    theory: float | None
    coverage: float
    cupac_coverage: float
    flagged: float
    bias: float


def baseline(x):
    """Mean outcome without treatment of users with covariates ``x``, shape (n, 5)."""
    a, b, c, d, e = x.T
    return 10 * np.sin(np.pi * a * b) + 6 * c**2 + 10 * np.abs(d) + 5 * np.abs(e) + 50


def population(design, seed):
    """Outcomes without treatment, covariates, and the effect on each user: none on outliers, as in the paper."""
    rng = np.random.default_rng(seed)
    x = rng.normal(CENTRES, 1.0, (POPULATION, 5))
    degrees = DESIGNS[design]
    errors = rng.normal(size=POPULATION) if np.isinf(degrees) else rng.standard_t(degrees, POPULATION)
    outcome = baseline(x) + SPREAD * errors
    effect = np.full(POPULATION, EFFECT)
    if "outliers" in design:
        gross = rng.choice(POPULATION, POPULATION // 500, replace=False)
        mean, deviation = outcome.mean() + EFFECT, outcome.std()
        outcome[gross] = rng.uniform(mean + 4 * deviation, mean + 20 * deviation, len(gross))
        effect[gross] = 0.0
    return outcome, x, effect


def measure_state_ratios(runs: int = RUNS, users: int = USERS) -> list[Row]:
    """Variance, coverage and flags of STATE beside CUPAC, by design and proxy; every estimator sees the same draws.

    Args:
        runs: Experiments of each design.
        users: In one experiment.
    """
    return [_measured(design, proxy, runs, users) for design in DESIGNS for proxy in PROXIES]


def _measured(design: str, kind: str, runs: int, users: int) -> Row:
    outcome, x, effect = population(design, seed=1)
    proxy = baseline(x) if kind == "known" else _modelled(design, x)
    estimates, covered, flagged = [], [], []
    for run in range(runs):
        rng = np.random.default_rng((2, run))
        chosen = rng.choice(POPULATION, users, replace=False)
        treatment = rng.integers(0, 2, users)
        observed = outcome[chosen] + effect[chosen] * treatment
        beside = {"proxy": proxy[chosen]}
        found = (
            difference_in_means(observed, treatment),
            cupac(observed, treatment, **beside),
            mlrate(observed, treatment, **beside),
            student_t_effect(observed, treatment, **beside),
        )
        estimates.append([one.estimate for one in found])
        covered.append([one.interval[0] <= effect.mean() <= one.interval[1] for one in found])
        flagged.append("not_average_effect" in found[-1].notes)
    variance = dict(zip(ESTIMATORS, np.var(estimates, axis=0, ddof=1).tolist(), strict=True))
    shares = dict(zip(ESTIMATORS, np.mean(covered, axis=0).tolist(), strict=True))
    degrees = DESIGNS[design]
    theory = 1.0 if np.isinf(degrees) else (degrees + 3) * (degrees - 2) / (degrees * (degrees + 1))
    return Row(
        design=design,
        proxy=kind,
        variance=variance,
        ratio=variance["student_t"] / variance["cupac"],
        theory=None if "outliers" in design else theory,
        coverage=shares["student_t"],
        cupac_coverage=shares["cupac"],
        flagged=float(np.mean(flagged)),
        bias=float(np.mean(estimates, axis=0)[-1] - effect.mean()),
    )


def _modelled(design, x):
    """By a model of users of another population: it is fitted once, so that only the estimators are compared."""
    outcome, other, _ = population(design, seed=3)
    columns = [f"x{k}" for k in range(5)]
    model = LightGBM(n_estimators=200).fit(pd.DataFrame(other, columns=columns), outcome)
    return model.predict(pd.DataFrame(x, columns=columns)).astype(float)


def as_section(rows):
    """The section of the page: what was simulated, and a table."""
    return (
        f"{RUNS} samples of {USERS:,} users of each population, on the design of STATE's authors: the mean outcome depends on "
        f"five covariates, the noise has a scale of {SPREAD:g}, the effect is {EFFECT:g} for everybody (outliers have none). "
        "The proxy is the mean as it was simulated, or a model of other users.\n\n"
        + table(
            (
                "noise",
                "proxy",
                "variance STATE / CUPAC",
                "in theory",
                "STATE / plain difference",
                "STATE's 95 % intervals that hold the truth",
                "CUPAC's",
                "flagged as not the average effect",
            ),
            [
                (
                    row.design,
                    row.proxy,
                    f"{row.ratio:.2f}",
                    "" if row.theory is None else f"{row.theory:.2f}",
                    f"{row.variance['student_t'] / row.variance['difference_in_means']:.2f}",
                    f"{row.coverage:.1%}",
                    f"{row.cupac_coverage:.1%}",
                    f"{row.flagged:.1%}",
                )
                for row in rows
            ],
        )
        + "\n\nThe variances have a Monte-Carlo error of about 8 %, their ratios less, as both estimators see the same users."
    )


@pytest.fixture(scope="module")
def state_ratios():
    """The rows by design and proxy; they also become a section of the page."""
    rows = measure_state_ratios()
    write_section("Heavy-tailed metrics: STATE against CUPAC", as_section(rows))
    return {(row.design, row.proxy): row for row in rows}


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("design", "low", "high"),
    [("normal", 0.95, 1.08), ("t(3)", 0.42, 0.60), ("t(5)", 0.70, 0.90), ("0.2 % outliers", 0.20, 0.60)],
)
def test_state_against_cupac_is_what_the_tails_allow(state_ratios, design, low, high):
    known, model = state_ratios[design, "known"].ratio, state_ratios[design, "model"].ratio
    assert low <= known <= high
    # What the model misses of the mean is noise of lighter tails: it dilutes the gain and turns it into no loss.
    assert known - 0.05 <= model <= 1.08


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_intervals_cover_and_flags_are_rare_where_the_effect_is_constant(state_ratios):
    for row in state_ratios.values():
        # Three standard errors of a share among 300 experiments.
        assert row.coverage == pytest.approx(0.95, abs=0.04), row
        assert row.flagged <= 0.10, row
