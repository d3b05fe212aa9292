"""From predictions to rules: what scikit-learn's tree says, said by a rule."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeRegressor

from causal_tasks.errors import InputError
from causal_tasks.subpopulations.encoding import encode
from causal_tasks.subpopulations.rules import grow_tree


def random_users(seed, *, n=400, missing=0.15):
    """Numbers of several kinds, text of several kinds, some of all missing; uplift that depends on all of them."""
    random = np.random.default_rng(seed)
    features = pd.DataFrame(
        {
            "minutes": random.gamma(1, 30, n),
            "share": random.random(n).astype(np.float32),
            "songs": random.poisson(4, n).astype(float),
            "city": pd.Categorical(random.choice(list("abcdefgh"), n, p=[0.4, 0.2, 0.1, 0.1, 0.1, 0.08, 0.015, 0.005])),
            "app": random.choice(["ios", "android", "web"], n),
        }
    )
    features = features.mask(random.random(features.shape) < missing)
    features["member"] = random.integers(0, 2, n).astype(np.int8)
    features["nullable"] = pd.array(random.integers(0, 5, n), dtype="Int64")
    uplift = (
        0.3 * (features["minutes"] > 25)
        - 0.2 * features["minutes"].isna()
        + 0.4 * features["city"].isin(["b", "d"])
        + 0.2 * features["songs"].fillna(9)
        + 0.3 * (features["app"] == "ios") * features["member"]
        + random.normal(0, 0.3, n)
    )
    return features, uplift.to_numpy()


@given(seed=st.integers(0, 10_000), depth=st.integers(1, 4))
@settings(deadline=None, max_examples=20)
def test_without_tolerance_rules_select_exactly_the_leaves_of_scikit_learns_tree(seed, depth):
    features, uplift = random_users(seed)
    root = grow_tree(
        features, uplift, max_depth=depth, min_share=0.03, min_users=20, min_explained=0.0, cut_tolerance=0.0, seed=seed
    )
    sklearn_tree = DecisionTreeRegressor(max_depth=depth, min_samples_leaf=20, random_state=seed)
    matrix = encode(features, uplift).matrix
    leaf_of = sklearn_tree.fit(matrix, uplift).apply(matrix)
    found = {np.asarray(leaf.rule.mask(features)).tobytes() for leaf in root.leaves()}
    assert found == {(leaf_of == leaf).tobytes() for leaf in np.unique(leaf_of)}


@given(seed=st.integers(0, 10_000))
@settings(deadline=None, max_examples=12)
def test_children_split_their_parent_and_every_number_is_counted_by_the_rule(seed):
    features, uplift = random_users(seed, n=900)
    root = grow_tree(features, uplift, min_users=50)
    for node in root.walk():
        members = np.asarray(node.rule.mask(features))
        assert node.users == members.sum()
        assert node.share == pytest.approx(members.mean())
        assert node.predicted == pytest.approx(uplift[members].mean())
        if node.children:
            assert sum(child.users for child in node.children) == node.users
            assert not np.logical_and(*(np.asarray(child.rule.mask(features)) for child in node.children)).any()


@given(seed=st.integers(0, 10_000))
@settings(deadline=None, max_examples=12)
def test_rounding_the_first_cut_moves_at_most_one_percent_of_users(seed):
    features, uplift = random_users(seed, n=1000)
    exact, rounded = (
        grow_tree(features, uplift, max_depth=1, min_users=50, cut_tolerance=tolerance) for tolerance in (0.0, 0.01)
    )
    moved = np.asarray(exact.children[0].rule.mask(features)) != np.asarray(rounded.children[0].rule.mask(features))
    assert moved.sum() <= 10


def test_a_cut_point_is_readable():
    random = np.random.default_rng(0)
    features = pd.DataFrame({"minutes": random.gamma(2, 17.3217, 5000)})
    root = grow_tree(features, (features["minutes"] > 29.87).to_numpy(dtype=float), max_depth=1)
    assert [child.rule.in_words("en") for child in root.children] == ["minutes ≤ 30", "minutes > 30"]


def test_several_cuts_of_one_feature_become_one_condition_per_side():
    features = pd.DataFrame({"x": np.arange(8000) / 8})
    uplift = np.floor(features["x"].to_numpy() / 125) ** 2
    words = [leaf.rule.in_words("en") for leaf in grow_tree(features, uplift, max_depth=3).leaves()]
    assert words[-1] == "x > 874" or words[-1].startswith("x > 8")
    assert all(word.count("x >") <= 1 and word.count("x ≤") <= 1 for word in words)
    assert sum(len(leaf.rule.conditions) == 1 for leaf in grow_tree(features, uplift, max_depth=3).leaves()) == 2


def test_categories_become_sets_of_levels_and_rare_levels_stay_together():
    random = np.random.default_rng(1)
    city = random.choice(["a", "b", "c", "rare1", "rare2"], 10_000, p=[0.4, 0.3, 0.29, 0.005, 0.005])
    uplift = np.isin(city, ["a", "c"]) * 1.0 + (city == "rare2") * 5.0
    root = grow_tree(pd.DataFrame({"city": city}), uplift, max_depth=1)
    low, high = (set(child.rule.conditions[0].value) for child in root.children)
    assert (low, high) == ({"b"}, {"a", "c", "rare1", "rare2"})


def test_a_level_nobody_has_yet_is_on_exactly_one_side():
    city = pd.Categorical(["a"] * 500 + ["b"] * 500, categories=["a", "b", "new"])
    root = grow_tree(pd.DataFrame({"city": city}), np.repeat([0.0, 1.0], 500), max_depth=1)
    assert sorted(level for child in root.children for level in child.rule.conditions[0].value) == ["a", "b", "new"]


def test_being_missing_can_itself_be_the_rule():
    x = np.where(np.arange(1000) % 2, np.nan, 3.0)
    root = grow_tree(pd.DataFrame({"x": x}), np.isnan(x) * 1.0, max_depth=1)
    assert [child.rule.in_words("en") for child in root.children] == ["x is known", "x is missing"]


def test_missing_values_go_to_the_side_whose_users_they_resemble_and_the_rule_says_so():
    x = np.concatenate([np.arange(900.0), np.full(300, np.nan)])
    root = grow_tree(pd.DataFrame({"x": x}), np.where(x <= 400, 0.0, 1.0), max_depth=1)
    assert [child.rule.in_words("en") for child in root.children] == ["x ≤ 400", "x > 400 (or missing)"]


def test_rules_are_silent_about_missing_values_where_there_are_none():
    x = np.arange(1000.0)
    root = grow_tree(pd.DataFrame({"x": x, "y": x}), (x > 500) * 1.0, max_depth=1)
    assert not any(condition.missing for leaf in root.leaves() for condition in leaf.rule.conditions)


def test_equal_predictions_give_no_rule():
    assert grow_tree(pd.DataFrame({"x": np.arange(1000.0)}), np.ones(1000)).children == ()


def test_a_split_that_tells_hardly_anything_apart_is_not_made():
    random = np.random.default_rng(6)
    features = pd.DataFrame({"x": random.random(20_000), "noise": random.random(20_000)})
    uplift = (features["x"] > 0.5) + random.normal(0, 0.1, 20_000)
    assert len(list(grow_tree(features, uplift).leaves())) == 2
    assert len(list(grow_tree(features, uplift, min_explained=0.0).leaves())) == 8


def test_leaves_are_large_enough_for_both_limits():
    features, uplift = random_users(3, n=3000)
    assert min(leaf.users for leaf in grow_tree(features, uplift, cut_tolerance=0, min_users=500).leaves()) >= 500
    assert min(leaf.share for leaf in grow_tree(features, uplift, cut_tolerance=0, min_share=0.2).leaves()) >= 0.2


def test_the_same_seed_grows_the_same_tree():
    features, uplift = random_users(4, n=1000)
    assert grow_tree(features, uplift, seed=3) == grow_tree(features.copy(), uplift.copy(), seed=3)


def test_nodes_overlap_with_their_ancestors_only():
    features, uplift = random_users(5, n=3000)
    root = grow_tree(features, uplift)
    for a in root.walk():
        for b in root.walk():
            share_users = (np.asarray(a.rule.mask(features)) & np.asarray(b.rule.mask(features))).any()
            assert a.overlaps(b) == share_users


@pytest.mark.parametrize(
    ("features", "uplift", "message"),
    [
        ({"x": [1.0, np.inf]}, [0.0, 1.0], "'x' holds 1 values that are infinite"),
        ({"x": [1.0, 1e39]}, [0.0, 1.0], "beyond"),
        ({"day": pd.to_datetime(["2026-01-01", "2026-01-02"])}, [0.0, 1.0], "'day' of type datetime64.* neither"),
        ({"level": pd.Categorical([1, 2])}, [0.0, 1.0], "'level' of type category is neither"),
        ({"x": [1.0, 2.0]}, [0.0, np.nan], "1 predictions"),
        ({"x": [1.0, 2.0]}, [0.0], "shape"),
        ({}, [], "at least one row"),
    ],
)
def test_what_no_tree_can_be_grown_on_is_refused_by_name(features, uplift, message):
    with pytest.raises(InputError, match=message):
        grow_tree(pd.DataFrame(features), np.array(uplift))
