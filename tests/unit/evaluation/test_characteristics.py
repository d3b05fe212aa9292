"""Who gains most against who gains least, feature by feature."""

import numpy as np
import pandas as pd
import pytest

from causal_tasks.errors import InputError
from causal_tasks.evaluation import characteristics

N = 1_000


def users(seed=0):
    random = np.random.default_rng(seed)
    uplift = random.random(N)
    features = pd.DataFrame(
        {
            "age": 30 + 10 * uplift + random.normal(size=N),
            "new": uplift + 0.3 * random.normal(size=N) > 0.5,
            "city": np.where(uplift + 0.3 * random.normal(size=N) > 0.5, "Shenzhen", "Beijing"),
        }
    )
    return features, uplift


def top_and_bottom(uplift, groups=5):
    order = np.argsort(-uplift)
    return order[: N // groups], order[-N // groups :]


def row(table, feature, level=None):
    chosen = table[(table["feature"] == feature) & table["level"].map(lambda found: found == level)]
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_a_number_is_compared_by_its_mean_with_welch_errors():
    features, uplift = users()
    found = row(characteristics(features, uplift), "age")
    top, bottom = (features["age"].to_numpy()[rows] for rows in top_and_bottom(uplift))
    error = np.sqrt(top.var(ddof=1) / len(top) + bottom.var(ddof=1) / len(bottom))
    assert found["top"] == pytest.approx(top.mean())
    assert found["bottom"] == pytest.approx(bottom.mean())
    assert found["difference"] == pytest.approx(top.mean() - bottom.mean())
    assert found["standard_error"] == pytest.approx(error)
    assert found["high"] - found["low"] == pytest.approx(2 * 1.959964 * error)
    assert found["standardized"] == pytest.approx(found["difference"] / features["age"].std(ddof=0))


def test_booleans_and_levels_are_compared_by_their_shares():
    features, uplift = users()
    table = characteristics(features, uplift, groups=4)
    top, bottom = (features.iloc[rows] for rows in top_and_bottom(uplift, groups=4))
    assert row(table, "new")["top"] == pytest.approx(top["new"].mean())
    for city in ("Shenzhen", "Beijing"):
        found = row(table, "city", city)
        assert found["top"] == pytest.approx((top["city"] == city).mean())
        assert found["bottom"] == pytest.approx((bottom["city"] == city).mean())


@pytest.mark.parametrize("dtype", ["str", "object", "category"])
def test_text_is_read_alike_however_it_is_stored(dtype):
    features, uplift = users()
    expected = characteristics(features, uplift)
    pd.testing.assert_frame_equal(characteristics(features.astype({"city": dtype}), uplift), expected)


@pytest.mark.parametrize("dtype", ["boolean", "Float64", "float32"])
def test_numbers_are_read_alike_however_they_are_stored(dtype):
    features, uplift = users()
    expected = row(characteristics(features, uplift), "new")
    found = row(characteristics(features.astype({"new": dtype}), uplift), "new")
    assert found["difference"] == pytest.approx(expected["difference"])


def test_missing_values_are_left_out_of_means_and_their_shares_told():
    features, uplift = users()
    top, _ = top_and_bottom(uplift)
    features.loc[top[:50], ["age", "city"]] = None
    table = characteristics(features, uplift)
    for feature, level in (("age", None), ("city", "Shenzhen")):
        found = row(table, feature, level)
        assert (found["missing_top"], found["missing_bottom"]) == (0.25, 0.0)
    assert row(table, "age")["top"] == pytest.approx(features["age"].to_numpy()[top[50:]].mean())
    assert row(table, "city", "Shenzhen")["top"] == pytest.approx(
        (features["city"].iloc[top[50:]] == "Shenzhen").mean()
    )


def test_a_feature_that_one_group_lacks_is_left_out():
    features, uplift = users()
    features.loc[top_and_bottom(uplift)[1][1:], "age"] = np.nan
    assert set(characteristics(features, uplift)["feature"]) == {"new", "city"}


def test_rare_levels_are_left_out_and_the_commonest_comes_first():
    features, uplift = users()
    features["plan"] = ["free"] * 700 + ["paid"] * 295 + [f"trial {i}" for i in range(5)]
    table = characteristics(features[["plan"]], uplift)
    assert table["level"].tolist() == ["free", "paid"]


def test_a_constant_feature_differs_by_nothing():
    _, uplift = users()
    found = characteristics(pd.DataFrame({"one": np.ones(N)}), uplift).iloc[0]
    assert (found["difference"], found["standard_error"], found["standardized"]) == (0.0, 0.0, 0.0)


def test_a_level_that_all_of_one_group_have_and_none_of_the_other_is_told_in_finite_numbers():
    uplift = np.arange(N, dtype=float)
    table = characteristics(pd.DataFrame({"half": np.where(uplift < N / 2, "lower", "upper")}), uplift)
    assert row(table, "half", "upper")["standardized"] == pytest.approx(2.0)
    assert np.isfinite(table.drop(columns=["feature", "level"]).to_numpy(dtype=float)).all()


def test_clusters_widen_the_interval_of_what_their_users_share():
    features, uplift = users()
    repeated = pd.concat([features[["age"]]] * 4, ignore_index=True)
    clusters = np.tile(np.arange(N), 4)
    single = characteristics(features[["age"]], uplift).iloc[0]
    found = characteristics(repeated, np.tile(uplift, 4), clusters=clusters).iloc[0]
    assert found["standard_error"] == pytest.approx(single["standard_error"])


def test_no_feature_gives_an_empty_table_with_all_columns():
    table = characteristics(pd.DataFrame(index=range(N)), users()[1])
    assert len(table) == 0
    assert {"feature", "level", "difference", "standardized"} <= set(table.columns)


def test_users_without_a_prediction_are_refused():
    features, uplift = users()
    with pytest.raises(InputError, match="features have 1000 rows, uplift 999"):
        characteristics(features, uplift[1:])


def test_an_infinite_number_is_refused_by_the_name_of_its_column():
    features, uplift = users()
    features.loc[3, "age"] = np.inf
    with pytest.raises(InputError, match="column 'age' holds 1 infinite"):
        characteristics(features, uplift)
