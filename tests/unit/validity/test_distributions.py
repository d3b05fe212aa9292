import numpy as np
import pandas as pd
import pytest
from scipy import stats

from causal_tasks.validity.arms import Arms
from causal_tasks.validity.distribution_checks import distribution_checks
from causal_tasks.validity.tails import heaviest_share, tail_index
from tests.unit.data.prepared import N, applied_cap, healthy_users, profiled, stated


def checked(users, names=(), caps=None, **statement):
    experiment = stated(**statement)
    profile = profiled(caps=caps or {})
    return distribution_checks(users, names, profile, Arms.of(users, experiment.arms), experiment)


def one(code, *arguments, **statement):
    (check,) = [check for check in checked(*arguments, **statement) if check.code == code]
    return check


def skewed(n, sigma, seed=1):
    return np.exp(sigma * np.random.default_rng(seed).normal(size=n))


@pytest.mark.parametrize("power", [1.2, 2.0, 3.0])
def test_the_tail_index_of_a_pareto_distribution_is_its_power(power):
    values = stats.pareto(power).rvs(200_000, random_state=0)
    assert tail_index(values) == pytest.approx(power, rel=4 / np.sqrt(2000))


def test_the_tail_index_is_hills_formula_on_the_largest_percent():
    values = np.random.default_rng(0).gamma(2, 1, 8000)
    ordered = np.sort(values)[::-1]
    assert tail_index(values) == pytest.approx(1 / np.mean(np.log(ordered[:80] / ordered[80])))


def test_few_or_equal_values_have_no_tail_index():
    assert tail_index(np.arange(1.0, 4000.0)) is None
    assert tail_index(np.repeat([1.0, 5.0], [9000, 1000])) is None


def test_the_heaviest_share_is_that_of_the_largest_per_mille():
    values = np.repeat([1.0, 100.0], [9990, 10])
    assert heaviest_share(values) == 1000 / (9990 + 1000)
    assert heaviest_share(np.array([1.0, 1.0, 2.0])) == 0.5


def heavy(values, n=N, **statement):
    users = healthy_users(n=n)
    return one("heavy_tail", users.assign(y__minutes=values), **statement)


def test_a_tail_that_falls_slowly_warns_though_no_single_user_stands_out():
    check = heavy(stats.pareto(2).rvs(20_000, random_state=0), n=20_000)
    assert (check.status, check.subject) == ("warn", "minutes")
    assert check.value < 0.2
    assert check.details["tail_index"] == pytest.approx(2.0, abs=0.4)


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).gamma(1, 10, 20_000),
        np.random.default_rng(0).poisson(3, 20_000).astype(float),
        skewed(20_000, 1.0),
        (np.arange(20_000) % 500 == 0).astype(float),
        np.where(np.arange(20_000) % 500 == 0, 9.0, np.nan),
        np.zeros(20_000),
    ],
)
def test_usual_counts_times_shares_and_rare_events_have_no_heavy_tail(values):
    assert heavy(values, n=20_000).status == "pass"


def test_a_metric_with_a_cap_is_not_held_against_its_tail():
    metric = {"name": "minutes", "role": "primary", "cap": {"quantile": 0.999}}
    assert heavy(skewed(N, 2.5), metrics=[metric]).status == "pass"


def test_among_unequal_arms_only_the_primary_metric_fails():
    users = healthy_users().assign(y__minutes=skewed(N, 2.5), y__extra=2 * skewed(N, 2.5))
    users = users[(users["arm"] == "control") | (np.arange(N) % 10 == 1)]
    metrics = [{"name": "minutes", "role": "primary"}, {"name": "extra"}]
    found = {c.subject: c.status for c in checked(users, metrics=metrics) if c.code == "heavy_tail"}
    assert found == {"minutes": "fail", "extra": "warn"}
    loose = checked(users, metrics=metrics, thresholds={"unbalanced": 6, "tail_index": 0, "top_share": 0.9})
    assert [c.status for c in loose if c.code == "heavy_tail"] == ["pass"]


@pytest.mark.parametrize(
    ("factor", "status"), [(1000, "warn"), (60, "warn"), (0.01, "warn"), (10, "warn"), (30, "pass")]
)
def test_arms_whose_values_differ_by_a_factor_of_units_warn(factor, status):
    users = healthy_users()
    users["y__minutes"] = 5 + users["y__minutes"] / 100
    users.loc[users["arm"] == "new", "y__minutes"] *= factor
    check = one("unit_scale", users)
    assert check.status == status
    if status == "warn":
        assert check.details["ratio"] == pytest.approx(factor, rel=0.05)
        assert check.threshold == max(factor, 1 / factor)


def test_levels_that_differ_tenfold_are_normal_and_a_hundredfold_are_not():
    users = healthy_users()
    member = np.arange(N) // 2 % 5 == 0
    users["level"] = pd.Categorical(np.where(member, "vip", "free"))
    users["y__minutes"] = 5 + users["y__minutes"] / 100
    tenfold = users.assign(y__minutes=users["y__minutes"] * np.where(member, 10, 1))
    assert one("unit_scale", tenfold, ["level"]).status == "pass"
    hundredfold = users.assign(y__minutes=users["y__minutes"] * np.where(member, 100, 1))
    check = one("unit_scale", hundredfold, ["level"])
    assert (check.status, check.details["feature"], check.threshold) == ("warn", "level", 100)
    hidden = {"dictionary": {"level": {"sensitive": True}}}
    assert one("unit_scale", hundredfold, ["level"], features=hidden).status == "pass"


@pytest.mark.parametrize(
    ("raw", "capped", "turned"),
    [
        ((10, 11), (10, 9.8), ["new"]),
        ((10, 10.1), (10, 9.0), ["new"]),
        ((10, 10.1), (10, 9.9), []),
        ((10, 11), (10, 10.9), []),
    ],
)
def test_a_cap_that_turns_an_effect_beyond_chance_is_named_with_both_differences(raw, capped, turned):
    check = one("cap", healthy_users(), (), {"minutes": applied_cap(raw=raw, capped=capped)})
    assert (check.status, check.details["turned"]) == ("warn" if turned else "pass", turned)
    assert check.details["differences"]["new"] == pytest.approx(
        {"raw": raw[1] - raw[0], "capped": capped[1] - capped[0]}
    )


def test_a_cap_of_an_arm_with_a_single_value_turns_nothing():
    lone = applied_cap(raw=(10, 99), capped=(10, 9))
    lone["raw"]["new"] |= {"units": 1, "standard_error": None}
    check = one("cap", healthy_users(), (), {"minutes": lone})
    assert (check.status, check.details["differences"]["new"]["raw"]) == ("pass", 0.0)
