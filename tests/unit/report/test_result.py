"""The result holds everything the views need, and equal input gives an equal result."""

import json
from datetime import UTC, datetime

from causal_tasks.pipelines import MINE
from causal_tasks.report.result import SCHEMA_VERSION, assemble, result_digest
from tests.unit.report import sample
from tests.unit.report import sample_models as models

PARTS = {
    "schema_version",
    "experiment",
    "verdict",
    "checks",
    "waterfall",
    "profile",
    "effects",
    "did",
    "balance",
    "models",
    "drivers",
    "subpopulations",
    "tree",
    "evidence",
    "follow_up",
    "placebo",
    "confirmation",
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
    elsewhere = {"seconds": 99.0, "device": "cuda", "peak_memory_mb": 7.0}
    later = models.FAILURE.model_copy(update={"at": datetime(2030, 1, 1, tzinfo=UTC)})
    second = sample.findings(
        cards={name: card | elsewhere for name, card in first.cards.items()},
        failures=first.failures | {"train/s_random_forest": later},
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
    result = sample.result("no_model")
    assert {"stage": "train", "item": "x_lightgbm", "record": None} in result["failures"]
    assert [failure["item"] for failure in result["failures"]] == sorted(models.CANDIDATES)
    assert result["models"]["failed"].keys() == set(models.CANDIDATES)
    assert result["models"]["failed"]["x_lightgbm"] is None


def test_the_models_are_told_from_training_to_selection():
    told = sample.result(changes={"failures": models.FAILURES | {"tune/s_xgboost": models.TUNING_FAILURE}})["models"]
    assert told.keys() == {
        "winner", "distinguishable", "board", "ranking", "cards", "tuning", "failed", "tuning_failed",
    }  # fmt: skip
    assert (told["winner"], told["distinguishable"]) == ("x_lightgbm.tuned", False)
    assert told["failed"].keys() == {"s_random_forest", "x_random_forest"}
    assert told["tuning_failed"]["s_xgboost"]["message"].startswith("fold 3 has no user")
    assert not {"seconds", "device", "peak_memory_mb"} & told["cards"]["x_lightgbm"].keys()


def test_a_run_without_models_has_empty_ones():
    told = sample.result("too_small")["models"]
    assert told == {
        "winner": None, "distinguishable": False, "board": [], "ranking": [], "cards": {}, "tuning": {},
        "failed": {}, "tuning_failed": {},
    }  # fmt: skip


def test_an_experiment_that_follows_none_confirms_none():
    assert sample.result()["confirmation"] is None
    assert sample.follow_up_result()["confirmation"]["verdict"] == "confirmed"
