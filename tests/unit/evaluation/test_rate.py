"""RATE against its definition written out, closed forms, and half samples drawn user by user."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causal_tasks.errors import InputError
from causal_tasks.evaluation import Estimate, autoc, compare_rates, dr_scores, rate, toc_curve

WEIGHTINGS = ("autoc", "qini")


def by_definition(scores, uplift, weighting):
    """Every share selects its users anew; in a block of ties each user counts with the block's mean."""
    n, average = len(scores), sum(scores) / len(scores)
    ties = {u: [g for g, v in zip(scores, uplift, strict=True) if v == u] for u in set(uplift)}
    ranked = [sum(ties[u]) / len(ties[u]) for u in sorted(uplift, reverse=True)]
    total = 0.0
    for k in range(1, n + 1):
        toc = sum(ranked[:k]) / k - average
        total += toc if weighting == "autoc" else toc * k / n
    return total / n


users = st.lists(st.tuples(st.integers(-50, 50), st.integers(0, 6)), min_size=2, max_size=40)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@given(users)
def test_rate_equals_its_definition_computed_share_by_share(weighting, rows):
    scores, uplift = map(list, zip(*rows, strict=True))
    found = rate(scores, uplift, weighting=weighting, draws=200).estimate
    assert found == pytest.approx(by_definition(scores, uplift, weighting), abs=1e-9)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_a_block_of_equal_predictions_counts_as_the_mean_over_all_orders_of_its_users(weighting):
    scores, uplift = np.array([5.0, -1.0, 2.0, 0.5, 3.0]), np.array([0.9, 0.5, 0.5, 0.5, 0.1])
    orders = [by_definition(scores[[0, *middle, 4]], [5, 4, 3, 2, 1], weighting) for middle in permutations((1, 2, 3))]
    assert rate(scores, uplift, weighting=weighting).estimate == pytest.approx(np.mean(orders))


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@given(users, st.randoms(use_true_random=False), st.integers(-1000, 1000))
def test_only_the_order_of_predictions_counts_and_neither_that_of_rows_nor_the_average_effect(
    weighting, rows, random, shift
):
    scores, uplift = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    expected = rate(scores, uplift, weighting=weighting, draws=200)
    again = rate(scores + shift, np.exp(uplift), weighting=weighting, draws=200)
    assert again.estimate == pytest.approx(expected.estimate, abs=1e-9)
    assert again.standard_error == pytest.approx(expected.standard_error, abs=1e-9)
    shuffled = random.sample(range(len(rows)), len(rows))
    assert rate(scores[shuffled], uplift[shuffled], weighting=weighting, draws=200).estimate == pytest.approx(
        expected.estimate, abs=1e-9
    )


@pytest.mark.parametrize(("weighting", "truth"), [("autoc", 1 / 4), ("qini", 1 / 12)])
@pytest.mark.parametrize("n", [1_000, 10_000, 100_000])
def test_a_perfect_ranking_of_uniform_effects_reaches_the_closed_form_at_every_size(weighting, truth, n):
    effects = (np.arange(n) + 0.5) / n
    found = rate(effects, effects, weighting=weighting)
    assert found.estimate == pytest.approx(truth, rel=0.01)
    assert found.p_value == 0.0


def test_a_constant_prediction_ranks_nobody_above_the_average():
    found = autoc(np.random.default_rng(0).normal(size=500), np.ones(500))
    assert (found.estimate, found.standard_error, found.p_value) == (0.0, 0.0, 1.0)


def test_qini_of_the_reversed_ranking_is_its_opposite():
    scores, uplift = np.random.default_rng(1).normal(size=(2, 300))
    forward, backward = (rate(scores, u, weighting="qini").estimate for u in (uplift, -uplift))
    assert forward == pytest.approx(-backward)


def experiment(seed, n=2_000, effect=0.5):
    """Scores of a randomised experiment in which 16 % of the users respond, and a noisy ranking of them."""
    random = np.random.default_rng(seed)
    x, treatment = random.random(n), random.integers(0, 2, n)
    outcome = effect * (x > 0.84) * treatment + random.normal(size=n)
    return dr_scores(outcome, treatment, np.zeros(n), np.zeros(n), 0.5), x + 0.1 * random.normal(size=n)


def exact(scores, uplift, weighting):
    n, i = len(scores), np.arange(1, len(scores) + 1)
    harmonic = np.concatenate([[0], np.cumsum(1 / i)])
    weight = harmonic[n] - harmonic[i - 1] - 1 if weighting == "autoc" else (n - i + 1) / n - (n + 1) / (2 * n)
    return (scores[np.argsort(-uplift)] * weight).mean()


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_the_standard_error_is_that_of_half_samples_drawn_user_by_user(weighting):
    ours, naive = [], []
    for seed in range(6):
        scores, uplift = experiment(seed)
        random = np.random.default_rng(seed)
        halves = [random.permutation(2_000)[:1_000] for _ in range(300)]
        naive.append(np.std([exact(scores[h], uplift[h], weighting) for h in halves], ddof=1))
        ours.append(rate(scores, uplift, weighting=weighting, seed=seed).standard_error)
    assert np.mean(ours) == pytest.approx(np.mean(naive), rel=0.06)


def test_the_standard_error_is_the_spread_of_the_estimate_over_experiments_and_the_test_keeps_its_size():
    runs = [[rate(*experiment(seed, effect=0.0), weighting=w, draws=200) for w in WEIGHTINGS] for seed in range(250)]
    for found in zip(*runs, strict=True):
        spread = np.std([test.estimate for test in found], ddof=1)
        assert np.mean([test.standard_error for test in found]) == pytest.approx(spread, rel=0.1)
        assert 0.015 <= np.mean([test.p_value < 0.05 for test in found]) <= 0.09


