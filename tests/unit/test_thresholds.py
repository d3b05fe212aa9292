import pytest

from causal_tasks.errors import InputError
from causal_tasks.experiment import Experiment, Thresholds

STATEMENT = {
    "experiment_id": "exp",
    "control": "control",
    "treatments": ["new"],
    "window": {"days": 7},
    "metrics": [{"name": "minutes", "role": "primary"}],
}


def stated(**bounds):
    return Experiment.parse(STATEMENT | {"thresholds": bounds}, source="test").thresholds


def test_an_experiment_may_change_one_bound_and_keeps_the_others():
    assert stated(contamination_warn=0.02) == Thresholds(contamination_warn=0.02)
    assert stated().contamination_warn == 0.01


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"contaminaton_warn": 0.02}, "thresholds.contaminaton_warn: Extra inputs are not permitted"),
        ({"p_value": 1.5}, "thresholds.p_value: Input should be less than or equal to 1"),
        ({"units_per_arm": -1}, "thresholds.units_per_arm: Input should be greater than or equal to 0"),
        ({"propensity": 0.5}, "thresholds.propensity: Input should be less than 0.5"),
    ],
)
def test_an_unknown_or_impossible_bound_is_refused_by_name(bounds, message):
    with pytest.raises(InputError, match=message):
        stated(**bounds)


def test_changed_bounds_make_another_analysis():
    loose = Experiment.parse(STATEMENT | {"thresholds": {"p_value": 0.01}}, source="test")
    assert loose.semantics() != Experiment.parse(STATEMENT, source="test").semantics()
