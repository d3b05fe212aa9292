"""How much of the confounding matching leaves, by number of buckets."""

from typing import NamedTuple

import numpy as np
import pytest

from causal_tasks.effects import match_on_propensity
from tests.statistical.page import table, write_section

SAMPLES, USERS = 20, 20_000
BUCKETS = (5, 20, 100, 1000)
METHODS = {
    **{f"{buckets} buckets": {"buckets": buckets} for buckets in BUCKETS},
    "nearest": {"method": "nearest"},
}


INTRODUCTION = """{samples} samples of {users:,} users who chose the treatment themselves; about three in ten did. Propensities are
estimated in each sample, the truth is the average effect on the treated that were matched. A standardised mean
difference (SMD) below 0.1 counts as balanced: five buckets pass that and leave a tenth of the bias, so the rule here is
twenty buckets and a pre-window placebo.

"""


class Bias(NamedTuple):
    """What a way of matching makes of many samples.

    Attributes:
        method: Name.
        worst_difference: Largest standardised mean difference left, mean over samples.
        bias: Mean of estimate minus truth, outcome units.
        error: Standard error of ``bias``.
        reported: Standard error that the estimator reports, mean over samples.
        spread: Standard deviation of estimate minus truth over samples.
        covered: Share of 95 % intervals that hold the truth.
        matched: Share of treated users that were matched.
    """

    method: str
    worst_difference: float
    bias: float
    error: float
    reported: float
    spread: float
    covered: float
    matched: float


def confounded(seed):
    """Users of whom the active and the young take the treatment, and would do well without: raw difference about 1."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(USERS, 6))
    treated = random.random(USERS) < 1 / (1 + np.exp(-(0.7 * x[:, 0] - 0.4 * x[:, 1] - 1)))
    effect = 0.2 * (x[:, 2] > 0)
    outcome = x[:, 0] - 0.8 * x[:, 1] + 0.5 * x[:, 3] + treated * effect + 2 * random.normal(size=USERS)
    return x, treated, outcome, effect


def bias_by_buckets(samples=SAMPLES) -> list[Bias]:
    """The raw difference and every way of matching, with propensities that are estimated anew in each sample."""
    found = {name: [] for name in ("raw", *METHODS)}
    for seed in range(samples):
        x, treated, outcome, effect = confounded(seed)
        raw = outcome[treated].mean() - outcome[~treated].mean() - effect[treated].mean()
        found["raw"].append((0.0, raw, np.nan, False, 1.0))
        propensity = None
        for name, options in METHODS.items():
            matching = match_on_propensity(outcome, treated, x, propensity=propensity, seed=seed, **options)
            propensity = matching.propensity
            truth = float(effect[treated & (matching.weights > 0)].mean())
            low, high = matching.effect.interval
            found[name].append(
                (
                    matching.worst_difference,
                    matching.effect.estimate - truth,
                    matching.effect.standard_error,
                    low <= truth <= high,
                    matching.matched["treatment"] / treated.sum(),
                )
            )
    return [_summed_up(name, np.array(rows, dtype=float)) for name, rows in found.items()]


def _summed_up(name, rows) -> Bias:
    worst, deviation, reported, covered, matched = rows.T
    spread = float(deviation.std(ddof=1))
    return Bias(
        name,
        float(worst.mean()),
        float(deviation.mean()),
        spread / np.sqrt(len(rows)),
        float(reported.mean()),
        spread,
        float(covered.mean()),
        float(matched.mean()),
    )


def as_table(found: list[Bias]) -> str:
    """The biases as Markdown."""
    columns = (
        "matching",
        "worst SMD left",
        "bias (its error)",
        "reported error",
        "spread",
        "covered",
        "treated matched",
    )
    rows: list[tuple[object, ...]] = [
        (
            one.method,
            f"{one.worst_difference:.3f}",
            f"{one.bias:+.3f} ({one.error:.3f})",
            f"{one.reported:.3f}",
            f"{one.spread:.3f}",
            f"{one.covered:.0%}",
            f"{one.matched:.1%}",
        )
        for one in found
    ]
    return table(columns, [("not matched", "", f"{found[0].bias:+.3f} ({found[0].error:.3f})", *[""] * 4), *rows[1:]])


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_twenty_buckets_leave_next_to_nothing_and_five_a_tenth_behind_a_balanced_table():
    found = bias_by_buckets()
    write_section(
        "Matching: bias by number of buckets", INTRODUCTION.format(samples=SAMPLES, users=USERS) + as_table(found)
    )
    by_name = {one.method: one for one in found}
    raw = by_name["raw"].bias
    assert raw > 0.8
    assert by_name["5 buckets"].worst_difference < 0.1
    assert by_name["5 buckets"].bias > 0.05 * raw
    assert abs(by_name["20 buckets"].bias) < 0.03 * raw
    assert abs(by_name["100 buckets"].bias) < 0.02 * raw + 2 * by_name["100 buckets"].error
    assert by_name["20 buckets"].covered >= 0.85
    assert by_name["20 buckets"].reported == pytest.approx(by_name["20 buckets"].spread, rel=0.5)
