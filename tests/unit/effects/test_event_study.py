import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from causal_tasks.effects import difference_in_differences, difference_in_means, event_study
from causal_tasks.errors import InputError


def panel(seed, n=400, before=4, after=3, gap=2.0, effect=0.0, drift=0.0):
    """Users with a level and a season of their own; the treated are ``gap`` higher and gain ``drift`` a period."""
    rng = np.random.default_rng(seed)
    treatment = rng.permutation(n) % 3 // 2
    count = before + after
    season = np.sin(np.arange(count))
    periods = rng.gamma(2, 1, (n, 1)) + season + rng.normal(size=(n, count))
    periods += np.outer(treatment, gap + drift * np.arange(count) + effect * (np.arange(count) >= before))
    return periods, treatment


def estimates(study):
    return np.array([period.estimate for period in study.periods])


def errors(study):
    return np.array([period.standard_error for period in study.periods])


def test_every_period_is_the_difference_in_differences_against_the_reference():
    periods, treatment = panel(1)
    study = event_study(periods, treatment, before=4)
    for p, found in enumerate(study.periods):
        expected = difference_in_differences(periods[:, p], treatment, periods[:, 3])
        assert found.reference == (p == 3)
        assert found.estimate == pytest.approx(expected.estimate, abs=1e-12)
        assert found.standard_error == pytest.approx(expected.standard_error, rel=1e-9)
        assert found.interval == pytest.approx(expected.interval, rel=1e-9, abs=1e-12)
    assert (study.periods[3].estimate, study.periods[3].interval) == (0.0, (0.0, 0.0))
    assert [(p.first_day, p.last_day) for p in study.periods] == [(d, d) for d in range(-4, 3)]
    assert (study.n_control, study.n_treatment) == ((treatment == 0).sum(), treatment.sum())


def test_it_is_least_squares_with_users_periods_and_interactions_and_errors_by_user():
    n, count, before = 45, 5, 3
    periods, treatment = panel(2, n=n, before=before, after=2)
    user, period = np.repeat(np.arange(n), count), np.tile(np.arange(count), n)
    others = [p for p in range(count) if p != before - 1]
    dummies = (period[:, None] == others).astype(float)
    design = np.column_stack([np.eye(n)[user], dummies, dummies * treatment[user, None]])
    fit = sm.OLS(periods.ravel(), design).fit(cov_type="cluster", cov_kwds={"groups": user, "use_correction": False})
    study = event_study(periods, treatment, before=before)
    assert estimates(study)[others] == pytest.approx(fit.params[-4:], rel=1e-8)
    # The sandwich divides each arm's squares by its size, here by one less.
    arms = [np.cov((periods - periods[:, [before - 1]])[treatment == arm].T, ddof=0) for arm in (0, 1)]
    sizes = [(treatment == arm).sum() for arm in (0, 1)]
    sandwich = sum(cov / size for cov, size in zip(arms, sizes, strict=True))
    assert fit.cov_params()[-4:, -4:] == pytest.approx(sandwich[np.ix_(others, others)], rel=1e-7, abs=1e-12)
    ours = sum(cov / (size - 1) for cov, size in zip(arms, sizes, strict=True))
    assert study.covariance == pytest.approx(ours, rel=1e-9, abs=1e-15)


def test_the_joint_test_is_walds_for_many_users():
    periods, treatment = panel(3, n=4000)
    study = event_study(periods, treatment, before=4)
    pre, covariance = estimates(study)[:3], study.covariance[:3, :3]
    statistic = pre @ np.linalg.solve(covariance, pre)
    assert study.pre_trend.statistic == pytest.approx(statistic, rel=1e-8)
    assert study.pre_trend.degrees == 3
    assert study.pre_trend.p_value == pytest.approx(stats.chi2.sf(statistic, 3), rel=0.01)


def test_the_joint_test_does_not_depend_on_the_reference_period():
    periods, treatment = panel(4, n=500)
    first = event_study(periods, treatment, before=4)
    turned = event_study(periods[:, [1, 3, 2, 0, 4, 5, 6]], treatment, before=4)
    assert turned.pre_trend.statistic == pytest.approx(first.pre_trend.statistic, rel=1e-8)


def test_one_difference_before_the_start_is_tested_as_welch_does():
    periods, treatment = panel(5, before=2)
    study = event_study(periods, treatment, before=2)
    welch = difference_in_means(periods[:, 0] - periods[:, 1], treatment)
    assert study.pre_trend.p_value == pytest.approx(welch.p_value, rel=1e-8)
    assert study.pre_trend.slope.estimate == pytest.approx(-welch.estimate, rel=1e-9)
    assert study.pre_trend.slope.p_value == pytest.approx(welch.p_value, rel=1e-8)


