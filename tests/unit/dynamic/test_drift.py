"""Drift of thresholds: how often it is told where there is none, that it is told where there is, and of whom."""

import numpy as np
import pandas as pd
import pytest

from causal_tasks.data.parts import buckets
from causal_tasks.dynamic.drift import COLUMNS, threshold_drift
from causal_tasks.dynamic.thresholds import choose_thresholds
from causal_tasks.errors import InputError
from tests.unit.dynamic.randomised_requests import SHARES, randomised

DEPLOYED = (1.0, 2.0)
REQUESTS = 6
SEGMENTS, WEEKS = np.array(["high", "low"]), np.array(["2026-10-05", "2026-10-12", "2026-10-19"])


def cells(users, seed, cost=DEPLOYED):
    logged = randomised(users, seed, cost=cost, requests=REQUESTS)
    return logged.arguments() | {
        "thresholds": DEPLOYED,
        "segment": SEGMENTS[logged.users % 2],
        "week": WEEKS[np.tile(np.arange(REQUESTS) // 2, users)],
    }


def without_any_effect(users, seed):
    """All arms bring the same, so that all thresholds do: where chance is most likely to be taken for drift."""
    random = np.random.default_rng(seed)
    case = cells(users, seed)
    own, noise = random.normal(size=users)[case["users"]], random.normal(size=len(case["reward"]))
    return case | {"reward": np.exp(0.7 * own + noise)}


def alarms(draw, users, draws):
    return np.mean([threshold_drift(**draw(users, seed))["alarm"].any() for seed in range(draws)])


def test_without_drift_hardly_a_table_alarms():
    """0.05 at most is promised: of 60 tables more than 7 alarm with a probability of 1 %."""
    assert alarms(without_any_effect, 800, 60) <= 7 / 60


@pytest.mark.slow
@pytest.mark.parametrize("draw", [cells, without_any_effect])
@pytest.mark.parametrize("users", [800, 3_000])
def test_of_many_tables_without_drift_one_in_twenty_alarms_at_most(draw, users):
    """Three standard errors of a share of 0.05 in 400 are 0.033."""
    assert alarms(draw, users, 400) <= 0.083


def test_a_change_in_one_segment_and_week_is_told_of_these():
    case = cells(8_000, 1)
    moved = cells(8_000, 1, cost=(8.0, 8.0))
    there = (case["segment"] == "low") & (case["week"] == "2026-10-19")
    found = threshold_drift(**case | {"reward": np.where(there, moved["reward"], case["reward"])})
    told = found[found["alarm"]]
    assert told[["segment", "week"]].to_numpy().tolist() == [["low", "2026-10-19"]]
    assert min(told["thresholds"].iloc[0]) > 4
    assert told["low"].iloc[0] > 0


def test_a_cell_is_the_value_of_what_one_half_chose_on_the_other_half():
    case = cells(2_000, 2, cost=(5.0, 6.0))
    row = threshold_drift(**case).iloc[4]
    assert (row["segment"], row["week"]) == ("low", "2026-10-12")
    inside = (case["segment"] == "low") & (case["week"] == "2026-10-12")
    chooses = buckets(pd.Series(case["users"]), "threshold_drift") < 500
    rows = {name: case[name] for name in ("reward", "arm", "preference", "interest", "users")}
    half = {name: values[inside & chooses] for name, values in rows.items()}
    assert row["thresholds"] == choose_thresholds(**half, propensity=SHARES, grid=20).thresholds
    assert row["requests"] == inside.sum()
    assert row["users"] == len(np.unique(case["users"][inside]))


def test_rows_are_sorted_and_complete_whatever_the_order_of_requests():
    case = cells(1_000, 3)
    mixed = np.random.default_rng(0).permutation(len(case["arm"]))
    shuffled = {
        name: values if name in ("propensity", "thresholds") else values[mixed] for name, values in case.items()
    }
    found, again = threshold_drift(**case), threshold_drift(**shuffled)
    assert tuple(found.columns) == COLUMNS
    assert found["requests"].sum() == len(case["arm"])
    assert found[["segment", "week"]].to_numpy().tolist() == [[s, w] for s in SEGMENTS for w in WEEKS]
    pd.testing.assert_frame_equal(found, again)


def test_a_cell_of_few_users_is_said_and_raises_no_alarm():
    case = cells(500, 4, cost=(50.0, 50.0))
    few = case["users"] < 20
    found = threshold_drift(**case | {"segment": np.where(few, "few", "many")})
    assert found["note"].tolist() == ["few"] * 3 + [""] * 3
    assert found["alarm"].tolist() == [False] * 3 + [True] * 3
    assert found.loc[:2, ["difference", "low", "high", "p_value"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"thresholds": (1.0,)}, "thresholds has shape"),
        ({"segment": ["a"] * 3}, "segment has 3 rows"),
        ({"week": [None] * 120}, "week is missing for 120"),
    ],
)
def test_errors_name_what_is_wrong(change, message):
    with pytest.raises(InputError, match=message):
        threshold_drift(**cells(20, 5) | change)
