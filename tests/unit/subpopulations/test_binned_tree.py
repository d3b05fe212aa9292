"""The quick tree against scikit-learn's."""

import numpy as np
import pandas as pd
import pytest
from sklearn.tree import DecisionTreeRegressor

from causal_tasks.subpopulations.binned_tree import MISSING, BinnedFeatures, grow_binned
from causal_tasks.subpopulations.encoding import encode

MIN_EXPLAINED = 0.001


def features(seed, *, n=3000, missing=False, text=False, distinct=20):
    random = np.random.default_rng(seed)
    frame = pd.DataFrame({f"x{k}": random.integers(0, distinct, n).astype("float32") for k in range(4)})
    if missing:
        for name in ("x0", "x2"):
            frame.loc[random.random(n) < 0.15, name] = np.nan
    if text:
        frame["city"] = pd.Categorical(random.choice(list("abcdefgh"), n))
    return frame


def target(frame, seed):
    random = np.random.default_rng(seed + 1000)
    known = frame["x0"].fillna(15).to_numpy()
    value = np.where((known > 11) & (frame["x1"] <= 7), 2.0, 0.0) + 0.3 * (frame["x2"].fillna(0).to_numpy() > 4)
    if "city" in frame:
        value = value + frame["city"].isin(["b", "f"]).to_numpy()
    return value + random.normal(0, 0.5, len(frame))


def grown(frame, values, weight, **changes):
    binned = BinnedFeatures.of(frame, values)
    options = {"max_depth": 3, "min_weight": 50, "min_explained": MIN_EXPLAINED} | changes
    return binned, grow_binned(binned, values, weight, **options)


def predicted(binned, root):
    by_leaf = {node.leaves.start: node.predicted for node in root.walk() if node.split is None}
    return np.array([by_leaf[leaf] for leaf in root.leaf_of(binned.codes)])


def library(frame, values, weight):
    """scikit-learn's predictions for all users, from a tree on users repeated as often as they were drawn."""
    rows = np.repeat(np.arange(len(values)), weight.astype(int))
    encoding = encode(frame.iloc[rows], values[rows])
    fitted = DecisionTreeRegressor(
        max_depth=3, min_samples_leaf=50, min_impurity_decrease=MIN_EXPLAINED * values[rows].var(), random_state=0
    ).fit(encoding.matrix, values[rows])
    matrix = encode(frame, values).matrix
    for position, name in enumerate(encoding.names):
        if name in encoding.groups:
            place = {level: k for k, group in enumerate(encoding.groups[name]) for level in group}
            matrix[:, position] = frame[name].map(place).to_numpy(dtype=np.float32)
    return fitted.predict(matrix)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", [{}, {"missing": True}, {"text": True}, {"missing": True, "text": True}])
def test_on_few_distinct_values_it_is_the_tree_of_scikit_learn(seed, kind):
    frame = features(seed, **kind)
    values = target(frame, seed)
    weight = np.bincount(np.random.default_rng(seed).integers(3000, size=3000), minlength=3000).astype(float)
    drawn = weight > 0
    binned, root = grown(frame, values, weight)
    np.testing.assert_allclose(predicted(binned, root)[drawn], library(frame, values, weight)[drawn], rtol=1e-5)


def test_on_many_distinct_values_it_explains_as_much_as_scikit_learn():
    random = np.random.default_rng(5)
    frame = pd.DataFrame({f"x{k}": random.normal(size=8000) for k in range(4)})
    values = np.where((frame["x0"] > 0.3) & (frame["x1"] < 0.1), 1.0, 0.0) + random.normal(0, 0.5, 8000)
    binned, root = grown(frame, values, np.ones(8000))
    error = ((values - predicted(binned, root)) ** 2).mean()
    assert error == pytest.approx(((values - library(frame, values, np.ones(8000))) ** 2).mean(), rel=0.01)


def test_bins_hold_equally_many_users_and_missing_values_have_their_own():
    values = np.append(np.random.default_rng(0).gamma(1, 10, 25_500), [np.nan] * 7)
    binned = BinnedFeatures.of(pd.DataFrame({"x": values}), np.zeros(len(values)))
    counts = np.bincount(binned.codes[0], minlength=256)
    assert counts[MISSING] == 7
    assert set(counts[:MISSING]) == {100}


def test_bounds_of_a_node_say_who_is_in_it():
    frame = features(0)
    binned, root = grown(frame, target(frame, 0), np.ones(3000))
    leaf = root.leaf_of(binned.codes)
    for node in root.walk():
        inside = np.ones(3000, dtype=bool)
        for (name, side), cut in node.bounds.items():
            inside &= (frame[name] <= cut) if side == "<=" else (frame[name] > cut)
        np.testing.assert_array_equal(inside, (leaf >= node.leaves.start) & (leaf < node.leaves.stop))


def test_leaves_are_as_large_and_paths_as_short_as_asked_for():
    frame = features(1)
    binned, root = grown(frame, target(frame, 1), np.full(3000, 2.0), max_depth=2, min_weight=900)
    leaf = root.leaf_of(binned.codes)
    assert 1 < len(root.leaves) <= 4
    assert 2 * np.bincount(leaf).min() >= 900


@pytest.mark.parametrize("value", [0.0, 0.1, -1e9])
def test_where_all_predictions_are_equal_nothing_is_split(value):
    frame = features(2)
    assert grown(frame, np.full(3000, value), np.ones(3000))[1].split is None


def test_a_feature_without_any_value_is_never_split_on():
    frame = features(3).assign(empty=np.nan)
    binned, root = grown(frame, target(frame, 3), np.ones(3000))
    assert {binned.names[node.split.feature] for node in root.walk() if node.split} <= {"x0", "x1", "x2", "x3"}


def test_missing_and_known_may_be_told_apart():
    random = np.random.default_rng(4)
    frame = pd.DataFrame({"x": np.where(random.random(2000) < 0.4, np.nan, random.random(2000))})
    binned, root = grown(frame, frame["x"].isna().to_numpy() + random.normal(0, 0.1, 2000), np.ones(2000))
    assert (root.split.cut, root.children[1].bounds) == (None, {})
    np.testing.assert_array_equal(root.leaf_of(binned.codes) == root.leaves.stop - 1, frame["x"].isna())