def test_few_clusters_in_both_arms_give_hotellings_test():
    rng = np.random.default_rng(6)
    teams, before = 12, 3
    team = np.tile(np.repeat(np.arange(teams), 4), 2)
    treatment = np.repeat([0, 1], 4 * teams)
    periods = rng.normal(size=(96, 5)) + rng.normal(size=(teams, 5))[team] * treatment[:, None]
    study = event_study(periods, treatment, before=before, clusters=[f"team {t}" for t in team])
    by_team = np.array(
        [
            periods[(team == t) & (treatment == 1)].mean(0) - periods[(team == t) & (treatment == 0)].mean(0)
            for t in range(teams)
        ]
    )
    changes = (by_team - by_team[:, [2]])[:, :2]
    squared = teams * changes.mean(0) @ np.linalg.solve(np.cov(changes.T), changes.mean(0))
    assert study.pre_trend.statistic == pytest.approx(squared, rel=1e-8)
    expected = stats.f.sf(squared * (teams - 2) / (2 * (teams - 1)), 2, teams - 2)
    assert study.pre_trend.p_value == pytest.approx(expected, rel=1e-8)


def test_clusters_sum_before_they_are_squared():
    rng = np.random.default_rng(7)
    team = np.repeat(np.arange(60), 6)
    treatment = team % 2
    periods = rng.normal(size=(360, 6)) * 0.3 + rng.normal(size=(60, 6))[team]
    study = event_study(periods, treatment, before=3, clusters=team)
    for p, found in enumerate(study.periods):
        expected = difference_in_differences(periods[:, p], treatment, periods[:, 2], clusters=team)
        assert found.standard_error == pytest.approx(expected.standard_error, rel=1e-9, abs=1e-12)
        assert found.interval == pytest.approx(expected.interval, rel=1e-9, abs=1e-12)
    assert study.periods[0].standard_error > 1.8 * event_study(periods, treatment, before=3).periods[0].standard_error


def test_the_slope_is_that_of_the_differences_over_the_middles_of_the_periods():
    periods, treatment = panel(8, drift=0.4)
    days = [(-9, -7), (-6, -5), (-4, -3), (-2, -1), (0, 2), (3, 4), (5, 6)]
    study = event_study(periods, treatment, before=4, days=days)
    middle = np.array([-8, -5.5, -3.5, -1.5])
    slope = np.polyfit(middle, estimates(study)[:4], 1)[0]
    weights = (middle - middle.mean()) / ((middle - middle.mean()) ** 2).sum()
    error = np.sqrt(weights @ study.covariance[:4, :4] @ weights)
    assert study.pre_trend.slope.estimate == pytest.approx(slope, rel=1e-9)
    assert study.pre_trend.slope.standard_error == pytest.approx(error, rel=1e-9)
    assert [(p.first_day, p.last_day) for p in study.periods] == days


def test_a_level_that_differs_passes_and_a_drift_does_not():
    level = event_study(*panel(9, n=2000, gap=5.0, effect=1.0), before=4)
    assert level.pre_trend.p_value > 0.05
    assert all(period.interval[0] < 1 < period.interval[1] for period in level.periods[4:])
    drift = event_study(*panel(9, n=2000, drift=0.2), before=4)
    assert drift.pre_trend.p_value < 1e-4
    assert drift.pre_trend.slope.interval[0] > 0.1


def test_parallel_arms_are_suspected_as_often_as_the_test_says():
    runs = 400
    trends = [event_study(*panel(seed, n=120, before=5, after=1), before=5).pre_trend for seed in range(runs)]
    for level in (0.05, 0.2):
        for p_values in ([t.p_value for t in trends], [t.slope.p_value for t in trends]):
            share = np.mean(np.array(p_values) < level)
            assert abs(share - level) < 3.5 * np.sqrt(level * (1 - level) / runs)


def test_few_clusters_are_not_suspected_more_often():
    rng = np.random.default_rng(10)
    team = np.repeat(np.arange(24), 3)
    rejected = sum(
        event_study(
            rng.normal(size=(24, 6))[team] + rng.normal(size=(72, 6)), team % 2, before=5, clusters=team
        ).pre_trend.p_value
        < 0.05
        for _ in range(400)
    )
    assert 0.02 <= rejected / 400 <= 0.085


def test_periods_without_any_activity_are_not_counted_twice():
    periods, treatment = panel(11)
    silent = np.column_stack([np.zeros((len(periods), 2)), periods[:, :1] * 0, periods[:, 3:]])
    study = event_study(silent, treatment, before=4)
    single = event_study(silent[:, 2:], treatment, before=2)
    assert study.pre_trend.degrees == 1
    assert study.pre_trend.statistic == pytest.approx(single.pre_trend.statistic, rel=1e-7)


