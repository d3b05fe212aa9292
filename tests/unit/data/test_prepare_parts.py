import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causal_tasks.data.parts import buckets, folds, parts

GOLDEN = {
    "1": 717,
    "2": 270,
    "42": 234,
    "1000000007": 863,
    "u1": 264,
    "user-000017": 324,
    "用户三": 883,
    "a b": 671,
    "": 315,
    "Z": 645,
}


def test_buckets_never_change():
    """Ten values; another result would move units between discovery and estimation of every past experiment."""
    assert dict(zip(GOLDEN, buckets(pd.Series(list(GOLDEN)), "exp-1").tolist(), strict=True)) == GOLDEN


def test_an_integer_id_has_the_bucket_of_its_text():
    numbers = pd.Series([7, 123456789012, -3])
    assert buckets(numbers, "e").tolist() == buckets(numbers.astype(str), "e").tolist()


@given(st.lists(st.text(max_size=8), min_size=1, max_size=20), st.randoms())
def test_a_bucket_depends_on_the_unit_alone(ids, random):
    alone = [int(buckets(pd.Series([unit], dtype="str"), "e")[0]) for unit in ids]
    order = list(range(len(ids)))
    random.shuffle(order)
    together = buckets(pd.Series([ids[i] for i in order], dtype="str"), "e")
    assert together.tolist() == [alone[i] for i in order]


def test_another_experiment_cuts_the_same_units_differently():
    units = pd.Series(range(5000))
    first, second = parts(buckets(units, "a")), parts(buckets(units, "b"))
    both = np.mean((first == "discovery") & (second == "discovery"))
    assert both == pytest.approx(0.36, abs=0.03)


def test_parts_and_folds_have_their_shares():
    bucket = np.arange(1000)
    assert (parts(bucket)[:600] == "discovery").all()
    assert (parts(bucket)[600:] == "estimation").all()
    assert np.bincount(folds(bucket)[:600]).tolist() == [120] * 5
    assert folds(bucket).dtype == np.int8
    assert set(folds(bucket)[600:]) <= {0, 1, 2, 3, 4}


def test_units_spread_evenly():
    found = np.bincount(buckets(pd.Series(range(100_000)), "e") // 100, minlength=10)
    assert abs(found - 10_000).max() < 400
