"""What a statement may say about segments, and what is refused with which words."""

import pytest

from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment

ARMS = {"control": "none", "treatments": ["a", "b", "c"]}
METRICS = [{"name": "opened", "role": "primary"}, {"name": "left", "direction": "down"}]
RATE = {"name": "rate", "numerator": "n", "denominator": "d"}


def stated(metrics=METRICS, **segmenting):
    statement = {"experiment_id": "messages", **ARMS, "window": {"days": 1}, "metrics": metrics}
    return Experiment.parse(
        statement | {"segmenting": {"segments": {"x": ["a", "b"], "y": ["c"]}} | segmenting}, source="test"
    )


def test_segments_are_enough():
    found = stated().segmenting
    assert found.segment_of == {"a": "x", "b": "x", "c": "y"}
    assert (found.response, found.family, found.rule, found.count_intercepts) == (
        None,
        "auto",
        "one_standard_error",
        False,
    )


def test_the_control_may_be_a_creative():
    assert stated(segments={"x": ["none", "a"]}).segmenting.segment_of["none"] == "x"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"segments": {"x": ["a", "b"], "y": ["c", "a"]}}, "segments name 'a' twice, in 'x' and in 'y'"),
        ({"segments": {"x": ["a", "a"]}}, "segments name 'a' twice, in 'x' and in 'x'"),
        ({"segments": {"x": ["a"], "y": []}}, r"segmenting\.segments\.y"),
        ({"segments": {}}, r"segmenting\.segments"),
        ({"segments": {"x": ["a", "huge"]}}, r"unknown arms \['huge'\]; known are \['none', 'a', 'b', 'c'\]"),
        ({"response": "clicks"}, r"segmenting\.response 'clicks' is none of the metrics \['opened', 'left'\]"),
        ({"response": "left", "family": "poisson"}, "less of 'left' is better and counts have no reverse"),
        ({"alphas": [0.1, 0.1]}, "repeat a value"),
        ({"alphas": [1.1]}, r"segmenting\.alphas"),
        ({"alphas": []}, r"segmenting\.alphas"),
        ({"lams": 1}, r"segmenting\.lams"),
        ({"lam_ratio": 1.0}, r"segmenting\.lam_ratio"),
        ({"family": "gamma"}, r"segmenting\.family"),
        ({"rule": "luck"}, r"segmenting\.rule"),
        ({"metrics": [*METRICS, RATE], "response": "rate", "family": "binomial"}, "'rate' is a ratio"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(changes, complaint):
    with pytest.raises(InputError, match=complaint):
        stated(**changes)


def test_segmenting_may_change_within_a_revision():
    assert stated().semantics() == stated(alphas=[0.3]).semantics()
