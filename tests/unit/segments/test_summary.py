"""What is said about segments, from coefficients written by hand."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causal_tasks.segments.covariate_columns import Term
from causal_tasks.segments.summary import summarise

TERMS = (Term("age", "number"), Term("plan", "level", "premium"), Term("country", "missing"))


def summary(gamma, delta):
    """Of one segment, with as many creatives as rows of ``delta``."""
    names = "abcd"[: len(delta)]
    counts = 10 * (1 + np.arange(len(delta)))
    (found,) = summarise(
        names, ["warm"], np.zeros(len(delta), int), counts, np.array([gamma], float), np.array(delta, float), TERMS
    )
    return found


NOTHING = [0, 0, 0]


@pytest.mark.parametrize(
    ("gamma", "delta", "verdict", "agrees", "differs"),
    [
        ([1, 0, 0], [NOTHING, NOTHING], "together", ("a", "b"), ()),
        ([1, 0, 0], [NOTHING, [0, 2, 0]], "partly", ("a",), ("b",)),
        ([1, 0, 0], [[0, 1, 0], [0, 2, 0]], "partly", (), ("b", "a")),
        (NOTHING, [NOTHING, [0, 2, 0]], "apart", (), ("b",)),
        (NOTHING, [NOTHING, NOTHING], "flat", (), ()),
        ([1, 0, 0], [NOTHING], "single", (), ()),
        (NOTHING, [[0, 2, 0]], "single", (), ("a",)),
        (NOTHING, [NOTHING], "flat", (), ()),
    ],
)
def test_verdicts(gamma, delta, verdict, agrees, differs):
    found = summary(gamma, delta)
    assert (found.verdict, found.agrees) == (verdict, agrees)
    assert tuple(difference.creative for difference in found.differs) == differs


def test_a_difference_too_small_to_print_is_still_one():
    """Agreement is exact: the optimum has zeros, not small numbers."""
    assert summary([1, 0, 0], [NOTHING, [1e-300, 0, 0]]).verdict == "partly"


def test_coefficients_are_named_by_size_without_zeros():
    found = summary([0.5, 0, -2], [NOTHING, [3, 0, -4]])
    assert [(str(weight.term), weight.coefficient) for weight in found.shared] == [
        ("country missing", -2),
        ("age", 0.5),
    ]
    assert found.shared_terms == 2
    (difference,) = found.differs
    assert difference.norm == 5
    assert [weight.coefficient for weight in difference.terms] == [-4, 3]


def test_segments_keep_their_order_and_their_own_creatives():
    gamma, delta = np.eye(2, 3), np.zeros((3, 3))
    found = summarise(["a", "b", "c"], ["warm", "cold"], np.array([1, 0, 1]), np.array([5, 6, 7]), gamma, delta, TERMS)
    assert [(s.segment, s.creatives, s.shown, s.people) for s in found] == [
        ("warm", ("b",), (6,), 6),
        ("cold", ("a", "c"), (5, 7), 12),
    ]
    assert [s.shared[0].term.column for s in found] == ["age", "plan"]


@given(st.lists(st.floats(-9, 9), min_size=3, max_size=3), st.integers(0, 5))
def test_no_more_terms_are_named_than_asked_for_and_all_are_counted(gamma, top):
    coefficients = np.array([gamma])
    (found,) = summarise(
        ["a"], ["warm"], np.zeros(1, int), np.ones(1, int), coefficients, np.zeros((1, 3)), TERMS, top=top
    )
    assert len(found.shared) == min(top, found.shared_terms)
    assert found.shared_terms == np.count_nonzero(gamma)
    sizes = [abs(weight.coefficient) for weight in found.shared]
    assert sizes == sorted(np.abs(gamma), reverse=True)[: len(sizes)]


def test_a_summary_becomes_json():
    found = json.loads(json.dumps(dataclasses.asdict(summary([1, 0, 0], [NOTHING, [0, 2, 0]]))))
    assert found["shared"] == [{"term": {"column": "age", "kind": "number", "level": None}, "coefficient": 1.0}]
    assert found["differs"][0]["terms"][0]["term"]["level"] == "premium"
