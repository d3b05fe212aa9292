"""A comparison that nobody randomised, from raw tables to the report: the same graph, matching in place of chance."""

import numpy as np
import pandas as pd
import pytest

from causal_tasks import Experiment, RunFolder, Settings, run_experiment

USERS = 12_000
DAYS, PRE_DAYS = 7, 14
EFFECT = {True: 4.0, False: 1.0}
"""Minutes per week that the treatment adds to a user, by whether the app is used at night."""

START = pd.Timestamp("2026-09-07")


def listeners(seed=3):
    """Users of whom the young and active ones choose the treatment themselves, and listen more anyway."""
    random = np.random.default_rng(seed)
    age = random.normal(0, 1, USERS)
    active = random.gamma(2.0, 1.0, USERS)
    city = random.choice(["north", "south", "west"], USERS, p=[0.5, 0.3, 0.2])
    log_odds = -1.6 - 0.7 * age + 0.35 * active + 0.5 * (city == "south")
    treated = random.random(USERS) < 1 / (1 + np.exp(-log_odds))
    night = random.random(USERS) < 0.4
    daily = 3 - 1.0 * age + 1.2 * active + 0.5 * (city == "south") + random.normal(0, 0.8, USERS)
    return pd.DataFrame(
        {
            "user_id": np.arange(USERS),
            "age": age,
            "active": active,
            "city": city,
            "night": night.astype("int8"),
            "arm": np.where(treated, "opted_in", "others"),
            "daily": daily,
            "effect": np.where(night, EFFECT[True], EFFECT[False]),
        }
    )


def write_tables(lake, users, seed=4):
    random = np.random.default_rng(seed)
    days = pd.date_range(START - pd.Timedelta(days=PRE_DAYS), periods=PRE_DAYS + DAYS)
    minutes = users["daily"].to_numpy()[:, None] + random.normal(0, 2, (len(users), len(days)))
    gain = np.where(users["arm"] == "opted_in", users["effect"], 0.0) / DAYS
    minutes[:, PRE_DAYS:] += gain[:, None]
    tables = {
        "assignments": users[["user_id", "arm"]].assign(experiment_id="opt_in", assigned_at=START.tz_localize("UTC")),
        "metrics": pd.DataFrame(
            {
                "user_id": np.repeat(users["user_id"].to_numpy(), len(days)),
                "date": np.tile(days.date, len(users)),
                "minutes": minutes.ravel(),
            }
        ),
        "features": users[["user_id", "age", "active", "city", "night"]],
    }
    for name, table in tables.items():
        folder = lake / "tables" / name
        folder.mkdir(parents=True)
        table.to_parquet(folder / "part-0.parquet", index=False)


STATEMENT = {
    "experiment_id": "opt_in",
    "status": "finished",
    "started_at": START.tz_localize("UTC").isoformat(),
    "ended_at": (START + pd.Timedelta(days=DAYS)).tz_localize("UTC").isoformat(),
    "control": "others",
    "treatments": ["opted_in"],
    "randomized": False,
    "window": {"days": DAYS, "pre_days": PRE_DAYS, "timezone": "UTC"},
    "metrics": [{"name": "minutes", "role": "primary"}],
    "mining": {"candidates": ["t_lightgbm"], "finalists": 1, "trials": 1, "stability_trees": 5, "placebos": 0},
}


@pytest.fixture(scope="module")
def mined(tmp_path_factory):
    """The users with what is true of them, the result, and the address of the run."""
    lake = tmp_path_factory.mktemp("opt_in")
    users = listeners()
    write_tables(lake, users)
    experiment, settings = Experiment.parse(STATEMENT, source="test"), Settings(lake=f"file://{lake}")
    result = run_experiment(experiment, settings)
    return users, result, RunFolder.open(experiment, settings)


def estimates(result):
    (row,) = result["effects"]
    return row, {estimate["method"]: estimate for estimate in row["estimates"]}


def test_the_raw_difference_is_far_off_and_matching_and_did_are_near_the_truth(mined):
    users, result, _ = mined
    truth = users["effect"][users["arm"] == "opted_in"].mean()
    row, found = estimates(result)
    assert row["unadjusted"]["estimate"] > 4 * truth
    for method in ("matching", "matching_did"):
        estimate = found[method]
        assert abs(estimate["estimate"] - truth) < 3 * estimate["standard_error"] < 0.4 * truth
        assert estimate["interval"][0] > 0
    assert row["headline"] == row["effect"]["method"] == "matching"


def test_the_result_holds_the_balance_and_its_placebo(mined):
    _, result, _ = mined
    balance = result["balance"]["opted_in"]
    features = {row["feature"]: row for row in balance["covariates"] if row["level"] is None}
    assert set(features) == {"age", "active", "night"}
    assert min(abs(features[name]["before"]) for name in ("age", "active")) > 0.3
    assert balance["worst_after"] == max(abs(row["after"]) for row in balance["covariates"]) < 0.1
    low, high = balance["placebo"]["interval"]
    assert low < 0 < high
    statuses = {check["code"]: check["status"] for check in result["checks"]}
    assert {statuses[code] for code in ("overlap", "matched_sample", "balance_after_matching", "placebo")} == {"pass"}
    assert statuses["pre_period"] == "warn"
    assert "sample_ratio" not in statuses


def test_nothing_is_confirmed_and_every_view_says_observational(mined):
    _, result, run = mined
    assert result["subpopulations"]
    assert {row["grade"] for row in result["subpopulations"]} <= {"promising", "not_supported"}
    assert "observational" in result["notes"]
    page = run.storage.read_bytes(f"{run.uri}/report.html").decode()
    assert "观察" in page


def test_the_group_that_gains_is_found_all_the_same(mined):
    """Evidence on a rule is weighed by the propensity too: night listeners gain 4 minutes a week, the others 1."""
    _, result, _ = mined
    (night,) = [row for row in result["subpopulations"] if "night > 0" in row["words"]["en"]]
    assert night["effect"]["interval"][0] <= EFFECT[True] <= night["effect"]["interval"][1]
    assert night["contrast"]["estimate"] > 1


def test_rankings_are_scored_by_propensity(mined):
    _, result, _ = mined
    card = result["models"]["cards"]["t_lightgbm"]
    assert card["guards"]["opted_in"]["measured"]["estimate"] < 4
    # A random ranking scores half the effect; a plain score would take the confounding, five times that, for a gain.
    assert 0.5 < card["auuc"]["opted_in"]["estimate"] < 3
