"""What is served after a day: the chosen thresholds where they pay, and never an earlier day than before."""

from datetime import date

import pytest

from causal_tasks.dynamic.day import DayContext, FeedDay
from causal_tasks.dynamic.decision import DynamicDecision
from causal_tasks.dynamic.serving.manifest import read_manifest
from causal_tasks.dynamic.stages.publish import publish
from causal_tasks.stage_files import Attempt
from tests.unit.dynamic.feed_tables import SmallLake

DAY = date(2026, 10, 31)
CHOSEN = {"more_long": 1.5, "more_short": None}


@pytest.fixture
def lake(tmp_path):
    return SmallLake(tmp_path)


def committed(day, stage, **values):
    attempt = Attempt(day.instance(stage, code=1, inputs=[]))
    outputs = {}
    for name, value in values.items():
        folder = f"{attempt.folder}/{name}"
        written = day.storage.write_json(f"{folder}/weights.json" if name == "model" else f"{folder}.json", value)
        outputs[name] = folder if name == "model" else written
    return attempt.commit(outputs, {})


def published(lake, *, code="pays", day=DAY, interest=True, **changes):
    """What the stage writes, and what is served then."""
    opened = FeedDay.open(lake.feed(**changes), day, lake.settings)
    findings = {
        "verdict": {"code": code},
        "thresholds": {"chosen": CHOSEN, "interest_weight": 0.5},
        "coverage": {"users": {"scored": 7}},
    }
    trained = {"training": {"how": "anew"}, "model": 1} if interest else {"training": None}
    inputs = {
        "interest": [committed(opened, "interest", **trained)],
        "score": [committed(opened, "score", scores=1, lookup=1, scored={"lookup_sha256": "a" * 64, "users": 7})],
        "evaluate": [committed(opened, "evaluate", findings=findings)],
    }
    context = DayContext(
        inputs=inputs,
        folder=f"{opened.uri}/publish/attempt",
        run_uri=opened.uri,
        settings=lake.settings,
        storage=lake.storage,
        day=opened,
    )
    written = publish(context)
    return (
        lake.storage.read_json(written["served"]),
        lake.storage.read_json(written["result"]),
        read_manifest("videos", lake.settings),
    )


def test_where_it_pays_the_chosen_thresholds_are_served(lake):
    served, result, manifest = published(lake)
    assert served["thresholds"] == CHOSEN
    assert result["served"]["switched_on"] is True
    decision = DynamicDecision.from_json(manifest.decision)
    assert decision.decide([[1.0, 3.0, 9.0]], None).tolist() == [1]
    assert decision.exploration == 0.05


@pytest.mark.parametrize("code", ["not_shown", "harms", "guard_broken", "invalid"])
def test_otherwise_nothing_is_switched_on_and_exploration_goes_on(lake, code):
    served, result, manifest = published(lake, code=code)
    assert served["thresholds"] == {"more_long": None, "more_short": None}
    assert result["thresholds"]["chosen"] == CHOSEN
    decision = DynamicDecision.from_json(manifest.decision)
    assert decision.decide([[1.0, 30.0, 90.0]], None).tolist() == [0]
    assert decision.exploration == 0.05


def test_a_day_that_is_filled_afterwards_leaves_the_later_one_served(lake):
    published(lake)
    served, result, manifest = published(lake, day=date(2026, 10, 30))
    assert (served["published"], served["kept"]) == (False, "2026-10-31")
    assert (result["run"]["published"], result["run"]["kept"]) == (False, "2026-10-31")
    assert manifest.date == DAY
    assert published(lake, day=date(2026, 11, 1))[2].date == date(2026, 11, 1)


def test_files_that_are_served_are_those_of_the_day_with_their_digests(lake):
    _, _, manifest = published(lake)
    assert manifest.lookup.uri.startswith(f"{lake.uri}/feed-days/videos/r1/2026-10-31/score/")
    assert manifest.lookup.sha256 == "a" * 64
    (digest,) = [file.digest for file in lake.storage.list_files(manifest.interest.uri)]
    assert manifest.interest.files == {"weights.json": digest}


def test_without_requests_there_is_no_request_time_model(lake):
    assert published(lake, interest=False)[2].interest is None


def test_equal_findings_give_equal_results_but_for_what_the_run_says(lake):
    _, result, _ = published(lake)
    _, again, _ = published(lake, day=DAY)
    assert {k: v for k, v in result.items() if k != "run"} == {k: v for k, v in again.items() if k != "run"}
    assert result["schema_version"] == 1
