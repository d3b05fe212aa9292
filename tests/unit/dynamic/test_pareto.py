"""Weightings of responses: what each brings, which are beaten in everything, which break a guard."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from causal_tasks.data.parts import buckets
from causal_tasks.dynamic import DynamicDecision
from causal_tasks.dynamic.pareto import _dominated, pareto_table, weightings
from causal_tasks.dynamic.policy_values import request_policy_values
from causal_tasks.dynamic.thresholds import choose_thresholds
from causal_tasks.errors import InputError
from tests.unit.dynamic.randomised_requests import SHARES, randomised

WEIGHTS = [{"watch": 1.0}, {"watch": 0.5, "days": 0.5}, {"days": 1.0}]


def two_responses(users, seed):
    """Treatment 1 brings watch time and costs days, treatment 2 the other way round; both by user."""
    logged = randomised(users, seed)
    random = np.random.default_rng(seed)
    by_user = random.normal(1.0, 1.0, size=(users, 2))[logged.users]
    level = np.full((len(logged.arm), 1), 10.0)
    watch = np.hstack([level, level + by_user[:, :1], level - 0.5])
    days = np.hstack([level, level - 0.5, level + by_user[:, 1:]])
    rows = np.arange(len(logged.arm))
    return {
        "responses": {
            "watch": watch[rows, logged.arm] + random.normal(size=len(rows)),
            "days": days[rows, logged.arm] + random.normal(size=len(rows)),
        },
        "arm": logged.arm,
        "preferences": {"watch": watch, "days": days},
        "interest": None,
        "users": logged.users,
        "propensity": SHARES,
    }


def test_a_weight_moved_from_one_response_to_the_other_gains_in_that_and_loses_in_this():
    found = pareto_table(**two_responses(4_000, 1), weights=WEIGHTS)
    value = found.pivot(index="weighting", columns="response", values="value")
    assert value["watch"].is_monotonic_decreasing
    assert value["days"].is_monotonic_increasing
    assert not found["dominated"].any()


def test_each_row_is_the_value_on_the_half_that_did_not_choose():
    case = two_responses(600, 2)
    row = pareto_table(**case, weights=WEIGHTS, per_treatment=False).set_index(["weighting", "response"]).loc[1, "days"]
    first = buckets(pd.Series(case["users"]), "pareto_table") < 500
    mixed = sum(0.5 * case["preferences"][name] for name in ("watch", "days"))
    reward = sum(0.5 * case["responses"][name] for name in ("watch", "days"))
    chosen = choose_thresholds(
        reward[first], case["arm"][first], mixed[first], None, propensity=SHARES, per_treatment=False
    ).thresholds
    decided = DynamicDecision(("control", "a", "b"), ("long", "short"), chosen).decide(mixed[~first], None)
    values = request_policy_values(
        case["responses"]["days"][~first],
        case["arm"][~first],
        {"policy": decided, "control": np.zeros_like(decided)},
        propensity=SHARES,
        baseline="control",
        users=case["users"][~first],
    )
    value, change = values.values["policy"].value, values.difference("policy")
    assert (row["value"], row["low"], row["high"]) == pytest.approx((value.estimate, *value.interval))
    assert (row["change"], row["change_low"], row["change_high"]) == pytest.approx((change.estimate, *change.interval))
    assert row["switched_share"] == (decided > 0).mean()
    assert row["weight"] == 0.5


def test_a_guard_is_kept_where_the_fall_is_surely_within_its_tolerance():
    """With weight on watch time alone, days fall by some 0.4 of 10."""
    case = two_responses(4_000, 3)
    kept = {}
    for tolerance in (0.0, 0.02, 0.08):
        found = pareto_table(**case, weights=WEIGHTS, guards={"days": tolerance})
        of = found.set_index(["weighting", "response"])["guard_kept"]
        assert of[:, "watch"].isna().all()
        kept[tolerance] = of[:, "days"].tolist()
    assert kept[0.0][0] is False
    assert kept[0.08] == [True, True, True]
    assert kept[0.0][2] is True


def test_a_weighting_that_decides_by_noise_is_dominated():
    case = two_responses(4_000, 4)
    noise = np.random.default_rng(0).normal(10, 1, size=case["preferences"]["watch"].shape)
    case["responses"]["luck"] = np.full(len(case["arm"]), 1.0)
    case["preferences"]["luck"] = noise
    found = pareto_table(**case, weights=[{"luck": 1.0}, {"watch": 0.5, "days": 0.5}])
    assert found.groupby("weighting")["dominated"].first().tolist() == [True, False]


@given(arrays(np.float64, (5, 2), elements=st.integers(0, 4)))
def test_dominated_are_those_that_another_beats(values):
    expected = [any((other >= own).all() and (other > own).any() for other in values) for own in values]
    assert _dominated(values).tolist() == expected


def test_weightings_are_all_ways_of_dealing_steps():
    assert weightings({"watch": 100.0, "days": 2.0}, steps=2) == [
        {"watch": 0.01, "days": 0.0},
        {"watch": 0.005, "days": 0.25},
        {"watch": 0.0, "days": 0.5},
    ]
    assert len(weightings({"a": 1.0, "b": 1.0, "c": 1.0}, steps=4)) == 15


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": [{"hours": 1.0}]}, r"weights\[0\] names \['hours'\]"),
        ({"weights": [{"watch": 1.0}, {"watch": 0.0}]}, r"weights\[1\] is"),
        ({"weights": [{"watch": -1.0, "days": 2.0}]}, r"weights\[0\] is"),
        ({"guards": {"hours": 0.1}}, r"guards names \['hours'\]"),
        ({"preferences": {"watch": np.ones((500, 3))}}, r"preferences lacks \['days'\]"),
    ],
)
def test_errors_name_what_is_wrong(change, message):
    with pytest.raises(InputError, match=message):
        pareto_table(**{**two_responses(100, 5), "weights": WEIGHTS, **change})


@pytest.mark.parametrize(
    ("scale", "steps", "message"),
    [({"a": 0.0}, 2, "scale is"), ({"a": 1.0}, 0, "steps is 0"), ({}, 2, "scale names no response")],
)
def test_scales_and_steps_are_checked(scale, steps, message):
    with pytest.raises(InputError, match=message):
        weightings(scale, steps=steps)
