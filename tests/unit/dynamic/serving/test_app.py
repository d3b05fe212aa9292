"""Answers, refusals that name the field, health and metrics."""

import json

import numpy as np
import pytest

from causal_tasks.dynamic.serving import app as serving_app
from causal_tasks.dynamic.serving.app import MAX_BODY_BYTES, create_app
from causal_tasks.dynamic.serving.hot_swap import HotSwap
from causal_tasks.settings import Settings
from tests.unit.dynamic.serving.published_feed import AppClient, publish_day, random_request


@pytest.fixture(scope="module")
def swap(tmp_path_factory):
    root = tmp_path_factory.mktemp("serving")
    settings, _ = publish_day(root / "lake")
    made = HotSwap("videos", settings, cache=root / "cache", poll=60)
    made.look()
    return made


@pytest.fixture
def client(swap):
    return AppClient(create_app(swap))


def body(**changes):
    return random_request(np.random.default_rng(0)) | changes


def refused(response, status=422):
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    return {problem["field"]: problem["problem"] for problem in response.json()["detail"]}


def test_an_answer_holds_what_the_caller_needs(client, swap):
    answer = client.post("/decide", json=body(user_id=7)).json()
    assert set(answer) == {
        "request_id", "arm", "decided", "propensity", "explored", "reason", "gains", "interest", "order", "date",
    }  # fmt: skip
    assert answer["date"] == "2026-10-30"
    assert set(answer["gains"]) == set(answer["interest"]) == {"more_long", "more_short"}
    assert sorted(answer["order"]) == sorted(f"v{place}" for place in range(10))
    assert client.post("/decide", json=body(user_id="7")).json() == answer


def test_a_stranger_gets_control(client):
    answer = client.post("/decide", json=body(user_id="stranger", request_id="not explored")).json()
    assert (answer["decided"], answer["reason"], answer["gains"], answer["interest"]) == (
        "control",
        "unknown_user",
        None,
        None,
    )
    assert answer["arm"] == "control"
    assert answer["propensity"] == pytest.approx(0.9 + 0.1 / 3)
    assert answer["order"] == [f"v{place}" for place in range(10)]


def test_a_treatment_raises_the_share_of_its_category(client):
    candidates = [{"id": f"s{place}", "duration": 5} for place in range(5)]
    candidates += [{"id": f"l{place}", "duration": 90} for place in range(5)]
    for number in range(200):
        asked = body(user_id=number, request_id=f"r{number}", candidates=candidates)
        answer = client.post("/decide", json=asked).json()
        shown = "".join(sorted(identity[0] for identity in answer["order"][:5]))
        assert shown == {"control": "sssss", "more_short": "sssss", "more_long": "lssss"}[answer["arm"]]


HUGE = 10**400

WRONG = {
    "a text for a number": ({"candidates": [{"id": "a", "duration": "12"}]}, "candidates.0.duration"),
    "true for a number": ({"candidates": [{"id": "a", "duration": True}]}, "candidates.0.duration"),
    "nan": ({"candidates": [{"id": "a", "duration": float("nan")}]}, "candidates.0.duration"),
    "infinity": ({"recent": [{"duration": 3, "played": float("inf")}]}, "recent.0.played"),
    "negative": ({"recent": [{"duration": 3, "played": 1}, {"duration": 3, "played": -1}]}, "recent.1.played"),
    "zero": ({"candidates": [{"id": "a", "duration": 0}]}, "candidates.0.duration"),
    "huge": ({"candidates": [{"id": "a", "duration": 1e300}]}, "candidates.0.duration"),
    "more than a double": ({"candidates": [{"id": "a", "duration": HUGE}]}, "candidates.0.duration"),
    "huge context": ({"context": {"hour": 1e200, "minutes_today": 1}}, "context.hour"),
    "infinite context": ({"context": {"hour": float("-inf"), "minutes_today": 1}}, "context.hour"),
    "text context": ({"context": {"hour": "3", "minutes_today": 1}}, "context.hour"),
    "missing context": ({"context": {"hour": 3}}, "context.minutes_today"),
    "unknown context": ({"context": {"hour": 3, "minutes_today": 1, "mood": 2}}, "context.mood"),
    "no candidates": ({"candidates": []}, "candidates"),
    "too many candidates": ({"candidates": [{"id": "a", "duration": 1}] * 1001}, "candidates"),
    "too many recent": ({"recent": [{"duration": 1, "played": 1}] * 501}, "recent"),
    "null candidates": ({"candidates": None}, "candidates"),
    "candidates of one id": (
        {"candidates": [{"id": "a", "duration": 70}, {"id": "b", "duration": 5}, {"id": "a", "duration": 8}]},
        "candidates",
    ),
    "null candidate": ({"candidates": [None]}, "candidates.0"),
    "candidate without id": ({"candidates": [{"duration": 1}]}, "candidates.0.id"),
    "unknown field": ({"surplus": 1}, "surplus"),
    "unknown field inside": ({"candidates": [{"id": "a", "duration": 1, "score": 2}]}, "candidates.0.score"),
    "no request id": ({"request_id": ""}, "request_id"),
    "number as request id": ({"request_id": 5}, "request_id"),
    "long request id": ({"request_id": "x" * 257}, "request_id"),
    "fraction as user": ({"user_id": 1.5}, "user_id"),
    "list as user": ({"user_id": ["a"]}, "user_id"),
    "huge user": ({"user_id": HUGE}, "user_id"),
    "no places": ({"slate_size": 0}, "slate_size"),
    "half places": ({"slate_size": 2.5}, "slate_size"),
}


