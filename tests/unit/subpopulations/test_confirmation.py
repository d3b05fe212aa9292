"""When a follow-up confirms a rule, when it retires it, and when it cannot tell."""

import numpy as np
import pytest
from scipy.stats import norm

from causal_tasks.experiment import Experiment, Follows
from causal_tasks.subpopulations.confirmation import confirmation, confirmation_of


def follows(estimate=1.0):
    return Follows(
        experiment_id="music",
        revision=2,
        rule="s1",
        treatment="on",
        kind="positive" if estimate > 0 else "negative",
        predicted={"estimate": estimate, "interval": sorted([estimate / 2, 2 * estimate])},
    )


def effect(low, high):
    return {"estimate": None if low is None else (low + high) / 2, "interval": [low, high], "p_value": 0.1}


def verdict(low, high, *, predicted=1.0, trusted=True):
    return confirmation(follows(predicted), effect(low, high), trusted=trusted)["verdict"]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.1, 1.9, "confirmed"),
        (0.1, 0.5, "confirmed"),  # smaller than predicted, but as claimed
        (1.2, 2.0, "confirmed"),
        (-0.1, 1.1, "open"),
        (0.0, 1.0, "open"),
        (-0.1, 0.9, "retired"),
        (-2.0, -1.0, "retired"),
    ],
)
def test_the_interval_decides_in_either_direction(low, high, expected):
    assert verdict(low, high) == expected
    assert verdict(-high, -low, predicted=-1.0) == expected


def test_an_experiment_that_is_not_trusted_or_defines_no_effect_leaves_it_open():
    assert verdict(0.1, 1.9, trusted=False) == "open"
    assert verdict(-2.0, -1.0, trusted=False) == "open"
    assert verdict(None, None) == "open"


def test_the_record_has_the_fields_of_the_contract():
    assert confirmation(follows(), effect(0.2, 1.0), trusted=True) == {
        "experiment_id": "music",
        "revision": 2,
        "rule": "s1",
        "treatment": "on",
        "predicted": {"estimate": 1.0, "interval": [0.5, 2.0]},
        "realised": {"estimate": 0.6, "interval": [0.2, 1.0]},
        "verdict": "confirmed",
    }


def test_a_follow_up_of_the_size_it_asks_for_errs_as_rarely_on_either_side():
    """The docstring's operating characteristics, from the normal distribution that the size is made of."""
    error = 1 / (norm.ppf(0.975) + norm.ppf(0.8))
    random = np.random.default_rng(0)

    def shares(truth):
        estimates = random.normal(truth, error, 4000)
        found = [verdict(e - 1.96 * error, e + 1.96 * error) for e in estimates]
        return {name: found.count(name) / len(found) for name in ("confirmed", "retired")}

    right, nothing = shares(1.0), shares(0.0)
    assert right["confirmed"] == pytest.approx(0.8, abs=0.03)
    assert right["retired"] == pytest.approx(0.025, abs=0.01)
    assert nothing["retired"] == pytest.approx(0.8, abs=0.03)
    assert nothing["confirmed"] == pytest.approx(0.025, abs=0.01)


STATEMENT = {
    "experiment_id": "music.r2.s1",
    "control": "off",
    "treatments": ["on", "both"],
    "window": {"days": 7},
    "metrics": [{"name": "minutes", "role": "primary"}, {"name": "spend"}],
    "eligible": {"all": [{"feature": "age", "op": "<=", "value": 30.0}]},
}
EFFECTS = [
    {"metric": metric, "treatment": treatment, "effect": effect(low, low + 1)}
    for metric, treatment, low in (("spend", "on", -9), ("minutes", "both", -9), ("minutes", "on", 0.5))
]


def of(validity="valid", **changes):
    statement = STATEMENT | {"follows": follows().model_dump(mode="json")} | changes
    return confirmation_of(Experiment.parse(statement, source="test"), EFFECTS, validity=validity)


def test_it_is_the_primary_effect_of_the_treatment_that_the_rule_compares():
    assert of()["realised"] == {"estimate": 1.0, "interval": [0.5, 1.5]}
    assert of("warning")["verdict"] == "confirmed"


def test_invalid_and_observational_experiments_leave_every_rule_open():
    assert of("invalid")["verdict"] == "open"
    assert of(randomized=False)["verdict"] == "open"


def test_an_experiment_that_follows_nothing_confirms_nothing():
    assert of(follows=None) is None
