"""Ranges that an experiment gives in place of a model's own."""

import pytest

from causal_tasks.base_models import LightGBM, Range
from causal_tasks.errors import InputError
from causal_tasks.experiment import SearchRange
from causal_tasks.uplift import candidate
from causal_tasks.uplift.tuning import edited_space
from tests.unit.uplift.learning_runs import statement


def edited(name="x_lightgbm", **spaces):
    mining = statement(mining={"search_spaces": spaces}).mining
    return edited_space(name, candidate(name), mining.search_spaces)


def test_without_edits_it_is_the_models_own():
    assert edited() == dict(LightGBM.search_space)


def test_a_candidates_edits_come_after_those_of_its_base_model():
    space = edited(
        x_lightgbm={"num_leaves": {"low": 4, "high": 6}},
        lightgbm={"num_leaves": {"low": 8, "high": 9}, "learning_rate": {"low": 0.01, "high": 1, "log": False}},
        t_lightgbm={"reg_lambda": {"low": 1, "high": 2}},
        xgboost={"max_depth": {"low": 1, "high": 2}},
    )
    assert space == dict(LightGBM.search_space) | {
        "num_leaves": Range(4, 6, log=True),
        "learning_rate": Range(0.01, 1.0, log=False),
    }
    assert space["num_leaves"].whole
    assert not space["learning_rate"].whole


def test_equal_bounds_fix_a_parameter():
    assert edited(lightgbm={"num_leaves": {"low": 7, "high": 7}})["num_leaves"] == Range(7, 7, log=True)


@pytest.mark.parametrize(
    ("spaces", "message", "remedy"),
    [
        ({"lightgbn": {}}, r"mining.search_spaces: 'lightgbn' is neither a base model nor a candidate", "lightgbm, "),
        (
            {"lightgbm": {"num_leafs": {"low": 4, "high": 6}}},
            r"mining.search_spaces.lightgbm.num_leafs: no such parameter",
            "num_leaves, ",
        ),
        (
            {"x_lightgbm": {"num_leaves": {"low": 4.5, "high": 6}}},
            r"mining.search_spaces.x_lightgbm.num_leaves: bound 4.5 is a fraction",
            "whole numbers",
        ),
        (
            {"lightgbm": {"reg_lambda": {"low": 0, "high": 6}}},
            r"mining.search_spaces.lightgbm.reg_lambda: low is 0",
            "log: false",
        ),
    ],
)
def test_what_there_is_not_is_refused_with_its_field_and_a_remedy(spaces, message, remedy):
    with pytest.raises(InputError, match=message) as refused:
        edited(**spaces)
    assert remedy in refused.value.remedy


@pytest.mark.parametrize(
    ("search_range", "message"),
    [
        ({"low": 2, "high": 1}, "low 2 is above high 1"),
        ({"low": 1}, "high"),
        ({"low": 1, "high": float("inf")}, "finite"),
        ({"low": 1, "high": 2, "step": 1}, "step"),
    ],
)
def test_what_is_no_range_is_refused_when_the_experiment_is_read(search_range, message):
    with pytest.raises(InputError, match=message):
        edited(lightgbm={"num_leaves": search_range})


def test_a_range_keeps_its_scale_unless_told_otherwise():
    assert SearchRange(low=1, high=2).log is None
