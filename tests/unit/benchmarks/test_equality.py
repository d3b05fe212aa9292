"""Engines that disagree are found out."""

import pyarrow as pa
import pytest

from benchmarks.equality import differing_columns

ANSWER = {"unit": [1, 2, 3], "city": ["a", None, "b"], "total": [0.1 + 0.2, None, 4.0], "is_new": [True, False, None]}


def test_order_encoding_and_last_digits_do_not_matter():
    other = pa.table(
        {
            "unit": pa.array([3, 1, 2], pa.int32()),
            "city": pa.array(["b", "a", None]).dictionary_encode(),
            "total": [4.0, 0.3, float("nan")],
            "is_new": pa.array([None, 1, 0], pa.int8()),
            "more": ["not", "asked", "for"],
        }
    )
    assert differing_columns(pa.table(ANSWER), other, key="unit") == []


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("city", ["a", None, "c"]),
        ("city", ["a", "", "b"]),
        ("total", [0.3, None, 4.0001]),
        ("total", [0.3, 0.0, 4.0]),
        ("is_new", [True, True, None]),
    ],
)
def test_a_column_with_another_value_is_named(column, values):
    assert differing_columns(pa.table(ANSWER), pa.table(ANSWER | {column: values}), key="unit") == [column]


def test_rows_that_are_missing_make_every_column_differ():
    answer = pa.table(ANSWER)
    assert differing_columns(answer, answer.slice(0, 2), key="unit") == list(ANSWER)