@pytest.mark.parametrize(("changes", "field"), WRONG.values(), ids=WRONG)
def test_a_bad_field_is_named(client, changes, field):
    content = json.dumps(body(**changes))
    problems = refused(client.post("/decide", content=content, headers={"content-type": "application/json"}))
    assert set(problems) == {field}
    assert problems[field]


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe\x00", b"nothing", b"[]", b"null", b"1" * 5_000, b"[" * 100_000, b'{"a":' * 100_000],
    ids=["empty", "open", "no text", "word", "list", "null", "long number", "deep lists", "deep objects"],
)
def test_what_is_no_request_is_refused_whole(client, content):
    assert set(refused(client.post("/decide", content=content))) == {"body"}


def megabyte(item):
    return b",".join([item] * (990_000 // (len(item) + 1)))


ENDLESS = {
    "many wrong items": b'{"recent":[' + megabyte(b"[]") + b"]}",
    "many unknown fields": json.dumps({f"k{number}": 1 for number in range(70_000)}).encode(),
    "much wrong context": json.dumps({"context": {f"k{number}": "x" for number in range(60_000)}}).encode(),
    "a very long name": json.dumps({"k" * 900_000: 1}).encode(),
    "a thousand wrong candidates": json.dumps({"candidates": [{"id": "", "duration": -1}] * 1_000}).encode(),
}


@pytest.mark.parametrize("content", ENDLESS.values(), ids=ENDLESS)
def test_a_refusal_is_short_whatever_was_sent(client, content):
    answer = client.post("/decide", content=content)
    assert 1 <= len(refused(answer)) <= 20
    assert len(answer.content) < 5_000


def test_a_field_is_named_once(client):
    detail = client.post("/decide", json=body(user_id=2**64)).json()["detail"]
    assert [problem["field"] for problem in detail] == ["user_id"]
    assert "valid string; or: Input should be less than 18446744073709551616" in detail[0]["problem"]


def test_health_may_be_asked_for_its_head_alone(client):
    found = client.head("/health")
    assert (found.status_code, found.content) == (200, b"")


def test_all_missing_fields_are_named(client):
    assert set(refused(client.post("/decide", json={}))) == {"request_id", "user_id", "candidates", "slate_size"}


def test_an_optional_list_may_be_left_out(client):
    asked = body()
    del asked["recent"]
    assert client.post("/decide", json=asked).status_code == 200


def test_a_body_that_is_too_large_is_refused_unread(client):
    assert set(refused(client.post("/decide", content=b"x" * (MAX_BODY_BYTES + 1)), 413)) == {"body"}

    async def chunks():
        for _ in range(11):
            yield b"x" * 100_000

    assert set(refused(client.post("/decide", content=chunks()), 413)) == {"body"}


def test_a_failure_inside_is_told_and_the_server_goes_on(client, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(serving_app, "decision_answer", lambda *_: 1 / 0)
        assert "its log says why" in refused(client.post("/decide", json=body()), 500)[""]
    assert client.post("/decide", json=body()).status_code == 200


def test_before_a_manifest_nothing_is_decided(tmp_path):
    swap = HotSwap("videos", Settings(lake=f"file://{tmp_path}"), cache=tmp_path / "cache", poll=60)
    client = AppClient(create_app(swap))
    assert client.get("/health").status_code == 503
    assert client.get("/health").json()["status"] == "starting"
    refused(client.post("/decide", json=body()), 503)
    swap.look()
    assert "manifest.json is missing" in client.get("/health").json()["problem"]
    assert "causal_serving_problem 1.0" in client.get("/metrics").text


def test_health_says_what_serves_and_what_is_wrong(client, swap):
    found = client.get("/health")
    assert found.status_code == 200
    health = found.json()
    assert (health["status"], health["problem"]) == ("ok", None)
    assert (health["feed"], health["revision"], health["date"], health["users"]) == ("videos", 1, "2026-10-30", 400)
    try:
        swap.problem = "InputError: broken"
        found = client.get("/health")
        assert (found.status_code, found.json()["status"], found.json()["problem"]) == (
            200,
            "degraded",
            "InputError: broken",
        )
        assert client.post("/decide", json=body()).status_code == 200
    finally:
        swap.problem = None


def test_metrics_count_what_happened(client):
    for number in range(30):
        client.post("/decide", json=body(user_id=number, request_id=f"r{number}"))
    client.post("/decide", json=body(user_id="stranger"))
    client.post("/decide", content=b"{")
    found = client.get("/metrics")
    assert found.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples = dict(line.rsplit(" ", 1) for line in found.text.splitlines() if not line.startswith("#"))
    values = {name: float(value) for name, value in samples.items()}
    assert values['causal_decide_requests_total{status="200"}'] == 31
    assert values['causal_decide_requests_total{status="422"}'] == 1
    assert values['causal_decide_seconds_bucket{le="+Inf"}'] == values["causal_decide_seconds_count"] == 32
    assert values['causal_decision_reasons_total{reason="unknown_user"}'] == 1
    for name in ("causal_decisions_total{", "causal_decision_reasons_total{"):
        assert sum(value for sample, value in values.items() if sample.startswith(name)) == 31
    buckets = [value for sample, value in values.items() if sample.startswith("causal_decide_seconds_bucket")]
    assert buckets == sorted(buckets)
    assert values["causal_lookup_users"] == 400
    assert values["causal_manifest_day_seconds"] == 1793318400
    assert values["causal_serving_problem"] == 0


def test_the_interface_is_described(client):
    described = client.get("/openapi.json").json()["paths"]["/decide"]["post"]
    assert set(described["requestBody"]["content"]["application/json"]["schema"]["properties"]) == set(body())
    assert {"200", "413", "422", "500", "503"} <= set(described["responses"])
