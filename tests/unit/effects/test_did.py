import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from causal_tasks.effects import difference_in_differences, difference_in_means
from causal_tasks.errors import InputError


def experiment(seed, n=300, effect=0.5, gap=2.0, trend=1.0):
    """Treated users are ``gap`` above the others, everybody changes by ``trend``, the treated by ``effect`` more."""
    rng = np.random.default_rng(seed)
    treatment = (rng.random(n) < 0.4).astype(int)
    user = 5 + rng.gamma(2, 1, n) + gap * treatment
    before = user + rng.normal(size=n)
    after = user + trend + effect * treatment + rng.normal(size=n) * (1 + treatment)
    return after, treatment, before


def test_it_is_welchs_test_of_the_changes():
    after, treatment, before = experiment(1)
    effect = difference_in_differences(after, treatment, before)
    changes = difference_in_means(after - before, treatment)
    assert effect.estimate == pytest.approx(changes.estimate, rel=1e-10)
    assert effect.standard_error == pytest.approx(changes.standard_error, rel=1e-10)
    assert effect.interval == pytest.approx(changes.interval, rel=1e-10)
    assert effect.p_value == pytest.approx(changes.p_value, rel=1e-8)
    assert (effect.n_control, effect.n_treatment) == (changes.n_control, changes.n_treatment)
    assert effect.method == "difference_in_differences"
    assert effect.variance_ratio == pytest.approx(
        (effect.standard_error / difference_in_means(after, treatment).standard_error) ** 2
    )


def test_it_is_least_squares_with_users_and_periods_and_errors_by_user():
    n = 60
    after, treatment, before = experiment(2, n=n)
    user = np.tile(np.arange(n), 2)
    period = np.repeat([0, 1], n)
    design = np.column_stack([np.eye(n)[user], period, period * treatment[user]])
    fit = sm.OLS(np.r_[before, after], design).fit(
        cov_type="cluster", cov_kwds={"groups": user, "use_correction": False}
    )
    effect = difference_in_differences(after, treatment, before)
    assert effect.estimate == pytest.approx(fit.params[-1], rel=1e-9)
    changes = after - before
    arms = [changes[treatment == arm] for arm in (0, 1)]
    assert fit.bse[-1] == pytest.approx(np.sqrt(sum(arm.var() / len(arm) for arm in arms)), rel=1e-9)
    assert effect.standard_error == pytest.approx(np.sqrt(sum(arm.var(ddof=1) / len(arm) for arm in arms)), rel=1e-12)


def test_clusters_sum_before_they_are_squared():
    rng = np.random.default_rng(3)
    team = np.repeat(np.arange(40), 5)
    treatment = team % 2
    shock = rng.normal(size=40)[team]
    before = rng.normal(size=200)
    after = before + shock + rng.normal(size=200) * 0.1
    fit = sm.OLS(after - before, sm.add_constant(treatment)).fit(
        cov_type="cluster", cov_kwds={"groups": team, "use_correction": False}
    )
    effect = difference_in_differences(after, treatment, before, clusters=team)
    assert effect.standard_error == pytest.approx(fit.bse[1] * np.sqrt(20 / 19), rel=1e-9)
    assert effect.standard_error > 1.5 * difference_in_differences(after, treatment, before).standard_error


def test_the_example_of_minimum_wages_by_hand():
    """Card and Krueger (1994), table 3: the means alone decide the estimate."""
    after = [21.16, 21.18, 21.02, 21.04]
    before = [23.32, 23.34, 20.43, 20.45]
    effect = difference_in_differences(after, ["PA", "PA", "NJ", "NJ"], before, control="PA")
    assert effect.estimate == pytest.approx(2.75, abs=1e-9)
    assert effect.control_mean == pytest.approx(21.17)
    assert effect.relative == pytest.approx(2.75 / 21.17)


def test_equal_weights_change_nothing_and_a_weight_of_zero_leaves_out():
    after, treatment, before = experiment(4)
    plain = difference_in_differences(after, treatment, before)
    same = difference_in_differences(after, treatment, before, weights=np.full(len(after), 3.0))
    assert same.interval == pytest.approx(plain.interval, rel=1e-10)
    kept = np.arange(len(after)) % 3 > 0
    left = difference_in_differences(after[kept], treatment[kept], before[kept])
    zero = difference_in_differences(after, treatment, before, weights=kept.astype(float))
    assert zero.interval == pytest.approx(left.interval, rel=1e-10)
    assert zero.relative_interval == pytest.approx(left.relative_interval, rel=1e-10)
    assert (zero.n_control, zero.n_treatment) == (left.n_control, left.n_treatment)


def test_weights_of_two_estimate_as_copies_do_but_know_that_they_are_no_new_users():
    after, treatment, before = experiment(5, n=4000)
    weights = np.where((treatment == 0) & (np.arange(4000) % 2 == 0), 2.0, 1.0)
    copies = np.repeat(np.arange(4000), weights.astype(int))
    weighted = difference_in_differences(after, treatment, before, weights=weights)
    copied = difference_in_differences(after[copies], treatment[copies], before[copies], clusters=copies)
    assert weighted.estimate == pytest.approx(copied.estimate, rel=1e-9)
    assert weighted.control_mean == pytest.approx(copied.control_mean, rel=1e-9)
    assert weighted.standard_error == pytest.approx(copied.standard_error, rel=1e-9)
    assert weighted.relative_interval == pytest.approx(copied.relative_interval, rel=1e-6)


