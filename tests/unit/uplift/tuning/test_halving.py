"""Which trials go on to more rows, and which rows those are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causal_tasks.uplift.tuning.halving import DIVISORS, SMALLEST_ARM, drawing_order, goes_on, rung_divisors


@pytest.mark.parametrize(
    ("score", "earlier", "on"),
    [
        (1.0, [], True),
        (1.0, [2.0], False),
        (3.0, [2.0], True),
        (2.0, [2.0], True),
        (1.5, [2.0, 1.0, 1.0, 1.0], False),
        (1.5, [2.0, 1.0, 1.0, 1.0, 1.0], True),
        (1.5, [2.0, 3.0, 1.0, 1.0, 1.0], False),
        (1.5, [2.0, 3.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0], True),
    ],
)
def test_the_best_third_of_those_that_reached_a_rung_goes_on(score, earlier, on):
    assert goes_on(score, earlier) == on


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=30, unique=True))
def test_of_distinct_scores_as_many_go_on_as_there_are_places_when_each_is_judged_last(scores):
    judged_last = [goes_on(score, [other for other in scores if other != score]) for score in scores]
    assert sum(judged_last) == max(1, len(scores) // 3)


@pytest.mark.parametrize(
    ("smallest_arm", "divisors"),
    [
        (0, (1,)),
        (3 * SMALLEST_ARM - 1, (1,)),
        (3 * SMALLEST_ARM, (3, 1)),
        (9 * SMALLEST_ARM - 1, (3, 1)),
        (9 * SMALLEST_ARM, DIVISORS),
    ],
)
def test_a_rung_with_too_few_users_in_the_smallest_arm_is_skipped(smallest_arm, divisors):
    assert rung_divisors(smallest_arm) == divisors


@given(st.lists(st.integers(1, 40), min_size=2, max_size=4), st.integers(0, 5))
def test_every_beginning_holds_each_arm_at_its_share(sizes, seed):
    arm = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    order = drawing_order(arm, seed)
    assert sorted(order) == list(range(len(arm)))
    for length in range(1, len(arm) + 1):
        expected = np.array(sizes) * length / len(arm)
        assert (np.abs(np.bincount(arm[order[:length]], minlength=len(sizes)) - expected) <= len(sizes) / 2).all()


def test_another_seed_draws_others():
    arm = np.arange(2_000) % 2
    assert set(drawing_order(arm, 0)[:200]) != set(drawing_order(arm, 1)[:200])
    assert (drawing_order(arm, 0) == drawing_order(arm, 0)).all()
