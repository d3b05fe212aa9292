"""What docs/real-time-uplift.md shows is what happens."""

import doctest
import json
import re
from pathlib import Path

import pytest
from typer.main import get_command

from causal_tasks.cli import app
from causal_tasks.dynamic import DynamicDecision
from causal_tasks.dynamic.serving.messages import DecisionAnswer, DecisionRequest
from causal_tasks.feed import Feed

PAGE = Path(__file__).parents[3] / "docs" / "real-time-uplift.md"


@pytest.fixture(scope="module")
def page():
    return PAGE.read_text(encoding="utf-8")


def json_blocks(page):
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]


def asked(page):
    return DecisionRequest.model_validate_json(re.search(r"-d '(\{.*?\})'\n", page, re.DOTALL)[1])


def test_every_example_of_the_page_runs_as_shown():
    found = doctest.testfile(str(PAGE), module_relative=False)
    assert found.attempted >= 8
    assert found.failed == 0


def test_the_statement_is_a_feed_and_states_no_field_twice_over(page):
    feed = Feed.parse(json_blocks(page)[0], source="the page")
    assert feed.arms == ("control", "more_long", "more_medium", "more_short")
    assert [response.key for response in feed.responses] == ["watch_seconds_7d", "active_7d"]


def test_the_request_and_its_answer_are_what_the_server_takes_and_gives(page):
    statement, answer = json_blocks(page)
    feed, told = Feed.parse(statement, source="the page"), DecisionAnswer.model_validate(answer)
    request = asked(page)
    assert set(request.context) == set(feed.columns.context)
    decision = DynamicDecision(
        feed.arms,
        tuple(feed.treatments.values()),
        (0.0, 0.0, 0.0),
        exploration=feed.serving.exploration,
        boost=feed.serving.boost,
    )
    position = feed.arms.index(told.arm)
    durations = [candidate.duration for candidate in request.candidates]
    order = decision.adjust(durations, position, feed.durations, request.slate_size)
    assert told.order == [request.candidates[place].id for place in order]
    assert told.propensity == pytest.approx(decision.propensities([position])[0, position])
    assert max(told.gains, key=told.gains.get) == told.decided


def test_every_command_of_the_page_is_one(page):
    known = get_command(app).commands
    named = set(re.findall(r"^causal-tasks ([a-z-]+)", page, re.MULTILINE))
    assert {"simulate-videos", "daily", "serve"} <= named
    assert named <= set(known)


def test_every_page_and_picture_that_it_links_to_is_there(page):
    for target in re.findall(r"\]\(([^)#]+)", page):
        assert target.startswith("http") or (PAGE.parent / target).exists(), target
