import numpy as np
import pytest
from scipy import stats

from causal_tasks.effects import cupac, difference_in_means, student_t_effect
from causal_tasks.effects.t_regression import ScaleCollapseError, fit_student_t
from causal_tasks.errors import InputError
from tests.unit.effects.heavy_tails import clustered, tailed


def noted(effect, code):
    """The number behind a note's code; True where it has none, None where there is no such note."""
    for note in effect.notes:
        name, _, number = note.partition(": ")
        if name == code:
            return float(number) if number else True
    return None


def repeated(runs, **options):
    """STATE and CUPAC on the same draws: estimates and standard errors, shape (runs, 2), and what STATE says besides."""
    estimates, errors, effects = [], [], []
    for seed in range(runs):
        outcome, treatment, proxy = tailed(seed, **options)
        pair = student_t_effect(outcome, treatment, proxy=proxy), cupac(outcome, treatment, proxy=proxy)
        estimates.append([effect.estimate for effect in pair])
        errors.append([effect.standard_error for effect in pair])
        effects.append(pair[0])
    return np.array(estimates), np.array(errors), effects


@pytest.fixture(scope="module")
def heavy():
    return repeated(300, n=3000, degrees=3.0)


@pytest.fixture(scope="module")
def normal():
    return repeated(150, n=2000, degrees=np.inf, effect=0.0)


def test_at_three_degrees_of_freedom_the_variance_is_half_of_cupacs(heavy):
    estimates, errors, effects = heavy
    robust, squares = estimates.var(axis=0, ddof=1)
    assert 0.42 <= robust / squares <= 0.60
    assert 0.42 <= np.median([effect.variance_ratio_cupac for effect in effects]) <= 0.60
    assert (errors**2).mean(axis=0) == pytest.approx([robust, squares], rel=0.25)
    assert np.mean([noted(effect, "degrees") for effect in effects]) == pytest.approx(3, rel=0.05)


def test_its_intervals_cover_a_constant_effect_as_often_as_they_say(heavy):
    estimates, _, effects = heavy
    assert estimates.mean(axis=0) == pytest.approx([1, 1], abs=0.01)
    assert 0.92 <= np.mean([effect.interval[0] <= 1 <= effect.interval[1] for effect in effects]) <= 0.98


def test_a_constant_effect_is_flagged_no_more_often_than_chance(heavy):
    flagged = [noted(effect, "not_average_effect") is not None for effect in heavy[2]]
    assert np.mean(flagged) <= 0.09
    assert not any(noted(effect, "skewed") for effect in heavy[2])


def test_with_normal_errors_nothing_is_gained_and_nothing_lost(normal):
    estimates, _, effects = normal
    robust, squares = estimates.var(axis=0, ddof=1)
    assert 0.95 <= robust / squares <= 1.08
    assert np.median([effect.variance_ratio_cupac for effect in effects]) == pytest.approx(1, abs=0.02)


def test_p_values_without_an_effect_are_uniform(normal):
    assert stats.kstest([effect.p_value for effect in normal[2]], "uniform").pvalue > 0.01


def test_fixed_degrees_of_freedom_lose_a_little_where_errors_are_normal():
    outcome, treatment, proxy = tailed(1, n=50_000, degrees=np.inf)
    effect = student_t_effect(outcome, treatment, proxy=proxy, degrees=10)
    assert effect.variance_ratio_cupac == pytest.approx(1.032, abs=0.01)
    assert noted(effect, "degrees") == 10


@pytest.mark.parametrize(("degrees", "ratio"), [(3.0, 0.500), (4.0, 0.700), (5.0, 0.800)])
def test_the_variance_ratio_is_the_one_of_theory(degrees, ratio):
    assert (degrees + 3) * (degrees - 2) / (degrees * (degrees + 1)) == pytest.approx(ratio)
    outcome, treatment, proxy = tailed(11, n=300_000, degrees=degrees)
    found = student_t_effect(outcome, treatment, proxy=proxy)
    # The sample variance of t(3) has no finite variance itself.
    assert found.variance_ratio_cupac == pytest.approx(ratio, abs=0.06)


