"""Rules: who belongs, in words, in SQL and in JSON."""

import json

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from causal_tasks.rule import Condition, Rule, Text, format_number

MINUTES_LOW = Condition(feature="minutes", op="<=", value=30.0)
MINUTES_HIGH = Condition(feature="minutes", op=">", value=7.5, missing=True)
CITY = Condition(feature="city", op="in", value=("上海", "it's"))
CITY_UNKNOWN = Condition(feature="city", op="in", value=(), missing=True)
CITY_KNOWN = Condition(feature="city", op="present")

USERS = pd.DataFrame(
    {
        "minutes": [5.0, 7.5, 30.0, 31.0, np.nan],
        "city": pd.Categorical(["上海", "it's", None, "b", "上海"]),
    }
)


@pytest.mark.parametrize(
    ("condition", "members"),
    [
        (MINUTES_LOW, [True, True, True, False, False]),
        (MINUTES_HIGH, [False, False, True, True, True]),
        (CITY, [True, True, False, False, True]),
        (CITY.model_copy(update={"missing": True}), [True, True, True, False, True]),
        (CITY_UNKNOWN, [False, False, True, False, False]),
        (CITY_KNOWN, [True, True, False, True, True]),
        (Condition(feature="minutes", op="in", value=(), missing=True), [False, False, False, False, True]),
    ],
)
def test_a_condition_accepts_exactly_the_users_it_names(condition, members):
    assert condition.mask(USERS).tolist() == members


def test_a_rule_joins_its_conditions_and_no_condition_means_everybody():
    assert Rule.of([MINUTES_LOW, CITY]).mask(USERS).tolist() == [True, True, False, False, False]
    assert np.asarray(Rule().mask(USERS)).tolist() == [True] * 5


@pytest.mark.parametrize("dtype", ["category", "object", "str"])
def test_levels_are_found_in_every_kind_of_text_column(dtype):
    frame = USERS.astype({"city": dtype})
    assert CITY.mask(frame).tolist() == [True, True, False, False, True]


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "boolean"])
def test_missing_values_of_nullable_columns_count_as_missing(dtype):
    frame = pd.DataFrame({"x": pd.array([0, 1, None], dtype=dtype)})
    assert Condition(feature="x", op="<=", value=0.5, missing=True).mask(frame).tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"op": "<=", "value": ("a",)}, "does not accept"),
        ({"op": ">", "value": float("inf")}, "does not accept"),
        ({"op": ">"}, "does not accept"),
        ({"op": "in", "value": 3.0}, "does not accept"),
        ({"op": "present", "missing": True}, "does not accept"),
        ({"op": "present", "value": 1.0}, "does not accept"),
        ({"op": "==", "value": 1.0}, "op"),
        ({"op": ">", "value": 1.0, "extra": 1}, "extra"),
    ],
)
def test_a_condition_that_makes_no_sense_is_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        Condition.model_validate({"feature": "x"} | changes)


def test_words_use_display_names_units_of_language_and_say_what_happens_to_missing_values():
    names = {"minutes": Text(zh="播放时长", en="minutes played"), "city": Text(zh="城市")}
    rule = Rule.of([MINUTES_HIGH, CITY])
    assert rule.in_words("zh", names) == "播放时长 > 7.5（或缺失） 且 城市属于 上海、it's"
    assert rule.in_words("en", names) == "minutes played > 7.5 (or missing) and 城市 is 上海 / it's"
    assert rule.in_words("en") == "minutes > 7.5 (or missing) and city is 上海 / it's"


def test_words_for_known_and_unknown_values_and_for_everybody():
    assert Rule.of([CITY_UNKNOWN]).in_words("en") == "city is missing"
    assert Rule.of([CITY_UNKNOWN]).in_words("zh") == "city缺失"
    assert Rule.of([CITY_KNOWN]).in_words("en") == "city is known"
    assert Rule.of([CITY_KNOWN]).in_words("zh") == "city有值"
    assert (Rule().in_words("zh"), Rule().in_words("en")) == ("所有用户", "all users")


@pytest.mark.parametrize(
    ("value", "text"), [(30.0, "30"), (7.5, "7.5"), (-0.0, "0"), (1e6, "1000000"), (0.0001, "0.0001"), (-2.25, "-2.25")]
)
def test_numbers_are_written_without_exponent_or_trailing_zeros(value, text):
    assert format_number(value) == text


def test_sql_quotes_names_and_levels():
    condition = Condition(feature='a "b"', op="in", value=("it's", '"x"'), missing=True)
    column = '"a ""b"""'
    assert condition.to_sql() == f"({column} IN ('it''s', '\"x\"') OR {column} IS NULL)"
    assert Rule().to_sql() == "TRUE"


NAMES = ("minutes", 'odd "name"', "select", "城市")
LEVELS = ("a", "it's", '"', "上海", "", "a;--")
numeric = st.builds(
    Condition,
    feature=st.sampled_from(NAMES[:2]),
    op=st.sampled_from(["<=", ">"]),
    value=st.integers(-400, 400).map(lambda quarter: quarter / 4),
    missing=st.booleans(),
)
categorical = st.builds(
    Condition,
    feature=st.sampled_from(NAMES[2:]),
    op=st.just("in"),
    value=st.lists(st.sampled_from(LEVELS), unique=True, min_size=1).map(lambda levels: tuple(sorted(levels))),
    missing=st.booleans(),
)
only_missing = st.builds(
    Condition, feature=st.sampled_from(NAMES), op=st.just("in"), value=st.just(()), missing=st.just(True)
)
present = st.builds(Condition, feature=st.sampled_from(NAMES), op=st.just("present"))
rules = st.lists(numeric | categorical | only_missing | present, max_size=4).map(Rule.of)


def random_users(seed):
    random = np.random.default_rng(seed)
    frame = pd.DataFrame({name: random.integers(-400, 400, 200) / 4 for name in NAMES[:2]})
    for name in NAMES[2:]:
        frame[name] = random.choice(LEVELS, 200)
    return frame.mask(random.random(frame.shape) < 0.2)


@given(rule=rules, seed=st.integers(0, 5))
@settings(deadline=None, max_examples=80)
def test_a_database_finds_the_same_users_by_sql_as_the_mask(rule, seed):
    users = random_users(seed).assign(row=range(200))
    with duckdb.connect() as connection:
        connection.register("users", users)
        found = connection.sql(f"SELECT row FROM users WHERE {rule.to_sql()} ORDER BY row").fetchall()
    assert [row for (row,) in found] == np.flatnonzero(np.asarray(rule.mask(users))).tolist()


@given(rule=rules)
def test_a_rule_survives_json(rule):
    restored = Rule.model_validate(json.loads(json.dumps(rule.to_json())))
    assert restored == rule
    assert list(restored.to_json()) == ["all"]


def test_a_rule_names_each_feature_once_in_order():
    assert Rule.of([CITY, MINUTES_LOW, CITY_KNOWN]).features == ("city", "minutes")
