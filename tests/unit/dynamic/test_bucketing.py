import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causal_tasks.base_models import DesignMatrix, StoredDesign
from causal_tasks.dynamic.bucketing import Bucketing
from causal_tasks.errors import InputError


def learned(columns, kind="paper", **options):
    design = DesignMatrix(pd.DataFrame(columns))
    return Bucketing.learn(design, kind=kind, **options), design


def local(bucketing, design):
    """Buckets of each feature from 0."""
    return bucketing.encode(design) - np.cumsum((0, *bucketing.cardinalities))[:-1]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=30))
def test_paper_buckets_are_hundredths_of_the_largest_value_as_the_script_rounds_them(values):
    bucketing, design = learned({"x": np.array(values, dtype=np.float32)})
    divisor = max(1e-8, *values)
    expected = [min(100, max(0, int(value / divisor * 100))) for value in values]
    assert local(bucketing, design)[:, 0].tolist() == expected


def test_paper_buckets_round_down_as_floating_point_does():
    # 0.29 * 100 is 28.999999999999996.
    bucketing, _ = learned({"x": np.array([29.0, 100.0])})
    later = DesignMatrix(pd.DataFrame({"x": [29.0, 100.0, 1e9, -3.0]}))
    assert local(bucketing, later)[:, 0].tolist() == [28, 100, 100, 0]


def test_a_feature_that_is_never_positive_is_one_bucket_in_the_paper_and_many_by_quantiles():
    x = -np.random.default_rng(0).random(500) - 0.5
    paper, design = learned({"x": x})
    assert set(local(paper, design)[:, 0]) == {0}
    assert paper.losing_sign == {"x": 1.0}
    quantile, _ = learned({"x": x}, kind="quantile")
    assert len(set(local(quantile, design)[:, 0])) == 101
    assert quantile.losing_sign == {}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-100, 100, width=32), min_size=2, max_size=200), st.integers(1, 20))
def test_quantile_buckets_rise_with_the_value_and_hold_like_numbers_of_rows(values, buckets):
    x = np.array(values, dtype=np.float32)
    bucketing, design = learned({"x": x}, kind="quantile", buckets=buckets)
    found = local(bucketing, design)[:, 0]
    assert found.min() >= 0
    assert found.max() <= buckets
    assert (np.diff(found[np.argsort(x)]) >= 0).all()
    # An edge is a value, so what is more than its share in a bucket has one value.
    for bucket in set(found):
        inside = x[found == bucket]
        assert (inside > inside.min()).sum() <= len(x) / (buckets + 1) + 1


def test_quantile_buckets_do_not_change_when_values_are_stretched():
    x = np.random.default_rng(0).normal(size=2_000).astype(np.float32)
    plain, design = learned({"x": x}, kind="quantile")
    stretched, other = learned({"x": np.exp(3 * x)}, kind="quantile")
    np.testing.assert_array_equal(plain.encode(design), stretched.encode(other))


@pytest.mark.parametrize("kind", ["paper", "quantile"])
def test_missing_has_a_bucket_of_its_own_where_a_training_row_missed_the_feature_and_is_the_mean_elsewhere(kind):
    bucketing, _ = learned({"full": [0.0, 1.0, 2.0, 5.0], "holes": [1.0, np.nan, 2.0, 4.0]}, kind=kind)
    assert bucketing.cardinalities == (101, 102)
    later = DesignMatrix(pd.DataFrame({"full": [np.nan, 2.0], "holes": [np.nan, 4.0]}))
    found = local(bucketing, later)
    assert found[0, 0] == found[1, 0], "the mean of 0, 1, 2 and 5"
    assert found[0, 1] == 101
    assert found[1, 1] <= 100


def test_a_categorical_feature_has_a_bucket_per_level_and_one_for_missing():
    city = pd.Categorical(["a", None, "c", "a"], categories=["a", "b", "c"])
    bucketing, design = learned({"city": city, "x": [1.0, 2.0, 3.0, 4.0]})
    assert bucketing.cardinalities == (3, 101), "nobody has b"
    assert local(bucketing, design)[:, 0].tolist() == [1, 0, 2, 1]
    strange = DesignMatrix(pd.DataFrame({"city": pd.Categorical(["d"]), "x": [1.0]}))
    with pytest.raises(InputError, match=r"'city' has 1 levels that were not there in fit \('d'\)"):
        bucketing.encode(strange)


def test_positions_of_features_do_not_overlap_and_take_more_bits_where_they_must():
    columns = {f"x{k}": np.arange(500.0) for k in range(4)}
    bucketing, design = learned(columns)
    found = bucketing.encode(design)
    assert found.dtype == np.int16
    for k in range(4):
        assert found[:, k].min() == 101 * k
        assert found[:, k].max() == 101 * k + 100
    wide, _ = learned({"user": pd.Categorical([f"u{k:05}" for k in range(40_000)])})
    other = wide.encode(DesignMatrix(pd.DataFrame({"user": pd.Categorical(["u39999"])})))
    assert other[0, 0] == 40_000


@pytest.mark.parametrize("kind", ["paper", "quantile"])
def test_what_is_written_as_json_reads_the_same(kind):
    random = np.random.default_rng(0)
    columns = {
        "x": random.normal(size=300),
        "city": pd.Categorical(random.choice(["甲", "b"], 300)),
        "y": random.random(300),
    }
    bucketing, design = learned(columns, kind=kind)
    again = Bucketing.from_state(json.loads(json.dumps(bucketing.to_state())))
    np.testing.assert_array_equal(again.encode(design), bucketing.encode(design))
    assert again.cardinalities == bucketing.cardinalities
    assert again.losing_sign == bucketing.losing_sign


@pytest.mark.parametrize("kind", ["paper", "quantile"])
def test_a_file_gives_the_buckets_of_the_frame(kind, tmp_path):
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"x": random.normal(size=70_000).astype("float32"), "y": random.random(70_000).astype("float32")}
    )
    frame.loc[::7, "y"] = np.nan
    frame.to_parquet(tmp_path / "users.parquet", row_group_size=1_000)
    held = Bucketing.learn(DesignMatrix(frame), kind=kind)
    stored = Bucketing.learn(StoredDesign(tmp_path / "users.parquet"), kind=kind)
    assert held.to_state() == stored.to_state()


def test_features_without_a_number_are_taken():
    bucketing, design = learned({"city": pd.Categorical(["a", "b"])}, kind="quantile")
    again = Bucketing.from_state(bucketing.to_state())
    assert again.encode(design).tolist() == [[1], [2]]


@pytest.mark.parametrize("wrong", [{"kind": "equal"}, {"kind": "paper", "buckets": 0}])
def test_a_bucketing_that_cannot_be_is_named(wrong):
    with pytest.raises(InputError, match="bucketing is"):
        Bucketing.learn(DesignMatrix(pd.DataFrame({"x": [1.0]})), **wrong)
