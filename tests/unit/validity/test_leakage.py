import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from causal_tasks.validity.arm_prediction import _auc, arm_predictable
from causal_tasks.validity.arms import Arms
from causal_tasks.validity.feature_remarks import informative_missing, undeclared_levels
from causal_tasks.validity.leakage import copied_outcomes, features_by_arm
from tests.unit.data.prepared import N, healthy_users, stated


def rng(seed=0):
    return np.random.default_rng(seed)


def is_new(users):
    return (users["arm"] == "new").to_numpy()


def of_feature(check, column, experiment=None, name="extra", users=None):
    """The one check that is made of a feature."""
    experiment = experiment or stated()
    users = (healthy_users() if users is None else users).assign(**{name: column})
    (found,) = check(users, [name], Arms.of(users, experiment.arms), experiment)
    return found


MINUTES = healthy_users()["y__minutes"].to_numpy()
COPIES = {
    "the outcome in another unit": 60 * MINUTES,
    "the outcome turned round": -MINUTES,
    "the outcome without its cap": np.where(MINUTES > 30, MINUTES**4, MINUTES),
    "the outcome with a little noise": MINUTES + rng().normal(0, 1, N),
    "the outcome where it is known": np.where(rng().random(N) < 0.3, np.nan, MINUTES),
}


@pytest.mark.parametrize("column", COPIES.values(), ids=COPIES)
def test_a_copy_of_an_outcome_is_found(column):
    check = of_feature(copied_outcomes, column)
    assert (check.status, check.details) == ("warn", {"metric": "minutes", "same_name": False})
    assert 0.98 < check.value <= 1


def test_a_text_that_says_what_an_outcome_was_is_found():
    users = healthy_users().assign(y__minutes=(MINUTES > 5).astype(float))
    said = pd.Categorical(np.where(MINUTES > 5, "long", "short"))
    assert of_feature(copied_outcomes, said, users=users).value == pytest.approx(1.0)


def test_a_copy_of_a_ratio_is_found():
    users = healthy_users()
    linear = users["num__ctr"] - users["num__ctr"].sum() / users["den__ctr"].sum() * users["den__ctr"]
    assert of_feature(copied_outcomes, linear + 4).details["metric"] == "ctr"


@pytest.mark.parametrize(
    "column",
    [
        0.9 * MINUTES + rng(1).normal(0, 4, N),
        pd.Categorical([f"user{k}" for k in range(N)]),
        np.full(N, 3.0),
        np.full(N, np.nan),
        pd.Categorical([None] * N, categories=["a"]),
    ],
)
def test_what_merely_goes_with_the_outcome_is_no_copy(column):
    assert of_feature(copied_outcomes, column).status == "pass"


@pytest.mark.parametrize(("name", "metric"), [("Minutes", "minutes"), ("clicks", "ctr"), ("CTR", "ctr")])
def test_a_feature_that_bears_the_name_of_a_metric_or_its_column_is_found(name, metric):
    check = of_feature(copied_outcomes, rng().normal(size=N), name=name)
    assert (check.status, check.details) == ("warn", {"metric": metric, "same_name": True})
    assert check.value < 0.98


def test_a_lagged_name_is_a_name_of_its_own():
    assert of_feature(copied_outcomes, rng().normal(size=N), name="minutes_7d").status == "pass"


def q_value(column, **options):
    return of_feature(features_by_arm, column, **options).value


def test_the_levels_of_a_text_are_compared_by_pearsons_test():
    users = healthy_users()
    column = pd.Series(np.where(is_new(users) & (rng().random(N) < 0.03), "x", users["city"].astype(str)))
    column[rng(1).random(N) < 0.1] = None
    expected = stats.chi2_contingency(pd.crosstab(column, users["arm"]), correction=False).pvalue
    assert q_value(pd.Categorical(column)) == pytest.approx(expected, rel=1e-9)


def test_levels_too_rare_to_be_tested_count_as_one():
    few = rng().integers(0, 4, N)
    column = np.where(np.arange(N) < 900, [f"rare{k // 3}" for k in range(N)], few.astype(str))
    pooled = np.where(np.arange(N) < 900, "rare", few.astype(str))
    assert q_value(pd.Categorical(column)) == pytest.approx(q_value(pd.Categorical(pooled)))


def test_single_huge_values_do_not_decide_and_rare_marks_of_one_arm_do():
    new = is_new(healthy_users())
    values = rng().normal(size=N)
    huge = values.copy()
    huge[np.flatnonzero(new)[:2]] = 1e9
    assert q_value(huge) > 0.01
    marked = np.zeros(N)
    marked[np.flatnonzero(new)[:40]] = 1
    assert q_value(marked) < 0.001


def test_q_values_answer_for_all_features_and_treatments():
    arms = ("control", "a", "b")
    experiment = stated(treatments=["a", "b"])
    users = healthy_users(n=3000, arms=arms)
    names = [f"f{k}" for k in range(20)]
    users = users.assign(**{name: rng(k).normal(size=3000) for k, name in enumerate(names)})
    users["f3"] += 0.3 * (users["arm"] == "b")
    found = {c.subject: c for c in features_by_arm(users, names, Arms.of(users, arms), experiment)}
    p_values = {
        name: [
            2
            * stats.norm.sf(
                abs(
                    stats.ttest_ind(
                        clipped[users["arm"] == arm], clipped[users["arm"] == "control"], equal_var=False
                    ).statistic
                )
            )
            for arm in ("a", "b")
        ]
        for name in names
        for clipped in [users[name].clip(*np.quantile(users[name], [0.001, 0.999]))]
    }
    q_values = stats.false_discovery_control(np.concatenate(list(p_values.values()))).reshape(20, 2).min(axis=1)
    assert [found[name].value for name in names] == pytest.approx(q_values.tolist(), rel=1e-6)
    assert {name for name, check in found.items() if check.status == "warn"} == {"f3"}


