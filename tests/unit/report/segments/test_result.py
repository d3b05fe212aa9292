"""What the stages wrote becomes one result: the metric's own sign, one verdict, every note once."""

from datetime import UTC, datetime

import pytest

from causal_tasks.experiment import Experiment, Segmenting
from causal_tasks.report.segments.result import SegmentsFindings, assemble_segments
from causal_tasks.run_folder import Failure
from tests.unit.report.segments import sample
from tests.unit.report.segments.sample import estimate

NAMED = {"a": ("one", "two"), "b": ("three",)}
PLAN = {
    "segments": {name: list(creatives) for name, creatives in NAMED.items()},
    "reference": ["none"],
    "response": "opened",
    "family": "binomial",
    "notes": ["arm_not_learned_from:none"],
    "users": {"all": 10, "learned": 4, "measured": 5, "reference": 1, "without_response": 0},
}
MODEL = {"alpha": 0.1, "lam": 2.0, "lam_share": 0.2}
TOLD = {"creatives": ["one", "two"], "people": 3, "verdict": "together", "agrees": [], "differs": []}
SUMMARY = {
    "model": MODEL,
    "segments": [
        TOLD | {"segment": "b", "shared": []},
        TOLD | {"segment": "a", "shared": [sample.number("age", 0.3)]},
    ],
    "balance": {"p_value": 0.5, "flagged": False, "largest": []},
    "notes": ["unbalanced_exposure"],
}
SEPARATE = {"model": {"lams": {"one": 3.0}}, "notes": ["unbalanced_exposure"]}
CURVE = [{"alpha": 0.1, "lam": 2.0, "chosen": True}]
LEARNED = {"segments": {"summary": SUMMARY, "cv": CURVE}, "separate": {"summary": SEPARATE, "cv": []}}
BEST = {"creative": "two", "segment": "a", "in_segment": {"a": "two", "b": "three"}}
ASSIGNED = {"rows": 10, "users": {"a": 8, "b": 2}, "best": BEST, "new_levels": {"plan": 1}}
VALUES = {
    "creatives": [{"creative": "one", "users": 3, "response": estimate(0.2, 0.05)}],
    "policies": {"segments": estimate(0.3, 0.05), "separate": None},
    "differences": {"vs_best_creative": estimate(0.3, 0.05), "vs_control": None},
    "matrix": [{"assigned": "a", "shown": "b", "users": 3, "response": None}],
    "notes": ["few_matched:separate"],
}


def stated(**metric):
    segmenting = {"segments": {name: list(creatives) for name, creatives in NAMED.items()}}
    changes = {"control": "none", "treatments": ["one", "two", "three"], "segmenting": segmenting}
    metrics = [sample.STATEMENT["metrics"][0] | metric]
    return Experiment.parse(sample.STATEMENT | changes | {"metrics": metrics}, source="test")


def assembled(experiment=None, **changes):
    found = {
        "checks": [],
        "validity": {"status": "valid", "mining": True, "reason": None},
        "plan": PLAN,
        "learned": LEARNED,
        "assigned": ASSIGNED,
        "values": VALUES,
    }
    return assemble_segments(experiment or stated(), SegmentsFindings(**found | changes), {"notes": []})


def test_segments_join_what_was_stated_learned_and_assigned_in_the_order_of_the_statement():
    result = assembled()
    first, second = result["segments"]
    assert (first["segment"], first["verdict"], first["best_creative"]) == ("a", "together", "two")
    assert (first["assigned"], first["share"], second["share"]) == (8, 0.8, 0.2)
    assert result["best"] == {"creative": "two", "segment": "a"}
    assert result["users"] == {"learned": 4, "measured": 5, "reference": 1, "without_response": 0, "assigned": 10}
    assert result["model"] == MODEL | {"separate_lams": {"one": 3.0}}
    assert result["selection"] == {"curve": CURVE}


def test_notes_of_all_stages_are_told_once():
    assert assembled()["notes"] == [
        "arm_not_learned_from:none",
        "unbalanced_exposure",
        "few_matched:separate",
        "new_levels:plan",
    ]


def test_of_a_metric_that_should_fall_responses_are_turned_back_and_the_verdict_is_not():
    up, down = assembled(), assembled(stated(direction="down"))
    assert down["policies"]["segments"]["estimate"] == -0.3
    assert down["differences"]["vs_best_creative"]["interval"] == pytest.approx([-0.398, -0.202])
    assert down["creatives"][0]["response"]["estimate"] == -0.2
    assert (down["creatives"][0]["users"], down["matrix"], down["policies"]["separate"]) == (3, VALUES["matrix"], None)
    assert down["segments"] == up["segments"]
    assert down["verdict"] == up["verdict"] == {"code": "segments_pay", "reason": None}


@pytest.mark.parametrize(
    ("gain", "code"),
    [(0.3, "segments_pay"), (0.05, "segments_not_shown"), (-0.3, "segments_harm")],
)
def test_the_verdict_is_read_off_the_interval_over_the_best_single_message(gain, code):
    differences = {"vs_best_creative": estimate(gain, 0.05)}
    assert assembled(values=VALUES | {"differences": differences})["verdict"]["code"] == code


def test_where_nothing_is_shared_nothing_was_found_however_large_the_difference():
    flat = [segment | {"shared": []} for segment in SUMMARY["segments"]]
    learned = LEARNED | {"segments": {"summary": SUMMARY | {"segments": flat}, "cv": []}}
    assert assembled(learned=learned)["verdict"]["code"] == "nothing_found"


def test_one_segment_leaves_nothing_to_choose():
    alone = stated().model_copy(update={"segmenting": Segmenting(segments={"a": NAMED["a"]})})
    assert assembled(alone)["verdict"]["code"] == "one_segment"


@pytest.mark.parametrize(
    ("validity", "code"),
    [
        ({"status": "invalid", "mining": True, "reason": "sample_ratio"}, "invalid"),
        ({"status": "warning", "mining": False, "reason": "arm_size"}, "not_possible"),
    ],
)
def test_an_experiment_that_failed_its_checks_has_that_verdict_and_nothing_learned(validity, code):
    result = assembled(validity=validity, learned={}, assigned=None, values=None)
    assert result["verdict"] == {"code": code, "reason": validity["reason"]}
    assert result["segments"] == [{"segment": name, "creatives": list(group)} for name, group in NAMED.items()]
    for empty in ("model", "best", "balance", "policies", "differences"):
        assert result[empty] is None
    assert (result["creatives"], result["matrix"], result["selection"]) == ([], [], {"curve": []})
    assert result["users"]["assigned"] is None


def test_what_failed_is_told_with_its_reason():
    told = Failure(
        stage="learn_segments", item="separate", error="InputError", message="m", remedy="r", at=datetime.now(UTC)
    )
    result = assembled(learned={}, assigned=None, values=None, failures={"learn_segments/separate": told})
    record = {"error": "InputError", "message": "m", "remedy": "r"}
    assert result["failures"] == [{"stage": "learn_segments", "item": "separate", "record": record}]
