"""What a feed's statement may say, and what is refused with which words."""

import pytest

from causal_tasks.errors import InputError
from causal_tasks.feed import Feed

STATEMENT = {
    "feed_id": "videos",
    "treatments": {"more_short": "short", "more_long": "long"},
    "tables": {"users": "s3://lake/users", "assignments": "s3://lake/a", "metrics": "s3://lake/m"},
    "responses": [{"name": "watch_seconds"}],
}


def stated(**changes):
    return Feed.parse(STATEMENT | changes, source="test")


def test_the_shortest_statement_is_enough():
    feed = stated()
    assert feed.arms == ("control", "more_long", "more_short")
    assert feed.propensity == dict.fromkeys(feed.arms, pytest.approx(1 / 3))
    assert [response.key for response in feed.responses] == ["watch_seconds_7d"]
    assert feed.run_id == "videos.r1"


def test_the_order_in_which_treatments_are_stated_does_not_matter():
    assert stated(treatments=dict(reversed(STATEMENT["treatments"].items()))) == stated()


def test_a_statement_survives_json():
    feed = stated(shares={"control": 0.5, "more_short": 0.25, "more_long": 0.25}, segment="activity")
    assert Feed.model_validate_json(feed.model_dump_json()) == feed


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"treatments": {"more_huge": "huge"}}, "treatments raise ['huge']"),
        ({"treatments": {}}, "treatments: "),
        ({"control": "more_short"}, "'more_short' is control and a treatment"),
        ({"shares": {"control": 0.5, "more_short": 0.5}}, "shares name"),
        ({"shares": {"control": 0.5, "more_short": 0.4, "more_long": 0.2}}, "shares sum to 1.1"),
        ({"shares": {"control": 0.0, "more_short": 0.5, "more_long": 0.5}}, "shares.control: "),
        ({"responses": [{"name": "views"}, {"name": "views", "weight": 2}]}, "responses state ['views_7d'] twice"),
        ({"responses": [{"name": "views", "weight": 0, "guarded": True}]}, "no response has a weight"),
        ({"responses": [{"name": "views", "weight": -1}]}, "responses.0.weight: "),
        ({"responses": [{"name": "../views"}]}, "'../views' has a slash"),
        ({"responses": [{"name": "views", "days": 30}]}, "['views_30d'] are never over within learning.days=28"),
        ({"durations": {"edges": [60, 20]}}, "edges [60.0, 20.0] do not rise"),
        ({"durations": {"edges": [20]}}, "3 labels need 2 edges, not 1"),
        ({"durations": {"labels": ["a", "a", "b"]}}, "repeat one"),
        ({"tables": {"users": "s3://lake/users"}}, "tables.assignments: Field required"),
        ({"feed_id": "../up"}, "is no id"),
        ({"duration": {}}, "duration: Extra inputs are not permitted"),
    ],
)
def test_a_wrong_statement_is_refused_with_the_field_and_the_value(changes, words):
    with pytest.raises(InputError) as refused:
        stated(**changes)
    assert words in refused.value.message
    assert refused.value.message.startswith("test: ")


def test_one_response_may_be_watched_over_several_periods():
    responses = [{"name": "active"}, {"name": "active", "days": 30, "weight": 0}]
    feed = stated(responses=responses, learning={"days": 60})
    assert [response.key for response in feed.responses] == ["active_7d", "active_30d"]
