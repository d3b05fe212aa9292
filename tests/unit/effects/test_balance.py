import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causal_tasks.effects import standardized_mean_differences
from causal_tasks.errors import InputError

TREATED = np.array([0, 0, 0, 0, 1, 1, 1, 1])


def by_name(table):
    return {(row.feature, row.level): row.difference for row in table.itertuples()}


def test_numbers_levels_and_missing_values_have_a_row_each_in_the_order_of_columns():
    frame = pd.DataFrame(
        {
            "age": [20.0, 30.0, 40.0, np.nan, 30.0, 40.0, 50.0, np.nan],
            "city": pd.Categorical(["a", "a", "b", None, "b", "b", "b", "a"], categories=["a", "b", "c"]),
            "vip": [True, False, False, False, True, True, True, False],
        }
    )
    table = standardized_mean_differences(frame, TREATED)
    assert list(zip(table["feature"], table["level"], strict=True)) == [
        *(("age", None), ("age", "missing"), ("city", "a"), ("city", "b"), ("city", "missing"), ("vip", None)),
    ]
    found = by_name(table)
    assert found["age", None] == pytest.approx(10 / np.sqrt(200 / 3))
    assert found["age", "missing"] == 0
    assert found["city", "a"] == pytest.approx((0.25 - 0.5) / np.sqrt((0.25 * 0.75 + 0.5 * 0.5) / 2))
    assert found["vip", None] == pytest.approx((0.75 - 0.25) / np.sqrt(0.25 * 0.75))


def test_weights_move_means_and_leave_the_yardstick():
    random = np.random.default_rng(0)
    values, treated = random.normal(size=400), np.arange(400) % 2 == 1
    level = pd.Categorical(np.where(values > 0, "high", "low"))
    weights = random.random(400)
    found = by_name(standardized_mean_differences(pd.DataFrame({"x": values, "l": level}), treated, weights=weights))
    arms = treated, ~treated
    means = [np.average(values[arm], weights=weights[arm]) for arm in arms]
    shares = [np.average(values[arm] > 0, weights=weights[arm]) for arm in arms]
    plain = [(values[arm] > 0).mean() for arm in arms]
    assert found["x", None] == pytest.approx((means[0] - means[1]) / np.sqrt(sum(values[a].var() for a in arms) / 2))
    assert found["l", "high"] == pytest.approx((shares[0] - shares[1]) / np.sqrt(sum(p * (1 - p) for p in plain) / 2))


def test_what_separates_the_arms_or_never_varies_is_finite():
    frame = pd.DataFrame(
        {
            "arm": TREATED.astype(float),
            "same": 7.0,
            "none": np.nan,
            "level": pd.Categorical(np.where(TREATED, "new", "old")),
            "known_in_one": np.where(TREATED == 1, TREATED.astype(float) + np.arange(8), np.nan),
        }
    )
    found = by_name(standardized_mean_differences(frame, TREATED))
    assert found["arm", None] == found["level", "new"] == 2.0
    assert found["same", None] == found["none", "missing"] == found["known_in_one", None] == 0.0
    assert found["known_in_one", "missing"] == -2.0
    assert np.isfinite(list(found.values())).all()


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31), st.floats(0.01, 1e4), st.floats(-1e3, 1e3))
def test_units_of_measurement_do_not_matter_and_swapping_arms_turns_the_sign(seed, scale, shift):
    random = np.random.default_rng(seed)
    values, treated = random.normal(size=(60, 2)), random.permutation(60) < 25
    first = standardized_mean_differences(values, treated)["difference"]
    np.testing.assert_allclose(
        standardized_mean_differences(values * scale + shift, treated)["difference"], first, atol=1e-6
    )
    np.testing.assert_allclose(standardized_mean_differences(values, ~treated)["difference"], -first)


@pytest.mark.parametrize(
    ("covariates", "options", "message"),
    [
        (np.ones(7), {}, "covariates have 7 rows"),
        (np.full(8, np.inf), {}, "'x0' has 8 infinite values"),
        (np.arange(8.0), {"weights": -TREATED}, "none negative"),
        (np.arange(8.0), {"weights": TREATED}, "every unit of the control arm has weight 0"),
        (np.arange(8.0), {"control": 2}, "control arm 2 has no unit"),
    ],
)
def test_wrong_arguments_are_named(covariates, options, message):
    with pytest.raises(InputError, match=message):
        standardized_mean_differences(covariates, TREATED, **options)