def test_weighted_errors_are_those_of_weighted_least_squares():
    after, treatment, before = experiment(6, n=2000)
    weights = np.random.default_rng(6).gamma(2, 1, 2000)
    fit = sm.WLS(after - before, sm.add_constant(treatment), weights=weights).fit(cov_type="HC0")
    effect = difference_in_differences(after, treatment, before, weights=weights)
    assert effect.estimate == pytest.approx(fit.params[1], rel=1e-9)
    assert effect.standard_error == pytest.approx(fit.bse[1], rel=2e-3)


def test_it_finds_the_effect_though_the_arms_differed_before_where_the_outcome_alone_does_not():
    estimates, covered = [], 0
    for seed in range(200):
        after, treatment, before = experiment(seed, n=200)
        effect = difference_in_differences(after, treatment, before)
        estimates.append(effect.estimate)
        covered += effect.interval[0] <= 0.5 <= effect.interval[1]
        assert difference_in_means(after, treatment).estimate > 1
    assert np.mean(estimates) == pytest.approx(0.5, abs=4 * np.std(estimates) / np.sqrt(200))
    assert 0.91 <= covered / 200 <= 0.985


values = arrays(float, 30, elements=st.floats(-100, 100).map(lambda x: round(x, 3)))
arms = st.permutations([0] * 13 + [1] * 17).map(np.array)


@settings(max_examples=60, deadline=None)
@given(after=values, before=values, treatment=arms, shift=st.floats(-50, 50), scale=st.floats(0.01, 100))
def test_what_differs_always_or_changes_for_all_is_no_effect(after, before, treatment, shift, scale):
    plain = difference_in_differences(after, treatment, before)
    near = {"rel": 1e-6, "abs": 1e-7}
    gap = difference_in_differences(after + shift * treatment, treatment, before + shift * treatment)
    trend = difference_in_differences(after + shift, treatment, before)
    for same in (gap, trend):
        assert same.estimate == pytest.approx(plain.estimate, **near)
        assert same.standard_error == pytest.approx(plain.standard_error, **near)
    by_user = np.linspace(-shift, shift, 30)
    assert difference_in_differences(after + by_user, treatment, before + by_user).estimate == pytest.approx(
        plain.estimate, **near
    )
    treated = difference_in_differences(after + shift * treatment, treatment, before)
    assert treated.estimate == pytest.approx(plain.estimate + shift, **near)
    scaled = difference_in_differences(after * scale, treatment, before * scale)
    assert scaled.estimate == pytest.approx(plain.estimate * scale, rel=1e-6, abs=1e-7 * max(scale, 1))


@settings(max_examples=40, deadline=None)
@given(after=values, before=values, treatment=arms, weights=arrays(float, 30, elements=st.floats(0.1, 5)))
def test_swapping_arms_or_days_turns_the_sign_and_the_scale_of_weights_is_irrelevant(after, before, treatment, weights):
    near = {"rel": 1e-6, "abs": 1e-7}
    effect = difference_in_differences(after, treatment, before, weights=weights)
    swapped = difference_in_differences(after, treatment, before, weights=weights, control=1)
    backwards = difference_in_differences(before, treatment, after, weights=weights)
    assert swapped.estimate == pytest.approx(-effect.estimate, **near)
    assert backwards.estimate == pytest.approx(-effect.estimate, **near)
    assert backwards.standard_error == pytest.approx(effect.standard_error, **near)
    heavier = difference_in_differences(after, treatment, before, weights=7 * weights)
    assert heavier.interval == pytest.approx(effect.interval, **near)


good = [1.0, 2.0, 3.0, 5.0], [0, 0, 1, 1], [1.0, 2.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([1.0, np.nan, 3.0, 5.0], *good[1:]), {}, r"outcome has 1 missing .* row 1"),
        ((*good[:2], [1.0, np.inf, 1.0, 2.0]), {}, "pre_outcome has 1 missing or infinite"),
        ((*good[:2], [1.0, 2.0]), {}, "pre_outcome has 2 rows, the outcome 4"),
        ((good[0], [0, 0, 0, 1], good[2]), {}, r"an arm has 1 unit"),
        (good, {"weights": [1.0, 1.0, 1.0]}, "weights has 3 rows"),
        (good, {"weights": [1.0, 1.0, -1.0, 1.0]}, "weights has 1 negative of 4"),
        (good, {"weights": [1.0, 1.0, 0.0, 1.0]}, r"an arm has 1 unit\(s\) of positive weight"),
        (good, {"clusters": ["a", "a", "b", "c"]}, "control arm are in one cluster"),
        (good, {"level": 95}, "level is 95"),
    ],
)
def test_wrong_arguments_are_refused_with_what_was_found(arguments, options, message):
    with pytest.raises(InputError, match=message):
        difference_in_differences(*arguments, **options)


def test_labels_and_clusters_of_any_kind_survive_weights_that_leave_units_out():
    labels = pd.Categorical(["old", "new", "old", "new", "old", "new"])
    after, before = [1.0, 4.0, 2.0, 6.0, 99.0, 7.0], [0.0] * 6
    effect = difference_in_differences(
        after, labels, before, weights=[1, 1, 1, 1, 0, 1], control="old", clusters=list("abcdef")
    )
    assert effect.estimate == pytest.approx(17 / 3 - 1.5)
    assert (effect.n_control, effect.n_treatment) == (2, 3)
