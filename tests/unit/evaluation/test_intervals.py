import numpy as np
import pytest

from causal_tasks.errors import InputError
from causal_tasks.evaluation import (
    ScoredValue,
    auuc,
    auuc_interval,
    compare,
    gain_curve,
    qini,
    qini_curve,
    qini_interval,
    uplift_curve,
)


def experiment(seed, n=4_000, noise=1.0):
    """Effects of 0 or 0.4 for halves of the users; returns outcome, the true ranking, another one, treatment."""
    random = np.random.default_rng(seed)
    x = random.random(n)
    treatment = random.integers(0, 2, n)
    outcome = noise * random.normal(size=n) + 0.4 * (x > 0.5) * treatment
    return outcome, x, x + random.normal(size=n) * 0.3, treatment


def test_the_estimate_is_the_score_itself():
    outcome, good, other, treatment = experiment(0)
    assert auuc_interval(outcome, good, treatment).estimate == auuc(outcome, good, treatment)
    assert qini_interval(outcome, good, treatment).estimate == qini(outcome, good, treatment)
    assert compare(outcome, good, other, treatment).estimate == pytest.approx(
        auuc(outcome, good, treatment) - auuc(outcome, other, treatment)
    )


def row_bootstrap(score, outcome, treatment, *rankings, draws=300):
    random = np.random.default_rng(9)
    scores = []
    for _ in range(draws):
        rows = random.integers(0, len(outcome), len(outcome))
        scores.append([score(outcome[rows], ranking[rows], treatment[rows]) for ranking in rankings])
    return np.array(scores)


def test_standard_errors_agree_with_a_bootstrap_over_single_users():
    outcome, good, other, treatment = experiment(1)
    areas = row_bootstrap(auuc, outcome, treatment, good, other)
    above = row_bootstrap(qini, outcome, treatment, good)
    assert auuc_interval(outcome, good, treatment).standard_error == pytest.approx(areas[:, 0].std(), rel=0.2)
    assert qini_interval(outcome, good, treatment).standard_error == pytest.approx(above[:, 0].std(), rel=0.2)
    assert compare(outcome, good, other, treatment).standard_error == pytest.approx(
        (areas[:, 0] - areas[:, 1]).std(), rel=0.2
    )


def test_intervals_cover_the_truth_at_their_level():
    """True AUUC: gain 0.4 s up to half, 0.2 beyond, area 0.15; reversed 0.05."""
    runs = 40
    covered = [0, 0]
    for seed in range(runs):
        outcome, good, _, treatment = experiment(seed, n=2_000)
        intervals = (auuc_interval(outcome, good, treatment), compare(outcome, good, -good, treatment))
        for k, (truth, interval) in enumerate(zip((0.15, 0.10), intervals, strict=True)):
            covered[k] += interval.interval[0] <= truth <= interval.interval[1]
    assert all(count / runs >= 0.88 for count in covered)
    assert sum(covered) < 2 * runs


def test_a_paired_comparison_is_tighter_than_two_separate_intervals():
    outcome, good, other, treatment = experiment(2)
    separate = np.hypot(*(auuc_interval(outcome, u, treatment).standard_error for u in (good, other)))
    assert compare(outcome, good, other, treatment).standard_error < 0.6 * separate


def test_equal_rankings_differ_by_exactly_nothing():
    outcome, good, _, treatment = experiment(3)
    assert compare(outcome, good, 2 * good, treatment) == ScoredValue(0.0, 0.0, (0.0, 0.0))


def test_the_same_seed_gives_the_same_interval_and_another_seed_nearly_the_same():
    outcome, good, _, treatment = experiment(4)
    first, again, other = (auuc_interval(outcome, good, treatment, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert first.standard_error == pytest.approx(other.standard_error, rel=0.25)


def test_users_of_one_cluster_are_drawn_together():
    outcome, good, _, treatment = experiment(5, n=2_000)
    copies = 4
    repeated = [np.repeat(values, copies) for values in (outcome, good, treatment)]
    clusters = np.repeat([f"household {i}" for i in range(2_000)], copies)
    naive = auuc_interval(*repeated).standard_error
    honest = auuc_interval(*repeated, clusters=clusters).standard_error
    assert honest == pytest.approx(auuc_interval(outcome, good, treatment).standard_error, rel=0.2)
    assert naive < 0.7 * honest


def test_the_mean_over_treatments_knows_that_they_share_the_control_arm():
    random = np.random.default_rng(6)
    n = 6_000
    arm = random.integers(0, 3, n)
    outcome, score = random.normal(size=n), random.normal(size=n)
    pairs = [auuc_interval(outcome[rows], score[rows], arm[rows]).standard_error for rows in (arm != 2, arm != 1)]
    together = auuc_interval(outcome, np.column_stack([score, score]), arm)
    independent = np.hypot(*pairs) / 2
    assert together.standard_error > 1.1 * independent
    assert together.standard_error < np.mean(pairs) * 1.1


def test_a_wider_level_gives_a_wider_interval_around_the_same_estimate():
    outcome, good, _, treatment = experiment(7)
    narrow, wide = (auuc_interval(outcome, good, treatment, level=level) for level in (0.8, 0.99))
    assert wide.interval[0] < narrow.interval[0] < narrow.estimate < narrow.interval[1] < wide.interval[1]


def test_a_single_cluster_shows_no_uncertainty_and_is_refused():
    with pytest.raises(InputError, match="1 independent units"):
        auuc_interval([1, 2, 3, 4], [1, 2, 3, 4], [0, 1, 0, 1], clusters=["a"] * 4)


def test_a_user_without_cluster_is_refused_instead_of_joining_the_last_cluster():
    with pytest.raises(InputError, match="clusters is missing for 1 of 4"):
        auuc_interval([1, 2, 3, 4], [1, 2, 3, 4], [0, 1, 0, 1], clusters=["a", "b", None, "c"])


@pytest.mark.parametrize("uncertain", [auuc_interval, qini_interval, gain_curve, qini_curve, uplift_curve])
def test_a_level_that_is_no_share_is_refused(uncertain):
    with pytest.raises(InputError, match="level is 95"):
        uncertain([1, 2, 3, 4], [1, 2, 3, 4], [0, 1, 0, 1], level=95)


def test_a_scored_value_becomes_json_values():
    assert ScoredValue(1.0, 0.5, (0.0, 2.0)).to_dict() == {
        "estimate": 1.0,
        "standard_error": 0.5,
        "interval": [0.0, 2.0],
    }
