import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from causal_tasks.allocation.contrasts import Contrasts, Differences, contrasts_of, require_rising_cost, suitable_kind
from causal_tasks.errors import InputError


def costs(*means, noise=0.0, n=400, seed=0):
    return np.array(means) + noise * np.random.default_rng(seed).normal(size=(n, len(means)))


@given(
    st.permutations(range(4)),
    st.booleans(),
    arrays(np.float64, (3, 4), elements=st.floats(-100, 100)),
)
def test_levels_come_back_from_their_effects(order, steps, levels):
    order = np.array(order)
    contrasts = Contrasts.steps(order) if steps else Contrasts.with_base(int(order[0]), 4)
    again = contrasts.levels(levels[:, order[0]], contrasts.effects(levels))
    np.testing.assert_allclose(again, levels, atol=1e-9)


def test_steps_go_up_in_cost_whatever_the_order_of_arms():
    contrasts = contrasts_of("marginal_roi", costs(0.5, 2.0, 0.1, 1.0, noise=0.1))
    assert contrasts.named(("none", "big", "free", "small")) == (("free", "none"), ("none", "small"), ("small", "big"))


def test_direct_returns_are_against_the_cheapest_arm_and_gains_against_control():
    cost = costs(0.5, 2.0, 0.1)
    assert contrasts_of("direct_roi", cost).named(("a", "b", "c")) == (("c", "a"), ("c", "b"))
    assert contrasts_of("uplift_rank", cost).named(("a", "b", "c")) == (("a", "b"), ("a", "c"))


@pytest.mark.parametrize(
    ("cost", "kind"),
    [
        (costs(0, 1), "direct_roi"),
        (costs(0.5, 0.2, noise=0.1), "direct_roi"),
        (costs(0, 2, 1), "marginal_roi"),
        (costs(0, 1, 1), "direct_roi"),
        (costs(0, 1, 1.001, noise=0.5), "direct_roi"),
        (costs(0.1, 0.1, 0.1), "uplift_rank"),
        (costs(1, 1.001, noise=0.5), "uplift_rank"),
    ],
)
def test_the_kind_follows_from_which_arms_are_clearly_dearer(cost, kind):
    assert suitable_kind(cost) == kind


def test_standard_errors_are_those_of_a_mean():
    values = np.random.default_rng(0).normal(3, 2, size=(10_000, 1))
    found = Differences.of(values)
    assert found.mean[0] == pytest.approx(3, abs=0.1)
    assert found.standard_error[0] == pytest.approx(0.02, rel=0.05)


def test_pairs_of_one_price_have_no_return():
    found = Differences(np.array([0.1, 0.0]), np.zeros(2))
    with pytest.raises(InputError, match="arm 'mail B' costs no more than arm 'mail A'"):
        require_rising_cost(found, (("none", "mail A"), ("mail A", "mail B")))


def test_pairs_that_may_cost_the_same_are_noted():
    found = Differences(np.array([1.0, 0.1]), np.array([0.1, 0.1]))
    assert require_rising_cost(found, (("a", "b"), ("b", "c"))) == ("cost_hardly_differs:b:c",)
