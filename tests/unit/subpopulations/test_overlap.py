"""Whom rules share."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causal_tasks.subpopulations.overlap import jaccard, repeated, unique_shares

MASKS = [np.array(list(text)) == "x" for text in ("xxxx......", "xx.xx.....", "......xxxx", "..........")]


def test_shared_users_are_divided_by_users_in_either():
    expected = np.eye(4)
    expected[0, 1] = expected[1, 0] = 3 / 5
    np.testing.assert_allclose(jaccard(MASKS), expected)


def test_only_users_of_one_rule_are_its_own():
    assert unique_shares(MASKS) == pytest.approx([0.1, 0.1, 0.4, 0.0])
    assert unique_shares([]) == []


@given(st.lists(st.lists(st.booleans(), min_size=12, max_size=12), min_size=1, max_size=5))
def test_it_is_the_index_of_sets(rows):
    sets = [set(np.flatnonzero(row)) for row in rows]
    found = jaccard([np.array(row) for row in rows])
    for a, first in enumerate(sets):
        for b, second in enumerate(sets):
            either = first | second
            expected = 1.0 if a == b else len(first & second) / len(either) if either else 0.0
            assert found[a, b] == pytest.approx(expected)


def similar(*pairs, size=4):
    matrix = np.eye(size)
    for a, b, value in pairs:
        matrix[a, b] = matrix[b, a] = value
    return matrix


def test_a_rule_repeats_the_best_one_with_nearly_the_same_users():
    assert repeated(similar((0, 2, 0.8), (1, 2, 0.9)), ["gain"] * 4) == {2: 0}


def test_rules_that_share_seventy_percent_or_less_or_claim_something_else_are_no_repeats():
    assert repeated(similar((0, 1, 0.7), (2, 3, 1.0)), ["gain", "gain", "gain", "loss"]) == {}


def test_what_repeats_a_repeat_alone_is_kept():
    assert repeated(similar((0, 1, 0.8), (1, 2, 0.8)), ["gain"] * 4) == {1: 0}
