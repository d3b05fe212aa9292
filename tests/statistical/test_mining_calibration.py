"""How often mining is wrong: rules confirmed where nothing is, groups missed, intervals beside the truth."""

from itertools import chain

import pytest
from scipy.special import ndtri
from scipy.stats import binomtest

from tests.statistical.mining_counts import FOUND, run, runs, share
from tests.statistical.mining_runs import Design
from tests.statistical.page import table, write_section

EXPERIMENTS = 200
MOST_CONFIRMED = 18
"""Of 200: 5 % of them and what chance adds to that."""

NULL_DESIGNS = {
    "normal": Design(100_000),
    "heavy-tailed (log-normal, sigma 1.5)": Design(100_000, noise="heavy"),
    "arms 10/90": Design(300_000, share=0.1),
}

POWER_USERS, POWER_RUNS = 100_000, 20
GROUPS, MULTIPLES = (0.1, 0.2, 0.4), (1.0, 1.5, 2.0, 3.0)


def detectable(group, users=POWER_USERS):
    """The effect that a group's estimation users show with 80 % power at the 5 % level, noise of variance 1."""
    return (ndtri(0.975) + ndtri(0.8)) * (4 / (0.4 * users * group)) ** 0.5


def planted(group, multiple, users=POWER_USERS):
    return Design(users, effect=multiple * detectable(group, users), group=group)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_experiments_without_any_effect_hardly_ever_confirm_a_rule():
    rows, found = [], {}
    for name, design in NULL_DESIGNS.items():
        mined = found[name] = runs(design, EXPERIMENTS)
        confirmed = sum(one.confirmed > 0 for one in mined)
        interval = binomtest(confirmed, EXPERIMENTS).proportion_ci()
        covered = list(chain.from_iterable(one.covered for one in mined))
        rows.append(
            (
                name,
                f"{design.users:,}",
                f"{confirmed} ({interval.low:.1%} to {interval.high:.1%})",
                sum(one.discovered > 0 for one in mined),
                sum(one.omnibus for one in mined),
                sum(one.eligible > 0 for one in mined),
                f"{share(covered):.1%} of {len(covered):,}",
            )
        )
    write_section(
        "Experiments without any effect",
        f"{EXPERIMENTS} simulated experiments of each kind, eight features that explain the outcome and no effect, one "
        "candidate (a small T-learner on LightGBM) and everything that `mine` does. An experiment counts under a "
        "heading where at least one rule does.\n\n"
        + table(
            (
                "noise",
                "users",
                "confirmed (95 % interval)",
                "q at most 0.10",
                "omnibus test passed",
                "an eligible rule",
                "plain 95 % intervals that hold zero",
            ),
            rows,
        )
        + f"\n\nThe bar: at most {MOST_CONFIRMED} of {EXPERIMENTS} confirm a rule, and at least half have one that covers "
        "enough users to be confirmed at all.",
    )
    for name, mined in found.items():
        assert sum(one.confirmed > 0 for one in mined) <= MOST_CONFIRMED, name
        assert sum(one.eligible > 0 for one in mined) >= EXPERIMENTS / 2, name


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_planted_groups_are_found_and_intervals_hold_the_truth():
    rows, everything = [], []
    power = {}
    for group in GROUPS:
        for multiple in MULTIPLES:
            mined = runs(planted(group, multiple), POWER_RUNS, first_seed=1000)
            everything += mined
            power[group, multiple] = share([one.overlap >= FOUND for one in mined])
            exact = [one.overlap for one in mined if one.overlap]
            rows.append(
                (
                    f"{group:.0%}",
                    f"{multiple:g} ({multiple * detectable(group):.3f})",
                    f"{share([one.confirmed > 0 for one in mined]):.0%}",
                    f"{power[group, multiple]:.0%}",
                    f"{sum(exact) / len(exact):.2f}" if exact else "",
                )
            )
    covered = list(chain.from_iterable(one.covered for one in everything))
    selected = list(chain.from_iterable(one.covered_selected for one in everything))
    write_section(
        "Power",
        f"{POWER_RUNS} simulated experiments of {POWER_USERS:,} users for each cell; a group of that share, defined by two "
        "features, has the effect, nobody else has one. The effect is given in multiples of what the group's estimation "
        "users alone would show with 80 % power (in standard deviations of the noise), had it been named beforehand. A group "
        "that must be found first, by a small model among eight features, and pass every gate, needs two to three times that.\n\n"
        + table(
            (
                "share of users",
                "effect",
                "a rule confirmed",
                f"the group confirmed (Jaccard at least {FOUND:g})",
                "mean Jaccard of the confirmed",
            ),
            rows,
        ),
    )
    write_section(
        "Coverage of intervals",
        "Over the experiments of the power grid, where the true effect on the users of every rule is known.\n\n"
        + table(
            ("intervals", "rules", "hold the truth"),
            [
                ("plain 95 %, all examined rules", f"{len(covered):,}", f"{share(covered):.1%}"),
                ("FCR at q = 0.05, selected rules", f"{len(selected):,}", f"{share(selected):.1%}"),
            ],
        ),
    )
    assert 0.93 <= share(covered) <= 0.97
    assert share(selected) >= 0.93
    for group in GROUPS:
        assert power[group, 3.0] >= 0.8, group
        assert power[group, 3.0] >= power[group, 1.0], group


def test_a_few_small_experiments_without_effect_confirm_next_to_nothing():
    mined = [run(Design(30_000), seed) for seed in range(6)]
    assert sum(one.confirmed > 0 for one in mined) <= 1
    assert sum(one.eligible > 0 for one in mined) >= 3
    covered = list(chain.from_iterable(one.covered for one in mined))
    assert 0.85 <= share(covered) <= 1


def test_a_strong_group_is_confirmed_in_a_few_small_experiments():
    mined = [run(planted(0.3, 3.0, users=30_000), 1000 + seed) for seed in range(3)]
    assert all(one.overlap >= FOUND for one in mined)
    covered = list(chain.from_iterable(one.covered for one in mined))
    assert 0.8 <= share(covered) <= 1