def test_a_text_that_clusters_share_is_judged_by_clusters():
    teams = np.arange(N) // 100
    users = healthy_users().assign(arm=pd.Categorical(np.where(teams % 2, "new", "control")), cluster=teams)
    languages = pd.Categorical(rng(3).choice(["de", "fr", "en"], 40)[teams])
    assert q_value(languages, users=users.drop(columns="cluster")) < 1e-6
    assert q_value(languages, users=users) > 0.01


def separation(users, names, experiment=None):
    experiment = experiment or stated()
    return arm_predictable(users, names, Arms.of(users, experiment.arms), experiment)


def test_the_auc_and_its_error_are_those_of_all_pairs_of_users():
    generator = rng()
    scores, treated = generator.integers(0, 12, 150) / 4, generator.random(150) < 0.4
    scores = scores + 0.5 * treated
    wins = (scores[treated][:, None] > scores[~treated]) + 0.5 * (scores[treated][:, None] == scores[~treated])
    auc, influence = _auc(scores, treated)
    assert auc == pytest.approx(wins.mean()) == pytest.approx(roc_auc_score(treated, scores))
    variance = wins.mean(axis=1).var() / treated.sum() + wins.mean(axis=0).var() / (~treated).sum()
    assert (influence**2).sum() == pytest.approx(variance)


def test_arms_that_features_tell_apart_only_together_are_found_and_the_features_named():
    users = healthy_users()
    first, second = rng(1).normal(size=N), rng(2).normal(size=N)
    users = users.assign(first=first, second=np.where(is_new(users), first + 0.2 * second, second))
    (check,) = separation(users, ["city", "first", "second"])
    assert (check.status, check.subject) == ("warn", "new")
    assert check.details["auc"] > 0.7
    assert set(check.details["features"][:2]) == {"first", "second"}


def test_arms_drawn_at_random_are_not_told_apart_in_twenty_experiments():
    experiments = (healthy_users(seed=seed, n=1000) for seed in range(20))
    shuffled = (
        users.assign(arm=pd.Categorical(rng(seed).permutation(users["arm"]))) for seed, users in enumerate(experiments)
    )
    checks = [separation(users, ["tenure", "city", "vip"])[0] for users in shuffled]
    assert {check.status for check in checks} == {"pass"}
    assert abs(np.mean([check.details["auc"] for check in checks]) - 0.5) < 0.02


def test_what_clusters_share_tells_nothing_where_clusters_were_drawn():
    teams = np.arange(N) // 8
    arm = pd.Categorical(np.where(rng().permutation(N // 8)[teams] % 2, "new", "control"))
    users = healthy_users().assign(arm=arm, cluster=teams, size=rng(1).normal(size=N // 8)[teams])
    (check,) = separation(users, ["size", "tenure"])
    assert check.status == "pass"


def test_few_clusters_or_no_feature_make_no_check():
    users = healthy_users()
    assert separation(users, []) == []
    assert separation(users[:300], ["tenure"]) == []
    assert separation(users.assign(cluster=np.arange(N) // 40), ["tenure"]) == []


def remark(column, outcome=None, experiment=None):
    users = healthy_users().assign(extra=column)
    users = users if outcome is None else users.assign(y__minutes=outcome)
    experiment = experiment or stated()
    (check,) = informative_missing(users, ["extra"], Arms.of(users, experiment.arms), experiment)
    return check


def test_missing_values_are_compared_in_the_control_alone_in_standard_deviations():
    users = healthy_users()
    missing = rng().random(N) < 0.3
    column = np.where(missing, np.nan, 1.0)
    assert remark(column, MINUTES + 20 * missing * is_new(users)).status == "pass"
    outcome = MINUTES - 5 * missing
    control = ~is_new(users)
    inside, outside = outcome[control & missing], outcome[control & ~missing]
    check = remark(column, outcome)
    expected = (outside.mean() - inside.mean()) / np.sqrt((inside.var(ddof=1) + outside.var(ddof=1)) / 2)
    assert (check.status, check.details["direction"]) == ("warn", "lower")
    assert check.value == pytest.approx(expected)


@pytest.mark.parametrize("share", [0.001, 0.999])
def test_hardly_any_or_nearly_all_values_missing_make_no_remark(share):
    missing = rng().random(N) < share
    check = remark(np.where(missing, np.nan, 1.0), MINUTES + 50 * missing)
    assert (check.status, check.value) == ("pass", 0.0)


def drift(column, levels, **feature):
    experiment = stated(features={"dictionary": {"extra": {"levels": levels, **feature}}})
    (check,) = undeclared_levels(healthy_users().assign(extra=column), ["extra"], experiment)
    return check


def test_values_that_were_not_declared_are_named_and_levels_that_nobody_has_are_not():
    column = pd.Categorical(np.resize(["a", "b", "c"], N), categories=["a", "b", "c", "never"])
    check = drift(column, ["a", "b"])
    assert (check.status, check.value) == ("warn", 1)
    assert check.details == {"levels": ["c"], "units": N // 3}
    assert drift(column, ["a", "b", "c", "d"]).status == "pass"


def test_numbers_are_declared_as_text():
    column = np.resize(np.array([0.0, 1.0, 2.5, np.nan], dtype="float32"), N)
    assert drift(column, ["0", "1", "2.5"]).status == "pass"
    assert drift(column, ["0", "1"]).details["levels"] == ["2.5"]


def test_values_of_a_sensitive_feature_are_not_named():
    assert drift(pd.Categorical(np.resize(["a", "b"], N)), ["a"], sensitive=True).status == "pass"
