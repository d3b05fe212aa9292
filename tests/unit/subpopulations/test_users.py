"""Who is compared with whom."""

import numpy as np
import pandas as pd
import pytest

from causal_tasks.errors import InputError
from causal_tasks.evaluation import dr_scores
from causal_tasks.subpopulations.users import Users

ARMS = ("off", "on", "max")
ARM = np.array(["off", "on", "max", "off", "on", "max"] * 2)
DISCOVERY = np.arange(12) < 6


def users(**changes):
    arguments = {
        "features": pd.DataFrame({"x": np.arange(12)}),
        "outcome": np.arange(12.0),
        "treatment": ARM,
        "arms": ARMS,
        "discovery": DISCOVERY,
        "means": None,
        "shares": {"off": 0.5, "on": 0.3, "max": 0.2},
        "propensity": None,
        "clusters": None,
    }
    return Users.checked(**arguments | changes)


def propensities(**columns):
    return pd.DataFrame({"on": np.full(12, 0.5), "max": np.full(12, 0.5)} | columns)


def test_a_comparison_is_of_one_part_in_control_or_the_treatment():
    people = users()
    np.testing.assert_array_equal(people.comparable("on"), ~DISCOVERY & (ARM != "max"))
    np.testing.assert_array_equal(people.comparable("max", discovery=True), DISCOVERY & (ARM != "on"))
    assert people.trimmed("on") == 0
    assert people.randomized


def test_without_propensities_the_design_tells_the_probability():
    people = users()
    assert people.probability("on", people.comparable("on")) == pytest.approx(0.375)


def test_users_outside_the_overlap_give_no_evidence_and_are_counted():
    on = np.full(12, 0.5)
    on[[6, 7]] = 0.04, 0.96
    people = users(propensity=propensities(on=on))
    assert not people.randomized
    assert np.flatnonzero(people.comparable("on")).tolist() == [9, 10]
    assert (people.trimmed("on"), people.trimmed("max")) == (2, 0)


def test_scores_use_every_users_own_propensity():
    on = np.linspace(0.1, 0.9, 12)
    people = users(propensity=propensities(on=on))
    rows = people.comparable("on")
    expected = dr_scores(
        people.outcome[rows], people.arm[rows] == 1, people.means[rows, 0], people.means[rows, 1], on[rows]
    )
    np.testing.assert_allclose(people.scores("on", rows).effect, expected)


def test_only_users_of_the_comparison_need_a_propensity():
    on = np.where(ARM == "max", np.nan, 0.5)
    assert users(propensity=propensities(on=on)).comparable("on").sum() == 4
    on[0] = np.nan
    with pytest.raises(InputError, match="1 users in control or 'on' have no probability"):
        users(propensity=propensities(on=on))


def test_every_treatment_needs_propensities():
    with pytest.raises(InputError, match=r"no column for treatments \['max'\]"):
        users(propensity=propensities()[["on"]])
    with pytest.raises(InputError, match="rows differ"):
        users(propensity=propensities().iloc[:3])


def test_independent_units_are_users_or_their_clusters():
    everybody = np.ones(12, dtype=bool)
    assert users().independent(everybody, "on") == (4, 4)
    assert users(clusters=np.arange(12) // 6).independent(everybody, "on") == (2, 2)