def test_a_metric_that_did_not_exist_before_has_nothing_to_suspect():
    periods, treatment = panel(12)
    periods[:, :4] = 0
    trend = event_study(periods, treatment, before=4).pre_trend
    assert (trend.p_value, trend.statistic, trend.degrees) == (1.0, 0.0, 0)
    assert trend.to_dict()["slope"]["estimate"] == 0


def test_a_difference_without_any_variance_is_certain():
    periods, treatment = panel(13)
    periods[:, :4] = np.outer(treatment, [1.0, 2.0, 3.0, 4.0])
    trend = event_study(periods, treatment, before=4).pre_trend
    assert (trend.p_value, trend.statistic) == (0.0, np.inf)
    assert trend.to_dict()["statistic"] is None


def test_fewer_clusters_than_differences_leave_the_joint_test_undefined():
    periods, treatment = panel(14, n=80, before=6)
    trend = event_study(periods, treatment, before=6, clusters=np.arange(80) % 3 + 10 * treatment).pre_trend
    assert np.isnan(trend.p_value)
    assert trend.to_dict()["p_value"] is None


def test_one_period_before_the_start_shows_no_trend():
    periods, treatment = panel(15, before=1)
    study = event_study(periods, treatment, before=1)
    assert study.pre_trend is None
    assert study.to_dict()["pre_trend"] is None
    assert study.periods[0].reference


def test_the_json_holds_what_a_chart_needs():
    study = event_study(
        [[1, 1, 2], [2, 2, 2], [1, 3, 7], [3, 4, 6]], [0, 0, 1, 1], before=2, days=[(-4, -3), (-2, -1), (1, 2)]
    )
    found = study.to_dict()
    assert found["per"] == "user and day"
    assert found["periods"][0] == {
        "first_day": -4,
        "last_day": -3,
        "estimate": -1.5,
        "standard_error": pytest.approx(0.5),
        "interval": pytest.approx([-1.5 - 12.7062 / 2, -1.5 + 12.7062 / 2], abs=1e-4),
        "reference": False,
    }
    assert found["pre_trend"]["slope"]["estimate"] == pytest.approx(0.75)
    assert set(found["pre_trend"]["slope"]) == {"estimate", "standard_error", "interval", "p_value"}
    assert found["pre_trend"]["degrees"] == 1


values = arrays(float, (24, 5), elements=st.floats(-50, 50).map(lambda x: round(x, 3)))


@settings(max_examples=40, deadline=None)
@given(
    periods=values,
    treatment=st.permutations([0] * 11 + [1] * 13).map(np.array),
    season=arrays(float, 5, elements=st.floats(-50, 50)),
    gap=st.floats(-50, 50),
    order=st.permutations(range(24)),
)
def test_seasons_levels_and_the_order_of_users_are_irrelevant(periods, treatment, season, gap, order):
    plain = event_study(periods, treatment, before=3)
    moved = event_study((periods + season + gap * treatment[:, None])[list(order)], treatment[list(order)], before=3)
    assert estimates(moved) == pytest.approx(estimates(plain), rel=1e-6, abs=1e-7)
    assert errors(moved) == pytest.approx(errors(plain), rel=1e-6, abs=1e-7)


@settings(max_examples=30, deadline=None)
@given(periods=values, scale=st.floats(0.01, 100))
def test_the_unit_scales_estimates_and_leaves_the_test(periods, scale):
    treatment = np.arange(24) % 2
    periods = periods + np.random.default_rng(0).normal(size=periods.shape)
    plain, scaled = (event_study(found, treatment, before=3) for found in (periods, periods * scale))
    assert estimates(scaled) == pytest.approx(scale * estimates(plain), rel=1e-6, abs=1e-7)
    assert scaled.pre_trend.p_value == pytest.approx(plain.pre_trend.p_value, rel=1e-5, abs=1e-9)


good = [[1.0, 2.0], [2.0, 3.0], [1.0, 4.0], [3.0, 5.0]]


@pytest.mark.parametrize(
    ("periods", "options", "message"),
    [
        ([1.0, 2.0, 3.0, 4.0], {}, "periods has shape"),
        ([[1.0, np.nan], *good[1:]], {}, "periods has 1 missing"),
        (good, {"before": 0}, "before is 0 of 2 periods"),
        (good, {"before": 2}, "before is 2 of 2 periods"),
        (good, {"days": [(-1, -1)]}, "days has 1 entries for 2 periods"),
        (good, {"clusters": ["a", "a", "b", "c"]}, "all units of the control arm are in one cluster"),
        (good, {"clusters": ["a", "b", "c", "c"]}, "all units of the treatment arm are in one cluster"),
        (good, {"level": 95}, "level is 95"),
    ],
)
def test_wrong_arguments_are_refused_with_what_was_found(periods, options, message):
    with pytest.raises(InputError, match=message):
        event_study(periods, [0, 0, 1, 1], **{"before": 1, **options})
