import json

import numpy as np
import pandas as pd
import pytest

from causal_tasks.effects import difference_in_differences
from causal_tasks.effects.averages import average_effects
from causal_tasks.effects.matched_averages import with_matching
from causal_tasks.effects.matched_units import match_in_buckets
from tests.unit.data.prepared import stated
from tests.unit.effects.confounded import linear

N = 3000
BUCKETS = 20
METRICS = [
    {"name": "minutes", "role": "primary"},
    {"name": "ctr", "numerator": "clicks", "denominator": "views"},
]


def comparison(**changes):
    return stated(randomized=False, **{"metrics": METRICS, **changes})


def users_and_propensity(seed=0):
    sample = linear(N, seed=seed, strength=0.7)
    random = np.random.default_rng(seed)
    views = random.poisson(5, N) + 1.0
    users = pd.DataFrame(
        {
            "arm": pd.Categorical(np.where(sample.treated, "new", "control")),
            "y__minutes": sample.outcome,
            # Fourteen days before, seven after: twice the sum.
            "pre__minutes": 2 * sample.pre_outcome,
            "num__ctr": views * (1 + 0.1 * sample.covariates["x0"]) + random.normal(size=N),
            "den__ctr": views,
            "prenum__ctr": views,
            "preden__ctr": views,
        }
    )
    units = match_in_buckets(sample.propensity, sample.treated, buckets=BUCKETS)
    columns = {"propensity__new": sample.propensity, "kept__new": units.kept, "weight__new": units.weights}
    return users, pd.DataFrame(columns), sample


def measured(users, propensity, experiment):
    plain = average_effects(users, experiment)
    rows = with_matching(plain, users, propensity, {"new": BUCKETS}, experiment)
    json.dumps(rows, allow_nan=False)
    return {row["metric"]: row for row in rows}


def by_method(row):
    return {estimate["method"]: estimate for estimate in row["estimates"]}


def test_matching_is_the_headline_and_its_difference_in_differences_stands_beside():
    users, propensity, _ = users_and_propensity()
    rows = measured(users, propensity, comparison())
    for name, row in rows.items():
        assert row["headline"] == row["effect"]["method"] == "matching"
        assert ("matching_did" in by_method(row)) is (name == "minutes")
    minutes = by_method(rows["minutes"])
    assert rows["minutes"]["unadjusted"]["estimate"] > 1
    assert abs(minutes["matching"]["estimate"]) < 0.25
    assert abs(minutes["matching_did"]["estimate"]) < 0.15
    assert minutes["matching_did"]["notes"] == ["pre_scaled"]


def test_the_weights_are_those_of_validate():
    users, propensity, sample = users_and_propensity(seed=1)
    row = measured(users, propensity, comparison())["minutes"]
    weights = propensity["weight__new"].to_numpy()
    means = [np.average(users["y__minutes"][arm], weights=weights[arm]) for arm in (sample.treated, ~sample.treated)]
    assert row["effect"]["estimate"] == pytest.approx(means[0] - means[1], rel=1e-9)
    assert row["effect"]["control_mean"] == pytest.approx(means[1], rel=1e-9)
    did = difference_in_differences(users["y__minutes"], sample.treated, users["pre__minutes"] / 2, weights=weights)
    assert by_method(row)["matching_did"]["estimate"] == pytest.approx(did.estimate, rel=1e-9)


def test_a_ratio_is_that_of_the_weighted_totals():
    users, propensity, sample = users_and_propensity(seed=2)
    effect = measured(users, propensity, comparison())["ctr"]["effect"]
    weights = propensity["weight__new"].to_numpy()
    ratios = [
        (weights * users["num__ctr"])[arm].sum() / (weights * users["den__ctr"])[arm].sum()
        for arm in (sample.treated, ~sample.treated)
    ]
    assert effect["estimate"] == pytest.approx(ratios[0] - ratios[1], rel=1e-9)
    assert effect["control_mean"] == pytest.approx(ratios[1], rel=1e-9)


def test_the_error_of_a_ratio_is_that_of_repeated_samples():
    effects = [measured(*users_and_propensity(seed)[:2], comparison())["ctr"]["effect"] for seed in range(60)]
    errors = np.mean([effect["standard_error"] for effect in effects])
    assert errors == pytest.approx(np.std([effect["estimate"] for effect in effects]), rel=0.25)


def test_a_missing_outcome_leaves_the_others_of_its_bucket_to_make_up_for_it():
    users, propensity, sample = users_and_propensity(seed=3)
    # Of two thirds of the controls with a high propensity the outcome is missing: weights as they were would be off.
    lost = ~sample.treated & (sample.propensity > 0.5) & (np.arange(N) % 3 > 0)
    users.loc[lost, "y__minutes"] = np.nan
    users.loc[np.arange(N) % 100 == 0, "pre__minutes"] = np.nan
    row = measured(users, propensity, comparison())["minutes"]
    assert row["effect"]["notes"] == [f"missing_outcome: {lost.sum()}"]
    assert abs(row["effect"]["estimate"]) < 0.3
    gone = int((np.arange(N)[~lost] % 100 == 0).sum())
    assert f"no_pre_window: {gone}" in by_method(row)["matching_did"]["notes"]


def test_whoever_was_not_kept_counts_for_nothing():
    users, propensity, _ = users_and_propensity(seed=4)
    propensity["kept__new"] &= np.arange(N) % 2 == 0
    first = measured(users, propensity, comparison())["minutes"]["effect"]
    users.loc[~propensity["kept__new"], "y__minutes"] = 1e9
    assert measured(users, propensity, comparison())["minutes"]["effect"] == first


def test_without_a_pre_window_there_is_matching_alone():
    users, propensity, _ = users_and_propensity(seed=5)
    users = users.drop(columns=["pre__minutes", "prenum__ctr", "preden__ctr"])
    rows = measured(users, propensity, comparison(window={"days": 7, "pre_days": 0}))
    assert set(by_method(rows["minutes"])) & {"matching", "matching_did"} == {"matching"}


def test_where_nobody_was_matched_the_headline_is_undefined_and_says_why():
    users, propensity, _ = users_and_propensity(seed=6)
    rows = measured(users, propensity.assign(kept__new=False), comparison())
    assert rows["minutes"]["effect"]["estimate"] is None
    assert rows["minutes"]["effect"]["notes"] == ["too_few_matched"]
    assert rows["ctr"]["effect"]["estimate"] is None
    assert rows["ctr"]["effect"]["notes"] == ["too_few_matched"]


def test_clusters_are_summed():
    users, propensity, _ = users_and_propensity(seed=7)
    random = np.random.default_rng(7)
    team = random.integers(0, 40, N) + 40 * (users["arm"] == "new").to_numpy()
    users["y__minutes"] += 2 * random.normal(size=80)[team]
    alone = measured(users, propensity, comparison())["minutes"]["effect"]
    together = measured(users.assign(cluster=team), propensity, comparison(cluster="team"))["minutes"]["effect"]
    assert together["estimate"] == alone["estimate"]
    assert together["standard_error"] > 2 * alone["standard_error"]
