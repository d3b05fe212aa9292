import numpy as np
import pandas as pd
import pytest
from scipy import stats

from causal_tasks.thresholds import Thresholds
from causal_tasks.validity.arms import Arms
from causal_tasks.validity.sample_ratio import locate
from tests.unit.data.prepared import FEATURES, N, healthy_users, stated


def located(users, features=FEATURES, experiment=None):
    experiment = experiment or stated()
    return locate(users, features, Arms.of(users, experiment.arms), experiment, Thresholds())


def without(users, lost):
    """Users without those of the new arm for whom ``lost`` holds."""
    return users[~(lost & (users["arm"] == "new")).to_numpy()]


def test_a_level_is_named_with_its_counts_its_corrected_p_value_and_that_of_all_other_users():
    users = healthy_users()
    users = without(users, (users["city"] == "city7") & (np.arange(N) % 3 > 0))
    (place,) = located(users)
    counts = users[users["city"] == "city7"]["arm"].value_counts()
    rest = users[users["city"] != "city7"]["arm"].value_counts()
    tests = 10 + 30 + 2  # days, cities, vip or not; gender is sensitive, tenure has no levels
    assert (place["feature"], place["level"]) == ("city", "city7")
    assert place["observed"] == {"control": counts["control"], "new": counts["new"]}
    assert place["p_value"] == pytest.approx(tests * stats.chisquare(counts).pvalue)
    assert place["p_rest"] == pytest.approx(stats.chisquare(rest).pvalue)


def test_a_missing_value_is_a_place_too():
    users = healthy_users()
    users["city"] = users["city"].where(np.arange(N) // 2 % 8 > 0)
    place, *_ = located(without(users, users["city"].isna() & (np.arange(N) % 4 == 1)))
    assert (place["feature"], place["level"]) == ("city", None)


def test_where_only_chance_parts_the_shares_no_place_is_named():
    named = 0
    for seed in range(20):
        users = healthy_users(seed)
        users["arm"] = pd.Categorical(np.random.default_rng(seed).permutation(users["arm"]))
        named += len(located(users))
    assert named <= 1  # the probability of one or more is at most 1 % each


def test_a_sensitive_feature_is_never_named():
    users = healthy_users()
    skewed = without(users, (users["gender"] == "f") & (np.arange(N) % 3 > 0))
    assert "gender" not in {place["feature"] for place in located(skewed)}
    assert located(skewed, experiment=stated(features={}))[0]["feature"] == "gender"


def test_at_most_five_places_are_named_worst_first():
    users = healthy_users()
    worse = users["city"].isin([f"city{k}" for k in range(9)]) & (np.arange(N) % 8 > 1)
    found = located(without(users, worse))
    assert len(found) == 5
    assert [place["p_value"] for place in found] == sorted(place["p_value"] for place in found)


def test_levels_too_small_for_the_test_and_features_of_too_many_levels_are_left_out():
    users = healthy_users()
    users["shop"] = pd.Categorical([f"shop{k % 51}" for k in range(N)])
    users["rare"] = pd.Categorical(np.where(np.arange(N) < 8, "yes", "no"))
    users = without(users, (users["rare"] == "yes") | users["shop"].isin(["shop1", "shop3"]))
    assert located(users, ("shop", "rare")) == []
