"""The result holds everything the views need, and equal input gives an equal result."""

import copy
import json

from causal_tasks.pipelines import MINE
from causal_tasks.report.result import SCHEMA_VERSION, assemble, result_digest
from causal_tasks.run_folder import Failure
from tests.unit.report import sample

PARTS = {
    "schema_version",
    "experiment",
    "verdict",
    "checks",
    "waterfall",
    "profile",
    "effects",
    "models",
    "subpopulations",
    "tree",
    "evidence",
    "failures",
    "notes",
    "run",
}


def test_the_result_has_the_documented_parts_and_no_others():
    result = sample.result("found_both")
    assert result.keys() == PARTS
    assert result["schema_version"] == SCHEMA_VERSION


def test_the_result_is_json_without_nan():
    for ending in sample.ENDINGS:
        json.dumps(sample.result(ending), allow_nan=False)


def test_the_experiment_in_the_result_is_what_the_stage_declares_to_read():
    assert sample.result()["experiment"].keys() == set(MINE["report"].reads)


def test_what_differs_between_hosts_and_runs_changes_run_alone():
    first = sample.findings()
    cards = {
        name: card | {"seconds": 99.0, "device": "cuda", "models": "x"}
        for name, card in copy.deepcopy(first.cards).items()
    }
    for card in cards.values():
        del card["models"]
    board = [row | {"seconds": 99.0, "device": "cuda"} for row in first.selection["board"]]
    later = Failure.model_validate(sample.FAILURE.model_dump() | {"at": "2030-01-01T00:00:00Z"})
    second = sample.findings(
        cards=cards, selection=first.selection | {"board": board}, failures={"train/t_forest": later}
    )
    one = assemble(sample.experiment(), first, sample.RUN)
    two = assemble(sample.experiment(), second, sample.RUN | {"notes": ["picture_left_out"]})
    assert {key: value for key, value in one.items() if key != "run"} == {
        key: value for key, value in two.items() if key != "run"
    }
    assert result_digest(one) == result_digest(two)


def test_another_finding_changes_the_digest():
    assert result_digest(sample.result("found_both")) != result_digest(sample.result("found_positive"))


def test_the_digest_survives_a_trip_through_json():
    result = sample.result()
    assert result_digest(json.loads(json.dumps(result))) == result_digest(result)


def test_a_candidate_that_left_no_record_is_still_listed():
    failures = sample.result("no_model")["failures"]
    assert {"stage": "train", "item": "x_lightgbm", "record": None} in failures
    assert [failure["item"] for failure in failures] == ["t_forest", "t_lightgbm", "x_lightgbm"]


def test_an_observational_comparison_is_marked():
    assert "observational" in sample.result(randomized=False)["notes"]
    assert "observational" not in sample.result()["notes"]
