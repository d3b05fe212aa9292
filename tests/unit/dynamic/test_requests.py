"""How a table of requests, or one request, becomes what a model reads, and what is refused."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from causal_tasks.dynamic.durations import duration_buckets, treated_buckets
from causal_tasks.dynamic.ragged import Ragged
from causal_tasks.dynamic.requests import RequestFieldError, Requests, shown_plays
from causal_tasks.errors import InputError
from causal_tasks.feed import DurationBuckets
from tests.unit.dynamic.request_logs import FEED

LISTS = ("recent_durations", "recent_played", "shown_durations", "shown_played", "candidates")


def table(**changes):
    columns = {
        "request_id": ["r1", "r2", "r3"],
        "hour": [1.0, np.nan, 3.0],
        "battery": [1, 0, 1],
        "recent_durations": [[10.0, 100.0], [], [20.0]],
        "recent_played": [[1.9, 80.0], [], [4.0]],
        "shown_durations": [[59.9], [60.0, 60.0], []],
        "shown_played": [[0.0], [48.0, 47.9], []],
        "candidates": [[19.9, 20.0, 60.0], [5.0], []],
    }
    return pd.DataFrame(columns | changes)


def arrow(frame, list_type=pa.list_):
    kinds = {name: pd.ArrowDtype(list_type(pa.float64())) for name in LISTS}
    return frame.astype(
        {"hour": "float64[pyarrow]", "battery": "int8[pyarrow]", "request_id": "string[pyarrow]"} | kinds
    )


def lists_of(ragged):
    return [ragged.tokens[begin:end].tolist() for begin, end in zip(ragged.offsets, ragged.offsets[1:], strict=False)]


@pytest.mark.parametrize("form", [table, lambda: arrow(table()), lambda: arrow(table(), pa.large_list)])
def test_tokens_tell_category_and_kind_of_play(form):
    requests = Requests.from_frame(form(), FEED)
    # Less than a fifth of a short item; exactly four fifths of a long one; exactly a fifth of one of 20 s, a medium one.
    assert lists_of(requests.recent) == [[0, 8], [], [4]]
    assert lists_of(requests.candidates) == [[0, 1, 2], [0], []]
    assert lists_of(shown_plays(form(), FEED)) == [[3], [8, 7], []]
    assert_array_equal(requests.context, np.array([[1, 1], [np.nan, 0], [3, 1]], dtype=np.float32))
    assert requests.context_names == ("hour", "battery")
    assert requests.buckets == 3
    assert len(requests) == 3


def test_cells_may_hold_arrays_and_integers():
    frame = table(candidates=[np.array([19, 20, 60]), (5,), []], recent_played=[np.array([1.9, 80], "f4"), [], [4]])
    same = Requests.from_frame(frame, FEED)
    assert lists_of(same.candidates) == [[0, 1, 2], [0], []]
    assert lists_of(same.recent) == [[0, 8], [], [4]]


def test_a_table_without_rows_is_no_error():
    for frame in (table().iloc[:0], arrow(table()).iloc[:0]):
        requests = Requests.from_frame(frame, FEED)
        assert len(requests) == 0
        assert requests.recent.counts(9).shape == (0, 9)


def test_a_slice_of_an_arrow_table_keeps_its_own_rows():
    assert lists_of(Requests.from_frame(arrow(table()).iloc[1:], FEED).candidates) == [[0], []]


def with_cell(column, value):
    cells = table()[column].tolist()
    return {column: [cells[0], value, cells[2]]}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            with_cell("candidates", [-5.0]),
            "column 'candidates' has 1 durations that are not above 0 (first: request r2)",
        ),
        (with_cell("candidates", [0.0]), "column 'candidates' has 1 durations that are not above 0"),
        (with_cell("candidates", [1.0, np.nan]), "column 'candidates' has 1 numbers that are missing or not finite"),
        (with_cell("candidates", [1.0, None]), "column 'candidates' has 1 numbers that are missing or not finite"),
        (with_cell("candidates", [np.inf]), "column 'candidates' has 1 numbers that are missing or not finite"),
        (with_cell("candidates", None), "column 'candidates' has 1 missing lists (first: request r2)"),
        (with_cell("candidates", "5"), "column 'candidates' holds '5', no list of numbers (first: request r2)"),
        (with_cell("candidates", 5.0), "column 'candidates' holds 5.0, no list of numbers"),
        (with_cell("candidates", ["5"]), "column 'candidates' holds ['5'], no list of numbers"),
        ({"candidates": [1.0, 2.0, 3.0]}, "column 'candidates' is float64, not lists of numbers"),
        (with_cell("recent_durations", [10.0]), "lists of different lengths in 1 requests (first: request r2)"),
        (
            with_cell("recent_durations", [10.0]) | with_cell("recent_played", [-1.0]),
            "'recent_played' has 1 played times",
        ),
        ({"recent_durations": [[10.0, 0.0], [], [20.0]]}, "column 'recent_durations' has 1 durations"),
        ({"hour": ["1", "2", "3"]}, "column 'hour' is str, not numbers"),
        ({"hour": [1.0, np.inf, -np.inf]}, "column 'hour' has 2 numbers beyond single precision (first: request r2)"),
        ({"battery": [1.0, 1e300, 1.0]}, "column 'battery' has 1 numbers beyond single precision (first: request r2)"),
    ],
)
def test_a_wrong_table_is_refused_with_column_and_request(changes, words):
    with pytest.raises(InputError) as refused:
        Requests.from_frame(table(**changes), FEED)
    assert words in refused.value.message
    assert refused.value.message.startswith("table requests: ")
    assert refused.value.remedy


@pytest.mark.parametrize("column", ["hour", "recent_durations", "recent_played", "candidates"])
def test_a_missing_column_is_named(column):
    with pytest.raises(InputError, match=f"there is no column '{column}'"):
        Requests.from_frame(table().drop(columns=column), FEED)


def test_an_arrow_column_of_text_is_refused():
    frame = table().astype({"candidates": pd.ArrowDtype(pa.list_(pa.float64()))})
    frame["candidates"] = pd.array([["5"], [], []], dtype=pd.ArrowDtype(pa.list_(pa.string())))
    with pytest.raises(InputError, match=r"column 'candidates' is list<item: string>\[pyarrow\], not lists of numbers"):
        Requests.from_frame(frame, FEED)


def test_requests_without_ids_are_named_by_position():
    frame = table(**with_cell("candidates", None)).drop(columns="request_id")
    with pytest.raises(InputError, match=r"first: request 1\)"):
        Requests.from_frame(frame, FEED)


ONE = {"context": {"hour": 1.0, "battery": None}, "recent": [(10.0, 1.9), (100.0, 80.0)], "candidates": [20.0, 60.0]}


@given(
    recent=st.lists(st.tuples(st.floats(0.1, 300), st.floats(0, 400)), max_size=6),
    candidates=st.lists(st.floats(0.1, 300), max_size=6),
    hour=st.none() | st.floats(-100, 100),
)
def test_a_request_alone_is_the_request_of_a_table(recent, candidates, hour):
    one = Requests.of_one({"hour": hour, "battery": 1}, recent, candidates, FEED)
    row = {"hour": [np.nan if hour is None else hour], "battery": [1.0], "candidates": [candidates]}
    row |= {"recent_durations": [[pair[0] for pair in recent]], "recent_played": [[pair[1] for pair in recent]]}
    tabled = Requests.from_frame(pd.DataFrame(row), FEED)
    assert_array_equal(one.context, tabled.context)
    assert lists_of(one.recent) == lists_of(tabled.recent)
    assert lists_of(one.candidates) == lists_of(tabled.candidates)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"context": {"hour": 1.0}}, "context.battery"),
        ({"context": {"hour": 1.0, "battery": 1.0, "mood": 1.0}}, "context.mood"),
        ({"context": {"hour": "1", "battery": 1.0}}, "context.hour"),
        ({"context": {"hour": float("nan"), "battery": 1.0}}, "context.hour"),
        ({"context": {"hour": float("inf"), "battery": 1.0}}, "context.hour"),
        ({"context": {"hour": 10**400, "battery": 1.0}}, "context.hour"),
        ({"recent": [(10.0, 1.0), (10.0, -1.0)]}, "recent.1"),
        ({"recent": [(10.0, 1.0), (0.0, 0.0)]}, "recent.1"),
        ({"recent": [(10.0, 1.0, 2.0)]}, "recent"),
        ({"recent": [(10.0, 1.0), (10.0,)]}, "recent"),
        ({"recent": [10.0, 1.0]}, "recent"),
        ({"candidates": [10.0, float("nan")]}, "candidates.1"),
        ({"candidates": [-1.0]}, "candidates.0"),
        ({"candidates": ["10"]}, "candidates"),
        ({"candidates": [None]}, "candidates"),
        ({"candidates": [[10.0]]}, "candidates"),
        ({"candidates": [True]}, "candidates"),
        ({"candidates": 10.0}, "candidates"),
        ({"candidates": [[]]}, "candidates"),
    ],
)
def test_a_wrong_request_is_refused_with_its_field(changes, field):
    with pytest.raises(RequestFieldError) as refused:
        Requests.of_one(**ONE | changes, feed=FEED)
    assert refused.value.field == field
    assert refused.value.message.startswith(f"{field} ")


def test_an_item_as_long_as_an_edge_is_in_the_longer_category():
    durations = DurationBuckets(labels=("a", "b", "c"), edges=(20.0, 60.0))
    assert_array_equal(duration_buckets([0.1, 19.999, 20.0, 59.999, 60.0, 1e9], durations), [0, 0, 1, 1, 2, 2])
    assert_array_equal(treated_buckets(FEED), [2, 0])


@given(st.lists(st.lists(st.integers(0, 4), max_size=5), max_size=6), st.randoms(use_true_random=False))
def test_lists_keep_their_tokens_through_every_selection(lists, random):
    ragged = Ragged.of(lists)
    rows = [random.randrange(len(lists)) for _ in range(4)] if lists else []
    begin = random.randint(0, len(lists))
    assert lists_of(ragged.take(np.array(rows, dtype=np.intp))) == [lists[row] for row in rows]
    assert lists_of(ragged.between(begin, len(lists))) == lists[begin:]
    assert ragged.counts(5).tolist() == [[tokens.count(token) for token in range(5)] for tokens in lists]
    assert ragged.shares(5).sum(axis=1).tolist() == pytest.approx([float(bool(tokens)) for tokens in lists])


def test_tokens_beyond_the_vocabulary_and_wrong_offsets_are_refused():
    with pytest.raises(InputError, match="a token is 4, the largest may be 3"):
        Ragged.of([[4]]).counts(4)
    for offsets in ([0, 1], [1, 2], [0, 3, 2]):
        with pytest.raises(InputError, match="offsets go from"):
            Ragged(np.array(offsets), np.array([1, 1], dtype=np.int32))