def test_two_in_a_thousand_gross_errors_hardly_move_it():
    outcome, treatment, proxy = tailed(12, n=20_000, degrees=np.inf)
    rng = np.random.default_rng(0)
    gross = rng.choice(20_000, 40, replace=False)
    outcome[gross] += rng.uniform(100, 400, 40)
    effect = student_t_effect(outcome, treatment, proxy=proxy)
    assert effect.variance_ratio_cupac < 0.1
    assert effect.interval[0] < 1 < effect.interval[1]


def fails(name, n):
    rng = np.random.default_rng(3)
    treatment = rng.integers(0, 2, n)
    spend = rng.lognormal(0, 1, n)
    if name == "an effect on a tenth of the users":
        return rng.standard_t(3, n) + 20 * treatment * (rng.random(n) < 0.1), treatment
    if name == "a multiplied outcome":
        return spend * (1 + 0.05 * treatment), treatment
    return np.where(rng.random(n) < 0.9, 0, spend) * (1 + 0.2 * treatment), treatment


@pytest.mark.parametrize("degrees", [None, 10.0])
@pytest.mark.parametrize("name", ["an effect on a tenth of the users", "a multiplied outcome"])
def test_what_is_no_shift_is_flagged(name, degrees):
    outcome, treatment = fails(name, 100_000)
    effect, mean = student_t_effect(outcome, treatment, degrees=degrees), difference_in_means(outcome, treatment)
    assert effect.estimate < 0.7 * mean.estimate
    assert noted(effect, "hausman") < -2
    assert noted(effect, "not_average_effect")


def test_many_zeros_are_flagged_or_refused():
    outcome, treatment = fails("zeros", 100_000)
    effect = student_t_effect(outcome, treatment, degrees=10.0)
    assert effect.estimate < 0.1 * difference_in_means(outcome, treatment).estimate
    assert noted(effect, "repeated_value") == pytest.approx(0.9, abs=0.01)
    assert noted(effect, "not_average_effect")
    with pytest.raises(ScaleCollapseError, match="90% of them have one value"):
        student_t_effect(outcome, treatment)


def test_a_skewed_outcome_is_named_even_where_cupac_is_too_noisy_to_differ():
    outcome, treatment = fails("a multiplied outcome", 2000)
    effect = student_t_effect(outcome, treatment)
    assert abs(noted(effect, "hausman")) < 2
    assert noted(effect, "not_average_effect") is None
    assert noted(effect, "skewed") > 0.5


def test_cupac_is_computed_beside_even_where_there_is_nothing_to_adjust_for():
    outcome, treatment, proxy = tailed(4)
    adjusted, bare = student_t_effect(outcome, treatment, proxy=proxy), student_t_effect(outcome, treatment)
    beside = cupac(outcome, treatment, proxy=proxy)
    assert adjusted.variance_ratio_cupac == pytest.approx(
        (adjusted.standard_error / beside.standard_error) ** 2, rel=1e-9
    )
    assert adjusted.equivalent_sample == round(len(outcome) / adjusted.variance_ratio)
    assert bare.variance_ratio_cupac is None
    assert noted(bare, "hausman") is not None


def test_covariates_become_the_same_proxy_that_cupac_uses():
    outcome, treatment, proxy = tailed(5, n=3000)
    effect = student_t_effect(outcome, treatment, proxy)
    assert effect.variance_ratio < 0.7
    beside = cupac(outcome, treatment, proxy)
    assert effect.variance_ratio_cupac == pytest.approx((effect.standard_error / beside.standard_error) ** 2, rel=1e-9)


