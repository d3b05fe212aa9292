import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causal_tasks.data.caps import pooled_cap
from causal_tasks.effects import difference_in_means
from causal_tasks.errors import InputError


@given(
    outcome=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50),
    quantile=st.floats(0.01, 0.99),
)
def test_a_cap_bounds_from_above_and_says_how_many(outcome, quantile):
    cap = pooled_cap(outcome, quantile=quantile)
    bounded = cap.applied_to(outcome)
    assert (bounded <= cap.value).all()
    assert (bounded <= np.array(outcome)).all()
    assert cap.share_capped == np.mean(bounded != np.array(outcome))
    assert cap.share_capped <= 1 - quantile + 1 / len(outcome)


def test_a_cap_is_found_on_all_arms_together_and_then_frozen():
    rng = np.random.default_rng(0)
    outcome = rng.lognormal(0, 2, 20_000)
    cap = pooled_cap(outcome, quantile=0.99)
    assert cap.share_capped == pytest.approx(0.01)
    later = rng.lognormal(0, 2, 20_000) * 2
    assert cap.applied_to(later).max() == cap.value
    arms = np.arange(20_000) % 2
    assert (
        difference_in_means(cap.applied_to(outcome), arms).standard_error
        < 0.6 * difference_in_means(outcome, arms).standard_error
    )


def test_missing_outcomes_are_no_part_of_it_and_stay_missing():
    cap = pooled_cap([1.0, np.nan, 3.0], value=2.0)
    assert cap.share_capped == 0.5
    assert cap.applied_to([np.nan, 5.0]).tolist() == pytest.approx([np.nan, 2.0], nan_ok=True)


@pytest.mark.parametrize(
    ("outcome", "bound", "message"),
    [
        ([], {"value": 1.0}, "no value"),
        ([np.nan], {"value": 1.0}, "no value"),
        ([1.0], {}, "quantile None and value None"),
        ([1.0], {"quantile": 0.9, "value": 1.0}, "quantile 0.9 and value 1.0"),
        ([1.0], {"quantile": 99}, "quantile 99"),
    ],
)
def test_what_is_no_cap_is_refused(outcome, bound, message):
    with pytest.raises(InputError, match=message):
        pooled_cap(outcome, **bound)