def test_a_sixth_of_users_who_respond_is_found_by_autoc_more_often_than_by_qini():
    runs = [[rate(*experiment(seed), weighting=w, draws=200).p_value < 0.05 for w in WEIGHTINGS] for seed in range(100)]
    power = np.mean(runs, axis=0)
    assert power[0] > 0.8
    assert power[0] > power[1]


def test_users_of_one_cluster_are_drawn_together():
    scores, uplift = experiment(3)
    repeated = [np.repeat(values, 4) for values in (scores, uplift)]
    clusters = np.repeat([f"household {i}" for i in range(2_000)], 4)
    honest = autoc(*repeated, clusters=clusters)
    assert honest.standard_error == pytest.approx(autoc(scores, uplift).standard_error, rel=0.2)
    assert autoc(*repeated).standard_error < 0.7 * honest.standard_error


def test_the_p_value_is_one_sided():
    scores, uplift = experiment(4, n=8_000)
    better, worse = autoc(scores, uplift), autoc(scores, -uplift)
    assert better.p_value < 0.01
    assert worse.p_value > 0.99
    assert better.p_value == pytest.approx(better.one_sided_p_value)


def test_the_toc_of_a_perfect_ranking_of_uniform_effects_is_a_straight_line():
    """The best share q of effects uniform on 0..1 has mean 1 - q / 2, which is (1 - q) / 2 above the average."""
    effects = (np.arange(50_000) + 0.5) / 50_000
    curve = toc_curve(effects, effects)
    np.testing.assert_allclose(curve["share"], np.arange(1, 101) / 100)
    np.testing.assert_allclose(curve["toc"], (1 - curve["share"]) / 2, atol=1e-9)


def test_the_toc_ends_at_zero_without_width_and_has_autoc_as_area():
    scores, uplift = experiment(5)
    curve = toc_curve(scores, uplift, points=2_001)
    assert curve.iloc[-1][["toc", "low", "high"]].to_numpy() == pytest.approx(np.zeros(3), abs=1e-12)
    assert curve["toc"].mean() == pytest.approx(autoc(scores, uplift).estimate, rel=1e-9)
    assert ((curve["low"] <= curve["toc"]) & (curve["toc"] <= curve["high"])).all()


def test_the_band_of_the_toc_holds_the_true_curve_at_its_level():
    share = np.arange(1, 11) / 10
    truth = np.minimum(0.5 * 0.16 / np.maximum(share, 0.16), 0.5) - 0.08
    covered = []
    for seed in range(60):
        random = np.random.default_rng(seed)
        x = random.random(2_000)
        scores = 0.5 * (x > 0.84) + 2 * random.normal(size=2_000)
        curve = toc_curve(scores, x, points=11, draws=200)
        covered.append((curve["low"] <= truth) & (truth <= curve["high"] + 1e-12))
    # Uncertainty of where the top 10 % ends is in the band, not in ``truth``.
    assert np.mean(covered) >= 0.9


def test_two_rankings_are_compared_in_the_same_half_samples():
    scores, uplift = experiment(6)
    noisy = uplift + 0.05 * np.random.default_rng(0).normal(size=len(uplift))
    found = compare_rates(scores, uplift, noisy)
    assert found.estimate == pytest.approx(autoc(scores, uplift).estimate - autoc(scores, noisy).estimate)
    separate = np.hypot(*(autoc(scores, u).standard_error for u in (uplift, noisy)))
    assert found.standard_error < 0.6 * separate


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_equal_rankings_differ_by_exactly_nothing(weighting):
    scores, uplift = experiment(7)
    found = compare_rates(scores, uplift, 3 * uplift + 1, weighting=weighting)
    assert found == Estimate(estimate=0.0, standard_error=0.0, interval=(0.0, 0.0), p_value=1.0)


def test_the_same_seed_gives_the_same_error_and_another_one_nearly_the_same():
    scores, uplift = experiment(8)
    first, again, other = (autoc(scores, uplift, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.standard_error != other.standard_error
    assert first.standard_error == pytest.approx(other.standard_error, rel=0.2)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([1, 2], [1, 2, 3]), {}, "2 scores and 3 predictions"),
        (([], []), {}, "0 scores"),
        (([1.0], [1.0]), {}, "1 independent units"),
        (([1, np.nan], [1, 2]), {}, "scores has 1 missing"),
        (([1, 2], [1, np.inf]), {}, "uplift has 1 missing or infinite"),
        (([1, 2], [1, 2]), {"weighting": "sqrt"}, "weighting 'sqrt' is unknown"),
        (([1, 2], [1, 2]), {"draws": 50}, "draws is 50"),
        (([1, 2], [1, 2]), {"level": 95}, "level is 95"),
        (([1, 2], [1, 2]), {"clusters": ["a", None]}, "clusters is missing for 1 of 2"),
        (([1, 2], [1, 2]), {"clusters": ["a", "a"]}, "1 independent units"),
    ],
)
def test_unusable_arguments_are_refused_with_what_was_found(arguments, options, message):
    with pytest.raises(InputError, match=message):
        rate(*arguments, **options)


def test_a_curve_of_one_point_is_refused():
    with pytest.raises(InputError, match="points is 1"):
        toc_curve([1, 2], [1, 2], points=1)