def test_the_error_is_the_sandwich_summed_by_cluster():
    outcome, treatment, proxy, ids = clustered(6)
    effect = student_t_effect(outcome, treatment, proxy=proxy, clusters=[f"c{i}" for i in ids], degrees=5.0)
    design = np.column_stack([np.ones(len(ids)), treatment, proxy])
    fit = fit_student_t(outcome, design, degrees=5.0)
    residual = outcome - design @ fit.coefficients
    tail = 5 + (residual / fit.scale) ** 2
    score, slope = 6 * residual / tail, 6 * (10 - tail) / tail**2
    sums = np.array([(design[ids == i] * score[ids == i, None]).sum(axis=0) for i in range(200)])
    inverse = np.linalg.inv(design.T @ (design * slope[:, None]))
    variance = (inverse @ (sums.T @ sums) @ inverse)[1, 1]
    assert effect.standard_error == pytest.approx(np.sqrt(variance * 100 / 99), rel=1e-4)
    alone = student_t_effect(outcome, treatment, proxy=proxy, degrees=5.0)
    assert effect.standard_error > 1.3 * alone.standard_error


def test_rows_repeated_within_a_cluster_count_once():
    outcome, treatment, proxy = tailed(7, n=800)
    once = student_t_effect(outcome, treatment, proxy=proxy)
    twice = [np.tile(array, 2) for array in (outcome, treatment, proxy)]
    clusters = np.tile(np.arange(800), 2)
    effect = student_t_effect(twice[0], twice[1], proxy=twice[2], clusters=clusters)
    assert effect.interval == pytest.approx(once.interval, abs=1e-5)


def test_a_constant_effect_is_added_whole_and_a_unit_changes_nothing_but_the_unit():
    outcome, treatment, proxy = tailed(8, n=1000)
    plain = student_t_effect(outcome, treatment, proxy=proxy)
    near = {"abs": 1e-4}
    assert student_t_effect(outcome + 5 * treatment, treatment, proxy=proxy).estimate == pytest.approx(
        plain.estimate + 5, **near
    )
    scaled = student_t_effect(outcome * 1e6, treatment, proxy=proxy * 1e3)
    assert scaled.estimate / 1e6 == pytest.approx(plain.estimate, **near)
    assert scaled.standard_error / 1e6 == pytest.approx(plain.standard_error, rel=1e-4)
    swapped = student_t_effect(outcome, treatment, proxy=proxy, control=1)
    assert swapped.estimate == pytest.approx(-plain.estimate, **near)


def test_the_relative_effect_is_of_the_control_mean_as_observed():
    outcome, treatment, proxy = tailed(9)
    effect = student_t_effect(outcome, treatment, proxy=proxy)
    assert effect.relative == pytest.approx(effect.estimate / outcome[treatment == 0].mean(), rel=1e-12)
    low, high = effect.relative_interval
    assert low < effect.relative < high
    centred = student_t_effect(outcome - outcome[treatment == 0].mean(), treatment, proxy=proxy)
    assert centred.relative is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"degrees": 0.0}, "degrees is 0.0"),
        ({"degrees": float("nan")}, "degrees is nan"),
        ({"covariates": np.ones((6, 1)), "proxy": np.arange(6.0)}, "both covariates and a proxy"),
        ({"proxy": np.ones(6)}, "the proxy is constant in an arm"),
        ({"proxy": np.arange(5.0)}, "proxy has 5 rows, the outcome 6"),
        ({"proxy": [1.0, 2.0, 3.0, 4.0, 5.0, np.nan]}, "proxy has 1 missing"),
    ],
)
def test_wrong_arguments_are_refused_with_what_was_found(arguments, message):
    with pytest.raises(InputError, match=message):
        student_t_effect([1.0, 2.0, 4.0, 3.0, 7.0, 5.0], [0, 0, 0, 1, 1, 1], **arguments)


def test_a_constant_outcome_is_refused():
    with pytest.raises(InputError, match="100% of them have one value"):
        student_t_effect([2.0] * 6, [0, 0, 0, 1, 1, 1])
