"""How a treatment changes a slate: what is promised of every stage, and what they do written out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from causal_tasks.dynamic.decision import STAGES
from causal_tasks.dynamic.slates import reordered
from causal_tasks.errors import InputError
from causal_tasks.feed import DurationBuckets

DURATIONS = DurationBuckets()
SECONDS = {"s": 10.0, "m": 30.0, "l": 90.0}

slates = st.lists(st.sampled_from("sml"), min_size=1, max_size=40)


def order(slate, raised, stage, *, size, boost=0.2):
    seconds = [SECONDS[letter] for letter in slate]
    return reordered(seconds, raised, DURATIONS, size=size, boost=boost, stage=stage)


def adjusted(slate, raised, stage, *, size, boost=0.2):
    return "".join(np.array(list(slate))[order(slate, raised, stage, size=size, boost=boost)])


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        # Of five places a long item has the third; it gets two more, and the first short and medium items stay.
        ("retrieval", "smlll" + "mssm"),
        ("ranking", "lslml" + "mssm"),
        ("reranking", "slmll" + "mssm"),
    ],
)
def test_each_stage_written_out(stage, expected):
    assert adjusted("smlmslslm", "long", stage, size=5, boost=0.4) == expected


def test_ranking_moves_the_whole_category_by_the_smallest_number_of_places():
    assert order("sssslsl", "long", "ranking", size=3, boost=0.3).tolist() == [0, 1, 4, 2, 3, 6, 5]


def test_reranking_spreads_what_it_adds_over_the_slate():
    assert adjusted("ssssssssss" + "lll", "long", "reranking", size=10, boost=0.2) == "sslsssslss" + "ssl"


@given(
    slates,
    st.sampled_from(["short", "medium", "long"]),
    st.sampled_from(STAGES),
    st.integers(1, 45),
    st.floats(0.01, 0.99),
)
def test_the_category_gets_its_places_and_nothing_else_changes_its_order(slate, raised, stage, size, boost):
    found = order(slate, raised, stage, size=size, boost=boost)
    of_category = np.array([letter == raised[0] for letter in slate])
    top = min(size, len(slate))
    before, after = of_category[:top].sum(), of_category[found[:top]].sum()
    assert sorted(found) == list(range(len(slate)))
    assert after == min(before + int(boost * top + 0.5), of_category.sum(), top)
    assert (np.diff(found[of_category[found]]) > 0).all()
    assert (np.diff(found[~of_category[found]]) > 0).all()


@given(slates, st.sampled_from(["short", "long"]), st.integers(1, 45), st.floats(0.01, 0.99))
def test_stages_agree_on_what_is_in_the_first_places(slate, raised, size, boost):
    chosen = {frozenset(order(slate, raised, stage, size=size, boost=boost)[:size]) for stage in STAGES}
    assert len(chosen) == 1


@pytest.mark.parametrize("stage", STAGES)
def test_control_and_an_empty_slate_change_nothing(stage):
    assert order("lsmls", None, stage, size=3).tolist() == [0, 1, 2, 3, 4]
    assert order("", "long", stage, size=3).tolist() == []


def test_an_item_at_an_edge_is_in_the_longer_category():
    assert reordered([10, 10, 60], "long", DURATIONS, size=2, boost=0.5, stage="reranking").tolist() == [0, 2, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"candidates": [10.0, np.nan]}, "candidates has 1 missing"),
        ({"candidates": [10.0, 0.0]}, "candidates has 0"),
        ({"size": 0}, "size is 0"),
        ({"raised": "endless"}, "'endless'"),
    ],
)
def test_errors_name_what_is_wrong(change, message):
    arguments = {"candidates": [10.0], "raised": "short", "size": 1} | change
    with pytest.raises(InputError, match=message):
        reordered(
            arguments["candidates"], arguments["raised"], DURATIONS, size=arguments["size"], boost=0.2, stage="ranking"
        )
